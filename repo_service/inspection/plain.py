"""Any file that no other parser takes: media type from the content, and size."""

from __future__ import annotations

from repo_service.domain.inspection import FileInspection
from repo_service.inspection.base import Progress, Source
from repo_service.inspection.drafting import title_of
from repo_service.inspection.limits import KIB
from repo_service.inspection.media_types import media_type

_HEAD = 64 * KIB
"""libmagic needs some of the content to tell one kind of zip from another."""
_FORMATS = {"application/zip": "zip"}


class FileParser:
    """Takes every file."""

    name = "file"
    version = 2

    def sniff(self, head: bytes, name: str) -> bool:
        return True

    def parse(self, source: Source, *, name: str, progress: Progress) -> FileInspection:
        found = media_type(source.read_at(0, _HEAD), name)
        progress(1.0)
        return FileInspection(
            media_type=found, size=source.size, title=title_of(name), format=_FORMATS.get(found, "")
        )
