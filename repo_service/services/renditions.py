"""Renditions: what is made of blobs and can be made again. Now those are the seek indexes of backups.

Their bytes are blobs of the primary store. They are held as long as a version holds their source
(``services.wanted``) and brought nowhere else: whoever loses one makes it again.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.orm import Session

from repo_service.backups.seek_index import MEDIA_TYPE, VERSION
from repo_service.backups.seeking import build_seek_index
from repo_service.domain.errors import Busy, DomainError, InvalidFile, NotIndexed
from repo_service.domain.resources import JobKind, LocationState, RenditionKind
from repo_service.inspection.limits import Limits
from repo_service.models import Blob, BlobLocation, InspectionRecord, Rendition
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.copies import BLOCK_SIZE, Copies
from repo_service.services.jobs import JobFailed, Jobs, JobWaits, Report, in_hand
from repo_service.services.keeping import Keeper, Made
from repo_service.services.stores import Stores, source_of
from repo_service.services.wanted import wanted_in
from storage import BlobCopies, BlobNotFound, Capability, StorageFull

_KIND = RenditionKind.SEEK_INDEX.value
_LOST = "No store has the bytes of this file: an operator must look."


class Renditions:
    """Makes and finds seek indexes."""

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

    def ask_after_inspection(self, session: Session, record: InspectionRecord) -> None:
        """Have a seek index made of the blob, where it is a backup that needs one. Nobody waits for it."""
        if record.document.get("archive_format") == "tgz":
            self._jobs.enqueue(session, JobKind.INDEX, record.digest, hint=False)

    def make(self, digest: str, report: Report) -> None:
        """The job: see that there is a seek index of the blob, made by what makes them now.

        Raises JobWaits when the store has no room, JobFailed when none can be made of this blob.
        """
        with self._database.read() as session:
            if not _is_there(session, digest) or self.find(session, digest) is not None:
                return
            if not self._may_keep(session, digest):
                raise JobFailed("The primary store is public, and this file is not.")
            try:
                copies = self._copies.of(session, digest)
            except BlobNotFound as error:
                raise JobFailed(_LOST) from error
        with TemporaryFile(dir=self._folder) as file:
            try:
                build_seek_index(
                    source_of(copies, checked=True), write_to=file, progress=report, limits=self._limits
                )
            except InvalidFile as error:
                raise JobFailed(error.detail) from error
            except BlobNotFound as error:
                raise JobFailed(_LOST) from error
            made = _made(file)
            try:
                self._keeper.keep(file, made)
            except (Busy, StorageFull) as error:
                raise JobWaits(str(error)) from error
        self._remember(digest, made)

    def find(self, session: Session, digest: str) -> tuple[str, BlobCopies] | None:
        """Digest and copies of the blob's seek index, to be read after the transaction; None without one."""
        found = session.scalar(
            select(Rendition.digest).where(
                Rendition.source_digest == digest,
                Rendition.kind == _KIND,
                Rendition.maker_version == VERSION,
            )
        )
        if found is None:
            return None
        try:
            return found, self._copies.of(session, found)
        except BlobNotFound:
            return None

    def let_go(self, digest: str, made: str) -> None:
        """Forget a seek index that is of no use, unless there is another by now."""
        with self._database.write() as session:
            session.execute(
                delete(Rendition).where(
                    Rendition.source_digest == digest, Rendition.kind == _KIND, Rendition.digest == made
                )
            )

    def lacking(self, digest: str) -> DomainError:
        """Have a seek index made, because somebody waits for it. Returns what to tell them."""
        with self._database.write() as session:
            reason = self._jobs.given_up(session, JobKind.INDEX, digest)
            if reason is not None:
                return InvalidFile(reason, reason="not-indexable")
            self._jobs.enqueue(session, JobKind.INDEX, digest, again=True)
        return NotIndexed()

    def enqueue_owed(self) -> int:
        """Have those made again that are outdated, or lost; returns how many."""
        present = exists().where(
            BlobLocation.digest == Rendition.digest,
            BlobLocation.store.in_([store.name for store in self._stores]),
            BlobLocation.state == LocationState.PRESENT.value,
        )
        query = select(Rendition.source_digest).where(
            or_(Rendition.maker_version != VERSION, ~present),
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

    def _remember(self, digest: str, made: Made) -> None:
        with self._database.write() as session:
            if not _is_there(session, digest, lock=True):
                return  # deleted meanwhile: nothing holds what was made
            if not _is_there(session, made.digest, lock=True):
                raise JobWaits("The same bytes are just being deleted.")
            session.merge(
                Rendition(
                    source_digest=digest,
                    kind=_KIND,
                    maker_version=VERSION,
                    digest=made.digest,
                    created_at=now(),
                )
            )


def _is_there(session: Session, digest: str, *, lock: bool = False) -> bool:
    """Whether there is such a blob, and nobody deletes it; with ``lock`` not before the commit either."""
    query = select(Blob.digest).where(Blob.digest == digest, Blob.deleting_at.is_(None))
    return session.scalar(query.with_for_update() if lock else query) is not None


def _made(file: BinaryIO) -> Made:
    found, size = hashlib.sha256(), 0
    file.seek(0)
    while block := file.read(BLOCK_SIZE):
        found.update(block)
        size += len(block)
    return Made(digest=found.hexdigest(), size=size, media_type=MEDIA_TYPE)
