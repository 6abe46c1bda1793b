"""Sending messages to webhooks.

Each webhook is served by one thread at a time. A message that is not taken is tried again, later each time
and never at the same moment as others, for three days; then it has failed, which its owner can see, and can
have sent again. A webhook that takes nothing for five days is disabled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import SystemRandom
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, delete, select, update
from sqlalchemy.orm import Session

from repo_service.domain.errors import RemoteFailed
from repo_service.domain.identity import SCOPES_OF_ROLE, Role, Scope
from repo_service.domain.resources import JobKind
from repo_service.domain.texts import Text, text
from repo_service.domain.webhooks import DeliveryState, WebhookEvent
from repo_service.federation.keys import Sealer, WrongSeal
from repo_service.federation.outgoing import Outgoing
from repo_service.models import Account, Webhook, WebhookDelivery
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.jobs import Jobs, Report
from repo_service.services.serving_receivers import serve_receivers
from repo_service.services.webhook_messages import ALL, KEPT_FOR, give_up, is_heard
from repo_service.services.webhook_signatures import signed_headers

WAITS: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 300, 600, 840, 1200, 1440))
"""After each try that failed, more or less. When they are used up, the message has failed."""
DISABLED_AFTER: Final = timedelta(days=5)
AT_ONCE: Final = 8
"""Webhooks that are sent to at the same time."""

_JITTER: Final = 0.25
_GONE: Final = 410
_BUSY: Final = (429, 503)
_chance = SystemRandom()

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """A message whose turn it is."""

    id: UUID
    url: str
    sealed: bytes
    body: bytes
    may_know: bool


@dataclass(frozen=True, slots=True)
class _Result:
    """``reason`` says why it was not taken, None when it was. ``away``: nothing else would be, either.
    ``final``: it would not be the next time."""

    reason: str | None
    status: int | None = None
    retry_after: int | None = None
    away: bool = False
    final: bool = False


class Notifier:
    """Sends, and keeps account of what was taken."""

    def __init__(
        self,
        database: Database,
        outgoing: Outgoing,
        jobs: Jobs,
        *,
        sealer: Sealer,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._database = database
        self._outgoing = outgoing
        self._jobs = jobs
        self._sealer = sealer
        self._clock = clock

    def run(self, _key: str, report: Report) -> None:
        """The job: send everything that is due."""
        serve_receivers(self._due_webhooks, self._serve, report, at_once=AT_ONCE, name="notify")

    def enqueue_due(self) -> None:
        """Have it done where something is due that no hint told of."""
        if self._due_webhooks(but=(), limit=1):
            with self._database.write() as session:
                self._jobs.enqueue(session, JobKind.NOTIFY, ALL)

    def tidy(self) -> None:
        """Forget messages of long ago."""
        with self._database.write() as session:
            old = WebhookDelivery.created_at < self._clock() - KEPT_FOR
            session.execute(delete(WebhookDelivery).where(old))

    def _due_webhooks(self, *, but: Iterable[UUID], limit: int) -> list[UUID]:
        query = (
            select(WebhookDelivery.webhook_id)
            .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
            .join(Account, Account.id == Webhook.account_id)
            .where(self._is_due(), WebhookDelivery.webhook_id.not_in(list(but)))
            .distinct()
            .limit(limit)
        )
        with self._database.read() as session:
            return list(session.scalars(query))

    def _is_due(self) -> ColumnElement[bool]:
        return and_(
            WebhookDelivery.state == DeliveryState.WAITING.value,
            WebhookDelivery.next_try_at <= self._clock(),
            is_heard(),
        )

    def _serve(self, webhook_id: UUID) -> None:
        """Send to one webhook what is due, oldest first, and before what it did not take already."""
        while (due := self._next(webhook_id)) is not None:
            result = self._send(due)
            with self._database.write() as session:
                self._note(session, webhook_id, due, result)

    def _next(self, webhook_id: UUID) -> _Due | None:
        query = (
            select(WebhookDelivery, Webhook, Account.role)
            .join(Webhook, Webhook.id == WebhookDelivery.webhook_id)
            .join(Account, Account.id == Webhook.account_id)
            .where(WebhookDelivery.webhook_id == webhook_id, self._is_due())
            .order_by(WebhookDelivery.attempts, WebhookDelivery.id)
            .limit(1)
        )
        with self._database.read() as session:
            row = session.execute(query).one_or_none()
            if row is None:
                return None
            delivery, webhook, role = row
            reported = delivery.event == WebhookEvent.REPORTED.value
            return _Due(
                id=delivery.id,
                url=webhook.url,
                sealed=webhook.secret,
                body=delivery.body.encode(),
                may_know=not reported or Scope.MODERATE in SCOPES_OF_ROLE[Role(role)],
            )

    def _send(self, due: _Due) -> _Result:
        if not due.may_know:
            return _Result(text("Its account does not moderate any more."), final=True)
        try:
            secret = self._sealer.open(due.sealed, owner=SEAL).decode()
        except WrongSeal:
            return _Result(text("The secret of this webhook was lost: make a new one."), final=True)
        headers = signed_headers(secret, str(due.id), self._clock(), due.body)
        try:
            answer = self._outgoing.post(
                due.url, body=due.body, media_type="application/json", sign=lambda _: headers
            )
        except RemoteFailed as error:
            return _Result(error.detail, error.status, away=True)
        if answer.is_success:
            return _Result(None, answer.status)
        reason = _answers(answer.status)
        return _Result(reason, answer.status, answer.retry_after, away=answer.status in _BUSY)

    def _note(self, session: Session, webhook_id: UUID, due: _Due, result: _Result) -> None:
        webhook = session.get(Webhook, webhook_id, with_for_update=True)
        delivery = session.get(WebhookDelivery, due.id, with_for_update=True)
        if webhook is None or delivery is None:
            return
        moment = self._clock()
        delivery.attempts += 1
        delivery.answered = result.status
        if result.reason is None:
            delivery.state, delivery.reason = DeliveryState.DELIVERED.value, None
            delivery.next_try_at, delivery.finished_at = None, moment
            webhook.failing_since = None
            return
        delivery.reason = result.reason[:1000]
        if result.final or delivery.attempts > len(WAITS):
            log.info("a webhook did not take a message", webhook=str(webhook_id), said=result.reason)
            give_up(delivery, result.reason)
        else:
            delivery.next_try_at = moment + _wait(delivery.attempts, result.retry_after)
        if result.final:
            return
        webhook.failing_since = webhook.failing_since or moment
        if result.status == _GONE:
            _disable(session, webhook, text("It answers 410: it is gone."), moment)
        elif moment - webhook.failing_since >= DISABLED_AFTER:
            _disable(session, webhook, text("It took nothing for five days."), moment)
        elif result.away:
            others = update(WebhookDelivery).where(
                WebhookDelivery.webhook_id == webhook_id,
                WebhookDelivery.state == DeliveryState.WAITING.value,
                WebhookDelivery.next_try_at <= moment,
            )
            session.execute(others.values(next_try_at=moment + _wait(1, result.retry_after)))


def _answers(status: int | str) -> Text:
    return text("It answers %(status)s.", status=status)


REASONS: Final = (_answers(""),)
"""What is said with a value in it of messages that were not taken, to recognise it where it was stored."""
SEAL: Final = "webhook"
"""What the secrets of webhooks are sealed for."""


def _disable(session: Session, webhook: Webhook, reason: str, moment: datetime) -> None:
    log.info("a webhook is disabled", webhook=str(webhook.id), reason=reason)
    webhook.disabled_at, webhook.disabled_reason = moment, reason
    waiting = select(WebhookDelivery).where(
        WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.state == DeliveryState.WAITING.value
    )
    for delivery in session.scalars(waiting):
        give_up(delivery, reason)


def _wait(attempts: int, retry_after: int | None) -> timedelta:
    """Webhooks that failed together are not tried together."""
    wanted = WAITS[attempts - 1].total_seconds() * _chance.uniform(1 - _JITTER, 1 + _JITTER)
    return timedelta(seconds=max(wanted, retry_after or 0))
