"""Collections: sets of resources that a person put together, in an order of their own."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from repo_service.domain.collections import CollectionVisibility
from repo_service.models.account import Account
from repo_service.models.base import Base, CreatedAt, Moment, PrimaryId


class Collection(Base):
    """A set of resources with a curator, who need not own any of them.

    ``published_at`` is when everybody first could see it. ``hidden_at`` and ``hidden_reason`` are a
    moderator's: nobody but the curator sees it then, whatever its visibility. ``deleted_at`` leaves a
    tombstone of what was public once, without a word or an item of what it held: whoever kept a copy can be
    told that it is gone. ``revision`` counts every change, those of its items too, and makes the entity tag.
    """

    __tablename__ = "collections"
    __table_args__ = (
        Index("ix_collections_owner_id", "owner_id"),
        Index("ix_collections_visibility", "visibility"),
    )

    id: Mapped[PrimaryId]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    title: Mapped[str] = mapped_column(String(500))
    summary_html: Mapped[str] = mapped_column(Text, default="")
    summary_text: Mapped[str] = mapped_column(Text, default="")
    languages: Mapped[list[str]] = mapped_column(JSON, default=list)
    subjects: Mapped[list[str]] = mapped_column(JSON, default=list)
    visibility: Mapped[str] = mapped_column(String(16), default=CollectionVisibility.PRIVATE.value)
    published_at: Mapped[Moment | None]
    hidden_at: Mapped[Moment | None]
    hidden_reason: Mapped[str | None] = mapped_column(String(1000))
    deleted_at: Mapped[Moment | None]
    revision: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    owner: Mapped[Account] = relationship()


class CollectionItem(Base):
    """A resource within a collection. ``position`` counts from 1 without a gap; ``note`` is plain text."""

    __tablename__ = "collection_items"
    __table_args__ = (
        UniqueConstraint("collection_id", "resource_id"),
        Index("ix_collection_items_resource_id", "resource_id"),
    )

    id: Mapped[PrimaryId]
    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collections.id"))
    resource_id: Mapped[UUID] = mapped_column(ForeignKey("resources.id"))
    position: Mapped[int] = mapped_column(Integer)
    note: Mapped[str] = mapped_column(Text, default="")
    added_at: Mapped[CreatedAt]
