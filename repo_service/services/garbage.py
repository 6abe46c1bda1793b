"""Garbage collection: bytes that nothing needs any more go, once the grace period has passed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from repo_service.domain.identity import Identity
from repo_service.domain.resources import ChangeKind, Noun, UploadState, Visibility
from repo_service.models import Blob, BlobLocation, Resource, Upload, Version
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.models.insert import insert_if_absent
from repo_service.services.stores import Stores
from repo_service.services.trail import audit, record_change
from repo_service.services.uploads import Uploads
from storage import BlobNotFound, Locator, StoredBlob

_BATCH = 200
_MARK_LASTS = timedelta(minutes=10)
"""Far longer than deleting one blob takes: an older mark was left by a run that crashed."""
_SYSTEM = Identity(username="system")


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

    def __init__(self, database: Database, stores: Stores, uploads: Uploads, *, grace: timedelta) -> None:
        self._database = database
        self._stores = stores
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
        """Delete blobs that no version and no upload holds.

        Marked first, deleted from the stores second, forgotten last: a crash in between leaves a mark that
        a later run finds, and whoever uploads the same bytes meanwhile waits for the mark to go. A mark is
        also what keeps two runs at once from deleting bytes that came back between them.
        """
        count = size = 0
        while batch := self._mark_orphans(before):
            for orphan in batch:
                mark = self._renew(orphan)
                if mark is None:
                    continue
                for store, locator in orphan.places:
                    self._stores[store].delete(Locator(locator))
                with self._database.write() as session:
                    _forget(session, orphan.digest, mark)
                    audit(session, _SYSTEM, "delete", Noun.BLOB, orphan.digest, size=orphan.size)
                count += 1
                size += orphan.size
        return count, size

    def _mark_orphans(self, before: datetime) -> list[_Orphan]:
        moment = now()
        with self._database.write() as session:
            blobs = session.scalars(
                select(Blob)
                .where(
                    or_(
                        and_(Blob.claimed_at <= before, Blob.deleting_at.is_(None)),
                        Blob.deleting_at <= moment - _MARK_LASTS,
                    ),
                    ~exists().where(Version.digest == Blob.digest),
                    ~exists().where(
                        Upload.digest == Blob.digest,
                        Upload.state != UploadState.USED.value,
                        Upload.expires_at > moment,
                    ),
                )
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
        store = self._stores.primary
        strays = 0
        for stored in store.iter():
            if self._is_known(store.name, stored):
                continue
            try:
                old = store.stat(stored.locator).modified <= before
            except BlobNotFound:
                continue
            moment = now()
            if old and self._may_delete(stored, moment):
                store.delete(stored.locator)
                strays += 1
                if stored.sidecar is not None:
                    with self._database.write() as session:
                        _forget(session, stored.sidecar.digest, moment)
        return strays

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
