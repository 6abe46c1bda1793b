"""The seam that every store fills: staged writes, ranged reads, opaque locators.

A store keeps immutable blobs. Bytes are first *staged* (invisible), then *published* in one atomic step that
copies nothing. The locator that publishing returns is opaque to callers: a path, an object key, a CID. Which
digest stands where is the caller's knowledge; a small sidecar beside each blob lets it be rebuilt from the
store alone (see ``BlobStore.iter``).
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import NewType, Protocol, Self, runtime_checkable

Digest = NewType("Digest", str)
"""SHA-256 of a blob: 64 lower-case hexadecimal characters."""

Locator = NewType("Locator", str)
"""Where a blob stands in one store. Opaque: only the store that made it can read it."""

CHUNK_SIZE = 256 * 1024
"""Bytes moved at a time where nothing else decides."""


class Capability(enum.StrEnum):
    """What a store can do beyond the protocol. Callers ask for it and never probe with ``hasattr``."""

    PUBLIC = "public"
    """Whoever knows a locator can read the bytes without asking us."""
    PRESIGNED_DOWNLOAD = "presigned-download"
    PRESIGNED_MULTIPART = "presigned-multipart"
    APPENDABLE_STAGING = "appendable-staging"
    LOCAL_PATH = "local-path"


@dataclass(frozen=True, slots=True)
class BlobStat:
    """What the store knows of a published blob: ``size`` in bytes, when it was last published (UTC)."""

    locator: Locator
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The small record beside each blob. ``size`` in bytes."""

    digest: Digest
    size: int
    media_type: str


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A published blob as ``iter`` finds it; ``sidecar`` is None when it is missing or unreadable."""

    locator: Locator
    size: int
    sidecar: Sidecar | None


class Staged(Protocol):
    """Bytes on their way in, invisible until published. Leaving the ``with`` block unpublished aborts."""

    @property
    def size(self) -> int:
        """Bytes written so far."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append ``data``; the buffer may be reused by the caller afterwards.

        Raises StorageFull, StorageUnavailable, StagedClosed.
        """

    def publish(self, sidecar: Sidecar) -> Locator:
        """Make the blob visible, whole and durable, in one step that copies nothing.

        Publishing a digest that the store already holds is no error: it yields a locator that reads the same
        bytes. Raises SizeMismatch when ``sidecar.size`` is not what was written (the staged bytes are then
        aborted), StorageFull, StorageUnavailable, StagedClosed.
        """

    def abort(self) -> None:
        """Forget the staged bytes. Does nothing when already published or aborted."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class BlobReader(Protocol):
    """A forward reader over a blob or a part of it."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes; empty at the end; -1 reads to the end (for small things only)."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class BlobStore(Protocol):
    """Immutable blobs in one place. Safe to use from several threads and processes at once."""

    @property
    def name(self) -> str:
        """Short name of this store in the database and in metrics, such as ``file`` or ``s3``."""

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    def stage(self, *, expected_size: int | None = None) -> Staged:
        """Begin a new blob; ``expected_size`` (bytes) lets the store check its room and choose part sizes.

        Raises StorageFull when ``expected_size`` cannot fit, StorageUnavailable, StorageRefused.
        """

    def open(self, locator: Locator, *, offset: int = 0, length: int | None = None) -> BlobReader:
        """Read ``length`` bytes from ``offset`` (both in bytes; None reads to the end).

        Raises BlobNotFound, InvalidRange when ``offset`` is beyond the end, InvalidLocator,
        StorageUnavailable.
        """

    def stat(self, locator: Locator) -> BlobStat:
        """Raises BlobNotFound, InvalidLocator, StorageUnavailable."""

    def sidecar(self, locator: Locator) -> Sidecar | None:
        """The record beside the blob, None when missing or unreadable. Raises as ``stat``."""

    def delete(self, locator: Locator) -> None:
        """Remove the blob and its sidecar. No error when it is already gone."""

    def iter(self) -> Iterator[StoredBlob]:
        """Every published blob, in no particular order, in bounded memory."""

    def sweep_staged(self, *, older_than: timedelta) -> int:
        """Remove staged bytes that nobody has written to for that long; returns how many."""

    def free_bytes(self) -> int | None:
        """Room left in bytes, None when the store cannot say."""

    def check(self) -> None:
        """Prove that the store can be written and read (used by readiness). Raises StorageError."""


@runtime_checkable
class PresignedDownloads(Protocol):
    """Filled by stores that declare ``Capability.PRESIGNED_DOWNLOAD``."""

    def presign_download(
        self, locator: Locator, *, expires: timedelta, content_disposition: str, content_type: str
    ) -> str:
        """A public URL that serves the blob with these headers until it expires."""


@runtime_checkable
class LocalPaths(Protocol):
    """Filled by stores that declare ``Capability.LOCAL_PATH``."""

    def local_path(self, locator: Locator) -> str:
        """Path of the blob relative to the store's root, for X-Accel-Redirect."""


class _Declares(Protocol):
    @property
    def capabilities(self) -> frozenset[Capability]: ...


def presigned_downloads(store: _Declares) -> PresignedDownloads | None:
    """The store as one that presigns downloads, None when it does not declare it."""
    declared = Capability.PRESIGNED_DOWNLOAD in store.capabilities
    return store if declared and isinstance(store, PresignedDownloads) else None


def local_paths(store: _Declares) -> LocalPaths | None:
    """The store as one that knows local paths, None when it does not declare it."""
    declared = Capability.LOCAL_PATH in store.capabilities
    return store if declared and isinstance(store, LocalPaths) else None
