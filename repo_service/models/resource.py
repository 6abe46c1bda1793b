"""Resources: described educational things."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from repo_service.domain.resources import Visibility
from repo_service.models.account import Account
from repo_service.models.base import Base, CreatedAt, Moment, PrimaryId
from repo_service.models.version import Version


class Resource(Base):
    """A described educational thing with its versions.

    ``found`` names the fields that inspection filled and the owner has not confirmed: the next inspection may
    fill them again. ``revision`` counts every change and makes the entity tag. ``changed_at`` is when what
    everybody sees of it was changed last, which no draft of a new version does; None for what never was
    public. ``canonical_url`` is its page at the instance that linked it, ``canonical_by`` the client that
    said so.
    """

    __tablename__ = "resources"
    __table_args__ = (
        Index("ix_resources_owner_id_created_at", "owner_id", "created_at"),
        Index("ix_resources_owner_id_visibility", "owner_id", "visibility"),  # who has something public
        Index("ix_resources_visibility_released_at", "visibility", "released_at"),
        Index("ix_resources_visibility_changed_at", "visibility", "changed_at"),
    )

    id: Mapped[PrimaryId]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    title: Mapped[str] = mapped_column(String(500))
    summary_html: Mapped[str] = mapped_column(Text, default="")
    summary_text: Mapped[str] = mapped_column(Text, default="")
    licence: Mapped[str | None] = mapped_column(String(64))
    languages: Mapped[list[str]] = mapped_column(JSON, default=list)
    subjects: Mapped[list[str]] = mapped_column(JSON, default=list)
    levels: Mapped[list[str]] = mapped_column(JSON, default=list)
    types: Mapped[list[str]] = mapped_column(JSON, default=list)
    authors: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    keywords: Mapped[list[str]] = mapped_column(JSON, default=list)
    found: Mapped[list[str]] = mapped_column(JSON, default=list)
    visibility: Mapped[str] = mapped_column(String(16), default=Visibility.DRAFT.value)
    origin: Mapped[str | None] = mapped_column(String(255))
    canonical_url: Mapped[str | None] = mapped_column(String(2000))
    canonical_by: Mapped[UUID | None] = mapped_column(index=True)
    released_at: Mapped[Moment | None]
    changed_at: Mapped[Moment | None]
    withdrawn_at: Mapped[Moment | None] = mapped_column(index=True)
    withdrawn_reason: Mapped[str | None] = mapped_column(String(1000))
    revision: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[CreatedAt]

    owner: Mapped[Account] = relationship()
    versions: Mapped[list[Version]] = relationship(back_populates="resource", order_by=Version.number)
