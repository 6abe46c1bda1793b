"""Keeping files that the service makes itself as blobs, in the steps of an upload: the digest is claimed, the
bytes are staged and published under it, a row says where."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from sqlalchemy import select
from sqlalchemy.orm import Session

from repo_service.domain.errors import Busy
from repo_service.domain.resources import LocationState
from repo_service.models import Blob, BlobLocation
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.models.insert import insert_if_absent
from repo_service.services.copies import BLOCK_SIZE, keep_checks, read_back
from storage import BlobStore, Copy, Digest, Locator, Sidecar
from storage.checks import Checks

_DELETION_WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A file that is to be kept. ``size`` in bytes."""

    digest: str
    size: int
    media_type: str


class Keeper:
    """Puts files into the primary store.

    Until something holds the blob, the grace period is what protects it from the garbage collector.
    """

    def __init__(self, database: Database, store: BlobStore) -> None:
        self._database = database
        self._store = store

    def keep(self, file: BinaryIO, made: Made) -> None:
        """Keep all of ``file``, which is ``made``. Does little where the store has it already.

        Raises Busy while the same bytes are being deleted, SizeMismatch, and the store's errors.
        """
        locator = claim(self._database, self._store, made)
        if locator is not None:
            state, _ = read_back(made.digest, Copy(self._store, locator))
            if state is LocationState.PRESENT:
                return
        file.seek(0)
        checks = Checks()
        with self._store.stage(expected_size=made.size) as staged:
            while block := file.read(BLOCK_SIZE):
                checks.update(block)
                staged.write(block)
            locator = staged.publish(
                Sidecar(digest=Digest(made.digest), size=made.size, media_type=made.media_type)
            )
        self.name(made.digest, self._store, locator, checks=checks.value())

    def name(self, digest: str, store: BlobStore, locator: Locator, *, checks: bytes | None = None) -> None:
        """Write down that ``store`` has the blob there, whose SHA-256 was just seen to be right."""
        moment = now()
        present = {"locator": locator, "state": LocationState.PRESENT.value, "verified_at": moment}
        with self._database.write() as session:
            # Against the garbage collector, which marks a blob before it looks where its copies are.
            blob = session.scalar(select(Blob).where(Blob.digest == digest).with_for_update())
            if blob is None or blob.deleting_at is not None:
                raise Busy("These bytes are just being deleted: try again in a minute.")
            if checks is not None:
                keep_checks(session, digest, checks)
            insert_if_absent(
                session, BlobLocation, digest=digest, store=store.name, created_at=moment, **present
            )
            row = session.scalars(
                select(BlobLocation).where(BlobLocation.digest == digest, BlobLocation.store == store.name)
            ).one()
            for name, value in present.items():
                setattr(row, name, value)

    def claim(self, made: Made) -> None:
        """See that there is a row of the blob, and that nobody deletes it soon. Raises Busy."""
        claim(self._database, self._store, made)


def claim(
    database: Database,
    store: BlobStore,
    made: Made,
    *,
    first: Callable[[Session], object] = lambda session: None,
    also: Callable[[Session, Blob], object] = lambda session, blob: None,
) -> Locator | None:
    """See that there is a row of the blob, and that nobody deletes it soon.

    Returns where ``store`` should have the bytes already; None where it has them not.

    ``first`` and ``also`` are done before and after that, in the same transaction. Raises Busy while the
    same bytes are being deleted, and what these two raise.
    """
    deadline = time.monotonic() + _DELETION_WAIT_SECONDS
    while True:
        moment = now()
        with database.write() as session:
            first(session)
            insert_if_absent(
                session,
                Blob,
                digest=made.digest,
                size=made.size,
                media_type=made.media_type,
                claimed_at=moment,
                created_at=moment,
            )
            blob = session.scalar(select(Blob).where(Blob.digest == made.digest).with_for_update())
            # None: it was there when it was to be inserted, and was deleted in the same moment.
            if blob is not None and blob.deleting_at is None:
                blob.claimed_at = moment
                also(session, blob)
                found = session.scalar(
                    select(BlobLocation.locator).where(
                        BlobLocation.digest == made.digest,
                        BlobLocation.store == store.name,
                        BlobLocation.state == LocationState.PRESENT.value,
                    )
                )
                return None if found is None else Locator(found)
        if time.monotonic() > deadline:
            raise Busy("These bytes are just being deleted: try again in a minute.")
        time.sleep(0.05)
