"""JSON Resource Descriptors of actors (RFC 7033, section 4.4)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from repo_service.federation import contexts
from repo_service.federation.actors import Actor
from repo_service.federation.addresses import SERVICE, Addresses

PROFILE_PAGE: Final = "http://webfinger.net/rel/profile-page"
SERVER_ACTOR: Final = f"{contexts.ACTIVITY_STREAMS}#Service"
"""FEP-d556: how the actor of a whole server is found by the server's address."""


def descriptor(actor: Actor, addresses: Addresses, *, relations: Collection[str] = ()) -> dict[str, Any]:
    """Who somebody is. ``relations`` are those that the asker wants to know of; none means all (RFC 7033,
    section 4.3)."""
    own = addresses.actor(actor.ref)
    links = [
        {"rel": "self", "type": contexts.MEDIA_TYPE, "href": own},
        {"rel": PROFILE_PAGE, "type": "text/html", "href": actor.page},
    ]
    if actor.ref == SERVICE:
        links.append({"rel": SERVER_ACTOR, "type": contexts.MEDIA_TYPE, "href": own})
    return {
        "subject": f"acct:{addresses.handle(actor.username)}",
        "aliases": [own, actor.page],
        "links": [link for link in links if not relations or link["rel"] in relations],
    }
