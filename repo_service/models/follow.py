"""Who follows whom, across servers."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.base import Base, CreatedAt, Moment, PrimaryId
from repo_service.models.remote_actor import URI_LENGTH


class Follower(Base):
    """Somebody elsewhere follows an actor of ours. ``actor`` is its path under ``/ap/``; ``activity`` is the
    id of the Follow."""

    __tablename__ = "followers"
    __table_args__ = (UniqueConstraint("actor", "remote_id"),)

    id: Mapped[PrimaryId]
    actor: Mapped[str] = mapped_column(String(64))
    remote_id: Mapped[UUID] = mapped_column(ForeignKey("remote_actors.id"), index=True)
    activity: Mapped[str] = mapped_column(String(URI_LENGTH))
    created_at: Mapped[CreatedAt]


class Following(Base):
    """An actor of ours follows somebody elsewhere, once that one has accepted it. The id of our Follow is
    made of that of this row."""

    __tablename__ = "followings"
    __table_args__ = (UniqueConstraint("actor", "remote_id"),)

    id: Mapped[PrimaryId]
    actor: Mapped[str] = mapped_column(String(64))
    remote_id: Mapped[UUID] = mapped_column(ForeignKey("remote_actors.id"), index=True)
    accepted_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]
