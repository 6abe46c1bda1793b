"""The audit trail to read: who did what to which thing, when."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import select

from repo_service.domain.identity import Identity, Scope
from repo_service.domain.resources import Noun
from repo_service.models import Account, AuditEntry
from repo_service.models.database import Database
from repo_service.services import paging
from repo_service.services.accounts import require_scope
from repo_service.services.records import AuditRecord, Page


class AuditTrail:
    """Use cases about what was done. Entries are written by ``trail.audit`` and never changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def search(
        self,
        identity: Identity,
        *,
        limit: int,
        cursor: str | None = None,
        by: str | None = None,
        action: str | None = None,
        noun: Noun | None = None,
        noun_id: str | None = None,
        since: date | None = None,
        until: date | None = None,
    ) -> Page[AuditRecord]:
        """What was done, newest first: ``by`` the account of that user name, from the first moment of
        ``since`` to the last of ``until`` (UTC). Raises InvalidCursor."""
        require_scope(identity, Scope.MODERATE)
        query = (
            select(AuditEntry, Account.username)
            .outerjoin(Account, Account.id == AuditEntry.account_id)
            .order_by(AuditEntry.id.desc())
            .limit(limit + 1)
        )
        if cursor is not None:
            query = query.where(AuditEntry.id < paging.decode_int(cursor))
        if by is not None:
            query = query.where(Account.username == by.lower())
        if action is not None:
            query = query.where(AuditEntry.action == action)
        if noun is not None:
            query = query.where(AuditEntry.noun == noun.value)
        if noun_id is not None:
            query = query.where(AuditEntry.noun_id == noun_id)
        if since is not None:
            query = query.where(AuditEntry.at >= _midnight(since))
        if until is not None and until < date.max:
            query = query.where(AuditEntry.at < _midnight(until + timedelta(days=1)))
        with self._database.read() as session:
            rows = session.execute(query).all()
        return paging.page_of(
            rows,
            limit,
            key=lambda row: row.AuditEntry.id,
            record=lambda row: _record(row.AuditEntry, row.username),
        )

    def actions(self, identity: Identity) -> list[str]:
        """Every deed that was ever done, by its name."""
        require_scope(identity, Scope.MODERATE)
        with self._database.read() as session:
            return list(session.scalars(select(AuditEntry.action).distinct().order_by(AuditEntry.action)))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _record(entry: AuditEntry, username: str | None) -> AuditRecord:
    return AuditRecord(
        id=entry.id,
        at=entry.at,
        account_id=entry.account_id,
        by=username,
        action=entry.action,
        noun=entry.noun,
        noun_id=entry.noun_id,
        details=entry.details,
    )
