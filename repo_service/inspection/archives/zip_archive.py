"""A zip, read here and there: its directory in compact tables, members by ranges."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.archives.base import Sins, invalid_member, plain_name
from repo_service.inspection.archives.members import Blocks, Member, MemberStream, Names, Packed
from repo_service.inspection.archives.zip_directory import Entry, judge, read_directory
from repo_service.inspection.archives.zip_members import (
    SPAN,
    Fetch,
    content,
    data_start,
    fetches,
    pieces_of,
)
from repo_service.inspection.base import ReadStream, Source
from repo_service.inspection.limits import KIB, LIMITS, Limits

_BATCH = 500
"""Members that are looked at together, to fetch neighbours at once."""
_BLOCK = 256 * KIB
Place = Sequence[Any]
"""Of a member: its name where the zip writes it otherwise, and the numbers of _RECORD. Plain JSON."""

_RECORD = struct.Struct("=QQQIHHH")
"""Offset, compressed size, size, CRC, method, flags, length of the extra field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMember:
    """A member as it stands in the zip. ``stream`` gives ``compressed_size`` bytes that nobody has proved;
    inflated by ``method`` (0: stored, 8: deflated) they have ``size`` and ``crc``."""

    name: str
    method: int
    crc: int
    compressed_size: int
    size: int
    stream: ReadStream


class ZipArchive:
    """See ``archives.Archive``; its members can be copied into another zip as they are."""

    def __init__(
        self,
        source: Source,
        limits: Limits = LIMITS,
        *,
        places: Mapping[str, Place] | None = None,
        sins: Sins | None = None,
    ) -> None:
        """Reads the directory, unless the ``places`` of all members that will be asked for are known.

        Raises InvalidFile. With ``sins``, what is wrong with single members is kept there instead, and those
        that must not be seen are left out.
        """
        self._source = source
        self._limits = limits
        self._names = Names()
        self._raw_names: dict[int, bytes] = {}
        self._records = bytearray()
        if places is None:
            found = sins or Sins()
            for entry in read_directory(source, limits):
                seen = judge(entry, found)
                if sins is None:
                    found.raise_first()
                if seen:
                    self._add(entry)
        else:
            for name, (raw_name, *numbers) in places.items():
                raw = name.encode() if raw_name is None else raw_name.encode("latin-1")
                if self._names.add(name) != raw:
                    self._raw_names[len(self._names) - 1] = raw
                self._records += _RECORD.pack(*numbers)
        try:
            self._names.index()
        except InvalidFile as twice:
            if sins is None:
                raise
            sins.add(twice)

    def place(self, name: str) -> Place:
        """Where a member stands, to be read without the directory later."""
        place = self._names.place(name)
        raw = self._raw_names.get(place)
        numbers = _RECORD.unpack_from(self._records, place * _RECORD.size)
        return (None if raw is None else raw.decode("latin-1"), *numbers)

    def _add(self, entry: Entry) -> None:
        name = plain_name(entry.name)
        if self._names.add(name) != entry.raw_name:
            self._raw_names[len(self._names) - 1] = entry.raw_name
        self._records += _RECORD.pack(
            entry.offset,
            entry.compressed,
            entry.size,
            entry.crc,
            entry.method,
            entry.flags,
            entry.extra_length,
        )

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def names(self) -> Iterator[str]:
        return iter(self._names)

    def member(self, name: str) -> Member:
        return Member(name, self._entry(self._names.place(name)).size)

    def open(self, name: str) -> MemberStream:
        return MemberStream(self._only(name))

    def read_many(self, names: Iterable[str]) -> Iterator[tuple[Member, ReadStream]]:
        for entry, fetch in self._fetches(names):
            with MemberStream(self._content(entry, fetch)) as stream:
                yield Member(entry.name, entry.size), stream

    def packed(self, name: str) -> Packed:
        """What the directory says of a member; nothing is read."""
        entry = self._entry(self._names.place(name))
        return Packed(entry.method, entry.crc, entry.compressed, entry.size)

    def raw(self, name: str) -> RawMember:
        """The member as it stands in the zip; close its stream."""
        return next(self.raw_many([name]))

    def raw_many(self, names: Iterable[str]) -> Iterator[RawMember]:
        """Each of these members, in the order of the archive; close the streams."""
        for entry, fetch in self._fetches(names):
            yield RawMember(
                name=entry.name,
                method=entry.method,
                crc=entry.crc,
                compressed_size=entry.compressed,
                size=entry.size,
                stream=MemberStream(self._pieces(entry, fetch)),
            )

    def _only(self, name: str) -> Blocks:
        for entry, fetch in self._fetches([name]):
            yield from self._content(entry, fetch)

    def _content(self, entry: Entry, fetch: Fetch) -> Blocks:
        pieces = self._pieces(entry, fetch)
        try:
            yield from content(entry, pieces, self._limits)
        finally:
            pieces.close()

    def _pieces(self, entry: Entry, fetch: Fetch) -> Blocks:
        if entry.compressed <= SPAN:
            yield from pieces_of(entry, fetch)
            return
        left = entry.compressed
        with self._source.stream(data_start(entry, fetch), left) as stream:
            while left:
                piece = stream.read(min(left, _BLOCK))
                if not piece:
                    raise invalid_member(entry.name, "is cut off", "truncated")
                left -= len(piece)
                yield piece

    def _fetches(self, names: Iterable[str]) -> Iterator[tuple[Entry, Fetch]]:
        places = sorted({self._names.place(name) for name in names}, key=self._offset)
        following = iter(places)
        while batch := [self._entry(place) for place in islice(following, _BATCH)]:
            yield from fetches(self._source, batch)

    def _offset(self, place: int) -> int:
        offset: int = _RECORD.unpack_from(self._records, place * _RECORD.size)[0]
        return offset

    def _entry(self, place: int) -> Entry:
        name = self._names[place]
        offset, compressed, size, crc, method, flags, extra_length = _RECORD.unpack_from(
            self._records, place * _RECORD.size
        )
        raw_name = self._raw_names.get(place)
        return Entry(
            name=name,
            raw_name=name.encode() if raw_name is None else raw_name,
            flags=flags,
            method=method,
            crc=crc,
            compressed=compressed,
            size=size,
            offset=offset,
            attributes=0,
            extra_length=extra_length,
        )
