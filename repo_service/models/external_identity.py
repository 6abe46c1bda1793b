"""External identities: what an account is called by an OpenID Connect provider."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.account import EMAIL_LENGTH
from repo_service.models.base import Base, CreatedAt, Moment, PrimaryId

SUBJECT_LENGTH = 255
"""OpenID Connect Core 1.0, section 2."""


class ExternalIdentity(Base):
    """Somebody at a provider, who signs in to one account here. Issuer and subject together never change and
    are never another's (OpenID Connect Core 1.0, section 5.7); an address proves nothing of the kind.

    ``email`` is what the provider said when it was connected, for its owner to tell one from another.
    """

    __tablename__ = "external_identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[PrimaryId]
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(SUBJECT_LENGTH))
    email: Mapped[str | None] = mapped_column(String(EMAIL_LENGTH))
    last_used_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt]
