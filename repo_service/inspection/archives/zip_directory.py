"""The central directory of a zip: found by its end record, walked as a stream, entry by entry.

Format: PKWARE APPNOTE 6.3.10 (section numbers below). What the end record states is never trusted: the
directory is walked and must agree. Python's zipfile is not used: it holds the whole directory as objects
(1 kB an entry) and looks at local headers only when told to extract.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.archives.base import (
    Sins,
    Want,
    invalid_member,
    is_misread,
    member_name,
    name_sin,
)
from repo_service.inspection.base import Source
from repo_service.inspection.limits import KIB, Limits

_END = struct.Struct("<4sHHHHIIH")  # 4.3.16
_END64_LOCATOR = struct.Struct("<4sIQI")  # 4.3.15
_END64 = struct.Struct("<4sQHHIIQQQQ")  # 4.3.14
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")  # 4.3.12
LOCAL_HEADER = struct.Struct("<4sHHHHHIIIHH")  # 4.3.7

STORED, DEFLATED = 0, 8
ENCRYPTED, _STRONGLY_ENCRYPTED, _UTF8, _MASKED = 0x1, 0x40, 0x800, 0x2000  # 4.4.4
_ZIP64_EXTRA = 0x0001  # 4.5.3
_NAME_EXTRA = 0x7075  # 4.6.9
_UNIX_LINK, _UNIX_KIND = 0o120000, 0o170000

_BLOCK = 256 * KIB
_TAIL = 4 * KIB
"""Read first to find the end record, which mostly has no comment."""


def read_directory(source: Source, limits: Limits) -> Iterator[Entry]:
    """Every entry in the order of the directory.

    After the last one it is certain that their count and size are what the end record states, and that no two
    share bytes. Raises InvalidFile when the directory is damaged or beyond a limit.
    """
    directory = _find_directory(source, limits)
    extents = _Extents()
    for entry in _entries(source, directory, limits):
        extents.add(entry)
        yield entry
    extents.check()


@dataclass(slots=True)
class _Directory:
    offset: int
    size: int
    count: int


@dataclass(slots=True)
class Entry:
    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    offset: int
    attributes: int
    extra_length: int
    other_name: str = ""
    """The one in the extra field, which some readers go by (libzip, and with it Moodle)."""
    want: Want = Want.NOTHING

    @property
    def is_file(self) -> bool:
        return not self.name.endswith("/")

    @property
    def least_end(self) -> int:
        """No extra field or data descriptor counted: those lengths stand in the local header only."""
        return self.offset + LOCAL_HEADER.size + len(self.raw_name) + self.compressed


def judge(entry: Entry, sins: Sins) -> bool:
    """Whether the visitor may see the member."""
    if (reason := name_sin(entry.name)) is not None:
        sins.add(invalid_member(entry.name, "has a name that leads out of the archive", reason))
        return False
    if (entry.attributes >> 16) & _UNIX_KIND == _UNIX_LINK:
        sins.add(invalid_member(entry.name, "is a symbolic link", "symbolic-link"))
        return False
    # Where neither is plain, they are one name in two encodings.
    comparable = entry.name.isascii() or entry.other_name.isascii()
    if entry.other_name and comparable and is_misread(entry.other_name, entry.name):
        sins.add(invalid_member(entry.name, "has two names", "misleading-name"))
        return False
    if entry.flags & (ENCRYPTED | _STRONGLY_ENCRYPTED | _MASKED):
        sins.add(invalid_member(entry.name, "is encrypted", "encrypted"))
    elif entry.method not in (STORED, DEFLATED):
        sins.add(invalid_member(entry.name, "is compressed with an unknown method", "unknown-compression"))
    return True


def _find_directory(source: Source, limits: Limits) -> _Directory:
    """From the end record, and the zip64 end record where there is one (4.3.14 to 4.3.16)."""
    for tail_size in (_TAIL, _END.size + 0xFFFF):
        tail_offset = max(0, source.size - tail_size)
        tail = source.read_at(tail_offset, source.size - tail_offset)
        if (at := _find_end(tail)) >= 0:
            break
    else:
        raise InvalidFile("The zip has no end record: it is cut off or damaged.", reason="truncated")
    end_at = tail_offset + at
    _, disk, start_disk, count_here, count, size, offset, _ = _END.unpack_from(tail, at)
    if (wide := _find_zip64(source, end_at)) is not None:
        end_at, values = wide
        narrow = (disk, start_disk, count_here, count, size, offset)
        limit = (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
        if any(n not in (v, most) for n, v, most in zip(narrow, values, limit, strict=True)):
            raise InvalidFile("The two end records of the zip differ.", reason="bad-zip-directory")
        disk, start_disk, count_here, count, size, offset = values
    if disk != 0 or start_disk != 0 or count_here != count:
        raise InvalidFile("The zip is one part of several.", reason="split-zip")
    if count > limits.max_members or size > limits.max_directory:
        raise InvalidFile(
            f"The zip claims {count:,} members; at most {limits.max_members:,} are read.",
            reason="too-many-entries",
        )
    if size < count * _CENTRAL.size or offset + size != end_at:
        raise InvalidFile("The end record of the zip does not fit its directory.", reason="bad-zip-directory")
    return _Directory(offset, size, count)


def _find_end(tail: bytes) -> int:
    """Where the end record begins; -1 when there is none.

    Its comment must reach exactly to the end of the file: anything else is read differently by other readers.
    """
    at = len(tail)
    while (at := tail.rfind(b"PK\x05\x06", 0, at)) >= 0:
        if at + _END.size <= len(tail) and at + _END.size + _END.unpack_from(tail, at)[-1] == len(tail):
            return at
    return -1


def _find_zip64(source: Source, end_at: int) -> tuple[int, tuple[int, int, int, int, int, int]] | None:
    """Place and values of the record: disk, disk of the directory, entries here, entries, size, offset."""
    if end_at < _END64_LOCATOR.size:
        return None
    locator = source.read_at(end_at - _END64_LOCATOR.size, _END64_LOCATOR.size)
    signature, _, record_at, _ = _END64_LOCATOR.unpack(locator)
    if signature != b"PK\x06\x07":
        return None
    record = source.read_at(record_at, _END64.size) if record_at < source.size else b""
    if len(record) < _END64.size or not record.startswith(b"PK\x06\x06"):
        raise InvalidFile("The zip64 end record is missing.", reason="bad-zip-directory")
    _, length, _, _, *values = _END64.unpack(record)
    if record_at + 12 + length != end_at - _END64_LOCATOR.size:
        raise InvalidFile("The zip64 end record is damaged.", reason="bad-zip-directory")
    disk, start_disk, count_here, count, size, offset = values
    return record_at, (disk, start_disk, count_here, count, size, offset)


def _entries(source: Source, directory: _Directory, limits: Limits) -> Iterator[Entry]:
    """Every entry of the central directory; its count and size must be what the end record states."""
    buffer, at = b"", 0
    left = directory.size
    # One range: a store far away is asked once. The stream is read in blocks, so memory stays small.
    with source.stream(directory.offset, directory.size) as stream:

        def need(length: int) -> None:
            nonlocal buffer, at, left
            while at + length > len(buffer):
                block = stream.read(min(_BLOCK, left)) if left else b""
                if not block:
                    raise InvalidFile("The directory of the zip is damaged.", reason="bad-zip-directory")
                buffer, at = buffer[at:] + block, 0
                left -= len(block)

        for _ in range(directory.count):
            if at + _CENTRAL.size > len(buffer):
                need(_CENTRAL.size)
            (
                signature, _, _, flags, method, _, _, crc, compressed, size,
                name_length, extra_length, comment_length, disk, _, attributes, offset,
            ) = _CENTRAL.unpack_from(buffer, at)  # fmt: skip
            if signature != b"PK\x01\x02":
                raise InvalidFile("The directory of the zip is damaged.", reason="bad-zip-directory")
            if name_length > limits.max_name:
                raise InvalidFile("A member has a very long name.", reason="name-too-long")
            if at + _CENTRAL.size + name_length + extra_length + comment_length > len(buffer):
                need(_CENTRAL.size + name_length + extra_length + comment_length)
            at += _CENTRAL.size
            raw_name = buffer[at : at + name_length]
            extra = buffer[at + name_length : at + name_length + extra_length]
            if 0xFFFFFFFF in (size, compressed, offset) or disk == 0xFFFF:
                size, compressed, offset = _zip64_values(extra, size, compressed, offset)
            at += name_length + extra_length + comment_length
            encoding = "utf-8" if flags & _UTF8 or raw_name.isascii() else "cp437"
            name = member_name(raw_name, encoding=encoding)
            entry = Entry(
                name, raw_name, flags, method, crc, compressed, size, offset, attributes, extra_length,
                _other_name(extra) if extra else "",
            )  # fmt: skip
            if entry.least_end > directory.offset:
                raise invalid_member(name, "does not fit into the zip", "bad-zip-directory")
            yield entry
    if left or at != len(buffer):
        raise InvalidFile("The zip has more entries than it claims.", reason="bad-zip-directory")


def _zip64_values(extra: bytes, size: int, compressed: int, offset: int) -> tuple[int, int, int]:
    """The 64-bit values that the 32-bit fields left out, in their fixed order (4.5.3)."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        at += 4
        if kind == _ZIP64_EXTRA:
            values = iter(struct.unpack_from(f"<{min(length, len(extra) - at) // 8}Q", extra, at))
            try:
                size = next(values) if size == 0xFFFFFFFF else size
                compressed = next(values) if compressed == 0xFFFFFFFF else compressed
                offset = next(values) if offset == 0xFFFFFFFF else offset
            except StopIteration:
                raise InvalidFile(
                    "The directory of the zip is damaged.", reason="bad-zip-directory"
                ) from None
            break
        at += length
    return size, compressed, offset


def _other_name(extra: bytes) -> str:
    """What the Info-ZIP Unicode Path Extra Field says; it begins with its version and a checksum."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == _NAME_EXTRA:
            return member_name(extra[at + 9 : at + 4 + length])
        at += 4 + length
    return ""


class _Extents:
    """Where each member lies, to refuse members that share bytes (the trick of the smallest zip bombs)."""

    def __init__(self) -> None:
        self._starts = array("Q")
        self._ends = array("Q")
        self._in_order = True
        self._last = 0

    def add(self, entry: Entry) -> None:
        self._in_order = self._in_order and entry.offset >= self._last
        self._last = entry.least_end
        self._starts.append(entry.offset)
        self._ends.append(self._last)

    def check(self) -> None:
        """Raises InvalidFile."""
        if self._in_order:
            return
        last = 0
        for index in sorted(range(len(self._starts)), key=self._starts.__getitem__):
            if self._starts[index] < last:
                raise InvalidFile("Members of the zip overlap.", reason="overlapping-members")
            last = self._ends[index]
