"""Other servers: which there are, what administrators say of them, and how to reach them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.domain.network import Standing
from repo_service.models.base import Base, CreatedAt, Moment, PrimaryId

HOST_LENGTH = 255


class Instance(Base):
    """A server by its host, with the port where that is not the usual one.

    ``standing`` is what administrators decided, with ``reason`` for a block. ``failures`` counts since
    ``failing_since`` what could not be sent; nothing is tried before ``next_try_at``, and nothing is kept for
    it once it is ``unreachable_at``, until it is heard of again. ``scheme`` is how it wants requests signed.
    ``actor`` is the address of the actor that speaks for all of it; ``read_at`` is when its outbox was read
    to its end, ``looked_at`` when it was looked at last.
    """

    __tablename__ = "instances"

    id: Mapped[PrimaryId]
    host: Mapped[str] = mapped_column(String(HOST_LENGTH), unique=True)
    standing: Mapped[str] = mapped_column(String(16), default=Standing.KNOWN.value)
    reason: Mapped[str] = mapped_column(String(1000), default="")
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id"))
    decided_at: Mapped[Moment | None]
    actor: Mapped[str | None] = mapped_column(String(1000))
    read_at: Mapped[Moment | None]
    looked_at: Mapped[Moment | None]
    scheme: Mapped[str | None] = mapped_column(String(32))
    failures: Mapped[int] = mapped_column(Integer, default=0)
    failing_since: Mapped[Moment | None]
    next_try_at: Mapped[Moment | None]
    unreachable_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]
