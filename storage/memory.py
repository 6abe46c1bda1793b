"""Blobs in this process's memory: for tests and tiny demonstrations. Gone when the process ends."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from storage.base import BlobStat, Capability, Locator, Sidecar, StoredBlob
from storage.driver import StoreUrl
from storage.errors import BlobNotFound, InvalidLocator, InvalidRange, StagedClosed, StorageError, StorageFull

_LOCATOR = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class _Blob:
    data: bytes
    sidecar: Sidecar
    modified: datetime


class MemoryDriver:
    """``memory:`` or ``memory:?limit=BYTES``; staged and published bytes count together."""

    name = "memory"
    capabilities: frozenset[Capability] = frozenset()

    def __init__(self, *, limit: int | None = None) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._blobs: dict[Locator, _Blob] = {}
        self._staged: set[_MemoryStaged] = set()

    def translate(self, error: Exception) -> StorageError | None:
        return StorageFull("no memory left") if isinstance(error, MemoryError) else None

    def stage(self, expected_size: int | None) -> _MemoryStaged:
        staged = _MemoryStaged(self)
        with self._lock:
            self._staged.add(staged)
        return staged

    def open(self, locator: Locator, offset: int, length: int | None) -> io.BytesIO:
        data = self._find(locator).data
        if offset > len(data):
            raise InvalidRange(f"offset {offset} is beyond the end ({len(data)} bytes)")
        end = len(data) if length is None else offset + length
        return io.BytesIO(data[offset:end])

    def stat(self, locator: Locator) -> BlobStat:
        blob = self._find(locator)
        return BlobStat(locator=locator, size=len(blob.data), modified=blob.modified)

    def sidecar(self, locator: Locator) -> Sidecar | None:
        return self._find(locator).sidecar

    def delete(self, locator: Locator) -> None:
        _check_locator(locator)
        with self._lock:
            self._blobs.pop(locator, None)

    def iter(self) -> Iterator[StoredBlob]:
        with self._lock:
            blobs = list(self._blobs.items())
        for locator, blob in blobs:
            yield StoredBlob(locator=locator, size=len(blob.data), sidecar=blob.sidecar)

    def sweep_staged(self, older_than: timedelta) -> int:
        limit = datetime.now(UTC) - older_than
        with self._lock:
            stale = {staged for staged in self._staged if staged.touched <= limit}
            self._staged -= stale
        return len(stale)

    def free_bytes(self) -> int | None:
        with self._lock:
            return self._room()

    def check(self) -> None:
        """Memory is always there."""

    # What a staged blob asks of its store.

    def grow(self, staged: _MemoryStaged, data: memoryview) -> None:
        with self._lock:
            self._expect(staged)
            room = self._room()
            if room is not None and len(data) > room:
                raise StorageFull(f"the limit of {self._limit} bytes is reached")
            staged.data += data
            staged.touched = datetime.now(UTC)

    def publish(self, staged: _MemoryStaged, sidecar: Sidecar) -> Locator:
        locator = Locator(sidecar.digest)
        with self._lock:
            self._expect(staged)
            self._staged.discard(staged)
            self._blobs[locator] = _Blob(bytes(staged.data), sidecar, datetime.now(UTC))
        return locator

    def forget(self, staged: _MemoryStaged) -> None:
        with self._lock:
            self._staged.discard(staged)

    def _expect(self, staged: _MemoryStaged) -> None:
        if staged not in self._staged:
            raise StagedClosed("the staged bytes were swept away")

    def _find(self, locator: Locator) -> _Blob:
        _check_locator(locator)
        with self._lock:
            blob = self._blobs.get(locator)
        if blob is None:
            raise BlobNotFound(locator)
        return blob

    def _room(self) -> int | None:
        if self._limit is None:
            return None
        used = sum(len(blob.data) for blob in self._blobs.values()) + sum(len(s.data) for s in self._staged)
        return max(0, self._limit - used)


class _MemoryStaged:
    def __init__(self, driver: MemoryDriver) -> None:
        self._driver = driver
        self.data = bytearray()
        self.touched = datetime.now(UTC)

    def write(self, data: memoryview) -> None:
        self._driver.grow(self, data)

    def publish(self, sidecar: Sidecar) -> Locator:
        return self._driver.publish(self, sidecar)

    def abort(self) -> None:
        self._driver.forget(self)


def _check_locator(locator: Locator) -> None:
    if not _LOCATOR.fullmatch(locator):
        raise InvalidLocator("not a locator of the memory store")


def from_url(url: StoreUrl) -> MemoryDriver:
    url.accept_options("limit")
    limit = url.options.get("limit")
    return MemoryDriver(limit=None if limit is None else int(limit))
