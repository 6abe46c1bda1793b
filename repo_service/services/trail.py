"""What every change leaves behind, in its own transaction: a row of the outbox and an audit entry."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from repo_service.domain.identity import Identity
from repo_service.domain.resources import ChangeKind, Noun
from repo_service.models import AuditEntry, Change
from repo_service.models.database import CHANGED


def record_change(session: Session, noun: Noun, noun_id: UUID | str, what: ChangeKind) -> None:
    """Tell the followers of the outbox."""
    session.add(Change(noun=noun.value, noun_id=str(noun_id), what=what.value))
    session.info[CHANGED] = True


def audit(
    session: Session, identity: Identity, action: str, noun: Noun, noun_id: UUID | str, **details: object
) -> None:
    """Keep who did what. ``details`` are JSON values and never secrets or bytes."""
    session.add(
        AuditEntry(
            account_id=identity.account_id,
            token_id=identity.token_id,
            action=action,
            noun=noun.value,
            noun_id=str(noun_id),
            details=details,
        )
    )
