"""Verification: read stored bytes back and compare them with their names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import func, select

from repo_service.domain.resources import LocationState
from repo_service.models import Blob, BlobLocation
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.stores import Stores
from storage import CHUNK_SIZE, BlobNotFound, BlobStore, Locator


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What became of one copy."""

    digest: str
    store: str
    state: LocationState


class Verifier:
    """Reads copies and notes in which state they are."""

    def __init__(self, database: Database, stores: Stores) -> None:
        self._database = database
        self._stores = stores

    def count(self) -> int:
        """How many copies there are."""
        with self._database.read() as session:
            return session.scalar(select(func.count()).select_from(BlobLocation)) or 0

    def verify(
        self, *, sample: int | None = None, progress: Callable[[], None] | None = None
    ) -> Iterator[Verified]:
        """Check every copy, or the ``sample`` checked longest ago. Yields what is not as it should be.

        Raises StorageUnavailable: an unreachable store says nothing about its bytes.
        """
        query = (
            select(BlobLocation.id, BlobLocation.digest, BlobLocation.store, BlobLocation.locator)
            .join(Blob, Blob.digest == BlobLocation.digest)
            .where(Blob.deleting_at.is_(None))
            .order_by(BlobLocation.verified_at.asc(), BlobLocation.id)
        )
        with self._database.read() as session:
            rows = session.execute(query if sample is None else query.limit(sample)).all()
        for row in rows:
            state = _state(self._stores[row.store], Locator(row.locator), row.digest)
            with self._database.write() as session:
                location = session.get(BlobLocation, row.id)
                if location is not None:
                    location.state, location.verified_at = state.value, now()
            if progress is not None:
                progress()
            if location is not None and state is not LocationState.PRESENT:
                yield Verified(digest=row.digest, store=row.store, state=state)


def _state(store: BlobStore, locator: Locator, digest: str) -> LocationState:
    found = hashlib.sha256()
    try:
        with store.open(locator) as reader:
            while block := reader.read(CHUNK_SIZE):
                found.update(block)
    except BlobNotFound:
        return LocationState.MISSING
    return LocationState.PRESENT if found.hexdigest() == digest else LocationState.CORRUPT
