"""The archives of backups, opened where they stand, for use cases that need parts of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from repo_service.backups.archives import Archive, BadSeekIndex, open_targz, open_zip
from repo_service.backups.contents import BadContents, Contents
from repo_service.backups.cutting import UnreadZip
from repo_service.domain.errors import DomainError, InvalidFile, NotIndexed
from repo_service.domain.resources import RenditionKind
from repo_service.inspection.archives.targz import GZIP_MAGIC
from repo_service.inspection.archives.zip import ZIP_MAGICS
from repo_service.inspection.base import ReadStream, Source
from repo_service.inspection.limits import Limits
from repo_service.models.database import Database
from repo_service.services.copies import Copies
from repo_service.services.renditions import Renditions
from repo_service.services.stores import source_of
from storage import BlobCopies, BlobNotFound

T = TypeVar("T")
Zip = TypeVar("Zip")


class Archives:
    """Opens them."""

    def __init__(self, database: Database, *, copies: Copies, renditions: Renditions, limits: Limits) -> None:
        self._database = database
        self._copies = copies
        self._renditions = renditions
        self._limits = limits

    @contextmanager
    def open_archive(self, digest: str, *, since: datetime) -> Iterator[Archive]:
        """As ``open``, to be read within the context: what goes wrong there is put in its words."""
        opened = self.open(digest, since=since)
        try:
            yield opened.archive
        except BadSeekIndex as error:
            raise opened.of_no_use() from error

    def open(self, digest: str, *, since: datetime) -> OpenArchive[Archive]:
        """The archive that the blob is.

        ``since`` is when the version was created whose file it is: a seek index that was there before was
        made for somebody else's, and nobody may learn that there was one.

        A zip is read as it is. A tar.gz needs its seek index; without one NotIndexed is raised and the index
        made, also in the middle when it turns out to be of no use. Raises InvalidFile when the blob is no
        archive or cannot be indexed, and what reading the blob raises.
        """
        return self._opened(digest, since, open_zip)

    def open_to_cut(self, digest: str, *, since: datetime) -> OpenArchive[Archive | UnreadZip]:
        """As ``open``, for cut-outs: a zip is not read yet."""
        return self._opened(digest, since, UnreadZip)

    def open_contents(self, digest: str, *, since: datetime) -> Contents:
        """What the backup holds, as it was noted once; ``since`` as for ``open``. Raises as that."""
        with self._database.read() as session:
            found = self._renditions.find(session, digest, RenditionKind.CONTENTS, since=since)
        if found is None:
            raise self._renditions.lacking(digest, since=since)
        try:
            return Contents(_Index(found[1]))
        except (BadContents, BadSeekIndex) as error:
            raise self.contents_of_no_use(digest, since=since) from error

    def hindrance(self, digest: str, *, since: datetime) -> DomainError | None:
        """What opening the archive or its contents would raise for want of what is made of them, which is
        made then; None when all is there."""
        return (
            None
            if self._renditions.are_there(digest, since=since)
            else self._renditions.lacking(digest, since=since)
        )

    def contents_of_no_use(self, digest: str, *, since: datetime) -> DomainError:
        """Forget contents of which reading raised BadContents or BadSeekIndex. Returns what to tell."""
        with self._database.read() as session:
            found = self._renditions.find(session, digest, RenditionKind.CONTENTS, since=since)
        if found is not None:
            self._renditions.let_go(digest, found[0])
        return self._renditions.lacking(digest, since=since)

    def _opened(
        self, digest: str, since: datetime, make_zip: Callable[[Source, Limits], Zip]
    ) -> OpenArchive[Archive | Zip]:
        with self._database.read() as session:
            source = source_of(self._copies.of(session, digest), checked=True)
            index = self._renditions.find(session, digest, RenditionKind.SEEK_INDEX, since=since)
        head = source.read_at(0, max(map(len, ZIP_MAGICS)))
        if head.startswith(ZIP_MAGICS):
            return OpenArchive(make_zip(source, self._limits), NotIndexed)
        if not head.startswith(GZIP_MAGIC):
            raise InvalidFile("The file is no archive.", reason="not-an-archive")
        if index is None:
            raise self._renditions.lacking(digest, since=since)
        made, copies = index

        def of_no_use() -> DomainError:
            self._renditions.let_go(digest, made)
            return self._renditions.lacking(digest, since=since)

        try:
            return OpenArchive(open_targz(source, _Index(copies), self._limits), of_no_use)
        except BadSeekIndex as error:
            raise of_no_use() from error


@dataclass(frozen=True, slots=True)
class OpenArchive(Generic[T]):
    """An archive. When it raises BadSeekIndex, ``of_no_use`` forgets the index and gives the error."""

    archive: T
    of_no_use: Callable[[], DomainError]


class _Index:
    """The bytes of a rendition. One that is lost is as good as a bad one: it can be made again."""

    def __init__(self, copies: BlobCopies) -> None:
        self._source: Source = source_of(copies, checked=True)

    @property
    def size(self) -> int:
        return self._source.size

    def read_at(self, offset: int, length: int) -> bytes:
        try:
            return self._source.read_at(offset, length)
        except BlobNotFound as error:
            raise BadSeekIndex("it is lost") from error

    def stream(self, offset: int = 0, length: int | None = None) -> ReadStream:
        try:
            return self._source.stream(offset, length)
        except BlobNotFound as error:
            raise BadSeekIndex("it is lost") from error
