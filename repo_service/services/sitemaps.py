"""The addresses of everything public, in maps of a size that harvesters take (https://www.sitemaps.org)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select

from repo_service.domain.resources import Visibility
from repo_service.models import Account, Collection, Resource
from repo_service.models.database import Database
from repo_service.services.accounts import SHOWN
from repo_service.services.collections import HOLDS_SOMETHING, SHOWN_TO_ALL

MAP_SIZE: Final = 10_000
"""Resources in one map. 50,000 are allowed, and 50 MiB."""

_MOST_MAPS: Final = 50_000


@dataclass(frozen=True, slots=True)
class MapEntry:
    """One resource or collection, and when there was something new about it."""

    id: UUID
    changed_at: datetime


class Sitemaps:
    """Use case: find every public resource, and the collections, without a search."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self) -> int:
        """How many maps there are, an empty one where nothing is public."""
        public = select(func.count()).select_from(Resource).where(_IS_PUBLIC)
        with self._database.rows() as connection:
            resources = connection.scalar(public) or 0
        return max(1, -(-resources // MAP_SIZE))

    def get(self, number: int) -> Sequence[MapEntry]:
        """One map; the first is number 1. Empty beyond the last."""
        rows = (
            select(Resource.id, Resource.released_at)
            .where(_IS_PUBLIC)
            .order_by(Resource.id)
            .offset((number - 1) * MAP_SIZE)
            .limit(MAP_SIZE)
        )
        if not 1 <= number <= _MOST_MAPS:
            return ()
        with self._database.rows() as connection:
            return [MapEntry(row.id, row.released_at) for row in connection.execute(rows)]

    def collections(self) -> Sequence[MapEntry]:
        """The map of the public collections that hold something, the newest of them."""
        rows = (
            select(Collection.id, Collection.updated_at)
            .join(Account, Account.id == Collection.owner_id)
            .where(SHOWN_TO_ALL, HOLDS_SOMETHING, SHOWN)
            .order_by(Collection.id.desc())
            .limit(MAP_SIZE)
        )
        with self._database.rows() as connection:
            return [MapEntry(row.id, row.updated_at) for row in connection.execute(rows)]


_IS_PUBLIC = (Resource.visibility == Visibility.PUBLIC.value) & Resource.released_at.is_not(None)
