"""Accounts: people."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Index, String, false
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.domain.identity import Role
from repo_service.models.base import Base, CreatedAt, Moment, PrimaryId

EMAIL_LENGTH = 254
"""The longest address that a letter can be sent to (RFC 5321, section 4.5.3.1.3, less the brackets)."""
LANGUAGE_LENGTH = 35
"""The longest tag that software has to take (RFC 5646, section 4.4.1)."""


class Account(Base):
    """A person. ``quota`` in bytes, None for the service's default.

    ``email`` is in small letters and belongs to one account only: its owner opened the link sent there
    (``email_confirmed_at``), or an administrator vouches for it. ``unconfirmed_email`` was typed by somebody
    who has yet to prove that it is theirs, so it keeps nobody else from having it. ``must_confirm``: nobody
    knows this person but themselves, so nothing of theirs is released before they can be reached.
    ``password_hash`` is in the PHC string format; None for those who come with tokens only. ``language`` (BCP
    47) is the one of letters to them; None for the service's own. ``blocked_reason`` is what they are told.
    ``erased_at``: the person has left, and the row stays for others that refer to it, without anything of
    theirs; it is blocked, too.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        Index("ix_accounts_email", "email", unique=True),
        Index("ix_accounts_unconfirmed_email", "unconfirmed_email"),
    )

    id: Mapped[PrimaryId]
    username: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(200), default="")
    email: Mapped[str | None] = mapped_column(String(EMAIL_LENGTH))
    email_confirmed_at: Mapped[Moment | None]
    unconfirmed_email: Mapped[str | None] = mapped_column(String(EMAIL_LENGTH))
    must_confirm: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    password_hash: Mapped[str | None] = mapped_column(String(255))
    language: Mapped[str | None] = mapped_column(String(LANGUAGE_LENGTH))
    role: Mapped[str] = mapped_column(String(16), default=Role.MEMBER.value)
    quota: Mapped[int | None] = mapped_column(BigInteger)
    blocked_at: Mapped[Moment | None]
    blocked_reason: Mapped[str | None] = mapped_column(String(1000))
    erased_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]
