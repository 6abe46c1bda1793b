"""The map of digests made anew from the stores alone: each blob has a sidecar that says what it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from repo_service.domain.resources import LocationState
from repo_service.models import Blob, BlobLocation
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.models.insert import insert_if_absent
from repo_service.services.wanted import held
from storage import BlobStore, Locator, StoredBlob

_BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What became of one stored blob: ``new`` in the map, or why it is not there as it should be."""

    locator: Locator
    new: bool
    oddity: str | None


class Rebuilder:
    """Reads sidecars and writes rows. What is in the map already stays; doing it twice changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rebuild(self, store: BlobStore) -> Iterator[Seen]:
        """Go through all of a store. Bytes are not read, sizes are compared. Raises the store's errors."""
        found = store.iter()
        while batch := list(islice(found, _BATCH)):
            with self._database.write() as session:
                seen = [_note(session, store.name, stored) for stored in batch]
            yield from seen

    def unheld(self) -> int:
        """How many blobs no version and no snapshot holds: the garbage collector takes them in the end."""
        with self._database.read() as session:
            return session.scalar(select(func.count()).select_from(Blob).where(~held())) or 0


def _note(session: Session, store: str, stored: StoredBlob) -> Seen:
    sidecar, moment = stored.sidecar, now()
    if sidecar is None:
        return Seen(locator=stored.locator, new=False, oddity="has no sidecar")
    insert_if_absent(
        session,
        Blob,
        digest=sidecar.digest,
        size=sidecar.size,
        media_type=sidecar.media_type,
        claimed_at=moment,
        created_at=moment,
    )
    blob = session.scalar(select(Blob).where(Blob.digest == sidecar.digest).with_for_update())
    if blob is None or blob.deleting_at is not None:
        return Seen(locator=stored.locator, new=False, oddity="is just being deleted")
    whole = stored.size == blob.size
    state = LocationState.PRESENT if whole else LocationState.CORRUPT
    oddity = None if whole else f"has {stored.size} bytes where {blob.size} belong"
    place = session.scalar(
        select(BlobLocation).where(BlobLocation.digest == blob.digest, BlobLocation.store == store)
    )
    if place is None:
        session.add(
            BlobLocation(
                digest=blob.digest, store=store, locator=stored.locator, state=state.value, verified_at=None
            )
        )
        session.flush()
        return Seen(locator=stored.locator, new=True, oddity=oddity)
    return _compare(place, stored.locator, state, oddity)


def _compare(place: BlobLocation, locator: Locator, state: LocationState, oddity: str | None) -> Seen:
    """What the map says already, held against what stands in the store."""
    was = LocationState(place.state)
    if place.locator != locator:
        if was is LocationState.PRESENT or state is not LocationState.PRESENT:
            return Seen(
                locator=locator, new=False, oddity=oddity or f"is a second copy beside {place.locator}"
            )
        place.locator = locator
    elif was is LocationState.CORRUPT or was is state:
        return Seen(locator=locator, new=False, oddity=oddity)
    place.state, place.verified_at = state.value, None
    return Seen(locator=locator, new=True, oddity=oddity)
