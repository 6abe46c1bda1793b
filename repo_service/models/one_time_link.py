"""One-time links: what a letter holds, or an administrator hands over."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.account import EMAIL_LENGTH
from repo_service.models.base import Base, CreatedAt, Moment, PrimaryId


class OneTimeLink(Base):
    """A link that works once, for one purpose. Only the SHA-256 of its 256 random bits is kept.

    ``account_id`` is whose it is: None for an invitation, and for a password that was asked for an account
    that there is not. ``email`` is where it is sent, and what it proves when it is used. ``secret_hash`` is
    None until the letter is written: so the secret stands in that letter only. ``sent_at`` is when that was.
    """

    __tablename__ = "one_time_links"

    id: Mapped[PrimaryId]
    purpose: Mapped[str] = mapped_column(String(16))
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    email: Mapped[str | None] = mapped_column(String(EMAIL_LENGTH))
    role: Mapped[str | None] = mapped_column(String(16))
    made_by: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id"))
    secret_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    expires_at: Mapped[Moment]
    sent_at: Mapped[Moment | None]
    used_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]
