"""What a webhook is sent: which event, and of what. Whoever gets it asks the API for the rest, with a token
of their own, so that nothing is told to somebody who may not know it by now."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_
from sqlalchemy.orm import Session

from repo_service.domain.resources import JobKind
from repo_service.domain.webhooks import DeliveryState, WebhookEvent
from repo_service.models import Account, Grant, Webhook, WebhookDelivery
from repo_service.models.base import now
from repo_service.services.jobs import Jobs

ALL: Final = "all"
"""The key of the one job that sends."""
KEPT_FOR: Final = timedelta(days=30)
"""How long a delivery can be seen, and sent again."""


def enqueue_message(
    session: Session,
    jobs: Jobs,
    webhook_id: UUID,
    *,
    event: WebhookEvent,
    at: datetime,
    data: dict[str, Any],
) -> WebhookDelivery:
    """Have it sent after the commit of ``session``."""
    message = {"type": event.value, "timestamp": at.isoformat(), "data": data}
    delivery = WebhookDelivery(
        webhook_id=webhook_id,
        event=event.value,
        body=json.dumps(message, ensure_ascii=False, separators=(",", ":")),
        state=DeliveryState.WAITING.value,
        attempts=0,
        next_try_at=now(),
    )
    session.add(delivery)
    session.flush()
    jobs.enqueue(session, JobKind.NOTIFY, ALL, again=True)
    return delivery


def is_heard() -> ColumnElement[bool]:
    """Whether anything is sent to the webhook of the query, whose account is joined: it is active, its
    account is not blocked, and the site that made it is still let act for that account."""
    connected = exists().where(
        Grant.account_id == Webhook.account_id,
        Grant.client_id == Webhook.client_id,
        Grant.revoked_at.is_(None),
    )
    return and_(
        Webhook.disabled_at.is_(None),
        Account.blocked_at.is_(None),
        or_(Webhook.client_id.is_(None), connected),
    )


def give_up(delivery: WebhookDelivery, reason: str) -> None:
    """Send it no more, until somebody asks for it."""
    delivery.state, delivery.reason = DeliveryState.FAILED.value, reason[:1000]
    delivery.next_try_at, delivery.finished_at = None, now()
