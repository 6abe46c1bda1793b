"""Accounts: people."""

from __future__ import annotations

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.domain.identity import Role
from repo_service.models.base import Base, CreatedAt, Moment, PrimaryId


class Account(Base):
    """A person. ``quota`` in bytes, None for the service's default."""

    __tablename__ = "accounts"

    id: Mapped[PrimaryId]
    username: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(200), default="")
    role: Mapped[str] = mapped_column(String(16), default=Role.MEMBER.value)
    quota: Mapped[int | None] = mapped_column(BigInteger)
    blocked_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]
