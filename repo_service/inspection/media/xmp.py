"""XMP packets, which pictures and PDF documents carry: ISO 16684-1; rights as of PLUS and Creative Commons.

A value is the text of an element, an item of a list in it, or an attribute of ``rdf:Description``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.drafting import Draft
from repo_service.inspection.xml import XmlSink


@dataclass(slots=True)
class XmpFacts:
    """What else a packet says."""

    has_location: bool = False
    fields: dict[str, list[str]] = field(default_factory=dict)


def read_xmp(packet: bytes, draft: Draft) -> XmpFacts:
    """Tell ``draft`` what a packet says. One that cannot be read says nothing."""
    facts = XmpFacts()
    reader = _XmpReader(facts)
    start = packet.find(b"<")
    if start < 0:
        return facts
    try:
        sink = XmlSink(reader, place="XMP")
        sink.feed(packet[start:].rstrip(b"\0 \r\n\t"))
        sink.close()
    except InvalidFile:
        pass  # what was read of it counts
    tell = _tellers(draft)
    for name, values in facts.fields.items():
        for value in values:
            if name in tell:
                tell[name](value)
    return facts


def _tellers(draft: Draft) -> Mapping[str, Callable[[str], None]]:
    return {
        "dc:title": draft.name_it,
        "dc:description": draft.describe,
        "dc:creator": draft.add_author,
        "dc:language": draft.say_language,
        "dc:subject": lambda word: draft.add_keywords([word]),
        "cc:license": draft.add_licence,
        "xmpRights:WebStatement": draft.add_licence,
        "xmpRights:UsageTerms": draft.add_licence,
        "dc:rights": draft.add_licence,
        "pdf:Keywords": lambda words: draft.add_keywords(words.replace(";", ",").split(",")),
    }


class _XmpReader:
    def __init__(self, facts: XmpFacts) -> None:
        self._facts = facts

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        name = path[-1]
        if name == "rdf:Description":
            for key, value in attributes.items():
                self._say(key, value)
        elif "rdf:resource" in attributes:
            self._say(name, attributes["rdf:resource"])

    def end(self, path: list[str], text: str) -> None:
        text = text.strip()
        if not text:
            return
        if path[-1] == "rdf:li" and len(path) > 2:
            self._say(path[-3], text)
        else:
            self._say(path[-1], text)

    def _say(self, name: str, value: str) -> None:
        if name in ("exif:GPSLatitude", "photoshop:City", "Iptc4xmpCore:Location"):
            self._facts.has_location = True
        known = self._facts.fields.setdefault(name, []) if len(self._facts.fields) < 500 else []
        if value and len(known) < 100:
            known.append(value)
