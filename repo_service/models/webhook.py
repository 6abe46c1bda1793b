"""Webhooks: who elsewhere is told of what, and what was sent there."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from repo_service.domain.webhooks import DeliveryState
from repo_service.models.base import Base, CreatedAt, Moment, PrimaryId

URL_LENGTH = 2000


class Webhook(Base):
    """An address that is told of ``events``. ``secret`` is sealed.

    ``client_id`` is the site or app that made it for the account, if one did: it is told of nothing once
    nobody lets it act for that account. ``failing_since``: nothing that was sent there since then was
    taken.
    """

    __tablename__ = "webhooks"

    id: Mapped[PrimaryId]
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    client_id: Mapped[UUID | None] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"), index=True)
    url: Mapped[str] = mapped_column(String(URL_LENGTH))
    events: Mapped[list[str]] = mapped_column(JSON)
    reach: Mapped[str] = mapped_column(String(16))
    description: Mapped[str] = mapped_column(String(200), default="")
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    failing_since: Mapped[Moment | None]
    disabled_at: Mapped[Moment | None]
    disabled_reason: Mapped[str | None] = mapped_column(String(1000))
    created_at: Mapped[CreatedAt]


class WebhookDelivery(Base):
    """One message to one webhook, as it is sent, byte by byte. Its id is that of the message, whenever it is
    sent.

    ``answered`` is the HTTP status of the last answer, ``reason`` what went wrong the last time.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (Index("ix_webhook_deliveries_state_next_try_at", "state", "next_try_at"),)

    id: Mapped[PrimaryId]
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"), index=True)
    event: Mapped[str] = mapped_column(String(32))
    body: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16), default=DeliveryState.WAITING.value)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    answered: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str | None] = mapped_column(String(1000))
    next_try_at: Mapped[Moment | None]
    finished_at: Mapped[Moment | None]
    created_at: Mapped[CreatedAt] = mapped_column(index=True)
