"""Clients: registered software acting for itself or for an account."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.models.base import Base, CreatedAt, Moment, PrimaryId


class Client(Base):
    """A Moodle site, a MoodleNet instance or another program.

    ``account_id`` is who answers for it; nobody does for software that registered itself (RFC 7591). What
    follows up to ``software_version`` is what such software said of itself, so none of it proves anything but
    ``redirect_uris``: that is where people are sent back to. ``auth_method`` is None for software that people
    made tokens for by hand: it has no part in OAuth.

    ``approval`` is ``pending``, ``approved`` or ``declined``, ``decided_by`` the administrator who said so
    (None for the command line, and for what needed no decision). ``registered_from`` is an address, kept for
    some days. ``authorised_at`` is when somebody first let it act for them. ``quota`` is how many bytes may
    be kept of what it sends for all its people together, None without such a limit.
    """

    __tablename__ = "clients"
    __table_args__ = (Index("ix_clients_registered_from_created_at", "registered_from", "created_at"),)

    id: Mapped[PrimaryId]
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(16))
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    secret_hash: Mapped[str | None] = mapped_column(String(64))
    auth_method: Mapped[str | None] = mapped_column(String(32))
    redirect_uris: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    grant_types: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    scopes: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    client_uri: Mapped[str | None] = mapped_column(String(2000))
    software_id: Mapped[str | None] = mapped_column(String(200))
    software_version: Mapped[str | None] = mapped_column(String(200))
    approval: Mapped[str] = mapped_column(String(16), default="approved", server_default="approved")
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id"))
    decided_at: Mapped[Moment | None]
    registered_from: Mapped[str | None] = mapped_column(String(64))
    authorised_at: Mapped[Moment | None]
    disabled_at: Mapped[Moment | None]
    quota: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[CreatedAt]
