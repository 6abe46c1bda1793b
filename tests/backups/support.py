"""What several tests of archives share."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from repo_service.backups.archives import Archive, open_targz, open_zip
from repo_service.backups.seeking import build_seek_index
from repo_service.inspection.base import Source
from repo_service.inspection.limits import LIMITS, Limits
from repo_service.inspection.sources import FileSource, RangeSource

Opener = Callable[[Source], Archive]


def bytes_source(data: bytes) -> RangeSource:
    """A source over bytes that are in memory."""
    return RangeSource(lambda offset, length: io.BytesIO(data[offset : offset + length]), len(data))


def index_of(path: Path, limits: Limits = LIMITS) -> bytes:
    """The seek index of the tar.gz."""
    written = io.BytesIO()
    with FileSource(path) as source:
        build_seek_index(source, write_to=written, limits=limits)
    return written.getvalue()


def opened(source: Source, path: Path) -> Archive:
    """The archive at ``path``, read through ``source``."""
    if path.read_bytes()[:2] == b"PK":
        return open_zip(source)
    return open_targz(source, bytes_source(index_of(path)))


def content_of(archive: Archive, name: str, *, at_once: int = 10_000) -> bytes:
    """What the member holds."""
    with archive.open(name) as stream:
        return b"".join(iter(lambda: stream.read(at_once), b""))
