"""Archives of backups, read here and there: a zip as it is, a tar.gz with the help of its seek index.

Both refuse what an inspection refuses: names that lead out, links, members that overlap, damage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from repo_service.backups.seek_index import BadSeekIndex, Ranges
from repo_service.backups.targz_archive import TarGzArchive
from repo_service.inspection.archives.members import Member, MemberStream
from repo_service.inspection.archives.zip_archive import RawMember, ZipArchive
from repo_service.inspection.base import ReadStream, Source
from repo_service.inspection.limits import LIMITS, Limits

__all__ = ["Archive", "BadSeekIndex", "Member", "RawMember", "ZipArchive", "open_targz", "open_zip"]


class Archive(Protocol):
    """Members by name. Where no member has a name that is asked for, InvalidFile is raised.

    It may be kept as long as its source; of one archive only one member is read at a time.
    """

    def __len__(self) -> int: ...

    def __contains__(self, name: object) -> bool: ...

    def names(self) -> Iterator[str]:
        """Of all members, directories included, in the order of the archive."""

    def member(self, name: str) -> Member: ...

    def open(self, name: str) -> MemberStream:
        """The inflated content as a stream, to be closed.

        Never more than the member's size; what is not the right content raises InvalidFile at its end.
        """

    def read_many(self, names: Iterable[str]) -> Iterator[tuple[Member, ReadStream]]:
        """Each of these members with its content, in the order of the archive.

        Neighbours are fetched together. A stream is over when the next is asked for, read or not.
        """


def open_zip(source: Source, limits: Limits = LIMITS) -> ZipArchive:
    """Raises InvalidFile."""
    return ZipArchive(source, limits)


def open_targz(source: Source, seek_index: Ranges, limits: Limits = LIMITS) -> TarGzArchive:
    """With what ``seeking.build_seek_index`` made of ``source``.

    Raises BadSeekIndex when it is none, or that of another archive; so may every reading of a member.
    """
    return TarGzArchive(source, seek_index, limits)
