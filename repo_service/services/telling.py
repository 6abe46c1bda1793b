"""Telling other servers what is new: it follows the table of changes, as the search index does.

A change says that something happened, the outboxes say what everybody may know of it now. What was told last
is remembered of each thing, so a change that shows to nobody tells nothing, and a thing that is not public
any more is told of as deleted. How far the changes were followed is written in the transaction that puts the
activities into the queue: none is lost and none is sent twice, whatever stops in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from repo_service.domain.errors import Gone, NotFound
from repo_service.domain.resources import ChangeKind, Noun
from repo_service.federation.activities import (
    Activity,
    Announcement,
    Arranged,
    Collected,
    activity_document,
    arranged_document,
)
from repo_service.federation.actors import Actor
from repo_service.federation.addresses import (
    SERVICE,
    ActivityKind,
    ActorKind,
    ActorRef,
    Addresses,
    ObjectKind,
)
from repo_service.models import Collection, CollectionItem, Position, Resource, Telling
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.models.insert import insert_if_absent
from repo_service.services.actors import Actors
from repo_service.services.changes import ChangeRecord, Changes
from repo_service.services.deliveries import dispatch, send_soon
from repo_service.services.follows import recipients
from repo_service.services.jobs import Jobs
from repo_service.services.outboxes import Outboxes

NAME: Final = "federation"
"""Of its position."""

_BATCH: Final = 100
_COLLECTIONS: Final = 100
"""Of those that hold a resource, how many are looked at when it changes."""
_OBJECTS: Final = {
    Noun.RESOURCE.value: ObjectKind.RESOURCE,
    Noun.COLLECTION.value: ObjectKind.COLLECTION,
    Noun.ACCOUNT.value: ObjectKind.ACCOUNT,
}
_HEX: Final = 32
"""Digits of an id; an item of a collection goes by two of them."""


@dataclass(frozen=True, slots=True)
class _Thing:
    """Something that can be told of."""

    of: ObjectKind
    id: UUID

    @property
    def about(self) -> str:
        return f"{self.of.value}/{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """An activity by an actor of ours, for the followers of ``to``."""

    document: dict[str, Any]
    by: ActorRef
    about: str
    to: tuple[ActorRef, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    """What is to be told of a thing, and what is remembered of that."""

    thing: _Thing
    told: str
    is_gone: bool
    messages: tuple[_Message, ...]


class Teller:
    """Follows the changes. One at a time: a second one finds that the position has moved, and begins anew."""

    def __init__(
        self,
        database: Database,
        changes: Changes,
        outboxes: Outboxes,
        actors: Actors,
        jobs: Jobs,
        *,
        addresses: Addresses,
    ) -> None:
        self._database = database
        self._changes = changes
        self._outboxes = outboxes
        self._actors = actors
        self._jobs = jobs
        self._addresses = addresses

    def follow(self) -> int:
        """Tell of everything up to the newest committed change; returns how many changes that were."""
        self._changes.sequence()
        followed = 0
        while True:
            position = self._position()
            changes = self._changes.after(position, limit=_BATCH)
            if not changes:
                return followed
            news = [one for thing in self._things(changes) if (one := self._news(thing)) is not None]
            arranged = list(self._arranged(changes))
            with self._database.write() as session:
                row = session.get(Position, NAME, with_for_update=True)
                assert row is not None
                if row.seq != position:
                    continue
                sent = sum(self._tell(session, one) for one in news)
                sent += sum(self._send(session, message) for message in arranged)
                if sent:
                    send_soon(session, self._jobs)
                row.seq = changes[-1].seq
            followed += len(changes)

    def _position(self) -> int:
        with self._database.read() as session:
            found = session.scalar(select(Position.seq).where(Position.name == NAME))
        if found is None:
            with self._database.write() as session:
                insert_if_absent(session, Position, name=NAME, seq=0)
            return 0
        return found

    def _things(self, changes: Sequence[ChangeRecord]) -> Iterator[_Thing]:
        """What the changes are about, each once, in the order of its last change; and with it what depends on
        it: a collection without anything to see, and a person without anything to show, are nobody's
        business."""
        last: dict[_Thing, None] = {}
        for change in changes:
            kind = _OBJECTS.get(change.noun)
            if kind is None:
                continue
            thing = _Thing(kind, UUID(change.noun_id))
            last.pop(thing, None)
            last[thing] = None
            for other in self._depending(thing):
                last.setdefault(other, None)
        yield from last

    def _depending(self, thing: _Thing) -> Sequence[_Thing]:
        with self._database.read() as session:
            if thing.of is ObjectKind.RESOURCE:
                holding = select(CollectionItem.collection_id).where(CollectionItem.resource_id == thing.id)
                owner = select(Resource.owner_id).where(Resource.id == thing.id)
                collections = session.scalars(holding.limit(_COLLECTIONS)).all()
            elif thing.of is ObjectKind.COLLECTION:
                owner = select(Collection.owner_id).where(Collection.id == thing.id)
                collections = []
            else:
                return ()
            people = session.scalars(owner).all()
        return [
            *(_Thing(ObjectKind.COLLECTION, id_) for id_ in collections),
            *(_Thing(ObjectKind.ACCOUNT, id_) for id_ in people),
        ]

    def _news(self, thing: _Thing) -> _News | None:
        with self._database.read() as session:
            before = session.get(Telling, thing.about)
        last = self._outboxes.last_word(thing.of, thing.id)
        person = self._person(thing) if last is None and thing.of is ObjectKind.ACCOUNT else None
        if last is not None:
            activity, owner = last.activity, last.owner
            told = self._id(activity)
        elif person is not None:
            activity, owner = _updated(person), person.ref
            told = f"{person.username} {person.name}"
        elif before is not None and not before.is_gone:
            activity, owner = self._outboxes.retraction(thing.of, thing.id, now()), None
            told = self._id(activity)
        else:
            return None
        if before is not None and before.told == told:
            return None
        if before is not None and before.is_gone and thing.of is ObjectKind.COLLECTION:
            # It is back without having been changed: what there is of it in the outbox was sent.
            activity = replace(activity, kind=ActivityKind.UPDATE, at=now(), object=None)
        return _News(
            thing=thing,
            told=told,
            is_gone=activity.kind is ActivityKind.DELETE,
            messages=tuple(self._messages(thing, activity, owner)),
        )

    def _person(self, thing: _Thing) -> Actor | None:
        found = None
        with suppress(NotFound):
            found = self._actors.get(ActorRef(ActorKind.ACCOUNT, thing.id))
        return found if isinstance(found, Actor) else None

    def _messages(self, thing: _Thing, activity: Activity, owner: ActorRef | None) -> Iterator[_Message]:
        """The activity for those who follow who did it, whose it is, or what it is about; and the service's
        telling of it for those who follow the service (FEP-1b12)."""
        to = [activity.actor]
        if owner is not None:
            to.append(owner)
        if thing.of is not ObjectKind.RESOURCE:
            to.append(ActorRef(ActorKind(thing.of.value), thing.id))
        yield _Message(
            document=activity_document(activity, self._addresses),
            by=activity.actor,
            about=thing.about,
            to=tuple(to),
        )
        if activity.actor != SERVICE:
            announcement = Announcement(activity=activity)
            yield _Message(
                document=activity_document(announcement, self._addresses),
                by=SERVICE,
                about=thing.about,
                to=(SERVICE,),
            )

    def _arranged(self, changes: Sequence[ChangeRecord]) -> Iterator[_Message]:
        """What was put into public collections, or taken out of them, for those who follow them. Of several
        changes of the same item the last one is told of."""
        items = {
            change.noun_id: change
            for change in changes
            if change.noun == Noun.COLLECTION_ITEM.value and change.what != ChangeKind.UPDATED.value
        }
        for noun_id, change in items.items():
            collection_id, resource_id = UUID(noun_id[:_HEX]), UUID(noun_id[_HEX:])
            group = ActorRef(ActorKind.COLLECTION, collection_id)
            try:
                self._actors.require(group)
            except (NotFound, Gone):
                continue
            about = f"collections/{collection_id}"
            added_at = self._outboxes.collected_at(collection_id, resource_id)
            if added_at is not None:
                collected = Collected(collection_id=collection_id, resource_id=resource_id, at=added_at)
                document = activity_document(collected, self._addresses)
                yield _Message(document=document, by=group, about=about, to=(group,))
            elif (
                change.what != ChangeKind.DELETED.value
                or self._outboxes.last_word(ObjectKind.RESOURCE, resource_id) is None
            ):
                continue  # it is nobody's business that there is such a thing
            arranged = Arranged(
                collection_id=collection_id,
                resource_id=resource_id,
                at=added_at or now(),
                added=added_at is not None,
            )
            document = arranged_document(arranged, self._addresses)
            yield _Message(document=document, by=group, about=about, to=(group,))

    def _tell(self, session: Session, news: _News) -> int:
        sent = sum(self._send(session, message) for message in news.messages)
        about = news.thing.about
        insert_if_absent(session, Telling, about=about, told="", is_gone=False)
        row = session.get_one(Telling, about, with_for_update=True)
        row.told, row.is_gone = news.told, news.is_gone
        return sent

    def _send(self, session: Session, message: _Message) -> int:
        found = recipients(session, message.to)
        return dispatch(session, message.document, by=message.by, about=message.about, to=found)

    def _id(self, activity: Activity) -> str:
        return self._addresses.activity(activity.kind, activity.of, activity.id, activity.at)


def _updated(person: Actor) -> Activity:
    """A person became known, or is called something else. It stands in no outbox."""
    assert person.ref.id is not None
    return Activity(
        kind=ActivityKind.UPDATE, actor=person.ref, of=ObjectKind.ACCOUNT, id=person.ref.id, at=now()
    )
