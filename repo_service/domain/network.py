"""Words of the network of servers: how another one stands here, and what there is of it in the index."""

from __future__ import annotations

import enum


class Standing(enum.StrEnum):
    """What administrators say of another server. Those that are ``known`` may follow; what ``approved`` ones
    publish is in the index; ``blocked`` ones are not spoken with."""

    KNOWN = "known"
    APPROVED = "approved"
    BLOCKED = "blocked"


class EntryKind(enum.StrEnum):
    """What the index tells of."""

    COMMUNITY = "community"
    COLLECTION = "collection"
    RESOURCE = "resource"
    USER = "user"
