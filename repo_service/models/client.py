"""Clients: registered software acting for itself or for an account."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.base import Base, CreatedAt, Moment, PrimaryId


class Client(Base):
    """A Moodle site, a MoodleNet instance or another program. ``account_id`` is who answers for it."""

    __tablename__ = "clients"

    id: Mapped[PrimaryId]
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(16))
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    disabled_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]
