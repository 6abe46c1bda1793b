"""A mirror of somebody else's index of the network: it follows the changes there, and answers search when the
home of the index does not.

What was taken over and how far the home was followed are written in one transaction, so that a mirror that is
killed goes on where it was. Everything that changed is told as it is now: to take it over twice does no harm.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import httpx
import structlog
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from repo_service.domain.errors import InvalidCursor
from repo_service.domain.network import Standing
from repo_service.domain.resources import ChangeKind, Noun
from repo_service.models import Instance, NetworkEntry, Position
from repo_service.models.base import new_id, now
from repo_service.models.database import Database
from repo_service.models.insert import insert_if_absent
from repo_service.services import network_entries, paging
from repo_service.services.instances import instance_of, note_answer, note_gone
from repo_service.services.network import EntryRecord, NetworkChange, NetworkChanges
from repo_service.services.trail import record_change

_PAGE: Final = 200
_MOST_BYTES: Final = 32 * 1024 * 1024
_TIMEOUT: Final = httpx.Timeout(30, connect=10)
_CHANGES: Final = TypeAdapter(NetworkChanges)

log = structlog.get_logger(__name__)


class HomeUnavailable(Exception):
    """The home of the index does not answer, or not as one. The message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexHome:
    """Whose index is mirrored: the address of the service, and as of when everything there is here; None
    where that never was so, or cannot be read now."""

    url: str
    followed_at: datetime | None


class NetworkMirror:
    """Follows the index of ``home``, the address of another service of this kind. One at a time: a second one
    finds that the position has moved, and begins anew."""

    def __init__(self, database: Database, *, home: str) -> None:
        self._database = database
        self._home = home
        self._url = f"{home}/api/v1/network/changes"
        # Another home has other numbers.
        self._position = f"network-{hashlib.sha256(home.encode()).hexdigest()[:16]}"

    def home(self) -> IndexHome:
        """What is followed, and as of when. Cheap."""
        query = select(Position.at).where(Position.name == self._position)
        followed_at = None
        try:
            with self._database.read() as session:
                followed_at = session.scalar(query)
        except SQLAlchemyError:
            log.exception("it is not known as of when the index is")
        return IndexHome(url=self._home, followed_at=followed_at)

    def follow(self) -> int:
        """Take over everything up to the newest change there; returns how many changes that were. Raises
        HomeUnavailable, and has then kept what came before."""
        followed = 0
        with httpx.Client(timeout=_TIMEOUT) as client:
            while True:
                position, asked_at = self._followed(), now()
                page = self._page(client, position)
                if self._take(page, position):
                    followed += len(page.items)
                if not page.has_more:
                    self._is_as_of(asked_at)
                    return followed

    def _followed(self) -> int:
        with self._database.read() as session:
            return session.scalar(select(Position.seq).where(Position.name == self._position)) or 0

    def _is_as_of(self, moment: datetime) -> None:
        with self._database.write() as session:
            insert_if_absent(session, Position, name=self._position, seq=0)
            session.get_one(Position, self._position, with_for_update=True).at = moment

    def _page(self, client: httpx.Client, position: int) -> NetworkChanges:
        query = {"limit": str(_PAGE), "since": paging.encode_cursor(position)}
        try:
            with client.stream("GET", self._url, params=query) as response:
                if not response.is_success:
                    raise HomeUnavailable(f"{self._url} answers {response.status_code}.")
                body = bytearray()
                for block in response.iter_bytes():
                    body += block
                    if len(body) > _MOST_BYTES:
                        raise HomeUnavailable(f"{self._url} answers with too much.")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise HomeUnavailable(f"{self._url} does not answer: {error}") from error
        try:
            return _CHANGES.validate_json(bytes(body))
        except ValidationError as error:
            raise HomeUnavailable(f"{self._url} does not give the changes of an index.") from error

    def _take(self, page: NetworkChanges, position: int) -> bool:
        """Whether the changes were taken over; not if somebody else did so meanwhile."""
        try:
            reached = paging.decode_int(page.cursor)
        except InvalidCursor as error:
            raise HomeUnavailable(f"{self._url} gives a cursor of another kind.") from error
        if reached == position:
            return False
        with self._database.write() as session:
            insert_if_absent(session, Position, name=self._position, seq=0)
            row = session.get_one(Position, self._position, with_for_update=True)
            if row.seq != position:
                return False
            for change in page.items:
                _apply(session, change)
            row.seq = reached
        return True


def _apply(session: Session, change: NetworkChange) -> None:
    instance = instance_of(session, change.host)
    if change.entry is not None:
        _approve(session, instance, is_reachable=change.entry.is_reachable)
        _put(session, instance, change.entry)
    elif change.uri is not None:
        network_entries.bury(session, instance.id, change.uri, heard=new_id())
    elif change.origin is not None:
        _approve(session, instance, is_reachable=change.origin.is_reachable)
    else:
        _stand(session, instance, Standing.KNOWN)


def _approve(session: Session, instance: Instance, *, is_reachable: bool) -> None:
    _stand(session, instance, Standing.APPROVED)
    if is_reachable:
        note_answer(session, instance)
    else:
        note_gone(session, instance, now())


def _stand(session: Session, instance: Instance, standing: Standing) -> None:
    if instance.standing != standing.value:
        instance.standing, instance.decided_at = standing.value, now()
        record_change(session, Noun.INSTANCE, instance.id, ChangeKind.UPDATED)


def _put(session: Session, instance: Instance, record: EntryRecord) -> None:
    """Have the entry here as it is at the home of the index, by the same id."""
    entry = session.scalar(select(NetworkEntry).where(NetworkEntry.uri == record.uri).with_for_update())
    what = ChangeKind.UPDATED
    if entry is None:
        what = ChangeKind.CREATED
        entry = NetworkEntry(id=record.id, uri=record.uri, instance_id=instance.id)
        session.add(entry)
    entry.heard, entry.deleted_at, entry.updated_at = new_id(), None, now()
    entry.kind = record.kind.value
    entry.by, entry.url, entry.icon = record.by, record.url, record.icon
    entry.name, entry.summary_text, entry.licence = record.name, record.summary, record.licence
    entry.languages, entry.subjects = list(record.languages), list(record.subjects)
    entry.levels, entry.types = list(record.levels), list(record.types)
    entry.keywords, entry.authors = list(record.keywords), list(record.authors)
    entry.links = [
        {"href": file.href, "media_type": file.media_type, "size": file.size, "sha256": file.sha256}
        for file in record.files
    ]
    entry.published_at, entry.changed_at = record.published_at, record.changed_at
    entry.created_at = record.indexed_at
    session.flush()
    record_change(session, Noun.NETWORK_ENTRY, entry.id, what)
