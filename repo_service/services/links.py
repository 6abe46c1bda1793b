"""One-time links: made without a secret, given one when they are written down, good for one use."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from repo_service.domain.errors import InvalidLink
from repo_service.domain.identity import LinkPurpose, Role
from repo_service.models import OneTimeLink
from repo_service.models.base import now
from repo_service.services.hashing import hash_secret, new_secret

LASTS: Mapping[LinkPurpose, timedelta] = {
    LinkPurpose.CONFIRM: timedelta(days=7),
    LinkPurpose.RESET: timedelta(hours=2),
    LinkPurpose.INVITATION: timedelta(days=14),
}
"""How long a link works after its letter was written."""

PAGES: Mapping[LinkPurpose, str] = {
    LinkPurpose.CONFIRM: "/confirm",
    LinkPurpose.RESET: "/new-password",
    LinkPurpose.INVITATION: "/sign-up",
}
"""Where each leads. The secret goes into the query, which no log of ours has."""

_KEPT = timedelta(days=30)


def make(
    session: Session,
    purpose: LinkPurpose,
    *,
    account_id: UUID | None = None,
    email: str | None = None,
    role: Role | None = None,
    made_by: UUID | None = None,
) -> OneTimeLink:
    """A link that nobody can use yet: see ``write_down``."""
    link = OneTimeLink(
        purpose=purpose.value,
        account_id=account_id,
        email=email,
        role=None if role is None else role.value,
        made_by=made_by,
        expires_at=now() + LASTS[purpose],
    )
    session.add(link)
    session.flush()
    return link


def write_down(link: OneTimeLink, *, lasts: timedelta | None = None) -> str:
    """The secret for the one place where it will stand; one that was written down before is void."""
    secret = new_secret()
    link.secret_hash = hash_secret(secret)
    link.expires_at = now() + (lasts or LASTS[LinkPurpose(link.purpose)])
    return secret


def address(base_url: str, purpose: LinkPurpose, secret: str) -> str:
    """What a person clicks on."""
    return f"{base_url}{PAGES[purpose]}?link={secret}"


def find(session: Session, purpose: LinkPurpose, secret: str, *, lock: bool = False) -> OneTimeLink:
    """The link with that secret, if it is good for ``purpose`` now. Raises InvalidLink."""
    query = select(OneTimeLink).where(
        OneTimeLink.secret_hash == hash_secret(secret),
        OneTimeLink.purpose == purpose.value,
        OneTimeLink.used_at.is_(None),
        OneTimeLink.expires_at > now(),
    )
    link = session.scalar(query.with_for_update() if lock else query)
    if link is None:
        raise InvalidLink
    return link


def void(session: Session, account_id: UUID, *purposes: LinkPurpose) -> None:
    """End every link of an account, or those for ``purposes``."""
    query = update(OneTimeLink).where(OneTimeLink.account_id == account_id, OneTimeLink.used_at.is_(None))
    if purposes:
        query = query.where(OneTimeLink.purpose.in_([purpose.value for purpose in purposes]))
    session.execute(query.values(used_at=now()))


def end_made_by(session: Session, account_id: UUID) -> None:
    """End every link that an administrator made who is none any more: it would let them in again."""
    query = update(OneTimeLink).where(OneTimeLink.made_by == account_id, OneTimeLink.expires_at > now())
    session.execute(query.values(expires_at=now()))


def tidy(session: Session) -> int:
    """Forget links that were of no use for a month; returns how many."""
    stale = delete(OneTimeLink).where(OneTimeLink.expires_at < now() - _KEPT).returning(OneTimeLink.id)
    return len(session.scalars(stale).all())
