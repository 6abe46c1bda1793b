"""Looks for names and addresses of persons in what stays of a backup: prose of teachers, texts of blocks.

Whose names to look for is known only when all of the archive was seen (in a tar.gz files.xml comes last), so
the texts are kept until then, compressed and up to a limit.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from xml.parsers import expat
from xml.sax.saxutils import escape

from ahocorasick_rs import BytesAhoCorasick
from isal import isal_zlib

from repo_service.inspection.limits import MIB

_BUDGET = 8 * MIB
"""Compressed bytes that are kept."""
_MAX_TEXT = 64 * MIB
"""Bytes of one text that are looked through."""
_LEAST = 5
"""Characters of a name that is looked for: shorter ones are found in any text."""

_ADDRESS = re.compile(rb"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,6}")

NAME, ADDRESS = "name-in-text", "address-in-text"


@dataclass(frozen=True, slots=True)
class _Kept:
    place: str
    element: str | None
    """None: the text is the whole XML member."""
    packed: bytes


class Texts:
    """What of a backup may be read by others, kept until it is known whose names to look for."""

    def __init__(self) -> None:
        self._kept: list[_Kept] = []
        self._left = _BUDGET
        self.complete = True
        """Whether all was kept."""

    def member(self, place: str) -> _Writer:
        """Takes what stays of one XML member."""
        return self._writer(place, None)

    def encoded(self, place: str, element: str, data: bytes) -> None:
        """Take a text that stands in an element in an encoded form."""
        writer = self._writer(place, element)
        writer.write(data)
        writer.close()

    def search(self, names: Collection[str]) -> Counter[tuple[str, str, str]]:
        """How often (NAME or ADDRESS, place, element) was found."""
        finder = _Finder(names)
        found: Counter[tuple[str, str, str]] = Counter()
        for kept in self._kept:
            unpacker = isal_zlib.decompressobj(-isal_zlib.MAX_WBITS)
            text = unpacker.decompress(kept.packed, _MAX_TEXT)
            places = sorted(finder.find(text))
            if not places:
                continue
            if kept.element is not None:
                found.update((code, kept.place, kept.element) for _, code in places)
            else:
                found.update((code, kept.place, element) for code, element in _elements(text, places))
        return found

    def room(self, size: int) -> bool:
        """For the writers: whether so many packed bytes more may be kept."""
        self._left -= size
        self.complete = self.complete and self._left > 0
        return self._left > 0

    def keep(self, place: str, element: str | None, packed: bytes) -> None:
        """For the writers."""
        self._kept.append(_Kept(place, element, packed))

    def _writer(self, place: str, element: str | None) -> _Writer:
        return _Writer(self, place, element)


class _Writer:
    """What one member wrote. Its packer, which is large, goes when it is closed."""

    def __init__(self, texts: Texts, place: str, element: str | None) -> None:
        self._texts = texts
        self._place = place
        self._element = element
        self._packer = isal_zlib.compressobj(0, isal_zlib.DEFLATED, -isal_zlib.MAX_WBITS)
        self._packed = bytearray()
        self._full = False

    def write(self, data: bytes) -> None:
        if not self._full:
            packed = self._packer.compress(data)
            self._packed += packed
            self._full = not self._texts.room(len(packed))

    def close(self) -> None:
        rest = self._packer.flush()
        if self._texts.room(len(rest)):
            self._texts.keep(self._place, self._element, bytes(self._packed + rest))


def names_of(persons: Iterable[tuple[str, str, str, str]], authors: Iterable[str]) -> set[str]:
    """What to look for: full names in both orders, user names that are no plain words, addresses.

    First and last names alone are left out: they are words of any text.
    """
    names: set[str] = set()
    for first, last, username, address in persons:
        if first and last:
            names |= {f"{first} {last}", f"{last} {first}", f"{last}, {first}", f"{last}{first}"}
        if not username.isalpha():
            names.add(username)
        names.add(address)
    names.update(author for author in authors if " " in author)
    return {name for name in names if len(name) >= _LEAST or (len(name) > 1 and not name.isascii())}


class _Finder:
    def __init__(self, names: Collection[str]) -> None:
        patterns = sorted({escape(name).encode() for name in names})
        self._names = BytesAhoCorasick(patterns) if patterns else None

    def find(self, text: bytes) -> Iterator[tuple[int, str]]:
        """(Where, NAME or ADDRESS). A name that is part of a longer word is none."""
        if b"@" in text:
            for address in _ADDRESS.finditer(text):
                yield address.start(), ADDRESS
        if self._names is None:
            return
        for _, begin, end in self._names.find_matches_as_indexes(text):
            if b"@" in text[begin:end]:
                continue
            inside = text[begin - 1 : begin + 1] if begin else b" "
            if inside.isalnum() or (end < len(text) and text[end - 1 : end + 1].isalnum()):
                continue
            yield begin, NAME


def _elements(text: bytes, places: list[tuple[int, str]]) -> list[tuple[str, str]]:
    """(Code, path of tags) of each place in a member, in the order of the text."""
    found: list[tuple[str, str]] = []
    path: list[str] = []
    parser = expat.ParserCreate()

    def upto(at: int) -> None:
        while len(found) < len(places) and places[len(found)][0] < at:
            found.append((places[len(found)][1], "/".join(path)))

    def start(tag: str, attributes: dict[str, str]) -> None:
        upto(parser.CurrentByteIndex)
        path.append(tag)

    def end(tag: str) -> None:
        upto(parser.CurrentByteIndex)
        path.pop()

    parser.StartElementHandler, parser.EndElementHandler = start, end
    with suppress(expat.ExpatError):  # a text that was cut at the limit
        parser.Parse(text, False)
    upto(len(text))
    return found
