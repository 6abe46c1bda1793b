"""Words of webhooks: what they tell of, whose things, and how far a delivery is."""

from __future__ import annotations

import enum


class WebhookEvent(enum.StrEnum):
    """What somebody elsewhere can be told of. Nobody subscribes to ``PING``: it is asked for."""

    INSPECTED = "resource.inspected"
    RELEASED = "resource.released"
    WITHDRAWN = "resource.withdrawn"
    REPORTED = "resource.reported"
    PING = "webhook.ping"


class Reach(enum.StrEnum):
    """Whose resources a webhook tells of: those of its account; those that came through the site or app that
    made it, of everybody who lets it act for them; or all that everybody can see."""

    OWN = "own"
    CLIENT = "client"
    PUBLIC = "public"


class WebhookState(enum.StrEnum):
    """Whether anything is sent. ``disabled``: it failed for too long, or its owner said so."""

    ACTIVE = "active"
    DISABLED = "disabled"


class DeliveryState(enum.StrEnum):
    """How far a delivery is: it ``waits`` for its first or next try, or has come to an end."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
