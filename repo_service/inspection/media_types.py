"""Media types from the first bytes, by libmagic, and from the one extension that says more than the bytes."""

from __future__ import annotations

from repo_service.inspection import libmagic

MOODLE_BACKUP = "application/vnd.moodle.backup"
"""What Moodle itself calls a backup (lib/classes/filetypes.php)."""

_ARCHIVES = frozenset({"application/gzip", "application/x-gzip", "application/zip"})


def media_type(head: bytes, name: str) -> str:
    """The media type of a file that begins with ``head`` and is called ``name``."""
    found: str = libmagic.media_types().from_buffer(head) if head else "application/octet-stream"
    if name.lower().endswith(".mbz") and found in _ARCHIVES:
        return MOODLE_BACKUP
    return found
