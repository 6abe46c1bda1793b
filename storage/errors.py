"""What can go wrong with bytes. Drivers translate their own errors into these, once."""

from __future__ import annotations

from collections.abc import Sequence


class StorageError(Exception):
    """Base of every error that a store raises. ``store`` is its name, where it was one."""

    store: str | None = None


class BlobNotFound(StorageError):
    """There is no blob at this locator."""


class BlobDamaged(BlobNotFound):
    """Other bytes stand at this locator than were put there: the blob is not there any more."""


class StorageFull(StorageError):
    """The store has no room left for what was written."""


class StorageUnavailable(StorageError):
    """The store does not answer, or refuses for a reason that may pass: try again later."""


class StoredDamaged(StorageUnavailable):
    """What the store, which is well, has of the same content is damaged, and has to go first.

    ``removed``: how many pieces went. When some did, the next attempt comes further.
    """

    def __init__(self, message: str, *, removed: int) -> None:
        super().__init__(message)
        self.removed = removed


class StorageRefused(StorageError):
    """The store answers and says no (credentials, policy, missing bucket): an operator must act."""


class DigestMismatch(StorageError):
    """The bytes written are not the bytes that were announced."""


class SizeMismatch(StorageError):
    """More or fewer bytes were written than announced."""


class InvalidLocator(StorageError):
    """The locator was not made by this store."""


class InvalidRange(StorageError):
    """The range asked for lies outside the blob."""


class StagedClosed(StorageError):
    """The staged blob was already published or aborted."""


class InvalidSidecar(StorageError):
    """The digest, size or media type announced for a blob is malformed."""


class CapabilityMissing(StorageError):
    """The store was asked for something that it does not declare."""


class PartsMissing(StorageError):
    """Parts are not there, or not as announced. ``numbers`` are theirs, in order."""

    def __init__(self, numbers: Sequence[int]) -> None:
        super().__init__(f"{len(numbers)} parts are missing or not as announced")
        self.numbers = tuple(numbers)
