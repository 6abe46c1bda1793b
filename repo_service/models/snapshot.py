"""Snapshots: the public catalogue as it was at one moment, kept as blobs."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, Integer
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.base import Base, CreatedAt, HexDigest, PrimaryId


class Snapshot(Base):
    """One published catalogue: a blob with a line for each of ``resources`` public resources, and a blob with
    the manifest that names it and the manifest before. ``change_seq`` is the last change it knows."""

    __tablename__ = "snapshots"

    id: Mapped[PrimaryId]
    manifest_digest: Mapped[HexDigest] = mapped_column(ForeignKey("blobs.digest"), index=True)
    catalogue_digest: Mapped[HexDigest] = mapped_column(ForeignKey("blobs.digest"), index=True)
    previous_id: Mapped[UUID | None] = mapped_column(ForeignKey("snapshots.id"))
    resources: Mapped[int] = mapped_column(Integer)
    change_seq: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[CreatedAt]
