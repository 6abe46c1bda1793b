"""What every store must do. A driver's test class inherits ``BlobStoreConformance`` and gives one fixture.

The other classes are for what a store can do besides; a store that declares it (or can be brought there by
its test's fixtures) inherits them too. Nothing here knows a driver.
"""

from __future__ import annotations

import hashlib
import random
import threading
import tracemalloc
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Protocol
from urllib.error import HTTPError

import pytest

from storage import (
    CHUNK_SIZE,
    AppendableStaging,
    BlobNotFound,
    BlobStore,
    Capability,
    Digest,
    InvalidLocator,
    InvalidRange,
    InvalidSidecar,
    Locator,
    Observation,
    Observer,
    Sidecar,
    SizeMismatch,
    StagedClosed,
    StorageError,
    StorageFull,
    appendable_staging,
    local_paths,
    presigned_downloads,
)

MIB = 1024 * 1024
PARTS = 20 * MIB + 3
"""Bytes enough for several parts, the last one odd, of any store that sends parts."""
NOW = timedelta(0)
HOUR = timedelta(hours=1)


class MakeStore(Protocol):
    """A new, empty store of the kind under test."""

    def __call__(self, *, observer: Observer | None = None) -> BlobStore: ...


def content(size: int, seed: int = 0) -> bytes:
    """``size`` bytes that do not repeat, the same for the same seed."""
    return random.Random(seed).randbytes(size)


def sidecar_of(data: bytes, media_type: str = "application/x-test") -> Sidecar:
    return Sidecar(digest=Digest(hashlib.sha256(data).hexdigest()), size=len(data), media_type=media_type)


def publish(store: BlobStore, data: bytes, *, step: int = CHUNK_SIZE) -> Locator:
    with store.stage(expected_size=len(data)) as staged:
        for at in range(0, len(data), step):
            staged.write(data[at : at + step])
        return staged.publish(sidecar_of(data))


def read_back(store: BlobStore, locator: Locator, *, offset: int = 0, length: int | None = None) -> bytes:
    """By small steps, as a server would."""
    pieces = []
    with store.open(locator, offset=offset, length=length) as reader:
        while piece := reader.read(CHUNK_SIZE):
            pieces.append(piece)
    return b"".join(pieces)


class BlobStoreConformance:
    """Inherit it, and override ``make_store``."""

    @pytest.fixture
    def make_store(self) -> MakeStore:
        raise NotImplementedError

    @pytest.fixture
    def observed(self) -> list[Observation]:
        return []

    @pytest.fixture
    def store(self, make_store: MakeStore, observed: list[Observation]) -> BlobStore:
        return make_store(observer=observed.append)

    # Bytes in, the same bytes out

    @pytest.mark.parametrize(
        "size",
        [
            0,
            1,
            CHUNK_SIZE - 1,
            CHUNK_SIZE,
            CHUNK_SIZE + 1,
            5 * MIB,
            8 * MIB - 1,
            8 * MIB,
            8 * MIB + 1,
            16 * MIB,
            PARTS,
        ],
    )
    def test_reads_what_was_written(self, store: BlobStore, size: int) -> None:
        data = content(size)
        locator = publish(store, data, step=CHUNK_SIZE + 7)
        assert read_back(store, locator) == data
        assert store.stat(locator).size == size
        assert store.sidecar(locator) == sidecar_of(data)

    def test_one_write_may_be_bigger_than_any_part(self, store: BlobStore) -> None:
        data = content(PARTS)
        assert read_back(store, publish(store, data, step=PARTS)) == data

    def test_the_expected_size_is_only_a_hint(self, store: BlobStore) -> None:
        data = content(9 * MIB)
        for expected in (None, 0, 1, 100 * MIB):
            with store.stage(expected_size=expected) as staged:
                staged.write(data)
                assert read_back(store, staged.publish(sidecar_of(data))) == data

    def test_buffers_may_be_reused_after_write(self, store: BlobStore) -> None:
        data = content(PARTS)
        buffer = bytearray(MIB)
        with store.stage() as staged:
            for at in range(0, PARTS, MIB):
                piece = data[at : at + MIB]
                buffer[: len(piece)] = piece
                staged.write(memoryview(buffer)[: len(piece)])
                buffer[:] = bytes(MIB)
            assert staged.size == PARTS
            locator = staged.publish(sidecar_of(data))
        assert read_back(store, locator) == data

    def test_writes_take_every_kind_of_buffer(self, store: BlobStore) -> None:
        with store.stage() as staged:
            staged.write(b"bytes ")
            staged.write(bytearray(b"bytearray "))
            staged.write(memoryview(b"\x01\x00\x02\x00").cast("H"))
            staged.write(b"")
            locator = staged.publish(sidecar_of(b"bytes bytearray \x01\x00\x02\x00"))
        assert read_back(store, locator) == b"bytes bytearray \x01\x00\x02\x00"

    def test_modified_is_when_it_was_published(self, store: BlobStore) -> None:
        before = datetime.now(UTC) - timedelta(seconds=2)
        modified = store.stat(publish(store, b"now")).modified
        assert before <= modified <= datetime.now(UTC) + timedelta(seconds=2)

    # Ranges

    @pytest.mark.parametrize(
        ("offset", "length"),
        [
            (0, 0),
            (0, 1),
            (1, None),
            (CHUNK_SIZE - 1, 2),
            (8 * MIB - 1, 2),
            (PARTS - 1, 1),
            (PARTS - 1, 100),
            (PARTS, None),
            (PARTS, 5),
            (3, 9 * MIB),
        ],
    )
    def test_ranges(self, store: BlobStore, offset: int, length: int | None) -> None:
        data = content(PARTS)
        locator = publish(store, data)
        end = None if length is None else offset + length
        assert read_back(store, locator, offset=offset, length=length) == data[offset:end]

    @pytest.mark.parametrize("length", [None, 0, 1])
    @pytest.mark.parametrize("size", [0, 10])
    def test_the_end_of_a_blob_is_the_last_offset(
        self, store: BlobStore, size: int, length: int | None
    ) -> None:
        locator = publish(store, content(size))
        assert read_back(store, locator, offset=size, length=length) == b""
        with pytest.raises(InvalidRange):
            store.open(locator, offset=size + 1, length=length)

    @pytest.mark.parametrize(("offset", "length"), [(-1, None), (0, -1), (-5, 2)])
    def test_negative_ranges_are_refused(self, store: BlobStore, offset: int, length: int | None) -> None:
        locator = publish(store, b"0123456789")
        with pytest.raises(InvalidRange):
            store.open(locator, offset=offset, length=length)

    def test_read_takes_sizes_like_a_file(self, store: BlobStore) -> None:
        locator = publish(store, b"0123456789")
        with store.open(locator, offset=2, length=6) as reader:
            assert reader.read(0) == b""
            assert reader.read(4) == b"2345"
            assert reader.read() == b"67"
            assert reader.read(4) == b""
            assert reader.read() == b""

    def test_a_reader_may_be_left_early(self, store: BlobStore) -> None:
        locator = publish(store, content(PARTS))
        for _ in range(20):
            with store.open(locator) as reader:
                assert len(reader.read(10)) == 10
        reader.close()

    # Nothing is seen before it is published

    def test_staged_bytes_are_invisible(self, store: BlobStore) -> None:
        with store.stage() as staged:
            staged.write(content(PARTS))
            assert list(store.iter()) == []

    @pytest.mark.parametrize("size", [10, PARTS])
    def test_leaving_the_block_unpublished_aborts(self, store: BlobStore, size: int) -> None:
        with store.stage() as staged:
            staged.write(content(size))
        assert list(store.iter()) == []
        assert store.sweep_staged(older_than=NOW) == 0
        with pytest.raises(StagedClosed):
            staged.publish(sidecar_of(content(size)))

    def test_an_error_in_the_block_aborts_and_is_not_hidden(self, store: BlobStore) -> None:
        def break_off() -> None:
            with store.stage() as staged:
                staged.write(content(PARTS))
                raise RuntimeError("the caller's")

        with pytest.raises(RuntimeError, match="the caller's"):
            break_off()
        assert list(store.iter()) == []
        assert store.sweep_staged(older_than=NOW) == 0

    def test_a_closed_staged_blob_stays_closed(self, store: BlobStore) -> None:
        staged = store.stage()
        staged.write(b"once")
        locator = staged.publish(sidecar_of(b"once"))
        for again in (lambda: staged.write(b"more"), lambda: staged.publish(sidecar_of(b"once"))):
            with pytest.raises(StagedClosed):
                again()
        staged.abort()
        assert read_back(store, locator) == b"once"
        aborted = store.stage()
        aborted.abort()
        aborted.abort()
        with pytest.raises(StagedClosed):
            aborted.write(b"more")

    @pytest.mark.parametrize("size", [10, PARTS])
    @pytest.mark.parametrize("more", [-1, 1])
    def test_a_wrong_size_publishes_nothing(self, store: BlobStore, size: int, more: int) -> None:
        staged = store.stage()
        staged.write(content(size))
        right = sidecar_of(content(size))
        with pytest.raises(SizeMismatch):
            staged.publish(Sidecar(digest=right.digest, size=size + more, media_type=right.media_type))
        with pytest.raises(StagedClosed):
            staged.publish(right)
        assert list(store.iter()) == []
        assert store.sweep_staged(older_than=NOW) == 0

    @pytest.mark.parametrize(
        "sidecar",
        [
            Sidecar(digest=Digest("0" * 63), size=3, media_type="a/b"),
            Sidecar(digest=Digest("A" * 64), size=3, media_type="a/b"),
            Sidecar(digest=Digest("../" + "a" * 61), size=3, media_type="a/b"),
            Sidecar(digest=Digest("a" * 64 + "\n"), size=3, media_type="a/b"),
            Sidecar(digest=Digest("a" * 64), size=-3, media_type="a/b"),
            Sidecar(digest=Digest("a" * 64), size=3, media_type=""),
            Sidecar(digest=Digest("a" * 64), size=3, media_type="a/b\r\nx: y"),
            Sidecar(digest=Digest("a" * 64), size=3, media_type="a" * 256),
        ],
    )
    def test_a_malformed_sidecar_publishes_nothing(self, store: BlobStore, sidecar: Sidecar) -> None:
        with store.stage() as staged:
            staged.write(b"abc")
            with pytest.raises(InvalidSidecar):
                staged.publish(sidecar)
        assert list(store.iter()) == []

    def test_a_negative_expected_size_is_a_mistake(self, store: BlobStore) -> None:
        with pytest.raises(ValueError, match="negative"):
            store.stage(expected_size=-1)

    # The same bytes again

    def test_publishing_a_digest_twice_is_no_error(self, store: BlobStore) -> None:
        data = content(100)
        first, second = publish(store, data), publish(store, data)
        assert read_back(store, first) == read_back(store, second) == data
        assert {blob.locator for blob in store.iter()} == {first, second}

    @pytest.mark.parametrize("size", [1000, 9 * MIB])
    def test_concurrent_publishers_of_one_digest(self, store: BlobStore, size: int) -> None:
        data = content(size)
        together = threading.Barrier(6)

        def publisher(_: int) -> Locator:
            with store.stage() as staged:
                staged.write(data)
                together.wait(timeout=60)
                return staged.publish(sidecar_of(data))

        with ThreadPoolExecutor(6) as pool:
            locators = list(pool.map(publisher, range(6)))
        assert {blob.locator for blob in store.iter()} == set(locators)
        for locator in set(locators):
            assert read_back(store, locator) == data
            assert store.sidecar(locator) == sidecar_of(data)
        assert store.sweep_staged(older_than=NOW) == 0

    def test_readers_and_writers_at_once(self, store: BlobStore) -> None:
        def one(seed: int) -> bool:
            data = content(300_000 + seed, seed)
            locator = publish(store, data)
            same = read_back(store, locator) == data
            store.delete(locator)
            return same

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(one, range(32)))
        assert list(store.iter()) == []

    # Gone and foreign

    def test_a_deleted_blob_is_gone(self, store: BlobStore) -> None:
        kept = publish(store, b"kept")
        locator = publish(store, b"deleted")
        store.delete(locator)
        store.delete(locator)
        for look in (store.open, store.stat, store.sidecar):
            with pytest.raises(BlobNotFound):
                look(locator)
        assert [blob.locator for blob in store.iter()] == [kept]

    def test_a_deleted_digest_can_be_published_again(self, store: BlobStore) -> None:
        store.delete(publish(store, b"again"))
        assert read_back(store, publish(store, b"again")) == b"again"

    def test_a_reader_of_another_range_does_not_hide_a_missing_blob(self, store: BlobStore) -> None:
        locator = publish(store, b"deleted")
        store.delete(locator)
        for offset, length in ((0, 0), (5, None), (100, 1)):
            with pytest.raises(BlobNotFound):
                store.open(locator, offset=offset, length=length)

    @pytest.mark.parametrize(
        "hostile",
        [
            "",
            ".",
            "/",
            "..",
            "/etc/passwd",
            "../../../../etc/passwd",
            "blobs/../../etc/passwd",
            "blobs/ab/cd/../../../../../etc/passwd",
            "blobs//ab/cd",
            "blobs/..",
            "staging/0",
            "%2e%2e/%2e%2e/etc/passwd",
            "file:///etc/passwd",
            "C:\\boot.ini",
            "a\x00b",
            "naïve",
            "blob with spaces",
            "x" * 1025,
            "x" * 1_000_000,
        ],
    )
    def test_hostile_locators(self, store: BlobStore, hostile: str) -> None:
        self._refuses(store, hostile)

    @pytest.mark.parametrize("ending", ["\n", "\0", "/", "/.", "/..", ".json", "?", " ", "#"])
    def test_almost_a_locator(self, store: BlobStore, ending: str) -> None:
        locator = publish(store, b"canary")
        self._refuses(store, locator + ending)
        self._refuses(store, locator.upper() if locator.upper() != locator else locator + "Z")
        assert read_back(store, locator) == b"canary"
        assert store.sidecar(locator) == sidecar_of(b"canary")

    @staticmethod
    def _refuses(store: BlobStore, hostile: str) -> None:
        for act in (store.open, store.stat, store.sidecar, store.delete):
            with pytest.raises(InvalidLocator):
                act(Locator(hostile))

    # Looking after the store

    def test_iter_finds_every_blob_with_its_sidecar(self, store: BlobStore) -> None:
        wanted = {}
        for size in range(25):
            data = content(size, seed=size)
            wanted[publish(store, data)] = (size, sidecar_of(data))
        assert {blob.locator: (blob.size, blob.sidecar) for blob in store.iter()} == wanted

    def test_iter_may_be_left_early(self, store: BlobStore) -> None:
        for size in range(3):
            publish(store, content(size))
        assert next(iter(store.iter())).sidecar is not None

    def test_blobs_may_go_while_they_are_listed(self, store: BlobStore) -> None:
        locators = {publish(store, content(size, seed=size)) for size in range(10)}
        for blob in store.iter():
            locators.discard(blob.locator)
            store.delete(blob.locator)
        assert not locators

    def test_sweep_removes_only_what_is_old_and_staged(self, store: BlobStore) -> None:
        kept = publish(store, b"kept")
        data = content(PARTS)
        staged = store.stage()
        staged.write(data)
        assert store.sweep_staged(older_than=HOUR) == 0
        assert store.sweep_staged(older_than=NOW) == 1
        assert store.sweep_staged(older_than=NOW) == 0
        with pytest.raises(StorageError):
            staged.publish(sidecar_of(data))
        assert [blob.locator for blob in store.iter()] == [kept]
        assert store.sidecar(kept) == sidecar_of(b"kept")

    def test_what_is_still_written_to_survives_the_sweep(self, store: BlobStore) -> None:
        data = content(PARTS)
        with store.stage() as staged:
            staged.write(data)
            store.sweep_staged(older_than=HOUR)
            assert read_back(store, staged.publish(sidecar_of(data))) == data

    def test_a_store_that_works_says_so(self, store: BlobStore) -> None:
        store.check()
        store.check()
        assert list(store.iter()) == []
        free = store.free_bytes()
        assert free is None or free > 0

    # The seam itself

    def test_it_is_a_blob_store(self, store: BlobStore) -> None:
        assert isinstance(store, BlobStore)
        assert store.name

    def test_what_is_not_declared_is_not_there(self, store: BlobStore) -> None:
        assert (presigned_downloads(store) is None) == (
            Capability.PRESIGNED_DOWNLOAD not in store.capabilities
        )
        assert (local_paths(store) is None) == (Capability.LOCAL_PATH not in store.capabilities)
        assert (appendable_staging(store) is None) == (
            Capability.APPENDABLE_STAGING not in store.capabilities
        )

    def test_errors_are_translated_once_and_told_once(
        self, store: BlobStore, observed: list[Observation]
    ) -> None:
        locator = publish(store, b"x")
        store.delete(locator)
        observed.clear()
        with pytest.raises(BlobNotFound) as caught:
            store.stat(locator)
        assert type(caught.value) is BlobNotFound
        assert not isinstance(caught.value.__cause__, StorageError)
        assert [(seen.operation, seen.outcome) for seen in observed] == [("stat", "BlobNotFound")]

    def test_the_observer_hears_of_every_operation(
        self, store: BlobStore, observed: list[Observation]
    ) -> None:
        data = content(3 * CHUNK_SIZE)
        locator = publish(store, data)
        read_back(store, locator, offset=10)
        store.delete(locator)
        told = [(seen.operation, seen.size) for seen in observed]
        assert sorted(told) == [
            ("delete", 0),
            ("open", 0),
            ("publish", 0),
            ("read", len(data) - 10),
            ("stage", 0),
            ("write", len(data)),
        ]
        assert all(
            seen.store == store.name and seen.seconds >= 0 and seen.outcome == "ok" for seen in observed
        )


class BoundedMemoryConformance:
    """For stores that keep nothing in memory."""

    def test_memory_stays_bounded(self, make_store: MakeStore) -> None:
        size, limit = 160 * MIB, 48 * MIB
        store = make_store()
        block = content(MIB)
        digest = hashlib.sha256()
        tracemalloc.start()
        try:
            with store.stage() as staged:
                for _ in range(size // MIB):
                    staged.write(block)
                    digest.update(block)
                locator = staged.publish(Sidecar(Digest(digest.hexdigest()), size, "a/b"))
            with store.open(locator) as reader:
                while reader.read(CHUNK_SIZE):
                    pass
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        store.delete(locator)
        assert peak <= limit


class FullStoreConformance:
    """For stores that can be filled: ``small_store`` has room for about ``ROOM`` bytes."""

    ROOM = 4 * MIB

    @pytest.fixture
    def small_store(self) -> BlobStore:
        raise NotImplementedError

    def test_what_cannot_fit_is_refused_at_once(self, small_store: BlobStore) -> None:
        with pytest.raises(StorageFull):
            small_store.stage(expected_size=self.ROOM + MIB)

    def test_a_full_store_says_so_and_recovers(self, small_store: BlobStore) -> None:
        kept = publish(small_store, b"kept")
        with small_store.stage() as staged:
            with pytest.raises(StorageFull):
                staged.write(content(self.ROOM + MIB))
            with pytest.raises(StagedClosed):
                staged.publish(sidecar_of(b""))
        assert [blob.locator for blob in small_store.iter()] == [kept]
        assert read_back(small_store, publish(small_store, content(MIB))) == content(MIB)


class LostSidecarConformance:
    """For stores whose sidecars can be lost: ``spoil`` replaces one, or removes it (None)."""

    @pytest.fixture
    def spoil(self) -> Callable[[Locator, bytes | None], None]:
        raise NotImplementedError

    @pytest.mark.parametrize(
        "damage",
        [
            None,
            b"",
            b"{",
            b"\xff\xfe",
            b"[]",
            b"[" * 100_000,
            b'{"digest": 1, "size": 1, "media_type": "a/b"}',
            b'{"digest": "../../etc/passwd", "size": 1, "media_type": "a/b"}',
            b'{"digest": "' + b"a" * 64 + b'", "size": true, "media_type": "a/b"}',
            b'{"digest": "' + b"a" * 64 + b'", "size": 1, "media_type": "a\\nb"}',
            b'{"pad": "' + b" " * 5000 + b'"}',
        ],
    )
    def test_a_lost_sidecar_hides_no_blob(
        self, store: BlobStore, spoil: Callable[[Locator, bytes | None], None], damage: bytes | None
    ) -> None:
        locator = publish(store, b"whole")
        spoil(locator, damage)
        assert store.sidecar(locator) is None
        assert [(blob.locator, blob.size, blob.sidecar) for blob in store.iter()] == [(locator, 5, None)]
        assert read_back(store, locator) == b"whole"
        store.delete(locator)
        assert list(store.iter()) == []

    def test_a_sidecar_without_a_blob_is_swept(
        self, store: BlobStore, spoil: Callable[[Locator, bytes | None], None]
    ) -> None:
        kept, locator = publish(store, b"kept"), publish(store, b"gone")
        store.delete(locator)
        spoil(locator, b"left behind")
        assert [blob.locator for blob in store.iter()] == [kept]
        store.sweep_staged(older_than=HOUR)
        assert self.left_behind(store, locator)
        store.sweep_staged(older_than=NOW)
        assert not self.left_behind(store, locator)
        assert store.sidecar(kept) == sidecar_of(b"kept")

    def left_behind(self, store: BlobStore, locator: Locator) -> bool:
        """Whether the sidecar of ``locator`` still lies about."""
        raise NotImplementedError


class PresignedDownloadConformance:
    """For stores that declare PRESIGNED_DOWNLOAD."""

    def test_anyone_may_download_with_the_link_until_it_expires(self, store: BlobStore) -> None:
        presigner = presigned_downloads(store)
        assert presigner is not None
        data = content(9 * MIB)
        disposition = "attachment; filename=\"a b.mbz\"; filename*=UTF-8''%C3%A9.mbz"
        url = presigner.presign_download(
            publish(store, data),
            expires=timedelta(minutes=5),
            content_disposition=disposition,
            content_type="application/vnd.moodle.backup",
        )
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert answer.read() == data
            assert answer.headers["Content-Disposition"] == disposition
            assert answer.headers["Content-Type"] == "application/vnd.moodle.backup"
        part = urllib.request.Request(url, headers={"Range": "bytes=5-9"})
        with urllib.request.urlopen(part, timeout=30) as answer:
            assert (answer.status, answer.read()) == (206, data[5:10])
        with pytest.raises(HTTPError) as refused:
            urllib.request.urlopen(url.replace("attachment", "inline"), timeout=30)
        with refused.value as answer:
            assert answer.status == 403

    def test_the_link_expires(self, store: BlobStore) -> None:
        presigner = presigned_downloads(store)
        assert presigner is not None
        url = presigner.presign_download(
            publish(store, b"soon gone"),
            expires=timedelta(seconds=1),
            content_disposition="attachment",
            content_type="text/plain",
        )
        threading.Event().wait(2.5)
        with pytest.raises(HTTPError) as refused:
            urllib.request.urlopen(url, timeout=30)
        with refused.value as answer:
            assert answer.status == 403

    def test_foreign_locators_and_endless_links_are_refused(self, store: BlobStore) -> None:
        presigner = presigned_downloads(store)
        assert presigner is not None

        def link(locator: str, expires: timedelta) -> str:
            return presigner.presign_download(
                Locator(locator), expires=expires, content_disposition="attachment", content_type="a/b"
            )

        with pytest.raises(InvalidLocator):
            link("../secret", HOUR)
        locator = publish(store, b"x")
        for expires in (NOW, timedelta(days=8)):
            with pytest.raises(ValueError, match="expires"):
                link(locator, expires)


class AppendableStagingConformance:
    """For stores that declare APPENDABLE_STAGING. ``again`` opens the store as another process would."""

    @pytest.fixture
    def again(self) -> Callable[[], BlobStore]:
        raise NotImplementedError

    @pytest.fixture
    def staging(self, store: BlobStore) -> AppendableStaging:
        return appendable(store)

    def test_it_is_gone_on_with_until_it_is_published(
        self, store: BlobStore, again: Callable[[], BlobStore]
    ) -> None:
        data = content(PARTS)
        key = appendable(store).begin_staged()
        ends = [0, 1, CHUNK_SIZE, CHUNK_SIZE + 1, 8 * MIB, 8 * MIB, PARTS]
        for start, end in pairwise(ends):
            staging = appendable(again())
            assert staging.staged_size(key) == start
            with staging.append_staged(key) as appending:
                assert appending.size == start
                appending.write(data[start:end])
                assert appending.size == end
                appending.suspend()
            assert held(again(), key) == data[:end]
            assert list(store.iter()) == []
        with appendable(again()).append_staged(key) as appending:
            locator = appending.publish(sidecar_of(data))
        assert read_back(store, locator) == data
        assert store.sidecar(locator) == sidecar_of(data)
        assert store.sweep_staged(older_than=NOW) == 0

    def test_it_is_published_without_a_pause(self, store: BlobStore, staging: AppendableStaging) -> None:
        for data in (b"", content(PARTS)):
            with staging.append_staged(staging.begin_staged(), provisional=bool(data)) as appending:
                appending.write(data)
                assert read_back(store, appending.publish(sidecar_of(data))) == data

    def test_the_same_bytes_twice_are_no_error(self, store: BlobStore, staging: AppendableStaging) -> None:
        locators = set()
        for _ in range(2):
            with staging.append_staged(staging.begin_staged()) as appending:
                appending.write(b"twice")
                locators.add(appending.publish(sidecar_of(b"twice")))
        assert {blob.locator for blob in store.iter()} == locators

    def test_leaving_the_block_keeps_what_was_written(self, store: BlobStore) -> None:
        staging = appendable(store)
        key = staging.begin_staged()
        with staging.append_staged(key) as appending:
            appending.write(b"one ")

        def break_off() -> None:
            with staging.append_staged(key) as appending:
                appending.write(b"two ")
                raise RuntimeError("the caller's")

        with pytest.raises(RuntimeError, match="the caller's"):
            break_off()
        assert held(store, key) == b"one two "

    def test_reverting_forgets_what_was_written_since(self, store: BlobStore) -> None:
        staging = appendable(store)
        key = staging.begin_staged()
        for provisional in (False, True):
            with staging.append_staged(key, provisional=provisional) as appending:
                appending.write(b"kept")
                appending.suspend()
            before = held(store, key)
            with staging.append_staged(key, provisional=provisional) as appending:
                appending.write(content(PARTS))
                appending.revert()
            assert held(store, key) == before
        assert before == b"keptkept"

    def test_provisional_bytes_count_once_they_are_suspended(self, store: BlobStore) -> None:
        staging = appendable(store)
        key = staging.begin_staged()
        with staging.append_staged(key) as appending:
            appending.write(b"certain ")
        with staging.append_staged(key, provisional=True) as appending:
            appending.write(b"lost")
            assert held(store, key) == b"certain "
        assert held(store, key) == b"certain "
        with staging.append_staged(key, provisional=True) as appending:
            assert appending.size == 8
            appending.write(b"found")
            appending.suspend()
        assert held(store, key) == b"certain found"
        with staging.append_staged(key, provisional=True) as appending:
            appending.write(b"!")
            assert read_back(store, appending.publish(sidecar_of(b"certain found!"))) == b"certain found!"

    @pytest.mark.parametrize("provisional", [False, True])
    @pytest.mark.parametrize("act", ["write", "suspend", "revert", "publish", "abort", "close"])
    def test_whoever_was_overtaken_changes_nothing_any_more(
        self, store: BlobStore, again: Callable[[], BlobStore], provisional: bool, act: str
    ) -> None:
        staging = appendable(store)
        key = staging.begin_staged()
        first = staging.append_staged(key, provisional=provisional)
        first.write(b"one")
        second = appendable(again()).append_staged(key)
        assert second.size == (0 if provisional else 3)
        second.write(b"two")
        data = held(store, key)
        given: dict[str, list[object]] = {"write": [b"late"], "publish": [sidecar_of(b"one")]}
        expected: AbstractContextManager[object] = pytest.raises(StagedClosed)
        if act in ("abort", "close"):
            expected = nullcontext()
        with expected:
            getattr(first, act)(*given.get(act, []))
        first.close()
        assert held(store, key) == data
        second.write(b"!")
        assert read_back(store, second.publish(sidecar_of(data + b"!"))) == data + b"!"

    def test_a_published_blob_is_safe_from_late_writers(self, store: BlobStore) -> None:
        staging = appendable(store)
        key = staging.begin_staged()
        late = staging.append_staged(key)
        late.write(b"published")
        with staging.append_staged(key) as appending:
            locator = appending.publish(sidecar_of(b"published"))
        with pytest.raises(StagedClosed):
            late.write(b"late")
        late.close()
        assert read_back(store, locator) == b"published"

    def test_many_that_overtake_each_other(self, again: Callable[[], BlobStore]) -> None:
        key = appendable(again()).begin_staged()
        written: list[int] = []

        def go_on(number: int) -> None:
            staging = appendable(again())
            for _ in range(20):
                with staging.append_staged(key) as appending, suppress(StagedClosed):
                    for _ in range(3):
                        appending.write(bytes([number]))
                        written.append(number)
                    appending.suspend()

        with ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(go_on, number) for number in range(8)]:
                done.result()
        assert sorted(held(again(), key)) == sorted(written)

    @pytest.mark.parametrize("discard", ["abort", "discard"])
    def test_discarded_bytes_are_gone(self, store: BlobStore, discard: str) -> None:
        staging = appendable(store)
        key = staging.begin_staged()
        with staging.append_staged(key) as before:
            before.write(b"before")
            before.suspend()
        appending = staging.append_staged(key)
        appending.write(b"now")
        for _ in range(2):
            if discard == "abort":
                appending.abort()
            else:
                staging.discard_staged(key)
        with pytest.raises(StagedClosed):
            appending.write(b"more")
        for act in (appending.suspend, appending.revert):
            with pytest.raises(StagedClosed):
                act()
        appending.close()
        self._is_gone(staging, key)
        assert list(store.iter()) == []
        assert store.sweep_staged(older_than=NOW) == 0

    def test_a_key_is_of_no_use_once_it_is_published(self, store: BlobStore) -> None:
        staging = appendable(store)
        key = staging.begin_staged()
        appending = staging.append_staged(key)
        appending.write(b"x")
        locator = appending.publish(sidecar_of(b"x"))
        for act in (
            lambda: appending.write(b"more"),
            appending.suspend,
            appending.revert,
            lambda: appending.publish(sidecar_of(b"x")),
        ):
            with pytest.raises(StagedClosed):
                act()
        appending.abort()
        self._is_gone(staging, key)
        staging.discard_staged(key)
        assert read_back(store, locator) == b"x"

    @staticmethod
    def _is_gone(staging: AppendableStaging, key: str) -> None:
        for look in (staging.staged_size, staging.append_staged, staging.open_staged):
            with pytest.raises(BlobNotFound):
                look(key)

    def test_what_cannot_be_published_is_not_lost(self, store: BlobStore) -> None:
        staging = appendable(store)
        key = staging.begin_staged()
        with staging.append_staged(key) as appending:
            appending.write(b"abc")
        right = sidecar_of(b"abc")
        for wrong, error in (
            (Sidecar(right.digest, 4, right.media_type), SizeMismatch),
            (Sidecar(Digest("../" + "a" * 61), 3, right.media_type), InvalidSidecar),
        ):
            with staging.append_staged(key) as appending, pytest.raises(error):
                appending.publish(wrong)
            with pytest.raises(StagedClosed):
                appending.publish(right)
            assert held(store, key) == b"abc"
        assert list(store.iter()) == []
        with staging.append_staged(key) as appending:
            appending.publish(right)

    def test_the_sweep_takes_only_what_nobody_goes_on_with(self, store: BlobStore) -> None:
        staging = appendable(store)
        key = staging.begin_staged()
        with staging.append_staged(key) as appending:
            appending.write(b"abc")
            appending.suspend()
        assert store.sweep_staged(older_than=HOUR) == 0
        assert held(store, key) == b"abc"
        appending = staging.append_staged(key)
        assert store.sweep_staged(older_than=NOW) == 1
        assert store.sweep_staged(older_than=NOW) == 0
        with pytest.raises(StagedClosed):
            appending.write(b"more")
        self._is_gone(staging, key)

    @pytest.mark.parametrize("offset", [0, 1, 3])
    def test_reading_begins_anywhere(self, store: BlobStore, offset: int) -> None:
        staging = appendable(store)
        key = staging.begin_staged()
        with staging.append_staged(key) as appending:
            appending.write(b"abc")
        with staging.open_staged(key, offset=offset) as reader:
            assert reader.read() == b"abc"[offset:]
        for wrong in (4, -1):
            with pytest.raises(InvalidRange):
                staging.open_staged(key, offset=wrong)

    @pytest.mark.parametrize(
        "hostile", ["", ".", "..", "../blobs", "a/b", "x" * 3000, "naïve", "0" * 32 + "\n"]
    )
    def test_hostile_keys(self, staging: AppendableStaging, hostile: str) -> None:
        for act in (
            staging.staged_size,
            staging.append_staged,
            staging.open_staged,
            staging.discard_staged,
        ):
            with pytest.raises(InvalidLocator):
                act(hostile)

    def test_buffers_may_be_reused_and_are_of_every_kind(self, store: BlobStore) -> None:
        staging = appendable(store)
        key = staging.begin_staged()
        buffer = bytearray(b"one")
        with staging.append_staged(key) as appending:
            appending.write(buffer)
            buffer[:] = b"two"
            appending.write(memoryview(b"\x01\x00\x02\x00").cast("H"))
            appending.write(b"")
        assert held(store, key) == b"one\x01\x00\x02\x00"


class FullAppendableConformance:
    """For stores with appendable staging that can be filled; see ``FullStoreConformance``."""

    ROOM = FullStoreConformance.ROOM

    def test_a_full_store_loses_nothing_that_it_held(self, small_store: BlobStore) -> None:
        staging = appendable(small_store)
        key = staging.begin_staged()
        with staging.append_staged(key) as appending:
            appending.write(content(MIB))
            appending.suspend()
        with staging.append_staged(key) as appending:
            appending.write(b"a little more")
            with pytest.raises(StorageFull):
                appending.write(content(self.ROOM))
            with pytest.raises(StagedClosed):
                appending.write(b"!")
        assert held(small_store, key) == content(MIB) + b"a little more"
        with staging.append_staged(key) as appending:
            data = content(MIB) + b"a little more"
            assert read_back(small_store, appending.publish(sidecar_of(data))) == data


def appendable(store: BlobStore) -> AppendableStaging:
    """The store, which declares APPENDABLE_STAGING."""
    found = appendable_staging(store)
    assert found is not None
    return found


def held(store: BlobStore, key: str) -> bytes:
    """What is staged under the key; its size is told right."""
    staging = appendable(store)
    pieces = []
    with staging.open_staged(key) as reader:
        while piece := reader.read(CHUNK_SIZE):
            pieces.append(piece)
    data = b"".join(pieces)
    assert staging.staged_size(key) == len(data)
    return data
