"""Reports: what people say is wrong with a resource."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.account import EMAIL_LENGTH, LANGUAGE_LENGTH
from repo_service.models.base import Base, CreatedAt, Moment, PrimaryId


class Report(Base):
    """One person's report of one resource, with the moderator's decision once there is one.

    ``reporter_id`` is who was signed in, None for anybody else, who may have given an ``email`` to be told
    what becomes of it, in ``language`` (BCP 47). The address is forgotten some time after that.
    """

    __tablename__ = "reports"
    __table_args__ = (Index("ix_reports_resource_id_decided_at", "resource_id", "decided_at"),)

    id: Mapped[PrimaryId]
    resource_id: Mapped[UUID] = mapped_column(ForeignKey("resources.id"))
    reason: Mapped[str] = mapped_column(String(16))
    words: Mapped[str] = mapped_column(Text)
    reporter_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("accounts.id", ondelete="SET NULL"), index=True
    )
    email: Mapped[str | None] = mapped_column(String(EMAIL_LENGTH))
    language: Mapped[str | None] = mapped_column(String(LANGUAGE_LENGTH))
    decision: Mapped[str | None] = mapped_column(String(16))
    note: Mapped[str | None] = mapped_column(String(1000))
    decided_by: Mapped[UUID | None] = mapped_column(
        ForeignKey("accounts.id", ondelete="SET NULL"), index=True
    )
    decided_at: Mapped[Moment | None] = mapped_column(index=True)
    created_at: Mapped[CreatedAt]
