"""Seek indexes: what makes a member of a tar.gz readable without inflating all that stands before it.

An index has *points*, block boundaries of the deflated stream with the 32 KiB that came out before each, and
*members*: where the data of each begins, its size, its checksum, and that of its tar header.

The file, all numbers little-endian: a head, the tables of points and members, deflated, and the windows of
the points, each deflated. All have checksums. A reader fetches head and tables, and the windows it needs.
"""

from __future__ import annotations

import bisect
import struct
import sys
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from repo_service.backups.inflating import WINDOW
from repo_service.inspection.archives.members import Names
from repo_service.inspection.limits import KIB, LIMITS, Limits

VERSION = 1
"""Of what is made and how it is written: raise it, and the indexes of all archives are made anew."""

MEDIA_TYPE = "application/vnd.moodle-resources.seek-index"
MOST_POINTS = 512

_MAGIC = b"\x89MRRSEEK"
_HEAD = struct.Struct("<8sIQIIQQI")
"""Magic, version, size of the archive, points, members, size of the tables deflated and inflated, their
checksum. The checksum of the head follows."""
_CHECKSUM = struct.Struct("<I")
_POINT_SIZE = 8 + 8 + 8 + 4 + 4 + 1
_MEMBER_SIZE = 8 + 8 + 4 + 4 + 8
_FIRST_READ = 256 * KIB
"""Holds head and tables of a thousand members; where there are more, the rest is a request of its own."""


class Ranges(Protocol):
    """Where an index is read from; a ``Source`` is one."""

    def read_at(self, offset: int, length: int) -> bytes:
        """The bytes from ``offset``; fewer than ``length`` only at the end."""


class BadSeekIndex(Exception):
    """It is damaged, of another version, or that of another archive: it has to be made anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Inflating can begin at byte ``compressed`` of the archive, with ``bits`` of the byte before.

    That is where ``inflated`` bytes have come out, the last of which are the ``window``, here deflated.
    """

    compressed: int
    bits: int
    inflated: int
    window: bytes


class MemberTable:
    """Where the members stand within what the archive inflates to, in the order of the archive."""

    def __init__(self) -> None:
        self.names = Names()
        self.offsets, self.sizes = array("Q"), array("Q")
        self.header_crcs, self.crcs = array("I"), array("I")

    def add(self, name: str, offset: int, size: int, header_crc: int, crc: int) -> None:
        self.names.add(name)
        self.offsets.append(offset)
        self.sizes.append(size)
        self.header_crcs.append(header_crc)
        self.crcs.append(crc)


def write_seek_index(
    file: BinaryIO, *, archive_size: int, points: Sequence[Point], members: MemberTable
) -> None:
    lengths = [len(point.window) for point in points]
    tables = b"".join(
        (
            _packed(array("Q", [point.compressed for point in points])),
            _packed(array("Q", [point.inflated for point in points])),
            _packed(array("Q", [sum(lengths[:number]) for number in range(len(lengths))])),
            _packed(array("I", lengths)),
            _packed(array("I", [zlib.crc32(point.window) for point in points])),
            bytes(point.bits for point in points),
            _packed(members.offsets),
            _packed(members.sizes),
            _packed(members.header_crcs),
            _packed(members.crcs),
            _packed(members.names.ends),
            members.names.text,
        )
    )
    deflated = zlib.compress(tables)
    head = _HEAD.pack(
        _MAGIC,
        VERSION,
        archive_size,
        len(points),
        len(members.names),
        len(deflated),
        len(tables),
        zlib.crc32(deflated),
    )
    file.write(head + _CHECKSUM.pack(zlib.crc32(head)))
    file.write(deflated)
    file.writelines(point.window for point in points)


class SeekIndex:
    """A seek index to read by."""

    def __init__(self, source: Ranges, *, archive_size: int, limits: Limits = LIMITS) -> None:
        """Raises BadSeekIndex when ``source`` is not the index of an archive of that size."""
        self._source = source
        start = source.read_at(0, _FIRST_READ)
        at = _HEAD.size + _CHECKSUM.size
        head = start[: _HEAD.size]
        if start[_HEAD.size : at] != _CHECKSUM.pack(zlib.crc32(head)):
            raise BadSeekIndex("its head is damaged")
        magic, version, size_of_archive, points, members, deflated_size, size, crc = _HEAD.unpack(head)
        if magic != _MAGIC or version != VERSION:
            raise BadSeekIndex("it is of another version")
        if size_of_archive != archive_size:
            raise BadSeekIndex("it is that of another archive")
        text_size = size - points * _POINT_SIZE - members * _MEMBER_SIZE
        if members > limits.max_members or points > MOST_POINTS or not 0 <= text_size <= limits.max_directory:
            raise BadSeekIndex("its tables are too large")
        self._windows_at = at + deflated_size
        deflated = start[at : self._windows_at]
        if len(deflated) < deflated_size:
            deflated += source.read_at(at + len(deflated), deflated_size - len(deflated))
        if len(deflated) != deflated_size or zlib.crc32(deflated) != crc:
            raise BadSeekIndex("its tables are damaged")
        self._unpack(memoryview(_inflated(deflated, size)), points, members)

    def _unpack(self, tables: memoryview, points: int, members: int) -> None:
        at = 0

        def take(kind: str, count: int) -> array[int]:
            nonlocal at
            values = array(kind)
            begin, at = at, at + count * values.itemsize
            values.frombytes(tables[begin:at])
            return _swapped(values)

        self._compressed, self._inflated = take("Q", points), take("Q", points)
        self._window_offsets = take("Q", points)
        self._window_lengths, self._window_crcs = take("I", points), take("I", points)
        self._bits = take("B", points)
        self.members = MemberTable()
        self.members.offsets, self.members.sizes = take("Q", members), take("Q", members)
        self.members.header_crcs, self.members.crcs = take("I", members), take("I", members)
        ends = take("Q", members)
        self.members.names = Names(tables[at:], ends)
        self.members.names.index()

    def point_before(self, inflated: int) -> int:
        """Number of the last point at which no more than that many bytes have come out."""
        number = bisect.bisect_right(self._inflated, inflated) - 1
        if number < 0:
            raise BadSeekIndex("it has no point at the start")
        return number

    def inflated_at(self, number: int) -> int:
        """How many bytes have come out at the point."""
        return self._inflated[number]

    def compressed_end(self, inflated: int) -> int | None:
        """How much of the archive is enough to have that many bytes come out; None: all of it."""
        number = bisect.bisect_left(self._inflated, inflated)
        return self._compressed[number] if number < len(self._inflated) else None

    def point(self, number: int) -> Point:
        """With its window inflated, which is fetched for it."""
        length = self._window_lengths[number]
        deflated = self._source.read_at(self._windows_at + self._window_offsets[number], length)
        if len(deflated) != length or zlib.crc32(deflated) != self._window_crcs[number]:
            raise BadSeekIndex("a window is damaged")
        return Point(
            compressed=self._compressed[number],
            bits=self._bits[number],
            inflated=self._inflated[number],
            window=_inflated(deflated),
        )


def _inflated(deflated: bytes, size: int | None = None) -> bytes:
    most = WINDOW if size is None else size
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(deflated, most + 1)
    except zlib.error:
        raise BadSeekIndex("it does not inflate") from None
    if not inflater.eof or len(data) > most or (size is not None and len(data) != size):
        raise BadSeekIndex("it inflates to another size")
    return data


def _packed(values: array[int]) -> bytes:
    return _swapped(values[:]).tobytes()


def _swapped(values: array[int]) -> array[int]:
    """Between the order of this machine and little-endian; changes ``values``."""
    if sys.byteorder == "big":
        values.byteswap()
    return values
