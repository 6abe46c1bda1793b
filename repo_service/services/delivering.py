"""Sending what is in the queue to other servers.

Each host is served by one thread at a time, in the order of the queue, so that what is about the same thing
arrives in the order in which it was done. A host that does not answer is left alone, for longer each time
and never at the same moment as others; after a week it counts as gone, and nothing is kept for it until it
is heard of again. An activity that one inbox cannot take holds up only what is about the same thing.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import SystemRandom
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, and_, delete, exists, or_, select
from sqlalchemy.orm import Session, aliased

from repo_service.domain.errors import RemoteFailed, RemoteFault
from repo_service.domain.resources import JobKind
from repo_service.federation.addresses import ActorKind, ActorRef, Addresses, KeyName
from repo_service.federation.keys import Algorithm
from repo_service.federation.outgoing import Answer, Outgoing
from repo_service.federation.signatures import Scheme, SigningKey, sign
from repo_service.models import Delivery, Dispatch, Follower, Instance, RemoteActor
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.actor_keys import ActorKeys
from repo_service.services.deliveries import ALL
from repo_service.services.instances import note_answer, note_gone
from repo_service.services.jobs import Jobs, Report
from repo_service.services.serving_receivers import serve_receivers
from repo_service.services.together import Together

HOSTS_AT_ONCE: Final = 16
FIRST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(hours=6)
GONE_AFTER: Final = timedelta(days=7)
"""How long a host may not answer, and how long one activity is tried."""

_LONGEST_SECONDS: Final = LONGEST_WAIT.total_seconds()
_JITTER: Final = 0.25
_DOUBLINGS: Final = 12
_GONE: Final = 410
_NOT_LIKE_THAT: Final = frozenset({400, 401, 403})
"""How servers refuse a kind of signature that they do not know."""
_HOST_IS_BUSY: Final = frozenset({429, 503})

_chance = SystemRandom()
log = structlog.get_logger(__name__)


class _Outcome(enum.Enum):
    TAKEN = "taken"
    REFUSED = "refused"
    """It would be the next time, too."""
    LATER = "later"
    """This inbox cannot take this now."""
    AWAY = "away"
    """The host does not answer, or wants to be left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """A delivery whose turn it is."""

    id: int
    dispatch_id: UUID
    inbox: str
    actor: str
    body: bytes
    attempts: int
    created_at: datetime
    scheme: Scheme


@dataclass(frozen=True, slots=True)
class _Result:
    outcome: _Outcome
    said: str
    scheme: Scheme
    retry_after: int | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class _Sent:
    """What was sent to a server, and what came of it."""

    instance_id: UUID
    due: _Due
    result: _Result


class Deliverer:
    """Sends, and keeps account of who takes what."""

    def __init__(
        self,
        database: Database,
        keys: ActorKeys,
        outgoing: Outgoing,
        jobs: Jobs,
        *,
        addresses: Addresses,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._database = database
        self._keys = keys
        self._outgoing = outgoing
        self._jobs = jobs
        self._addresses = addresses
        self._clock = clock
        self._noting = Together(self._note_all, most=HOSTS_AT_ONCE)

    def run(self, _key: str, report: Report) -> None:
        """The job: send everything that is due, many hosts at a time."""
        serve_receivers(self._due_hosts, self._serve, report, at_once=HOSTS_AT_ONCE, name="deliver")

    def enqueue_due(self) -> None:
        """Have it done where something is due that no hint told of."""
        if self._due_hosts(but=(), limit=1):
            with self._database.write() as session:
                self._jobs.enqueue(session, JobKind.DELIVER, ALL)

    def tidy(self) -> None:
        """Forget what was sent to everybody."""
        with self._database.write() as session:
            waiting = exists().where(Delivery.dispatch_id == Dispatch.id)
            session.execute(delete(Dispatch).where(~waiting, Dispatch.created_at < now() - FIRST_WAIT))

    def _due_hosts(self, *, but: Iterable[UUID], limit: int) -> list[UUID]:
        query = (
            select(Delivery.instance_id)
            .join(Instance, Instance.id == Delivery.instance_id)
            .where(self._is_due(), Delivery.instance_id.not_in(list(but)))
            .distinct()
            .limit(limit)
        )
        with self._database.read() as session:
            return list(session.scalars(query))

    def _serve(self, instance_id: UUID) -> None:
        """Send to one host until it has everything, or wants to be left alone."""
        keys: dict[str, SigningKey] = {}
        while (due := self._next(instance_id)) is not None:
            if due.actor not in keys:
                keys[due.actor] = self._signing_key(due.actor)
            with self._noting.coming():
                result = self._send(due, keys[due.actor])
                self._noting.do(_Sent(instance_id, due, result))
            if result.outcome is _Outcome.AWAY:
                return

    def _next(self, instance_id: UUID) -> _Due | None:
        query = (
            select(Delivery, Dispatch.actor, Dispatch.body, Instance.scheme)
            .join(Dispatch, Dispatch.id == Delivery.dispatch_id)
            .join(Instance, Instance.id == Delivery.instance_id)
            .where(Delivery.instance_id == instance_id, self._is_due())
            .order_by(Delivery.id)
            .limit(1)
        )
        with self._database.read() as session:
            row = session.execute(query).one_or_none()
        if row is None:
            return None
        delivery, actor, body, scheme = row
        return _Due(
            id=delivery.id,
            dispatch_id=delivery.dispatch_id,
            inbox=delivery.inbox,
            actor=actor,
            body=body.encode(),
            attempts=delivery.attempts,
            created_at=delivery.created_at,
            scheme=Scheme.CAVAGE if scheme is None else Scheme(scheme),
        )

    def _is_due(self) -> ColumnElement[bool]:
        """Whether the delivery of the query can be sent now: also no other about the same thing waits before
        it."""
        moment = self._clock()
        before = aliased(Delivery)
        return and_(
            Delivery.next_try_at <= moment,
            or_(Instance.next_try_at.is_(None), Instance.next_try_at <= moment),
            ~exists().where(
                before.inbox == Delivery.inbox, before.about == Delivery.about, before.id < Delivery.id
            ),
        )

    def _send(self, due: _Due, key: SigningKey) -> _Result:
        """By the kind of signature that the host is known to take, and where it refuses, by the other one
        ("double knocking", https://swicg.github.io/activitypub-http-signature/)."""
        result = self._post(due, key, due.scheme)
        if result.outcome is _Outcome.REFUSED and result.status in _NOT_LIKE_THAT:
            other = self._post(due, key, due.scheme.other)
            return result if other.outcome is _Outcome.REFUSED else other
        return result

    def _post(self, due: _Due, key: SigningKey, scheme: Scheme) -> _Result:
        try:
            answer = self._outgoing.post(due.inbox, body=due.body, sign=partial(sign, key=key, scheme=scheme))
        except RemoteFailed as error:
            away = error.reason in (RemoteFault.UNREACHABLE, RemoteFault.TIMEOUT)
            return _Result(_Outcome.AWAY if away else _Outcome.REFUSED, error.detail, scheme)
        return _Result(
            _outcome(answer), f"It answers {answer.status}.", scheme, answer.retry_after, answer.status
        )

    def _note_all(self, sent: Sequence[_Sent]) -> Sequence[Exception | None]:
        """In one transaction for all who wait: it takes longer than a request does."""
        servers = (
            select(Instance)
            .where(Instance.id.in_([one.instance_id for one in sent]))
            .order_by(Instance.host)  # as in ``TakingIn``: whoever locks several locks them in this order
            .with_for_update()
        )
        with self._database.write() as session:
            instances = {instance.id: instance for instance in session.scalars(servers)}
            for one in sent:
                self._note(session, instances[one.instance_id], one.due, one.result)
        return [None] * len(sent)

    def _note(self, session: Session, instance: Instance, due: _Due, result: _Result) -> None:
        delivery = session.get(Delivery, due.id, with_for_update=True)
        moment = self._clock()
        if result.outcome is _Outcome.AWAY:
            self._back_off(session, instance, result, moment)
            return
        note_answer(session, instance)
        instance.next_try_at = None
        if delivery is None:
            return
        if result.outcome is _Outcome.LATER and moment - due.created_at < GONE_AFTER:
            delivery.attempts += 1
            delivery.next_try_at = moment + _wait(delivery.attempts, result.retry_after)
            return
        if result.outcome is _Outcome.TAKEN:
            instance.scheme = result.scheme.value
        else:
            log.info("a server refused an activity", inbox=due.inbox, said=result.said)
        if result.status == _GONE:
            _forget_inbox(session, due.inbox)
        session.delete(delivery)

    def _back_off(self, session: Session, instance: Instance, result: _Result, moment: datetime) -> None:
        instance.failures += 1
        instance.failing_since = instance.failing_since or moment
        instance.next_try_at = moment + _wait(instance.failures, result.retry_after)
        if moment - instance.failing_since >= GONE_AFTER:
            log.warning("a server is taken for gone", host=instance.host)
            note_gone(session, instance, moment)
            session.execute(delete(Delivery).where(Delivery.instance_id == instance.id))

    def _signing_key(self, path: str) -> SigningKey:
        kind, _, id_ = path.partition("/")
        ref = ActorRef(ActorKind(kind), UUID(id_) if id_ else None)
        pem = self._keys.private(ref, Algorithm.RSA).decode()
        return SigningKey.from_pem(self._addresses.key(ref, KeyName.RSA), pem)


def _outcome(answer: Answer) -> _Outcome:
    if answer.is_success:
        return _Outcome.TAKEN
    if answer.status in _HOST_IS_BUSY:
        return _Outcome.AWAY
    return _Outcome.LATER if answer.is_temporary else _Outcome.REFUSED


def _wait(failures: int, retry_after: int | None) -> timedelta:
    """Twice as long each time, more or less: hosts that failed together are not tried together."""
    doubled = min(FIRST_WAIT.total_seconds() * 2.0 ** min(failures - 1, _DOUBLINGS), _LONGEST_SECONDS)
    wanted = doubled * _chance.uniform(1 - _JITTER, 1 + _JITTER)
    return timedelta(seconds=max(wanted, retry_after or 0))


def _forget_inbox(session: Session, inbox: str) -> None:
    """Nobody is there any more."""
    theirs = select(RemoteActor.id).where(
        or_(
            RemoteActor.shared_inbox == inbox,
            and_(RemoteActor.shared_inbox.is_(None), RemoteActor.inbox == inbox),
        )
    )
    session.execute(delete(Follower).where(Follower.remote_id.in_(theirs)))
