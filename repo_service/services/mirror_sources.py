"""Where a mirror gets the catalogue of its home from: IPFS, the web, or a folder.

On the web and in a folder the file of the catalogue stands beside its manifest. Nothing that is read here is
what it should be before its SHA-256 says so.
"""

from __future__ import annotations

import errno
import hashlib
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Final, Protocol
from urllib.parse import urljoin

import httpx

from repo_service.domain.errors import InvalidFile, NotFound, StorageFull
from repo_service.services.catalogue_format import CATALOGUE_NAME, CATALOGUE_TYPE, MANIFEST_TYPE, Manifest
from repo_service.services.catalogue_parsing import MAX_MANIFEST, Readable, damaged
from repo_service.services.copies import BLOCK_SIZE
from repo_service.services.fetching import Fetcher, Progress
from repo_service.services.keeping import Keeper, Made
from storage import StorageUnavailable, StoredBlob

_LEAST_SPEED: Final = 64 * 1024
"""Bytes a second: what comes slower than that on the whole is given up."""
_LOOK_EVERY: Final = 4 * 1024 * 1024
"""How many bytes are written until somebody looks again how much room there is."""
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WEB_TIMEOUT: Final = httpx.Timeout(30, connect=10)


class Source(Protocol):
    """A catalogue that is to be taken over. What is opened is read before the next thing is asked."""

    def manifest(self) -> AbstractContextManager[Readable]:
        """The manifest. Raises NotFound, InvalidFile when it is longer than any, and the store's errors."""

    def catalogue(self, manifest: Manifest, progress: Progress) -> AbstractContextManager[Readable]:
        """The file of the catalogue. Raises as ``manifest``, and StorageFull."""

    def keep(self, manifest: Made, catalogue: Made) -> None:
        """Have both here as blobs. They were read, and their SHA-256 were right."""

    def discard(self) -> None:
        """Let go of what was brought here and is no blob."""


class IpfsSource:
    """A catalogue by the CID of its manifest."""

    def __init__(self, fetcher: Fetcher, keeper: Keeper, cid: str) -> None:
        self._fetcher = fetcher
        self._keeper = keeper
        self._cid = cid
        self._catalogue: StoredBlob | None = None
        self._manifest: StoredBlob | None = None

    @contextmanager
    def manifest(self) -> Iterator[Readable]:
        self._manifest = self._manifest or self._fetcher.fetch(
            self._cid, media_type=MANIFEST_TYPE, max_size=MAX_MANIFEST
        )
        with self._fetcher.store.open(self._manifest.locator) as reader:
            yield reader

    @contextmanager
    def catalogue(self, manifest: Manifest, progress: Progress) -> Iterator[Readable]:
        wanted = manifest.catalogue
        if wanted.cid is None:
            raise NotFound("This manifest names no CID of its catalogue: restore it from where it is kept.")
        if self._catalogue is None:
            found = self._fetcher.fetch(
                wanted.cid, media_type=CATALOGUE_TYPE, max_size=wanted.size, progress=progress
            )
            if found.size != wanted.size or found.sidecar is None or found.sidecar.digest != wanted.digest:
                self._fetcher.discard(found.locator)
                raise damaged("The manifest names a CID of other bytes than those of its catalogue.")
            self._catalogue = found
        with self._fetcher.store.open(self._catalogue.locator) as reader:
            yield reader

    def keep(self, manifest: Made, catalogue: Made) -> None:
        for made, found in ((manifest, self._manifest), (catalogue, self._catalogue)):
            assert found is not None
            self._keeper.claim(made)
            self._keeper.name(made.digest, self._fetcher.store, found.locator)

    def discard(self) -> None:
        for found in (self._manifest, self._catalogue):
            if found is not None:
                self._fetcher.discard(found.locator)


class FolderSource:
    """A catalogue in a folder, by the path of its manifest."""

    def __init__(self, keeper: Keeper, path: Path) -> None:
        self._keeper = keeper
        self._path = path

    def manifest(self) -> AbstractContextManager[BinaryIO]:
        return _open(self._path)

    def catalogue(self, manifest: Manifest, progress: Progress) -> AbstractContextManager[BinaryIO]:
        return _open(self._path.with_name(CATALOGUE_NAME))

    def keep(self, manifest: Made, catalogue: Made) -> None:
        with self.manifest() as file:
            self._keeper.keep(file, manifest)
        with _open(self._path.with_name(CATALOGUE_NAME)) as file:
            self._keeper.keep(file, catalogue)

    def discard(self) -> None:
        """There is nothing to let go of."""


class WebSource:
    """A catalogue on the web, by the address of its manifest.

    ``folder`` is for what was downloaded, and keeps ``min_free`` bytes free.
    """

    def __init__(self, keeper: Keeper, url: str, folder: Path, *, patience: timedelta, min_free: int) -> None:
        self._keeper = keeper
        self._url = url
        self._folder = folder
        self._patience = patience.total_seconds()
        self._min_free = min_free
        self._files: dict[str, BinaryIO] = {}

    @contextmanager
    def manifest(self) -> Iterator[BinaryIO]:
        yield self._downloaded(self._url, MAX_MANIFEST, lambda count: None)

    @contextmanager
    def catalogue(self, manifest: Manifest, progress: Progress) -> Iterator[BinaryIO]:
        yield self._downloaded(urljoin(self._url, CATALOGUE_NAME), manifest.catalogue.size, progress)

    def keep(self, manifest: Made, catalogue: Made) -> None:
        for made, file in zip((manifest, catalogue), self._files.values(), strict=True):
            self._keeper.keep(file, made)

    def discard(self) -> None:
        while self._files:
            self._files.popitem()[1].close()

    def _downloaded(self, url: str, limit: int, progress: Progress) -> BinaryIO:
        if url not in self._files:
            file: BinaryIO = TemporaryFile(dir=self._folder)  # noqa: SIM115 - ``discard`` closes it
            self._files[url] = file
            try:
                self._download(url, limit, file, progress)
            except BaseException as error:
                del self._files[url]
                with suppress(OSError):  # what did not fit is still to be written
                    file.close()
                if isinstance(error, OSError) and error.errno in _FULL:
                    raise self._full() from error
                raise
        self._files[url].seek(0)
        return self._files[url]

    def _download(self, url: str, limit: int, file: BinaryIO, progress: Progress) -> None:
        deadline = time.monotonic() + self._patience + limit / _LEAST_SPEED
        look_at = 0
        try:
            with httpx.stream("GET", url, timeout=_WEB_TIMEOUT, follow_redirects=True) as response:
                if not response.is_success:
                    raise NotFound(f"{url} answers {response.status_code}.")
                # As it comes, without undoing any compression: that would be somebody's bomb.
                for block in response.iter_raw(BLOCK_SIZE):
                    if file.tell() + len(block) > limit:
                        raise damaged(f"{url} is longer than it should be.")
                    if time.monotonic() > deadline:
                        raise StorageUnavailable(f"{url} comes too slowly")
                    if file.tell() >= look_at:
                        look_at = file.tell() + _LOOK_EVERY
                        if shutil.disk_usage(self._folder).free < self._min_free + _LOOK_EVERY:
                            raise self._full()
                    file.write(block)
                    progress(len(block))
            file.flush()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise StorageUnavailable(f"{url} does not answer: {error}") from error

    def _full(self) -> StorageFull:
        return StorageFull(f"The catalogue does not fit into {self._folder}: there is too little room.")


def read_all(source: AbstractContextManager[Readable], limit: int) -> bytes:
    """All of a small thing. Raises InvalidFile when it is longer than ``limit`` bytes."""
    with source as reader:
        data = b""
        while len(data) <= limit and (block := reader.read(limit + 1 - len(data))):
            data += block
    if len(data) > limit:
        raise InvalidFile("This is no manifest of a catalogue: it is too long.", reason="no-manifest")
    return data


class Hashing:
    """A reader that knows the SHA-256 and the number of the bytes that it gave."""

    def __init__(self, reader: Readable) -> None:
        self._reader = reader
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        """SHA-256 of what was read so far."""
        return self._hash.hexdigest()

    def read(self, size: int, /) -> bytes:
        """See ``Readable``."""
        data = self._reader.read(size)
        self._hash.update(data)
        self.size += len(data)
        return data


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}.") from error
