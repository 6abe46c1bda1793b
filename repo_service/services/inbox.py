"""The inbox: what other servers send is checked, kept, and handled after the answer.

Here is decided what can be without asking anybody: who signed it, whether they may say that at all, and
whether it was here before. It is taken in before the answer, so an activity that was answered for is never
lost, and none is done twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import select

from repo_service.domain.errors import (
    DomainError,
    Forbidden,
    InvalidSignature,
    MalformedRequest,
    NotFound,
)
from repo_service.federation.addresses import Addresses
from repo_service.federation.documents import Fetched, UnfitDocument, parse
from repo_service.federation.incoming import (
    Incoming,
    UnfitActivity,
    collection_of,
    host_of,
    id_of,
    read,
    same_origin,
    within,
)
from repo_service.federation.messages import Message
from repo_service.federation.signatures import ActorKey, CachedKeys, Documents, verify
from repo_service.models import ReceivedActivity
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.instances import Instances
from repo_service.services.jobs import Jobs
from repo_service.services.published import Published
from repo_service.services.remote_keys import RemoteKeys, tidy
from repo_service.services.taking_in import Proven, TakingIn
from repo_service.services.throttling import Allowance, Throttling

MOST_BYTES: Final = 1024 * 1024
"""Of an activity. Ours have some thousands, and a summary can be long."""

REFUSED = Allowance(name="inbox-refused", burst=100, every=timedelta(seconds=6))
"""Requests from one address block that prove nothing."""
LOOKED_UP = Allowance(name="inbox-looked-up", burst=100, every=timedelta(seconds=2))
"""Documents that requests from one address block make us fetch, and that one host is asked for."""

_ABOUT_THEIR_OWN: Final = frozenset({"Create", "Update", "Delete"})
_ABOUT_THEIR_COLLECTION: Final = frozenset({"Add", "Remove"})


class Inbox:
    """Use case: take in what is signed. ``documents`` fetches keys."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        instances: Instances,
        published: Published,
        throttling: Throttling,
        *,
        documents: Documents,
        addresses: Addresses,
    ) -> None:
        self._database = database
        self._instances = instances
        self._published = published
        self._throttling = throttling
        self._keys = RemoteKeys(database)
        self._taking_in = TakingIn(database, jobs, throttling)
        self._documents = documents
        self._addresses = addresses
        self._hosts = (urlsplit(addresses.base_url).netloc.lower(),)

    def receive(self, message: Message, *, address: str) -> None:
        """Take in the activity in ``message``, which came from the address block ``address``.

        Raises InvalidSignature, SignerUnreachable, Forbidden, MalformedRequest, TooManyRequests.
        """
        try:
            with self._taking_in.coming():
                proven = self._proven(message, address)
                self._require_sense(proven.activity)
                self._taking_in.take(proven)
        except (InvalidSignature, Forbidden, MalformedRequest):
            self._throttling.take((REFUSED, address))
            raise

    def tidy(self) -> None:
        """Forget requests that could not come a second time."""
        tidy(self._database)

    def _proven(self, message: Message, address: str) -> Proven:
        """The activity, by whom it says that it is."""
        seen = _SeenLater()
        keys = _Keys(self._instances, self._throttling, self._keys, self._documents, address)
        verified = verify(message, keys=keys, now=now(), seen=seen, hosts=self._hosts)
        try:
            activity = read(parse(message.body))
        except (UnfitDocument, UnfitActivity) as error:
            raise MalformedRequest(f"This cannot be read: {error}.") from error
        verified.speaks_for(activity.actor)
        return Proven(activity=activity, token=seen.token, until=seen.until)

    def _require_sense(self, activity: Incoming) -> None:
        """Whether an actor may say that at all. Raises Forbidden."""
        if not same_origin(activity.id, activity.actor):
            raise Forbidden("The id of an activity is at home where its actor is.")
        if activity.type in _ABOUT_THEIR_OWN:
            _require_own(activity)
        if activity.type == "Announce":
            self._require_announceable(activity)
        if activity.type in _ABOUT_THEIR_COLLECTION:
            _require_own_collection(activity)
        if activity.type == "Undo":
            self._require_own_deed(activity)

    def _require_announceable(self, activity: Incoming) -> None:
        """What is private here is nobody's to announce, and what others said is not in a copy of it."""
        if activity.object_id is None:
            raise MalformedRequest("An Announce names what it announces.")
        inner = _announced(activity)
        if inner is not None and inner.type in _ABOUT_THEIR_OWN:
            _require_own(inner)
        if inner is not None and inner.type in _ABOUT_THEIR_COLLECTION:
            _require_own_collection(inner)
        named = (activity.object_id, None if inner is None else inner.object_id)
        if any(uri is not None and self._is_private(uri) for uri in named):
            raise Forbidden("There is nothing here by that id that could be announced.")

    def _require_own_deed(self, activity: Incoming) -> None:
        """Only who did something can undo it, whether it came along, is named, or both."""
        undone = activity.object_id
        doers = set()
        if activity.embedded is not None and activity.embedded.get("actor") is not None:
            doers.add(id_of(activity.embedded["actor"]))
        if undone is not None:
            with self._database.read() as session:
                doers.update(
                    session.scalars(select(ReceivedActivity.actor).where(ReceivedActivity.uri == undone))
                )
        is_foreign = undone is not None and not same_origin(undone, activity.actor)
        if is_foreign or doers - {activity.actor}:
            raise Forbidden("Only who did something can undo it.")

    def _is_private(self, uri: str) -> bool:
        """Whether it would be a resource of ours that nobody may see, or that there is not."""
        ours = self._addresses.resource_of(uri)
        if ours is None:
            return False
        try:
            self._published.get(ours)
        except NotFound:
            return True
        except DomainError:
            return False
        return False


class _SeenLater:
    """A ``Seen`` (federation.signatures) for one request that leaves it to ``TakingIn`` to say whether it was
    here before: in the transaction that takes it in, so that one that could not be taken in may be sent again
    as it is."""

    token: str
    until: datetime

    def first(self, token: str, *, until: datetime) -> bool:
        self.token, self.until = token, until
        return True


class _Keys:
    """Finds keys for one request. Nobody is asked for a key in the name of who is blocked, nor as often as
    somebody likes."""

    def __init__(
        self,
        instances: Instances,
        throttling: Throttling,
        store: RemoteKeys,
        documents: Documents,
        address: str,
    ) -> None:
        self._instances = instances
        self._throttling = throttling
        self._documents = documents
        self._address = address
        self._cached = CachedKeys(store=store, documents=self, clock=now)

    def find(self, key_id: str, *, fresh: bool = False) -> ActorKey:
        return self._cached.find(key_id, fresh=fresh)

    def get(self, url: str) -> Fetched:
        self._instances.require_heard(url)
        self._throttling.take((LOOKED_UP, self._address), (LOOKED_UP, host_of(url)))
        return self._documents.get(url)


def _require_own(activity: Incoming) -> None:
    """Raises Forbidden for what another server has to say, and MalformedRequest for what is about nothing."""
    if activity.object_id is None:
        raise MalformedRequest("The object of an activity has an id.")
    if not same_origin(activity.object_id, activity.actor):
        raise Forbidden("What is at home on another server is that server's to tell of.")


def _require_own_collection(activity: Incoming) -> None:
    """Raises Forbidden for a collection that another server has."""
    collection = collection_of(activity)
    if collection is not None and not same_origin(collection, activity.actor):
        raise Forbidden("What is in a collection is its own server's to tell of.")


def _announced(activity: Incoming) -> Incoming | None:
    """The activity that is announced, where it came along whole."""
    inner: Mapping[str, object] | None = activity.embedded
    if inner is None or "actor" not in inner:
        return None
    try:
        return within(inner)
    except UnfitActivity as error:
        raise MalformedRequest(f"What is announced cannot be read: {error}.") from error
