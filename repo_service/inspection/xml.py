"""Foreign XML as a stream of events, in memory that does not grow with the document.

lxml's push parser drives a target, so no tree is built. Entities, DTDs and the network are off, and a
document type declaration of any kind is refused: Moodle writes none, and every entity attack needs one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, cast

from lxml import etree

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

    def take(self, place: str, *, size: int = 0, events: int = 0) -> None:
        """Raises InvalidFile."""
        self._bytes_left -= size
        self._events_left -= events
        if self._bytes_left < 0 or self._events_left < 0:
            raise InvalidFile("The archive holds too much XML.", reason="xml-too-large", place=place)


class XmlSink:
    """Parses one member as it comes; ``only_root`` stops after the first start tag."""

    def __init__(
        self, handler: Handler, *, place: str, allowance: XmlAllowance | None = None, only_root: bool = False
    ) -> None:
        self._allowance = allowance or XmlAllowance(LIMITS)
        self._limits = self._allowance.limits
        self._place = place
        self._only_root = only_root
        self._target = _Target(handler, self._limits)
        self._size = 0
        self._quiet = 0
        self._parser = etree.XMLParser(
            target=cast("etree.ParserTarget", self._target),  # its stub also wants bytes taken
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            huge_tree=False,
            recover=False,
        )

    @property
    def done(self) -> bool:
        return self._only_root and self._target.root_seen

    def feed(self, data: bytes) -> None:
        for at in range(0, len(data), _PIECE):
            piece = data[at : at + _PIECE]
            self._count(len(piece))
            before = self._target.events
            self._parse(piece)
            if self.done:
                return
            self._allowance.take(self._place, events=self._target.events - before)
            # The parser holds a tag or comment until it ends: no event for long means a very long one.
            self._quiet = self._quiet + len(piece) if self._target.events == before else 0
            if self._quiet > self._limits.max_xml_token:
                raise self._refuse("has a very long tag or comment", "xml-token-too-long")

    def close(self) -> None:
        self._parse(None)

    def _count(self, size: int) -> None:
        self._allowance.take(self._place, size=size)
        self._size += size
        if self._size > self._limits.max_xml:
            raise self._refuse("is too large", "xml-too-large")

    def _parse(self, piece: bytes | None) -> None:
        try:
            if piece is None:
                self._parser.close()
            else:
                self._parser.feed(piece)
        except _Refused as refused:
            raise self._refuse(refused.what, refused.reason) from None
        except (etree.XMLSyntaxError, LookupError, ValueError, AssertionError) as error:
            # LookupError and ValueError: an encoding that is unknown or not what the document holds.
            raise self._refuse("is not well-formed XML", "bad-xml") from error

    def _refuse(self, what: str, reason: str) -> InvalidFile:
        return InvalidFile(f"{self._place} {what}.", reason=reason, place=self._place)


class _Refused(Exception):
    def __init__(self, what: str, reason: str) -> None:
        super().__init__(reason)
        self.what = what
        self.reason = reason


class _Target:
    """What lxml calls (the parser target interface of ElementTree)."""

    def __init__(self, handler: Handler, limits: Limits) -> None:
        self._handler = handler
        self._max_depth = limits.max_xml_depth
        self._max_field = limits.max_field
        self._path: list[str] = []
        self._text: list[str] = []
        self._length = 0
        self.events = 0
        self.root_seen = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self.events += 1
        self._path.append(tag)
        if len(self._path) > self._max_depth:
            raise _Refused("is nested too deeply", "xml-too-deep")
        if self._text:
            self._text.clear()
            self._length = 0
        self.root_seen = True
        self._handler.start(self._path, attributes)

    def end(self, tag: str) -> None:
        self.events += 1
        text = "".join(self._text)
        if self._text:
            self._text.clear()
            self._length = 0
        self._handler.end(self._path, text)
        self._path.pop()

    def data(self, text: str) -> None:
        self.events += 1
        if self._length < self._max_field:
            self._text.append(text)
            self._length += len(text)

    def comment(self, text: str) -> None:
        self.events += 1

    def pi(self, target: str, data: str | None = None) -> None:
        self.events += 1

    def doctype(self, name: str, public_id: str | None, system_url: str | None) -> None:
        raise _Refused("has a document type declaration", "xml-doctype")

    def close(self) -> None:
        return None
