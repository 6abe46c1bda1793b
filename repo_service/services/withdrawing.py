"""Withdrawing: what happens when a resource is hidden from everybody."""

from __future__ import annotations

from sqlalchemy.orm import Session

from repo_service.domain.identity import Identity
from repo_service.domain.resources import ChangeKind, Noun, Visibility
from repo_service.models import Resource
from repo_service.models.base import now
from repo_service.services import descriptions
from repo_service.services.letters import Letters
from repo_service.services.releasing import touch
from repo_service.services.replication import Replicator
from repo_service.services.trail import audit, record_change


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
    audit(session, identity, "withdraw", Noun.RESOURCE, resource.id, reason=reason)
    record_change(session, Noun.RESOURCE, resource.id, ChangeKind.WITHDRAWN)
    replicator.ask(session, released_digests(resource))
    if resource.owner_id != identity.account_id:
        letters.tell_hidden(session, resource)


def released_digests(resource: Resource) -> list[str | None]:
    """What public stores have of it, or should have."""
    return [version.digest for version in resource.versions if version.released_at is not None]
