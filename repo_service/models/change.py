"""Changes: the outbox that search, federation and mirrors follow."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.base import Base, CreatedAt


class Change(Base):
    """One thing that happened, written in the transaction that made it happen.

    ``id`` is drawn before the commit and may become visible out of order; ``seq`` is given afterwards by one
    sequencer, so who follows ``seq`` never misses a row.
    """

    __tablename__ = "changes"
    __table_args__ = (Index("ix_changes_noun_seq", "noun", "seq"),)  # who follows one kind of things

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    seq: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    noun: Mapped[str] = mapped_column(String(16))
    noun_id: Mapped[str] = mapped_column(String(64))
    what: Mapped[str] = mapped_column(String(16))
    at: Mapped[CreatedAt]
