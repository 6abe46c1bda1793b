"""Webhooks: addresses that are told when something happens, by whom they are made and how they fare."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from repo_service.domain.errors import Conflict, FieldError, InvalidInput, NotFound, RemoteFailed
from repo_service.domain.identity import Identity, Scope
from repo_service.domain.resources import JobKind, Noun
from repo_service.domain.texts import text
from repo_service.domain.webhooks import DeliveryState, Reach, WebhookEvent, WebhookState
from repo_service.federation.keys import Sealer
from repo_service.federation.outgoing import Outgoing
from repo_service.models import Webhook, WebhookDelivery
from repo_service.models.base import new_id, now
from repo_service.models.database import Database
from repo_service.services import paging
from repo_service.services.accounts import require_account, require_scope
from repo_service.services.descriptions import plain_line
from repo_service.services.jobs import Jobs
from repo_service.services.notifying import SEAL
from repo_service.services.records import Page
from repo_service.services.throttling import Allowance, Throttling
from repo_service.services.trail import audit
from repo_service.services.webhook_messages import ALL, enqueue_message, give_up
from repo_service.services.webhook_signatures import new_webhook_secret

MAX_WEBHOOKS: Final = 20
"""Of one account."""
DESCRIPTION_LENGTH: Final = 200
SEND_NOW: Final = Allowance(name="webhook-send", burst=20, every=timedelta(seconds=30))
"""Pings and replays of one account: they send requests to wherever it says."""

_BY_OWNER: Final = text("Its owner has disabled it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRecord:
    """A webhook without its secret. ``reason`` says why it is disabled."""

    id: UUID
    client_id: UUID | None
    url: str
    events: tuple[WebhookEvent, ...]
    reach: Reach
    description: str
    state: WebhookState
    reason: str | None
    failing_since: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDeliveryRecord:
    """A message and how it fared."""

    id: UUID
    event: WebhookEvent
    state: DeliveryState
    attempts: int
    answered: int | None
    reason: str | None
    message: dict[str, Any]
    next_try_at: datetime | None
    finished_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookChanges:
    """What is to be changed; None is left as it is."""

    url: str | None = None
    events: Collection[WebhookEvent] | None = None
    reach: Reach | None = None
    description: str | None = None
    enabled: bool | None = None


class Webhooks:
    """Use cases about one's own webhooks. A site or an app that acts for somebody has those that it made."""

    def __init__(
        self, database: Database, outgoing: Outgoing, jobs: Jobs, throttling: Throttling, *, sealer: Sealer
    ) -> None:
        self._database = database
        self._outgoing = outgoing
        self._jobs = jobs
        self._throttling = throttling
        self._sealer = sealer

    def register(
        self,
        identity: Identity,
        *,
        url: str,
        events: Collection[WebhookEvent],
        reach: Reach,
        description: str = "",
    ) -> tuple[WebhookRecord, str]:
        """A new webhook, and the secret that signs what it is sent, which is shown this once.

        Raises Forbidden, InvalidInput for an address that nothing is sent to, Conflict when there are too
        many.
        """
        account_id = require_account(identity, Scope.WRITE)
        self._require(identity, url, events, reach)
        secret = new_webhook_secret()
        with self._database.write() as session:
            kept = select(func.count()).select_from(Webhook).where(Webhook.account_id == account_id)
            if (session.scalar(kept) or 0) >= MAX_WEBHOOKS:
                raise Conflict("There are as many webhooks as an account may have: delete one first.")
            webhook = Webhook(
                id=new_id(),
                account_id=account_id,
                client_id=None if identity.grant_id is None else identity.client_id,
                url=url,
                events=_in_order(events),
                reach=reach.value,
                description=plain_line(description)[:DESCRIPTION_LENGTH],
                secret=self._sealer.seal(secret.encode(), owner=SEAL),
            )
            session.add(webhook)
            session.flush()
            audit(session, identity, "register", Noun.WEBHOOK, webhook.id)
            return _record(webhook), secret

    def list(self, identity: Identity) -> tuple[WebhookRecord, ...]:
        """The asker's own, oldest first."""
        account_id = require_account(identity, Scope.READ)
        query = select(Webhook).where(Webhook.account_id == account_id).order_by(Webhook.id)
        if identity.grant_id is not None:
            query = query.where(Webhook.client_id == identity.client_id)
        with self._database.read() as session:
            return tuple(map(_record, session.scalars(query)))

    def get(self, identity: Identity, webhook_id: UUID) -> WebhookRecord:
        """One of the asker's own. Raises NotFound."""
        with self._database.read() as session:
            return _record(_own(session, identity, webhook_id, Scope.READ))

    def change(self, identity: Identity, webhook_id: UUID, changes: WebhookChanges) -> WebhookRecord:
        """Change one of the asker's own. What failed while it was disabled is not sent by enabling it.

        Raises NotFound, Forbidden, InvalidInput.
        """
        require_account(identity, Scope.WRITE)
        self._require(identity, changes.url, changes.events, changes.reach)
        with self._database.write() as session:
            webhook = _own(session, identity, webhook_id, Scope.WRITE)
            webhook.url = changes.url or webhook.url
            webhook.events = webhook.events if changes.events is None else _in_order(changes.events)
            webhook.reach = webhook.reach if changes.reach is None else changes.reach.value
            if changes.description is not None:
                webhook.description = plain_line(changes.description)[:DESCRIPTION_LENGTH]
            if changes.enabled:
                webhook.disabled_at = webhook.disabled_reason = webhook.failing_since = None
            elif changes.enabled is False and webhook.disabled_at is None:
                webhook.disabled_at, webhook.disabled_reason = now(), _BY_OWNER
                _give_up_all(session, webhook)
            audit(session, identity, "change", Noun.WEBHOOK, webhook.id)
            return _record(webhook)

    def renew_secret(self, identity: Identity, webhook_id: UUID) -> tuple[WebhookRecord, str]:
        """Sign by a new secret from now on, which is shown this once. Raises NotFound."""
        secret = new_webhook_secret()
        with self._database.write() as session:
            webhook = _own(session, identity, webhook_id, Scope.WRITE)
            webhook.secret = self._sealer.seal(secret.encode(), owner=SEAL)
            audit(session, identity, "renew secret", Noun.WEBHOOK, webhook.id)
            return _record(webhook), secret

    def delete(self, identity: Identity, webhook_id: UUID) -> None:
        """Delete one of the asker's own with all its messages. Raises NotFound."""
        with self._database.write() as session:
            webhook = _own(session, identity, webhook_id, Scope.WRITE)
            session.delete(webhook)
            audit(session, identity, "delete", Noun.WEBHOOK, webhook_id)

    def ping(self, identity: Identity, webhook_id: UUID) -> WebhookDeliveryRecord:
        """Send a message that tells of nothing. Raises NotFound, Conflict for a disabled one,
        TooManyRequests."""
        self._take_turn(identity, webhook_id)
        with self._database.write() as session:
            webhook = _own(session, identity, webhook_id, Scope.WRITE)
            _require_active(webhook)
            data = {"webhook": {"id": str(webhook.id)}}
            return _delivery_record(
                enqueue_message(session, self._jobs, webhook.id, event=WebhookEvent.PING, at=now(), data=data)
            )

    def deliveries(
        self,
        identity: Identity,
        webhook_id: UUID,
        *,
        state: DeliveryState | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> Page[WebhookDeliveryRecord]:
        """What was sent to one of the asker's own, and what is to be, newest first.

        Raises NotFound, InvalidCursor.
        """
        query = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id)
        if state is not None:
            query = query.where(WebhookDelivery.state == state.value)
        if cursor is not None:
            query = query.where(WebhookDelivery.id < paging.decode_uuid(cursor))
        with self._database.read() as session:
            _own(session, identity, webhook_id, Scope.READ)
            rows = session.scalars(query.order_by(WebhookDelivery.id.desc()).limit(limit + 1)).all()
            return paging.page_of(rows, limit, key=lambda row: row.id, record=_delivery_record)

    def replay(self, identity: Identity, webhook_id: UUID, delivery_id: UUID) -> WebhookDeliveryRecord:
        """Send a message once more, at once, and as often again as a new one. It keeps its id, by which who
        gets it twice knows it. Raises NotFound, Conflict for a disabled webhook, TooManyRequests."""
        self._take_turn(identity, webhook_id)
        with self._database.write() as session:
            webhook = _own(session, identity, webhook_id, Scope.WRITE)
            delivery = session.get(WebhookDelivery, delivery_id, with_for_update=True)
            if delivery is None or delivery.webhook_id != webhook.id:
                raise NotFound("There is no such message: they are kept for a month.")
            _require_active(webhook)
            delivery.state, delivery.attempts = DeliveryState.WAITING.value, 0
            delivery.next_try_at, delivery.finished_at = now(), None
            self._jobs.enqueue(session, JobKind.NOTIFY, ALL, again=True)
            return _delivery_record(delivery)

    def _take_turn(self, identity: Identity, webhook_id: UUID) -> None:
        with self._database.read() as session:
            account_id = _own(session, identity, webhook_id, Scope.WRITE).account_id
        self._throttling.take((SEND_NOW, str(account_id)))

    def _require(
        self,
        identity: Identity,
        url: str | None,
        events: Collection[WebhookEvent] | None,
        reach: Reach | None,
    ) -> None:
        if reach is Reach.CLIENT and identity.grant_id is None:
            raise InvalidInput(errors=[FieldError("/reach", "This is for sites that people connect.")])
        if events is not None and not events:
            raise InvalidInput(errors=[FieldError("/events", "Name one event at least.")])
        if WebhookEvent.PING in (events or ()):
            raise InvalidInput(errors=[FieldError("/events", "A ping is asked for, not subscribed to.")])
        if WebhookEvent.REPORTED in (events or ()):
            require_scope(identity, Scope.MODERATE)
        if url is not None:
            try:
                self._outgoing.require_address(url)
            except RemoteFailed as error:
                raise InvalidInput(errors=[FieldError("/url", error.detail)]) from error


def _own(session: Session, identity: Identity, webhook_id: UUID, scope: Scope) -> Webhook:
    account_id = require_account(identity, scope)
    webhook = session.get(Webhook, webhook_id)
    theirs = webhook is not None and webhook.account_id == account_id
    if webhook is None or not theirs or (identity.grant_id and webhook.client_id != identity.client_id):
        raise NotFound("You have no such webhook.")
    return webhook


def _require_active(webhook: Webhook) -> None:
    if webhook.disabled_at is not None:
        raise Conflict("This webhook is disabled: enable it first.")


def _give_up_all(session: Session, webhook: Webhook) -> None:
    waiting = select(WebhookDelivery).where(
        WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.state == DeliveryState.WAITING.value
    )
    for delivery in session.scalars(waiting):
        give_up(delivery, _BY_OWNER)


def _in_order(events: Collection[WebhookEvent]) -> list[str]:
    return [event.value for event in WebhookEvent if event in events]


def _record(webhook: Webhook) -> WebhookRecord:
    return WebhookRecord(
        id=webhook.id,
        client_id=webhook.client_id,
        url=webhook.url,
        events=tuple(map(WebhookEvent, webhook.events)),
        reach=Reach(webhook.reach),
        description=webhook.description,
        state=WebhookState.ACTIVE if webhook.disabled_at is None else WebhookState.DISABLED,
        reason=webhook.disabled_reason,
        failing_since=webhook.failing_since,
        created_at=webhook.created_at,
    )


def _delivery_record(delivery: WebhookDelivery) -> WebhookDeliveryRecord:
    return WebhookDeliveryRecord(
        id=delivery.id,
        event=WebhookEvent(delivery.event),
        state=DeliveryState(delivery.state),
        attempts=delivery.attempts,
        answered=delivery.answered,
        reason=delivery.reason,
        message=json.loads(delivery.body),
        next_try_at=delivery.next_try_at,
        finished_at=delivery.finished_at,
        created_at=delivery.created_at,
    )
