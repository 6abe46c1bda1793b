"""Foreign XML as a stream of events, in memory that does not grow with the document.

A document type declaration of any kind is refused: Moodle writes none, and every entity attack needs one.
Formats that have one by their specification (NCX, SVG) may have one that only names a DTD; it is never read.
Expat is the parser here as it is in ``redaction``: what one sees the other sees, and nothing of a document
outlives its parser (lxml keeps every name it ever met; docs/adr/0017).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol
from xml.parsers import expat

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.limits import KIB, LIMITS, Limits

_PIECE = 64 * KIB


class Handler(Protocol):
    """Told of every element. ``path`` holds the tags from the root to it, and changes after the call."""

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None: ...

    def end(self, path: list[str], text: str) -> None:
        """``text`` is the whole text of an element without children, cut at ``Limits.max_field``."""


class XmlAllowance:
    """How much XML may still be read from one archive."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._bytes_left = limits.max_xml_total
        self._events_left = limits.max_xml_events
        self._names: set[str] = set()

    def take(self, place: str, *, size: int = 0, events: int = 0) -> None:
        """Raises InvalidFile."""
        self._bytes_left -= size
        self._events_left -= events
        if self._bytes_left < 0 or self._events_left < 0:
            raise InvalidFile("The archive holds too much XML.", reason="xml-too-large", place=place)

    def take_tag(self, place: str, tag: str, attributes: Mapping[str, str]) -> None:
        """A parser remembers every name it meets, so there may not be ever more. Raises InvalidFile."""
        names = self._names
        known = len(names)
        names.add(tag)
        if attributes:
            names.update(attributes)
        if len(names) == known:
            return
        if len(names) > self.limits.max_xml_names:
            raise InvalidFile("The XML has too many kinds of tags.", reason="xml-too-many-names", place=place)
        if any(len(name) > self.limits.max_xml_name for name in (tag, *attributes)):
            raise InvalidFile(
                f"{place} has an element with a very long name.", reason="xml-token-too-long", place=place
            )


class XmlSink:
    """Parses one member as it comes; ``only_root`` stops after the first start tag."""

    def __init__(
        self,
        handler: Handler,
        *,
        place: str,
        allowance: XmlAllowance | None = None,
        only_root: bool = False,
        may_name_dtd: bool = False,
        told_text: Callable[[str], None] | None = None,
    ) -> None:
        """``told_text`` gets every piece of text, also that between elements."""
        self._allowance = allowance or XmlAllowance(LIMITS)
        self._limits = self._allowance.limits
        self._place = place
        self._only_root = only_root
        self._may_name_dtd = may_name_dtd
        self._told_text = told_text
        self._handler = handler
        self._path: list[str] = []
        self._text: list[str] = []
        self._length = 0
        self._events = 0
        self._root_seen = False
        self._size = 0
        self._quiet = 0
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.CommentHandler = self._other
        parser.ProcessingInstructionHandler = self._other
        parser.StartDoctypeDeclHandler = self._doctype

    @property
    def done(self) -> bool:
        return self._only_root and self._root_seen

    def feed(self, data: bytes) -> None:
        for at in range(0, len(data), _PIECE):
            piece = data[at : at + _PIECE]
            self._count(len(piece))
            before = self._events
            self._parse(piece)
            if self.done:
                return
            self._allowance.take(self._place, events=self._events - before)
            # The parser holds a tag or comment until it ends: no event for long means a very long one.
            self._quiet = self._quiet + len(piece) if self._events == before else 0
            if self._quiet > self._limits.max_xml_token:
                raise self._refuse("has a very long tag or comment", "xml-token-too-long")

    def close(self) -> None:
        self._parse(b"", final=True)

    def _count(self, size: int) -> None:
        self._allowance.take(self._place, size=size)
        self._size += size
        if self._size > self._limits.max_xml:
            raise self._refuse("is too large", "xml-too-large")

    def _parse(self, piece: bytes, *, final: bool = False) -> None:
        try:
            self._parser.Parse(piece, final)
        except (expat.ExpatError, LookupError, ValueError) as error:
            # LookupError and ValueError: an encoding that is unknown or not what the document holds.
            raise self._refuse("is not well-formed XML", "bad-xml") from error

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if self.done:  # what else the piece holds that showed the root
            return
        self._events += 1
        self._allowance.take_tag(self._place, tag, attributes)
        self._path.append(tag)
        if len(self._path) > self._limits.max_xml_depth:
            raise self._refuse("is nested too deeply", "xml-too-deep")
        if self._text:
            self._text.clear()
            self._length = 0
        self._root_seen = True
        self._handler.start(self._path, attributes)

    def _end(self, tag: str) -> None:
        if self.done:
            return
        self._events += 1
        text = "".join(self._text)
        if self._text:
            self._text.clear()
            self._length = 0
        self._handler.end(self._path, text)
        self._path.pop()

    def _data(self, text: str) -> None:
        self._events += 1
        if self._told_text is not None:
            self._told_text(text)
        if self._length < self._limits.max_field:
            self._text.append(text)
            self._length += len(text)

    def _other(self, *_: object) -> None:
        """A comment, or an instruction for other programs."""
        self._events += 1

    def _doctype(
        self, name: str, system_id: str | None, public_id: str | None, has_internal_subset: bool
    ) -> None:
        if has_internal_subset or not self._may_name_dtd:
            raise self._refuse("has a document type declaration", "xml-doctype")

    def _refuse(self, what: str, reason: str) -> InvalidFile:
        return InvalidFile(f"{self._place} {what}.", reason=reason, place=self._place)
