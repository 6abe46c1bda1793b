"""What is to be sent to other servers: the rows are the queue."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.base import Base, CreatedAt, Moment, PrimaryId
from repo_service.models.remote_actor import URI_LENGTH


class Dispatch(Base):
    """An activity as it is sent, byte by byte, by the actor with that path under ``/ap/``.

    ``about`` is the path of what it is about: of two about the same thing the first is sent first.
    """

    __tablename__ = "dispatches"

    id: Mapped[PrimaryId]
    actor: Mapped[str] = mapped_column(String(64))
    about: Mapped[str] = mapped_column(String(128))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[CreatedAt]


class Delivery(Base):
    """A dispatch on its way to one inbox. It is gone when it was taken, or given up."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("ix_deliveries_instance_id_next_try_at", "instance_id", "next_try_at"),
        Index("ix_deliveries_inbox_about", "inbox", "about"),
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    dispatch_id: Mapped[UUID] = mapped_column(ForeignKey("dispatches.id"), index=True)
    instance_id: Mapped[UUID] = mapped_column(ForeignKey("instances.id"))
    inbox: Mapped[str] = mapped_column(String(URI_LENGTH))
    about: Mapped[str] = mapped_column(String(128))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    next_try_at: Mapped[Moment]
    created_at: Mapped[CreatedAt]


class Telling(Base):
    """What other servers were told last of a thing here, whether anybody listened or not. ``told`` is the id
    of the activity; of people, what they are called."""

    __tablename__ = "tellings"

    about: Mapped[str] = mapped_column(String(128), primary_key=True)
    told: Mapped[str] = mapped_column(String(URI_LENGTH))
    is_gone: Mapped[bool]


class Position(Base):
    """How far somebody has followed the table of changes who keeps that in this database; of those who follow
    another service, also ``at``: the moment as of which they knew everything there."""

    __tablename__ = "positions"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[Moment | None]
