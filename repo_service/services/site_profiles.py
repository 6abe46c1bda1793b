"""Site profiles: what somebody's Moodle has, to hold backups against it again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from repo_service.backups.sites import Restorer, SiteProfile, SiteRole
from repo_service.domain.errors import Conflict, InvalidInput, NotFound
from repo_service.domain.identity import Identity, Scope
from repo_service.inspection.moodle.core import UnknownMoodle, parse_version
from repo_service.models import StoredSite
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.accounts import require_account

MAX_PROFILES = 50
"""Of one account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDescription:
    """What an owner says of a site, in the words of ``SiteProfile``; ``moodle`` as people write it."""

    name: str
    moodle: str
    plugins: Mapping[str, str | None]
    without: Sequence[str] = ()
    disabled: Sequence[str] | None = None
    roles: Sequence[SiteRole] | None = None
    restorer: Restorer = Restorer.TEACHER

    def profile(self) -> SiteProfile:
        """What backups are held against. Raises InvalidInput when there is no such Moodle."""
        try:
            version = parse_version(self.moodle)
        except UnknownMoodle as error:
            raise InvalidInput(errors=[("/moodle", error.args[0])]) from error
        return SiteProfile(
            version=version,
            plugins=self.plugins,
            without=frozenset(self.without),
            disabled=None if self.disabled is None else frozenset(self.disabled),
            roles=None if self.roles is None else tuple(self.roles),
            restorer=self.restorer,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRecord(SiteDescription):
    """A profile that is kept."""

    id: UUID
    created_at: datetime
    updated_at: datetime


class SiteProfiles:
    """Use cases about them. Somebody else's do not exist for the one who asks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, identity: Identity, site: SiteDescription) -> SiteRecord:
        """Keep a further profile. Raises InvalidInput, Conflict when there are too many."""
        owner_id = require_account(identity, Scope.WRITE)
        site.profile()
        with self._database.write() as session:
            kept = select(func.count()).select_from(StoredSite).where(StoredSite.account_id == owner_id)
            if (session.scalar(kept) or 0) >= MAX_PROFILES:
                raise Conflict("There are as many site profiles as an account may have: delete one first.")
            row = StoredSite(account_id=owner_id, **_columns(site))
            session.add(row)
            session.flush()
            return _record(row)

    def list(self, identity: Identity) -> tuple[SiteRecord, ...]:
        """The asker's own, oldest first."""
        owner_id = require_account(identity, Scope.READ)
        with self._database.read() as session:
            rows = session.scalars(
                select(StoredSite).where(StoredSite.account_id == owner_id).order_by(StoredSite.id)
            )
            return tuple(_record(row) for row in rows)

    def get(self, identity: Identity, profile_id: UUID) -> SiteRecord:
        """One of the asker's own. Raises NotFound."""
        owner_id = require_account(identity, Scope.READ)
        with self._database.read() as session:
            return _record(_own(session, owner_id, profile_id))

    def replace(self, identity: Identity, profile_id: UUID, site: SiteDescription) -> SiteRecord:
        """Describe one of the asker's own anew. Raises NotFound, InvalidInput."""
        owner_id = require_account(identity, Scope.WRITE)
        site.profile()
        with self._database.write() as session:
            row = _own(session, owner_id, profile_id)
            for column, value in _columns(site).items():
                setattr(row, column, value)
            row.updated_at = now()
            return _record(row)

    def delete(self, identity: Identity, profile_id: UUID) -> None:
        """Forget one of the asker's own. Raises NotFound."""
        owner_id = require_account(identity, Scope.WRITE)
        with self._database.write() as session:
            session.delete(_own(session, owner_id, profile_id))


def _own(session: Session, owner_id: UUID, profile_id: UUID) -> StoredSite:
    row = session.get(StoredSite, profile_id)
    if row is None or row.account_id != owner_id:
        raise NotFound("You have no such site profile.")
    return row


def _columns(site: SiteDescription) -> dict[str, Any]:
    roles = site.roles
    return {
        "name": site.name,
        "moodle": site.moodle,
        "plugins": dict(site.plugins),
        "without": list(site.without),
        "disabled": None if site.disabled is None else list(site.disabled),
        "roles": None
        if roles is None
        else [{"shortname": role.shortname, "archetype": role.archetype} for role in roles],
        "restorer": site.restorer.value,
    }


def _record(row: StoredSite) -> SiteRecord:
    return SiteRecord(
        id=row.id,
        name=row.name,
        moodle=row.moodle,
        plugins=row.plugins,
        without=tuple(row.without),
        disabled=None if row.disabled is None else tuple(row.disabled),
        roles=None if row.roles is None else tuple(SiteRole(**role) for role in row.roles),
        restorer=Restorer(row.restorer),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
