"""How much an account keeps, and how much more it may."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from repo_service.domain.errors import NotFound, QuotaExceeded
from repo_service.domain.resources import UploadState
from repo_service.models import Account, Blob, Client, Resource, Upload, Version

UNCONFIRMED_QUOTA = 100_000_000
"""Bytes for whoever cannot be reached yet: where everybody may sign up, accounts cost nothing."""


def quota_of(account: Account, *, default_quota: int) -> int:
    """Bytes that the account may keep."""
    quota = default_quota if account.quota is None else account.quota
    return min(quota, UNCONFIRMED_QUOTA) if account.must_confirm else quota


def used_bytes(session: Session, account_id: UUID) -> int:
    """Bytes that count for the account: each blob of its versions once, and all uploads not swept yet, but
    those that failed, of which nothing was kept.

    A blob counts in full for everybody who has it, so the figure tells nothing about other people's files.
    """
    kept = (
        select(Blob.digest, Blob.size)
        .join(Version, Version.digest == Blob.digest)
        .join(Resource, Resource.id == Version.resource_id)
        .where(Resource.owner_id == account_id)
        .distinct()
        .subquery()
    )
    of_versions = session.scalar(select(func.coalesce(func.sum(kept.c.size), 0))) or 0
    of_uploads = (
        session.scalar(
            select(func.coalesce(func.sum(Upload.declared_size), 0)).where(
                Upload.account_id == account_id,
                Upload.state.not_in((UploadState.USED.value, UploadState.FAILED.value)),
            )
        )
        or 0
    )
    return int(of_versions) + int(of_uploads)


def used_by_client(session: Session, client_id: UUID) -> int:
    """Bytes that came through a client, for whomever, counted as those of an account are."""
    kept = (
        select(Blob.digest, Blob.size)
        .join(Version, Version.digest == Blob.digest)
        .where(Version.client_id == client_id)
        .distinct()
        .subquery()
    )
    of_versions = session.scalar(select(func.coalesce(func.sum(kept.c.size), 0))) or 0
    coming = select(func.coalesce(func.sum(Upload.declared_size), 0)).where(
        Upload.client_id == client_id,
        Upload.state.not_in((UploadState.USED.value, UploadState.FAILED.value)),
    )
    return int(of_versions) + int(session.scalar(coming) or 0)


def require_room(
    session: Session, account_id: UUID, size: int, *, default_quota: int, client_id: UUID | None = None
) -> None:
    """Refuse ``size`` bytes more than the account may keep, or than may be kept of what the client sends.

    Locks the rows of both, so that two uploads at once cannot both take the last room. Raises QuotaExceeded.
    """
    account = session.scalar(select(Account).where(Account.id == account_id).with_for_update())
    if account is None:
        raise NotFound("There is no such account.")
    quota = quota_of(account, default_quota=default_quota)
    used = used_bytes(session, account_id)
    if used + size > quota:
        raise QuotaExceeded(
            "There is little room before your e-mail address is confirmed: open the link in the letter first."
            if account.must_confirm
            else "There is not enough room left in your account: delete something or ask for a larger quota.",
            quota=quota,
            used=used,
            size=size,
        )
    if client_id is not None:
        _require_room_of_client(session, client_id, size)


def _require_room_of_client(session: Session, client_id: UUID, size: int) -> None:
    client = session.scalar(select(Client).where(Client.id == client_id).with_for_update())
    if client is None or client.quota is None:
        return
    used = used_by_client(session, client_id)
    if used + size > client.quota:
        raise QuotaExceeded(
            "There is not enough room left for the site that sends this: its operators can ask for more.",
            quota=client.quota,
            used=used,
            size=size,
        )
