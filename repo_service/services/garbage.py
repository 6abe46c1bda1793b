"""Garbage collection: bytes that nothing needs any more go, once the grace period has passed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, select, update
from sqlalchemy.orm import Session

from repo_service.domain.identity import Identity
from repo_service.domain.resources import ChangeKind, Noun, Visibility
from repo_service.models import Blob, BlobLocation, Resource, Upload, Version
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.models.insert import insert_if_absent
from repo_service.services.stores import Stores
from repo_service.services.trail import audit, record_change
from repo_service.services.uploads import Uploads
from storage import BlobNotFound, Locator, StoredBlob

_BATCH = 200
_SYSTEM = Identity(username="system")


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What one run removed. ``bytes`` counts the blobs of the catalogue."""

    resources: int
    uploads: int
    blobs: int
    bytes: int
    strays: int


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
        the next run finds, and whoever uploads the same bytes meanwhile waits for the mark to go.
        """
        count = size = 0
        while batch := self._mark_orphans(before):
            for digest, blob_size, places in batch:
                for store, locator in places:
                    self._stores[store].delete(Locator(locator))
                with self._database.write() as session:
                    _forget(session, digest)
                    audit(session, _SYSTEM, "delete", Noun.BLOB, digest, size=blob_size)
                count += 1
                size += blob_size
        return count, size

    def _mark_orphans(self, before: datetime) -> list[tuple[str, int, list[tuple[str, str]]]]:
        with self._database.write() as session:
            blobs = session.scalars(
                select(Blob)
                .where(
                    Blob.claimed_at <= before,
                    ~exists().where(Version.digest == Blob.digest),
                    ~exists().where(Upload.digest == Blob.digest, Upload.expires_at > now()),
                )
                .limit(_BATCH)
                .with_for_update(skip_locked=True)
            ).all()
            session.execute(
                update(Upload).where(Upload.digest.in_([blob.digest for blob in blobs])).values(digest=None)
            )
            for blob in blobs:
                blob.deleting_at = now()
            return [
                (blob.digest, blob.size, [(place.store, place.locator) for place in blob.locations])
                for blob in blobs
            ]

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
            if old and self._mark_stray(stored):
                store.delete(stored.locator)
                strays += 1
                if stored.sidecar is not None:
                    with self._database.write() as session:
                        _forget(session, stored.sidecar.digest)
        return strays

    def _is_known(self, store: str, stored: StoredBlob) -> bool:
        with self._database.read() as session:
            place = select(BlobLocation.id).where(
                BlobLocation.store == store, BlobLocation.locator == stored.locator
            )
            return session.scalar(place) is not None

    def _mark_stray(self, stored: StoredBlob) -> bool:
        """Make whoever uploads the same bytes now wait; False when somebody does already."""
        if stored.sidecar is None:
            return True
        digest, moment = stored.sidecar.digest, now()
        with self._database.write() as session:
            if session.get(Blob, digest) is not None:
                return False
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
        return True


def _forget(session: Session, digest: str) -> None:
    """Remove the row of a blob whose bytes are gone."""
    session.execute(delete(BlobLocation).where(BlobLocation.digest == digest))
    session.execute(delete(Blob).where(Blob.digest == digest, Blob.deleting_at.is_not(None)))
