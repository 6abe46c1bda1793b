"""What is the same for every store, done once around its driver.

Arguments are checked, native errors become ``StorageError``, the life of a staged blob is kept (closed means
closed, a failed write or publish aborts), and every operation is told to an observer.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

from storage.base import (
    BlobReader,
    BlobStat,
    Capability,
    ContentAddressed,
    Digest,
    Locator,
    MultipartUpload,
    PresignedMultipart,
    Sidecar,
    StoredBlob,
    UploadedPart,
    content_addressed,
    local_paths,
    presigned_downloads,
    presigned_multipart,
)
from storage.driver import AppendableDriver, Driver, DriverAppending, DriverStaged
from storage.errors import (
    CapabilityMissing,
    InvalidLocator,
    InvalidRange,
    SizeMismatch,
    StagedClosed,
    StorageError,
    StorageFull,
)
from storage.sidecar import check_sidecar

_LOCATOR = re.compile(r"[\x21-\x7e]{1,1024}")
_KEY = re.compile(r"[\x21-\x7e]{1,2048}")


@dataclass(frozen=True, slots=True)
class Observation:
    """One operation that ended.

    ``seconds`` is time spent inside the driver and ``size`` the bytes moved. The many writes of a staged blob
    and the many reads of a reader are told as one ``write`` and one ``read`` when it is closed; ``iter``
    counts its caller's time too. ``outcome`` is ``ok`` or the name of the error.
    """

    store: str
    operation: str
    seconds: float
    size: int
    outcome: str


Observer = Callable[[Observation], None]
"""Told after every operation, in the thread that did it. Must be quick and must not raise."""


class CheckedStore:
    """A ``BlobStore`` made of a driver; ``name`` is the driver's unless another is given."""

    def __init__(self, driver: Driver, *, name: str | None = None, observer: Observer | None = None) -> None:
        self._driver = driver
        self._name = name or driver.name
        self._run = _Runner(driver, self._name, observer)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> frozenset[Capability]:
        return self._driver.capabilities

    def stage(self, *, expected_size: int | None = None) -> CheckedStaged:
        if expected_size is not None and expected_size < 0:
            raise ValueError("an expected size is not negative")
        with self._run("stage"):
            self._require_room(expected_size)
            return CheckedStaged(self._driver.stage(expected_size), self._run)

    def open(self, locator: Locator, *, offset: int = 0, length: int | None = None) -> CheckedReader:
        _check_locator(locator)
        _check_range(offset, length)
        with self._run("open"):
            return CheckedReader(self._driver.open(locator, offset, length), self._run)

    def stat(self, locator: Locator) -> BlobStat:
        _check_locator(locator)
        with self._run("stat"):
            return self._driver.stat(locator)

    def sidecar(self, locator: Locator) -> Sidecar | None:
        _check_locator(locator)
        with self._run("sidecar"):
            return self._driver.sidecar(locator)

    def delete(self, locator: Locator) -> None:
        _check_locator(locator)
        with self._run("delete"):
            self._driver.delete(locator)

    def iter(self) -> Iterator[StoredBlob]:
        with self._run("iter"):
            yield from self._driver.iter()

    def sweep_staged(self, *, older_than: timedelta) -> int:
        with self._run("sweep_staged"):
            return self._driver.sweep_staged(older_than)

    def free_bytes(self) -> int | None:
        with self._run("free_bytes"):
            return self._driver.free_bytes()

    def check(self) -> None:
        with self._run("check"):
            self._driver.check()

    def presign_download(
        self, locator: Locator, *, expires: timedelta, content_disposition: str, content_type: str
    ) -> str:
        """See ``PresignedDownloads``. Raises CapabilityMissing, InvalidLocator, StorageRefused."""
        driver = presigned_downloads(self._driver)
        if driver is None:
            raise CapabilityMissing(Capability.PRESIGNED_DOWNLOAD)
        _check_locator(locator)
        with self._run("presign_download"):
            return driver.presign_download(
                locator, expires=expires, content_disposition=content_disposition, content_type=content_type
            )

    def local_path(self, locator: Locator) -> str:
        """See ``LocalPaths``. Raises CapabilityMissing, InvalidLocator."""
        driver = local_paths(self._driver)
        if driver is None:
            raise CapabilityMissing(Capability.LOCAL_PATH)
        _check_locator(locator)
        with self._run("local_path"):
            return driver.local_path(locator)

    def cid_of(self, locator: Locator) -> str:
        """See ``ContentAddressed``, here and below. Raises CapabilityMissing."""
        driver = self._content_addressed()
        _check_locator(locator)
        with self._run("cid_of"):
            return driver.cid_of(locator)

    def fetch(
        self,
        cid: str,
        *,
        media_type: str,
        time_limit: timedelta,
        max_size: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> StoredBlob:
        driver = self._content_addressed()
        _check_locator(Locator(cid))
        check_sidecar(Sidecar(digest=Digest("0" * 64), size=0, media_type=media_type))
        with self._run("fetch"):
            return driver.fetch(
                cid, media_type=media_type, time_limit=time_limit, max_size=max_size, progress=progress
            )

    def begin_staged(self) -> str:
        """See ``AppendableStaging``, here and below. Raises CapabilityMissing."""
        driver = self._appendable()
        with self._run("begin_staged"):
            return driver.begin_staged()

    def staged_size(self, key: str) -> int:
        driver = self._appendable(key)
        with self._run("staged_size"):
            return driver.staged_size(key)

    def append_staged(self, key: str, *, provisional: bool = False) -> CheckedAppending:
        driver = self._appendable(key)
        with self._run("append_staged"):
            return CheckedAppending(driver.append_staged(key, provisional=provisional), self._run)

    def open_staged(self, key: str, *, offset: int = 0) -> CheckedReader:
        driver = self._appendable(key)
        _check_range(offset, None)
        with self._run("open_staged"):
            return CheckedReader(driver.open_staged(key, offset=offset), self._run)

    def discard_staged(self, key: str) -> None:
        driver = self._appendable(key)
        with self._run("discard_staged"):
            driver.discard_staged(key)

    def _content_addressed(self) -> ContentAddressed:
        driver = content_addressed(self._driver)
        if driver is None:
            raise CapabilityMissing(Capability.CONTENT_ADDRESSED)
        return driver

    def _appendable(self, key: str | None = None) -> AppendableDriver:
        driver = self._driver
        if Capability.APPENDABLE_STAGING not in driver.capabilities or not isinstance(
            driver, AppendableDriver
        ):
            raise CapabilityMissing(Capability.APPENDABLE_STAGING)
        _check_key(key)
        return driver

    def begin_multipart(self, size: int) -> MultipartUpload:
        """See ``PresignedMultipart``, here and below. Raises CapabilityMissing; StorageFull as ``stage``."""
        driver = self._multipart()
        if size < 1:
            raise ValueError("a multipart upload has at least one byte")
        with self._run("begin_multipart"):
            self._require_room(size)
            return driver.begin_multipart(size)

    def multipart(self, key: str) -> MultipartUpload:
        return self._multipart(key).multipart(key)

    def presign_part(self, key: str, number: int, *, expires: timedelta) -> str:
        driver = self._multipart(key)
        with self._run("presign_part"):
            return driver.presign_part(key, number, expires=expires)

    def list_parts(self, key: str, *, first: int = 1, limit: int | None = None) -> list[UploadedPart]:
        driver = self._multipart(key)
        if first < 1 or (limit is not None and limit < 1):
            raise ValueError("parts are numbered from 1, and at least one is asked for")
        with self._run("list_parts"):
            return driver.list_parts(key, first=first, limit=limit)

    def complete_multipart(self, key: str, etags: Mapping[int, str] | None = None) -> None:
        driver = self._multipart(key)
        with self._run("complete_multipart"):
            driver.complete_multipart(key, etags)

    def open_multipart(self, key: str, *, offset: int = 0, length: int | None = None) -> CheckedReader:
        driver = self._multipart(key)
        _check_range(offset, length)
        with self._run("open_multipart"):
            return CheckedReader(driver.open_multipart(key, offset=offset, length=length), self._run)

    def publish_multipart(self, key: str, sidecar: Sidecar) -> Locator:
        driver = self._multipart(key)
        check_sidecar(sidecar)
        with self._run("publish_multipart"):
            return driver.publish_multipart(key, sidecar)

    def discard_multipart(self, key: str) -> None:
        driver = self._multipart(key)
        with self._run("discard_multipart"):
            driver.discard_multipart(key)

    def _multipart(self, key: str | None = None) -> PresignedMultipart:
        driver = presigned_multipart(self._driver)
        if driver is None:
            raise CapabilityMissing(Capability.PRESIGNED_MULTIPART)
        _check_key(key)
        return driver

    def _require_room(self, size: int | None) -> None:
        free = None if size is None else self._driver.free_bytes()
        if size is not None and free is not None and size > free:
            raise StorageFull(f"{size} bytes do not fit into {free}")


class CheckedStaged:
    """A ``Staged`` made of a driver's."""

    def __init__(self, staged: DriverStaged, run: _Runner) -> None:
        self._staged = staged
        self._run = run
        self._writes = _Tally("write")
        self._open = True

    @property
    def size(self) -> int:
        return self._writes.size

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._expect_open()
        with memoryview(data).cast("B") as view:
            if not view:
                return
            try:
                with self._run.part(self._writes):
                    self._staged.write(view)
            except BaseException:
                self._give_up()
                raise
            self._writes.size += len(view)

    def publish(self, sidecar: Sidecar) -> Locator:
        self._expect_open()
        try:
            check_sidecar(sidecar)
            if sidecar.size != self.size:
                raise SizeMismatch(f"{self.size} bytes were written, {sidecar.size} announced")
            with self._run("publish"):
                locator = self._staged.publish(sidecar)
        except BaseException:
            self._give_up()
            raise
        self._close()
        return locator

    def abort(self) -> None:
        if not self._open:
            return
        self._close()
        # Best effort: it often runs because the store is in trouble, and must not hide why. The sweep will
        # find what is left.
        with suppress(StorageError), self._run("abort"):
            self._staged.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_up()

    def _give_up(self) -> None:
        """What follows an error, and leaving the block."""
        self.abort()

    def _expect_open(self) -> None:
        if not self._open:
            raise StagedClosed("the staged blob was already published or aborted")

    def _close(self) -> None:
        self._open = False
        self._run.tell(self._writes)


class CheckedAppending(CheckedStaged):
    """An ``Appending`` made of a driver's."""

    def __init__(self, appending: DriverAppending, run: _Runner) -> None:
        super().__init__(appending, run)
        self._appending = appending
        self._before = appending.size

    @property
    def size(self) -> int:
        return self._before + self._writes.size

    def suspend(self) -> None:
        self._end("suspend", self._appending.suspend)

    def revert(self) -> None:
        self._end("revert", self._appending.revert)

    def close(self) -> None:
        if self._open:
            self._close()
            with suppress(StorageError), self._run("close"):
                self._appending.close()

    def _end(self, operation: str, act: Callable[[], None]) -> None:
        self._expect_open()
        try:
            with self._run(operation):
                act()
        except BaseException:
            self._give_up()
            raise
        self._close()

    def _give_up(self) -> None:
        self.close()


class CheckedReader:
    """A ``BlobReader`` made of a driver's."""

    def __init__(self, reader: BlobReader, run: _Runner) -> None:
        self._reader = reader
        self._run = run
        self._reads = _Tally("read")
        self._open = True

    def read(self, size: int = -1, /) -> bytes:
        with self._run.part(self._reads):
            data = self._reader.read(size)
        self._reads.size += len(data)
        return data

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        self._run.tell(self._reads)
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(slots=True)
class _Tally:
    """What the observer is told when an operation ends; many parts may add up to one."""

    operation: str
    seconds: float = 0.0
    size: int = 0
    outcome: str = "ok"


class _Runner:
    """Runs driver code: translates what it raises, times it, tells the observer."""

    def __init__(self, driver: Driver, store: str, observer: Observer | None) -> None:
        self._driver = driver
        self._store = store
        self._observer = observer

    @contextmanager
    def __call__(self, operation: str) -> Iterator[None]:
        tally = _Tally(operation)
        try:
            with self.part(tally):
                yield
        finally:
            self.tell(tally)

    @contextmanager
    def part(self, tally: _Tally) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        except Exception as error:
            raised = self._translated(error)
            if isinstance(raised, StorageError):
                raised.store = self._store
            tally.outcome = type(raised).__name__
            if raised is error:
                raise
            raise raised from error
        finally:
            tally.seconds += time.perf_counter() - started

    def tell(self, tally: _Tally) -> None:
        if self._observer is not None:
            self._observer(
                Observation(self._store, tally.operation, tally.seconds, tally.size, tally.outcome)
            )

    def _translated(self, error: Exception) -> Exception:
        return error if isinstance(error, StorageError) else self._driver.translate(error) or error


def _check_locator(locator: Locator) -> None:
    if not _LOCATOR.fullmatch(locator):
        raise InvalidLocator("a locator is 1 to 1024 visible ASCII characters")


def _check_key(key: str | None) -> None:
    if key is not None and not _KEY.fullmatch(key):
        raise InvalidLocator("a key is 1 to 2048 visible ASCII characters")


def _check_range(offset: int, length: int | None) -> None:
    if offset < 0 or (length is not None and length < 0):
        raise InvalidRange("offset and length are not negative")
