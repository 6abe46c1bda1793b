"""The stores by name, and reading a blob from whichever has it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from repo_service.domain.resources import LocationState
from repo_service.inspection.sources import RangeSource
from repo_service.models import BlobLocation
from storage import BlobNotFound, BlobReader, BlobStore, Locator


class Stores:
    """Every configured store; the first is the primary, which new blobs go to."""

    def __init__(self, *stores: BlobStore) -> None:
        self._stores = {store.name: store for store in stores}
        self.primary = stores[0]

    def __getitem__(self, name: str) -> BlobStore:
        """The store of that name. Raises BlobNotFound when none is configured under it."""
        try:
            return self._stores[name]
        except KeyError as error:
            raise BlobNotFound(f"no store is called {name}") from error

    def locate(self, session: Session, digest: str) -> tuple[BlobStore, Locator]:
        """A store that has the blob, the primary first, and where. Raises BlobNotFound."""
        rows = session.execute(
            select(BlobLocation.store, BlobLocation.locator).where(
                BlobLocation.digest == digest, BlobLocation.state == LocationState.PRESENT.value
            )
        ).all()
        for row in sorted(rows, key=lambda row: row.store != self.primary.name):
            if row.store in self._stores:
                return self._stores[row.store], Locator(row.locator)
        raise BlobNotFound(f"no configured store has {digest}")


def blob_source(store: BlobStore, locator: Locator, size: int) -> RangeSource:
    """The blob as parsers read it."""

    def open_range(offset: int, length: int) -> BlobReader:
        return store.open(locator, offset=offset, length=length)

    return RangeSource(open_range, size)
