"""The index of the network: what approved servers have in public, to be searched here and to be followed.

SQL has the last word on what is shown, as with our own resources: an entry that was deleted, hidden, or whose
server is not approved any more is not found, whatever the search index still has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import Session

from repo_service.domain.errors import Busy, Conflict, FieldError, InvalidInput, NotFound
from repo_service.domain.identity import Identity, Scope
from repo_service.domain.network import EntryKind, Standing
from repo_service.domain.resources import ChangeKind, Noun
from repo_service.domain.search import Facet, FacetCount, SearchDocument, SearchQuery
from repo_service.domain.texts import text
from repo_service.domain.vocabularies import SUBJECTS, vocabulary
from repo_service.models import Instance, NetworkEntry
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.search.base import SearchIndex
from repo_service.search.errors import IndexUnusable
from repo_service.services import paging
from repo_service.services.accounts import require_scope
from repo_service.services.changes import ChangeRecord, Changes
from repo_service.services.descriptions import plain_line
from repo_service.services.records import Page
from repo_service.services.trail import audit, record_change

_BATCH: Final = 500
_NOUNS: Final = (Noun.NETWORK_ENTRY, Noun.INSTANCE)
_SHOWN: Final[ColumnElement[bool]] = and_(
    NetworkEntry.deleted_at.is_(None),
    NetworkEntry.hidden_at.is_(None),
    Instance.standing == Standing.APPROVED.value,
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file at home; ``size`` in bytes."""

    href: str
    media_type: str
    size: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRecord:
    """Something of another server. ``uri`` is its id, ``url`` where people look at it, both at home; ``by``
    is the id of whose it is. ``is_reachable``: its server answered when it was spoken to last.
    ``indexed_at`` is since when the index has it; what names no ``published_at`` is sorted by that."""

    id: UUID
    kind: EntryKind
    uri: str
    url: str
    host: str
    is_reachable: bool
    by: str | None
    name: str
    summary: str
    icon: str | None
    licence: str | None
    languages: tuple[str, ...]
    subjects: tuple[str, ...]
    levels: tuple[str, ...]
    types: tuple[str, ...]
    keywords: tuple[str, ...]
    authors: tuple[str, ...]
    files: tuple[FileRecord, ...]
    published_at: datetime | None
    changed_at: datetime | None
    indexed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkResult:
    """One page. ``total`` and ``facets`` count what the index holds, which may lag a moment behind."""

    items: tuple[EntryRecord, ...]
    total: int
    facets: Mapping[Facet, tuple[FacetCount, ...]]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginRecord:
    """A server that entries are from."""

    is_reachable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenEntry:
    """An entry that a moderator hid, and why."""

    entry: EntryRecord
    reason: str
    hidden_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkChange:
    """Something came into the index or was changed: ``entry`` is what it is now, None when it is not there
    any more. Without a ``uri`` it is about everything of ``host``: that stays, and ``origin`` is what holds
    of it now; without an ``origin`` it has gone."""

    host: str
    uri: str | None
    entry: EntryRecord | None
    origin: OriginRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkChanges:
    """Some changes in order. ``cursor`` asks for those that follow, now or later."""

    items: tuple[NetworkChange, ...]
    cursor: str
    has_more: bool


class Network:
    """Use cases about the index, for everybody; moderators hide what should not be in it."""

    def __init__(self, database: Database, changes: Changes, index: SearchIndex) -> None:
        self._database = database
        self._changes = changes
        self._index = index

    def close(self) -> None:
        """Let go of the index."""
        self._index.close()

    def search(self, query: SearchQuery) -> NetworkResult:
        """A page of what fits. Raises InvalidCursor, Busy."""
        try:
            page = self._index.query(query)
        except IndexUnusable as error:
            raise Busy(
                "The search index is being made anew: try again in a minute.", retry_after=60
            ) from error
        ids = [UUID(hit.id) for hit in page.hits]
        with self._database.read() as session:
            shown = {record.id: record for record in _records(session, ids)}
        items = tuple(shown[id_] for id_ in ids if id_ in shown)
        return NetworkResult(
            items=items,
            total=page.total - (len(ids) - len(items)),
            facets=page.facets,
            next_cursor=page.next_cursor,
        )

    def get(self, entry_id: UUID) -> EntryRecord:
        """One entry. Raises NotFound."""
        with self._database.read() as session:
            for record in _records(session, [entry_id]):
                return record
        raise NotFound

    def changes(self, *, since: str | None, limit: int) -> NetworkChanges:
        """What changed after that cursor; without one, everything from the beginning. Raises
        InvalidCursor."""
        seq = 0 if since is None else paging.decode_int(since)
        found = self._changes.after(seq, limit=limit + 1, nouns=_NOUNS)
        kept = found[:limit]
        with self._database.read() as session:
            entries = _entries(session, (c.noun_id for c in kept if c.noun == Noun.NETWORK_ENTRY.value))
            instances = _instances(session, (c.noun_id for c in kept if c.noun == Noun.INSTANCE.value))
            hosts = _instances(session, (str(row.instance_id) for row in entries.values()))
            shown = {record.id: record for record in _records(session, list(entries))}
        items = []
        for change in kept:
            id_ = UUID(change.noun_id)
            if id_ in entries:
                host = hosts[entries[id_].instance_id].host
                items.append(NetworkChange(host=host, uri=entries[id_].uri, entry=shown.get(id_)))
            elif id_ in instances:
                items.append(_change_of(instances[id_]))
        last = kept[-1].seq if kept else seq
        return NetworkChanges(
            items=tuple(items), cursor=paging.encode_cursor(last), has_more=len(found) > limit
        )

    def hide(self, identity: Identity, entry_id: UUID, *, reason: str) -> None:
        """Show an entry to nobody, whatever its origin says of it. For moderators. Raises NotFound,
        InvalidInput."""
        require_scope(identity, Scope.MODERATE)
        reason = plain_line(reason)
        if not reason:
            raise InvalidInput(errors=[FieldError("/reason", text("Say in a few words why it goes."))])
        with self._database.write() as session:
            entry = _locked(session, entry_id)
            entry.hidden_at, entry.hidden_reason = entry.hidden_at or now(), reason
            audit(session, identity, "hide", Noun.NETWORK_ENTRY, entry.id, reason=reason, uri=entry.uri)
            record_change(session, Noun.NETWORK_ENTRY, entry.id, ChangeKind.WITHDRAWN)

    def hidden(self, identity: Identity, *, limit: int, cursor: str | None = None) -> Page[HiddenEntry]:
        """What moderators hid and its origin still has, what came last first. For moderators. Raises
        InvalidCursor."""
        require_scope(identity, Scope.MODERATE)
        query = (
            select(NetworkEntry, Instance)
            .join(Instance, Instance.id == NetworkEntry.instance_id)
            .where(NetworkEntry.hidden_at.is_not(None), NetworkEntry.deleted_at.is_(None))
            .order_by(NetworkEntry.id.desc())
            .limit(limit + 1)
        )
        if cursor is not None:
            query = query.where(NetworkEntry.id < paging.decode_uuid(cursor))
        with self._database.read() as session:
            found = [_hidden(entry, instance) for entry, instance in session.execute(query)]
        return paging.page_of(found, limit, key=lambda row: row.entry.id, record=lambda row: row)

    def count_hidden(self, identity: Identity) -> int:
        """How many these are."""
        require_scope(identity, Scope.MODERATE)
        query = (
            select(func.count())
            .select_from(NetworkEntry)
            .where(NetworkEntry.hidden_at.is_not(None), NetworkEntry.deleted_at.is_(None))
        )
        with self._database.read() as session:
            return session.scalar(query) or 0

    def show(self, identity: Identity, entry_id: UUID) -> None:
        """Take that back. For moderators. Raises NotFound, Conflict."""
        require_scope(identity, Scope.MODERATE)
        with self._database.write() as session:
            entry = _locked(session, entry_id)
            if entry.hidden_at is None:
                raise Conflict(text("This entry is not hidden."))
            entry.hidden_at, entry.hidden_reason = None, ""
            audit(session, identity, "show", Noun.NETWORK_ENTRY, entry.id, uri=entry.uri)
            record_change(session, Noun.NETWORK_ENTRY, entry.id, ChangeKind.RESTORED)


class NetworkIndexer:
    """The one writer of the search index of the network. It follows the changes, and can make all of it
    anew."""

    def __init__(self, database: Database, changes: Changes, index: SearchIndex) -> None:
        self._database = database
        self._changes = changes
        self._index = index

    def follow(self) -> int:
        """Bring the index up to the newest committed change; returns how many changes were followed."""
        self._changes.sequence()
        try:
            return self._follow()
        except IndexUnusable:
            log.exception("the search index of the network is made anew")
            return self.reindex()

    def reindex(self) -> int:
        """Make all of it anew while the old one goes on answering; returns how many documents."""
        self._changes.sequence()
        position = self._changes.latest()
        done = 0

        def documents() -> Iterator[SearchDocument]:
            nonlocal done
            for ids in self._pages(select(NetworkEntry.id)):
                with self._database.read() as session:
                    found = list(_documents(session, ids))
                done += len(found)
                yield from found

        self._index.rebuild(documents(), position=position)
        return done

    def _follow(self) -> int:
        followed = 0
        while True:
            changes = self._changes.after(self._index.position(), limit=_BATCH, nouns=_NOUNS)
            if not changes:
                return followed
            entries = {UUID(c.noun_id) for c in changes if c.noun == Noun.NETWORK_ENTRY.value}
            self._put(sorted(entries))
            for instance_id in {UUID(c.noun_id) for c in changes if _shows_or_hides(c)}:
                theirs = select(NetworkEntry.id).where(NetworkEntry.instance_id == instance_id)
                for ids in self._pages(theirs):
                    self._put(ids)
            self._index.commit(position=changes[-1].seq)
            followed += len(changes)

    def _put(self, ids: Sequence[UUID]) -> None:
        with self._database.read() as session:
            documents = list(_documents(session, ids))
        self._index.delete(str(id_) for id_ in {str(id_) for id_ in ids} - {d.id for d in documents})
        self._index.put(documents)

    def _pages(self, query: Select[UUID]) -> Iterator[Sequence[UUID]]:
        last: UUID | None = None
        while True:
            page = query.order_by(NetworkEntry.id).limit(_BATCH)
            if last is not None:
                page = page.where(NetworkEntry.id > last)
            with self._database.read() as session:
                ids = session.scalars(page).all()
            if not ids:
                return
            yield ids
            last = ids[-1]


def _documents(session: Session, ids: Sequence[UUID]) -> Iterator[SearchDocument]:
    """The search documents of those of ``ids`` that are shown."""
    subjects = vocabulary(SUBJECTS)
    for record in _records(session, ids):
        broader = (code for subject in record.subjects for code in subjects.with_ancestors(subject))
        yield SearchDocument(
            id=str(record.id),
            title=record.name,
            summary=record.summary,
            body="\n".join(filter(None, (" ".join(record.authors), " ".join(record.keywords), record.host))),
            languages=record.languages,
            facets={
                Facet.KIND: (record.kind.value,),
                Facet.HOST: (record.host,),
                Facet.TYPE: record.types,
                Facet.SUBJECT: tuple(dict.fromkeys(broader)),
                Facet.LEVEL: record.levels,
                Facet.LANGUAGE: record.languages,
                Facet.LICENCE: (record.licence,) if record.licence else (),
            },
            released_at=record.published_at or record.indexed_at,
        )


def _records(session: Session, ids: Sequence[UUID]) -> Iterator[EntryRecord]:
    query = (
        select(NetworkEntry, Instance.host, Instance.unreachable_at)
        .join(Instance, Instance.id == NetworkEntry.instance_id)
        .where(NetworkEntry.id.in_(ids), _SHOWN)
    )
    for entry, host, unreachable_at in session.execute(query):
        yield _record(entry, host, is_reachable=unreachable_at is None)


def _record(entry: NetworkEntry, host: str, *, is_reachable: bool) -> EntryRecord:
    return EntryRecord(
        id=entry.id,
        kind=EntryKind(entry.kind),
        uri=entry.uri,
        url=entry.url,
        host=host,
        is_reachable=is_reachable,
        by=entry.by,
        name=entry.name,
        summary=entry.summary_text,
        icon=entry.icon,
        licence=entry.licence,
        languages=tuple(entry.languages),
        subjects=tuple(entry.subjects),
        levels=tuple(entry.levels),
        types=tuple(entry.types),
        keywords=tuple(entry.keywords),
        authors=tuple(entry.authors),
        files=tuple(FileRecord(**link) for link in entry.links),
        published_at=entry.published_at,
        changed_at=entry.changed_at,
        indexed_at=entry.created_at,
    )


def _change_of(instance: Instance) -> NetworkChange:
    origin = None
    if instance.standing == Standing.APPROVED.value:
        origin = OriginRecord(is_reachable=instance.unreachable_at is None)
    return NetworkChange(host=instance.host, uri=None, entry=None, origin=origin)


def _shows_or_hides(change: ChangeRecord) -> bool:
    """Whether it is about everything of a server, as far as search knows it."""
    return change.noun == Noun.INSTANCE.value and change.what != ChangeKind.REACHABILITY.value


def _hidden(entry: NetworkEntry, instance: Instance) -> HiddenEntry:
    assert entry.hidden_at is not None
    record = _record(entry, instance.host, is_reachable=instance.unreachable_at is None)
    return HiddenEntry(entry=record, reason=entry.hidden_reason, hidden_at=entry.hidden_at)


def _entries(session: Session, ids: Iterable[str]) -> dict[UUID, NetworkEntry]:
    found = session.scalars(select(NetworkEntry).where(NetworkEntry.id.in_([UUID(id_) for id_ in ids])))
    return {row.id: row for row in found}


def _instances(session: Session, ids: Iterable[str]) -> dict[UUID, Instance]:
    found = session.scalars(select(Instance).where(Instance.id.in_([UUID(id_) for id_ in ids])))
    return {row.id: row for row in found}


def _locked(session: Session, entry_id: UUID) -> NetworkEntry:
    entry = session.get(NetworkEntry, entry_id, with_for_update=True)
    if entry is None or entry.deleted_at is not None:
        raise NotFound
    return entry
