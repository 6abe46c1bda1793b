"""Any file that no other parser takes: media type from the content, and size.

Except a ``.mbz``: Moodle offers to restore whatever has that extension, so it must be a backup.
"""

from __future__ import annotations

from repo_service.domain.errors import InvalidFile
from repo_service.domain.inspection import FileInspection
from repo_service.inspection.base import Progress, Source
from repo_service.inspection.drafting import title_of
from repo_service.inspection.limits import KIB
from repo_service.inspection.media_types import media_type

_HEAD = 64 * KIB
"""libmagic needs some of the content to tell one kind of zip from another."""
_FORMATS = {"application/zip": "zip"}


class FileParser:
    """Takes every file but a ``.mbz``."""

    name = "file"
    version = 2

    def sniff(self, head: bytes, name: str) -> bool:
        return True

    def parse(self, source: Source, *, name: str, progress: Progress) -> FileInspection:
        if name.lower().endswith(".mbz"):
            raise InvalidFile("The file is named .mbz but is no Moodle backup.", reason="not-a-backup")
        found = media_type(source.read_at(0, _HEAD), name)
        progress(1.0)
        return FileInspection(
            media_type=found, size=source.size, title=title_of(name), format=_FORMATS.get(found, "")
        )
