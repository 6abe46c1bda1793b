"""Jobs: work that goes on after the response. The row is the truth; the queue only carries hints."""

from __future__ import annotations

from sqlalchemy import Float, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.domain.resources import JobState
from repo_service.models.base import Base, CreatedAt, Moment, PrimaryId


class Job(Base):
    """One piece of work on one thing; ``progress`` from 0.0 to 1.0, ``reason`` says why it failed last."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("kind", "key"),
        Index("ix_jobs_state_next_try_at", "state", "next_try_at"),
    )

    id: Mapped[PrimaryId]
    kind: Mapped[str] = mapped_column(String(32))
    key: Mapped[str] = mapped_column(String(128))
    state: Mapped[str] = mapped_column(String(16), default=JobState.QUEUED.value)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    progress: Mapped[float] = mapped_column(Float, default=0.0)
    reason: Mapped[str | None] = mapped_column(String(1000))
    next_try_at: Mapped[Moment]
    lease_until: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]
    finished_at: Mapped[Moment | None]
