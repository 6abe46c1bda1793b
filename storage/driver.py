"""What one driver has to bring. Everything that is the same for all of them is in ``storage.checked``.

A driver raises its native errors (``OSError``, botocore's) and says in ``translate`` what they mean; it
raises a ``StorageError`` itself only where it knows better. It may trust its arguments: sizes and offsets are
not negative, sidecars are well formed, a closed staged blob is not touched again. Locators it must check
itself, because only the driver knows their form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, runtime_checkable

from storage.base import BlobReader, BlobStat, Capability, Locator, Sidecar, StoredBlob
from storage.errors import StorageError


@dataclass(frozen=True, slots=True)
class StoreUrl:
    """A store's URL, taken apart for its driver; credentials come from the settings, never from the URL."""

    scheme: str
    name: str | None
    host: str
    path: str
    options: Mapping[str, str]
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)

    def accept_options(self, *known: str) -> None:
        """Raises ValueError when the query of the URL holds anything else: a typing mistake must not pass."""
        unknown = sorted(set(self.options) - set(known))
        if unknown:
            raise ValueError(f"unknown option in the {self.scheme} store URL: {', '.join(unknown)}")


class DriverStaged(Protocol):
    """A blob being written. One thread uses it."""

    def write(self, data: memoryview) -> None:
        """Take all of ``data`` (bytes, contiguous); the buffer belongs to the caller again afterwards."""

    def publish(self, sidecar: Sidecar) -> Locator:
        """Sidecar first, then the blob in one atomic and durable step. ``abort`` follows when this raises."""

    def abort(self) -> None:
        """Give back everything held. Called once, and only when not published."""


class Driver(Protocol):
    """The native half of a store."""

    @property
    def name(self) -> str: ...

    @property
    def capabilities(self) -> frozenset[Capability]: ...

    def translate(self, error: Exception) -> StorageError | None:
        """What a native error means, None when it is none of this driver's (a bug: it stays as it is)."""

    def stage(self, expected_size: int | None) -> DriverStaged: ...

    def open(self, locator: Locator, offset: int, length: int | None) -> BlobReader: ...

    def stat(self, locator: Locator) -> BlobStat: ...

    def sidecar(self, locator: Locator) -> Sidecar | None: ...

    def delete(self, locator: Locator) -> None: ...

    def iter(self) -> Iterator[StoredBlob]: ...

    def sweep_staged(self, older_than: timedelta) -> int: ...

    def free_bytes(self) -> int | None: ...

    def check(self) -> None: ...


class DriverAppending(DriverStaged, Protocol):
    """Staged bytes that are gone on with. One thread uses it, and ends it with one of ``publish``,
    ``suspend``, ``revert``, ``abort`` or ``close``; with ``close`` when another one raised.

    All but ``close`` raise StagedClosed when a newer one was made for the same key, or the bytes are gone.
    Unlike that of a blob staged in one go, ``write`` leaves nothing of its data behind when it raises.
    """

    @property
    def size(self) -> int:
        """Bytes held when it was made."""

    def suspend(self) -> None:
        """Make what is held durable."""

    def revert(self) -> None:
        """Back to what was held when it was made."""

    def close(self) -> None:
        """Give back what the process holds. The bytes stay; provisional ones need not."""


@runtime_checkable
class AppendableDriver(Protocol):
    """The native half of ``storage.base.AppendableStaging``. Checks keys itself, as it does locators."""

    def begin_staged(self) -> str: ...

    def staged_size(self, key: str) -> int: ...

    def append_staged(self, key: str, *, provisional: bool) -> DriverAppending: ...

    def open_staged(self, key: str, *, offset: int) -> BlobReader: ...

    def discard_staged(self, key: str) -> None: ...
