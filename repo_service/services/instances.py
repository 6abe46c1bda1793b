"""Other servers and their actors: what administrators decided about them.

Anybody's server may follow what is public here. Only what approved ones publish comes into the index, and
with those that are blocked nothing is spoken in either direction.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from repo_service.domain.errors import FieldError, Forbidden, InvalidInput, NotFound
from repo_service.domain.identity import Identity, Scope
from repo_service.domain.network import Standing
from repo_service.domain.resources import ChangeKind, JobKind, Noun
from repo_service.domain.texts import text
from repo_service.federation.incoming import host_of, id_of
from repo_service.models import (
    Delivery,
    Follower,
    Following,
    Instance,
    NetworkEntry,
    ReceivedActivity,
    RemoteActor,
)
from repo_service.models.base import new_id, now
from repo_service.models.database import Database
from repo_service.models.insert import locked_rows
from repo_service.services import paging
from repo_service.services.accounts import require_scope
from repo_service.services.descriptions import plain_line
from repo_service.services.jobs import Jobs
from repo_service.services.records import Page
from repo_service.services.trail import audit, record_change

REASON_LENGTH: Final = 1000
BLOCKED: Final = text("This server does not speak with yours.")

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])(?::[0-9]{{1,5}})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRecord:
    """Another server. ``is_reachable``: it takes what it is sent, as far as we know. ``entries``: how many
    the index keeps of it, which are found while it is approved. ``last_seen_at``: when it last answered a
    look at its outbox, or sent something, as far as that is kept."""

    host: str
    standing: Standing
    reason: str
    decided_at: datetime | None
    actor: str | None
    is_reachable: bool
    failing_since: datetime | None
    entries: int
    last_seen_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedActor:
    """An actor elsewhere that is not spoken with, whatever is said of its server."""

    id: str
    reason: str
    blocked_at: datetime


class Instances:
    """Use cases for administrators, and what everything that comes in is asked first."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    # For administrators

    def list(
        self, identity: Identity, *, standing: Standing | None = None, limit: int, cursor: str | None = None
    ) -> Page[InstanceRecord]:
        """Servers that were heard of, the newest first. Raises InvalidCursor."""
        require_scope(identity, Scope.ADMINISTER)
        query = select(Instance).order_by(Instance.id.desc()).limit(limit + 1)
        if standing is not None:
            query = query.where(Instance.standing == standing.value)
        if cursor is not None:
            query = query.where(Instance.id < paging.decode_uuid(cursor))
        with self._database.read() as session:
            rows = session.scalars(query).all()
            shown = _records(session, rows)
        return paging.page_of(rows, limit, key=lambda row: row.id, record=lambda row: shown[row.id])

    def count(self, identity: Identity, standing: Standing, *, silent: bool = False) -> int:
        """How many servers stand so; ``silent``: of them, those that cannot be reached."""
        require_scope(identity, Scope.ADMINISTER)
        query = select(func.count()).select_from(Instance).where(Instance.standing == standing.value)
        if silent:
            query = query.where(Instance.unreachable_at.is_not(None))
        with self._database.read() as session:
            return session.scalar(query) or 0

    def get(self, identity: Identity, host: str) -> InstanceRecord:
        """One server. Raises NotFound."""
        require_scope(identity, Scope.ADMINISTER)
        with self._database.read() as session:
            found = session.scalar(select(Instance).where(Instance.host == host.lower()))
            if found is None:
                raise NotFound(text("Nothing was ever heard of this server."))
            return _records(session, [found])[found.id]

    def decide(
        self, identity: Identity, host: str, standing: Standing, *, reason: str = ""
    ) -> InstanceRecord:
        """Approve a server, block it, or take that back; it need not have been heard of. Whoever follows from
        a blocked one does so no more, and nothing is sent there.

        Raises InvalidInput for what is no host.
        """
        require_scope(identity, Scope.ADMINISTER)
        host, reason = host.lower(), plain_line(reason)[:REASON_LENGTH]
        if not _HOST.fullmatch(host):
            raise InvalidInput(errors=[FieldError("/host", text("Name a host, such as moodle.example."))])
        with self._database.write() as session:
            instance = instance_of(session, host)
            returns = standing is Standing.APPROVED and instance.standing != standing.value
            instance.standing, instance.reason = standing.value, reason
            instance.decided_by, instance.decided_at = identity.account_id, now()
            instance.read_at = None
            if standing is Standing.BLOCKED:
                _part(session, instance)
            else:
                instance.unreachable_at = instance.failing_since = instance.next_try_at = None
                instance.failures = 0
            audit(session, identity, standing.value, Noun.INSTANCE, instance.id, host=host, reason=reason)
            record_change(session, Noun.INSTANCE, instance.id, ChangeKind.UPDATED)
            if returns:
                _tell_anew(session, instance)
            if standing is Standing.APPROVED:
                self._jobs.enqueue(session, JobKind.ACQUAINT, str(instance.id), again=True)
            session.flush()
            return _records(session, [instance])[instance.id]

    def blocked_actors(
        self, identity: Identity, *, limit: int, cursor: str | None = None
    ) -> Page[BlockedActor]:
        """Actors that are blocked, the newest first. Raises InvalidCursor."""
        require_scope(identity, Scope.ADMINISTER)
        query = (
            select(RemoteActor)
            .where(RemoteActor.blocked_at.is_not(None))
            .order_by(RemoteActor.id.desc())
            .limit(limit + 1)
        )
        if cursor is not None:
            query = query.where(RemoteActor.id < paging.decode_uuid(cursor))
        with self._database.read() as session:
            rows = session.scalars(query).all()
        return paging.page_of(rows, limit, key=lambda row: row.id, record=_blocked)

    def block(self, identity: Identity, uri: str, *, reason: str = "") -> BlockedActor:
        """Speak with an actor no more. Raises InvalidInput for what is no id."""
        require_scope(identity, Scope.ADMINISTER)
        if id_of(uri) is None:
            raise InvalidInput(errors=[FieldError("/actor", text("Give the id of an actor: https://…"))])
        with self._database.write() as session:
            actor = actor_of(session, uri)
            actor.blocked_at = actor.blocked_at or now()
            actor.blocked_reason = plain_line(reason)[:REASON_LENGTH]
            session.execute(delete(Follower).where(Follower.remote_id == actor.id))
            session.execute(delete(Following).where(Following.remote_id == actor.id))
            audit(session, identity, "block", Noun.INSTANCE, actor.instance_id, actor=uri, reason=reason)
            return _blocked(actor)

    def unblock(self, identity: Identity, uri: str) -> None:
        """Take that back. Raises NotFound."""
        require_scope(identity, Scope.ADMINISTER)
        with self._database.write() as session:
            actor = session.scalar(
                select(RemoteActor).where(RemoteActor.uri == uri, RemoteActor.blocked_at.is_not(None))
            )
            if actor is None:
                raise NotFound(text("This actor is not blocked."))
            actor.blocked_at, actor.blocked_reason = None, ""
            audit(session, identity, "unblock", Noun.INSTANCE, actor.instance_id, actor=uri)

    # For what comes in

    def require_heard(self, uri: str) -> None:
        """Whether anything of that actor, or of its server, is listened to. Raises Forbidden."""
        with self._database.read() as session:
            if is_blocked(session, uri):
                raise Forbidden(BLOCKED)


def is_blocked(session: Session, uri: str) -> bool:
    """Whether nothing is spoken with that actor, or its server."""
    host = select(Instance.id).where(
        Instance.host == host_of(uri), Instance.standing == Standing.BLOCKED.value
    )
    actor = select(RemoteActor.id).where(RemoteActor.uri == uri, RemoteActor.blocked_at.is_not(None))
    return session.scalar(host) is not None or session.scalar(actor) is not None


def instance_of(session: Session, host: str) -> Instance:
    """The server of that host, locked; made where it was not heard of yet. For a transaction that writes."""
    return instances_of(session, [host])[host]


def instances_of(session: Session, hosts: Collection[str]) -> dict[str, Instance]:
    """The same for several, by host."""
    return locked_rows(
        session,
        Instance.host,
        hosts,
        id=new_id,
        standing=Standing.KNOWN.value,
        reason="",
        failures=0,
        created_at=now,
    )


def note_answer(session: Session, instance: Instance) -> None:
    """A server, whose row is locked, answers, or was heard of."""
    instance.failures, instance.failing_since = 0, None
    _mark_unreachable(session, instance, since=None)


def note_gone(session: Session, instance: Instance, moment: datetime) -> None:
    """A server, whose row is locked, has not answered for so long that it counts as gone."""
    _mark_unreachable(session, instance, since=instance.unreachable_at or moment)


def actor_of(session: Session, uri: str) -> RemoteActor:
    """The actor of that id, locked; made where it was not heard of yet. For a transaction that writes."""
    instance = instance_of(session, host_of(uri))
    actor: RemoteActor = locked_rows(
        session, RemoteActor.uri, [uri], id=new_id, instance_id=instance.id, blocked_reason="", created_at=now
    )[uri]
    return actor


def _mark_unreachable(session: Session, instance: Instance, *, since: datetime | None) -> None:
    """Those who follow the index are told of the server, not of each thing that it has: that can be very
    many. Of others than approved ones nobody is told that they are known."""
    differs = (since is None) != (instance.unreachable_at is None)
    instance.unreachable_at = since
    if differs and instance.standing == Standing.APPROVED.value:
        record_change(session, Noun.INSTANCE, instance.id, ChangeKind.REACHABILITY)


def _part(session: Session, instance: Instance) -> None:
    """Forget everything that binds us to a server."""
    theirs = select(RemoteActor.id).where(RemoteActor.instance_id == instance.id)
    session.execute(delete(Follower).where(Follower.remote_id.in_(theirs)))
    session.execute(delete(Following).where(Following.remote_id.in_(theirs)))
    session.execute(delete(Delivery).where(Delivery.instance_id == instance.id))


def _tell_anew(session: Session, instance: Instance) -> None:
    """Those who follow the index have thrown away what a server had when it was approved no more."""
    kept = select(NetworkEntry.id).where(
        NetworkEntry.instance_id == instance.id, NetworkEntry.deleted_at.is_(None)
    )
    for entry_id in session.scalars(kept).all():
        record_change(session, Noun.NETWORK_ENTRY, entry_id, ChangeKind.RESTORED)


def _records(session: Session, instances: Sequence[Instance]) -> dict[UUID, InstanceRecord]:
    """Each with what is known of it elsewhere."""
    ids = [instance.id for instance in instances]
    entries = (
        select(NetworkEntry.instance_id, func.count())
        .where(NetworkEntry.instance_id.in_(ids), NetworkEntry.deleted_at.is_(None))
        .group_by(NetworkEntry.instance_id)
    )
    heard = (
        select(ReceivedActivity.instance_id, func.max(ReceivedActivity.created_at))
        .where(ReceivedActivity.instance_id.in_(ids))
        .group_by(ReceivedActivity.instance_id)
    )
    counts = dict(session.execute(entries).all())
    moments = dict(session.execute(heard).all())
    return {
        instance.id: InstanceRecord(
            host=instance.host,
            standing=Standing(instance.standing),
            reason=instance.reason,
            decided_at=instance.decided_at,
            actor=instance.actor,
            is_reachable=instance.unreachable_at is None,
            failing_since=instance.failing_since,
            entries=counts.get(instance.id, 0),
            last_seen_at=_last_seen(instance, moments.get(instance.id)),
            created_at=instance.created_at,
        )
        for instance in instances
    }


def _last_seen(instance: Instance, heard: datetime | None) -> datetime | None:
    looked = instance.looked_at if instance.failing_since is None else None
    return max(filter(None, (looked, heard)), default=None)


def _blocked(actor: RemoteActor) -> BlockedActor:
    assert actor.blocked_at is not None
    return BlockedActor(id=actor.uri, reason=actor.blocked_reason, blocked_at=actor.blocked_at)
