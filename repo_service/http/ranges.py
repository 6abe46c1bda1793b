"""Byte ranges (RFC 9110, section 14): what a client asks for and how several of them are framed."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from repo_service.domain.errors import InvalidRange

MAX_RANGES = 16
"""More than that (overlapping and adjacent ones count once) is answered with the whole."""

_MAX_HEADER = 2048
_SPECIFIER = re.compile(r"([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """``length`` bytes from ``start`` on; never empty."""

    start: int
    length: int

    @property
    def stop(self) -> int:
        """The first byte after the range."""
        return self.start + self.length

    def content_range(self, size: int) -> str:
        """The value of Content-Range for a whole of ``size`` bytes."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


def parse(header: str | None, *, size: int) -> tuple[ByteRange, ...] | None:
    """The ranges that a Range header asks for within ``size`` bytes, in its order; None means the whole.

    Headers that are malformed, in another unit or absurd mean the whole (section 14.2 allows it).
    Raises InvalidRange when there is nothing in ``size`` bytes that was asked for.
    """
    specifiers = _specifiers(header)
    if specifiers is None:
        return None
    found = [found for first, last in specifiers if (found := _resolved(first, last, size=size)) is not None]
    if not found:
        if size == 0 and any(first is None and last for first, last in specifiers):
            return None  # the last bytes of nothing exist, but no Content-Range can say so
        raise InvalidRange(f"There are only {size} bytes.", size=size)
    ranges = _coalesced(found)
    return ranges if len(ranges) <= MAX_RANGES else None


class Multipart:
    """The framing of several ranges as ``multipart/byteranges`` (section 14.6)."""

    def __init__(self, ranges: Sequence[ByteRange], *, size: int, media_type: str) -> None:
        self.ranges = tuple(ranges)
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/byteranges; boundary={boundary}"
        lines_before = ["", *["\r\n"] * (len(self.ranges) - 1)]
        self.heads = tuple(
            (
                f"{line_before}--{boundary}\r\nContent-Type: {media_type}\r\n"
                f"Content-Range: {part.content_range(size)}\r\n\r\n"
            ).encode("latin-1")
            for line_before, part in zip(lines_before, self.ranges, strict=True)
        )
        self.tail = f"\r\n--{boundary}--\r\n".encode("ascii")

    @property
    def content_length(self) -> int:
        """Bytes of the whole body, framing included."""
        data = sum(part.length for part in self.ranges)
        return data + sum(len(head) for head in self.heads) + len(self.tail)


def _specifiers(header: str | None) -> list[tuple[int | None, int | None]] | None:
    """The (first, last) pairs of a well-formed header in bytes; first is None for a suffix."""
    if header is None or len(header) > _MAX_HEADER:
        return None
    unit, equals, text = header.partition("=")
    if not equals or unit.strip().lower() != "bytes":
        return None
    specifiers: list[tuple[int | None, int | None]] = []
    for item in text.split(","):
        stripped = item.strip(" \t")
        if not stripped:
            continue  # empty list elements are allowed (section 5.6.1)
        match = _SPECIFIER.fullmatch(stripped)
        if match is None:
            return None
        first, last, suffix = match.groups()
        if suffix is not None:
            specifiers.append((None, int(suffix)))
        elif last and int(last) < int(first):
            return None
        else:
            specifiers.append((int(first), int(last) if last else None))
    return specifiers or None


def _resolved(first: int | None, last: int | None, *, size: int) -> ByteRange | None:
    if first is None:
        length = min(last or 0, size)
        return ByteRange(size - length, length) if length else None
    if first >= size:
        return None
    stop = size if last is None else min(last + 1, size)
    return ByteRange(first, stop - first)


def _coalesced(ranges: Sequence[ByteRange]) -> tuple[ByteRange, ...]:
    """Overlapping and adjacent ranges as one; each stands where the first of its parts was asked for."""
    merged: list[tuple[int, ByteRange]] = []
    for place, part in sorted(enumerate(ranges), key=lambda item: item[1].start):
        if merged and part.start <= merged[-1][1].stop:
            earlier, before = merged[-1]
            stop = max(before.stop, part.stop)
            merged[-1] = (min(earlier, place), ByteRange(before.start, stop - before.start))
        else:
            merged.append((place, part))
    return tuple(part for _, part in sorted(merged, key=lambda item: item[0]))
