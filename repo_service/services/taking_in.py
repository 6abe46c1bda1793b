"""What is proven and makes sense is taken in: remembered, so that it cannot come twice, and kept until it is
handled. As many as wait are taken in by one transaction, and each is refused for reasons of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, exists, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from repo_service.domain.errors import DomainError, Forbidden, InvalidSignature, SignatureFault
from repo_service.domain.network import Standing
from repo_service.domain.resources import JobKind
from repo_service.federation.incoming import Incoming, host_of
from repo_service.models import Instance, ReceivedActivity, RemoteActor, SeenRequest
from repo_service.models.base import new_id, now
from repo_service.models.database import Database, outage_of
from repo_service.models.insert import insert_absent
from repo_service.services.delivering import FIRST_WAIT
from repo_service.services.instances import BLOCKED, instances_of, note_answer
from repo_service.services.jobs import Jobs
from repo_service.services.throttling import Allowance, Throttling
from repo_service.services.together import Together

TAKEN = Allowance(name="inbox-taken", burst=5000, every=timedelta(milliseconds=20))
"""Activities of one server. A school that joins tells of all that it has."""

_OF_FOLLOWING: Final = frozenset({"Follow", "Undo", "Accept", "Reject", "Flag"})
"""What everybody may say who is not blocked."""
_OF_CONTENT: Final = frozenset({"Create", "Update", "Delete", "Announce", "Add", "Remove"})
"""What approved servers say of what is theirs."""

_AT_ONCE: Final = 100

_BLOCKED: Final = select(RemoteActor.uri).where(
    RemoteActor.uri.in_(bindparam("actors", expanding=True)), RemoteActor.blocked_at.is_not(None)
)
_SEEN: Final = select(SeenRequest.token).where(SeenRequest.token.in_(bindparam("tokens", expanding=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """An activity by whom it says that it is. ``token`` is the request's that it came by, which could come a
    second time ``until`` then."""

    activity: Incoming
    token: str
    until: datetime

    @property
    def host(self) -> str:
        """The server that it is from."""
        return host_of(self.activity.actor)


class TakingIn:
    """Use case: take in an activity."""

    def __init__(self, database: Database, jobs: Jobs, throttling: Throttling) -> None:
        self._database = database
        self._jobs = jobs
        self._throttling = throttling
        self._together = Together(self._take_all, most=_AT_ONCE)

    def coming(self) -> AbstractContextManager[None]:
        """While something is checked that may be taken in: what is ready sooner waits a moment for it."""
        return self._together.coming()

    def take(self, proven: Proven) -> None:
        """Raises InvalidSignature where the request was here before, Forbidden, TooManyRequests."""
        self._together.do(proven)

    def _take_all(self, proven: Sequence[Proven]) -> Sequence[Exception | None]:
        try:
            return self._take_in(proven)
        except DBAPIError as error:
            if len(proven) == 1 or outage_of(error) is not None:
                raise
        # One of them is none that the database takes: that is nothing to do with the others.
        return [self._taken_alone(one) for one in proven]

    def _taken_alone(self, proven: Proven) -> Exception | None:
        try:
            (outcome,) = self._take_in([proven])
        except DBAPIError as error:
            return error
        return outcome

    def _take_in(self, proven: Sequence[Proven]) -> Sequence[Exception | None]:
        """Why not, for each that is refused. What is refused leaves nothing: it may be sent again."""
        refused: dict[int, DomainError] = {}
        with self._database.write() as session:
            # Everybody in the same order, so nobody waits in a circle.
            hosts = sorted({one.host for one in proven})
            room = self._throttling.hold(session, TAKEN, hosts)
            instances = instances_of(session, hosts)
            blocked = _blocked(session, proven, instances)
            seen = _seen(session, proven)
            admitted = []
            for number, one in enumerate(proven):
                if one.activity.actor in blocked:
                    refused[number] = Forbidden(BLOCKED)
                elif one.token in seen:
                    refused[number] = InvalidSignature(
                        "This request was here before.", reason=SignatureFault.REPLAYED
                    )
                elif (wait := room.take(one.host)) is not None:
                    refused[number] = wait
                else:
                    seen.add(one.token)
                    admitted.append(one)
            self._remember_and_keep(session, admitted, instances)
        return [refused.get(number) for number in range(len(proven))]

    def _remember_and_keep(
        self, session: Session, admitted: Sequence[Proven], instances: Mapping[str, Instance]
    ) -> None:
        moment = now()
        for host in sorted({one.host for one in admitted}):
            _note_sign_of_life(session, instances[host], moment)
        insert_absent(
            session, SeenRequest.token, [{"token": one.token, "until": one.until} for one in admitted]
        )
        rows = [
            {
                "id": new_id(),
                "uri": one.activity.id,
                "instance_id": instances[one.host].id,
                "actor": one.activity.actor,
                "document": one.activity.document,
                "attempts": 0,
                "next_try_at": moment,
                "outcome": "",
                "created_at": moment,
            }
            for one in admitted
            if _is_of_use(session, instances[one.host], one.activity)
        ]
        kept = insert_absent(session, ReceivedActivity.uri, rows)
        concerned = {str(row["instance_id"]) for row in rows if row["uri"] in kept}
        if concerned:
            self._jobs.wake(session, JobKind.RECEIVE, concerned)


def _blocked(session: Session, proven: Sequence[Proven], instances: Mapping[str, Instance]) -> set[str]:
    """The actors that nothing is spoken with. ``is_blocked`` for many."""
    blocked = set(session.connection().scalars(_BLOCKED, {"actors": [one.activity.actor for one in proven]}))
    for one in proven:
        if instances[one.host].standing == Standing.BLOCKED.value:
            blocked.add(one.activity.actor)
    return blocked


def _seen(session: Session, proven: Sequence[Proven]) -> set[str]:
    """The tokens of requests that were here before. Whoever took one of the same server in since has held
    the server's row, as we do."""
    return set(session.connection().scalars(_SEEN, {"tokens": [one.token for one in proven]}))


def _note_sign_of_life(session: Session, instance: Instance, moment: datetime) -> None:
    if instance.failures:  # it is there: what waits for it can be sent soon
        instance.next_try_at = min(instance.next_try_at or moment, moment + FIRST_WAIT)
    note_answer(session, instance)


def _is_of_use(session: Session, instance: Instance, activity: Incoming) -> bool:
    """Whether it is kept. What nobody here asked for is taken and forgotten: a refusal would be repeated."""
    if activity.type in _OF_FOLLOWING or instance.standing == Standing.APPROVED.value:
        return activity.type in _OF_FOLLOWING | _OF_CONTENT
    known: bool = session.scalar(select(exists().where(RemoteActor.uri == activity.actor))) or False
    return activity.type == "Delete" and activity.object_id == activity.actor and known
