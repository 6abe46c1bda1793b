"""How much is downloaded: one number a day, and nothing of who."""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, Date
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.base import Base


class DownloadCount(Base):
    """The ``downloads`` of all public files on one ``day`` (UTC)."""

    __tablename__ = "download_counts"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    downloads: Mapped[int] = mapped_column(BigInteger)
