"""What the API takes and gives about other servers and what they publish."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from repo_service.api.schemas import (
    Code,
    Cursor,
    FacetCountOut,
    Incoming,
    IndexHomeOut,
    Outgoing,
    PageQuery,
    Query,
    Text,
)
from repo_service.domain.network import EntryKind, Standing
from repo_service.domain.search import Facet, Sort
from repo_service.federation.incoming import LONGEST_ID
from repo_service.services.descriptions import LIST_LENGTH
from repo_service.services.instances import REASON_LENGTH

Reason = Annotated[str, StringConstraints(max_length=REASON_LENGTH, pattern=r"^[^\x00]*$")]
Uri = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ID, pattern=r"^[!-~]+$")]
NetworkFacet = Literal[
    Facet.KIND, Facet.HOST, Facet.TYPE, Facet.SUBJECT, Facet.LEVEL, Facet.LANGUAGE, Facet.LICENCE
]


class NetworkOut(Outgoing):
    """The index of the network, as it is kept here."""

    mirror_of: IndexHomeOut | None = Field(
        description="Where it comes from, when this is a mirror of the index."
    )


class NetworkQueryIn(PageQuery):
    """A search. Values of one filter are alternatives; different filters must all hold."""

    q: Annotated[Text, Field(max_length=500)] = Field(
        default="", description='Words (all wanted), "a phrase", prefix*.'
    )
    kind: list[EntryKind] = Field(default=[], max_length=LIST_LENGTH)
    host: list[Code] = Field(default=[], max_length=LIST_LENGTH, description="Servers.")
    type: list[Code] = Field(default=[], max_length=LIST_LENGTH)
    subject: list[Code] = Field(default=[], max_length=LIST_LENGTH)
    level: list[Code] = Field(default=[], max_length=LIST_LENGTH)
    language: list[Code] = Field(default=[], max_length=LIST_LENGTH)
    licence: list[Code] = Field(default=[], max_length=LIST_LENGTH)
    facet: list[NetworkFacet] = Field(default=[], description="Which facets to count.")
    sort: Sort = Field(default=Sort.BEST, description="The order: what fits best first, or the newest.")


class NetworkFileOut(Outgoing):
    """A file, where it is at home."""

    href: str
    media_type: str
    size: int | None = Field(description="Bytes.")
    sha256: str | None


class NetworkEntryOut(Outgoing):
    """Something that another server has. What can be done with it is to be seen at its home."""

    id: UUID
    kind: EntryKind
    uri: str = Field(description="Its ActivityPub id.")
    url: str = Field(description="Its page at home.")
    host: str
    is_reachable: bool = Field(description="Whether its server answered when it was spoken to last.")
    by: str | None = Field(description="ActivityPub id of whose it is.")
    name: str
    summary: str = Field(description="Plain text.")
    icon: str | None
    licence: str | None = Field(description="A code of /vocabularies/licences, or what the server says.")
    languages: list[str]
    subjects: list[str]
    levels: list[str]
    types: list[str]
    keywords: list[str]
    authors: list[str]
    files: list[NetworkFileOut]
    published_at: datetime | None
    changed_at: datetime | None
    indexed_at: datetime = Field(description="Since when the index has it, at the home of the index.")


class NetworkSearchOut(Outgoing):
    """A page of what fits."""

    items: list[NetworkEntryOut]
    total: int
    facets: dict[str, list[FacetCountOut]]
    next_cursor: str | None


class NetworkChangesQueryIn(Query):
    """Where to go on."""

    since: Cursor | None = Field(
        default=None, description="`cursor` of the answer before; all from the beginning without one."
    )
    limit: int = Field(default=100, ge=1, le=1000, description="How many at the most.")


class NetworkOriginOut(Outgoing):
    """A server that entries are from."""

    is_reachable: bool = Field(description="Of each of its entries, from now on.")


class NetworkChangeOut(Outgoing):
    """Something came, or was changed; without an entry it has gone. Without a `uri` it is about all of
    `host`: its entries stay, and are from such an `origin`; without that they have gone."""

    host: str
    uri: str | None
    entry: NetworkEntryOut | None
    origin: NetworkOriginOut | None


class NetworkChangesOut(Outgoing):
    """Some changes in order. The same entry may be in it several times, always as it is now."""

    items: list[NetworkChangeOut]
    cursor: str = Field(description="`since` for what follows, also when nothing follows yet.")
    has_more: bool


class HideEntryIn(Incoming):
    """An entry is to be shown to nobody."""

    reason: Annotated[Reason, StringConstraints(min_length=1)]


class HiddenEntryOut(Outgoing):
    """An entry that moderators hid."""

    entry: NetworkEntryOut
    reason: str
    hidden_at: datetime


class HiddenEntryPageOut(Outgoing):
    """A page of those."""

    items: list[HiddenEntryOut]
    next_cursor: str | None


class InstanceQueryIn(PageQuery):
    """Which servers."""

    standing: Standing | None = None


class InstanceIn(Incoming):
    """What is thought of a server."""

    standing: Standing = Field(
        description="`approved`: it is followed, and what it publishes comes into the index. `known`: its "
        "people may follow. `blocked`: nothing is spoken with it."
    )
    reason: Reason = Field(default="", description="For other administrators.")


class InstanceOut(Outgoing):
    """Another server."""

    host: str
    standing: Standing
    reason: str
    decided_at: datetime | None
    actor: str | None = Field(description="ActivityPub id of who speaks for it.")
    is_reachable: bool = Field(description="False: it did not answer for a week, and is sent nothing.")
    failing_since: datetime | None
    entries: int = Field(description="How many the index keeps of it. They are found while it is approved.")
    last_seen_at: datetime | None = Field(description="When it last answered, or sent something.")
    created_at: datetime


class InstancePageOut(Outgoing):
    """A page of servers."""

    items: list[InstanceOut]
    next_cursor: str | None


class BlockedActorIn(Incoming):
    """Somebody elsewhere who is not spoken with."""

    actor: Uri = Field(description="ActivityPub id.")
    reason: Reason = ""


class BlockedActorQueryIn(Query):
    """Whom."""

    actor: Uri = Field(description="ActivityPub id.")


class BlockedActorOut(Outgoing):
    """Somebody elsewhere who is not spoken with."""

    id: str = Field(description="ActivityPub id.")
    reason: str
    blocked_at: datetime


class BlockedActorPageOut(Outgoing):
    """A page of those."""

    items: list[BlockedActorOut]
    next_cursor: str | None
