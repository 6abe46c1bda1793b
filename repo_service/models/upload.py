"""Uploads: blobs that are not finished yet."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.domain.resources import UploadState, UploadWay
from repo_service.models.base import Base, CreatedAt, HexDigest, Moment, PrimaryId


class Upload(Base):
    """A file on its way in. ``declared_size`` in bytes counts against the quota until the upload is used.

    ``staging_key`` names what has come so far to the store that keeps it. One request at a time writes:
    ``holder`` until ``held_until``. ``reason`` says why an upload failed. ``client_id`` is the site or app
    that sends it, which may be forgotten before it: there is no foreign key.
    """

    __tablename__ = "uploads"

    id: Mapped[PrimaryId]
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    client_id: Mapped[UUID | None] = mapped_column(index=True)
    file_name: Mapped[str] = mapped_column(String(255))
    declared_size: Mapped[int] = mapped_column(BigInteger)
    expected_digest: Mapped[HexDigest | None]
    way: Mapped[str] = mapped_column(String(16), default=UploadWay.BODY.value)
    state: Mapped[str] = mapped_column(String(16), default=UploadState.OPEN.value)
    reason: Mapped[str | None] = mapped_column(String(1000))
    staging_key: Mapped[str | None] = mapped_column(String(2048))
    holder: Mapped[UUID | None]
    held_until: Mapped[Moment | None]
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id"))
    digest: Mapped[HexDigest | None] = mapped_column(ForeignKey("blobs.digest"), index=True)
    expires_at: Mapped[Moment] = mapped_column(index=True)
    created_at: Mapped[CreatedAt]
