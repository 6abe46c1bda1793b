"""Tokens: what a caller shows to be somebody."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import JSON, Boolean, ForeignKey, String, false
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.base import Base, CreatedAt, Moment, PrimaryId


class Token(Base):
    """An API token. Only the SHA-256 of its 256 random bits is kept: nobody can read it back.

    ``is_session``: it stands for a browser in which somebody signed in, and ends with that.
    ``grant_id`` is the consent that it was given for; None for tokens that people make by hand.
    """

    __tablename__ = "tokens"

    id: Mapped[PrimaryId]
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    client_id: Mapped[UUID | None] = mapped_column(ForeignKey("clients.id"), index=True)
    grant_id: Mapped[UUID | None] = mapped_column(ForeignKey("grants.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    is_session: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    expires_at: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]
    last_used_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]
