"""Who follows whom, across servers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from repo_service.domain.network import Standing
from repo_service.federation.addresses import ActorRef
from repo_service.federation.remote import ActorDescription
from repo_service.models import Follower, Following, Instance, RemoteActor
from repo_service.models.base import new_id, now
from repo_service.models.database import Database
from repo_service.models.insert import insert_if_absent
from repo_service.services.actors import Acquaintances
from repo_service.services.instances import actor_of


@dataclass(frozen=True, slots=True)
class Recipient:
    """An inbox, and whose it is."""

    instance_id: UUID
    inbox: str


class Follows:
    """What reading actors asks (services.actors.Follows)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, ref: ActorRef) -> Acquaintances:
        """How many follow an actor, and how many it follows: those that have accepted it."""
        followers = select(func.count()).select_from(Follower).where(Follower.actor == ref.path)
        following = (
            select(func.count())
            .select_from(Following)
            .where(Following.actor == ref.path, Following.accepted_at.is_not(None))
        )
        with self._database.read() as session:
            return Acquaintances(
                followers=session.scalar(followers) or 0, following=session.scalar(following) or 0
            )


def keep_actor(session: Session, described: ActorDescription) -> RemoteActor:
    """The row of an actor elsewhere, as its document is now."""
    actor = actor_of(session, described.id)
    actor.inbox, actor.shared_inbox = described.inbox, described.shared_inbox
    actor.outbox, actor.fetched_at = described.outbox, now()
    return actor


def add_follower(session: Session, ref: ActorRef, actor: RemoteActor, activity: str) -> None:
    """Have ``actor`` follow one of ours. Asking again is no mistake: an answer may have been lost."""
    insert_if_absent(
        session,
        Follower,
        id=new_id(),
        actor=ref.path,
        remote_id=actor.id,
        activity=activity,
        created_at=now(),
    )
    row = session.scalars(
        select(Follower).where(Follower.actor == ref.path, Follower.remote_id == actor.id)
    ).one()
    row.activity = activity


def recipients(session: Session, refs: Iterable[ActorRef]) -> Sequence[Recipient]:
    """The inboxes of everybody who follows any of those, each once: servers with a shared inbox get one."""
    query = (
        select(RemoteActor.instance_id, func.coalesce(RemoteActor.shared_inbox, RemoteActor.inbox))
        .join(Follower, Follower.remote_id == RemoteActor.id)
        .join(Instance, Instance.id == RemoteActor.instance_id)
        .where(
            Follower.actor.in_([ref.path for ref in refs]),
            RemoteActor.inbox.is_not(None),
            Instance.unreachable_at.is_(None),
            Instance.standing != Standing.BLOCKED.value,
        )
        .distinct()
    )
    return [Recipient(instance_id, inbox) for instance_id, inbox in session.execute(query)]
