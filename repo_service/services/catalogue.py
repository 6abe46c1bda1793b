"""Publishing the public catalogue: a snapshot with which a mirror can go on when this service is gone.

A snapshot is two blobs (``catalogue_format``): a file with all that is public, and a manifest that names it
and the manifest before. Both are kept, replicated and collected like other blobs; what holds them is the
``Snapshot`` row. In IPFS the manifest's CID is all that one has to know. So the order matters: a CID has to
be known before the manifest that names it is written.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO
from uuid import UUID

import structlog
from sqlalchemy import Row, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from repo_service.domain.errors import Conflict, InvalidFile, NotFound
from repo_service.domain.identity import Identity
from repo_service.domain.resources import JobKind, JobState, LocationState, Noun, Visibility
from repo_service.models import AuditEntry, Blob, BlobLocation, Change, Job, Resource, Snapshot, Version
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.catalogue_format import (
    CATALOGUE_NAME,
    CATALOGUE_TYPE,
    MANIFEST_NAME,
    MANIFEST_TYPE,
    CatalogueEntry,
    CatalogueFile,
    Deflater,
    Manifest,
    NamedFile,
    line_of,
    seconds,
    write_manifest,
)
from repo_service.services.catalogue_parsing import lines_of, read_manifest
from repo_service.services.changes import Changes, latest
from repo_service.services.copies import Copies
from repo_service.services.jobs import JobFailed, Jobs, Report
from repo_service.services.keeping import Keeper, Made
from repo_service.services.records import Author
from repo_service.services.replication import NoGoodCopy, Replicator, SourceSilent
from repo_service.services.stores import Stores
from repo_service.services.trail import audit
from storage import (
    BlobCopies,
    Locator,
    StorageError,
    StorageUnavailable,
    content_addressed,
)

_BATCH = 200
_KEY = "catalogue"
_SYSTEM = Identity(username="system")
_COMMITTED_WITHIN = timedelta(minutes=5)
"""Far longer than it takes from the moment that a row names until others see the row."""
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

log = structlog.get_logger(__name__)

Progress = Callable[[int, int], object]
"""Told how many resources are done, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueSettings:
    """``every``: how often it is published, never when zero. ``keep``: how many snapshots. ``folder``: for
    the file until it is in the store."""

    service_name: str
    base_url: str
    software: str
    folder: Path
    every: timedelta
    keep: int
    read_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRecord:
    """A published catalogue."""

    id: UUID
    created_at: datetime
    resources: int
    change_seq: int
    manifest: NamedFile
    catalogue: NamedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueDownload:
    """One of the files of a snapshot. ``size`` in bytes."""

    digest: str
    size: int
    media_type: str
    modified: datetime
    copies: BlobCopies


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rendered:
    """The file of a catalogue. ``size`` and ``inflated`` in bytes."""

    digest: str
    size: int
    inflated: int
    resources: int
    change_seq: int


class Catalogue:
    """Publishes snapshots and knows those that there are."""

    def __init__(
        self,
        database: Database,
        stores: Stores,
        *,
        changes: Changes,
        copies: Copies,
        jobs: Jobs,
        keeper: Keeper,
        replicator: Replicator,
        settings: CatalogueSettings,
    ) -> None:
        self._database = database
        self._stores = stores
        self._addressed = {
            store.name: addressed for store in stores if (addressed := content_addressed(store)) is not None
        }
        self._changes = changes
        self._copies = copies
        self._jobs = jobs
        self._keeper = keeper
        self._replicator = replicator
        self._settings = settings

    # What there is

    def snapshots(self, limit: int = 100) -> list[SnapshotRecord]:
        """The newest first."""
        with self._database.read() as session:
            rows = session.scalars(select(Snapshot).order_by(Snapshot.id.desc()).limit(limit)).all()
            digests = {digest for row in rows for digest in (row.manifest_digest, row.catalogue_digest)}
            named = self._named(session, digests)
        return [
            SnapshotRecord(
                id=row.id,
                created_at=row.created_at,
                resources=row.resources,
                change_seq=row.change_seq,
                manifest=named[row.manifest_digest],
                catalogue=named[row.catalogue_digest],
            )
            for row in rows
        ]

    def open(self, manifest_digest: str, name: str) -> CatalogueDownload:
        """A file of the snapshot with this manifest, by its name. Raises NotFound, BlobNotFound."""
        with self._database.read() as session:
            snapshot = session.scalar(
                select(Snapshot).where(Snapshot.manifest_digest == manifest_digest).limit(1)
            )
            known = {} if snapshot is None else _files_of(snapshot)
            if snapshot is None or name not in known:
                raise NotFound("There is no such snapshot of the catalogue.")
            digest, media_type = known[name]
            copies = self._copies.of(session, digest)
        return CatalogueDownload(
            digest=digest,
            size=copies.size,
            media_type=media_type,
            modified=snapshot.created_at,
            copies=copies,
        )

    # When

    def enqueue_due(self) -> bool:
        """Have a snapshot published when it is time; returns whether it is. A sweep finds the job."""
        if not self._settings.every or self._settings.read_only:
            return False
        with self._database.read() as session:
            job = session.scalar(select(Job).where(Job.kind == JobKind.SNAPSHOT.value, Job.key == _KEY))
        if job is not None and (
            job.state not in (JobState.DONE.value, JobState.FAILED.value)
            or (job.finished_at is not None and job.finished_at + self._settings.every > now())
        ):
            return False
        with self._database.write() as session:
            self._jobs.enqueue(session, JobKind.SNAPSHOT, _KEY, hint=False)
        return True

    def run(self, key: str, report: Report) -> None:
        """The job: publish, when there is something new.

        Raises JobFailed when no mirror could read it, StorageUnavailable while the store, or IPFS where it is
        configured, does not answer.
        """
        if not self._settings.read_only and self._may_be_new():
            try:
                self.publish(progress=lambda done, total: report(done / max(1, total)))
            except InvalidFile as error:
                raise JobFailed(error.detail) from error

    # Publishing

    def publish(self, *, progress: Progress = lambda done, total: None) -> SnapshotRecord | None:
        """Publish the public catalogue as it is now; None when it is the same as in the newest snapshot.

        Raises Conflict on a mirror, and when somebody else publishes at the same time; InvalidFile when no
        mirror could read what was made, which is not published then; Busy and the stores' errors.
        """
        if self._settings.read_only:
            raise Conflict("This is a read-only mirror: the catalogue is published at its home.")
        self._changes.sequence()
        moment = seconds(now())  # a copy that comes while the catalogue is read may not be in it
        previous = next(iter(self.snapshots(limit=1)), None)
        with TemporaryFile(dir=self._settings.folder) as file:
            rendered = self._render(file, progress)
            if rendered.digest == (None if previous is None else previous.catalogue.digest):
                return None
            if previous is None and not rendered.resources:
                return None
            manifest = Manifest(
                service_name=self._settings.service_name,
                service_url=self._settings.base_url,
                software=self._settings.software,
                generated_at=moment,
                change_seq=rendered.change_seq,
                resources=rendered.resources,
                catalogue=NamedFile(digest=rendered.digest, size=rendered.size, cid=None),
                inflated=rendered.inflated,
                previous=None,
            )
            _require_readable(file, manifest)
            made = Made(digest=rendered.digest, size=rendered.size, media_type=CATALOGUE_TYPE)
            self._keeper.keep(file, made)
        manifest = replace(
            manifest,
            catalogue=self._brought(rendered.digest, rendered.size),
            previous=None
            if previous is None
            else self._brought(previous.manifest.digest, previous.manifest.size),
        )
        data = write_manifest(manifest)
        digest = hashlib.sha256(data).hexdigest()
        self._keeper.keep(io.BytesIO(data), Made(digest=digest, size=len(data), media_type=MANIFEST_TYPE))
        self._add(digest, rendered, moment, previous)
        named = self._brought(digest, len(data))
        log.info("catalogue published", resources=rendered.resources, manifest=digest, cid=named.cid)
        return self.snapshots(limit=1)[0]

    def _render(self, file: BinaryIO, progress: Progress) -> _Rendered:
        hashed = hashlib.sha256()
        count = 0

        def write(data: bytes) -> None:
            hashed.update(data)
            file.write(data)

        deflater = Deflater(write)
        with self._database.frozen() as session:
            change_seq = latest(session)
            total = session.scalar(select(func.count()).select_from(Resource).where(_PUBLIC)) or 0
            for entry in self._entries(session):
                deflater.add(line_of(entry, base_url=self._settings.base_url))
                count += 1
                progress(count, total)
        deflater.finish()
        return _Rendered(
            digest=hashed.hexdigest(),
            size=file.tell(),
            inflated=deflater.inflated,
            resources=count,
            change_seq=change_seq,
        )

    def _entries(self, session: Session) -> Iterator[CatalogueEntry]:
        """Every public resource, in the order of their ids."""
        last = UUID(int=0)
        # Without asking for public ones: databases would then sort all of these anew for each page.
        page = select(Resource.id, Resource.visibility).order_by(Resource.id).limit(_BATCH)
        while rows := session.execute(page.where(Resource.id > last)).all():
            last = rows[-1].id
            public = [row.id for row in rows if row.visibility == Visibility.PUBLIC.value]
            found = session.scalars(select(Resource).where(Resource.id.in_(public)))
            by_id = {resource.id: resource for resource in found}
            described = _described(session, public)
            for resource_id, files in groupby(self._files(session, public), key=lambda row: row.resource_id):
                yield self._entry(by_id[resource_id], files, described.get(resource_id))
            session.expunge_all()

    def _files(self, session: Session, ids: Iterable[UUID]) -> Iterable[Row[*tuple[Any, ...]]]:
        """The released versions of some resources with the copies of their files in IPFS, one by one."""
        in_ipfs = and_(
            BlobLocation.digest == Version.digest,
            BlobLocation.store.in_(list(self._addressed)),
            BlobLocation.state == LocationState.PRESENT.value,
        )
        return session.execute(
            select(
                Version.resource_id,
                Version.number,
                Version.file_name,
                Version.change_note,
                Version.created_at,
                Version.released_at,
                Blob.digest,
                Blob.size,
                Blob.media_type,
                BlobLocation.store,
                BlobLocation.locator,
            )
            .join(Blob, Blob.digest == Version.digest)
            .outerjoin(BlobLocation, in_ipfs)
            .where(Version.resource_id.in_(list(ids)), Version.released_at.is_not(None))
            .order_by(Version.resource_id, Version.number),
            execution_options={"yield_per": _BATCH},
        )

    def _entry(
        self, resource: Resource, rows: Iterable[Row[*tuple[Any, ...]]], described: datetime | None
    ) -> CatalogueEntry:
        """``described``: when its description was changed last."""
        files = [self._file(list(copies)) for _, copies in groupby(rows, key=lambda row: row.number)]
        released = max(file.released_at for file in files)
        return CatalogueEntry(
            id=resource.id,
            url=resource.origin or f"{self._settings.base_url}/resources/{resource.id}",
            canonical_url=resource.canonical_url,
            title=resource.title,
            summary_html=resource.summary_html,
            licence=resource.licence,
            languages=tuple(resource.languages),
            subjects=tuple(resource.subjects),
            levels=tuple(resource.levels),
            types=tuple(resource.types),
            authors=tuple(Author(**author) for author in resource.authors),
            keywords=tuple(resource.keywords),
            created_at=resource.created_at,
            released_at=resource.released_at or resource.created_at,
            # Not the row's: that one tells of drafts, too.
            updated_at=released if described is None else max(released, described),
            files=tuple(files),
        )

    def _file(self, copies: Sequence[Row[*tuple[Any, ...]]]) -> CatalogueFile:
        row = copies[0]
        return CatalogueFile(
            number=row.number,
            file_name=row.file_name,
            media_type=row.media_type,
            size=row.size,
            digest=row.digest,
            cid=self._cid({copy.store: copy.locator for copy in copies if copy.store is not None}),
            change_note=row.change_note,
            created_at=row.created_at,
            released_at=row.released_at,
        )

    def _brought(self, digest: str, size: int) -> NamedFile:
        """The blob by its names, its CID included, where there is a store that makes one of it.

        Raises StorageUnavailable when none of those answers, and their errors.
        """
        failed: StorageError | None = None
        for name in self._addressed:
            try:
                self._replicator.bring(digest, self._stores[name])
                break
            except NoGoodCopy:
                break
            except SourceSilent as error:
                failed = StorageUnavailable(str(error))
            except StorageError as error:
                failed = error
        else:
            if failed is not None:
                raise failed
        with self._database.read() as session:
            return self._named(session, [digest]).get(digest) or NamedFile(digest=digest, size=size, cid=None)

    def _add(
        self, digest: str, rendered: _Rendered, moment: datetime, previous: SnapshotRecord | None
    ) -> None:
        """Add the snapshot, and let go of those that are too old now."""
        with self._database.write() as session:
            newest = session.scalar(select(Snapshot).order_by(Snapshot.id.desc()).limit(1).with_for_update())
            if (None if newest is None else newest.id) != (None if previous is None else previous.id):
                raise Conflict("Somebody else publishes the catalogue at the same time.")
            snapshot = Snapshot(
                manifest_digest=digest,
                catalogue_digest=rendered.digest,
                previous_id=None if previous is None else previous.id,
                resources=rendered.resources,
                change_seq=rendered.change_seq,
                created_at=moment,
            )
            session.add(snapshot)
            session.flush()
            audit(session, _SYSTEM, "publish", Noun.SNAPSHOT, snapshot.id, manifest=digest)
            let_go(session, keep=self._settings.keep)
            self._replicator.ask(session, [digest, rendered.digest])

    # What is known

    def _may_be_new(self) -> bool:
        """Whether a public resource, or a copy in IPFS of what is public, may have come or changed since the
        newest snapshot."""
        with self._database.read() as session:
            newest = session.scalar(select(Snapshot).order_by(Snapshot.id.desc()).limit(1))
            if newest is None:
                return session.scalar(select(Resource.id).where(_PUBLIC).limit(1)) is not None
            changed = select(Change.id).where(
                Change.noun == Noun.RESOURCE.value,
                or_(Change.seq > newest.change_seq, Change.seq.is_(None)),
            )
            copied = select(BlobLocation.id).where(
                BlobLocation.store.in_(list(self._addressed)),
                BlobLocation.created_at >= newest.created_at,
                exists().where(Version.digest == BlobLocation.digest, Version.released_at.is_not(None)),
            )
            return any(session.scalar(query.limit(1)) is not None for query in (changed, copied))

    def _named(self, session: Session, digests: Iterable[str]) -> dict[str, NamedFile]:
        """Those blobs that there are, by their names."""
        wanted = list(digests)
        sizes = session.execute(select(Blob.digest, Blob.size).where(Blob.digest.in_(wanted))).all()
        copies = session.execute(
            select(BlobLocation.digest, BlobLocation.store, BlobLocation.locator)
            .where(
                BlobLocation.digest.in_(wanted),
                BlobLocation.store.in_(list(self._addressed)),
                BlobLocation.state == LocationState.PRESENT.value,
            )
            .order_by(BlobLocation.id)
        ).all()
        return {
            row.digest: NamedFile(
                digest=row.digest,
                size=row.size,
                cid=self._cid({copy.store: copy.locator for copy in copies if copy.digest == row.digest}),
            )
            for row in sizes
        }

    def _cid(self, locators: dict[str, str]) -> str | None:
        """The CID of a blob that stands there in these stores, which each make the same of the same bytes."""
        for name, addressed in self._addressed.items():
            if name in locators:
                return addressed.cid_of(Locator(locators[name]))
        return None


def _described(session: Session, ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """When the descriptions of these resources were changed last, where they were."""
    changed = session.execute(
        select(AuditEntry.noun_id, func.max(AuditEntry.at))
        .where(
            AuditEntry.noun == Noun.RESOURCE.value,
            AuditEntry.noun_id.in_([str(id_) for id_ in ids]),
            AuditEntry.action == "describe",
        )
        .group_by(AuditEntry.noun_id)
    )
    return {UUID(noun_id): at for noun_id, at in changed}


_PUBLIC = Resource.visibility == Visibility.PUBLIC.value


def let_go(session: Session, *, keep: int) -> None:
    """Forget all snapshots but the newest ``keep``, and each before the newest that names what was withdrawn.

    Blobs that nothing else holds are collected then, and those of the latter without any grace.
    """
    session.flush()
    rows = session.scalars(select(Snapshot).order_by(Snapshot.id.desc())).all()
    telling = [row for row in rows[1:] if _may_name_withdrawn(session, row)]
    ids = {row.id for row in (*rows[keep:], *telling)}
    digests = {digest for row in telling for digest, _ in _files_of(row).values()}
    session.execute(update(Blob).where(Blob.digest.in_(digests)).values(claimed_at=_LONG_AGO))
    session.execute(update(Snapshot).where(Snapshot.previous_id.in_(ids)).values(previous_id=None))
    session.execute(delete(Snapshot).where(Snapshot.id.in_(ids)))


def _may_name_withdrawn(session: Session, snapshot: Snapshot) -> bool:
    """Whether something that is withdrawn now was public when the snapshot was made.

    By the moments that are in their rows: what was made right after the withdrawal may pass for older.
    """
    found = select(Resource.id).where(
        Resource.visibility == Visibility.WITHDRAWN.value,
        Resource.released_at <= snapshot.created_at + _COMMITTED_WITHIN,
        Resource.withdrawn_at >= snapshot.created_at - _COMMITTED_WITHIN,
    )
    return session.scalar(found.limit(1)) is not None


def _require_readable(file: BinaryIO, manifest: Manifest) -> None:
    """Read a catalogue that was just made as a mirror would. Raises InvalidFile."""
    file.seek(0)
    try:
        for _ in lines_of(file, read_manifest(write_manifest(manifest))):
            pass
    except InvalidFile as error:
        raise InvalidFile(
            f"The catalogue is not published, for no mirror could read what was made: {error.detail}",
            reason=error.reason,
        ) from error


def _files_of(snapshot: Snapshot) -> dict[str, tuple[str, str]]:
    """Digest and media type of the snapshot's files by their names."""
    return {
        MANIFEST_NAME: (snapshot.manifest_digest, MANIFEST_TYPE),
        CATALOGUE_NAME: (snapshot.catalogue_digest, CATALOGUE_TYPE),
    }
