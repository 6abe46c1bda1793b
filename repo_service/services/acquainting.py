"""Getting to know a server that was approved: who speaks for it, following that actor, and reading what is
there already.

First it is followed, then its outbox is read to its end: what is published meanwhile comes both ways, and
what is heard later counts. Once a day its newest pages are looked at again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, Protocol
from uuid import UUID

import structlog
from sqlalchemy import or_, select

from repo_service.domain.errors import RemoteFailed
from repo_service.domain.network import Standing
from repo_service.domain.resources import JobKind
from repo_service.domain.texts import text
from repo_service.federation import contexts
from repo_service.federation.addresses import SERVICE, Addresses
from repo_service.federation.incoming import Incoming, UnfitActivity, id_of, same_origin, within
from repo_service.federation.nodeinfo import SERVER_ACTOR
from repo_service.federation.outgoing import DocumentKind, Outgoing
from repo_service.federation.remote import ActorDescription, UnfitActor, read_actor
from repo_service.federation.signatures import Documents
from repo_service.models import Following, Instance
from repo_service.models.base import new_id, now
from repo_service.models.database import Database
from repo_service.models.insert import insert_if_absent
from repo_service.services.deliveries import dispatch, send_soon
from repo_service.services.delivering import GONE_AFTER
from repo_service.services.follows import Recipient, keep_actor
from repo_service.services.instances import note_answer, note_gone
from repo_service.services.jobs import JobFailed, Jobs, JobWaits, Report

LOOK_AGAIN_AFTER: Final = timedelta(days=1)
MOST_PAGES: Final = 20_000
"""Of one outbox."""

_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
log = structlog.get_logger(__name__)


class Tells(Protocol):
    """Who writes into the index what an outbox has: ``Receiver``."""

    def crawled(self, activity: Incoming, *, said_by: str, heard: UUID) -> bool:
        """An activity that stands in the outbox of ``said_by``, read there at the moment ``heard``; returns
        whether it was news."""


class Acquainting:
    """Use case: connect to an approved server. ``documents`` reads signed, ``outgoing`` what everybody may
    read."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        tells: Tells,
        outgoing: Outgoing,
        *,
        documents: Documents,
        addresses: Addresses,
        allow_loopback: bool,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._tells = tells
        self._outgoing = outgoing
        self._documents = documents
        self._addresses = addresses
        self._allow_loopback = allow_loopback

    def run(self, key: str, report: Report) -> None:
        """The job: for the server with that id."""
        with self._database.read() as session:
            instance = session.get(Instance, UUID(key))
        if instance is None or instance.standing != Standing.APPROVED.value:
            return
        try:
            uri = instance.actor or self._service_actor(instance.host)
            described = read_actor(self._documents.get(uri), uri)
            self._follow(instance.id, described)
            told = self._crawl(described, report, all_of_it=instance.read_at is None)
        except RemoteFailed as error:
            self._looked(instance.id, answered=not error.temporary)
            if error.temporary:
                raise JobWaits(text("Another server does not answer: it is asked again.")) from error
            raise JobFailed(error.detail) from error
        except UnfitActor as error:
            self._looked(instance.id, answered=True)
            raise JobFailed(str(error)) from error
        self._looked(instance.id, answered=True, read=True)
        log.info("a server was looked at", host=instance.host, told=told)

    def enqueue_due(self) -> None:
        """Have approved servers looked at again: what got lost is found, and who has gone is noticed."""
        before = now() - LOOK_AGAIN_AFTER
        due = select(Instance.id).where(
            Instance.standing == Standing.APPROVED.value,
            or_(Instance.looked_at.is_(None), Instance.looked_at < before),
        )
        with self._database.read() as session:
            ids = session.scalars(due).all()
        self._jobs.enqueue_all(JobKind.ACQUAINT, (str(id_) for id_ in ids))

    def _looked(self, instance_id: UUID, *, answered: bool, read: bool = False) -> None:
        moment = now()
        with self._database.write() as session:
            instance = session.get_one(Instance, instance_id, with_for_update=True)
            instance.looked_at = moment
            if read:
                instance.read_at = instance.read_at or moment
            if answered:
                note_answer(session, instance)
                return
            instance.failures += 1
            instance.failing_since = instance.failing_since or moment
            if moment - instance.failing_since >= GONE_AFTER:
                note_gone(session, instance, moment)

    def _service_actor(self, host: str) -> str:
        """The actor that speaks for a whole server, as its NodeInfo names it (FEP-2677). Raises UnfitActor,
        RemoteFailed."""
        name = host.rpartition(":")[0] if host[-1].isdigit() and ":" in host else host
        here = self._allow_loopback and name in _LOOPBACK
        url = f"{'http' if here else 'https'}://{host}/.well-known/nodeinfo"
        found = self._outgoing.get(url, kind=DocumentKind.JSON).value
        links = found.get("links") if isinstance(found, Mapping) else None
        for link in links if isinstance(links, list) else []:
            if isinstance(link, Mapping) and link.get("rel") == SERVER_ACTOR:
                uri = id_of(link.get("href"))
                if uri is not None and same_origin(uri, url):
                    return uri
        raise UnfitActor("its NodeInfo names no actor of the server (FEP-2677)")

    def _follow(self, instance_id: UUID, described: ActorDescription) -> None:
        """Ask to follow, also where it was accepted before: the other side may have forgotten it."""
        with self._database.write() as session:
            instance = session.get_one(Instance, instance_id, with_for_update=True)
            instance.actor = described.id
            actor = keep_actor(session, described)
            insert_if_absent(
                session, Following, id=new_id(), actor=SERVICE.path, remote_id=actor.id, created_at=now()
            )
            row = session.scalars(
                select(Following).where(Following.actor == SERVICE.path, Following.remote_id == actor.id)
            ).one()
            own = self._addresses.actor(SERVICE)
            follow = contexts.in_context(
                {
                    "id": f"{own}#follows/{row.id}",
                    "type": "Follow",
                    "actor": own,
                    "to": [described.id],
                    "object": described.id,
                }
            )
            inbox = Recipient(instance.id, described.inbox)
            dispatch(session, follow, by=SERVICE, about=f"follow {actor.id}", to=[inbox])
            send_soon(session, self._jobs)

    def _crawl(self, described: ActorDescription, report: Report, *, all_of_it: bool) -> int:
        """Read the outbox, the newest first: to its end, or until a whole page brings nothing new."""
        heard, told = new_id(), 0
        for page in self._pages(described, report):
            news = 0
            for activity in page:
                if activity.actor == described.id:
                    news += self._tells.crawled(activity, said_by=described.id, heard=heard)
            told += news
            if page and not news and not all_of_it:
                break
        return told

    def _pages(self, described: ActorDescription, report: Report) -> Iterator[Sequence[Incoming]]:
        """What is in an outbox, the newest first, page by page; all of it on the same host."""
        url, seen = described.outbox, set[str]()
        while url is not None and url not in seen and len(seen) < MOST_PAGES:
            seen.add(url)
            page = self._documents.get(url).value
            if not isinstance(page, Mapping):
                return
            yield _items(page)
            following = page.get("next") or page.get("first")
            if isinstance(following, Mapping):  # the first page stands within the outbox
                yield _items(following)
                following = following.get("next")
            url = id_of(following)
            if url is not None and not same_origin(url, described.id):
                return
            report(0.5)


def _items(page: Mapping[str, Any]) -> list[Incoming]:
    items = page.get("orderedItems", page.get("items"))
    found = []
    for item in items if isinstance(items, list) else []:
        with suppress(UnfitActivity):
            found += [within(item)] if isinstance(item, dict) else []
    return found
