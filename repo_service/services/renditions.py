"""Renditions: what is made of blobs and can be made again: seek indexes and contents of backups, thumbnails.

Their bytes are blobs of the primary store. They are held as long as a version holds their source
(``services.wanted``) and brought nowhere else: whoever loses one makes it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, true
from sqlalchemy.orm import Session

from repo_service.backups import contents, seek_index
from repo_service.backups.archives import BadSeekIndex, open_targz, open_zip
from repo_service.backups.contents import build_contents
from repo_service.backups.seeking import build_seek_index
from repo_service.domain.errors import Busy, DomainError, InvalidFile, NotIndexed
from repo_service.domain.resources import JobKind, LocationState, RenditionKind
from repo_service.inspection.base import Source
from repo_service.inspection.limits import Limits
from repo_service.inspection.media import thumbnails
from repo_service.models import Blob, BlobLocation, InspectionRecord, Rendition, Version
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.copies import BLOCK_SIZE, Copies
from repo_service.services.jobs import JobFailed, Jobs, JobWaits, Report, in_hand
from repo_service.services.keeping import Keeper, Made
from repo_service.services.reading import newest_inspection
from repo_service.services.stores import Stores, source_of
from repo_service.services.wanted import wanted_in
from storage import BlobCopies, BlobNotFound, Capability, StorageFull

VERSIONS = {
    RenditionKind.SEEK_INDEX: seek_index.VERSION,
    RenditionKind.CONTENTS: contents.VERSION,
    RenditionKind.THUMBNAIL: thumbnails.VERSION,
    RenditionKind.THUMBNAIL_LARGE: thumbnails.VERSION,
}
"""Of what makes them now."""
_MEDIA_TYPES = {
    RenditionKind.SEEK_INDEX: seek_index.MEDIA_TYPE,
    RenditionKind.CONTENTS: contents.MEDIA_TYPE,
    RenditionKind.THUMBNAIL: thumbnails.MEDIA_TYPE,
    RenditionKind.THUMBNAIL_LARGE: thumbnails.MEDIA_TYPE,
}
_THUMBNAILS = (RenditionKind.THUMBNAIL, RenditionKind.THUMBNAIL_LARGE)
"""In the order in which they are made."""
_LOST = "No store has the bytes of this file: an operator must look."


class Renditions:
    """Makes and finds them."""

    def __init__(
        self,
        database: Database,
        stores: Stores,
        *,
        copies: Copies,
        keeper: Keeper,
        jobs: Jobs,
        folder: Path,
        limits: Limits,
    ) -> None:
        """``folder``: for what is being made."""
        self._database = database
        self._stores = stores
        self._copies = copies
        self._keeper = keeper
        self._jobs = jobs
        self._folder = folder
        self._limits = limits

    def ask_after_inspection(self, session: Session, digest: str) -> None:
        """Have made what a backup needs, for which nobody waits, and thumbnails, which people look for."""
        kinds = _kinds_of(newest_inspection(session, digest))
        if RenditionKind.THUMBNAIL in kinds:
            self._jobs.enqueue_behind(session, JobKind.INDEX, digest, again=True)
        elif kinds:
            self._jobs.enqueue(session, JobKind.INDEX, digest, again=True, hint=False)

    def make(self, digest: str, report: Report) -> None:
        """The job: see that there is each rendition that the blob should have, by what makes them now.

        They are made once more for each version that came since: how soon they are there must tell nobody
        what others have. Raises JobWaits when the store has no room, JobFailed when none can be made of this
        blob.
        """
        begun = now()
        with self._database.read() as session:
            if not _is_there(session, digest):
                return
            record = newest_inspection(session, digest)
            # Of what nobody inspected, only an archive that is asked for is wanted.
            wanted = (RenditionKind.SEEK_INDEX,) if record is None else _kinds_of(record)
            newest = session.scalar(select(func.max(Version.created_at)).where(Version.digest == digest))
            kinds = [kind for kind in wanted if self.find(session, digest, kind, since=newest) is None]
            if not kinds:
                return
            if not self._may_keep(session, digest):
                raise JobFailed("The primary store is public, and this file is not.")
        pictures: dict[RenditionKind, bytes] = {}
        for done, kind in enumerate(kinds):

            def tell(share: float, done: int = done) -> None:
                report((done + share) / len(kinds))

            try:
                self._make(digest, kind, begun, tell, pictures)
            except InvalidFile as error:
                raise JobFailed(error.detail) from error
            except BlobNotFound as error:
                raise JobFailed(_LOST) from error

    def find(
        self, session: Session, digest: str, kind: RenditionKind, *, since: datetime | None
    ) -> tuple[str, BlobCopies] | None:
        """Digest and copies of a rendition, to be read after the transaction; None without one.

        One whose making began before ``since`` does not count.
        """
        found = session.scalar(
            select(Rendition.digest).where(
                Rendition.source_digest == digest,
                Rendition.kind == kind.value,
                Rendition.maker_version == VERSIONS[kind],
                true() if since is None else Rendition.created_at >= since,
            )
        )
        if found is None:
            return None
        try:
            return found, self._copies.of(session, found)
        except BlobNotFound:
            return None

    def are_there(self, digest: str, *, since: datetime) -> bool:
        """Whether there is all that the blob should have by its inspection; ``since`` as for ``find``."""
        with self._database.read() as session:
            kinds = _kinds_of(newest_inspection(session, digest))
            return all(self.find(session, digest, kind, since=since) is not None for kind in kinds)

    def let_go(self, digest: str, made: str) -> None:
        """Forget a rendition that is of no use, unless there is another by now."""
        with self._database.write() as session:
            session.execute(
                delete(Rendition).where(Rendition.source_digest == digest, Rendition.digest == made)
            )

    def lacking(self, digest: str, *, since: datetime) -> DomainError:
        """Have made what is lacking, because somebody waits for it. Returns what to tell them."""
        with self._database.write() as session:
            reason = self._jobs.given_up(session, JobKind.INDEX, digest, since=since)
            if reason is not None:
                return InvalidFile(reason, reason="not-indexable")
            self._jobs.enqueue(session, JobKind.INDEX, digest, again=True)
        return NotIndexed()

    def see_to(self, made: str) -> None:
        """Have a rendition made again, in this process and as a job, unless its bytes are there.

        As ``Replicator.see_to``. Does nothing with any other blob.
        """
        with self._database.write() as session:
            sources = session.scalars(select(Rendition.source_digest).where(Rendition.digest == made)).all()
            jobs = [
                self._jobs.enqueue(session, JobKind.INDEX, digest, again=True, hint=False)
                for digest in sources
            ]
        for job_id in jobs:
            self._jobs.run(job_id, {JobKind.INDEX: self.make})

    def enqueue_owed(self) -> int:
        """Have those made again that are outdated, or lost; returns how many."""
        present = exists().where(
            BlobLocation.digest == Rendition.digest,
            BlobLocation.store.in_([store.name for store in self._stores]),
            BlobLocation.state == LocationState.PRESENT.value,
        )
        query = select(Rendition.source_digest).where(
            or_(*(_is_outdated(kind) for kind in RenditionKind), ~present),
            ~in_hand(JobKind.INDEX, Rendition.source_digest),
        )
        with self._database.read() as session:
            owed = session.scalars(query).all()
        for digest in owed:
            with self._database.write() as session:
                self._jobs.enqueue(session, JobKind.INDEX, digest, hint=False)
        return len(owed)

    def _may_keep(self, session: Session, digest: str) -> bool:
        primary = self._stores.primary
        if Capability.PUBLIC not in primary.capabilities:
            return True
        return bool(session.scalar(select(wanted_in(primary)).where(Blob.digest == digest)))

    def _make(
        self,
        digest: str,
        kind: RenditionKind,
        begun: datetime,
        report: Report,
        pictures: dict[RenditionKind, bytes],
    ) -> None:
        """``pictures`` are those that the job has made already: all come at once."""
        with self._database.read() as session:
            source = source_of(self._copies.of(session, digest), checked=True)
            index = self.find(session, digest, RenditionKind.SEEK_INDEX, since=None)
            record = newest_inspection(session, digest)
        with TemporaryFile(dir=self._folder) as file:
            if kind in _THUMBNAILS:
                if kind not in pictures:
                    pictures.update(self._pictures(source, record))
                file.write(pictures[kind])
            elif kind is RenditionKind.SEEK_INDEX:
                build_seek_index(source, write_to=file, progress=report, limits=self._limits)
            else:
                self._write_contents(digest, source, index, file, report)
            made = _made(file, _MEDIA_TYPES[kind])
            try:
                self._keeper.keep(file, made)
            except (Busy, StorageFull) as error:
                raise JobWaits(str(error)) from error
        self._remember(digest, kind, made, begun)

    def _pictures(
        self, source: Source, record: InspectionRecord | None
    ) -> Iterable[tuple[RenditionKind, bytes]]:
        document = {} if record is None else record.document
        made = thumbnails.thumbnails_of(
            source, format_code=document["format"], cover=document["cover"], limits=self._limits
        )
        return zip(_THUMBNAILS, made, strict=True)

    def _write_contents(
        self,
        digest: str,
        source: Source,
        index: tuple[str, BlobCopies] | None,
        file: BinaryIO,
        report: Report,
    ) -> None:
        """A seek index of no use is forgotten: the next attempt begins with a new one."""
        try:
            archive = (
                open_zip(source, self._limits)
                if index is None
                else open_targz(source, source_of(index[1], checked=True), self._limits)
            )
            build_contents(archive, write_to=file, folder=self._folder, progress=report, limits=self._limits)
        except BadSeekIndex as error:
            if index is not None:
                self.let_go(digest, index[0])
            raise JobWaits("The seek index is of no use: it is made again.") from error

    def _remember(self, digest: str, kind: RenditionKind, made: Made, begun: datetime) -> None:
        with self._database.write() as session:
            if not _is_there(session, digest, lock=True):
                return  # deleted meanwhile: nothing holds what was made
            if not _is_there(session, made.digest, lock=True):
                raise JobWaits("The same bytes are just being deleted.")
            session.merge(
                Rendition(
                    source_digest=digest,
                    kind=kind.value,
                    maker_version=VERSIONS[kind],
                    digest=made.digest,
                    created_at=begun,
                )
            )


def _kinds_of(record: InspectionRecord | None) -> tuple[RenditionKind, ...]:
    """What a file should have, by its inspection, in the order in which it is made."""
    document: Mapping[str, Any] = {} if record is None else record.document
    kinds = []
    if document.get("archive_format") == "tgz":
        kinds.append(RenditionKind.SEEK_INDEX)
    if document.get("backup_format") == "moodle2":
        kinds.append(RenditionKind.CONTENTS)
    if document.get("cover"):
        kinds += _THUMBNAILS
    return tuple(kinds)


def _is_outdated(kind: RenditionKind) -> ColumnElement[bool]:
    return and_(Rendition.kind == kind.value, Rendition.maker_version != VERSIONS[kind])


def _is_there(session: Session, digest: str, *, lock: bool = False) -> bool:
    """Whether there is such a blob, and nobody deletes it; with ``lock`` not before the commit either."""
    query = select(Blob.digest).where(Blob.digest == digest, Blob.deleting_at.is_(None))
    return session.scalar(query.with_for_update() if lock else query) is not None


def _made(file: BinaryIO, media_type: str) -> Made:
    found, size = hashlib.sha256(), 0
    file.seek(0)
    while block := file.read(BLOCK_SIZE):
        found.update(block)
        size += len(block)
    return Made(digest=found.hexdigest(), size=size, media_type=media_type)
