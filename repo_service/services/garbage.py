"""Garbage collection: bytes that nothing needs any more go, once the grace period has passed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import and_, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from repo_service.domain.identity import Identity
from repo_service.domain.resources import ChangeKind, LocationState, Noun, UploadState, Visibility
from repo_service.models import Blob, BlobLocation, Resource, Upload, Version
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.models.insert import insert_if_absent
from repo_service.services.copies import Copies
from repo_service.services.stores import Stores
from repo_service.services.trail import audit, record_change
from repo_service.services.uploads import Uploads
from repo_service.services.wanted import held
from storage import BlobNotFound, BlobStore, Copy, Locator, StorageError, StoredBlob

_BATCH = 200
_MARK_LASTS = timedelta(minutes=10)
"""Far longer than deleting one blob takes: an older mark was left by a run that crashed."""
_ABANDONED = timedelta(days=1)
"""When staged bytes in a replica have been left: making a copy takes minutes, on a bad day hours."""
_SYSTEM = Identity(username="system")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What one run removed. ``bytes`` counts the blobs of the catalogue."""

    resources: int
    uploads: int
    blobs: int
    bytes: int
    strays: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Orphan:
    """A blob that nothing needs, with its copies (store, locator) and the mark that it got."""

    digest: str
    size: int
    places: tuple[tuple[str, str], ...]
    mark: datetime


class GarbageCollector:
    """Removes withdrawn files, blobs without a version, and stored bytes that the catalogue does not know."""

    def __init__(
        self, database: Database, stores: Stores, copies: Copies, uploads: Uploads, *, grace: timedelta
    ) -> None:
        self._database = database
        self._stores = stores
        self._copies = copies
        self._uploads = uploads
        self._grace = grace

    def collect(self, *, grace: timedelta | None = None) -> Collected:
        """One run. ``grace`` overrides the configured period."""
        before = now() - (self._grace if grace is None else grace)
        uploads = self._uploads.sweep()
        resources = self._empty_withdrawn(before)
        blobs, size = self._delete_orphans(before)
        return Collected(
            resources=resources, uploads=uploads, blobs=blobs, bytes=size, strays=self._delete_strays(before)
        )

    def _empty_withdrawn(self, before: datetime) -> int:
        """Let go of the bytes of resources that were withdrawn long ago; their rows and trail stay."""
        with self._database.write() as session:
            ids = session.scalars(
                select(Resource.id)
                .where(
                    Resource.visibility == Visibility.WITHDRAWN.value,
                    Resource.withdrawn_at <= before,
                    exists().where(Version.resource_id == Resource.id, Version.digest.is_not(None)),
                )
                .with_for_update(skip_locked=True)
            ).all()
            for resource_id in ids:
                session.execute(update(Version).where(Version.resource_id == resource_id).values(digest=None))
                audit(session, _SYSTEM, "delete files", Noun.RESOURCE, resource_id)
                record_change(session, Noun.RESOURCE, resource_id, ChangeKind.DELETED)
        return len(ids)

    def _delete_orphans(self, before: datetime) -> tuple[int, int]:
        """Delete blobs that no version, no snapshot and no upload holds.

        Marked first, deleted from the stores second, forgotten last: a crash in between leaves a mark that
        a later run finds, and whoever uploads the same bytes meanwhile waits for the mark to go. A mark is
        also what keeps two runs at once from deleting bytes that came back between them.
        """
        count = size = 0
        last = ""
        while batch := self._mark_orphans(before, after=last):
            last = batch[-1].digest
            for orphan in batch:
                mark = self._renew(orphan)
                if mark is None:
                    continue
                if self._delete_copies(orphan, mark):
                    count += 1
                    size += orphan.size
        return count, size

    def _delete_copies(self, orphan: _Orphan, mark: datetime) -> bool:
        """Delete a marked blob from every store; False when a replica did not let it go.

        What is in a store that is not configured any more is left there, and forgotten.
        """
        kept: list[str] = []
        for name, locator in orphan.places:
            if name not in self._stores:
                log.warning("copy left in a store that is not configured", digest=orphan.digest, store=name)
            elif self._stores.is_primary(store := self._stores[name]):
                self._copies.delete(orphan.digest, Copy(store, Locator(locator)))
            elif not self._deleted_from(orphan.digest, Copy(store, Locator(locator))):
                kept.append(name)
        with self._database.write() as session:
            if kept:
                _let_live(session, orphan.digest, mark, kept)
                return False
            _forget(session, orphan.digest, mark)
            audit(session, _SYSTEM, "delete", Noun.BLOB, orphan.digest, size=orphan.size)
        return True

    def _deleted_from(self, digest: str, copy: Copy) -> bool:
        replica = copy.store.name
        if self._stores.is_silent(replica):
            return False
        try:
            self._copies.delete(digest, copy)
        except StorageError as error:
            self._stores.note_silent(replica)
            log.warning("copy not deleted", store=replica, error=str(error))
            return False
        self._stores.note_answered(replica)
        return True

    def _mark_orphans(self, before: datetime, *, after: str) -> list[_Orphan]:
        """The next orphans in the order of their digests, marked."""
        moment = now()
        with self._database.write() as session:
            blobs = session.scalars(
                select(Blob)
                .where(
                    or_(
                        and_(Blob.claimed_at <= before, Blob.deleting_at.is_(None)),
                        Blob.deleting_at <= moment - _MARK_LASTS,
                    ),
                    Blob.digest > after,
                    ~held(),
                    ~exists().where(
                        Upload.digest == Blob.digest,
                        Upload.state != UploadState.USED.value,
                        Upload.expires_at > moment,
                    ),
                )
                .order_by(Blob.digest)
                .limit(_BATCH)
                .with_for_update(skip_locked=True)
            ).all()
            session.execute(
                update(Upload).where(Upload.digest.in_([blob.digest for blob in blobs])).values(digest=None)
            )
            for blob in blobs:
                blob.deleting_at = moment
            return [
                _Orphan(
                    digest=blob.digest,
                    size=blob.size,
                    places=tuple((place.store, place.locator) for place in blob.locations),
                    mark=moment,
                )
                for blob in blobs
            ]

    def _renew(self, orphan: _Orphan) -> datetime | None:
        """The mark, made new right before the deletion; None when another run has taken the blob over."""
        mark = now()
        with self._database.write() as session:
            renewed = session.scalars(
                update(Blob)
                .where(Blob.digest == orphan.digest, Blob.deleting_at == orphan.mark)
                .values(deleting_at=mark)
                .returning(Blob.digest)
            ).all()
        return mark if renewed else None

    def _delete_strays(self, before: datetime) -> int:
        """Delete published bytes without a row: what a crash between publishing and the commit left."""
        strays = self._delete_strays_in(self._stores.primary, before)
        for replica in self._stores.replicas:
            try:
                replica.sweep_staged(older_than=_ABANDONED)
                strays += self._delete_strays_in(replica, before)
            except StorageError as error:
                log.warning("replica not looked through", store=replica.name, error=str(error))
        return strays

    def _delete_strays_in(self, store: BlobStore, before: datetime) -> int:
        strays = 0
        for stored in store.iter():
            if self._is_known(store.name, stored):
                continue
            try:
                old = store.stat(stored.locator).modified <= before
            except BlobNotFound:
                continue
            if not old:
                continue
            if self._stores.is_primary(store):
                strays += self._delete_primary_stray(store, stored)
            else:
                # A replication that has published it just now finds out, whichever of the two is faster.
                self._copies.discard(store, stored.locator)
                strays += 1
        return strays

    def _delete_primary_stray(self, store: BlobStore, stored: StoredBlob) -> bool:
        moment = now()
        if not self._may_delete(stored, moment):
            return False
        self._copies.discard(store, stored.locator)
        if stored.sidecar is not None:
            with self._database.write() as session:
                _forget(session, stored.sidecar.digest, moment)
        return True

    def _is_known(self, store: str, stored: StoredBlob) -> bool:
        with self._database.read() as session:
            place = select(BlobLocation.id).where(
                BlobLocation.store == store, BlobLocation.locator == stored.locator
            )
            return session.scalar(place) is not None

    def _may_delete(self, stored: StoredBlob, moment: datetime) -> bool:
        """Make whoever uploads the same bytes now wait. False when somebody does already.

        Unless the catalogue has another copy in this store: then this one is left over from two uploads.
        """
        if stored.sidecar is None:
            return True
        digest = stored.sidecar.digest
        with self._database.write() as session:
            if session.get(Blob, digest) is not None:
                place = select(BlobLocation.locator).where(
                    BlobLocation.store == self._stores.primary.name, BlobLocation.digest == digest
                )
                return session.scalar(place) not in (None, stored.locator)
            insert_if_absent(
                session,
                Blob,
                digest=digest,
                size=stored.size,
                media_type=stored.sidecar.media_type,
                claimed_at=moment,
                deleting_at=moment,
                created_at=moment,
            )
            return session.scalars(select(Blob.deleting_at).where(Blob.digest == digest)).one() == moment


def _forget(session: Session, digest: str, mark: datetime) -> None:
    """Remove the row of a blob whose bytes are gone, if it is still marked by this run."""
    marked = select(Blob).where(Blob.digest == digest, Blob.deleting_at == mark).with_for_update()
    if session.scalar(marked) is not None:
        session.execute(delete(BlobLocation).where(BlobLocation.digest == digest))
        session.execute(delete(Blob).where(Blob.digest == digest))


def _let_live(session: Session, digest: str, mark: datetime, kept: list[str]) -> None:
    """Take the mark off a blob that is still in the stores ``kept``: a later run deletes it from there.

    Whoever uploads the same bytes meanwhile need not wait for these stores. Whether they did what they were
    asked for nobody knows, so their copies count as missing until somebody has looked.
    """
    marked = select(Blob).where(Blob.digest == digest, Blob.deleting_at == mark).with_for_update()
    blob = session.scalar(marked)
    if blob is None:
        return
    blob.deleting_at = None
    here = BlobLocation.digest == digest
    session.execute(delete(BlobLocation).where(here, BlobLocation.store.not_in(kept)))
    session.execute(update(BlobLocation).where(here).values(state=LocationState.MISSING.value))
