"""Thumbnails: a first page, a picture itself, a frame of a video, the cover of a package. In two sizes."""

from __future__ import annotations

import io
import struct

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.base import ReadStream, Source
from repo_service.inspection.drafting import ITSELF
from repo_service.inspection.isolation.parent import isolation
from repo_service.inspection.limits import LIMITS, MIB, Limits
from repo_service.inspection.media.sizes import SIZES
from repo_service.inspection.packages.opened import Package

VERSION = 1
"""Raised when what is made would differ: thumbnails are made anew then."""
MEDIA_TYPE = "image/webp"

_MAX_COVER = 32 * MIB
_HEADER = struct.Struct("<4sI4s4s7s3sHH")
_TASKS = {
    "image": "show-picture",
    "pdf": "show-document",
    "video": "show-recording",
    "audio": "show-recording",
}


def thumbnails_of(
    source: Source, *, format_code: str, cover: str, limits: Limits = LIMITS
) -> tuple[bytes, bytes]:
    """A small and a large one, of a file of that format whose inspection names that ``cover``.

    Raises InvalidFile when there is nothing to show, and what the source raises.
    """
    if cover == ITSELF:
        answer = isolation.ask(_TASKS[format_code], source)
    else:
        package = Package(source, limits)
        answer = isolation.ask("show-picture", _Held(package.read(cover, limit=_MAX_COVER)))
    pictures = answer.pictures
    if len(pictures) != 2 or not all(_is_webp(picture) for picture in pictures):
        raise InvalidFile("No picture of the file can be made.", reason="unreadable")
    return pictures[0], pictures[1]


def _is_webp(data: bytes) -> bool:
    """Whether it is what ``shrinking`` writes and no more: a lossy picture of such a size (RFC 9649, 2.5)."""
    if len(data) < _HEADER.size:
        return False
    riff, size, webp, vp8, _, start, width, height = _HEADER.unpack_from(data)
    most = SIZES[-1]
    return (
        (riff, size, webp, vp8, start) == (b"RIFF", len(data) - 8, b"WEBP", b"VP8 ", b"\x9d\x01\x2a")
        and 0 < width <= most[0]
        and 0 < height <= most[1]
    )


class _Held:
    """Bytes that are in memory, as a source."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        return len(self._data)

    def read_at(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]

    def stream(self, offset: int = 0, length: int | None = None) -> ReadStream:
        end = self.size if length is None else offset + length
        return io.BytesIO(self._data[offset:end])
