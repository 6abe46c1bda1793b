"""Makes the seek index of a tar.gz, in one pass over it.

The archive is inflated with zlib, and two things are noted: points where inflating can begin, and where each
member stands. Points are at least 1 MiB of inflated data apart, and at most 512: whenever there are more,
every second is dropped and the distance doubles, so that what they take does not grow with the archive.
"""

from __future__ import annotations

import zlib
from typing import BinaryIO

from repo_service.backups.inflating import Inflater
from repo_service.backups.seek_index import MOST_POINTS, MemberTable, Point, write_seek_index
from repo_service.domain.errors import InvalidFile
from repo_service.inspection.archives.base import Sins
from repo_service.inspection.archives.targz import Inflated, tar_members
from repo_service.inspection.base import NotThisFormat, Progress, Source
from repo_service.inspection.limits import LIMITS, MIB, Limits

_DISTANCE = 1 * MIB


def build_seek_index(
    source: Source, *, write_to: BinaryIO, progress: Progress = lambda share: None, limits: Limits = LIMITS
) -> None:
    """Write the index of the tar.gz that ``source`` reads.

    Raises InvalidFile when the archive is damaged, hostile or beyond a limit.
    """
    points = _Points()
    members = MemberTable()
    inflated = Inflated(source, limits, progress, new_inflater=points.new_inflater)
    sins = Sins()
    try:
        for member in tar_members(inflated, sins, limits):
            sins.raise_first()
            crc = 0
            for piece in inflated.pieces(member.size):
                crc = zlib.crc32(piece, crc)
            inflated.skip(member.padded - member.size)
            # A directory is one by its type, or by its name, as in a zip.
            name = member.name if member.is_file or member.name.endswith("/") else f"{member.name}/"
            members.add(name, member.offset, member.size, zlib.crc32(member.header), crc)
            if members.names.length > limits.max_directory:
                raise InvalidFile("The names of the members are too long.", reason="too-many-entries")
        inflated.finish()
    except NotThisFormat:
        raise InvalidFile("The archive is no tar.", reason="bad-tar-header") from None
    members.names.index()
    write_seek_index(write_to, archive_size=source.size, points=points.kept, members=members)


class _Points:
    """Picks points while the archive is inflated."""

    def __init__(self) -> None:
        self.kept: list[Point] = []
        self._distance = _DISTANCE

    def new_inflater(self, compressed: int, inflated: int) -> Inflater:
        """For the member of the gzip that begins there."""

        def take(inflater: Inflater) -> None:
            self._keep(
                Point(
                    compressed=compressed + inflater.taken,
                    bits=inflater.bits,
                    inflated=inflated + inflater.given,
                    window=zlib.compress(inflater.window(), 1),
                )
            )
            inflater.next_boundary = self._next - inflated

        inflater = Inflater(take)
        inflater.next_boundary = self._next - inflated
        return inflater

    def _keep(self, point: Point) -> None:
        self.kept.append(point)
        if len(self.kept) > MOST_POINTS:
            del self.kept[1::2]
            self._distance *= 2

    @property
    def _next(self) -> int:
        return self.kept[-1].inflated + self._distance if self.kept else 0
