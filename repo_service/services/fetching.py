"""Fetching files from other nodes by their CIDs: those whose copy in IPFS is ``remote``, or was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Exists, Select, delete, exists, func, select

from repo_service.domain.errors import Conflict, InvalidFile
from repo_service.domain.resources import JobKind, JobState, LocationState
from repo_service.models import Blob, BlobLocation, Job, Version
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.catalogue_parsing import damaged
from repo_service.services.copies import BLOCK_SIZE, Copies
from repo_service.services.jobs import JobFailed, Jobs, JobWaits, Report
from repo_service.services.replication import Replicator
from repo_service.services.stores import Stores
from storage import (
    BlobStore,
    ContentAddressed,
    Copy,
    InvalidLocator,
    Locator,
    SizeMismatch,
    StorageUnavailable,
    StoredBlob,
    content_addressed,
)

PATIENCE: Final = timedelta(minutes=2)
"""How long nothing may come of what is fetched."""

_PAGE: Final = 200
_REST: Final = timedelta(minutes=15)
"""How long a job that failed is not begun anew, however often somebody asks: as long as one waits at most."""

Progress = Callable[[int], object]
"""Told how many bytes have come since it was told last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """Files that are not here yet. ``bytes`` of all of them."""

    files: int
    bytes: int


class NotAsPromised(Exception):
    """What there is under a CID is not what the catalogue says; the message is for people."""


class Fetcher:
    """Brings content into a store from other nodes, as long as something comes."""

    def __init__(
        self,
        store: BlobStore,
        addressed: ContentAddressed,
        *,
        patience: timedelta,
        is_known: Callable[[Locator], bool],
    ) -> None:
        """``patience``: how long nothing may come. ``is_known``: whether a blob of ours stands there."""
        self.store = store
        self._addressed = addressed
        self._patience = patience
        self._is_known = is_known

    def fetch(
        self,
        cid: str,
        *,
        media_type: str,
        max_size: int,
        progress: Progress = lambda count: None,
    ) -> StoredBlob:
        """As ``ContentAddressed.fetch``, which gives up after its time: again while something comes.

        Raises StorageUnavailable when nothing came for too long, InvalidFile when there is more than
        ``max_size`` or it is no file.
        """
        came = 0

        def told(size: int) -> None:
            nonlocal came
            # The first block says how much there is. Whoever made it may have lied.
            if size > max_size + max_size // 8 + BLOCK_SIZE:
                raise SizeMismatch("there is more than was said")
            if size > came:
                progress(min(size, max_size) - min(came, max_size))
                came = size

        while True:
            before = came
            try:
                found = self._addressed.fetch(
                    cid, media_type=media_type, time_limit=self._patience, max_size=max_size, progress=told
                )
            except SizeMismatch as error:
                raise damaged(f"There is more under {cid} than there should be.") from error
            except StorageUnavailable:
                if came == before:
                    raise
            else:
                progress(max(0, min(found.size, max_size) - min(came, max_size)))
                return found

    def discard(self, locator: Locator) -> None:
        """Let go of what turned out to be something else, unless it is a blob of ours."""
        if not self._is_known(locator):
            self.store.delete(locator)


class Fetching:
    """Which files are not here yet, and how they come. The node is the first store that has CIDs."""

    def __init__(
        self, database: Database, stores: Stores, copies: Copies, replicator: Replicator, jobs: Jobs
    ) -> None:
        self._database = database
        self._copies = copies
        self._replicator = replicator
        self._jobs = jobs
        self._names = [store.name for store in stores]
        self._node = next(
            ((store, found) for store in stores if (found := content_addressed(store)) is not None), None
        )

    @property
    def store(self) -> BlobStore | None:
        """The store that files come into."""
        return None if self._node is None else self._node[0]

    def lacking(self) -> Lacking:
        """How much there is to fetch."""
        wanted = self._lacking().subquery()
        with self._database.read() as session:
            row = session.execute(
                select(func.count(), func.coalesce(func.sum(wanted.c.size), 0)).select_from(wanted)
            ).one()
        return Lacking(files=row[0], bytes=int(row[1]))

    def digests_lacking(self) -> Iterator[str]:
        """Each file that is to be fetched."""
        after = ""
        while True:
            with self._database.read() as session:
                page = session.scalars(
                    self._lacking().where(Blob.digest > after).order_by(Blob.digest).limit(_PAGE)
                ).all()
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1]

    def fetch_later(self, digest: str, *, hint: bool) -> bool:
        """Have a file fetched by a job; False when it is none that could be.

        ``hint``: now, and not when the worker comes to it. Anybody may ask for that, so a job that waits for
        its next try is left to wait, and one that failed rests first.
        """
        rests = select(Job.id).where(
            Job.kind == JobKind.FETCH.value,
            Job.key == digest,
            Job.state == JobState.FAILED.value,
            Job.finished_at > now() - _REST,
        )
        with self._database.write() as session:
            if session.scalar(self._lacking().where(Blob.digest == digest)) is None:
                return False
            if not hint or session.scalar(rests) is None:
                self._jobs.enqueue(session, JobKind.FETCH, digest, hint=hint)
        return True

    def run(self, digest: str, report: Report) -> None:
        """The job: fetch a file. Raises JobWaits while nobody gives it, JobFailed when it is another one."""
        came = 0

        def progress(count: int) -> None:
            nonlocal came
            came += count
            report(came / max(1, size))

        with self._database.read() as session:
            size = session.scalar(select(Blob.size).where(Blob.digest == digest)) or 0
        try:
            self.fetch(digest, progress)
        except NotAsPromised as error:
            raise JobFailed(str(error)) from error
        except StorageUnavailable as error:
            raise JobWaits("No reachable node gives this file now: it is tried again.") from error

    def fetch(
        self, digest: str, progress: Progress = lambda count: None, *, patience: timedelta = PATIENCE
    ) -> None:
        """Bring a file that is lacking into IPFS here, and have it inspected.

        Raises NotAsPromised when it is another file than the catalogue says, StorageUnavailable when no node
        gives it, and the store's errors.
        """
        with self._database.read() as session:
            row = session.execute(
                select(Blob.size, Blob.media_type, BlobLocation.locator)
                .join(BlobLocation, BlobLocation.digest == Blob.digest)
                .where(
                    Blob.digest == digest,
                    BlobLocation.store == (self._node[0].name if self._node is not None else None),
                    BlobLocation.state != LocationState.PRESENT.value,
                )
            ).one_or_none()
        if row is None or self._node is None:
            return
        fetcher = self.fetcher(patience)
        copy = Copy(self._node[0], Locator(row.locator))
        try:
            found = fetcher.fetch(
                row.locator, media_type=row.media_type, max_size=row.size, progress=progress
            )
        except (InvalidFile, InvalidLocator) as error:
            self._forget(digest, copy)
            raise NotAsPromised("The catalogue names a CID of something else for this file.") from error
        if found.size != row.size or found.sidecar is None or found.sidecar.digest != digest:
            fetcher.discard(found.locator)
            self._forget(digest, copy)
            raise NotAsPromised(
                "The catalogue names a CID of other bytes for this file: their SHA-256 is another."
            )
        self._copies.verify(digest, copy)  # which keeps the checksums of its chunks, and says that it is here
        with self._database.write() as session:
            versions = session.scalars(
                select(Version).where(Version.digest == digest, Version.inspected_at.is_(None))
            ).all()
            for version in versions:
                version.job_id = self._jobs.enqueue(session, JobKind.INSPECT, str(version.id))
            self._replicator.ask(session, [digest])

    def fetcher(self, patience: timedelta) -> Fetcher:
        """What brings content into ``store``. Raises Conflict when there is none."""
        if self._node is None:
            raise Conflict("No IPFS node is configured: put its URL into REPO_STORE_URL.")
        store, addressed = self._node
        return Fetcher(store, addressed, patience=patience, is_known=self._is_known)

    def _is_known(self, locator: Locator) -> bool:
        assert self._node is not None
        with self._database.read() as session:
            found = session.scalar(
                select(BlobLocation.id).where(
                    BlobLocation.store == self._node[0].name,
                    BlobLocation.locator == locator,
                    BlobLocation.state == LocationState.PRESENT.value,
                )
            )
        return found is not None

    def _forget(self, digest: str, copy: Copy) -> None:
        """The catalogue was wrong about where this file is: whatever is there must not go for its sake."""
        with self._database.write() as session:
            session.execute(
                delete(BlobLocation).where(
                    BlobLocation.digest == digest,
                    BlobLocation.store == copy.store.name,
                    BlobLocation.locator == copy.locator,
                )
            )

    def _lacking(self) -> Select[str, int]:
        def in_state(*states: LocationState) -> Exists:
            return (
                exists()
                .where(
                    BlobLocation.digest == Blob.digest,
                    BlobLocation.state.in_([state.value for state in states]),
                )
                .correlate(Blob)
            )

        ipfs = None if self._node is None else self._node[0].name
        return select(Blob.digest, Blob.size).where(
            Blob.deleting_at.is_(None),
            in_state(LocationState.REMOTE, LocationState.MISSING).where(BlobLocation.store == ipfs),
            ~in_state(LocationState.PRESENT).where(BlobLocation.store.in_(self._names)),
            exists().where(Version.digest == Blob.digest).correlate(Blob),
        )
