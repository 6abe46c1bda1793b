"""What kind of server this is, in numbers (NodeInfo 2.1, FEP-f1d5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from repo_service.federation import contexts
from repo_service.federation.addresses import SERVICE, Addresses

SCHEMA: Final = "http://nodeinfo.diaspora.software/ns/schema/2.1"
MEDIA_TYPE: Final = f'application/json; profile="{SCHEMA}#"'
PATH: Final = "/nodeinfo/2.1"
SERVER_ACTOR: Final = f"{contexts.ACTIVITY_STREAMS}#Application"
"""FEP-2677: how the actor of a whole server is found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """How much there is. Nobody is named, and nothing that is not public is counted but the people."""

    people: int
    active_in_month: int
    active_in_half_year: int
    resources: int
    collections: int


def directory(addresses: Addresses) -> dict[str, Any]:
    """Where to read more."""
    return {
        "links": [
            {"rel": SCHEMA, "href": f"{addresses.base_url}{PATH}"},
            {"rel": SERVER_ACTOR, "href": addresses.actor(SERVICE)},
        ]
    }


def node_info(
    numbers: Numbers, *, software: str, version: str, name: str, open_registrations: bool
) -> dict[str, Any]:
    """The document that NodeInfo's schema describes."""
    return {
        "version": "2.1",
        "software": {"name": software, "version": version},
        "protocols": ["activitypub"],
        "services": {"inbound": [], "outbound": []},
        "openRegistrations": open_registrations,
        "usage": {
            "users": {
                "total": numbers.people,
                "activeMonth": numbers.active_in_month,
                "activeHalfyear": numbers.active_in_half_year,
            },
            "localPosts": numbers.resources,
        },
        "metadata": {"nodeName": name, "collections": numbers.collections},
    }
