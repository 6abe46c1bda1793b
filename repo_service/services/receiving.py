"""Handling what came into the inbox: one server's activities after the other, in the order they came.

What they say of things is believed of their own only. An object that did not come along, or is at home
elsewhere, is read at its own address, and whoever answers there is who tells of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import structlog
from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.orm import Session

from repo_service.domain.errors import DomainError, Gone, NotFound, RemoteFailed
from repo_service.domain.identity import PUBLIC
from repo_service.domain.network import EntryKind, Standing
from repo_service.domain.reports import ReportReason
from repo_service.domain.resources import JobKind
from repo_service.federation import contexts
from repo_service.federation.addresses import Addresses
from repo_service.federation.incoming import (
    Incoming,
    UnfitActivity,
    collection_of,
    host_of,
    id_of,
    ids_of,
    is_public,
    read,
    same_origin,
    within,
)
from repo_service.federation.remote import UnfitActor, read_actor, read_entry, wants_to_be_found
from repo_service.federation.signatures import Documents
from repo_service.models import Follower, Following, Instance, NetworkEntry, ReceivedActivity, RemoteActor
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services import network_entries
from repo_service.services.actors import Actors
from repo_service.services.deliveries import dispatch, send_soon
from repo_service.services.follows import Recipient, add_follower, keep_actor
from repo_service.services.instances import is_blocked
from repo_service.services.jobs import Jobs, Report
from repo_service.services.reporting import Reporting

KEPT: Final = timedelta(days=30)
"""How long it is known that an activity was here."""

_ATTEMPTS: Final = 6
_FIRST_WAIT: Final = timedelta(minutes=1)
_OUTCOME_LENGTH: Final = 200
_LIVING: Final = frozenset({"Person", "Group", "Organization", "Application", "Service"})

log = structlog.get_logger(__name__)


class Useless(Exception):
    """There is nothing to be done about an activity; the message says why."""


class Receiver:
    """Does what activities ask for. ``documents`` fetches what did not come along."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        actors: Actors,
        reporting: Reporting,
        *,
        documents: Documents,
        addresses: Addresses,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._actors = actors
        self._reporting = reporting
        self._documents = documents
        self._addresses = addresses

    def run(self, key: str, report: Report) -> None:
        """The job: everything of one server that waits."""
        while (row := self._next(UUID(key))) is not None:
            self._handle(row)
            report(0.5)

    def enqueue_due(self) -> None:
        """Have it done where something waits that no hint told of."""
        waiting = select(ReceivedActivity.instance_id).where(ReceivedActivity.next_try_at <= now()).distinct()
        with self._database.read() as session:
            ids = session.scalars(waiting).all()
        self._jobs.enqueue_all(JobKind.RECEIVE, (str(id_) for id_ in ids))

    def tidy(self) -> None:
        """Forget activities that were handled long ago, and marks of what was deleted before it was known."""
        before = now() - KEPT
        with self._database.write() as session:
            session.execute(
                delete(ReceivedActivity).where(
                    ReceivedActivity.created_at < before, ReceivedActivity.next_try_at.is_(None)
                )
            )
            session.execute(
                delete(NetworkEntry).where(
                    NetworkEntry.deleted_at < before, NetworkEntry.deleted_at <= NetworkEntry.created_at
                )
            )

    def _next(self, instance_id: UUID) -> ReceivedActivity | None:
        query = (
            select(ReceivedActivity)
            .where(ReceivedActivity.instance_id == instance_id, ReceivedActivity.next_try_at <= now())
            .order_by(ReceivedActivity.id)
            .limit(1)
        )
        with self._database.read() as session:
            return session.scalar(query)

    def _handle(self, row: ReceivedActivity) -> None:
        outcome, again = "", False
        try:
            self._do(read(row.document), row)
        except (Useless, UnfitActivity, UnfitActor) as error:
            outcome = str(error)
        except RemoteFailed as error:
            outcome, again = error.detail, error.temporary and row.attempts + 1 < _ATTEMPTS
        except DomainError as error:
            outcome = error.detail or error.code
        except Exception:  # one that cannot be handled must not keep those behind it
            log.exception("an activity could not be handled", activity=row.uri)
            outcome, again = "It broke off.", row.attempts + 1 < _ATTEMPTS
        later = now() + _FIRST_WAIT * 4**row.attempts if again else None
        with self._database.write() as session:
            session.execute(
                update(ReceivedActivity)
                .where(ReceivedActivity.id == row.id)
                .values(attempts=row.attempts + 1, next_try_at=later, outcome=str(outcome)[:_OUTCOME_LENGTH])
            )

    def _do(self, activity: Incoming, row: ReceivedActivity) -> None:
        with self._database.read() as session:
            if is_blocked(session, activity.actor):
                raise Useless("It is blocked by now.")
        match activity.type:
            case "Follow":
                self._follow(activity)
            case "Undo":
                self._undo(activity, row.id)
            case "Accept":
                self._answered(activity, accepted=True)
            case "Reject":
                self._answered(activity, accepted=False)
            case "Flag":
                self._flag(activity)
            case "Create" | "Update" | "Delete":
                self._told(activity, row.id, said_by=activity.actor)
            case "Announce" | "Add":
                self._announced(activity, row.id)
            case "Remove":
                self._look_again(row.id, collection_of(activity), activity.object_id)
            case _:
                raise Useless("Nothing is done about this.")

    def crawled(self, activity: Incoming, *, said_by: str, heard: UUID) -> bool:
        """An activity that stands in the outbox of ``said_by``, read there at the moment ``heard``: what it
        tells of goes into the index, if that can be; returns whether it was news. Raises RemoteFailed."""
        try:
            if activity.type in ("Announce", "Add"):
                is_news = self._announced(activity, heard)
            else:
                is_news = self._told(activity, heard, said_by=said_by)
            self._know(_doer(activity), heard, said_by=said_by)
        except (Useless, UnfitActivity) as error:
            log.debug("an activity in an outbox is of no use", activity=activity.id, because=str(error))
            return False
        return is_news

    def _know(self, uri: str, heard: UUID, *, said_by: str) -> None:
        """Have somebody in the index who did something, where they are not yet: outboxes do not tell of
        people."""
        if uri == said_by or not same_origin(uri, said_by):
            return
        with self._database.read() as session:
            known = session.scalar(select(exists().where(NetworkEntry.uri == uri)))
        if not known:
            self._read_anew(uri, heard)

    # Following

    def _follow(self, activity: Incoming) -> None:
        ref = None if activity.object_id is None else self._addresses.ref_of(activity.object_id)
        if ref is None:
            raise Useless("It follows nobody here.")
        try:
            self._actors.require(ref)
        except (NotFound, Gone) as error:
            raise Useless("There is nobody here by that id.") from error
        described = read_actor(self._documents.get(activity.actor), activity.actor)
        with self._database.write() as session:
            actor = keep_actor(session, described)
            add_follower(session, ref, actor, activity.id)
            own = self._addresses.actor(ref)
            accept = contexts.in_context(
                {
                    "id": f"{own}#accepts/{uuid4()}",
                    "type": "Accept",
                    "actor": own,
                    "to": [activity.actor],
                    "object": {
                        "id": activity.id,
                        "type": "Follow",
                        "actor": activity.actor,
                        "object": activity.object_id,
                    },
                }
            )
            inbox = Recipient(actor.instance_id, described.inbox)
            dispatch(session, accept, by=ref, about=f"follow {actor.id}", to=[inbox])
            send_soon(session, self._jobs)

    def _undo(self, activity: Incoming, heard: UUID) -> None:
        """Undo a Follow or an Announce. Who may do so was decided before."""
        undone = activity.embedded
        if undone is None or "type" not in undone:
            undone = self._kept(activity)
        if undone is not None and undone.get("type") == "Announce":
            with self._database.read() as session:
                _approved(session, activity.actor)
            self._look_again(heard, _subject(undone))
        else:
            self._unfollow(activity)

    def _kept(self, activity: Incoming) -> Mapping[str, Any] | None:
        """What is undone, where it is named only and came not long ago."""
        theirs = select(ReceivedActivity.document).where(
            ReceivedActivity.uri == activity.object_id, ReceivedActivity.actor == activity.actor
        )
        with self._database.read() as session:
            return session.scalar(theirs)

    def _unfollow(self, activity: Incoming) -> None:
        follow = activity.embedded
        ref = None
        if follow is not None and follow.get("type") == "Follow":
            followed = id_of(follow.get("object"))
            ref = None if followed is None else self._addresses.ref_of(followed)
        by_id = Follower.activity == activity.object_id
        which = by_id if ref is None else or_(by_id, Follower.actor == ref.path)
        theirs = select(RemoteActor.id).where(RemoteActor.uri == activity.actor)
        with self._database.write() as session:
            gone = session.scalars(
                delete(Follower).where(Follower.remote_id.in_(theirs), which).returning(Follower.id)
            ).all()
        if not gone:
            raise Useless("There was nothing to undo.")

    def _answered(self, activity: Incoming, *, accepted: bool) -> None:
        """An answer to a Follow of ours, by whom we asked."""
        with self._database.write() as session:
            following = session.scalar(
                select(Following)
                .join(RemoteActor, RemoteActor.id == Following.remote_id)
                .where(RemoteActor.uri == activity.actor)
                .with_for_update()
            )
            if following is None:
                raise Useless("Nobody here asked to follow this actor.")
            if accepted:
                following.accepted_at = following.accepted_at or now()
            else:
                session.delete(following)

    def _flag(self, activity: Incoming) -> None:
        """A report about resources of ours (ActivityStreams ``Flag``; MoodleNet says why in ``content``)."""
        words = activity.document.get("content")
        about = {
            resource_id
            for uri in ids_of(activity.document.get("object"))
            if (resource_id := self._addresses.resource_of(uri)) is not None
        }
        if not about:
            raise Useless("It is about nothing here.")
        for resource_id in about:
            self._reporting.report(
                PUBLIC,
                resource_id,
                reason=ReportReason.OTHER,
                words=f"{host_of(activity.actor)}: {words if isinstance(words, str) else ''}",
                email=None,
                language="en",
                address=host_of(activity.actor),
            )

    # The index

    def _announced(self, activity: Incoming, heard: UUID) -> bool:
        """What somebody tells of: a whole activity of their own server, which is done as if it had come by
        itself (FEP-1b12), or anything by its id, which is read at its home."""
        embedded = activity.embedded
        if embedded is not None and "actor" in embedded:
            inner = within(embedded)
            if same_origin(inner.actor, activity.actor):
                return self._passed_on(inner, heard, said_by=activity.actor)
        if activity.object_id is None:
            raise Useless("It names nothing.")
        return self._read_anew(activity.object_id, heard)

    def _passed_on(self, inner: Incoming, heard: UUID, *, said_by: str) -> bool:
        """An activity of a server's own people, of which the server tells. What they point to, or point to no
        more, is asked for at its home, so nobody has to prove what they undo."""
        match inner.type:
            case "Add" if inner.object_id is not None:
                return self._read_anew(inner.object_id, heard)
            case "Remove":
                self._look_again(heard, collection_of(inner), inner.object_id)
            case "Undo":
                self._look_again(heard, _subject(inner.embedded or {}))
            case _:
                return self._told(inner, heard, said_by=said_by)
        return True

    def _told(self, activity: Incoming, heard: UUID, *, said_by: str) -> bool:
        """A Create, Update or Delete by the server whose object it is."""
        uri = activity.object_id
        if uri is None or not same_origin(uri, said_by):
            raise Useless("It is not theirs to tell of.")
        if activity.type == "Delete":
            return self._gone(uri, heard)
        if activity.type not in ("Create", "Update"):
            raise Useless("Nothing is done about this.")
        embedded = activity.embedded
        if embedded is None or "type" not in embedded:
            return self._read_anew(uri, heard)
        publicly = is_public(embedded) or _says_nothing(embedded, activity)
        return self._index(embedded, heard, publicly=publicly)

    def _look_again(self, heard: UUID, *ids: str | None) -> None:
        """Somebody points to things no more. The index does not keep who does, and only its own server says
        what becomes of a thing: of those that are in the index it is asked, and what is not public any more
        leaves."""
        uris = [uri for uri in ids if uri is not None]
        shown = select(NetworkEntry.uri).where(NetworkEntry.uri.in_(uris), NetworkEntry.deleted_at.is_(None))
        with self._database.read() as session:
            known = set(session.scalars(shown))
        if not known:
            raise Useless("The index has nothing of this.")
        for uri in uris:
            if uri in known:
                self._read_anew(uri, heard)

    def _read_anew(self, uri: str, heard: UUID) -> bool:
        """Have its own server say what it is now."""
        if self._addresses.is_ours(uri):
            raise Useless("It is at home here.")
        with self._database.read() as session:
            _approved(session, uri)
        try:
            fetched = self._documents.get(uri)
        except RemoteFailed as error:
            if error.is_gone:
                return self._gone(uri, heard)
            raise
        document = fetched.value
        if not isinstance(document, dict) or document.get("id") != uri or not same_origin(fetched.url, uri):
            raise Useless("It is not at its address.")
        if document.get("type") == "Tombstone":
            return self._gone(uri, heard)
        return self._index(document, heard, publicly=is_public(document))

    def _index(self, document: Mapping[str, Any], heard: UUID, *, publicly: bool) -> bool:
        described = read_entry(document)
        if described is None:
            raise Useless("The index has no place for this.")
        is_actor = described.kind is not EntryKind.RESOURCE and document.get("type") in _LIVING
        shown = wants_to_be_found(document) if is_actor else publicly
        with self._database.write() as session:
            instance = _approved(session, described.id)
            if shown:
                return network_entries.put(session, instance.id, described, heard=heard)
            return _bury_if_known(session, instance, described.id, heard)

    def _gone(self, uri: str, heard: UUID) -> bool:
        """It, and if it was somebody who followed, or was followed, that is over, too."""
        with self._database.write() as session:
            theirs = select(RemoteActor.id).where(RemoteActor.uri == uri)
            session.execute(delete(Follower).where(Follower.remote_id.in_(theirs)))
            session.execute(delete(Following).where(Following.remote_id.in_(theirs)))
            instance = session.scalar(select(Instance).where(Instance.host == host_of(uri)))
            if instance is None or instance.standing != Standing.APPROVED.value:
                return False
            return network_entries.bury(session, instance.id, uri, heard=heard)


def _doer(activity: Incoming) -> str:
    """Whose deed it is, or that of whom it announces."""
    inner = activity.embedded
    found = None if inner is None or activity.type != "Announce" else id_of(inner.get("actor"))
    return found or activity.actor


def _subject(announce: Mapping[str, Any]) -> str | None:
    """The id of what was announced, or of what an activity is about that was announced whole."""
    announced = announce.get("object")
    if isinstance(announced, Mapping) and "actor" in announced:
        announced = announced.get("object")
    return id_of(announced)


def _approved(session: Session, uri: str) -> Instance:
    """The server of that thing, if the index takes what it has. Raises Useless."""
    instance = session.scalar(select(Instance).where(Instance.host == host_of(uri)))
    if instance is None or instance.standing != Standing.APPROVED.value:
        raise Useless("Its server is not approved.")
    return instance


def _bury_if_known(session: Session, instance: Instance, uri: str, heard: UUID) -> bool:
    """What is public no more leaves the index; of what never was, nothing is kept."""
    known = session.scalar(select(exists().where(NetworkEntry.uri == uri)))
    return bool(known) and network_entries.bury(session, instance.id, uri, heard=heard)


def _says_nothing(document: Mapping[str, Any], activity: Incoming) -> bool:
    """Whether an object leaves it to its activity to say who may see it, and that says everybody."""
    return not any(document.get(name) for name in ("to", "cc")) and is_public(activity.document)
