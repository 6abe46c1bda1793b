"""Which parsers there are, in the order in which they are asked. To add one: one file, one line here."""

from __future__ import annotations

from collections.abc import Sequence

from repo_service.domain.errors import InvalidFile
from repo_service.domain.inspection import Inspection
from repo_service.inspection.base import HEAD_SIZE, NotThisFormat, Parser, Progress, Source
from repo_service.inspection.documents.gift import GiftParser
from repo_service.inspection.documents.moodle_xml import MoodleXmlParser
from repo_service.inspection.documents.plain_text import TextParser
from repo_service.inspection.documents.subtitles import SubtitlesParser
from repo_service.inspection.limits import LIMITS, Limits
from repo_service.inspection.media.document import DocumentParser
from repo_service.inspection.media.picture import PictureParser
from repo_service.inspection.media.recording import RecordingParser
from repo_service.inspection.media.vector import VectorParser
from repo_service.inspection.moodle.backup1 import Moodle1Parser
from repo_service.inspection.moodle.backup2 import Moodle2Parser
from repo_service.inspection.packages.common_cartridge import CommonCartridgeParser
from repo_service.inspection.packages.content_package import ContentPackageParser
from repo_service.inspection.packages.epub import EpubParser
from repo_service.inspection.packages.h5p import H5pParser
from repo_service.inspection.packages.open_document import OpenDocumentParser
from repo_service.inspection.packages.open_xml import OpenXmlParser
from repo_service.inspection.packages.opened import opened_once
from repo_service.inspection.packages.qti import QtiParser
from repo_service.inspection.packages.scorm import ScormParser
from repo_service.inspection.packages.website import WebsiteParser
from repo_service.inspection.plain import FileParser


def parsers(limits: Limits = LIMITS) -> tuple[Parser, ...]:
    """All parsers; the first that recognises a file describes it, the last takes every file."""
    return (
        Moodle2Parser(limits),
        Moodle1Parser(limits),
        H5pParser(limits),
        CommonCartridgeParser(limits),
        QtiParser(limits),
        ScormParser(limits),
        ContentPackageParser(limits),
        EpubParser(limits),
        OpenXmlParser(limits),
        OpenDocumentParser(limits),
        WebsiteParser(limits),
        PictureParser(limits),
        VectorParser(limits),
        DocumentParser(limits),
        RecordingParser(limits),
        MoodleXmlParser(limits),
        GiftParser(limits),
        SubtitlesParser(limits),
        TextParser(limits),
        FileParser(),
    )


_PARSERS = parsers()


def inspect(
    source: Source,
    *,
    name: str,
    progress: Progress | None = None,
    parsers: Sequence[Parser] = _PARSERS,
) -> tuple[Parser, Inspection]:
    """What is in the file, and the parser that found it. ``name`` is the file's name, without folders.

    Moodle offers to restore whatever is named ``.mbz``, so such a file must be a backup. Raises InvalidFile
    when it is none, and when a file is damaged, hostile or beyond a limit; and what the source raises.
    """
    tell = progress or _tell_nobody
    head = source.read_at(0, HEAD_SIZE)
    with opened_once():
        for parser in parsers:
            if parser.sniff(head, name):
                try:
                    found = parser.parse(source, name=name, progress=tell)
                except NotThisFormat:
                    continue
                if found.kind == "file" and name.lower().endswith(".mbz"):
                    raise InvalidFile(
                        "The file is named .mbz but is no Moodle backup.", reason="not-a-backup"
                    )
                return parser, found
    raise AssertionError("the last parser takes every file")


def _tell_nobody(share: float) -> None:
    pass
