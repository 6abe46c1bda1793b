"""Versions: immutable editions of a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import JSON, Boolean, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from repo_service.models.base import Base, CreatedAt, HexDigest, Moment, PrimaryId
from repo_service.models.blob import Blob

if TYPE_CHECKING:
    from repo_service.models.resource import Resource


class Version(Base):
    """One edition of a resource: its bytes, name and number never change.

    ``release_refused`` says why a release that was asked for did not follow the inspection (``code``,
    ``detail``). ``inspected_at`` says that this version's own job has looked inside: what is known of
    the same bytes from elsewhere does not count before. ``digest`` is None once the bytes of a withdrawn
    resource are deleted. ``cleaned_from`` is the number of the version that this one is the clean copy of,
    ``cleaning`` what was taken out of it and what stays for the owner to confirm (``removed``, ``left``).
    ``client_id`` as of its upload.
    """

    __tablename__ = "versions"
    __table_args__ = (
        UniqueConstraint("resource_id", "number"),
        UniqueConstraint("resource_id", "cleaned_from"),
    )

    id: Mapped[PrimaryId]
    resource_id: Mapped[UUID] = mapped_column(ForeignKey("resources.id"))
    number: Mapped[int] = mapped_column(Integer)
    digest: Mapped[HexDigest | None] = mapped_column(ForeignKey("blobs.digest"), index=True)
    file_name: Mapped[str] = mapped_column(String(255))
    change_note: Mapped[str] = mapped_column(Text, default="")
    release_requested: Mapped[bool] = mapped_column(Boolean, default=False)
    release_refused: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id"))
    cleaned_from: Mapped[int | None] = mapped_column(Integer)
    cleaning: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    inspected_at: Mapped[Moment | None]
    released_at: Mapped[Moment | None]
    client_id: Mapped[UUID | None] = mapped_column(index=True)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    created_at: Mapped[CreatedAt]

    resource: Mapped[Resource] = relationship(back_populates="versions")
    blob: Mapped[Blob | None] = relationship()
