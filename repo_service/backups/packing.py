"""Writes backups: tar.gz as Moodle does, zip with members that were compressed elsewhere.

zip: PKWARE APPNOTE 6.3.10 (section numbers below). Python's zipfile cannot take over compressed bytes; here a
member goes from one archive into another as it is.
"""

from __future__ import annotations

import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from isal import isal_zlib

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.archives.members import Packed
from repo_service.inspection.limits import KIB

STORED, DEFLATED = 0, 8

COMPRESSION_LEVEL = 2
"""Of ISA-L, whose levels go from 0 to 3: what zlib's level 6 needs eight times as long for."""

_BLOCK = 256 * KIB
_TAR_BLOCK = 512
_TAR_NAME, _TAR_PREFIX, _TAR_LARGEST = 100, 155, 8**11 - 1
_LOCAL = struct.Struct("<4sHHHHHIIIHH")  # 4.3.7
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")  # 4.3.12
_DESCRIPTOR, _DESCRIPTOR64 = struct.Struct("<4sIII"), struct.Struct("<4sIQQ")  # 4.3.9
_END = struct.Struct("<4sHHHHIIH")  # 4.3.16
_END64 = struct.Struct("<4sQHHIIQQQQ")  # 4.3.14
_END64_LOCATOR = struct.Struct("<4sIQI")  # 4.3.15
_VERSION, _VERSION64 = 20, 45  # 4.4.3
_UTF8, _SIZES_FOLLOW = 0x800, 0x8  # 4.4.4
_TIME, _DATE = 0, 0x21  # 1980-01-01, the beginning of time (4.4.6): what is made twice is the same twice
_MAX32, _MAX16 = 0xFFFFFFFF, 0xFFFF
_FILE_ATTRIBUTES = 0o100644 << 16


class Readable(Protocol):
    """Something to read a member from."""

    def read(self, size: int = -1, /) -> bytes: ...


Write = Callable[[bytes], object]


class TarGzPacker:
    """ustar in one gzip member: Moodle reads neither pax headers nor GNU names (``tgz_extractor``)."""

    def __init__(self, write: Write, *, modified: int = 0, level: int = COMPRESSION_LEVEL) -> None:
        """``modified``: seconds since 1970 that all members get."""
        self._write = write
        self._modified = modified
        self._gzip = isal_zlib.compressobj(level, isal_zlib.DEFLATED, 31)
        self._directories: set[str] = set()
        self._headers: dict[bytes, bytes] = {}

    def add(self, name: str, size: int, content: Readable) -> None:
        """A member of ``size`` bytes. Raises InvalidFile when ``content`` has fewer."""
        self.begin(name, size)
        for block in _blocks(content, size, name):
            self.put(block)
        self.end(size)

    def begin(self, name: str, size: int) -> None:
        """A member whose content comes by ``put``, all of it, and then ``end``.

        The directories above it are written first. Raises InvalidFile for what a ustar cannot hold.
        """
        for directory in _above(name):
            if directory not in self._directories:
                self._directories.add(directory)
                self._header(f"{directory}/", 0, tarfile.DIRTYPE, 0o755)
        self._header(name, size, tarfile.REGTYPE, 0o644)

    def put(self, data: bytes) -> None:
        """Some of the content of the member that was begun."""
        if packed := self._gzip.compress(data):
            self._write(packed)

    def end(self, size: int) -> None:
        """The member of ``size`` bytes is complete."""
        self.put(bytes(-size % _TAR_BLOCK))

    def finish(self) -> None:
        """Write what ends the archive."""
        self.put(bytes(2 * _TAR_BLOCK))
        self._write(self._gzip.flush())

    def _header(self, name: str, size: int, kind: bytes, mode: int) -> None:
        """A header of tarfile's, made once for files and once for directories: for thousands of members that
        would take longer than to compress them."""
        blank = self._headers.get(kind)
        if blank is None:
            info = tarfile.TarInfo()
            info.type, info.mode, info.mtime = kind, mode, self._modified
            blank = self._headers[kind] = info.tobuf(tarfile.USTAR_FORMAT)
        path = name.encode("utf-8", "surrogateescape")
        prefix = b""
        if len(path) > _TAR_NAME:
            cut = path.rfind(b"/", 0, _TAR_PREFIX + 1)
            prefix, path = path[: max(0, cut)], path[cut + 1 :]
            if not prefix or len(path) > _TAR_NAME:
                raise InvalidFile("A member has a very long name.", reason="name-too-long", place=name[:200])
        if size > _TAR_LARGEST:
            raise InvalidFile("A file is too large for a backup of Moodle.", reason="too-large-inflated")
        header = bytearray(blank)
        header[: len(path)] = path
        header[124:136] = b"%011o\0" % size
        header[345 : 345 + len(prefix)] = prefix
        header[148:156] = b" " * 8  # as which the checksum counts itself
        header[148:156] = b"%06o\0 " % sum(header)
        self.put(bytes(header))


@dataclass(slots=True)
class _Entry:
    """``follow``: the sizes stand behind the content."""

    name: bytes
    packed: Packed
    offset: int
    follow: bool

    @property
    def flags(self) -> int:
        return (_SIZES_FOLLOW if self.follow else 0) | (0 if self.name.isascii() else _UTF8)


class ZipPacker:
    """A zip whose directory alone is kept in memory. Each method gives the bytes that come next, all of which
    have to be taken before another is called."""

    def __init__(self) -> None:
        self._offset = 0
        self._entries: list[_Entry] = []

    def add(self, name: str, size: int, content: Readable) -> Iterator[bytes]:
        """A member, deflated. Its sizes follow it, for they are known only then.

        Raises InvalidFile when ``content`` has fewer than ``size`` bytes, as do the others.
        """
        entry = _Entry(name.encode(), Packed(DEFLATED, 0, 0, size), self._offset, follow=True)
        yield self._begin(entry)
        deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        crc = compressed = 0
        for block in _blocks(content, size, name):
            crc = zlib.crc32(block, crc)
            packed = deflate.compress(block)
            compressed += len(packed)
            yield self._next(packed)
        packed = deflate.flush()
        yield self._next(packed)
        yield self._follow(entry, Packed(DEFLATED, crc, compressed + len(packed), size))

    def add_stored(self, name: str, size: int, content: Readable) -> Iterator[bytes]:
        """A member as it is: for what does not compress, or where the length is told beforehand."""
        entry = _Entry(name.encode(), Packed(STORED, 0, size, size), self._offset, follow=True)
        yield self._begin(entry)
        crc = 0
        for block in _blocks(content, size, name):
            crc = zlib.crc32(block, crc)
            yield self._next(block)
        yield self._follow(entry, Packed(STORED, crc, size, size))

    def add_packed(self, name: str, packed: Packed, content: Readable) -> Iterator[bytes]:
        """A member that is compressed already, as another zip holds it."""
        yield self._begin(_Entry(name.encode(), packed, self._offset, follow=False))
        for block in _blocks(content, packed.compressed, name):
            yield self._next(block)

    def finish(self) -> Iterator[bytes]:
        """The directory."""
        start = self._offset
        for entry in self._entries:
            yield self._next(_central(entry))
        yield from _ends(len(self._entries), start, self._offset - start)

    def _begin(self, entry: _Entry) -> bytes:
        self._entries.append(entry)
        return self._next(_local(entry))

    def _follow(self, entry: _Entry, packed: Packed) -> bytes:
        descriptor = _descriptor(packed, wide=_is_wide(entry.packed))
        entry.packed = packed
        return self._next(descriptor)

    def _next(self, data: bytes) -> bytes:
        self._offset += len(data)
        return data


def packed_text(data: bytes) -> tuple[Packed, bytes]:
    """A small text deflated in memory."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = deflate.compress(data) + deflate.flush()
    return Packed(DEFLATED, zlib.crc32(data), len(packed), len(data)), packed


def stored_size(name: str, size: int) -> int:
    """How many bytes ``ZipPacker.add_stored`` writes for a member, with its line in the directory."""
    packed = Packed(STORED, 0, size, size)
    return _framing(name, packed, follow=True) + len(_descriptor(packed, wide=_is_wide(packed))) + size


def packed_size(name: str, packed: Packed) -> int:
    """How many bytes ``ZipPacker.add_packed`` writes for a member, with its line in the directory."""
    return _framing(name, packed, follow=False) + packed.compressed


def _framing(name: str, packed: Packed, *, follow: bool) -> int:
    entry = _Entry(name.encode(), packed, 0, follow)
    return len(_local(entry)) + len(_central(entry))


def _local(entry: _Entry) -> bytes:
    packed, wide = entry.packed, _is_wide(entry.packed)
    follow = entry.follow
    extra = struct.pack("<HHQQ", 1, 16, packed.size, packed.compressed) if wide else b""  # 4.5.3
    sizes = (_MAX32, _MAX32) if wide else (0, 0) if follow else (packed.compressed, packed.size)
    head = _LOCAL.pack(
        b"PK\x03\x04",
        _VERSION64 if wide else _VERSION,
        entry.flags,
        packed.method,
        _TIME,
        _DATE,
        0 if follow else packed.crc,
        *sizes,
        len(entry.name),
        len(extra),
    )
    return head + entry.name + extra


def _descriptor(packed: Packed, *, wide: bool) -> bytes:
    form = _DESCRIPTOR64 if wide else _DESCRIPTOR
    return form.pack(b"PK\x07\x08", packed.crc, packed.compressed, packed.size)


def _central(entry: _Entry) -> bytes:
    packed = entry.packed
    wide = _is_wide(packed) or entry.offset >= _MAX32
    extra = struct.pack("<HHQQQ", 1, 24, packed.size, packed.compressed, entry.offset) if wide else b""
    compressed, size, offset = (
        (_MAX32, _MAX32, _MAX32) if wide else (packed.compressed, packed.size, entry.offset)
    )
    version = _VERSION64 if wide else _VERSION
    head = _CENTRAL.pack(
        b"PK\x01\x02", 3 << 8 | version, version, entry.flags, packed.method, _TIME, _DATE, packed.crc,
        compressed, size, len(entry.name), len(extra), 0, 0, 0, _FILE_ATTRIBUTES, offset,
    )  # fmt: skip
    return head + entry.name + extra


def _ends(count: int, start: int, size: int) -> Iterator[bytes]:
    if count >= _MAX16 or start >= _MAX32 or size >= _MAX32:
        yield _END64.pack(
            b"PK\x06\x06", _END64.size - 12, _VERSION64, _VERSION64, 0, 0, count, count, size, start
        )
        yield _END64_LOCATOR.pack(b"PK\x06\x07", 0, start + size, 1)
        count, start, size = _MAX16, _MAX32, _MAX32
    yield _END.pack(b"PK\x05\x06", 0, 0, count, count, size, start, 0)


def end_size(count: int) -> int:
    """How many bytes ``ZipPacker.finish`` writes after the directory of a zip below 4 GiB."""
    return sum(map(len, _ends(count, 0, 0)))


def _is_wide(packed: Packed) -> bool:
    # A quarter below the limit: deflating may make a member a little longer.
    return max(packed.size, packed.compressed) >= _MAX32 // 4 * 3


def _above(name: str) -> Iterator[str]:
    """``activities/`` and ``activities/page_1/`` of ``activities/page_1/page.xml``."""
    at = name.find("/")
    while at >= 0:
        yield name[: at + 1]
        at = name.find("/", at + 1)


def _blocks(content: Readable, size: int, name: str) -> Iterator[bytes]:
    """Exactly ``size`` bytes. Raises InvalidFile when there are fewer."""
    left = size
    while left:
        block = content.read(min(_BLOCK, left))
        if not block:
            raise InvalidFile(f"The member {name[:200]!r} is cut off.", reason="truncated", place=name[:200])
        left -= len(block)
        yield block
