"""A tar.gz, read here and there with the help of its seek index."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from repo_service.backups.inflating import Inflater
from repo_service.backups.seek_index import BadSeekIndex, Ranges, SeekIndex
from repo_service.inspection.archives.base import invalid_member
from repo_service.inspection.archives.members import Blocks, Member, MemberStream
from repo_service.inspection.archives.targz import BLOCK, Inflated, new_isal_inflater
from repo_service.inspection.archives.targz import Inflater as GzipInflater
from repo_service.inspection.base import ReadStream, Source
from repo_service.inspection.limits import LIMITS, MIB, Limits

_NEAR = 1 * MIB
"""Inflating so many bytes that nobody wants is cheaper than another request."""


class TarGzArchive:
    """See ``archives.Archive``.

    The checksum of the gzip cannot be proved in the middle. That of each member was noted with the index,
    when that of the gzip was proved.
    """

    def __init__(self, source: Source, seek_index: Ranges, limits: Limits = LIMITS) -> None:
        """Reads the tables of the index. Raises BadSeekIndex."""
        self._source = source
        self._limits = limits
        self._index = SeekIndex(seek_index, archive_size=source.size, limits=limits)
        self._members = self._index.members

    def __len__(self) -> int:
        return len(self._members.names)

    def __contains__(self, name: object) -> bool:
        return name in self._members.names

    def names(self) -> Iterator[str]:
        return iter(self._members.names)

    def member(self, name: str) -> Member:
        return self._member(self._members.names.place(name))

    def open(self, name: str) -> MemberStream:
        return MemberStream(self._only(name))

    def read_many(self, names: Iterable[str]) -> Iterator[tuple[Member, ReadStream]]:
        for place, content in self._contents(names):
            with MemberStream(content) as stream:
                yield self._member(place), stream

    def _member(self, place: int) -> Member:
        return Member(self._members.names[place], self._members.sizes[place])

    def _only(self, name: str) -> Blocks:
        for _, content in self._contents([name]):
            yield from content

    def _contents(self, names: Iterable[str]) -> Iterator[tuple[int, Blocks]]:
        # The order of the table is that of the archive.
        for run in self._runs(sorted({self._members.names.place(name) for name in names})):
            inflated, begin = self._inflated(run)
            try:
                for place in run:
                    inflated.skip(self._members.offsets[place] - BLOCK - begin - inflated.offset)
                    if zlib.crc32(inflated.block()) != self._members.header_crcs[place]:
                        raise BadSeekIndex("a member does not stand where it should")
                    yield place, self._content(place, inflated)
            finally:
                inflated.close()

    def _runs(self, places: list[int]) -> Iterator[list[int]]:
        """Members that are better inflated in one go, with what is between them."""
        run: list[int] = []
        for place in places:
            begin = self._members.offsets[place] - BLOCK
            if run and begin - self._end(run[-1]) > _NEAR:
                point = self._index.point_before(begin)
                if self._index.inflated_at(point) > self._end(run[-1]):
                    yield run
                    run = []
            run.append(place)
        if run:
            yield run

    def _end(self, place: int) -> int:
        return self._members.offsets[place] + self._members.sizes[place]

    def _inflated(self, run: list[int]) -> tuple[Inflated, int]:
        """The inflated bytes of the run, and where they begin."""
        number = self._index.point_before(self._members.offsets[run[0]] - BLOCK)
        point = self._index.point(number)
        part = _Part(
            self._source,
            point.compressed - bool(point.bits),
            self._index.compressed_end(self._end(run[-1])) or self._source.size,
        )

        def new_inflater(compressed: int, inflated: int) -> GzipInflater:
            if compressed:
                return new_isal_inflater(compressed, inflated)
            return Inflater.from_boundary(bits=point.bits, window=point.window)

        return Inflated(part, self._limits, lambda share: None, new_inflater=new_inflater), point.inflated

    def _content(self, place: int, inflated: Inflated) -> Blocks:
        crc = 0
        for piece in inflated.pieces(self._members.sizes[place]):
            crc = zlib.crc32(piece, crc)
            yield piece
        if crc != self._members.crcs[place]:
            raise invalid_member(self._members.names[place], "is damaged", "bad-checksum")


class _Part:
    """A part of the archive, of which limits are held against the size of the whole."""

    def __init__(self, source: Source, begin: int, end: int) -> None:
        self._source = source
        self._begin = begin
        self._length = end - begin
        self.size = source.size

    def read_at(self, offset: int, length: int) -> bytes:
        return self._source.read_at(self._begin + offset, length)

    def stream(self, offset: int = 0, length: int | None = None) -> ReadStream:
        left = self._length - offset
        return self._source.stream(self._begin + offset, left if length is None else min(length, left))
