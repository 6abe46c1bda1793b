"""What the API takes and gives about collections."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from repo_service.api.schemas import Codes, Incoming, Outgoing, PageQuery, Text
from repo_service.domain.collections import MAX_ITEMS, MAX_NOTE, MAX_SUMMARY, CollectionVisibility, ItemState
from repo_service.services.accounts import USERNAME
from repo_service.services.collections import CollectionDescription
from repo_service.services.descriptions import TITLE_LENGTH

Note = Annotated[Text, Field(max_length=MAX_NOTE)]


class CollectionChangeIn(Incoming):
    """What a curator says about a collection; what is left out stays as it is."""

    title: Annotated[Text, Field(max_length=TITLE_LENGTH)] | None = Field(
        default=None, examples=["Ecology for beginners"]
    )
    summary: Annotated[Text, Field(max_length=MAX_SUMMARY)] | None = Field(
        default=None, description="HTML; it is cleaned."
    )
    languages: Codes | None = Field(default=None, description="BCP 47 tags.", examples=[["en"]])
    subjects: Codes | None = Field(
        default=None, description="Of `/vocabularies/isced-f-2013`.", examples=[["0521"]]
    )
    visibility: CollectionVisibility | None = Field(
        default=None, description="A new collection is private unless this says otherwise."
    )

    def description(self) -> CollectionDescription:
        """The same in the words of the services."""
        return CollectionDescription(
            **{name: getattr(self, name) for name in CollectionChangeIn.model_fields}
        )


class CollectionIn(CollectionChangeIn):
    """A new collection."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=TITLE_LENGTH, pattern=r"^[^\x00]*$")] = (
        Field(examples=["Ecology for beginners"])
    )


class CollectionItemIn(Incoming):
    """A resource to put at the end."""

    resource: UUID = Field(description="A public one, or a draft of the curator's own.")
    note: Note = Field(default="", description="Plain text: why it is here, how to use it.")


class CollectionItemChangeIn(Incoming):
    """What to change about a resource in a collection; what is left out stays as it is."""

    note: Note | None = None
    position: Annotated[int, Field(ge=1, le=MAX_ITEMS, strict=True)] | None = Field(
        default=None, description="Its new place, from 1; what stands there moves down."
    )


class CollectionsQueryIn(PageQuery):
    """Which collections."""

    owner: Annotated[str, StringConstraints(pattern=f"^{USERNAME}$")] | None = Field(
        default=None, description="User name of the curator."
    )


class HideIn(Incoming):
    """Why a collection is hidden."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")] = Field(
        description="Shown to the curator, and to everybody who asks for the collection."
    )


class CollectedOut(Outgoing):
    """A resource in a collection, in short; the whole is at `api_url`."""

    id: UUID
    url: str = Field(description="The page about it.")
    api_url: str
    title: str
    summary_text: str
    licence: str | None
    languages: list[str]
    subjects: list[str]
    levels: list[str]
    types: list[str]
    owner: str
    owner_name: str
    released_at: datetime | None


class CollectionItemOut(Outgoing):
    """A place in a collection."""

    position: int = Field(description="From 1; others than the curator count only what they see.")
    note: str
    added_at: datetime
    state: ItemState = Field(
        description="What everybody sees is `public`; the rest only the curator is told."
    )
    resource_id: UUID
    resource: CollectedOut | None = Field(description="Null where even the curator may not see it any more.")
    reason: str = Field(description="Why it was withdrawn.")


class CollectionSummaryOut(Outgoing):
    """A collection in a list."""

    id: UUID
    url: str = Field(description="The page about it.")
    api_url: str
    title: str
    summary: str = Field(description="Clean HTML.")
    summary_text: str
    languages: list[str]
    subjects: list[str]
    visibility: CollectionVisibility
    owner: str
    owner_name: str
    count: int = Field(description="How many resources in it the asker sees.")
    published_at: datetime | None = Field(description="When everybody first saw it.")
    hidden_at: datetime | None = Field(description="When a moderator hid it.")
    hidden_reason: str | None
    created_at: datetime
    updated_at: datetime


class CollectionOut(CollectionSummaryOut):
    """A collection with what is in it, in order."""

    items: list[CollectionItemOut]


class CollectionPageOut(Outgoing):
    """A page of collections."""

    items: list[CollectionSummaryOut]
    next_cursor: str | None
