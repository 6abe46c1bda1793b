"""Renditions: bytes derived from a blob that can be made again."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.base import Base, CreatedAt, HexDigest


class Rendition(Base):
    """One rendition of the blob ``source_digest``. Its own bytes are the blob ``digest``, maybe shared.

    ``maker_version`` is that of what made it: an older one is made again. ``created_at`` is when that began.
    """

    __tablename__ = "renditions"

    source_digest: Mapped[HexDigest] = mapped_column(
        ForeignKey("blobs.digest", ondelete="CASCADE"), primary_key=True
    )
    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    maker_version: Mapped[int] = mapped_column(Integer)
    digest: Mapped[HexDigest] = mapped_column(ForeignKey("blobs.digest", ondelete="CASCADE"), index=True)
    created_at: Mapped[CreatedAt]
