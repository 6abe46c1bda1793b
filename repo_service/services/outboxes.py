"""Outboxes: what the service, its people and its collections have done in public, newest first.

The service tells of what its people did (FEP-1b12), and does itself what nobody else is there to do: it is
who deletes a person that has left.

They are read off the present state and not off the table of changes. That one tells of drafts, too, and does
not say whether something was public then; the state says of each resource and collection when it became
public, when what everybody sees of it was changed last, and when it went. So of several changes the last one
stands here, with what the thing is now, and whoever reads an outbox to its end knows all that is public.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from repo_service.domain.errors import NotFound
from repo_service.domain.resources import Visibility
from repo_service.federation.activities import Activity, Announcement, Collected, Told
from repo_service.federation.addresses import (
    SERVICE,
    ActivityKind,
    ActorKind,
    ActorRef,
    Addresses,
    ObjectKind,
)
from repo_service.federation.objects import Tombstone
from repo_service.models import Account, Collection, CollectionItem, Resource
from repo_service.models.database import Database
from repo_service.services import paging
from repo_service.services.accounts import SHOWN
from repo_service.services.actors import GROUP, PERSON, SHARED_ONCE, Actors, people_among
from repo_service.services.collections import HOLDS_SOMETHING, SHOWN_TO_ALL
from repo_service.services.published import DOCUMENT, IS_OURS, IS_PUBLIC, Published
from repo_service.services.records import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class _Branch:
    """One kind of activities: which rows tell of them, and since when."""

    kind: ActivityKind
    of: ObjectKind
    id: InstrumentedAttribute[UUID]
    owner_id: InstrumentedAttribute[UUID]
    at: InstrumentedAttribute[datetime | None]
    holds: ColumnElement[bool]

    def rows(self, *where: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
        return select(self.id.label("id"), self.owner_id.label("owner_id"), self.at.label("at")).where(
            self.holds, self.at.is_not(None), *where
        )

    def before(self, cursor: tuple[datetime, UUID]) -> ColumnElement[bool]:
        at, id_ = cursor
        return and_(self.at <= at, or_(self.at < at, self.id < id_))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deed:
    """A row of a branch."""

    branch: _Branch
    id: UUID
    owner_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LastWord:
    """What was done last to something. ``owner`` is whose it is, also where they are no actor any more, and
    the service has acted for them."""

    activity: Activity
    owner: ActorRef


def _resources(kind: ActivityKind, at: InstrumentedAttribute[Any], holds: ColumnElement[bool]) -> _Branch:
    return _Branch(
        kind=kind,
        of=ObjectKind.RESOURCE,
        id=Resource.id,
        owner_id=Resource.owner_id,
        at=at,
        holds=and_(holds, IS_OURS),
    )


def _collections(kind: ActivityKind, at: InstrumentedAttribute[Any], holds: ColumnElement[bool]) -> _Branch:
    return _Branch(
        kind=kind,
        of=ObjectKind.COLLECTION,
        id=Collection.id,
        owner_id=Collection.owner_id,
        at=at,
        holds=holds,
    )


_LISTED: Final = and_(SHOWN_TO_ALL, HOLDS_SOMETHING, exists().where(Account.id == Collection.owner_id, SHOWN))
_ONCE_PUBLIC: Final = Collection.published_at.is_not(None)
_BRANCHES: Final = (
    _resources(ActivityKind.CREATE, Resource.released_at, IS_PUBLIC),
    _resources(
        ActivityKind.UPDATE,
        Resource.changed_at,
        and_(IS_PUBLIC, Resource.changed_at > Resource.released_at),
    ),
    _resources(
        ActivityKind.DELETE,
        Resource.withdrawn_at,
        and_(Resource.visibility == Visibility.WITHDRAWN.value, Resource.released_at.is_not(None)),
    ),
    _collections(ActivityKind.CREATE, Collection.published_at, _LISTED),
    _collections(
        ActivityKind.UPDATE,
        Collection.updated_at,
        and_(_LISTED, Collection.updated_at > Collection.published_at),
    ),
    _collections(ActivityKind.DELETE, Collection.deleted_at, _ONCE_PUBLIC),
    _collections(
        ActivityKind.DELETE, Collection.hidden_at, and_(_ONCE_PUBLIC, Collection.deleted_at.is_(None))
    ),
    _Branch(
        kind=ActivityKind.DELETE,
        of=ObjectKind.ACCOUNT,
        id=Account.id,
        owner_id=Account.id,
        at=Account.erased_at,
        holds=SHARED_ONCE,
    ),
)
_FORMER_TYPES: Final = {
    ObjectKind.RESOURCE: DOCUMENT,
    ObjectKind.COLLECTION: GROUP,
    ObjectKind.ACCOUNT: PERSON,
}

_COLLECTED: Final = (
    select(CollectionItem.resource_id, CollectionItem.added_at)
    .join(Resource, Resource.id == CollectionItem.resource_id)
    .where(IS_PUBLIC, IS_OURS)
)


class Outboxes:
    """Use cases: read an outbox page by page, and one activity by its id."""

    def __init__(
        self, database: Database, actors: Actors, published: Published, addresses: Addresses
    ) -> None:
        self._database = database
        self._actors = actors
        self._published = published
        self._addresses = addresses

    def total(self, ref: ActorRef) -> int:
        """How many activities an outbox holds. Raises NotFound, Gone."""
        self._actors.require(ref)
        with self._database.read() as session:
            if ref.kind is ActorKind.COLLECTION:
                collected = _COLLECTED.where(CollectionItem.collection_id == ref.id)
                return _count(session, collected)
            return sum(_count(session, branch.rows(*_of(branch, ref))) for branch in _BRANCHES)

    def page(self, ref: ActorRef, *, limit: int, cursor: str | None = None) -> Page[Told]:
        """One page, the newest for no cursor. Raises NotFound, Gone, InvalidCursor."""
        self._actors.require(ref)
        after = None if cursor is None else paging.decode_moment(cursor)
        with self._database.frozen() as session:
            if ref.kind is ActorKind.COLLECTION:
                return self._collected(session, ref, after, limit)
            deeds = self._deeds(session, ref, after, limit + 1)
            kept = deeds[:limit]
            told = self._activities(session, kept)
        more = len(deeds) > limit
        return Page(
            tuple(_told_by(ref, one) for one in told),
            paging.encode_moment(kept[-1].at, kept[-1].id) if more else None,
        )

    def activity(self, kind: ActivityKind, of: ObjectKind, id_: UUID, at: datetime) -> Activity:
        """What was done to a resource or a collection at that moment, if it is still the last word on it.
        Raises NotFound."""
        with self._database.frozen() as session:
            for branch in _BRANCHES:
                if (branch.kind, branch.of) != (kind, of):
                    continue
                row = session.execute(branch.rows(branch.id == id_, branch.at == at)).one_or_none()
                if row is not None:
                    deed = _Deed(branch=branch, id=row.id, owner_id=row.owner_id, at=row.at)
                    return self._activities(session, [deed])[0]
        raise NotFound

    def last_word(self, of: ObjectKind, id_: UUID) -> LastWord | None:
        """What was done last to something that everybody sees, or saw; None for what never was public, and
        for a collection that is private again."""
        with self._database.frozen() as session:
            found = [
                _Deed(branch=branch, id=row.id, owner_id=row.owner_id, at=row.at)
                for branch in _BRANCHES
                if branch.of is of
                for row in session.execute(branch.rows(branch.id == id_))
            ]
            if not found:
                return None
            last = max(found, key=lambda deed: deed.at)
            owner = ActorRef(ActorKind.ACCOUNT, last.owner_id)
            return LastWord(activity=self._activities(session, [last])[0], owner=owner)

    def retraction(self, of: ObjectKind, id_: UUID, at: datetime) -> Activity:
        """The service's telling that something is not there any more which its owner keeps for themselves."""
        tombstone = Tombstone(id=self._addresses.object(of, id_), former_type=_FORMER_TYPES[of], deleted=at)
        return Activity(kind=ActivityKind.DELETE, actor=SERVICE, of=of, id=id_, at=at, object=tombstone)

    def announcement(self, kind: ActivityKind, of: ObjectKind, id_: UUID, at: datetime) -> Announcement:
        """The service's telling of that. Raises NotFound, also for what the service did itself."""
        activity = self.activity(kind, of, id_, at)
        if activity.actor == SERVICE:
            raise NotFound
        return Announcement(activity=activity)

    def collected(self, collection_id: UUID, resource_id: UUID, at: datetime) -> Collected:
        """A collection's telling of what was put into it. Raises NotFound, Gone."""
        self._actors.require(ActorRef(ActorKind.COLLECTION, collection_id))
        query = _COLLECTED.where(
            CollectionItem.collection_id == collection_id,
            CollectionItem.resource_id == resource_id,
            CollectionItem.added_at == at,
        )
        with self._database.read() as session:
            if session.execute(query).one_or_none() is None:
                raise NotFound
        return Collected(collection_id=collection_id, resource_id=resource_id, at=at)

    def collected_at(self, collection_id: UUID, resource_id: UUID) -> datetime | None:
        """Since when a resource that everybody sees is in a collection; None while it is not."""
        query = _COLLECTED.where(
            CollectionItem.collection_id == collection_id, CollectionItem.resource_id == resource_id
        )
        with self._database.read() as session:
            row = session.execute(query).one_or_none()
        return None if row is None else row.added_at

    def _deeds(
        self, session: Session, ref: ActorRef, after: tuple[datetime, UUID] | None, limit: int
    ) -> list[_Deed]:
        """The newest of all branches. Each is asked by itself: so each has an index that it can stop at."""
        found: list[_Deed] = []
        for branch in _BRANCHES:
            query = branch.rows(*_of(branch, ref))
            if after is not None:
                query = query.where(branch.before(after))
            newest = query.order_by(branch.at.desc(), branch.id.desc()).limit(limit)
            found.extend(
                _Deed(branch=branch, id=row.id, owner_id=row.owner_id, at=row.at)
                for row in session.execute(newest)
            )
        return sorted(found, key=lambda deed: (deed.at, deed.id), reverse=True)[:limit]

    def _activities(self, session: Session, deeds: Sequence[_Deed]) -> list[Activity]:
        people = people_among(session, {deed.owner_id for deed in deeds})
        shown = [deed.id for deed in deeds if _is_shown(deed)]
        documents = self._published.documents(session, shown)
        return [
            Activity(
                kind=deed.branch.kind,
                actor=ActorRef(ActorKind.ACCOUNT, deed.owner_id) if deed.owner_id in people else SERVICE,
                of=deed.branch.of,
                id=deed.id,
                at=deed.at,
                object=documents[deed.id] if _is_shown(deed) else self._tombstone(deed),
            )
            for deed in deeds
        ]

    def _tombstone(self, deed: _Deed) -> Tombstone | None:
        if deed.branch.kind is not ActivityKind.DELETE:
            return None
        return Tombstone(
            id=self._addresses.object(deed.branch.of, deed.id),
            former_type=_FORMER_TYPES[deed.branch.of],
            deleted=deed.at,
        )

    def _collected(
        self, session: Session, ref: ActorRef, after: tuple[datetime, UUID] | None, limit: int
    ) -> Page[Told]:
        assert ref.id is not None
        query = _COLLECTED.where(CollectionItem.collection_id == ref.id)
        if after is not None:
            at, id_ = after
            query = query.where(
                or_(
                    CollectionItem.added_at < at,
                    and_(CollectionItem.added_at == at, CollectionItem.resource_id < id_),
                )
            )
        newest = query.order_by(CollectionItem.added_at.desc(), CollectionItem.resource_id.desc())
        rows = session.execute(newest.limit(limit + 1)).all()
        told = tuple(
            Collected(collection_id=ref.id, resource_id=row.resource_id, at=row.added_at)
            for row in rows[:limit]
        )
        more = len(rows) > limit
        return Page(told, paging.encode_moment(told[-1].at, told[-1].resource_id) if more else None)


def _told_by(ref: ActorRef, activity: Activity) -> Told:
    return activity if activity.actor == ref else Announcement(activity=activity)


def _of(branch: _Branch, ref: ActorRef) -> Iterable[ColumnElement[bool]]:
    return () if ref == SERVICE else (branch.owner_id == ref.id,)


def _is_shown(deed: _Deed) -> bool:
    return deed.branch.of is ObjectKind.RESOURCE and deed.branch.kind is not ActivityKind.DELETE


def _count(session: Session, query: Select[*tuple[Any, ...]]) -> int:
    return session.scalar(select(func.count()).select_from(query.subquery())) or 0
