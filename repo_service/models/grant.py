"""Grants: what a person lets a client do for them, and the secrets that the client gets for it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.base import Base, CreatedAt, Moment, PrimaryId


class Grant(Base):
    """One consent of one account for one client, and the family of tokens that comes of it.

    ``host`` is the one that the person was shown. Once ``revoked_at`` is set none of its tokens is worth
    anything."""

    __tablename__ = "grants"
    __table_args__ = (Index("ix_grants_account_id_client_id", "account_id", "client_id"),)

    id: Mapped[PrimaryId]
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    client_id: Mapped[UUID] = mapped_column(ForeignKey("clients.id"), index=True)
    host: Mapped[str] = mapped_column(String(255))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    last_used_at: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]


class AuthorizationCode(Base):
    """A code on its way through the person's browser (RFC 6749, section 4.1.2). Only its SHA-256 is kept.

    ``redirect_uri`` is None when the request named none; ``code_challenge`` is that of S256 (RFC 7636).
    """

    __tablename__ = "authorization_codes"

    id: Mapped[PrimaryId]
    grant_id: Mapped[UUID] = mapped_column(ForeignKey("grants.id"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    redirect_uri: Mapped[str | None] = mapped_column(String(2000))
    code_challenge: Mapped[str | None] = mapped_column(String(128))
    expires_at: Mapped[Moment] = mapped_column(index=True)
    used_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]


class RefreshToken(Base):
    """A refresh token (RFC 6749, section 6). Only the SHA-256 of its 256 random bits is kept.

    Each is good for one use, and a minute longer (``used_at``). ``parent_id`` is the one that it was given
    for; it holds no foreign key, because used tokens are forgotten before their successors."""

    __tablename__ = "refresh_tokens"

    id: Mapped[PrimaryId]
    grant_id: Mapped[UUID] = mapped_column(ForeignKey("grants.id"), index=True)
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    parent_id: Mapped[UUID | None]
    expires_at: Mapped[Moment] = mapped_column(index=True)
    used_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]
