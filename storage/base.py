"""The seam that every store fills: staged writes, ranged reads, opaque locators.

A store keeps immutable blobs. Bytes are first *staged* (invisible), then *published* in one atomic step that
copies nothing. The locator that publishing returns is opaque to callers: a path, an object key, a CID. Which
digest stands where is the caller's knowledge; a small sidecar beside each blob lets it be rebuilt from the
store alone (see ``BlobStore.iter``).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
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
    CONTENT_ADDRESSED = "content-addressed"
    """A locator is a CID: the same bytes have it on any other node."""
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


@dataclass(frozen=True, slots=True)
class MultipartUpload:
    """A blob of ``size`` bytes that clients send straight to the store, ``part_size`` bytes a part.

    ``key`` is all that the store needs to find it again; it is opaque to callers.
    """

    key: str
    size: int
    part_size: int

    @property
    def count(self) -> int:
        """How many parts there are, numbered from 1."""
        return -(-self.size // self.part_size)

    def length(self, number: int) -> int:
        """Bytes of one part; the last may be shorter. Raises ValueError when there is no such part."""
        if not 1 <= number <= self.count:
            raise ValueError(f"the parts are numbered from 1 to {self.count}")
        return min(self.part_size, self.size - (number - 1) * self.part_size)

    def missing(self, there: Iterable[UploadedPart], etags: Mapping[int, str] | None = None) -> list[int]:
        """Numbers of the parts that are not ``there`` with their right length, and the tag in ``etags``."""
        numbers = range(1, self.count + 1)
        good = {
            part.number
            for part in there
            if part.number in numbers
            and part.size == self.length(part.number)
            and (etags is None or etags.get(part.number) == part.etag)
        }
        return [number for number in numbers if number not in good]


@dataclass(frozen=True, slots=True)
class UploadedPart:
    """A part that the store has: ``size`` in bytes; ``etag``, without quotes, is what the store answered."""

    number: int
    size: int
    etag: str


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


class Appending(Protocol):
    """Staged bytes that are gone on with, see ``AppendableStaging``. One thread uses it.

    Leaving the ``with`` block lets go, as ``close`` does. So does an error of ``write``, ``suspend``,
    ``revert`` or ``publish``: nothing is lost by it, and the bytes can be gone on with under the same key.

    All of them raise StagedClosed when that was done before, when somebody else goes on with the bytes
    meanwhile, and when the bytes were discarded, swept or published.
    """

    @property
    def size(self) -> int:
        """Bytes held: those from before, and those written since."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append ``data``, all or nothing of it. The buffer may be reused by the caller afterwards.

        Raises StorageFull, StorageUnavailable, StagedClosed.
        """

    def suspend(self) -> None:
        """Make all that is held durable, and let go. Raises StorageError."""

    def revert(self) -> None:
        """Forget what was written since it was opened, and let go. Raises StorageError."""

    def publish(self, sidecar: Sidecar) -> Locator:
        """As ``Staged.publish``. The staged bytes are a blob then, and no longer there under their key."""

    def abort(self) -> None:
        """Discard all that is held, also from before. Does nothing once it was let go of or published."""

    def close(self) -> None:
        """Let go. What was written stays, without the promise that it is durable; what was written
        provisionally does not stay."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class AppendableStaging(Protocol):
    """Filled by stores that declare ``Capability.APPENDABLE_STAGING``: staged bytes have a key, outlive the
    process that wrote them, and can be gone on with. The key is opaque: only the store that made it can read
    it. ``sweep_staged`` removes what nobody has gone on with for long.

    Where nothing else is said, raises BlobNotFound when they were published, discarded or swept, and
    InvalidLocator for a key that this store did not make.
    """

    def begin_staged(self) -> str:
        """Begin a blob without any bytes yet. Raises StorageFull, StorageUnavailable, StorageRefused."""

    def staged_size(self, key: str) -> int:
        """How many bytes are held. They are durable when this returns: whoever is told so can rely on it."""

    def append_staged(self, key: str, *, provisional: bool = False) -> Appending:
        """Go on at the end of what is held. Whoever did so before cannot write any more from now on.

        What is written while ``provisional`` counts only once it is suspended or published: when the process
        dies before that, it is as if it never came.
        """

    def open_staged(self, key: str, *, offset: int = 0) -> BlobReader:
        """Read what is held, from ``offset`` (bytes) to the end of this moment. Raises InvalidRange."""

    def discard_staged(self, key: str) -> None:
        """Forget the bytes; no error when they are gone or published."""


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


@runtime_checkable
class PresignedMultipart(Protocol):
    """Filled by stores that declare ``Capability.PRESIGNED_MULTIPART``: clients send parts to the store.

    The bytes are put together without having been seen by us. They are *unverified* then: invisible to
    ``iter``, until ``publish_multipart``. ``sweep_staged`` removes what was begun, or put together, and left.

    Every method but ``begin_multipart`` raises InvalidLocator for a key that this store did not make, and,
    where nothing else is said, BlobNotFound when the upload was discarded or swept.
    """

    def begin_multipart(self, size: int) -> MultipartUpload:
        """Begin a blob of ``size`` bytes, at least one; the store chooses the size of the parts."""

    def multipart(self, key: str) -> MultipartUpload:
        """The upload with this key, without asking whether it is still there."""

    def presign_part(self, key: str, number: int, *, expires: timedelta) -> str:
        """A public URL that takes one part by PUT until it expires: exactly as many bytes as it has.

        Of a part that is sent again the last counts. Raises ValueError when there is no such part. Does not
        ask whether the upload is still there.
        """

    def list_parts(self, key: str, *, first: int = 1, limit: int | None = None) -> list[UploadedPart]:
        """The parts that are there, of the ``limit`` ones from number ``first``; in order."""

    def complete_multipart(self, key: str, etags: Mapping[int, str] | None = None) -> None:
        """Put the parts together, unverified. Does nothing when that was done before.

        ``etags`` are those that the client was answered, by the number of the part. Raises PartsMissing
        unless every part is there with its right length, and with that tag when tags are given.
        """

    def open_multipart(self, key: str, *, offset: int = 0, length: int | None = None) -> BlobReader:
        """Read what was put together, as ``BlobStore.open``."""

    def publish_multipart(self, key: str, sidecar: Sidecar) -> Locator:
        """Make the blob visible in one step that copies nothing, as ``Staged.publish``.

        Does nothing more when it is published already. Raises SizeMismatch, InvalidSidecar.
        """

    def discard_multipart(self, key: str) -> None:
        """Forget the upload and its bytes; no error when they are gone. What is published stays: it is a blob
        now, which only ``delete`` removes."""


@runtime_checkable
class ContentAddressed(Protocol):
    """Filled by stores that declare ``Capability.CONTENT_ADDRESSED``: other nodes may have the same blobs."""

    def cid_of(self, locator: Locator) -> str:
        """The name under which every node knows the blob. Raises InvalidLocator."""

    def fetch(
        self,
        cid: str,
        *,
        media_type: str,
        time_limit: timedelta,
        max_size: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> StoredBlob:
        """Bring a blob from whichever node has it, and publish it here with the digest of its bytes.

        What is here already, and right, is not brought again. ``max_size`` is in bytes; ``progress`` is told
        now and then how many have come. Raises StorageUnavailable when not all came within the time,
        SizeMismatch when it is bigger than that, StorageFull, InvalidLocator when ``cid`` names no file or is
        none of our kind.
        """


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


def presigned_multipart(store: _Declares) -> PresignedMultipart | None:
    """The store as one that clients send parts to, None when it does not declare it."""
    declared = Capability.PRESIGNED_MULTIPART in store.capabilities
    return store if declared and isinstance(store, PresignedMultipart) else None


def appendable_staging(store: _Declares) -> AppendableStaging | None:
    """The store as one whose staged bytes can be gone on with, None when it does not declare it."""
    declared = Capability.APPENDABLE_STAGING in store.capabilities
    return store if declared and isinstance(store, AppendableStaging) else None


def content_addressed(store: _Declares) -> ContentAddressed | None:
    """The store as one whose blobs have CIDs, None when it does not declare it."""
    declared = Capability.CONTENT_ADDRESSED in store.capabilities
    return store if declared and isinstance(store, ContentAddressed) else None
