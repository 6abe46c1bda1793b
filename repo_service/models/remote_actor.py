"""Actors of other servers: those that follow somebody here, are followed, or are blocked."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.base import Base, CreatedAt, Moment, PrimaryId

URI_LENGTH = 1000
"""Characters of an id that is kept. All are ASCII, so that an index can hold them."""


class RemoteActor(Base):
    """An actor by its id. ``inbox`` is None for one that was blocked before it was ever read.

    ``shared_inbox`` takes once what is for several actors of its server.
    """

    __tablename__ = "remote_actors"

    id: Mapped[PrimaryId]
    uri: Mapped[str] = mapped_column(String(URI_LENGTH), unique=True)
    instance_id: Mapped[UUID] = mapped_column(ForeignKey("instances.id"), index=True)
    inbox: Mapped[str | None] = mapped_column(String(URI_LENGTH))
    shared_inbox: Mapped[str | None] = mapped_column(String(URI_LENGTH))
    outbox: Mapped[str | None] = mapped_column(String(URI_LENGTH))
    blocked_at: Mapped[Moment | None]
    blocked_reason: Mapped[str] = mapped_column(String(1000), default="")
    fetched_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]
