"""Collections: put together, describe, arrange, publish; and who sees what of them.

A collection may hold what belongs to others. So what becomes of its resources is not its curator's to say:
one that is withdrawn, or was never public, stands in it for the curator alone, until they take it out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection as Many
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Integer, Select, Uuid, and_, bindparam, case, delete, exists, func, select
from sqlalchemy.orm import Session

from repo_service.domain.collections import (
    MAX_COLLECTIONS,
    MAX_ITEMS,
    MAX_NOTE,
    MAX_SUMMARY,
    CollectionVisibility,
    ItemState,
)
from repo_service.domain.errors import (
    Conflict,
    EmailUnconfirmed,
    FieldError,
    Forbidden,
    Gone,
    InvalidInput,
    NotFound,
    PreconditionFailed,
)
from repo_service.domain.identity import PUBLIC, Identity, Scope
from repo_service.domain.resources import ChangeKind, Noun, Visibility
from repo_service.domain.texts import text
from repo_service.inspection.text import clean_paragraphs, html_to_text
from repo_service.models import Account, Collection, CollectionItem, Resource
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services import descriptions, paging
from repo_service.services.accounts import SHOWN, require_account, require_scope
from repo_service.services.descriptions import Description, plain_line
from repo_service.services.reading import records_of, visible
from repo_service.services.records import Page, ResourceRecord, name_of
from repo_service.services.trail import audit, record_change

IfMatch = Set[str] | None
"""Entity tags, one of which must be that of the present state; None for whatever state it is in."""

_TAG_LENGTH: Final = 12
_DELETED: Final = text("This collection was deleted.")
_HIDDEN: Final = text("A moderator has hidden this collection.")
SHOWN_TO_ALL: Final = and_(
    Collection.visibility == CollectionVisibility.PUBLIC.value,
    Collection.hidden_at.is_(None),
    Collection.deleted_at.is_(None),
)

_IS_PUBLIC = Resource.visibility == Visibility.PUBLIC.value
_COUNTS = (
    select(
        CollectionItem.collection_id,
        func.count().label("all"),
        func.sum(case((_IS_PUBLIC, 1), else_=0)).label("public"),
    )
    .join(Resource, Resource.id == CollectionItem.resource_id)
    .group_by(CollectionItem.collection_id)
)
HOLDS_SOMETHING: Final = exists().where(
    CollectionItem.collection_id == Collection.id, Resource.id == CollectionItem.resource_id, _IS_PUBLIC
)
_WITH_RESOURCE = (
    select(Collection.id)
    .join(CollectionItem, CollectionItem.collection_id == Collection.id)
    .join(Account, Account.id == Collection.owner_id)
    .where(CollectionItem.resource_id == bindparam("id", type_=Uuid()), SHOWN_TO_ALL, SHOWN)
    .order_by(Collection.id.desc())
    .limit(bindparam("limit", type_=Integer))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionDescription:
    """What a curator says; None leaves a field as it is. ``summary`` is HTML and is cleaned."""

    title: str | None = None
    summary: str | None = None
    languages: Sequence[str] | None = None
    subjects: Sequence[str] | None = None
    visibility: CollectionVisibility | None = None

    def given(self) -> tuple[str, ...]:
        """Names of the fields that say something."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name) is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionRecord:
    """A collection in a list. ``count`` is how many of its resources the asker sees in it, for its curator
    also those that nobody else does."""

    id: UUID
    title: str
    summary_html: str
    summary_text: str
    languages: tuple[str, ...]
    subjects: tuple[str, ...]
    visibility: CollectionVisibility
    owner: str
    owner_name: str
    is_own: bool
    count: int
    published_at: datetime | None
    hidden_at: datetime | None
    hidden_reason: str | None
    created_at: datetime
    updated_at: datetime
    revision: int

    @property
    def is_shown(self) -> bool:
        """Whether everybody sees it."""
        return self.visibility is CollectionVisibility.PUBLIC and self.hidden_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedItem:
    """A resource in a collection. ``resource`` is None where even the curator may not see it any more;
    ``reason`` is then why it was withdrawn, if somebody said so."""

    resource_id: UUID
    position: int
    note: str
    added_at: datetime
    state: ItemState
    resource: ResourceRecord | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FullCollection:
    """A collection with what is in it, in order."""

    record: CollectionRecord
    items: tuple[CollectedItem, ...]

    @property
    def etag(self) -> str:
        """Entity tag of this view, without quotes. Edits are held against the revision, its beginning."""
        shown = [
            f"{item.resource_id}{item.state}{item.resource.revision if item.resource else ''}"
            for item in self.items
        ]
        view = "\n".join((self.record.owner_name, str(self.record.hidden_at), *shown))
        digest = hashlib.sha256(view.encode()).hexdigest()[:_TAG_LENGTH]
        return f"{self.record.revision}-{'o' if self.record.is_own else 'p'}{digest}"


class Collections:
    """Use cases about collections. What the asker may not see does not exist for them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # Looking

    def get(self, identity: Identity, collection_id: UUID) -> FullCollection:
        """One collection as the asker may see it. Raises NotFound, Gone."""
        with self._database.read() as session:
            return _full(session, identity, _visible(session, identity, collection_id))

    def public(
        self, identity: Identity, *, limit: int, cursor: str | None = None, owner: str | None = None
    ) -> Page[CollectionRecord]:
        """What everybody sees and that holds something, the newest first; of one ``owner`` (a user name) or
        of all. Raises InvalidCursor."""
        query = (
            select(Collection.id)
            .join(Account, Account.id == Collection.owner_id)
            .where(SHOWN_TO_ALL, HOLDS_SOMETHING, SHOWN)
        )
        if owner is not None:
            query = query.where(Account.username == owner)
        return self._page(identity, query.order_by(Collection.id.desc()), limit, cursor)

    def mine(self, identity: Identity, *, limit: int, cursor: str | None = None) -> Page[CollectionRecord]:
        """The asker's own, the newest first. Raises InvalidCursor."""
        own = require_account(identity, Scope.READ)
        query = select(Collection.id).where(Collection.owner_id == own, Collection.deleted_at.is_(None))
        return self._page(identity, query.order_by(Collection.id.desc()), limit, cursor)

    def with_resource(self, identity: Identity, resource_id: UUID, *, limit: int) -> list[CollectionRecord]:
        """Collections that everybody sees and that hold this resource, the newest first."""
        with self._database.rows() as connection:
            ids = connection.execute(_WITH_RESOURCE, {"id": resource_id, "limit": limit}).scalars().all()
        if not ids:  # as it is with most
            return []
        with self._database.read() as session:
            records = _records(session, identity, ids)
        return [records[id_] for id_ in ids if id_ in records]

    def own_with(self, identity: Identity, resource_id: UUID) -> frozenset[UUID]:
        """Which of the asker's own collections hold this resource."""
        own = require_account(identity, Scope.READ)
        query = (
            select(Collection.id)
            .join(CollectionItem, CollectionItem.collection_id == Collection.id)
            .where(CollectionItem.resource_id == resource_id, Collection.owner_id == own)
        )
        with self._database.read() as session:
            return frozenset(session.scalars(query))

    # Describing

    def create(self, identity: Identity, description: CollectionDescription) -> FullCollection:
        """A new one, private unless the description says otherwise.

        Raises InvalidInput, Conflict when there are too many, EmailUnconfirmed.
        """
        own = require_account(identity, Scope.WRITE)
        given = _normalised(description)
        if given.title is None:
            raise InvalidInput(errors=[FieldError("/title", "Give it a title.")])
        with self._database.write() as session:
            session.get(Account, own, with_for_update=True)  # two at once cannot both be the last
            count = session.scalar(
                select(func.count())
                .select_from(Collection)
                .where(Collection.owner_id == own, Collection.deleted_at.is_(None))
            )
            if (count or 0) >= MAX_COLLECTIONS:
                raise Conflict(
                    text(
                        "You have %(count)s collections, as many as one person may have: delete one first.",
                        count=MAX_COLLECTIONS,
                    )
                )
            collection = Collection(
                owner_id=own,
                title=given.title,
                summary_html="",
                summary_text="",
                languages=[],
                subjects=[],
                visibility=CollectionVisibility.PRIVATE.value,
                revision=1,
            )
            session.add(collection)
            session.flush()
            audit(session, identity, "create", Noun.COLLECTION, collection.id)
            record_change(session, Noun.COLLECTION, collection.id, ChangeKind.CREATED)
            _describe(session, identity, collection, given)
            session.flush()
            return _full(session, identity, collection)

    def describe(
        self,
        identity: Identity,
        collection_id: UUID,
        description: CollectionDescription,
        *,
        if_match: IfMatch = None,
    ) -> FullCollection:
        """Change what is given; also who may see it.

        Raises NotFound, Gone, Forbidden, InvalidInput, EmailUnconfirmed, PreconditionFailed.
        """
        given = _normalised(description)
        with self._database.write() as session:
            collection = _own(session, identity, collection_id, if_match)
            _touch(collection)  # before it becomes public, or that would count as a change of what is
            _describe(session, identity, collection, given)
            fields_given = list(given.given())
            audit(session, identity, "describe", Noun.COLLECTION, collection.id, fields=fields_given)
            record_change(session, Noun.COLLECTION, collection.id, ChangeKind.UPDATED)
            session.flush()
            return _full(session, identity, collection)

    def delete(self, identity: Identity, collection_id: UUID, *, if_match: IfMatch = None) -> None:
        """Take it apart; the resources stay. Raises NotFound, Gone, Forbidden, PreconditionFailed."""
        with self._database.write() as session:
            delete_collection(session, identity, _own(session, identity, collection_id, if_match))

    # Arranging

    def add(
        self,
        identity: Identity,
        collection_id: UUID,
        resource_id: UUID,
        *,
        note: str = "",
        if_match: IfMatch = None,
    ) -> FullCollection:
        """Put a resource at its end: one that is public, or the asker's own.

        Raises NotFound and Gone (of either), Forbidden, Conflict, InvalidInput, PreconditionFailed.
        """
        note = _note(note)
        with self._database.write() as session:
            collection = _own(session, identity, collection_id, if_match)
            resource = visible(session, identity, resource_id)
            if resource.visibility != Visibility.PUBLIC.value and resource.owner_id != collection.owner_id:
                raise NotFound  # a moderator sees drafts, and keeps none of them
            items = _items(session, collection.id)
            if any(item.resource_id == resource_id for item in items):
                raise Conflict("This resource is in the collection already.")
            if len(items) >= MAX_ITEMS:
                raise Conflict(
                    text(
                        "There are %(count)s resources in this collection, as many as it may hold.",
                        count=MAX_ITEMS,
                    )
                )
            session.add(
                CollectionItem(
                    collection_id=collection.id, resource_id=resource_id, position=len(items) + 1, note=note
                )
            )
            _touch(collection)
            _record_item(session, identity, collection, resource_id, action="add", what=ChangeKind.CREATED)
            session.flush()
            return _full(session, identity, collection)

    def change_item(
        self,
        identity: Identity,
        collection_id: UUID,
        resource_id: UUID,
        *,
        note: str | None = None,
        position: int | None = None,
        if_match: IfMatch = None,
    ) -> FullCollection:
        """Another note, or another place: ``position`` counts from 1, and beyond the end is the end.

        Raises NotFound, Gone, Forbidden, InvalidInput, PreconditionFailed.
        """
        note = None if note is None else _note(note)
        with self._database.write() as session:
            collection = _own(session, identity, collection_id, if_match)
            items = _items(session, collection.id)
            item = _of(items, resource_id)
            if note is not None:
                item.note = note
            if position is not None:
                items.remove(item)
                items.insert(max(position, 1) - 1, item)
                _number(items)
            _touch(collection)
            _record_item(
                session, identity, collection, resource_id, action="arrange", what=ChangeKind.UPDATED
            )
            session.flush()
            return _full(session, identity, collection)

    def move(self, identity: Identity, collection_id: UUID, resource_id: UUID, *, by: int) -> FullCollection:
        """As many places further down, or up when ``by`` is negative. Raises as ``change_item``."""
        with self._database.read() as session:
            collection = _visible(session, identity, collection_id)
            place = _of(_items(session, collection.id), resource_id).position
        return self.change_item(identity, collection_id, resource_id, position=max(1, place + by))

    def remove(
        self, identity: Identity, collection_id: UUID, resource_id: UUID, *, if_match: IfMatch = None
    ) -> FullCollection:
        """Take a resource out. Raises NotFound, Gone, Forbidden, PreconditionFailed."""
        with self._database.write() as session:
            collection = _own(session, identity, collection_id, if_match)
            items = _items(session, collection.id)
            item = _of(items, resource_id)
            items.remove(item)
            session.delete(item)
            _number(items)
            _touch(collection)
            _record_item(session, identity, collection, resource_id, action="remove", what=ChangeKind.DELETED)
            session.flush()
            return _full(session, identity, collection)

    # Looking after

    def hide(self, identity: Identity, collection_id: UUID, *, reason: str) -> None:
        """Hide a public collection from everybody but its curator, who reads the ``reason``, as does whoever
        asks for it. For moderators. Raises NotFound, Gone, InvalidInput."""
        require_scope(identity, Scope.MODERATE)
        reason = plain_line(reason)
        if not reason:
            raise InvalidInput(errors=[FieldError("/reason", "Say in a few words why it goes.")])
        with self._database.write() as session:
            collection = _public_for_moderators(session, collection_id)
            collection.hidden_at, collection.hidden_reason = collection.hidden_at or now(), reason
            _touch(collection)
            audit(session, identity, "hide", Noun.COLLECTION, collection.id, reason=reason)
            record_change(session, Noun.COLLECTION, collection.id, ChangeKind.WITHDRAWN)

    def show(self, identity: Identity, collection_id: UUID) -> None:
        """Take that back. For moderators, of what is not their own. Raises NotFound, Gone, Conflict,
        Forbidden."""
        require_scope(identity, Scope.MODERATE)
        with self._database.write() as session:
            collection = _public_for_moderators(session, collection_id)
            if collection.hidden_at is None:
                raise Conflict("This collection is not hidden.")
            if collection.owner_id == identity.account_id:
                raise Forbidden("This is your own: another moderator has to decide.")
            collection.hidden_at = collection.hidden_reason = None
            _touch(collection)
            audit(session, identity, "show", Noun.COLLECTION, collection.id)
            record_change(session, Noun.COLLECTION, collection.id, ChangeKind.RESTORED)

    def _page(
        self, identity: Identity, query: Select[UUID], limit: int, cursor: str | None
    ) -> Page[CollectionRecord]:
        if cursor is not None:
            query = query.where(Collection.id < paging.decode_uuid(cursor))
        with self._database.read() as session:
            ids = session.scalars(query.limit(limit + 1)).all()
            records = _records(session, identity, ids[:limit])
        return paging.page_of(ids, limit, key=lambda id_: id_, record=records.__getitem__)


def delete_collection(session: Session, identity: Identity, collection: Collection) -> None:
    """Take a collection apart within ``session``: nothing is left of one that nobody else ever saw, and of
    one that was public that it was there."""
    session.execute(delete(CollectionItem).where(CollectionItem.collection_id == collection.id))
    if collection.published_at is None:
        session.execute(delete(Collection).where(Collection.id == collection.id))
    else:
        collection.title = collection.summary_html = collection.summary_text = ""
        collection.languages, collection.subjects = [], []
        collection.hidden_reason = None
        collection.deleted_at = now()
        _touch(collection)
    audit(session, identity, "delete", Noun.COLLECTION, collection.id)
    record_change(session, Noun.COLLECTION, collection.id, ChangeKind.DELETED)


def _describe(
    session: Session, identity: Identity, collection: Collection, given: CollectionDescription
) -> None:
    if given.title is not None:
        collection.title = given.title
    if given.summary is not None:
        collection.summary_html = given.summary
        collection.summary_text = html_to_text(given.summary)
    if given.languages is not None:
        collection.languages = list(given.languages)
    if given.subjects is not None:
        collection.subjects = list(given.subjects)
    if given.visibility is not None and given.visibility.value != collection.visibility:
        _show_or_hide(session, identity, collection, given.visibility)


def _show_or_hide(
    session: Session, identity: Identity, collection: Collection, visibility: CollectionVisibility
) -> None:
    public = visibility is CollectionVisibility.PUBLIC
    if public:
        owner = session.get(Account, collection.owner_id)
        if owner is not None and owner.must_confirm:
            raise EmailUnconfirmed
        collection.published_at = collection.published_at or now()
    collection.visibility = visibility.value
    audit(session, identity, "publish" if public else "unpublish", Noun.COLLECTION, collection.id)
    what = ChangeKind.RELEASED if public else ChangeKind.WITHDRAWN
    record_change(session, Noun.COLLECTION, collection.id, what)


def _normalised(description: CollectionDescription) -> CollectionDescription:
    """The same in the catalogue's own form. Raises InvalidInput naming every value that is wrong."""
    if description.summary is not None and len(description.summary) > MAX_SUMMARY:
        raise InvalidInput(
            errors=[FieldError("/summary", text("At most %(count)s characters.", count=MAX_SUMMARY))]
        )
    clean = descriptions.normalise(
        Description(
            title=description.title,
            summary=description.summary,
            languages=description.languages,
            subjects=description.subjects,
        )
    )
    return CollectionDescription(
        title=clean.title,
        summary=clean.summary,
        languages=clean.languages,
        subjects=clean.subjects,
        visibility=description.visibility,
    )


def _note(note: str) -> str:
    if len(note) > MAX_NOTE:
        raise InvalidInput(
            errors=[FieldError("/note", text("At most %(count)s characters.", count=MAX_NOTE))]
        )
    return clean_paragraphs(note).strip()


def _visible(session: Session, identity: Identity, collection_id: UUID) -> Collection:
    """The collection, if the asker may see it. Raises NotFound, Gone."""
    collection = session.get(Collection, collection_id)
    if collection is None:
        raise NotFound
    if collection.deleted_at is not None:
        raise Gone(_DELETED, reason="", withdrawn_at=collection.deleted_at)
    if _is_own(collection, identity):
        return collection
    if collection.visibility != CollectionVisibility.PUBLIC.value:
        raise NotFound  # for moderators, too: what somebody keeps for themselves is their own business
    if collection.hidden_at is not None and not identity.has(Scope.MODERATE):
        raise Gone(_HIDDEN, reason=collection.hidden_reason or "", withdrawn_at=collection.hidden_at)
    return collection


def visible_to_all(session: Session, collection_id: UUID) -> Collection:
    """The collection, if everybody may see it. Raises NotFound, Gone."""
    return _visible(session, PUBLIC, collection_id)


def _own(session: Session, identity: Identity, collection_id: UUID, if_match: IfMatch) -> Collection:
    """The asker's own collection, its row locked. Raises NotFound, Gone, Forbidden, PreconditionFailed."""
    own = require_account(identity, Scope.WRITE)
    query = select(Collection).where(Collection.id == collection_id).with_for_update()
    collection = session.scalar(query)
    if collection is None or collection.owner_id != own or collection.deleted_at is not None:
        _visible(session, identity, collection_id)
        raise Forbidden("This collection belongs to somebody else.")
    if if_match is not None and str(collection.revision) not in {tag.partition("-")[0] for tag in if_match}:
        raise PreconditionFailed
    return collection


def _is_own(collection: Collection, identity: Identity) -> bool:
    return collection.owner_id == identity.account_id and identity.has(Scope.READ)


def _public_for_moderators(session: Session, collection_id: UUID) -> Collection:
    collection = session.get(Collection, collection_id, with_for_update=True)
    if collection is not None and collection.deleted_at is not None:
        raise Gone(_DELETED, reason="", withdrawn_at=collection.deleted_at)
    if collection is None or collection.visibility != CollectionVisibility.PUBLIC.value:
        raise NotFound
    return collection


def follow(session: Session, identity: Identity, resource_id: UUID, *, to: UUID) -> None:
    """Put another resource wherever one stands that is about to go, once in each collection, within
    ``session``."""
    holding = select(CollectionItem.collection_id).where(CollectionItem.resource_id == resource_id)
    query = select(Collection).where(Collection.id.in_(holding)).order_by(Collection.id).with_for_update()
    for collection in session.scalars(query).all():
        items = _items(session, collection.id)
        item = _of(items, resource_id)
        _record_item(session, identity, collection, resource_id, action="remove", what=ChangeKind.DELETED)
        if any(other.resource_id == to for other in items):
            items.remove(item)
            session.delete(item)
            _number(items)
        else:
            item.resource_id = to
            _record_item(session, identity, collection, to, action="add", what=ChangeKind.CREATED)
        _touch(collection)
    session.flush()


def _touch(collection: Collection) -> None:
    collection.revision += 1
    collection.updated_at = now()


def _items(session: Session, collection_id: UUID) -> list[CollectionItem]:
    query = select(CollectionItem).where(CollectionItem.collection_id == collection_id)
    return list(session.scalars(query.order_by(CollectionItem.position, CollectionItem.id)))


def _of(items: Iterable[CollectionItem], resource_id: UUID) -> CollectionItem:
    for item in items:
        if item.resource_id == resource_id:
            return item
    raise NotFound("This resource is not in the collection.")


def _number(items: Iterable[CollectionItem]) -> None:
    for position, item in enumerate(items, start=1):
        item.position = position


def _record_item(
    session: Session,
    identity: Identity,
    collection: Collection,
    resource_id: UUID,
    *,
    action: str,
    what: ChangeKind,
) -> None:
    """What happened to an item happened to the collection, too. In the outbox an item goes by both ids, 32
    hexadecimal digits each, since nothing else tells of one that was taken out."""
    audit(session, identity, action, Noun.COLLECTION, collection.id, resource=str(resource_id))
    record_change(session, Noun.COLLECTION_ITEM, collection.id.hex + resource_id.hex, what)
    record_change(session, Noun.COLLECTION, collection.id, ChangeKind.UPDATED)


def _full(session: Session, identity: Identity, collection: Collection) -> FullCollection:
    """A collection with its items. Nothing is checked here: ``_visible`` does that."""
    own = _is_own(collection, identity)
    items = _items(session, collection.id)
    ids = [item.resource_id for item in items]
    found = session.execute(
        select(Resource.id, Resource.owner_id, Resource.visibility, Resource.withdrawn_reason).where(
            Resource.id.in_(ids)
        )
    )
    state_of = {row.id: row for row in found}
    shown = [item for item in items if own or state_of[item.resource_id].visibility == ItemState.PUBLIC.value]
    records = records_of(session, [item.resource_id for item in shown], identity, copies=False)
    collected = []
    for number, item in enumerate(shown, start=1):  # no gap tells others of what they are not shown
        resource = state_of[item.resource_id]
        readable = resource.visibility == ItemState.PUBLIC.value or resource.owner_id == collection.owner_id
        collected.append(
            CollectedItem(
                resource_id=item.resource_id,
                position=item.position if own else number,
                note=item.note,
                added_at=item.added_at,
                state=ItemState(resource.visibility),
                resource=records[item.resource_id] if readable else None,
                reason=resource.withdrawn_reason or "",
            )
        )
    record = _records(session, identity, [collection.id])[collection.id]
    return FullCollection(record=record, items=tuple(collected))


def _records(session: Session, identity: Identity, ids: Many[UUID]) -> dict[UUID, CollectionRecord]:
    """Records of many collections, with as many queries as for one. Nothing is checked here either."""
    if not ids:
        return {}
    counts: dict[UUID, _Counts] = {
        row.collection_id: _Counts(row.all, row.public)
        for row in session.execute(_COUNTS.where(CollectionItem.collection_id.in_(ids)))
    }
    rows = session.execute(
        select(Collection, Account.username, Account.display_name, Account.erased_at)
        .join(Account, Account.id == Collection.owner_id)
        .where(Collection.id.in_(ids))
    )
    return {
        collection.id: _record(
            identity, collection, username, name_of(name, left_at), counts.get(collection.id, _Counts())
        )
        for collection, username, name, left_at in rows
    }


@dataclass(frozen=True, slots=True)
class _Counts:
    """How many resources are in a collection, and how many of them everybody sees."""

    all: int = 0
    public: int = 0


def _record(
    identity: Identity, collection: Collection, username: str, name: str, counts: _Counts
) -> CollectionRecord:
    own = _is_own(collection, identity)
    return CollectionRecord(
        id=collection.id,
        title=collection.title,
        summary_html=collection.summary_html,
        summary_text=collection.summary_text,
        languages=tuple(collection.languages),
        subjects=tuple(collection.subjects),
        visibility=CollectionVisibility(collection.visibility),
        owner=username,
        owner_name=name,
        is_own=own,
        count=counts.all if own else counts.public,
        published_at=collection.published_at,
        hidden_at=collection.hidden_at,
        hidden_reason=collection.hidden_reason,
        created_at=collection.created_at,
        updated_at=collection.updated_at,
        revision=collection.revision,
    )
