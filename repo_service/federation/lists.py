"""Ordered collections of ActivityStreams and their pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from repo_service.federation import contexts
from repo_service.federation.activities import Told, activity_object
from repo_service.federation.addresses import ActorRef, Addresses


def counted(address: str, total: int) -> dict[str, Any]:
    """A list of which everybody may know how long it is, and no more: followers, following."""
    return contexts.in_context({"id": address, "type": "OrderedCollection", "totalItems": total})


def outbox(ref: ActorRef, total: int, addresses: Addresses) -> dict[str, Any]:
    """The outbox of an actor: how much is in it, and where it begins."""
    return contexts.in_context(
        {
            "id": addresses.outbox(ref),
            "type": "OrderedCollection",
            "attributedTo": addresses.actor(ref),
            "totalItems": total,
            "first": addresses.outbox_page(ref),
        }
    )


def outbox_page(
    ref: ActorRef, told: Sequence[Told], *, cursor: str, next_cursor: str | None, addresses: Addresses
) -> dict[str, Any]:
    """One page of an outbox, ``cursor`` the one that it was asked for by."""
    page: dict[str, Any] = {
        "id": addresses.outbox_page(ref, cursor),
        "type": "OrderedCollectionPage",
        "partOf": addresses.outbox(ref),
        "orderedItems": [activity_object(one, addresses) for one in told],
    }
    if next_cursor is not None:
        page["next"] = addresses.outbox_page(ref, next_cursor)
    return contexts.in_context(page, contexts.OF_OBJECTS)
