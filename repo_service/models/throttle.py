"""Throttles: how much was tried lately."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.base import Base, Moment


class Throttle(Base):
    """One allowance that was used. All of it is there again at ``full_at``: then the row is worth nothing.

    ``key`` is a keyed hash: no address of anybody stands here.
    """

    __tablename__ = "throttles"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    full_at: Mapped[Moment]
