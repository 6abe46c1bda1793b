"""Sentences for people. They are written in English where they arise, and can be said in any language.

``make translations`` looks for ``text("…")``, for ``counted("…", "…", n)`` and for the errors of ``errors``:
what stands in them has to be a plain string, and what varies goes in as ``%(name)s``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Self

_VALUE = re.compile(r"%\((\w+)\)s")


class Text(str):
    """An English sentence that knows what it was made of.

    It *is* that sentence: logs and the API, which know one language, use it as it stands. ``plural`` and
    ``number`` are there where the words depend on a number. ``values`` may be texts, too.
    """

    __slots__ = ("number", "plural", "template", "values")

    template: str
    plural: str | None
    number: int | None
    values: Mapping[str, object]

    def __new__(
        cls, template: str, values: Mapping[str, object], plural: str | None = None, number: int | None = None
    ) -> Self:
        chosen = template if plural is None or number == 1 else plural
        made = super().__new__(cls, chosen % {name: _in_english(value) for name, value in values.items()})
        made.template, made.plural, made.number, made.values = template, plural, number, values
        return made

    def __getnewargs__(self) -> tuple[str, Mapping[str, object], str | None, int | None]:  # type: ignore[override]
        return self.template, self.values, self.plural, self.number


def text(template: str, **values: object) -> Text:
    """``template`` with its ``%(name)s`` filled in. A number gets its thousands marked."""
    return Text(template, values)


def counted(one: str, many: str, count: int, **values: object) -> Text:
    """``one`` for a count of one, else ``many``; both may say ``%(count)s``."""
    return Text(one, {"count": count, **values}, many, count)


def recognised(said: str, known: Iterable[Text]) -> str:
    """What was stored as an English sentence, as the text that it was: one that differs from one of ``known``
    in its values only. What is none of them stays as it is."""
    for each in known:
        found = _pattern(each.template).fullmatch(said)
        if found is not None:
            return Text(each.template, found.groupdict())
    return said


@functools.cache
def _pattern(template: str) -> re.Pattern[str]:
    words = _VALUE.split(template)  # names stand between words
    words[::2] = [re.escape(literal.replace("%%", "%")) for literal in words[::2]]
    words[1::2] = [f"(?P<{name}>.*)" for name in words[1::2]]
    return re.compile("".join(words), re.DOTALL)


def _in_english(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
