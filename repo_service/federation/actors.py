"""Actors: the service (Application), people (Person), collections (Group)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from repo_service.federation import contexts
from repo_service.federation.addresses import SERVICE, ActorKind, ActorRef, Addresses, KeyName
from repo_service.federation.times import timestamp

SERVICE_USERNAME: Final = "_service"
"""No account can have it: their names begin with a letter or a digit."""

_COLLECTION_USERNAME: Final = "_collection-"
_TYPES: Final = {
    ActorKind.SERVICE: "Application",
    ActorKind.ACCOUNT: "Person",
    ActorKind.COLLECTION: "Group",
}
_IMPLEMENTED: Final = (
    ("https://datatracker.ietf.org/doc/html/rfc9421", "RFC-9421: HTTP Message Signatures"),
    (
        "https://datatracker.ietf.org/doc/html/rfc9421#name-eddsa-using-curve-edwards25",
        "RFC-9421 signatures using the Ed25519 algorithm",
    ),
)
"""FEP-844e, with the identifiers and names of its registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKeys:
    """What others check the signatures of an actor with. ``rsa`` is a SubjectPublicKeyInfo in PEM,
    ``ed25519`` a Multikey (https://www.w3.org/TR/controller-document/#Multikey)."""

    rsa: str
    ed25519: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """An actor that everybody may know. ``summary`` is HTML, ``page`` what people look at, ``attributed_to``
    the curator of a collection. ``published`` is when it came to be known."""

    ref: ActorRef
    username: str
    name: str
    page: str
    summary: str = ""
    published: datetime | None = None
    attributed_to: ActorRef | None = None


def collection_username(collection_id: UUID) -> str:
    """How a collection is addressed: by its id, for titles change, and more than one has the same."""
    return f"{_COLLECTION_USERNAME}{collection_id}"


def collection_of_username(username: str) -> UUID | None:
    """The collection that is addressed so, None for what is no such name."""
    if not username.startswith(_COLLECTION_USERNAME):
        return None
    try:
        found = UUID(username[len(_COLLECTION_USERNAME) :])
    except ValueError:
        return None
    return found if collection_username(found) == username else None


def actor_document(actor: Actor, keys: PublicKeys, addresses: Addresses) -> dict[str, Any]:
    """The whole document of an actor (ActivityPub, section 4.1)."""
    ref, own = actor.ref, addresses.actor(actor.ref)
    document: dict[str, Any] = {
        "id": own,
        "type": _TYPES[ref.kind],
        "preferredUsername": actor.username,
        "webfinger": addresses.handle(actor.username),
        "name": actor.name,
        "url": actor.page,
        "inbox": addresses.inbox(ref),
        "outbox": addresses.outbox(ref),
        "followers": addresses.followers(ref),
        "following": addresses.following(ref),
        "endpoints": {"sharedInbox": addresses.shared_inbox},
        "manuallyApprovesFollowers": False,
        "publicKey": {
            "id": addresses.key(ref, KeyName.RSA),
            "type": "Key",
            "owner": own,
            "publicKeyPem": keys.rsa,
        },
        "assertionMethod": [
            {
                "id": addresses.key(ref, KeyName.ED25519),
                "type": "Multikey",
                "controller": own,
                "publicKeyMultibase": keys.ed25519,
            }
        ],
    }
    if actor.summary:
        document["summary"] = actor.summary
    if actor.published is not None:
        document["published"] = timestamp(actor.published)
    if actor.attributed_to is not None:
        document["attributedTo"] = addresses.actor(actor.attributed_to)
    implements = [{"type": "Link", "href": href, "name": name} for href, name in _IMPLEMENTED]
    if ref == SERVICE:
        document["implements"] = implements
    else:
        document["generator"] = {
            "id": addresses.actor(SERVICE),
            "type": "Application",
            "implements": implements,
        }
    return contexts.in_context(document, contexts.OF_ACTORS)
