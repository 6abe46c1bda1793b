"""What the API takes and gives about webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StringConstraints

from repo_service.api.schemas import Incoming, Outgoing, PageQuery, Text
from repo_service.domain.webhooks import DeliveryState, Reach, WebhookEvent, WebhookState
from repo_service.models.webhook import URL_LENGTH
from repo_service.services.webhooks import DESCRIPTION_LENGTH

Subscribed = Literal[
    WebhookEvent.INSPECTED, WebhookEvent.RELEASED, WebhookEvent.WITHDRAWN, WebhookEvent.REPORTED
]
Address = Annotated[str, StringConstraints(min_length=1, max_length=URL_LENGTH, pattern=r"^[!-~]+$")]
Events = Annotated[
    list[Subscribed],
    Field(min_length=1, max_length=20, description="`resource.reported` is for moderators."),
]
Said = Annotated[Text, Field(max_length=DESCRIPTION_LENGTH, description="What it is for, for its owner.")]
_REACH = (
    "Of whose resources it tells: the account's own; also, for a site or app that people connect, those that "
    "came through it; or also all that everybody can see."
)


class WebhookIn(Incoming):
    """A new webhook."""

    url: Address = Field(description="https, on port 443, at an address on the open internet.")
    events: Events
    reach: Reach = Field(default=Reach.OWN, description=_REACH)
    description: Said = ""


class WebhookChangesIn(Incoming):
    """What is left out stays."""

    url: Address | None = None
    events: Events | None = None
    reach: Reach | None = Field(default=None, description=_REACH)
    description: Said | None = None
    enabled: StrictBool | None = Field(
        default=None, description="False: what waits is given up. True: what happens from now on is sent."
    )


class WebhookOut(Outgoing):
    """A webhook without its secret."""

    id: UUID
    client_id: UUID | None = Field(description="The site or app that made it, if one did.")
    url: str
    events: list[WebhookEvent]
    reach: Reach
    description: str
    state: WebhookState
    reason: str | None = Field(description="Why it is disabled.")
    failing_since: datetime | None = Field(description="Since when it has taken nothing.")
    created_at: datetime


class WebhookWithSecretOut(WebhookOut):
    """A webhook with its secret."""

    secret: str = Field(description="Signs what is sent. Shown this once.")


class WebhooksOut(Outgoing):
    """All of one's own."""

    items: list[WebhookOut]


class WebhookDeliveriesQueryIn(PageQuery):
    """Which messages."""

    state: DeliveryState | None = None


class WebhookDeliveryOut(Outgoing):
    """A message and how it fared."""

    id: UUID = Field(description="Of the message: its `webhook-id`, whenever it is sent.")
    event: WebhookEvent
    state: DeliveryState
    attempts: int
    answered: int | None = Field(description="HTTP status of the last answer.")
    reason: str | None = Field(description="What went wrong the last time.")
    message: dict[str, Any] = Field(description="What is sent.")
    next_try_at: datetime | None
    finished_at: datetime | None
    created_at: datetime


class WebhookDeliveryPageOut(Outgoing):
    """A page of messages, newest first."""

    items: list[WebhookDeliveryOut]
    next_cursor: str | None
