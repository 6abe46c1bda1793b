"""Where everything is that other servers ask for: one scheme of addresses, made of ids that never change.

What ActivityPub names stands under ``/ap/``, apart from the pages about the same things: an id is the same
whatever a client accepts, and neither a new user name nor another look of the pages changes it. See
docs/adr/0023-activitypub-ids-stand-apart-from-the-pages.md.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlsplit
from uuid import UUID

PREFIX: Final = "/ap"
FIRST_PAGE: Final = "first"
"""What stands in the place of a cursor for the first page of a collection."""

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MOMENT: Final = "%Y%m%dT%H%M%S%fZ"
_WRITTEN_MOMENT: Final = re.compile(r"[0-9]{8}T[0-9]{12}Z")


class ActorKind(enum.StrEnum):
    """Who can act, by the folder that they stand in."""

    SERVICE = "service"
    ACCOUNT = "accounts"
    COLLECTION = "collections"


class ObjectKind(enum.StrEnum):
    """What activities are about, by the folder that it stands in."""

    RESOURCE = "resources"
    COLLECTION = "collections"
    ACCOUNT = "accounts"


class ActivityKind(enum.StrEnum):
    """What was done to an object, as it stands in the address of the activity."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


class KeyName(enum.StrEnum):
    """The fragment that names a key of an actor."""

    RSA = "main-key"
    """For draft-cavage-http-signatures, where this name is a custom that some software relies on."""
    ED25519 = "ed25519-key"
    """For RFC 9421 and object integrity proofs (FEP-521a)."""


@dataclass(frozen=True, slots=True)
class ActorRef:
    """An actor of ours. ``id`` is that of the account or collection, None for the service itself."""

    kind: ActorKind
    id: UUID | None = None

    @property
    def path(self) -> str:
        """Where it stands under ``/ap/``: its name in the database, too."""
        return self.kind.value if self.id is None else f"{self.kind.value}/{self.id}"


SERVICE: Final = ActorRef(ActorKind.SERVICE)


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of a service at ``base_url`` (no slash at its end)."""

    base_url: str

    # Actors

    def actor(self, ref: ActorRef) -> str:
        """The id of an actor."""
        return f"{self.base_url}{PREFIX}/{ref.path}"

    def inbox(self, ref: ActorRef) -> str:
        """Where others POST what is for this actor."""
        return f"{self.actor(ref)}/inbox"

    def outbox(self, ref: ActorRef) -> str:
        """What it did, newest first."""
        return f"{self.actor(ref)}/outbox"

    def outbox_page(self, ref: ActorRef, cursor: str = FIRST_PAGE) -> str:
        """One page of that."""
        return f"{self.outbox(ref)}?page={quote(cursor, safe='')}"

    def followers(self, ref: ActorRef) -> str:
        """Who follows it."""
        return f"{self.actor(ref)}/followers"

    def following(self, ref: ActorRef) -> str:
        """Whom it follows."""
        return f"{self.actor(ref)}/following"

    def key(self, ref: ActorRef, name: KeyName) -> str:
        """The id of one of its keys: what signatures name as ``keyId``."""
        return f"{self.actor(ref)}#{name}"

    @property
    def shared_inbox(self) -> str:
        """Where others POST once what is for several actors here."""
        return f"{self.base_url}{PREFIX}/inbox"

    @property
    def host(self) -> str:
        """What stands behind the @ of an address: with its port where that is not the usual one."""
        return urlsplit(self.base_url).netloc

    def handle(self, username: str) -> str:
        """``name@host``, as people type it to find an actor."""
        return f"{username}@{self.host}"

    # Objects and activities

    def object(self, kind: ObjectKind, id_: UUID) -> str:
        """The id of what activities are about. That of a collection or an account is the actor's."""
        return f"{self.base_url}{PREFIX}/{kind}/{id_}"

    def activity(self, kind: ActivityKind, of: ObjectKind, id_: UUID, at: datetime) -> str:
        """The id of an activity: the same deed has the same one wherever it is listed or sent."""
        return f"{self.object(of, id_)}/{kind}/{written(at)}"

    def announcement(self, kind: ActivityKind, of: ObjectKind, id_: UUID, at: datetime) -> str:
        """The id of the service's telling of an activity."""
        return f"{self.actor(SERVICE)}/announce/{of}/{id_}/{kind}/{written(at)}"

    def collected(self, collection_id: UUID, resource_id: UUID, at: datetime) -> str:
        """The id of a collection's telling of what was put into it."""
        collection = ActorRef(ActorKind.COLLECTION, collection_id)
        return f"{self.actor(collection)}/announce/{resource_id}/{written(at)}"

    # What others name

    def is_ours(self, uri: str) -> bool:
        """Whether it is an address of this service, of whatever."""
        return uri == self.base_url or uri.startswith((f"{self.base_url}/", f"{self.base_url}#"))

    def resource_of(self, uri: str) -> UUID | None:
        """The resource of ours that has that id, if it has the form of one."""
        found = _UUID.fullmatch(uri.removeprefix(f"{self.base_url}{PREFIX}/{ObjectKind.RESOURCE}/"))
        return None if found is None else UUID(found[0])

    def ref_of(self, uri: str) -> ActorRef | None:
        """The actor of ours that has that id, if it has the form of one."""
        if uri == self.actor(SERVICE):
            return SERVICE
        for kind in (ActorKind.ACCOUNT, ActorKind.COLLECTION):
            found = _UUID.fullmatch(uri.removeprefix(f"{self.base_url}{PREFIX}/{kind}/"))
            if found is not None:
                return ActorRef(kind, UUID(found[0]))
        return None

    # Pages and files, for people

    @property
    def home_page(self) -> str:
        """The front page."""
        return f"{self.base_url}/"

    def resource_page(self, resource_id: UUID) -> str:
        """The page about a resource."""
        return f"{self.base_url}/resources/{resource_id}"

    def collection_page(self, collection_id: UUID) -> str:
        """The page about a collection."""
        return f"{self.base_url}/collections/{collection_id}"

    def person_page(self, username: str) -> str:
        """The page about a person."""
        return f"{self.base_url}/people/{quote(username, safe='')}"

    def file(self, resource_id: UUID, number: int, file_name: str) -> str:
        """The file of a released version."""
        return f"{self.base_url}/files/{resource_id}/{number}/{quote(file_name, safe='')}"


def written(moment: datetime) -> str:
    """A moment as it stands in an address: ``20261128T151659000000Z``."""
    return moment.astimezone(UTC).strftime(_MOMENT)


def read_moment(text: str) -> datetime:
    """The moment that ``written`` wrote. Raises ValueError."""
    if not _WRITTEN_MOMENT.fullmatch(text):
        raise ValueError("no moment")
    return datetime.strptime(text, _MOMENT).replace(tzinfo=UTC)
