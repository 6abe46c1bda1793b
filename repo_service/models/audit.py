"""The audit trail: who did what to which thing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.base import Base, CreatedAt


class AuditEntry(Base):
    """One deed. Holds ids and no foreign keys: it outlives what it tells of."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_noun_noun_id", "noun", "noun_id"),
        Index(None, "account_id", "id"),
        Index(None, "action", "id"),
        Index(None, "at"),
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    at: Mapped[CreatedAt]
    account_id: Mapped[UUID | None]
    token_id: Mapped[UUID | None]
    action: Mapped[str] = mapped_column(String(32))
    noun: Mapped[str] = mapped_column(String(16))
    noun_id: Mapped[str] = mapped_column(String(64))
    details: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
