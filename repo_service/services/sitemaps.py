"""The addresses of everything public, in maps of a size that harvesters take (https://www.sitemaps.org)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select

from repo_service.domain.resources import Visibility
from repo_service.models import Resource
from repo_service.models.database import Database

MAP_SIZE: Final = 10_000
"""Resources in one map. 50,000 are allowed, and 50 MiB."""

_MOST_MAPS: Final = 50_000


@dataclass(frozen=True, slots=True)
class MapEntry:
    """One resource."""

    id: UUID
    released_at: datetime


class Sitemaps:
    """Use case: find every public resource without a search."""

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


_IS_PUBLIC = (Resource.visibility == Visibility.PUBLIC.value) & Resource.released_at.is_not(None)
