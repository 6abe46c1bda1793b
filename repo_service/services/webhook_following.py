"""Which webhooks are told of which change: it follows the table of changes, as the search index does.

How far it has come is written in the transaction that queues the messages: none is lost and none is queued
twice, whatever stops in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, literal, or_, select
from sqlalchemy.orm import Session

from repo_service.domain.identity import SCOPES_OF_ROLE, Role, Scope
from repo_service.domain.resources import ChangeKind, Noun, Visibility
from repo_service.domain.webhooks import Reach, WebhookEvent
from repo_service.models import Account, Grant, Position, Report, Resource, Version, Webhook
from repo_service.models.database import Database
from repo_service.models.insert import insert_if_absent
from repo_service.services.changes import ChangeRecord, Changes
from repo_service.services.jobs import Jobs
from repo_service.services.webhook_messages import enqueue_message, is_heard

NAME: Final = "webhooks"
"""Of its position."""

_BATCH: Final = 200
_NOUNS: Final = (Noun.RESOURCE, Noun.REPORT)
_EVENTS: Final = {
    ChangeKind.INSPECTED.value: WebhookEvent.INSPECTED,
    ChangeKind.RELEASED.value: WebhookEvent.RELEASED,
    ChangeKind.RESTORED.value: WebhookEvent.RELEASED,
    ChangeKind.WITHDRAWN.value: WebhookEvent.WITHDRAWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Happened:
    """Something that webhooks are told of. ``is_public``: everybody may know of it."""

    event: WebhookEvent
    resource_id: UUID
    owner_id: UUID
    is_public: bool
    at: datetime
    data: dict[str, Any]


class WebhookFollower:
    """Follows the changes. One at a time: a second one finds that the position has moved, and begins anew."""

    def __init__(self, database: Database, changes: Changes, jobs: Jobs, *, base_url: str) -> None:
        self._database = database
        self._changes = changes
        self._jobs = jobs
        self._base_url = base_url

    def follow(self) -> int:
        """Queue messages for everything up to the newest committed change; returns how many changes that
        were."""
        self._changes.sequence()
        followed = 0
        while True:
            with self._database.write() as session:
                insert_if_absent(session, Position, name=NAME, seq=0)
                position = session.get_one(Position, NAME).seq
            changes = self._changes.after(position, limit=_BATCH, nouns=_NOUNS)
            if not changes:
                return followed
            with self._database.write() as session:
                row = session.get_one(Position, NAME, with_for_update=True)
                if row.seq != position:
                    continue
                if session.scalar(select(Webhook.id).limit(1)) is not None:
                    self._queue(session, changes)
                row.seq = changes[-1].seq
            followed += len(changes)

    def _queue(self, session: Session, changes: Sequence[ChangeRecord]) -> None:
        for happened in self._happened(session, changes):
            for webhook_id in _listening(session, happened):
                enqueue_message(
                    session,
                    self._jobs,
                    webhook_id,
                    event=happened.event,
                    at=happened.at,
                    data=happened.data,
                )

    def _happened(self, session: Session, changes: Sequence[ChangeRecord]) -> Iterator[_Happened]:
        for change in changes:
            if change.noun == Noun.REPORT.value:
                report = session.get(Report, UUID(change.noun_id))
                resource = None if report is None else session.get(Resource, report.resource_id)
                if report is None or resource is None:
                    continue
                yield _Happened(
                    event=WebhookEvent.REPORTED,
                    resource_id=resource.id,
                    owner_id=resource.owner_id,
                    is_public=False,
                    at=change.at,
                    data={
                        "resource": self._resource(resource.id),
                        "report": {"id": str(report.id), "reason": report.reason},
                    },
                )
                continue
            event = _EVENTS.get(change.what)
            resource = None if event is None else session.get(Resource, UUID(change.noun_id))
            if event is None or resource is None:
                continue
            is_out = resource.visibility == Visibility.PUBLIC.value
            if event is WebhookEvent.RELEASED and not is_out:
                continue  # it was withdrawn meanwhile, or a draft is back
            was_out = event is WebhookEvent.WITHDRAWN and resource.released_at is not None
            yield _Happened(
                event=event,
                resource_id=resource.id,
                owner_id=resource.owner_id,
                is_public=was_out or event is WebhookEvent.RELEASED,
                at=change.at,
                data={"resource": self._resource(resource.id)},
            )

    def _resource(self, id_: UUID) -> dict[str, str]:
        return {
            "id": str(id_),
            "url": f"{self._base_url}/resources/{id_}",
            "api_url": f"{self._base_url}/api/v1/resources/{id_}",
        }


def _listening(session: Session, happened: _Happened) -> list[UUID]:
    """The webhooks that are told of it. Reports are for those who decide over them, whose resource it may
    be."""
    query = (
        select(Webhook, Account.role)
        .join(Account, Account.id == Webhook.account_id)
        .where(is_heard(), Webhook.created_at <= happened.at)
        .order_by(Webhook.id)
    )
    if happened.event is not WebhookEvent.REPORTED:
        query = query.where(
            or_(
                Webhook.account_id == happened.owner_id,
                and_(Webhook.reach == Reach.CLIENT.value, _came_through_its_client(happened)),
                and_(Webhook.reach == Reach.PUBLIC.value, literal(happened.is_public)),
            )
        )
    return [
        webhook.id
        for webhook, role in session.execute(query)
        if happened.event.value in webhook.events
        and (happened.event is not WebhookEvent.REPORTED or Scope.MODERATE in SCOPES_OF_ROLE[Role(role)])
    ]


def _came_through_its_client(happened: _Happened) -> ColumnElement[bool]:
    """Whether the resource was sent by the site or app that made the webhook, and its owner still lets that
    act for them."""
    sent = exists().where(Version.resource_id == happened.resource_id, Version.client_id == Webhook.client_id)
    connected = exists().where(
        Grant.account_id == happened.owner_id,
        Grant.client_id == Webhook.client_id,
        Grant.revoked_at.is_(None),
    )
    return and_(sent, connected)
