"""Blobs as files under one folder.

::

    staging/<random>                 being written; swept when nobody has touched it for long
    staging/<key>/<random>[.<size>]  the same, outliving its writer; <size> bytes count when it is provisional
    blobs/ab/cd/<sha256>             a blob: the first four characters of its digest fan it out
    blobs/ab/cd/<sha256>.json        its sidecar

A blob becomes visible by one rename within the filesystem, after its bytes and its sidecar are on disk. A
crash at any point leaves the whole blob or nothing; what else it may leave (a staged file, a sidecar without
its blob) is invisible and swept. Publishing a digest again renames over the old file: the same bytes, but it
heals a damaged file and makes ``modified`` say when the blob was last published, which a grace period needs.

Staged bytes that outlive their writer are alone in a folder. Whoever goes on with them gives the file a new
random name, and looks before each write whether it still has that name, under a lock on the file: so a writer
that was taken for dead changes nothing any more, however late it wakes up.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from storage.base import BlobStat, Capability, Locator, Sidecar, StoredBlob
from storage.driver import StoreUrl
from storage.errors import (
    BlobNotFound,
    InvalidLocator,
    InvalidRange,
    StagedClosed,
    StorageError,
    StorageFull,
    StorageRefused,
    StorageUnavailable,
)
from storage.sidecar import MAX_SIDECAR_SIZE, decode_sidecar, encode_sidecar

_LOCATOR = re.compile(r"blobs/([0-9a-f]{2})/([0-9a-f]{2})/(\1\2[0-9a-f]{60})")
_KEY = re.compile(r"[0-9a-f]{32}")
_APPENDABLE = re.compile(r"[0-9a-f]{32}(?:\.([0-9]{1,18}))?")
_SIDECAR_SUFFIX = ".json"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO put here must not block us
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_WRITEBACK = 8 * 1024 * 1024
"""Bytes after which the disk is set to work, so that the final fsync finds little left (0.3 s/GiB saved)."""
_PROOF = b"written and read\n"

_MEANING: dict[int, type[StorageError]] = {
    errno.ENOENT: BlobNotFound,
    errno.ENOSPC: StorageFull,
    errno.EDQUOT: StorageFull,
    errno.EFBIG: StorageFull,
    errno.EACCES: StorageRefused,
    errno.EPERM: StorageRefused,
    errno.EROFS: StorageRefused,
    errno.ELOOP: InvalidLocator,
    errno.ENOTDIR: InvalidLocator,
    errno.EISDIR: InvalidLocator,
}


class FileDriver:
    """``file:///var/lib/repo``. Several processes may share the folder; it must be one filesystem."""

    name = "file"
    capabilities = frozenset({Capability.LOCAL_PATH, Capability.APPENDABLE_STAGING})

    def __init__(self, root: Path) -> None:
        self._root = root
        self._blobs = root / "blobs"
        self._staging = root / "staging"
        try:
            self._blobs.mkdir(parents=True, exist_ok=True)
            self._staging.mkdir(exist_ok=True)
            _sync_folder(root)
        except OSError as error:
            raise StorageRefused(f"the store's folders cannot be made: {error.strerror}") from error

    def translate(self, error: Exception) -> StorageError | None:
        if not isinstance(error, OSError):
            return None
        return _MEANING.get(error.errno or 0, StorageUnavailable)(error.strerror or type(error).__name__)

    def stage(self, expected_size: int | None) -> _FileStaged:
        path = self._staging / _random_name()
        with _within_store():
            return _FileStaged(self, path, os.open(path, _CREATE, 0o644))

    def open(self, locator: Locator, offset: int, length: int | None) -> _FileReader:
        fd = self._open_file(locator)
        return _reader(fd, os.fstat(fd).st_size, offset, length)

    def stat(self, locator: Locator) -> BlobStat:
        fd = self._open_file(locator)
        try:
            found = os.fstat(fd)
        finally:
            os.close(fd)
        return BlobStat(
            locator=locator, size=found.st_size, modified=datetime.fromtimestamp(found.st_mtime, tz=UTC)
        )

    def sidecar(self, locator: Locator) -> Sidecar | None:
        with self._folder_of(locator) as folder:
            name = _name_of(locator)
            os.stat(name, dir_fd=folder, follow_symlinks=False)
            return _read_sidecar(folder, name)

    def delete(self, locator: Locator) -> None:
        with suppress(FileNotFoundError), self._folder_of(locator) as folder, _locked(folder):
            name = _name_of(locator)
            for gone in (name, name + _SIDECAR_SUFFIX):
                with suppress(FileNotFoundError):
                    os.unlink(gone, dir_fd=folder)
            os.fsync(folder)

    def iter(self) -> Iterator[StoredBlob]:
        for folder_path in self._fan_out():
            with suppress(FileNotFoundError), os.scandir(folder_path) as entries:
                for entry in entries:
                    locator = Locator(str(Path(entry.path).relative_to(self._root)))
                    if not _LOCATOR.fullmatch(locator) or not entry.is_file(follow_symlinks=False):
                        continue
                    with suppress(FileNotFoundError), self._folder_of(locator) as folder:
                        size = entry.stat(follow_symlinks=False).st_size
                        yield StoredBlob(
                            locator=locator, size=size, sidecar=_read_sidecar(folder, entry.name)
                        )

    def sweep_staged(self, older_than: timedelta) -> int:
        limit = time.time() - older_than.total_seconds()
        swept = 0
        with _within_store():
            staged = os.scandir(self._staging)
        with staged:
            for entry in staged:
                with suppress(FileNotFoundError):
                    if entry.is_dir(follow_symlinks=False):
                        swept += _sweep_appendable(Path(entry.path), limit)
                    elif entry.stat(follow_symlinks=False).st_mtime <= limit:
                        Path(entry.path).unlink()
                        swept += not entry.name.endswith(_SIDECAR_SUFFIX)
        for folder in self._fan_out():
            with suppress(FileNotFoundError):
                _sweep_sidecars(folder, limit)
        return swept

    def free_bytes(self) -> int | None:
        with _within_store():
            room = os.statvfs(self._staging)
        return room.f_bavail * room.f_frsize

    def check(self) -> None:
        path = self._staging / _random_name()
        try:
            with _within_store():
                _write_durably(path, _PROOF)
                if path.read_bytes() != _PROOF:
                    raise StorageUnavailable("what was written is not what is read")
        finally:
            path.unlink(missing_ok=True)

    def local_path(self, locator: Locator) -> str:
        _name_of(locator)
        return locator

    def begin_staged(self) -> str:
        key = _random_name()
        folder = self._staging / key
        with _within_store():
            folder.mkdir()
            _write_durably(folder / _random_name(), b"")
            _sync_folder(folder)
            _sync_folder(self._staging)
        return key

    def staged_size(self, key: str) -> int:
        fd, name = self._open_appendable(key, os.O_RDONLY)
        try:
            size = _held(fd, name)
            os.fsync(fd)
        finally:
            os.close(fd)
        return size

    def append_staged(self, key: str, *, provisional: bool) -> _FileAppending:
        while True:
            fd, name = self._open_appendable(key, os.O_WRONLY | os.O_APPEND)
            try:
                appending = self._take(fd, self._staging / key / name, provisional=provisional)
            except BaseException:
                os.close(fd)
                raise
            if appending is not None:
                return appending
            os.close(fd)

    def open_staged(self, key: str, *, offset: int) -> _FileReader:
        fd, name = self._open_appendable(key, os.O_RDONLY)
        return _reader(fd, _held(fd, name), offset, None)

    def discard_staged(self, key: str) -> None:
        folder = self._appendable_folder(key)
        with suppress(FileNotFoundError):
            while not _emptied(folder):
                pass  # somebody gave the file another name meanwhile

    def publish(self, staged: Path, sidecar: Sidecar) -> Locator:
        """Move a staged file, already on disk, to its place."""
        first, second = sidecar.digest[:2], sidecar.digest[2:4]
        locator = Locator(f"blobs/{first}/{second}/{sidecar.digest}")
        note = staged.with_name(staged.name + _SIDECAR_SUFFIX)
        try:
            _write_durably(note, encode_sidecar(sidecar))
            (self._blobs / first / second).mkdir(parents=True, exist_ok=True)
            # The lock keeps the pair together when the same digest is deleted at the same moment.
            with self._folder_of(locator) as folder, _locked(folder):
                os.rename(note, sidecar.digest + _SIDECAR_SUFFIX, dst_dir_fd=folder)
                os.rename(staged, sidecar.digest, dst_dir_fd=folder)
                os.fsync(folder)
            _sync_folder(self._blobs / first)
            _sync_folder(self._blobs)
        except BaseException:
            note.unlink(missing_ok=True)
            raise
        return locator

    def _open_appendable(self, key: str, flags: int) -> tuple[int, str]:
        """The file under this key, and its name of this moment."""
        folder = self._appendable_folder(key)
        while True:
            try:
                names = [path.name for path in folder.iterdir() if _APPENDABLE.fullmatch(path.name)]
            except FileNotFoundError:
                names = []
            if not names:
                with _within_store():
                    self._staging.stat()
                raise BlobNotFound("these staged bytes were published, discarded or swept")
            with suppress(FileNotFoundError):  # it may just be getting another name
                return os.open(folder / names[0], flags | os.O_NOFOLLOW | os.O_CLOEXEC), names[0]

    def _take(self, fd: int, path: Path, *, provisional: bool) -> _FileAppending | None:
        """Give the open file a name of one's own; None when somebody else has just done so."""
        with _locked(fd):
            if not path.exists():
                return None
            size = _held(fd, path.name)
            if size < os.fstat(fd).st_size:
                os.ftruncate(fd, size)
            own = path.with_name(_random_name() + (f".{size}" if provisional else ""))
            if provisional:
                os.fsync(fd)  # these bytes count, whatever becomes of those that come
            path.rename(own)
            if provisional:
                _sync_folder(own.parent)
            return _FileAppending(self, own, fd, size)

    def _appendable_folder(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise InvalidLocator("not a key of the file store")
        return self._staging / key

    def _open_file(self, locator: Locator) -> int:
        with self._folder_of(locator) as folder:
            fd = os.open(_name_of(locator), _READ, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise InvalidLocator("not a file")
        return fd

    @contextmanager
    def _folder_of(self, locator: Locator) -> Iterator[int]:
        """The blob's folder, reached without following a symbolic link below ``blobs``."""
        name = _name_of(locator)
        with _within_store():  # a disk that is not mounted says nothing about a blob
            folder = os.open(self._blobs, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in (name[:2], name[2:4]):
                below = os.open(part, _FOLDER, dir_fd=folder)
                os.close(folder)
                folder = below
            yield folder
        finally:
            os.close(folder)

    def _fan_out(self) -> Iterator[str]:
        """Every folder that may hold blobs."""
        with _within_store():
            firsts = os.scandir(self._blobs)
        with firsts:
            for first in firsts:
                if not first.is_dir(follow_symlinks=False):
                    continue
                with suppress(FileNotFoundError), os.scandir(first.path) as seconds:
                    yield from (second.path for second in seconds if second.is_dir(follow_symlinks=False))


class _FileStaged:
    def __init__(self, driver: FileDriver, path: Path, fd: int) -> None:
        self._driver = driver
        self._path = path
        self._fd = fd
        self._written = 0
        self._begun = 0

    def write(self, data: memoryview) -> None:
        while data:
            done = os.write(self._fd, data)
            self._written += done
            data = data[done:]
        if self._written - self._begun >= _WRITEBACK:
            # Linux begins to write these pages out, without waiting, and keeps those that are not clean yet.
            os.posix_fadvise(self._fd, self._begun, self._written - self._begun, os.POSIX_FADV_DONTNEED)
            self._begun = self._written

    def publish(self, sidecar: Sidecar) -> Locator:
        locator = self._move(sidecar)
        os.close(self._fd)
        return locator

    def abort(self) -> None:
        os.close(self._fd)
        self._path.unlink(missing_ok=True)

    def _move(self, sidecar: Sidecar) -> Locator:
        os.utime(self._fd)
        os.fsync(self._fd)
        with _within_store():
            return self._driver.publish(self._path, sidecar)


class _FileAppending(_FileStaged):
    """``path`` is its own as long as the file has that name: a newer one gives it another."""

    def __init__(self, driver: FileDriver, path: Path, fd: int, size: int) -> None:
        super().__init__(driver, path, fd)
        self._before = self._written = self._begun = size

    @property
    def size(self) -> int:
        return self._before

    def write(self, data: memoryview) -> None:
        size = self._written
        with self._own():
            try:
                super().write(data)
            except OSError:
                os.ftruncate(self._fd, size)
                raise

    def suspend(self) -> None:
        with self._own():
            os.utime(self._fd)  # against the sweep
            os.fsync(self._fd)
            self._count_all()
        os.close(self._fd)

    def revert(self) -> None:
        with self._own():
            os.ftruncate(self._fd, self._before)
            os.fsync(self._fd)
            self._count_all()
        os.close(self._fd)

    def publish(self, sidecar: Sidecar) -> Locator:
        with self._own():
            locator = self._move(sidecar)
        self._leave()
        return locator

    def abort(self) -> None:
        with self._own():
            self._path.unlink()
        self._leave()

    def close(self) -> None:
        os.close(self._fd)

    @contextmanager
    def _own(self) -> Iterator[None]:
        """Nobody else touches the file meanwhile, and it is still this one's."""
        with _locked(self._fd):
            if not self._path.exists():
                raise StagedClosed("somebody else goes on with these staged bytes, or they are gone")
            yield

    def _count_all(self) -> None:
        """What was provisional is not any more."""
        if self._path.suffix:
            self._path.rename(self._path.with_suffix(""))
            _sync_folder(self._path.parent)

    def _leave(self) -> None:
        os.close(self._fd)
        with suppress(OSError):  # the sweep removes an empty folder, too
            self._path.parent.rmdir()


class _FileReader:
    def __init__(self, fd: int, length: int) -> None:
        self._file = os.fdopen(fd, "rb", buffering=0)
        self._left = length

    def read(self, size: int = -1, /) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._file.read(wanted)
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _reader(fd: int, size: int, offset: int, length: int | None) -> _FileReader:
    """Over an open file of which ``size`` bytes are shown. It closes the file."""
    if offset > size:
        os.close(fd)
        raise InvalidRange(f"offset {offset} is beyond the end ({size} bytes)")
    os.lseek(fd, offset, os.SEEK_SET)
    return _FileReader(fd, size - offset if length is None else min(length, size - offset))


def _random_name() -> str:
    return secrets.token_hex(16)


def _held(fd: int, name: str) -> int:
    """Bytes that count of a file that outlives its writer."""
    size = os.fstat(fd).st_size
    provisional = name.partition(".")[2]
    return min(size, int(provisional)) if provisional else size


def _emptied(folder: Path) -> bool:
    """Remove a folder with what is in it; False when something new stands there."""
    for path in folder.iterdir():
        path.unlink(missing_ok=True)
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        return False
    return True


def _sweep_appendable(folder: Path, limit: float) -> int:
    """Remove staged bytes that nobody has gone on with; returns how many."""
    with os.scandir(folder) as entries:
        found = {entry.name: entry.stat(follow_symlinks=False).st_mtime for entry in entries}
    if max(found.values(), default=folder.stat().st_mtime) > limit or not _emptied(folder):
        return 0
    return sum(_APPENDABLE.fullmatch(name) is not None for name in found)


def _name_of(locator: Locator) -> str:
    """The file's name, when the locator has the one form this store makes."""
    match = _LOCATOR.fullmatch(locator)
    if match is None:
        raise InvalidLocator("not a locator of the file store")
    return match[3]


@contextmanager
def _within_store() -> Iterator[None]:
    """Where no blob is looked for, a missing folder is the store's trouble."""
    try:
        yield
    except FileNotFoundError as error:
        raise StorageUnavailable("a folder of the store or a staged file is gone") from error


@contextmanager
def _locked(folder: int) -> Iterator[None]:
    fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(folder, fcntl.LOCK_UN)


def _write_durably(path: Path, data: bytes) -> None:
    fd = os.open(path, _CREATE, 0o644)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)


def _sync_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _read_sidecar(folder: int, name: str) -> Sidecar | None:
    try:
        fd = os.open(name + _SIDECAR_SUFFIX, _READ, dir_fd=folder)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ELOOP}:
            return None
        raise
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        return decode_sidecar(os.read(fd, MAX_SIDECAR_SIZE + 1))
    finally:
        os.close(fd)


def _sweep_sidecars(folder_path: str, limit: float) -> None:
    """Remove old sidecars whose blob never came."""
    with os.scandir(folder_path) as entries:
        names = {entry.name for entry in entries}
    lonely = [
        name
        for name in names
        if name.endswith(_SIDECAR_SUFFIX) and name.removesuffix(_SIDECAR_SUFFIX) not in names
    ]
    if not lonely:
        return
    folder = os.open(folder_path, _FOLDER)
    try:
        with _locked(folder):
            for name in lonely:
                with suppress(FileNotFoundError):
                    old = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime <= limit
                    if old and not _exists(folder, name.removesuffix(_SIDECAR_SUFFIX)):
                        os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def from_url(url: StoreUrl) -> FileDriver:
    url.accept_options()
    if url.host not in {"", "localhost"} or not url.path.startswith("/"):
        raise ValueError("a file store URL looks like file:///var/lib/repo")
    return FileDriver(Path(url.path))
