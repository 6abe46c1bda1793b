"""Blobs in this process's memory: for tests and tiny demonstrations. Gone when the process ends."""

from __future__ import annotations

import io
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from storage.base import BlobStat, Capability, Locator, Sidecar, StoredBlob
from storage.driver import StoreUrl
from storage.errors import BlobNotFound, InvalidLocator, InvalidRange, StagedClosed, StorageError, StorageFull

_LOCATOR = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class _Blob:
    data: bytes
    sidecar: Sidecar
    modified: datetime


class MemoryDriver:
    """``memory:`` or ``memory:?limit=BYTES``; staged and published bytes count together.

    ``public=true`` makes it stand in for a store that anybody can read.
    """

    name = "memory"

    def __init__(self, *, limit: int | None = None, public: bool = False) -> None:
        self.capabilities = frozenset(
            {Capability.APPENDABLE_STAGING, Capability.PUBLIC} if public else {Capability.APPENDABLE_STAGING}
        )
        self._limit = limit
        self._lock = threading.Lock()
        self._blobs: dict[Locator, _Blob] = {}
        self._staged: set[_MemoryStaged] = set()
        self._kept: dict[str, _Kept] = {}

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
            left = {key for key, kept in self._kept.items() if kept.touched <= limit}
            for key in left:
                del self._kept[key]
        return len(stale) + len(left)

    def free_bytes(self) -> int | None:
        with self._lock:
            return self._room()

    def check(self) -> None:
        """Memory is always there."""

    def begin_staged(self) -> str:
        key = secrets.token_hex(16)
        with self._lock:
            self._kept[key] = _Kept()
        return key

    def staged_size(self, key: str) -> int:
        with self._lock:
            return self._find_kept(key).counting

    def append_staged(self, key: str, *, provisional: bool) -> _MemoryAppending:
        with self._lock:
            kept = self._find_kept(key)
            del kept.data[kept.counting :]
            kept.provisional_from = len(kept.data) if provisional else None
            kept.holder = _MemoryAppending(self, key, len(kept.data))
            kept.touched = datetime.now(UTC)
            return kept.holder

    def open_staged(self, key: str, *, offset: int) -> io.BytesIO:
        with self._lock:
            kept = self._find_kept(key)
            data = bytes(kept.data[: kept.counting])
        if offset > len(data):
            raise InvalidRange(f"offset {offset} is beyond the end ({len(data)} bytes)")
        return io.BytesIO(data[offset:])

    def discard_staged(self, key: str) -> None:
        _check_key(key)
        with self._lock:
            self._kept.pop(key, None)

    # What a staged blob asks of its store.

    def grow(self, staged: _MemoryStaged, data: memoryview) -> None:
        with self._lock:
            self._expect(staged)
            self._require_room(len(data))
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

    @contextmanager
    def held(self, appending: _MemoryAppending) -> Iterator[_Kept]:
        """What ``appending`` goes on with, as long as nobody else does."""
        with self._lock:
            kept = self._kept.get(appending.key)
            if kept is None or kept.holder is not appending:
                raise StagedClosed("somebody else goes on with these staged bytes, or they are gone")
            yield kept

    def extend(self, appending: _MemoryAppending, data: memoryview) -> None:
        with self.held(appending) as kept:
            self._require_room(len(data))
            kept.data += data
            kept.touched = datetime.now(UTC)

    def publish_kept(self, appending: _MemoryAppending, sidecar: Sidecar) -> Locator:
        locator = Locator(sidecar.digest)
        with self.held(appending) as kept:
            del self._kept[appending.key]
            self._blobs[locator] = _Blob(bytes(kept.data), sidecar, datetime.now(UTC))
        return locator

    def forget_kept(self, appending: _MemoryAppending) -> None:
        with self.held(appending):
            del self._kept[appending.key]

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

    def _find_kept(self, key: str) -> _Kept:
        _check_key(key)
        kept = self._kept.get(key)
        if kept is None:
            raise BlobNotFound("these staged bytes were published, discarded or swept")
        return kept

    def _require_room(self, size: int) -> None:
        room = self._room()
        if room is not None and size > room:
            raise StorageFull(f"the limit of {self._limit} bytes is reached")

    def _room(self) -> int | None:
        if self._limit is None:
            return None
        used = sum(len(blob.data) for blob in self._blobs.values()) + sum(len(s.data) for s in self._staged)
        used += sum(len(kept.data) for kept in self._kept.values())
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


@dataclass(slots=True)
class _Kept:
    """Staged bytes with a key. ``provisional_from``: only so many of them count yet."""

    data: bytearray = field(default_factory=bytearray)
    provisional_from: int | None = None
    holder: _MemoryAppending | None = None
    touched: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def counting(self) -> int:
        return len(self.data) if self.provisional_from is None else self.provisional_from


class _MemoryAppending:
    def __init__(self, driver: MemoryDriver, key: str, size: int) -> None:
        self._driver = driver
        self.key = key
        self.size = size

    def write(self, data: memoryview) -> None:
        self._driver.extend(self, data)

    def suspend(self) -> None:
        with self._driver.held(self) as kept:
            kept.provisional_from = kept.holder = None
            kept.touched = datetime.now(UTC)

    def revert(self) -> None:
        with self._driver.held(self) as kept:
            del kept.data[self.size :]
            kept.provisional_from = kept.holder = None

    def publish(self, sidecar: Sidecar) -> Locator:
        return self._driver.publish_kept(self, sidecar)

    def abort(self) -> None:
        self._driver.forget_kept(self)

    def close(self) -> None:
        """Nothing is held but the bytes."""


def _check_key(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise InvalidLocator("not a key of the memory store")


def _check_locator(locator: Locator) -> None:
    if not _LOCATOR.fullmatch(locator):
        raise InvalidLocator("not a locator of the memory store")


def from_url(url: StoreUrl) -> MemoryDriver:
    url.accept_options("limit", "public")
    limit = url.options.get("limit")
    public = url.options.get("public", "false")
    if public not in {"true", "false"}:
        raise ValueError("public is true or false")
    return MemoryDriver(limit=None if limit is None else int(limit), public=public == "true")
