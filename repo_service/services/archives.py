"""The archives of backups, opened where they stand, for use cases that need parts of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from repo_service.backups.archives import Archive, BadSeekIndex, open_targz, open_zip
from repo_service.domain.errors import InvalidFile
from repo_service.domain.resources import RenditionKind
from repo_service.inspection.archives.targz import GZIP_MAGIC
from repo_service.inspection.archives.zip import ZIP_MAGICS
from repo_service.inspection.base import Source
from repo_service.inspection.limits import Limits
from repo_service.models.database import Database
from repo_service.services.copies import Copies
from repo_service.services.renditions import Renditions
from repo_service.services.stores import source_of
from storage import BlobCopies, BlobNotFound


class Archives:
    """Opens them."""

    def __init__(self, database: Database, *, copies: Copies, renditions: Renditions, limits: Limits) -> None:
        self._database = database
        self._copies = copies
        self._renditions = renditions
        self._limits = limits

    @contextmanager
    def open_archive(self, digest: str, *, since: datetime) -> Iterator[Archive]:
        """The archive that the blob is, to be read within the context.

        ``since`` is when the version was created whose file it is: a seek index that was there before was
        made for somebody else's, and nobody may learn that there was one.

        A zip is read as it is. A tar.gz needs its seek index; without one NotIndexed is raised and the index
        made, also in the middle when it turns out to be of no use. Raises InvalidFile when the blob is no
        archive or cannot be indexed, and what reading the blob raises.
        """
        with self._database.read() as session:
            source = source_of(self._copies.of(session, digest), checked=True)
            index = self._renditions.find(session, digest, RenditionKind.SEEK_INDEX, since=since)
        head = source.read_at(0, max(map(len, ZIP_MAGICS)))
        if head.startswith(ZIP_MAGICS):
            yield open_zip(source, self._limits)
            return
        if not head.startswith(GZIP_MAGIC):
            raise InvalidFile("The file is no archive.", reason="not-an-archive")
        if index is None:
            raise self._renditions.lacking(digest, since=since)
        made, copies = index
        try:
            yield open_targz(source, _Index(copies), self._limits)
        except BadSeekIndex as error:
            self._renditions.let_go(digest, made)
            raise self._renditions.lacking(digest, since=since) from error


class _Index:
    """The bytes of a seek index. One that is lost is as good as a bad one: it can be made again."""

    def __init__(self, copies: BlobCopies) -> None:
        self._source: Source = source_of(copies, checked=True)

    def read_at(self, offset: int, length: int) -> bytes:
        try:
            return self._source.read_at(offset, length)
        except BlobNotFound as error:
            raise BadSeekIndex("it is lost") from error
