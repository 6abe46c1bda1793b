"""Inspections: what a parser found in a blob."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Boolean, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.base import Base, CreatedAt, HexDigest


class InspectionRecord(Base):
    """One answer of one parser about one blob.

    ``document`` is the whole inspection, ``search_text`` what of it is worth finding, ``glance`` the fields
    of ``Glance`` for a backup, ``format`` that of a
    file that is none. A file that could not be read has a ``problem`` instead.
    """

    __tablename__ = "inspections"

    digest: Mapped[HexDigest] = mapped_column(
        ForeignKey("blobs.digest", ondelete="CASCADE"), primary_key=True
    )
    parser: Mapped[str] = mapped_column(String(64), primary_key=True)
    parser_version: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    format: Mapped[str] = mapped_column(String(32), default="", server_default="")
    blocking: Mapped[bool] = mapped_column(Boolean)
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    search_text: Mapped[str] = mapped_column(Text, default="")
    glance: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    problem: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    created_at: Mapped[CreatedAt]
