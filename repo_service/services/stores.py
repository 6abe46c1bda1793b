"""The stores by name: the primary, which new blobs go to, and the replicas."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from repo_service.domain.resources import LocationState
from repo_service.inspection.sources import RangeSource
from repo_service.services.records import CopyRecord
from storage import (
    BlobCopies,
    BlobNotFound,
    BlobReader,
    BlobStore,
    Capability,
    Locator,
    StorageError,
    content_addressed,
)

_PAUSE_SECONDS = 30.0
"""How long a store that did not answer is asked last: its time-outs are paid once, not by every request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCopy:
    """What anybody who may read a blob may know of one of its copies.

    ``cid`` is its name in a content-addressed store; what other stores call it is nobody's business.
    """

    store: str
    state: LocationState
    verified_at: datetime | None
    cid: str | None


class Stores:
    """Every configured store, the primary first, and a short memory of those that did not answer."""

    def __init__(self, primary: BlobStore, *replicas: BlobStore, all_public: bool = False) -> None:
        """``all_public``: there is nothing private here, as on a mirror.

        Raises ValueError when two stores have the same name, or anybody can read a primary that keeps drafts.
        """
        self.primary = primary
        self.replicas = replicas
        self._by_name = {store.name: store for store in self}
        self._silent: dict[str, float] = {}
        self._lock = threading.Lock()
        names = [store.name for store in self]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f"Two stores are called {name}: give each a name of its own, by ?name=… in its URL."
                )
        if Capability.PUBLIC in primary.capabilities and not all_public:
            raise ValueError(
                f"The store {primary.name} is public, and the primary keeps drafts, too: put its URL into "
                "REPO_REPLICA_URLS, which gets released versions only, or declare it private (?private=true)."
            )

    def __iter__(self) -> Iterator[BlobStore]:
        return iter((self.primary, *self.replicas))

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> BlobStore:
        """The store of that name. Raises BlobNotFound when none is configured under it."""
        try:
            return self._by_name[name]
        except KeyError as error:
            raise BlobNotFound(f"no store is called {name}") from error

    def is_primary(self, store: BlobStore) -> bool:
        """Whether it is the store that new blobs go to."""
        return store is self.primary

    def order(self, name: str) -> int:
        """Where the store of that name stands among all; those that are not configured come last."""
        return list(self._by_name).index(name) if name in self._by_name else len(self._by_name)

    def shown(self, copies: Sequence[CopyRecord]) -> tuple[ShownCopy, ...]:
        """What there is to say of the copies that are in configured stores, in the order of the stores."""
        return tuple(
            ShownCopy(
                store=copy.store,
                state=copy.state,
                verified_at=copy.verified_at,
                cid=_cid_of(self._by_name[copy.store], Locator(copy.locator)),
            )
            for copy in self._known(copies)
        )

    def public_cid(self, copies: Sequence[CopyRecord]) -> str | None:
        """The name by which anybody can get the bytes from IPFS now; None where no public node has them."""
        for copy, shown in zip(self._known(copies), self.shown(copies), strict=True):
            public = Capability.PUBLIC in self._by_name[copy.store].capabilities
            if public and shown.cid is not None and copy.state is LocationState.PRESENT:
                return shown.cid
        return None

    def _known(self, copies: Sequence[CopyRecord]) -> list[CopyRecord]:
        known = [copy for copy in copies if copy.store in self]
        return sorted(known, key=lambda copy: self.order(copy.store))

    # The short memory, one a process

    def note_silent(self, name: str) -> None:
        """The store did not answer just now."""
        with self._lock:
            self._silent[name] = time.monotonic() + _PAUSE_SECONDS

    def note_answered(self, name: str) -> None:
        """It answers again."""
        if name in self._silent:
            with self._lock:
                self._silent.pop(name, None)

    def is_silent(self, name: str) -> bool:
        """Whether it did not answer lately.

        After the pause one caller is told that it may try, and the others have to wait for what comes of it.
        """
        if name not in self._silent:
            return False
        with self._lock:
            until = self._silent.get(name)
            if until is None:
                return False
            if time.monotonic() < until:
                return True
            self._silent[name] = time.monotonic() + _PAUSE_SECONDS
            return False


def _cid_of(store: BlobStore, locator: Locator) -> str | None:
    network = content_addressed(store)
    if network is None:
        return None
    try:
        return network.cid_of(locator)
    except StorageError:  # the name was another store's once
        return None


def source_of(copies: BlobCopies, *, checked: bool = False) -> RangeSource:
    """The blob as parsers read it: just the bytes they ask for, which are not checked.

    ``checked``: by whole chunks, each held against its checksum, from another copy where it is wrong.
    """

    def open_range(offset: int, length: int) -> BlobReader:
        return copies.open(offset=offset, length=length, checked=checked)

    return RangeSource(open_range, copies.size)
