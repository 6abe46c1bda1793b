"""The copies of blobs: which one to read, and what follows when one is not as it should be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import ColumnElement, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from repo_service.domain.errors import Conflict, NotFound
from repo_service.domain.identity import Identity
from repo_service.domain.resources import JobKind, LocationState, Noun
from repo_service.models import Blob, BlobLocation
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.jobs import Jobs
from repo_service.services.stores import Stores
from repo_service.services.trail import audit
from repo_service.services.wanted import only_rendition
from storage import (
    BlobCopies,
    BlobNotFound,
    BlobStore,
    Copy,
    Fault,
    InvalidLocator,
    Locator,
    StorageError,
    StorageRefused,
    StorageUnavailable,
    Watcher,
)
from storage.checks import Checks
from storage.fallback import fault_of

BLOCK_SIZE = 1024 * 1024
"""Bytes of a blob that are held in memory where it is read from its start to its end."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """How many copies a store has in one state, and their bytes in all."""

    store: str
    state: LocationState
    copies: int
    bytes: int


class Copies:
    """Finds the copies of blobs, and keeps what is known of each in step with what is seen of it."""

    def __init__(self, database: Database, stores: Stores, jobs: Jobs) -> None:
        self._database = database
        self._stores = stores
        self._jobs = jobs

    def of(self, session: Session, digest: str) -> BlobCopies:
        """The present copies in configured stores, the primary's first, to be read after the transaction.

        What is found wrong with one is noted, and repaired by a job. Raises BlobNotFound when there is none.
        """
        blob = session.execute(select(Blob.size, Blob.checks).where(Blob.digest == digest)).one_or_none()
        copies = self.present(session, digest)
        if blob is None or not copies:
            raise BlobNotFound(f"no configured store has {digest}")
        return BlobCopies(copies, size=blob.size, checks=blob.checks, watcher=self.watcher(digest))

    def present(self, session: Session, digest: str) -> list[Copy]:
        """The copies that should be there, in the order of the stores."""
        rows = session.execute(
            select(BlobLocation.store, BlobLocation.locator).where(
                BlobLocation.digest == digest, BlobLocation.state == LocationState.PRESENT.value
            )
        ).all()
        rows = sorted(rows, key=lambda row: self._stores.order(row.store))
        return [
            Copy(self._stores[row.store], Locator(row.locator)) for row in rows if row.store in self._stores
        ]

    def watcher(self, digest: str) -> Watcher:
        """Notes what readers of this blob see."""
        return _Watcher(self, self._stores, digest)

    def verify(
        self, digest: str, copy: Copy, *, progress: Callable[[int], object] = lambda count: None
    ) -> LocationState:
        """Read a copy to its end, compare it with its SHA-256, and note what it is.

        ``progress`` is told how many bytes each step read. Raises the store's errors, which say nothing of
        the bytes.
        """
        state, checks = self._read_back(digest, copy, progress)
        with self._database.write() as session:
            if checks is not None:
                keep_checks(session, digest, checks)
            self._note(session, digest, copy, state)
        return state

    def note(self, digest: str, copy: Copy, state: LocationState) -> None:
        """Write down what a copy was found to be; a job sees to one that is not right."""
        with self._database.write() as session:
            self._note(session, digest, copy, state)

    def is_anothers(self, digest: str, copy: Copy) -> bool:
        """Whether another blob is said to be there."""
        return self._has_row(
            copy, BlobLocation.digest != digest, BlobLocation.state == LocationState.PRESENT.value
        )

    def delete(self, digest: str, copy: Copy) -> None:
        """Delete the bytes of a copy, but none of another blob. The row is the caller's.

        What a row calls remote never came, and a catalogue may have lied about what its CID stands for. What
        is no locator of the store names no bytes there. Raises the store's other errors.
        """
        if self.is_anothers(digest, copy) or self._has_row(
            copy, BlobLocation.digest == digest, BlobLocation.state == LocationState.REMOTE.value
        ):
            return
        try:
            copy.store.delete(copy.locator)
        except InvalidLocator:
            log.warning("no locator of its store", digest=digest, store=copy.store.name, locator=copy.locator)

    def discard(self, store: BlobStore, locator: Locator) -> None:
        """Delete bytes that no row names. Should one have come to name them meanwhile, it says that they are
        missing then, and they are brought again. Raises the store's errors."""
        store.delete(locator)
        with self._database.write() as session:
            here = BlobLocation.store == store.name, BlobLocation.locator == locator
            for digest in session.scalars(select(BlobLocation.digest).where(*here)).all():
                self._note(session, digest, Copy(store, locator), LocationState.MISSING)

    def state(self, digest: str, store: str) -> LocationState | None:
        """What is known of a copy; None when there is none."""
        with self._database.read() as session:
            state = session.scalar(
                select(BlobLocation.state).where(BlobLocation.digest == digest, BlobLocation.store == store)
            )
            return None if state is None else LocationState(state)

    def holdings(self) -> Sequence[Holding]:
        """What each store has, those included that are not configured any more."""
        query = (
            select(BlobLocation.store, BlobLocation.state, func.count(), func.sum(Blob.size))
            .join(Blob, Blob.digest == BlobLocation.digest)
            .group_by(BlobLocation.store, BlobLocation.state)
            .order_by(BlobLocation.store, BlobLocation.state)
        )
        with self._database.read() as session:
            return [
                Holding(store=store, state=LocationState(state), copies=copies, bytes=int(size))
                for store, state, copies, size in session.execute(query)
            ]

    def forget(self, identity: Identity, store: str, *, lost: bool = False) -> int:
        """Take a store that is not configured out of the map; its bytes stay. Returns how many copies it had.

        Raises Conflict when it is configured, and unless ``lost`` when no configured store has some of its
        blobs; NotFound when the map has nothing of it.
        """
        if store in self._stores:
            raise Conflict(f"{store} is in use: take it out of the settings first, and restart.")
        elsewhere = aliased(BlobLocation)
        present = exists().where(
            elsewhere.digest == BlobLocation.digest,
            elsewhere.store.in_([place.name for place in self._stores]),
            elsewhere.state == LocationState.PRESENT.value,
        )
        here = BlobLocation.store == store
        with self._database.write() as session:
            copies = session.scalar(select(func.count()).select_from(BlobLocation).where(here)) or 0
            if not copies:
                raise NotFound(f"There is no copy in a store called {store}.")
            query = select(func.count()).select_from(BlobLocation).join(Blob).where(here, ~present)
            alone = session.scalar(query.where(~only_rendition())) or 0
            if alone and not lost:
                raise Conflict(
                    f"Of {alone} of its {copies} blobs no configured store has a present copy: --lost "
                    "forgets it all the same."
                )
            session.execute(delete(BlobLocation).where(here))
            audit(session, identity, "forget store", Noun.BLOB, store, copies=copies, lost=alone)
        return copies

    def _has_row(self, copy: Copy, *such: ColumnElement[bool]) -> bool:
        """Whether a row names that place, and is ``such`` a one."""
        here = BlobLocation.store == copy.store.name, BlobLocation.locator == copy.locator
        with self._database.read() as session:
            return session.scalar(select(BlobLocation.id).where(*here, *such).limit(1)) is not None

    def _read_back(
        self, digest: str, copy: Copy, progress: Callable[[int], object]
    ) -> tuple[LocationState, bytes | None]:
        """What the copy is, and the checksums of its chunks when it is right."""
        state, checks = read_back(digest, copy, progress)
        if state is not LocationState.MISSING:
            self._stores.note_answered(copy.store.name)
        return state, checks

    def _note(self, session: Session, digest: str, copy: Copy, state: LocationState) -> None:
        """As ``note``. Nothing is written when the row names another place by now."""
        place = session.scalar(
            select(BlobLocation)
            .where(
                BlobLocation.digest == digest,
                BlobLocation.store == copy.store.name,
                BlobLocation.locator == copy.locator,
            )
            .with_for_update()
        )
        if place is None:
            return
        before = place.state
        place.state, place.verified_at = state.value, now()
        if state is not LocationState.PRESENT and before != state.value:
            self._jobs.enqueue(session, JobKind.REPLICATE, digest, again=True)


class _Watcher:
    """What the readers of one blob see of its copies: see ``storage.Watcher``.

    Each fault of a copy is logged once, also when several attempts, or many chunks, meet it.
    """

    def __init__(self, copies: Copies, stores: Stores, digest: str) -> None:
        self._copies = copies
        self._stores = stores
        self._digest = digest
        self._logged: set[tuple[Copy, Fault]] = set()

    def avoid(self, copy: Copy) -> bool:
        return self._stores.is_silent(copy.store.name)

    def answered(self, copy: Copy) -> None:
        self._stores.note_answered(copy.store.name)

    def failed(self, copy: Copy, fault: Fault, error: StorageError) -> None:
        if (copy, fault) not in self._logged:
            self._logged.add((copy, fault))
            log.warning(
                "a copy failed",
                digest=self._digest,
                store=copy.store.name,
                fault=fault.value,
                error=str(error),
            )
        if fault is Fault.UNAVAILABLE:
            if isinstance(error, StorageUnavailable | StorageRefused):
                self._stores.note_silent(copy.store.name)
            return
        try:
            self._copies.note(self._digest, copy, LocationState(fault.value))
        except Exception:  # whoever reads gets the bytes from elsewhere; somebody else will see it again
            log.exception("a fault could not be noted", digest=self._digest)


def read_back(
    digest: str, copy: Copy, progress: Callable[[int], object] = lambda count: None
) -> tuple[LocationState, bytes | None]:
    """Read a copy to its end: what it is, and the checksums of its chunks when it is right.

    ``progress`` is told how many bytes each step read. Raises the store's errors, which say nothing of the
    bytes.
    """
    found, checks = hashlib.sha256(), Checks()
    try:
        with copy.store.open(copy.locator) as reader:
            while block := reader.read(BLOCK_SIZE):
                found.update(block)
                checks.update(block)
                progress(len(block))
    except BlobNotFound as error:
        return LocationState(fault_of(error).value), None
    if found.hexdigest() != digest:
        return LocationState.CORRUPT, None
    return LocationState.PRESENT, checks.value()


def keep_checks(session: Session, digest: str, checks: bytes) -> None:
    """Keep the checksums of a blob whose SHA-256 was just found to be right."""
    other = or_(Blob.checks.is_(None), Blob.checks != checks)
    session.execute(update(Blob).where(Blob.digest == digest, other).values(checks=checks))
