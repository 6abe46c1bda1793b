"""What everybody may know of people: who shared something that is public, and what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, exists, func, literal, null, select

from repo_service.domain.errors import NotFound
from repo_service.domain.identity import Identity
from repo_service.domain.resources import Visibility
from repo_service.models import Account, Collection, Resource
from repo_service.models.database import Database
from repo_service.services import paging
from repo_service.services.accounts import SHOWN
from repo_service.services.collections import HOLDS_SOMETHING, SHOWN_TO_ALL
from repo_service.services.reading import records_of
from repo_service.services.records import Page, ResourceRecord, name_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A person with ``resources`` public ones, the last of them released at ``last_released_at``: None for
    whoever only put together what others shared. ``has_left``: they stay under a name that is nobody's."""

    account_id: UUID
    username: str
    display_name: str
    has_left: bool
    resources: int
    last_released_at: datetime | None


class Profiles:
    """Use cases about people as others see them. Who has shared nothing in public, and published no
    collection, is nobody here."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, username: str) -> Profile:
        """One person. Raises NotFound."""
        with self._database.rows() as connection:
            row = connection.execute(_PROFILES.where(Account.username == username)).one_or_none()
            if row is not None:
                return _profile(row)
            curator = connection.execute(_CURATORS.where(Account.username == username)).one_or_none()
        if curator is None:
            raise NotFound("There is nobody of that name here.")
        return _profile(curator)

    def lately(self, *, limit: int) -> Sequence[Profile]:
        """Those who shared last."""
        newest = func.max(Resource.released_at).desc()
        with self._database.rows() as connection:
            here = _PROFILES.where(Account.erased_at.is_(None))
            rows = connection.execute(here.order_by(newest, Account.username).limit(limit)).all()
        return [_profile(row) for row in rows]

    def resources(
        self, identity: Identity, username: str, *, limit: int, cursor: str | None
    ) -> Page[ResourceRecord]:
        """What a person has in public, the newest first.

        Raises InvalidCursor.
        """
        ids = select(Resource.id).join(Account, Account.id == Resource.owner_id)
        ids = ids.where(Account.username == username, Resource.visibility == Visibility.PUBLIC.value)
        if cursor is not None:
            ids = ids.where(Resource.id < paging.decode_uuid(cursor))
        with self._database.rows() as connection:
            found = connection.scalars(ids.order_by(Resource.id.desc()).limit(limit + 1)).all()
            records = records_of(connection, found, identity, copies=False)
        return paging.page_of(found, limit, key=lambda id_: id_, record=lambda id_: records[id_])


_PROFILES = (
    select(
        Account.id.label("account_id"),
        Account.username,
        Account.display_name,
        Account.erased_at,
        func.count(Resource.id).label("resources"),
        func.max(Resource.released_at).label("last_released_at"),
    )
    .join(Resource, Resource.owner_id == Account.id)
    .where(Resource.visibility == Visibility.PUBLIC.value, SHOWN)
    .group_by(Account.id, Account.username, Account.display_name, Account.erased_at)
)
_CURATORS = select(
    Account.id.label("account_id"),
    Account.username,
    Account.display_name,
    Account.erased_at,
    literal(0).label("resources"),
    null().label("last_released_at"),
).where(
    SHOWN,
    exists().where(Collection.owner_id == Account.id, SHOWN_TO_ALL, HOLDS_SOMETHING),
)


def _profile(row: Row[*tuple[Any, ...]]) -> Profile:
    return Profile(
        account_id=row.account_id,
        username=row.username,
        display_name=name_of(row.display_name, row.erased_at),
        has_left=row.erased_at is not None,
        resources=row.resources,
        last_released_at=row.last_released_at,
    )
