"""Verification: read stored bytes back and compare them with their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import Select, func, select

from repo_service.domain.resources import LocationState
from repo_service.models import Blob, BlobLocation
from repo_service.models.database import Database
from repo_service.services.copies import Copies
from repo_service.services.stores import Stores
from storage import Copy, Locator, StorageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What became of one copy. ``state`` is None when its store did not answer, which says nothing of it."""

    digest: str
    store: str
    state: LocationState | None


class Verifier:
    """Reads copies and notes in which state they are."""

    def __init__(self, database: Database, stores: Stores, copies: Copies) -> None:
        self._database = database
        self._stores = stores
        self._copies = copies

    def extent(self, *, sample: int | None = None) -> int:
        """How many bytes ``verify`` would read."""
        rows = self._rows(sample).subquery()
        with self._database.read() as session:
            return int(session.scalar(select(func.coalesce(func.sum(rows.c.size), 0))) or 0)

    def verify(
        self, *, sample: int | None = None, progress: Callable[[int], object] = lambda count: None
    ) -> Iterator[Verified]:
        """Check every copy, or the ``sample`` checked longest ago. Yields what is not as it should be.

        ``progress`` is told of bytes. A store that fails is not asked again: its copies are yielded unread.
        What is wrong is repaired by a job, where another store has it right.
        """
        with self._database.read() as session:
            rows = session.execute(self._rows(sample)).all()
        failed: set[str] = set()
        for row in rows:
            state: LocationState | None = None
            if row.store not in failed:
                copy = Copy(self._stores[row.store], Locator(row.locator))
                try:
                    state = self._copies.verify(row.digest, copy, progress=progress)
                except StorageError:
                    failed.add(row.store)
            if state is not LocationState.PRESENT:
                yield Verified(digest=row.digest, store=row.store, state=state)

    def _rows(self, sample: int | None) -> Select[str, str, str, int]:
        query = (
            select(BlobLocation.digest, BlobLocation.store, BlobLocation.locator, Blob.size)
            .join(Blob, Blob.digest == BlobLocation.digest)
            .where(
                Blob.deleting_at.is_(None),
                BlobLocation.store.in_([store.name for store in self._stores]),
                BlobLocation.state != LocationState.REMOTE.value,
            )
            .order_by(BlobLocation.verified_at.asc().nulls_first(), BlobLocation.id)
        )
        return query if sample is None else query.limit(sample)
