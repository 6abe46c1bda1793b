"""Blobs and where their copies stand."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from repo_service.domain.resources import LocationState
from repo_service.models.base import Base, CreatedAt, HexDigest, Moment


class Blob(Base):
    """Immutable bytes named by their SHA-256; ``size`` in bytes.

    ``claimed_at`` is the last moment somebody needed it: the garbage collector leaves a blob alone until the
    grace period after it has passed. ``deleting_at`` marks one whose bytes are being removed. ``checks`` are
    the checksums of its chunks (``storage.checks``), None where they were never computed.
    """

    __tablename__ = "blobs"

    digest: Mapped[HexDigest] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str] = mapped_column(String(255))
    claimed_at: Mapped[Moment]
    deleting_at: Mapped[Moment | None]
    checks: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    created_at: Mapped[CreatedAt]

    locations: Mapped[list[BlobLocation]] = relationship(
        back_populates="blob", cascade="all, delete-orphan", order_by="BlobLocation.id"
    )


class BlobLocation(Base):
    """One copy of a blob in one store; ``locator`` means something to that store only."""

    __tablename__ = "blob_locations"
    __table_args__ = (
        UniqueConstraint("digest", "store"),
        Index(None, "store", "locator"),  # whose bytes those are that a store has
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    digest: Mapped[HexDigest] = mapped_column(ForeignKey("blobs.digest"))
    store: Mapped[str] = mapped_column(String(64))
    locator: Mapped[str] = mapped_column(String(1024))
    state: Mapped[str] = mapped_column(String(16), default=LocationState.PRESENT.value)
    verified_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]

    blob: Mapped[Blob] = relationship(back_populates="locations")
