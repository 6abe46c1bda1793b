"""Which parsers there are, in the order in which they are asked. To add one: one file, one line here."""

from __future__ import annotations

from collections.abc import Sequence

from repo_service.domain.inspection import Inspection
from repo_service.inspection.base import HEAD_SIZE, NotThisFormat, Parser, Progress, Source
from repo_service.inspection.limits import LIMITS, Limits
from repo_service.inspection.moodle.backup1 import Moodle1Parser
from repo_service.inspection.moodle.backup2 import Moodle2Parser
from repo_service.inspection.plain import FileParser


def parsers(limits: Limits = LIMITS) -> tuple[Parser, ...]:
    """All parsers; the first that recognises a file describes it, the last takes every file."""
    return (
        Moodle2Parser(limits),
        Moodle1Parser(limits),
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

    Raises InvalidFile when the file is damaged, hostile or beyond a limit, and what the source raises.
    """
    tell = progress or _tell_nobody
    head = source.read_at(0, HEAD_SIZE)
    for parser in parsers:
        if parser.sniff(head, name):
            try:
                return parser, parser.parse(source, name=name, progress=tell)
            except NotThisFormat:
                continue
    raise AssertionError("the last parser takes every file")


def _tell_nobody(share: float) -> None:
    pass
