"""Where records stand in an XML member, and what their fields say: one pass, one record in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from xml.parsers import expat

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.limits import KIB, MIB
from repo_service.inspection.moodle.parts import given
from repo_service.inspection.moodle.redaction import TAG
from repo_service.inspection.xml import XmlAllowance

_PIECE = 64 * KIB
_MAX_FIELD = 16 * KIB
"""Characters kept of one field of a record."""
_MAX_RECORD = 4 * MIB
"""Bytes of a record that is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One element that was asked for.

    ``begin`` and ``end`` are bytes of the member; ``xml`` is all between them where that was asked for,
    ``fields`` the text of its own children that have no children.
    """

    path: str
    attributes: Mapping[str, str]
    begin: int
    end: int
    fields: Mapping[str, str]
    xml: bytes


class Slicer:
    """A ``Sink`` for one XML member. Records within records are told of first.

    ``ids`` is told of every ``id`` attribute, with the records that are open around it.
    """

    def __init__(
        self,
        paths: Collection[str],
        tell: Callable[[Record], object],
        *,
        place: str,
        allowance: XmlAllowance,
        with_xml: Collection[str] = (),
        ids: Callable[[str, list[str]], object] | None = None,
    ) -> None:
        """``with_xml``: those of ``paths`` whose bytes are wanted. They must not lie in one another."""
        self._paths = frozenset(paths)
        self._with_xml = frozenset(with_xml)
        self._tell = tell
        self._ids = ids
        self._place = place
        self._allowance = allowance
        self._path = ""
        self._depth = 0
        self._open: list[_Open] = []
        self._text: list[str] | None = None
        self._length = 0
        self._buffer = bytearray()
        self._base = 0
        self._keep: int | None = None
        self._size = 0
        self._events = 0
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._doctype

    @property
    def done(self) -> bool:
        return False

    def feed(self, data: bytes) -> None:
        """Raises InvalidFile."""
        for at in range(0, len(data), _PIECE):
            piece = data[at : at + _PIECE]
            self._size += len(piece)
            self._allowance.take(self._place, size=len(piece))
            self._buffer += piece
            self._parse(piece, final=False)
            keep = self._keep if self._keep is not None else self._size - _PIECE
            if keep > self._base:
                del self._buffer[: keep - self._base]
                self._base = keep
            if len(self._buffer) > _MAX_RECORD:
                raise self._refuse("has a very long record", "xml-token-too-long")

    def close(self) -> None:
        """Raises InvalidFile."""
        self._parse(b"", final=True)

    def _parse(self, piece: bytes, *, final: bool) -> None:
        before = self._events
        try:
            self._parser.Parse(piece, final)
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise self._refuse("is not well-formed XML", "bad-xml") from error
        self._allowance.take(self._place, events=self._events - before)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._events += 1
        self._depth += 1
        if self._depth > self._allowance.limits.max_xml_depth:
            raise self._refuse("is nested too deeply", "xml-too-deep")
        self._allowance.take_tag(self._place, tag, attributes)
        self._path = f"{self._path}/{tag}" if self._path else tag
        if self._text is not None:  # a field that has children is none
            self._text = None
            self._parser.CharacterDataHandler = None
        if self._path in self._paths:
            begin = self._parser.CurrentByteIndex
            tag_read = TAG.match(self._buffer, begin - self._base)
            if tag_read is None:  # what expat took for a tag is one
                raise self._refuse("has a tag that cannot be read", "bad-xml")
            empty = self._base + tag_read.end() if tag_read[0].endswith(b"/>") else None
            self._open.append(_Open(self._path, self._depth, dict(attributes), begin, empty, {}))
            if self._path in self._with_xml:
                self._keep = begin
        elif self._open and self._open[-1].depth == self._depth - 1:
            self._text, self._length = [], 0
            self._parser.CharacterDataHandler = self._data
        if self._ids is not None and self._open and (id_ := attributes.get("id")):
            self._ids(id_, [record.attributes.get("id", "") for record in self._open])

    def _data(self, text: str) -> None:
        if self._text is not None and self._length < _MAX_FIELD:
            self._text.append(text)
            self._length += len(text)

    def _end(self, tag: str) -> None:
        self._events += 1
        if self._text is not None:
            self._open[-1].fields[tag] = given("".join(self._text)[:_MAX_FIELD])
            self._text = None
            self._parser.CharacterDataHandler = None
        elif self._open and self._open[-1].depth == self._depth:
            self._close_record(self._open.pop())
        self._path = self._path.rpartition("/")[0]
        self._depth -= 1

    def _close_record(self, opened: _Open) -> None:
        at = self._parser.CurrentByteIndex
        here = at - self._base
        end = at if at == opened.empty else self._base + self._buffer.index(b">", here) + 1
        xml = b""
        if opened.path in self._with_xml:
            xml = bytes(self._buffer[opened.begin - self._base : end - self._base])
            self._keep = None
        self._tell(
            Record(
                path=opened.path,
                attributes=opened.attributes,
                begin=opened.begin,
                end=end,
                fields=opened.fields,
                xml=xml,
            )
        )

    def _doctype(self, *_: object) -> None:
        raise self._refuse("has a document type declaration", "xml-doctype")

    def _refuse(self, what: str, reason: str) -> InvalidFile:
        return InvalidFile(f"{self._place} {what}.", reason=reason, place=self._place)


@dataclass(slots=True)
class _Open:
    path: str
    depth: int
    attributes: dict[str, str]
    begin: int
    empty: int | None
    """Where its tag ends, when that has no end tag."""
    fields: dict[str, str]
