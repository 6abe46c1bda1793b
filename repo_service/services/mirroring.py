"""A mirror: it takes over the public catalogue of its home and the files that it names, and changes neither.

Its resources have the ids that they have at home, and belong to an account that nobody can sign in to. Taking
over the same catalogue again, or a newer one, brings what is new, changes what changed and withdraws what is
gone. What is right is left alone, so that an interrupted restore just goes on. For the
files see ``fetching``.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, selectinload

from repo_service.domain.errors import Busy, Conflict, InvalidFile
from repo_service.domain.identity import Identity
from repo_service.domain.resources import ChangeKind, JobKind, LocationState, Noun, Visibility
from repo_service.inspection.text import html_to_text
from repo_service.models import Account, Blob, BlobLocation, Resource, Snapshot, Version
from repo_service.models.base import new_id, now
from repo_service.models.database import Database
from repo_service.services.catalogue import let_go
from repo_service.services.catalogue_format import (
    CATALOGUE_TYPE,
    MANIFEST_TYPE,
    CatalogueEntry,
    CatalogueFile,
    Manifest,
)
from repo_service.services.catalogue_parsing import (
    MAX_MANIFEST,
    InvalidLine,
    damaged,
    entry_of,
    lines_of,
    read_manifest,
)
from repo_service.services.copies import Copies
from repo_service.services.fetching import PATIENCE, Fetching, Progress
from repo_service.services.jobs import Jobs
from repo_service.services.keeping import Keeper, Made
from repo_service.services.mirror_sources import (
    FolderSource,
    Hashing,
    IpfsSource,
    Source,
    WebSource,
    read_all,
)
from repo_service.services.replication import Replicator
from repo_service.services.stores import Stores
from repo_service.services.trail import audit, record_change
from storage import StorageError

_USERNAME: Final = "mirror"
_CID: Final = re.compile(r"(?:ipfs://)?(baf[a-z2-7]{56})/?")
_BATCH_RESOURCES: Final = 100
_BATCH_FILES: Final = 1000
_PAGE: Final = 200
_LAST_ID: Final = UUID(int=2**128 - 1)
_TOLD: Final = 20
"""Reasons that are told of lines that were not taken over."""
_FORGET_FAILURE_AFTER: Final = 60.0
_SYSTEM: Final = Identity(username="system")
_GONE: Final = "It is no longer in the catalogue of its home."

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorSettings:
    """``folder``: for what is downloaded; ``keep``: how many snapshots; ``clean_file_name``: see
    ``http.file_names``."""

    read_only: bool
    folder: Path
    keep: int
    clean_file_name: Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where the resources of a mirror come from, and as of when."""

    name: str
    url: str
    generated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A manifest that was read, and its file."""

    manifest: Manifest
    made: Made


@dataclass(slots=True, kw_only=True)
class TakenOver:
    """What became of the resources of a catalogue.

    ``rejected`` lines were no resources, for the first of the ``reasons``; ``dropped`` values are in no
    vocabulary here; ``unobtainable`` files have no CID and are in no store.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    withdrawn: int = 0
    rejected: int = 0
    dropped: int = 0
    unobtainable: int = 0
    reasons: list[str] = field(default_factory=list)

    def reject(self, reason: str) -> None:
        """Count a line that was not taken over."""
        self.rejected += 1
        if len(self.reasons) < _TOLD:
            self.reasons.append(reason)


class Mirror:
    """Takes over catalogues."""

    def __init__(
        self,
        database: Database,
        stores: Stores,
        *,
        copies: Copies,
        fetching: Fetching,
        jobs: Jobs,
        keeper: Keeper,
        replicator: Replicator,
        settings: MirrorSettings,
    ) -> None:
        self._database = database
        self._stores = [store.name for store in stores]
        self._copies = copies
        self._fetching = fetching
        self._jobs = jobs
        self._keeper = keeper
        self._replicator = replicator
        self._settings = settings
        self._home: tuple[UUID, float, Home | None] | None = None
        self._lock = threading.Lock()

    def home(self) -> Home | None:
        """What this is a mirror of; None when it is none, and while that cannot be read. Cheap."""
        if not self._settings.read_only:
            return None
        try:
            with self._database.read() as session:
                newest = session.execute(_NEWEST).one_or_none()
        except SQLAlchemyError:
            log.exception("the home is not known")
            return None
        if newest is None:
            return None
        with self._lock:
            kept = self._home
        if kept is not None and kept[0] == newest.id and time.monotonic() < kept[1]:
            return kept[2]
        found = self._read_home(newest.manifest_digest)
        until = time.monotonic() + _FORGET_FAILURE_AFTER if found is None else float("inf")
        with self._lock:
            self._home = newest.id, until, found
        return found

    def source(self, reference: str, *, patience: timedelta = PATIENCE, min_free: int = 0) -> Source:
        """The catalogue whose manifest is there: a CID, an address, or a path.

        What comes from the web leaves ``min_free`` bytes free in our folder.
        Raises Conflict when this is no place to take a catalogue over.
        """
        self._require_empty()
        cid = _CID.fullmatch(reference)
        if cid is not None:
            return IpfsSource(self._fetching.fetcher(patience), self._keeper, cid[1])
        if reference.startswith(("http://", "https://")):
            return WebSource(
                self._keeper, reference, self._settings.folder, patience=patience, min_free=min_free
            )
        return FolderSource(self._keeper, Path(reference))

    def look(self, source: Source, *, moved_from: str | None = None) -> Offered:
        """Read the manifest. ``moved_from``: the address that the home had before, if it has another now.

        Raises InvalidFile when it is none, NotFound, StorageUnavailable, and Conflict when this is the mirror
        of something else, or has a newer one.
        """
        data = read_all(source.manifest(), MAX_MANIFEST)
        manifest = read_manifest(data)
        present = self.home()
        moved = moved_from is not None and present is not None and present.url == moved_from.rstrip("/")
        if present is not None and present.url != manifest.service_url and not moved:
            raise Conflict(
                f"This is a mirror of {present.url}: restore {manifest.service_url} into an empty one. "
                f"If it is the same home under a new address, add --moved-from {present.url}"
            )
        if present is not None and present.generated_at > manifest.generated_at:
            raise Conflict(
                f"This manifest is older than what is here, which is of {present.generated_at.isoformat()}."
            )
        digest = hashlib.sha256(data).hexdigest()
        return Offered(manifest=manifest, made=Made(digest=digest, size=len(data), media_type=MANIFEST_TYPE))

    def bring(self, source: Source, offered: Offered, progress: Progress = lambda count: None) -> None:
        """Read the whole catalogue, see that it is what its manifest says, and keep both.

        Raises InvalidFile, NotFound, StorageUnavailable, StorageFull.
        """
        wanted = offered.manifest.catalogue
        with source.catalogue(offered.manifest, progress) as reader:
            read = Hashing(reader)
            for _ in lines_of(read, offered.manifest):
                pass
        if (read.size, read.digest) != (wanted.size, wanted.digest):
            raise damaged("The catalogue is not the one that its manifest speaks of: its SHA-256 is another.")
        source.keep(offered.made, Made(digest=wanted.digest, size=wanted.size, media_type=CATALOGUE_TYPE))

    def take_over(
        self,
        source: Source,
        offered: Offered,
        progress: Callable[[int, int], object] = lambda done, total: None,
    ) -> TakenOver:
        """Bring the resources here to what the catalogue says. ``bring`` was done before.

        ``progress`` is told (done, total). Raises Busy, the store's errors, and Conflict when somebody has
        begun to use this database meanwhile.
        """
        self._require_empty()
        manifest = offered.manifest
        owner_id = self._account(manifest)
        result = TakenOver()
        last = UUID(int=0)
        with source.catalogue(manifest, lambda count: None) as reader:
            for batch in _batches(self._entries(lines_of(reader, manifest), result)):
                entries = [entry for _, entry in batch]
                with self._database.write() as session:
                    self._taking(session, owner_id, result).take(entries)
                self._withdraw(result, after=last, until=entries[-1].id, keep={entry.id for entry in entries})
                last = entries[-1].id
                progress(batch[-1][0], manifest.resources)
        progress(manifest.resources, manifest.resources)
        self._withdraw(result, after=last)
        with self._database.write() as session:
            snapshot_id = self._remember(session, offered)
            audit(session, _SYSTEM, "take over", Noun.SNAPSHOT, snapshot_id, manifest=offered.made.digest)
        return result

    def _taking(self, session: Session, owner_id: UUID, result: TakenOver) -> _Taking:
        ipfs = self._fetching.store
        return _Taking(
            session,
            owner_id,
            result,
            jobs=self._jobs,
            stores=self._stores,
            ipfs=None if ipfs is None else ipfs.name,
        )

    def _require_empty(self) -> None:
        """What is somebody's own would be spoilt here, and what can be written to would differ from home."""
        if not self._settings.read_only:
            raise Conflict("A mirror is read-only: set REPO_READ_ONLY=true, for this and for the service.")
        with self._database.read() as session:
            used = session.scalar(
                select(Account.id).where(Account.username != _USERNAME).limit(1)
            ) or session.scalar(select(Resource.id).where(Resource.origin.is_(None)).limit(1))
        if used is not None:
            raise Conflict(
                "This database has accounts or resources of its own: restore into an empty one, by another "
                "REPO_DATA_DIR or REPO_DATABASE_URL."
            )

    def _account(self, manifest: Manifest) -> UUID:
        """The account that the resources belong to. It is blocked, and never had a token."""
        with self._database.write() as session:
            account = session.scalar(select(Account).where(Account.username == _USERNAME))
            if account is None:
                account = Account(username=_USERNAME, quota=0, blocked_at=now())
                session.add(account)
            account.display_name = manifest.service_name
            session.flush()
            return account.id

    def _entries(self, lines: Iterable[bytes], result: TakenOver) -> Iterator[tuple[int, CatalogueEntry]]:
        """The resources with the numbers of their lines. Lines that are none are counted."""
        last = UUID(int=0)
        for number, line in enumerate(lines, start=1):
            try:
                entry, dropped = entry_of(line, clean_file_name=self._settings.clean_file_name)
                if entry.id <= last:
                    raise InvalidLine("it is not in the order of the ids")
            except InvalidLine as error:
                result.reject(f"line {number}: {error}")
                continue
            result.dropped += dropped
            last = entry.id
            yield number, entry

    def _withdraw(
        self, result: TakenOver, *, after: UUID, until: UUID = _LAST_ID, keep: Collection[UUID] = ()
    ) -> None:
        """Withdraw the public resources beyond ``after`` and up to ``until``, but those to keep."""
        # Without asking for public ones: databases would then look through all of these for each page.
        page = select(Resource.id, Resource.visibility).order_by(Resource.id).limit(_PAGE)
        while True:
            with self._database.write() as session:
                rows = session.execute(page.where(Resource.id > after, Resource.id <= until)).all()
                gone = [
                    row.id for row in rows if row.visibility == Visibility.PUBLIC.value and row.id not in keep
                ]
                self._withdraw_all(session, gone)
            result.withdrawn += len(gone)
            if len(rows) < _PAGE:
                return
            after = rows[-1].id

    def _withdraw_all(self, session: Session, ids: Collection[UUID]) -> None:
        query = select(Resource).where(Resource.id.in_(ids)).options(selectinload(Resource.versions))
        for resource in session.scalars(query).all() if ids else ():
            resource.visibility = Visibility.WITHDRAWN.value
            resource.withdrawn_at = resource.updated_at = now()
            resource.withdrawn_reason = _GONE
            resource.revision += 1
            record_change(session, Noun.RESOURCE, resource.id, ChangeKind.WITHDRAWN)
            self._replicator.ask(session, [version.digest for version in resource.versions])

    def _remember(self, session: Session, offered: Offered) -> UUID:
        """The snapshot that is here now; the same one only once."""
        newest = session.scalar(select(Snapshot).order_by(Snapshot.id.desc()).limit(1))
        if newest is not None and newest.manifest_digest == offered.made.digest:
            return newest.id
        snapshot = Snapshot(
            id=new_id(),
            manifest_digest=offered.made.digest,
            catalogue_digest=offered.manifest.catalogue.digest,
            previous_id=None if newest is None else newest.id,
            resources=offered.manifest.resources,
            change_seq=offered.manifest.change_seq,
            created_at=offered.manifest.generated_at,
        )
        session.add(snapshot)
        let_go(session, keep=self._settings.keep)
        self._replicator.ask(session, [snapshot.manifest_digest, snapshot.catalogue_digest])
        return snapshot.id

    def _read_home(self, manifest_digest: str) -> Home | None:
        try:
            with self._database.read() as session:
                copies = self._copies.of(session, manifest_digest)
            manifest = read_manifest(read_all(copies.open(), MAX_MANIFEST))
        except (SQLAlchemyError, StorageError, InvalidFile):
            log.exception("the manifest of the home cannot be read")
            return None
        return Home(name=manifest.service_name, url=manifest.service_url, generated_at=manifest.generated_at)


class _Taking:
    """Brings resources to what a catalogue says, in one transaction."""

    def __init__(
        self,
        session: Session,
        owner_id: UUID,
        result: TakenOver,
        *,
        jobs: Jobs,
        stores: Sequence[str],
        ipfs: str | None,
    ) -> None:
        """``ipfs`` is that one of the ``stores`` that files are fetched into."""
        self._session = session
        self._owner_id = owner_id
        self._result = result
        self._jobs = jobs
        self._stores = stores
        self._ipfs = ipfs

    def take(self, batch: Sequence[CatalogueEntry]) -> None:
        """Take these over."""
        files = _KnownFiles(self._session, batch, self._stores)
        ids = [entry.id for entry in batch]
        known = {
            resource.id: resource
            for resource in self._session.scalars(
                select(Resource)
                .where(Resource.id.in_(ids))
                .options(selectinload(Resource.versions))
                .with_for_update()
            )
        }
        for entry in batch:
            resource = known.get(entry.id)
            try:
                _require_same(entry, resource, files)
            except InvalidLine as error:
                self._result.reject(f"{entry.url}: {error}")
                continue
            self._take_one(entry, resource, files)

    def _take_one(self, entry: CatalogueEntry, resource: Resource | None, files: _KnownFiles) -> None:
        values = _values_of(entry)
        new = resource is None
        if resource is None:
            resource = Resource(
                id=entry.id,
                owner_id=self._owner_id,
                found=[],
                revision=0,
                updated_at=entry.updated_at,
                **values,
            )
            self._session.add(resource)
        versions = {} if new else {version.number: version for version in resource.versions}
        changed = _set(resource, values) or new
        for file in entry.files:
            changed |= self._take_file(resource.id, versions.pop(file.number, None), file, files)
        for version in versions.values():  # the catalogue does not have it any more
            changed |= _set(version, {"digest": None, "released_at": None})
        if not changed:
            self._result.unchanged += 1
            return
        resource.revision += 1
        resource.updated_at = entry.updated_at
        what = ChangeKind.CREATED if new else ChangeKind.UPDATED
        record_change(self._session, Noun.RESOURCE, entry.id, what)
        if new:
            self._result.added += 1
        else:
            self._result.changed += 1

    def _take_file(
        self, resource_id: UUID, version: Version | None, file: CatalogueFile, files: _KnownFiles
    ) -> bool:
        """Bring a version to what the catalogue says; whether anything changed."""
        present = files.is_present(file)
        obtainable = present or (self._ipfs is not None and file.cid is not None)
        if not obtainable:
            self._result.unobtainable += 1
        elif not present and self._ipfs is not None:
            files.expect(file, self._ipfs)
        new = version is None
        if version is None:
            version = Version(
                id=new_id(),
                resource_id=resource_id,
                number=file.number,
                created_by=self._owner_id,
                created_at=file.created_at,
            )
            self._session.add(version)
        changed = _set(
            version,
            {
                "file_name": file.file_name,
                "change_note": file.change_note,
                "released_at": file.released_at,
                "digest": file.digest if obtainable else None,
            },
        )
        if present and version.inspected_at is None and (new or changed):
            version.job_id = self._jobs.enqueue(self._session, JobKind.INSPECT, str(version.id), hint=False)
        return new or changed


class _KnownFiles:
    """What is known of the files of some resources, and their rows. Read and written in one session."""

    def __init__(self, session: Session, batch: Iterable[CatalogueEntry], stores: Sequence[str]) -> None:
        self._session = session
        digests = sorted({file.digest for entry in batch for file in entry.files})
        self._blobs = {
            blob.digest: blob
            for blob in session.scalars(select(Blob).where(Blob.digest.in_(digests)).with_for_update())
        }
        places = session.scalars(select(BlobLocation).where(BlobLocation.digest.in_(digests))).all()
        self._places = {(place.digest, place.store): place for place in places}
        self._present = {
            place.digest
            for place in places
            if place.state == LocationState.PRESENT.value and place.store in stores
        }

    def size(self, digest: str) -> int | None:
        """Bytes of a file that is known."""
        blob = self._blobs.get(digest)
        return None if blob is None else blob.size

    def is_present(self, file: CatalogueFile) -> bool:
        """Whether a store here has it. Raises Busy while it is being deleted."""
        blob = self._blobs.get(file.digest)
        if blob is not None and blob.deleting_at is not None:
            raise Busy("Files that are needed again are just being deleted: try again in a minute.")
        return file.digest in self._present

    def expect(self, file: CatalogueFile, store: str) -> None:
        """See that there are rows for a file that is to be fetched into ``store``."""
        assert file.cid is not None
        if file.digest not in self._blobs:
            blob = Blob(digest=file.digest, size=file.size, media_type=file.media_type, claimed_at=now())
            self._session.add(blob)
            self._blobs[file.digest] = blob
        place = self._places.get((file.digest, store))
        if place is None:
            place = BlobLocation(digest=file.digest, store=store)
            self._session.add(place)
            self._places[file.digest, store] = place
        if place.locator != file.cid:
            place.locator, place.state = file.cid, LocationState.REMOTE.value


def _batches(
    entries: Iterable[tuple[int, CatalogueEntry]],
) -> Iterator[list[tuple[int, CatalogueEntry]]]:
    """Some at a time, of not too many files."""
    batch: list[tuple[int, CatalogueEntry]] = []
    files = 0
    for number, entry in entries:
        batch.append((number, entry))
        files += len(entry.files)
        if len(batch) == _BATCH_RESOURCES or files >= _BATCH_FILES:
            yield batch
            batch, files = [], 0
    if batch:
        yield batch


def _require_same(entry: CatalogueEntry, resource: Resource | None, files: _KnownFiles) -> None:
    """A version keeps its bytes for ever, and bytes keep their number. Raises InvalidLine."""
    before = {} if resource is None else {version.number: version.digest for version in resource.versions}
    sizes: dict[str, int] = {}
    for file in entry.files:
        if before.get(file.number) not in (None, file.digest):
            raise InvalidLine(f"version {file.number} has other bytes than it had")
        known = files.size(file.digest)
        if sizes.setdefault(file.digest, file.size) != file.size or known not in (None, file.size):
            raise InvalidLine(f"version {file.number} has another size than the same bytes elsewhere")


def _values_of(entry: CatalogueEntry) -> dict[str, Any]:
    """The columns of a public resource, but those that change with each of its changes."""
    return {
        "title": entry.title,
        "summary_html": entry.summary_html,
        "summary_text": html_to_text(entry.summary_html),
        "licence": entry.licence,
        "languages": list(entry.languages),
        "subjects": list(entry.subjects),
        "levels": list(entry.levels),
        "types": list(entry.types),
        "authors": [{"name": author.name, "url": author.url} for author in entry.authors],
        "keywords": list(entry.keywords),
        "visibility": Visibility.PUBLIC.value,
        "withdrawn_at": None,
        "withdrawn_reason": None,
        "origin": entry.url,
        "canonical_url": entry.canonical_url,
        "created_at": entry.created_at,
        "released_at": entry.released_at,
    }


def _set(row: Resource | Version, values: dict[str, Any]) -> bool:
    """Set columns; whether any of them was different."""
    changed = False
    for name, value in values.items():
        if getattr(row, name) != value:
            setattr(row, name, value)
            changed = True
    return changed


_NEWEST = select(Snapshot.id, Snapshot.manifest_digest).order_by(Snapshot.id.desc()).limit(1)
