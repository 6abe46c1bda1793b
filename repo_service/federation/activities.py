"""Activities: what was done to a resource or a collection, and who tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from repo_service.federation import contexts
from repo_service.federation.addresses import (
    SERVICE,
    ActivityKind,
    ActorKind,
    ActorRef,
    Addresses,
    ObjectKind,
    written,
)
from repo_service.federation.objects import Document, Tombstone, document_object, tombstone_object
from repo_service.federation.times import timestamp

_TYPES: Final = {
    ActivityKind.CREATE: "Create",
    ActivityKind.UPDATE: "Update",
    ActivityKind.DELETE: "Delete",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Something that was done to an object at that moment. ``object`` is as it is now, None where it is named
    only: a collection is an actor, and says itself what it is."""

    kind: ActivityKind
    actor: ActorRef
    of: ObjectKind
    id: UUID
    at: datetime
    object: Document | Tombstone | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """The service tells of what somebody here did (FEP-1b12, "The Announce activity")."""

    activity: Activity


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """A collection tells of a resource that was put into it at that moment."""

    collection_id: UUID
    resource_id: UUID
    at: datetime


Told = Activity | Announcement | Collected
"""What stands in an outbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arranged:
    """A resource was put into a collection, or taken out of it: sent, and listed nowhere."""

    collection_id: UUID
    resource_id: UUID
    at: datetime
    added: bool


def activity_object(told: Told, addresses: Addresses) -> dict[str, Any]:
    """An activity as it stands within a collection."""
    match told:
        case Activity():
            return _activity(told, addresses)
        case Announcement():
            return _announcement(told.activity, addresses)
        case Collected():
            return _collected(told, addresses)


def activity_document(told: Told, addresses: Addresses) -> dict[str, Any]:
    """An activity as a whole document: what is sent to inboxes."""
    return contexts.in_context(activity_object(told, addresses), contexts.OF_OBJECTS)


def arranged_document(arranged: Arranged, addresses: Addresses) -> dict[str, Any]:
    """As a whole document (ActivityPub, sections 7.8 and 7.9): the ``target`` of both is the collection."""
    group = ActorRef(ActorKind.COLLECTION, arranged.collection_id)
    own = addresses.actor(group)
    type_ = "Add" if arranged.added else "Remove"
    return contexts.in_context(
        {
            "id": f"{own}#{type_.lower()}/{arranged.resource_id}/{written(arranged.at)}",
            "type": type_,
            "actor": own,
            "published": timestamp(arranged.at),
            "to": [contexts.PUBLIC],
            "cc": [addresses.followers(group)],
            "object": addresses.object(ObjectKind.RESOURCE, arranged.resource_id),
            "target": own,
        }
    )


def _activity(activity: Activity, addresses: Addresses) -> dict[str, Any]:
    return {
        "id": addresses.activity(activity.kind, activity.of, activity.id, activity.at),
        "type": _TYPES[activity.kind],
        "actor": addresses.actor(activity.actor),
        "published": timestamp(activity.at),
        "to": [contexts.PUBLIC],
        "cc": [addresses.followers(activity.actor)],
        "object": _object(activity, addresses),
    }


def _announcement(activity: Activity, addresses: Addresses) -> dict[str, Any]:
    return {
        "id": addresses.announcement(activity.kind, activity.of, activity.id, activity.at),
        "type": "Announce",
        "actor": addresses.actor(SERVICE),
        "published": timestamp(activity.at),
        "to": [contexts.PUBLIC],
        "cc": [addresses.followers(SERVICE)],
        "object": _activity(activity, addresses),
    }


def _collected(collected: Collected, addresses: Addresses) -> dict[str, Any]:
    group = ActorRef(ActorKind.COLLECTION, collected.collection_id)
    return {
        "id": addresses.collected(collected.collection_id, collected.resource_id, collected.at),
        "type": "Announce",
        "actor": addresses.actor(group),
        "published": timestamp(collected.at),
        "to": [contexts.PUBLIC],
        "cc": [addresses.followers(group)],
        "object": addresses.object(ObjectKind.RESOURCE, collected.resource_id),
    }


def _object(activity: Activity, addresses: Addresses) -> dict[str, Any] | str:
    match activity.object:
        case Document():
            return document_object(activity.object, addresses)
        case Tombstone():
            return tombstone_object(activity.object)
        case None:
            return addresses.object(activity.of, activity.id)
