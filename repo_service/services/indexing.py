"""Keeping the search index in step: it follows the outbox, and can be made anew from SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from repo_service.domain.resources import BACKUP_KINDS, Noun, Visibility
from repo_service.domain.search import Facet, SearchDocument
from repo_service.domain.vocabularies import vocabulary
from repo_service.models import InspectionRecord, Resource, Version
from repo_service.models.database import Database
from repo_service.search.base import SearchIndex
from repo_service.search.errors import IndexUnusable
from repo_service.services.changes import Changes

_BATCH = 500

log = structlog.get_logger(__name__)


class Indexer:
    """The one writer of the index."""

    def __init__(self, database: Database, changes: Changes, index: SearchIndex) -> None:
        self._database = database
        self._changes = changes
        self._index = index

    def follow(self) -> int:
        """Bring the index up to the newest committed change; returns how many changes were followed.

        An index that is damaged or of another version is made anew.
        """
        self._changes.sequence()
        try:
            return self._follow()
        except IndexUnusable:
            log.exception("the search index is made anew")
            return self.reindex()

    def _follow(self) -> int:
        followed = 0
        while True:
            changes = self._changes.after(self._index.position(), limit=_BATCH)
            if not changes:
                return followed
            touched = {UUID(c.noun_id) for c in changes if c.noun == Noun.RESOURCE.value}
            with self._database.read() as session:
                documents = list(_documents(session, sorted(touched)))
            self._index.delete(str(resource_id) for resource_id in touched - {UUID(d.id) for d in documents})
            self._index.put(documents)
            self._index.commit(position=changes[-1].seq)
            if self._index.position() != changes[-1].seq:  # else this would go on for ever
                raise IndexUnusable("the index has not kept what was committed")
            followed += len(changes)

    def reindex(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Make the whole index anew while the old one goes on answering; returns how many documents.

        ``progress`` is told (done, total).
        """
        self._changes.sequence()
        position = self._changes.latest()
        with self._database.read() as session:
            total = session.scalar(
                select(func.count())
                .select_from(Resource)
                .where(Resource.visibility == Visibility.PUBLIC.value)
            )
        done = 0

        def documents() -> Iterator[SearchDocument]:
            nonlocal done
            for batch in self._public_ids():
                with self._database.read() as session:
                    found = list(_documents(session, batch))
                done += len(batch)
                if progress is not None:
                    progress(done, total or 0)
                yield from found

        self._index.rebuild(documents(), position=position)
        return done

    def _public_ids(self) -> Iterator[Sequence[UUID]]:
        last: UUID | None = None
        while True:
            query = (
                select(Resource.id)
                .where(Resource.visibility == Visibility.PUBLIC.value)
                .order_by(Resource.id)
                .limit(_BATCH)
            )
            if last is not None:
                query = query.where(Resource.id > last)
            with self._database.read() as session:
                ids = session.scalars(query).all()
            if not ids:
                return
            yield ids
            last = ids[-1]


def _documents(session: Session, ids: Sequence[UUID]) -> Iterator[SearchDocument]:
    """The search documents of those of ``ids`` that are public."""
    resources = session.scalars(
        select(Resource).where(Resource.id.in_(ids), Resource.visibility == Visibility.PUBLIC.value)
    ).all()
    newest = (
        select(Version.resource_id, func.max(Version.number).label("number"))
        .where(Version.resource_id.in_(ids), Version.released_at.is_not(None))
        .group_by(Version.resource_id)
        .subquery()
    )
    found = {
        row.resource_id: row
        for row in session.execute(
            select(
                Version.resource_id,
                Version.file_name,
                InspectionRecord.document,
                InspectionRecord.search_text,
            )
            .join(newest, (newest.c.resource_id == Version.resource_id) & (newest.c.number == Version.number))
            .outerjoin(InspectionRecord, InspectionRecord.digest == Version.digest)
            .order_by(InspectionRecord.created_at)
        )
    }
    for resource in resources:
        newest_version = found.get(resource.id)
        if newest_version is None:
            yield document_of(resource, file_name="", inspection={}, inside="")
        else:
            yield document_of(
                resource,
                file_name=newest_version.file_name,
                inspection=newest_version.document or {},
                inside=newest_version.search_text or "",
            )


def _format(inspection: dict[str, Any]) -> tuple[str, ...]:
    """A code of ``domain.formats``, or of what a file is a backup. A file that nobody knows has none."""
    kind = inspection.get("kind")
    code = kind if kind in BACKUP_KINDS else inspection.get("format")
    return (code,) if code else ()


def document_of(
    resource: Resource, *, file_name: str, inspection: dict[str, Any], inside: str
) -> SearchDocument:
    """What of a public resource can be searched. A subject also counts for the broader ones above it."""
    ending = PurePosixPath(file_name).suffix[1:].lower()
    release = inspection.get("moodle_release") or ""
    subjects = vocabulary("isced-f-2013")
    facets = {
        Facet.TYPE: tuple(resource.types),
        Facet.SUBJECT: tuple(dict.fromkeys(c for s in resource.subjects for c in subjects.with_ancestors(s))),
        Facet.LEVEL: tuple(resource.levels),
        Facet.LANGUAGE: tuple(resource.languages),
        Facet.LICENCE: (resource.licence,) if resource.licence else (),
        Facet.MOODLE_RELEASE: (".".join(release.split(".")[:2]).split(" ")[0],) if release else (),
        Facet.MODULE: tuple(sorted(inspection.get("activities_by_module") or {})),
        Facet.FILE_TYPE: (ending,) if ending else (),
        Facet.FORMAT: _format(inspection),
    }
    names = " ".join(author["name"] for author in resource.authors)
    return SearchDocument(
        id=str(resource.id),
        title=resource.title,
        summary=resource.summary_text,
        body="\n".join(filter(None, (names, " ".join(resource.keywords), inside))),
        languages=tuple(resource.languages),
        facets=facets,
        released_at=resource.released_at or resource.created_at,
    )
