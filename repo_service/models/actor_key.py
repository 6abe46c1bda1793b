"""The keys by which actors sign what they send to other servers."""

from __future__ import annotations

from sqlalchemy import LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.base import Base, CreatedAt, PrimaryId


class ActorKey(Base):
    """One key of an actor. ``actor`` is its path under ``/ap/`` (``service``, ``accounts/…``,
    ``collections/…``); it holds no foreign key, for what an actor did last is signed after it is gone.

    ``public_key`` is PEM; ``private_key`` is sealed (``federation.keys.Sealer``).
    """

    __tablename__ = "actor_keys"
    __table_args__ = (UniqueConstraint("actor", "algorithm"),)

    id: Mapped[PrimaryId]
    actor: Mapped[str] = mapped_column(String(64))
    algorithm: Mapped[str] = mapped_column(String(16))
    public_key: Mapped[str] = mapped_column(Text)
    private_key: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[CreatedAt]
