"""JSON that strangers send or serve, read so that it can do no harm.

Depth and number of values are counted before anything is built: Python's parser would take 200 times the
memory of the text, and fall over what is nested too deeply. Nothing is ever looked up, JSON-LD contexts
included.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Final, NoReturn

MOST_DEPTH: Final = 32
"""Levels of objects and arrays: activities have a handful."""
MOST_VALUES: Final = 100_000
"""Names, values and commas: a page of an outbox has some thousands."""

_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{},]', re.DOTALL)
_UNSTORABLE: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
"""What databases do not take: NUL, and halves of a pair of surrogates, which may be two halves."""


class UnfitDocument(ValueError):
    """This is no JSON that we read. The message says why."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A JSON document and the address that it came from in the end, after redirects."""

    url: str
    value: object


def parse(data: bytes, *, most_depth: int = MOST_DEPTH, most_values: int = MOST_VALUES) -> object:
    """The value of ``data``, JSON in UTF-8 (RFC 8259). Raises UnfitDocument."""
    _count(data, most_depth, most_values)
    try:
        value: object = json.loads(data.decode(), parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, UnfitDocument) else UnfitDocument("this is no JSON") from error
    if _UNSTORABLE.search(data):
        _check_text(value)
    return value


def _count(data: bytes, most_depth: int, most_values: int) -> None:
    depth = 0
    for number, token in enumerate(_TOKEN.finditer(data)):
        match token[0]:
            case b"[" | b"{":
                depth += 1
            case b"]" | b"}":
                depth -= 1
            case b'"':  # nothing ends it: to look on would be to begin again and again
                raise UnfitDocument("this is no JSON")
        if depth > most_depth:
            raise UnfitDocument("it is nested too deeply")
        if number >= most_values:
            raise UnfitDocument("it has too many values")


def _check_text(value: object) -> None:
    """Strings are such as there can be everywhere. As deep as ``_count`` lets it be."""
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise UnfitDocument("it has characters that there are not")
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_text(name)
            _check_text(item)
    elif isinstance(value, list):
        for item in value:
            _check_text(item)


def _refuse_constant(name: str) -> NoReturn:
    raise UnfitDocument(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise UnfitDocument("a number is too large")
    return number
