"""The stores as administrators look after them: how full, how many copies are as they should be, and since
when that is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select

from repo_service.domain.identity import Identity, Scope
from repo_service.domain.resources import LocationState
from repo_service.models import Blob, BlobLocation
from repo_service.models.database import Database
from repo_service.services.accounts import require_scope
from repo_service.services.health import Health
from repo_service.services.stores import Stores
from storage import BlobStore, Capability, StorageError


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreReport:
    """One store. ``answers`` and ``free`` (bytes) are None for one that is not configured any more, ``free``
    also for one that cannot say. ``copies`` by state; ``bytes`` those of the present ones. ``last_check`` is
    the last moment a copy was looked at, ``oldest_check`` that of the present copy that was not looked at for
    longest; ``unchecked`` copies never were."""

    name: str
    is_primary: bool
    is_public: bool
    answers: bool | None
    free: int | None
    copies: Mapping[LocationState, int]
    bytes: int
    last_check: datetime | None
    oldest_check: datetime | None
    unchecked: int

    @property
    def is_configured(self) -> bool:
        """Whether the settings name it."""
        return self.answers is not None

    @property
    def wrong(self) -> int:
        """Copies that are missing or corrupt."""
        return self.copies.get(LocationState.MISSING, 0) + self.copies.get(LocationState.CORRUPT, 0)


class StorageReport:
    """Use cases about stores, for administrators."""

    def __init__(self, database: Database, stores: Stores, health: Health) -> None:
        self._database = database
        self._stores = stores
        self._health = health

    def stores(self, identity: Identity) -> Sequence[StoreReport]:
        """Every store, the primary first, those that are not configured any more last. Those that answer are
        asked how much room they have."""
        require_scope(identity, Scope.ADMINISTER)
        query = (
            select(
                BlobLocation.store,
                BlobLocation.state,
                func.count().label("copies"),
                func.coalesce(func.sum(Blob.size), 0).label("bytes"),
                func.count(BlobLocation.verified_at).label("checked"),
                func.min(BlobLocation.verified_at).label("oldest_check"),
                func.max(BlobLocation.verified_at).label("last_check"),
            )
            .join(Blob, Blob.digest == BlobLocation.digest)
            .group_by(BlobLocation.store, BlobLocation.state)
            .order_by(BlobLocation.store)
        )
        rows: dict[str, list[Row[*tuple[Any, ...]]]] = defaultdict(list)
        with self._database.read() as session:
            for row in session.execute(query):
                rows[row.store].append(row)
        ready = self._health.readiness()
        answers = {**ready.replicas, self._stores.primary.name: ready.parts["store"]}
        configured = [
            self._report(store.name, rows.get(store.name, []), store, answers=answers[store.name])
            for store in self._stores
        ]
        others = [name for name in rows if name not in self._stores]
        return [*configured, *(self._report(name, rows[name], None, answers=None) for name in others)]

    def _report(
        self,
        name: str,
        rows: Sequence[Row[*tuple[Any, ...]]],
        store: BlobStore | None,
        *,
        answers: bool | None,
    ) -> StoreReport:
        present = [row for row in rows if row.state == LocationState.PRESENT.value]
        looked_at = [row for row in rows if row.last_check is not None]
        return StoreReport(
            name=name,
            is_primary=store is not None and self._stores.is_primary(store),
            is_public=store is not None and Capability.PUBLIC in store.capabilities,
            answers=answers,
            free=_free(store) if store is not None and answers else None,
            copies={LocationState(row.state): row.copies for row in rows},
            bytes=sum(int(row.bytes) for row in present),
            last_check=max((row.last_check for row in looked_at), default=None),
            oldest_check=min((row.oldest_check for row in present if row.oldest_check), default=None),
            unchecked=sum(row.copies - row.checked for row in present),
        )


def _free(store: BlobStore) -> int | None:
    try:
        return store.free_bytes()
    except StorageError:
        return None
