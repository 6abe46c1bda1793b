"""Who can be spoken to from other servers: the service, people who share, collections."""

from __future__ import annotations

import re
from collections.abc import Collection as Many
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from repo_service.domain.errors import Gone, NotFound
from repo_service.domain.resources import Visibility
from repo_service.federation.actors import (
    SERVICE_USERNAME,
    Actor,
    PublicKeys,
    collection_of_username,
    collection_username,
)
from repo_service.federation.addresses import SERVICE, ActorKind, ActorRef, Addresses
from repo_service.federation.objects import Tombstone
from repo_service.models import Account, Collection, Resource
from repo_service.models.database import Database
from repo_service.services.accounts import USERNAME
from repo_service.services.actor_keys import ActorKeys
from repo_service.services.collections import HOLDS_SOMETHING, SHOWN_TO_ALL, visible_to_all

PERSON: Final = "Person"
GROUP: Final = "Group"

_SHARES: Final[ColumnElement[bool]] = or_(
    exists().where(
        Resource.owner_id == Account.id,
        Resource.visibility == Visibility.PUBLIC.value,
        Resource.origin.is_(None),
    ),
    exists().where(Collection.owner_id == Account.id, SHOWN_TO_ALL, HOLDS_SOMETHING),
)
_IS_PERSON: Final = and_(Account.blocked_at.is_(None), _SHARES)
"""Has something that everybody sees, and is neither blocked nor gone."""
SHARED_ONCE: Final = or_(
    exists().where(Resource.owner_id == Account.id, Resource.released_at.is_not(None)),
    exists().where(Collection.owner_id == Account.id, Collection.published_at.is_not(None)),
)
"""Was such an actor at some time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquaintances:
    """How many follow an actor, and how many it follows."""

    followers: int = 0
    following: int = 0


class Follows(Protocol):
    """Who follows whom: all that reading asks of it."""

    def count(self, ref: ActorRef) -> Acquaintances:
        """How many of either an actor has."""


class Actors:
    """Use cases about actors as everybody sees them. Whom others cannot know of does not exist."""

    def __init__(
        self,
        database: Database,
        keys: ActorKeys,
        follows: Follows,
        *,
        addresses: Addresses,
        site_name: str,
    ) -> None:
        self._database = database
        self._keys = keys
        self._follows = follows
        self._addresses = addresses
        self._site_name = site_name

    def get(self, ref: ActorRef) -> Actor | Tombstone:
        """An actor, or what is left of one. Raises NotFound."""
        if ref.id is None:
            return Actor(
                ref=SERVICE,
                username=SERVICE_USERNAME,
                name=self._site_name,
                page=self._addresses.home_page,
            )
        with self._database.read() as session:
            if ref.kind is ActorKind.COLLECTION:
                return self._collection(session, ref, ref.id)
            return self._person(session, ref, ref.id)

    def require(self, ref: ActorRef) -> Actor:
        """An actor who is there now. Raises NotFound, Gone."""
        found = self.get(ref)
        if isinstance(found, Tombstone):
            raise Gone("", reason="", withdrawn_at=found.deleted)
        return found

    def keys(self, ref: ActorRef) -> PublicKeys:
        """By which the signatures of an actor are checked."""
        return self._keys.public(ref)

    def acquaintances(self, ref: ActorRef) -> Acquaintances:
        """How many follow an actor, and how many it follows. Raises NotFound, Gone."""
        self.require(ref)
        return self._follows.count(ref)

    def called(self, username: str) -> Actor:
        """The actor of that user name. Raises NotFound for any other, whether there is an account of that
        name or not: nobody can try out who has one."""
        username = username.lower()
        if username == SERVICE_USERNAME:
            return self.require(SERVICE)
        collection_id = collection_of_username(username)
        if collection_id is not None:
            return self._present(ActorRef(ActorKind.COLLECTION, collection_id))
        if not re.fullmatch(USERNAME, username):  # databases keep no NUL, and refuse to look for one
            raise NotFound(_NOBODY)
        with self._database.read() as session:
            found = session.scalar(select(Account.id).where(Account.username == username, _IS_PERSON))
        if found is None:
            raise NotFound(_NOBODY)
        return self._present(ActorRef(ActorKind.ACCOUNT, found))

    def at(self, url: str) -> Actor:
        """The actor with that id, or about whom that page is. Raises NotFound."""
        base = self._addresses.base_url
        if url in (base, self._addresses.home_page):
            return self.require(SERVICE)
        below = url.removeprefix(f"{base}/") if url.startswith(f"{base}/") else ""
        if below == f"ap/{SERVICE.path}":
            return self.require(SERVICE)
        if (by_name := _PERSON_PAGE.fullmatch(below)) is not None:
            return self.called(by_name[1])
        if (by_id := _BY_ID.fullmatch(below)) is not None and (by_id["ap"] or by_id["kind"] == "collections"):
            return self._present(ActorRef(ActorKind(by_id["kind"]), UUID(by_id["id"])))
        raise NotFound(_NOBODY)

    def _present(self, ref: ActorRef) -> Actor:
        try:
            return self.require(ref)
        except (NotFound, Gone) as error:
            raise NotFound(_NOBODY) from error

    def _person(self, session: Session, ref: ActorRef, account_id: UUID) -> Actor | Tombstone:
        query = select(Account, _SHARES.label("shares")).where(Account.id == account_id)
        row = session.execute(query).one_or_none()
        if row is None:
            raise NotFound
        account: Account = row.Account
        if account.erased_at is not None and _once_shared(session, account_id):
            return Tombstone(id=self._addresses.actor(ref), former_type=PERSON, deleted=account.erased_at)
        if account.blocked_at is not None or not row.shares:
            raise NotFound
        return Actor(
            ref=ref,
            username=account.username,
            name=account.display_name or account.username,
            page=self._addresses.person_page(account.username),
            published=account.created_at,
        )

    def _collection(self, session: Session, ref: ActorRef, collection_id: UUID) -> Actor | Tombstone:
        try:
            collection = visible_to_all(session, collection_id)
        except Gone as gone:
            return Tombstone(id=self._addresses.actor(ref), former_type=GROUP, deleted=gone.withdrawn_at)
        curator = people_among(session, {collection.owner_id})
        return Actor(
            ref=ref,
            username=collection_username(collection_id),
            name=collection.title,
            page=self._addresses.collection_page(collection_id),
            summary=collection.summary_html,
            published=collection.published_at,
            attributed_to=ActorRef(ActorKind.ACCOUNT, collection.owner_id) if curator else None,
        )


def people_among(session: Session, account_ids: Many[UUID]) -> frozenset[UUID]:
    """Those accounts that are actors."""
    query = select(Account.id).where(Account.id.in_(list(account_ids)), _IS_PERSON)
    return frozenset(session.scalars(query))


def _once_shared(session: Session, account_id: UUID) -> bool:
    found: Any = session.scalar(select(Account.id).where(Account.id == account_id, SHARED_ONCE))
    return found is not None


_NOBODY: Final = "There is nobody of that name here."
_UUID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_PERSON_PAGE: Final = re.compile(rf"people/({USERNAME})")
_BY_ID: Final = re.compile(rf"(?P<ap>ap/)?(?P<kind>accounts|collections)/(?P<id>{_UUID})")
