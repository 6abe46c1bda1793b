"""The index of what approved instances publish: metadata only, each entry belongs to its origin."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.base import Base, CreatedAt, Moment, PrimaryId
from repo_service.models.remote_actor import URI_LENGTH


class NetworkEntry(Base):
    """Somebody else's community, collection, resource or user, by its id at home.

    ``url`` is where people look at it; ``by`` is the id of whose it is. ``links`` are its files at home, as
    they were told of. ``heard`` is when its origin last said something of it: what was said earlier and comes
    later changes nothing. ``deleted_at`` leaves no more than that there was one. ``hidden_at`` is this
    service's own decision, which the origin cannot take back.
    """

    __tablename__ = "network_entries"
    __table_args__ = (
        Index("ix_network_entries_instance_id_kind", "instance_id", "kind"),
        Index("ix_network_entries_by", "by"),
    )

    id: Mapped[PrimaryId]
    uri: Mapped[str] = mapped_column(String(URI_LENGTH), unique=True)
    instance_id: Mapped[UUID] = mapped_column(ForeignKey("instances.id"))
    kind: Mapped[str] = mapped_column(String(16))
    by: Mapped[str | None] = mapped_column(String(URI_LENGTH))
    url: Mapped[str] = mapped_column(String(URI_LENGTH), default="")
    name: Mapped[str] = mapped_column(String(500), default="")
    summary_text: Mapped[str] = mapped_column(Text, default="")
    icon: Mapped[str | None] = mapped_column(String(URI_LENGTH))
    licence: Mapped[str | None] = mapped_column(String(200))
    languages: Mapped[list[str]] = mapped_column(JSON, default=list)
    subjects: Mapped[list[str]] = mapped_column(JSON, default=list)
    levels: Mapped[list[str]] = mapped_column(JSON, default=list)
    types: Mapped[list[str]] = mapped_column(JSON, default=list)
    keywords: Mapped[list[str]] = mapped_column(JSON, default=list)
    authors: Mapped[list[str]] = mapped_column(JSON, default=list)
    links: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    published_at: Mapped[Moment | None]
    changed_at: Mapped[Moment | None]
    heard: Mapped[UUID]
    deleted_at: Mapped[Moment | None]
    hidden_at: Mapped[Moment | None]
    hidden_reason: Mapped[str] = mapped_column(String(1000), default="")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]
