"""Reads a zip by ranges: the end record, the central directory as a stream, then only the members wanted.

Bytes read: the end record (at most 64 KiB), the directory, and the wanted members with their local headers.
Neighbouring members are fetched in one range when the gaps between them are small.
"""

from __future__ import annotations

from repo_service.inspection.archives.base import Sins, Visitor, Want, plain_name
from repo_service.inspection.archives.zip_directory import Entry, judge, read_directory
from repo_service.inspection.archives.zip_members import Fetch, content, fetches, pieces_of
from repo_service.inspection.base import Progress, Source
from repo_service.inspection.limits import LIMITS, Limits

ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")


def read_zip(source: Source, visitor: Visitor, *, progress: Progress, limits: Limits = LIMITS) -> None:
    """Show every member to ``visitor``, then read the wanted ones in the order of the archive.

    Raises NotThisFormat when it lacks the visitor's manifest, InvalidFile when it is damaged or beyond a
    limit.
    """
    sins = Sins()
    wanted: list[Entry] = []
    for entry in read_directory(source, limits):
        if judge(entry, sins):
            entry.want = visitor.visit(plain_name(entry.name), entry.size, is_file=entry.is_file)
            if entry.want is not Want.NOTHING:
                wanted.append(entry)
    sins.judge(visitor)
    wanted.sort(key=lambda entry: entry.offset)
    for done, (entry, fetch) in enumerate(fetches(source, wanted)):
        _read_member(entry, fetch, visitor, limits)
        progress((done + 1) / len(wanted))
    progress(1.0)


def _read_member(entry: Entry, fetch: Fetch, visitor: Visitor, limits: Limits) -> None:
    pieces = pieces_of(entry, fetch)
    sink = visitor.open(plain_name(entry.name))
    for block in content(entry, pieces, limits):
        sink.feed(block)
        if sink.done:
            return
    sink.close()
