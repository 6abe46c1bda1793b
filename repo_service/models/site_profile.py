"""Site profiles: what somebody's Moodle has, kept to hold backups against it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.base import Base, CreatedAt, Moment, PrimaryId, now


class StoredSite(Base):
    """One site as its owner described it; nobody else reads it.

    ``moodle`` is the release or version number as it was given, ``plugins`` component → version. ``disabled``
    and ``roles`` are None while they are not known.
    """

    __tablename__ = "site_profiles"

    id: Mapped[PrimaryId]
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    moodle: Mapped[str] = mapped_column(String(40))
    plugins: Mapped[dict[str, str | None]] = mapped_column(JSON)
    without: Mapped[list[str]] = mapped_column(JSON)
    disabled: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    roles: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON(none_as_null=True))
    restorer: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[Moment] = mapped_column(default=now)
