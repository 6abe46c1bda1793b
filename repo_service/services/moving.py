"""Moving to another store: every blob is copied, verified, and only then the old store is emptied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Exists, delete, exists, func, select
from sqlalchemy.orm import aliased

from repo_service.domain.errors import Conflict, NotFound
from repo_service.domain.resources import LocationState
from repo_service.models import Blob, BlobLocation
from repo_service.models.database import Database
from repo_service.services.copies import Copies
from repo_service.services.replication import NoGoodCopy, Replicator
from repo_service.services.stores import Stores
from repo_service.services.wanted import only_rendition
from storage import BlobNotFound, BlobStore, Capability, Copy, Locator

_BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much there is to copy. ``bytes`` in all."""

    blobs: int
    bytes: int


class Mover:
    """Copies every blob of one store to another. Broken off anywhere, it goes on where it was."""

    def __init__(self, database: Database, stores: Stores, copies: Copies, replicator: Replicator) -> None:
        self._database = database
        self._stores = stores
        self._copies = copies
        self._replicator = replicator

    def extent(self, source: str, target: str) -> Extent:
        """What ``target`` lacks of ``source``. Raises NotFound, Conflict."""
        self._pair(source, target)
        query = select(func.count(), func.sum(Blob.size)).where(*_lacking(source, target))
        with self._database.read() as session:
            blobs, size = session.execute(query).one()
            return Extent(blobs=blobs, bytes=int(size or 0))

    def copy(self, source: str, target: str, *, progress: Callable[[int], object]) -> Iterator[str]:
        """Copy what is lacking; ``progress`` is told of bytes. Yields the digests that no store has right,
        but not those of renditions: they are made again.

        Raises NotFound, Conflict, and what the stores raise.
        """
        _, to = self._pair(source, target)
        after = ""
        while True:
            with self._database.read() as session:
                batch = session.scalars(
                    select(Blob.digest)
                    .where(*_lacking(source, target), Blob.digest > after)
                    .order_by(Blob.digest)
                    .limit(_BATCH)
                ).all()
            for digest in batch:
                try:
                    self._replicator.bring(digest, to, first=source, progress=progress)
                except NoGoodCopy:
                    if not self._is_made_again(digest):
                        yield digest
            if len(batch) < _BATCH:
                return
            after = batch[-1]

    def empty(self, source: str, target: str, *, progress: Callable[[], object]) -> int:
        """Delete from ``source`` what ``target`` has; returns how many copies stay.

        ``progress`` is called for each that goes.

        Raises Conflict where ``source`` is the primary, NotFound, and what the stores raise.
        """
        old, to = self._pair(source, target)
        if self._stores.is_primary(old):
            raise Conflict(
                f"{source} is the primary store: make {target} the primary, and {source} a replica, first."
            )
        after = 0
        while batch := self._in_both(source, target, after):
            for place_id, digest, locator, kept, size in batch:
                if _is_whole(to, kept, size):
                    self._copies.delete(digest, Copy(old, locator))
                    with self._database.write() as session:
                        session.execute(select(Blob.digest).where(Blob.digest == digest).with_for_update())
                        session.execute(delete(BlobLocation).where(BlobLocation.id == place_id))
                    progress()
            after = batch[-1][0]
        with self._database.read() as session:
            left = select(func.count()).select_from(BlobLocation).where(BlobLocation.store == source)
            return session.scalar(left) or 0

    def _is_made_again(self, digest: str) -> bool:
        with self._database.read() as session:
            return bool(session.scalar(select(only_rendition()).where(Blob.digest == digest)))

    def _pair(self, source: str, target: str) -> tuple[BlobStore, BlobStore]:
        for name in (source, target):
            if name not in self._stores:
                known = ", ".join(store.name for store in self._stores)
                raise NotFound(f"No store is called {name}. There are: {known}.")
        if source == target:
            raise Conflict("Name two different stores.")
        if Capability.PUBLIC in self._stores[target].capabilities:
            raise Conflict(f"{target} is public: it gets released versions only, by itself.")
        return self._stores[source], self._stores[target]

    def _in_both(self, source: str, target: str, after: int) -> list[tuple[int, str, Locator, Locator, int]]:
        """Copies in ``source`` that are present in ``target``, too: id, digest, either locator, size."""
        other = aliased(BlobLocation)
        query = (
            select(BlobLocation.id, Blob.digest, BlobLocation.locator, other.locator, Blob.size)
            .join(Blob, Blob.digest == BlobLocation.digest)
            .join(other, other.digest == BlobLocation.digest)
            .where(
                BlobLocation.store == source,
                BlobLocation.id > after,
                other.store == target,
                other.state == LocationState.PRESENT.value,
            )
            .order_by(BlobLocation.id)
            .limit(_BATCH)
        )
        with self._database.read() as session:
            return [
                (place_id, digest, Locator(locator), Locator(kept), size)
                for place_id, digest, locator, kept, size in session.execute(query)
            ]


def _lacking(source: str, target: str) -> tuple[ColumnElement[bool], ...]:
    """Of which blobs ``source`` has a copy and ``target`` none that is right."""

    def place(store: str) -> Exists:
        here = exists().where(BlobLocation.digest == Blob.digest, BlobLocation.store == store)
        return here.correlate(Blob)

    present = place(target).where(BlobLocation.state == LocationState.PRESENT.value)
    return Blob.deleting_at.is_(None), place(source), ~present


def _is_whole(store: BlobStore, locator: Locator, size: int) -> bool:
    """Its own word, right before the other copy goes. Its bytes were verified when they were copied."""
    try:
        return store.stat(locator).size == size
    except BlobNotFound:
        return False
