"""Replication: every blob is brought to where it is wanted, and taken away from where it is not any more.

A copy counts once its bytes have been read from their source to the end and had the right SHA-256, stand in
the other store, and are named by a row. Whatever happens in between, the row says what is there: bytes of a
blob that was deleted meanwhile are deleted again, and a copy that came to be unwanted is taken away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import ColumnElement, Exists, Select, and_, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from repo_service.domain.resources import JobKind, LocationState
from repo_service.models import Blob, BlobLocation
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.models.insert import insert_if_absent
from repo_service.services.copies import BLOCK_SIZE, Copies, keep_checks
from repo_service.services.jobs import JobFailed, Jobs, JobWaits, Report, in_hand
from repo_service.services.stores import Stores
from repo_service.services.wanted import unwanted_in, wanted_in
from storage import (
    BlobCopies,
    BlobDamaged,
    BlobNotFound,
    BlobReader,
    BlobStore,
    Copy,
    Digest,
    Fault,
    Locator,
    Sidecar,
    StorageError,
    StorageFull,
    StorageRefused,
    StorageUnavailable,
    StoredDamaged,
    Watcher,
)
from storage.checks import Checks

_BATCH = 200
_LEVELS = 4
"""How often content that is damaged in its store is brought at most. Each time shows damage one level
further down: an IPFS tree of a file up to 7 GiB has three."""
_SILENT = "the store does not answer"

Progress = Callable[[int], object]
"""Told how many bytes each step moved."""


class NoGoodCopy(Exception):
    """No store has the right bytes any more."""


class SourceSilent(Exception):
    """The stores that may have the right bytes do not answer now."""


class _SourceFailed(Exception):
    """Reading failed, not writing. ``error`` is the store's."""

    def __init__(self, error: StorageError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A row that names a copy, in a configured store."""

    copy: Copy
    state: LocationState


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blob:
    """A blob with its places by the name of the store, and in which stores it must or must not be."""

    digest: str
    size: int
    media_type: str
    checks: bytes | None
    places: Mapping[str, _Place]
    wanted: frozenset[str]
    unwanted: frozenset[str]

    def sources(self, target: BlobStore, first: str | None = None) -> Sequence[Copy]:
        """Where else there may be bytes of it: the present copies first, then those that were not right."""
        others = [place for name, place in self.places.items() if name != target.name]
        others.sort(
            key=lambda place: (place.state is not LocationState.PRESENT, place.copy.store.name != first)
        )
        return [place.copy for place in others]


class Replicator:
    """Keeps the copies of blobs as they should be."""

    def __init__(self, database: Database, stores: Stores, copies: Copies, jobs: Jobs) -> None:
        self._database = database
        self._stores = stores
        self._copies = copies
        self._jobs = jobs

    def ask(self, session: Session, digests: Iterable[str | None]) -> None:
        """Have these blobs brought to where they are wanted, after the commit of ``session``."""
        if self._stores.replicas:
            for digest in sorted({digest for digest in digests if digest is not None}):
                self._jobs.enqueue(session, JobKind.REPLICATE, digest, again=True)

    def replicate(self, digest: str, report: Report) -> None:
        """The job: bring the copies of a blob to what is wanted now.

        Does as much of it as can be done. Raises JobWaits when a store does not answer or has no room,
        JobFailed when no store has the right bytes any more.
        """
        blob = self._look(digest)
        if blob is None:
            return
        lacking = [
            store for store in self._stores if store.name in blob.wanted and not _is_present(blob, store)
        ]
        progress = _shares(report, total=max(1, blob.size * len(lacking)))
        watcher = self._copies.watcher(digest)  # one for all, so that each fault is logged once
        waits: list[str] = []
        lost = False
        for store in self._stores:
            if store in lacking and self._stores.is_silent(store.name):
                waits.append(f"{store.name}: {_SILENT}")  # as a moment ago: its time-outs are not paid again
                continue
            try:
                if store in lacking:
                    self.bring(digest, store, progress=progress, watcher=watcher)
                    self._stores.note_answered(store.name)
                elif store.name in blob.places and store.name in blob.unwanted:
                    self._take_away(digest, blob.places[store.name].copy)
            except NoGoodCopy:
                lost = True
            except (SourceSilent, StorageFull, StorageRefused, StoredDamaged) as error:
                waits.append(f"{store.name}: {_reason(error)}")
            except StorageUnavailable as error:
                self._stores.note_silent(store.name)
                waits.append(f"{store.name}: {_reason(error)}")
        if waits:
            raise JobWaits("; ".join(waits))
        if lost:
            raise JobFailed("No store has the right bytes of this file any more: an operator must look.")

    def bring(
        self,
        digest: str,
        target: BlobStore,
        *,
        first: str | None = None,
        progress: Progress = lambda count: None,
        watcher: Watcher | None = None,
    ) -> bool:
        """See that ``target`` has the blob, wanted there or not; False when there is no such blob.

        ``first`` names the store to read from where several have it, ``watcher`` is told of their copies.
        Raises NoGoodCopy, SourceSilent and the errors of ``target``.
        """
        blob = self._look(digest)
        if blob is None:
            return False
        if not _is_present(blob, target):
            self._bring(blob, target, progress, watcher or self._copies.watcher(digest), first=first)
        return True

    def see_to(self, digest: str) -> None:
        """Bring the copies of a blob to what is wanted now, in this process.

        As a job: when a worker is at it already, this does nothing. What goes wrong is told by the job.
        """
        with self._database.write() as session:
            job_id = self._jobs.enqueue(session, JobKind.REPLICATE, digest, again=True, hint=False)
        self._jobs.run(job_id, {JobKind.REPLICATE: self.replicate})

    def owed(self, *, known: bool = True) -> Iterator[str]:
        """Digests of the blobs whose copies are not as they should be.

        ``known``: those included that a job is about to see to, or could not help lately.
        """
        query = self._owed() if known else self._owed().where(~in_hand(JobKind.REPLICATE, Blob.digest))
        after = ""
        while True:
            with self._database.read() as session:
                found = session.scalars(query.where(Blob.digest > after).limit(_BATCH)).all()
            yield from found
            if len(found) < _BATCH:
                return
            after = found[-1]

    def enqueue_owed(self) -> int:
        """Have all that is owed done, without hurry; returns how many jobs that is."""
        count = 0
        owed = self.owed(known=False)
        while batch := list(islice(owed, _BATCH)):
            with self._database.write() as session:
                for digest in batch:
                    self._jobs.enqueue(session, JobKind.REPLICATE, digest, hint=False)
            count += len(batch)
        return count

    def _owed(self) -> Select[str]:
        owed: list[ColumnElement[bool]] = []
        for store in self._stores:
            place = _place_in(store)
            present = place.where(BlobLocation.state == LocationState.PRESENT.value)
            owed += [and_(wanted_in(store), ~present), and_(unwanted_in(store), place)]
        return (
            select(Blob.digest)
            .where(Blob.deleting_at.is_(None), ~_is_remote(), or_(*owed))
            .order_by(Blob.digest)
        )

    def _look(self, digest: str) -> _Blob | None:
        """The blob as it is now; None when it is gone, or going."""
        stores = list(self._stores)
        columns = [column(store) for column in (wanted_in, unwanted_in) for store in stores]
        with self._database.read() as session:
            row = session.execute(
                select(Blob.size, Blob.media_type, Blob.checks, *columns).where(
                    Blob.digest == digest, Blob.deleting_at.is_(None)
                )
            ).one_or_none()
            places = session.execute(
                select(BlobLocation.store, BlobLocation.locator, BlobLocation.state).where(
                    BlobLocation.digest == digest
                )
            ).all()
        if row is None:
            return None
        known = sorted(
            (place for place in places if place.store in self._stores),
            key=lambda place: self._stores.order(place.store),
        )
        return _Blob(
            digest=digest,
            size=row.size,
            media_type=row.media_type,
            checks=row.checks,
            places={
                place.store: _Place(
                    copy=Copy(self._stores[place.store], Locator(place.locator)),
                    state=LocationState(place.state),
                )
                for place in known
            },
            wanted=_named(stores, row[3 : 3 + len(stores)]),
            unwanted=_named(stores, row[3 + len(stores) :]),
        )

    # How a copy comes and goes

    def _bring(
        self,
        blob: _Blob,
        target: BlobStore,
        progress: Progress,
        watcher: Watcher,
        *,
        first: str | None,
    ) -> None:
        place = blob.places.get(target.name)
        if place is not None:  # what was found wrong once may be right again: a disk that was not mounted
            state = self._copies.verify(blob.digest, place.copy, progress=progress)
            if state is LocationState.PRESENT:
                return
        locator, checks = self._copy_over_damage(blob, target, progress, watcher, first=first)
        self._keep(blob.digest, target, locator, checks)

    def _copy_over_damage(
        self, blob: _Blob, target: BlobStore, progress: Progress, watcher: Watcher, *, first: str | None
    ) -> tuple[Locator, bytes]:
        """As ``_copy``, and again as long as the store removes damaged pieces of what it has."""
        left = _LEVELS
        while True:
            try:
                return self._copy(blob, target, progress, watcher, first=first)
            except StoredDamaged as damaged:
                left -= 1
                if not (left and damaged.removed):
                    raise

    def _copy(
        self, blob: _Blob, target: BlobStore, progress: Progress, watcher: Watcher, *, first: str | None
    ) -> tuple[Locator, bytes]:
        """Publish the blob in ``target``; returns where, and the checksums of its chunks."""
        sources = blob.sources(target, first)
        awake = [source for source in sources if not self._stores.is_silent(source.store.name)]
        silent = len(awake) < len(sources)
        attempts: list[tuple[Sequence[Copy], bytes | None]] = [((source,), None) for source in awake]
        # Of two damaged copies, each may be whole where the other is not: that of the target counts, too.
        own = blob.places.get(target.name)
        together = awake if own is None else [*awake, own.copy]
        if len(together) > 1 and blob.checks is not None:
            attempts.insert(0, (together, blob.checks))
        for copies, checks in attempts:
            try:
                return self._transfer(blob, copies, checks, target, progress, watcher=watcher)
            except _SourceFailed as failed:
                silent = silent or not isinstance(failed.error, BlobNotFound)
        if silent:
            raise SourceSilent("the stores that may have it do not answer")
        raise NoGoodCopy

    def _transfer(
        self,
        blob: _Blob,
        sources: Sequence[Copy],
        checks: bytes | None,
        target: BlobStore,
        progress: Progress,
        *,
        watcher: Watcher,
    ) -> tuple[Locator, bytes]:
        copies = BlobCopies(sources, size=blob.size, checks=checks, watcher=watcher)
        hashed, sums = hashlib.sha256(), Checks()
        with copies.open() as reader, target.stage(expected_size=blob.size) as staged:
            while block := _read(reader):
                hashed.update(block)
                sums.update(block)
                staged.write(block)
                progress(len(block))
            if hashed.hexdigest() != blob.digest:
                wrong = BlobDamaged("the bytes do not have the SHA-256 of the blob")
                if len(sources) == 1:
                    watcher.failed(sources[0], Fault.CORRUPT, wrong)
                raise _SourceFailed(wrong)
            sidecar = Sidecar(digest=Digest(blob.digest), size=blob.size, media_type=blob.media_type)
            return staged.publish(sidecar), sums.value()

    def _keep(self, digest: str, target: BlobStore, locator: Locator, checks: bytes) -> None:
        """Write down where the copy is that has just been published, unless nobody needs it any more."""
        moment = now()
        superfluous: Locator | None = None
        with self._database.write() as session:
            # Against the garbage collector, which marks a blob before it looks where its copies are.
            blob = session.scalar(select(Blob).where(Blob.digest == digest).with_for_update())
            if blob is None or blob.deleting_at is not None:
                superfluous = locator
            else:
                keep_checks(session, digest, checks)
                insert_if_absent(
                    session,
                    BlobLocation,
                    digest=digest,
                    store=target.name,
                    locator=locator,
                    state=LocationState.PRESENT.value,
                    verified_at=moment,
                    created_at=moment,
                )
                place = session.scalars(
                    select(BlobLocation).where(
                        BlobLocation.digest == digest, BlobLocation.store == target.name
                    )
                ).one()
                if place.locator == locator or place.state != LocationState.PRESENT.value:
                    if place.locator != locator and place.state != LocationState.REMOTE.value:
                        superfluous = Locator(place.locator)
                    place.locator, place.state, place.verified_at = (
                        locator,
                        LocationState.PRESENT.value,
                        moment,
                    )
                else:  # somebody was faster
                    superfluous = locator
        with suppress(StorageError):  # bytes that no row names: the garbage collector finds them
            if superfluous is not None and not self._copies.is_anothers(digest, Copy(target, superfluous)):
                self._copies.discard(target, superfluous)
        if superfluous != locator:
            self._look_once_more(digest, Copy(target, locator))

    def _look_once_more(self, digest: str, copy: Copy) -> None:
        """Before there was a row, the garbage collector may have taken the bytes for a stray's."""
        with suppress(StorageUnavailable, StorageRefused):
            try:
                copy.store.stat(copy.locator)
            except BlobNotFound:
                self._copies.note(digest, copy, LocationState.MISSING)

    def _take_away(self, digest: str, copy: Copy) -> None:
        """Unlink a copy from a public store. That is no recall: who has read it keeps it."""
        self._copies.delete(digest, copy)
        with self._database.write() as session:
            blob = session.scalar(select(Blob).where(Blob.digest == digest).with_for_update())
            unwanted = session.scalar(select(unwanted_in(copy.store)).where(Blob.digest == digest))
            here = and_(
                BlobLocation.digest == digest,
                BlobLocation.store == copy.store.name,
                BlobLocation.locator == copy.locator,
            )
            if blob is not None and not unwanted:  # released again in the same moment
                session.execute(update(BlobLocation).where(here).values(state=LocationState.MISSING.value))
                self._jobs.enqueue(session, JobKind.REPLICATE, digest, again=True)
            else:
                session.execute(delete(BlobLocation).where(here))


def _place_in(store: BlobStore) -> Exists:
    """Whether the blob of the query has a row for ``store``."""
    return (
        exists().where(BlobLocation.digest == Blob.digest, BlobLocation.store == store.name).correlate(Blob)
    )


def _is_remote() -> Exists:
    """Whether the blob of the query is to be fetched from elsewhere first (``services.fetching``)."""
    remote = BlobLocation.state == LocationState.REMOTE.value
    return exists().where(BlobLocation.digest == Blob.digest, remote).correlate(Blob)


def _named(stores: Sequence[BlobStore], flags: Sequence[object]) -> frozenset[str]:
    return frozenset(store.name for store, flag in zip(stores, flags, strict=True) if flag)


def _is_present(blob: _Blob, store: BlobStore) -> bool:
    place = blob.places.get(store.name)
    return place is not None and place.state is LocationState.PRESENT


def _read(reader: BlobReader) -> bytes:
    try:
        return reader.read(BLOCK_SIZE)
    except StorageError as error:
        raise _SourceFailed(error) from error


def _shares(report: Report, *, total: int) -> Progress:
    """Bytes as shares of a whole."""
    done = 0

    def progress(count: int) -> None:
        nonlocal done
        done += count
        report(done / total)

    return progress


def _reason(error: Exception) -> str:
    match error:
        case StorageFull():
            return "the store has no room left"
        case StorageRefused():
            return "the store refuses: an operator must look"
        case SourceSilent() | StoredDamaged():
            return str(error)
        case _:
            return _SILENT
