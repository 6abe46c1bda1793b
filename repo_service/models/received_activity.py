"""Activities that came from other servers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.base import Base, CreatedAt, Moment, PrimaryId
from repo_service.models.remote_actor import URI_LENGTH


class ReceivedActivity(Base):
    """One activity, in the order of ``id`` for each instance. Whoever signed it is ``actor``.

    ``next_try_at`` is None once it is handled; ``outcome`` then says what became of it. The row stays for a
    while, so that the same activity does nothing when it comes again.
    """

    __tablename__ = "received_activities"
    __table_args__ = (
        Index("ix_received_activities_instance_id_next_try_at", "instance_id", "next_try_at"),
        Index("ix_received_activities_next_try_at", "next_try_at"),
        Index("ix_received_activities_created_at", "created_at"),
    )

    id: Mapped[PrimaryId]
    uri: Mapped[str] = mapped_column(String(URI_LENGTH), unique=True)
    instance_id: Mapped[UUID] = mapped_column(ForeignKey("instances.id"))
    actor: Mapped[str] = mapped_column(String(URI_LENGTH))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    next_try_at: Mapped[Moment | None]
    outcome: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[CreatedAt]
