"""Withdrawing: what happens when a resource is hidden from everybody, and who can bring it back."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from repo_service.domain.identity import Identity, Scope
from repo_service.domain.resources import ChangeKind, Noun, Restoring, Visibility
from repo_service.models import AuditEntry, Resource
from repo_service.models.base import now
from repo_service.services import descriptions
from repo_service.services.letters import Letters
from repo_service.services.releasing import touch
from repo_service.services.replication import Replicator
from repo_service.services.trail import audit, record_change

_WITHDRAW = "withdraw"


def withdraw_now(
    session: Session,
    identity: Identity,
    resource: Resource,
    *,
    reason: str,
    replicator: Replicator,
    letters: Letters,
) -> None:
    """Hide ``resource``, whose row is locked; everybody who asks for it reads ``reason``. Its owner is told
    when it is somebody else who does it. Whether the asker may was looked at already."""
    resource.visibility = Visibility.WITHDRAWN.value
    resource.withdrawn_at = now()
    resource.withdrawn_reason = descriptions.plain_line(reason)
    touch(resource)
    audit(session, identity, _WITHDRAW, Noun.RESOURCE, resource.id, reason=reason)
    record_change(session, Noun.RESOURCE, resource.id, ChangeKind.WITHDRAWN)
    replicator.ask(session, released_digests(resource))
    if resource.owner_id != identity.account_id:
        letters.tell_hidden(session, resource)


def released_digests(resource: Resource) -> list[str | None]:
    """What public stores have of it, or should have."""
    return [version.digest for version in resource.versions if version.released_at is not None]


def withdrawn_by(session: Session, ids: Collection[UUID]) -> dict[UUID, UUID | None]:
    """The account that withdrew each of these resources last; None for the service itself."""
    found = session.execute(
        select(AuditEntry.noun_id, AuditEntry.account_id)
        .where(
            AuditEntry.noun == Noun.RESOURCE.value,
            AuditEntry.noun_id.in_([str(id_) for id_ in ids]),
            AuditEntry.action == _WITHDRAW,
        )
        .order_by(AuditEntry.id)
    )
    return {UUID(noun_id): account_id for noun_id, account_id in found}  # the last of each stays


def restoring_of(identity: Identity, resource: Resource, withdrawer: UUID | None) -> Restoring:
    """Whether the asker, who sees drafts of its owner, can bring back ``resource``, which ``withdrawer``
    withdrew.

    What is their own comes back when they took it away themselves: nobody decides over that for the
    moderators, a moderator neither.
    """
    if resource.owner.erased_at is not None or any(version.digest is None for version in resource.versions):
        return Restoring.NOBODY
    own = resource.owner_id == identity.account_id
    if withdrawer != identity.account_id if own else not identity.has(Scope.MODERATE):
        return Restoring.MODERATORS
    return Restoring.POSSIBLE
