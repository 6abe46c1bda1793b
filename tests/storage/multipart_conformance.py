"""What a store must do that declares PRESIGNED_MULTIPART. Nothing here knows a driver."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest

from storage import (
    CHUNK_SIZE,
    BlobNotFound,
    BlobStore,
    Digest,
    InvalidLocator,
    InvalidRange,
    InvalidSidecar,
    MultipartUpload,
    PartsMissing,
    PresignedMultipart,
    Sidecar,
    SizeMismatch,
    presigned_multipart,
)
from tests.storage.conformance import HOUR, MIB, NOW, content, publish, read_back, sidecar_of

_SOON = timedelta(minutes=5)
_MOST_PARTS = 10_000
_TEBIBYTE = 1024 * 1024 * MIB


def put(url: str, data: bytes) -> httpx.Response:
    """A client that knows the URL and nothing else."""
    return httpx.put(url, content=data, timeout=60)


def send(direct: PresignedMultipart, upload: MultipartUpload, number: int, data: bytes) -> str:
    """Send one part of ``data``, the whole; returns the tag that the store answered, without its quotes."""
    start = (number - 1) * upload.part_size
    answer = put(
        direct.presign_part(upload.key, number, expires=_SOON), data[start : start + upload.length(number)]
    )
    assert answer.status_code == 200, answer.text
    return answer.headers["ETag"].strip('"')


def put_together(direct: PresignedMultipart, data: bytes) -> MultipartUpload:
    """All parts sent and completed."""
    upload = direct.begin_multipart(len(data))
    for number in range(1, upload.count + 1):
        send(direct, upload, number, data)
    direct.complete_multipart(upload.key)
    return upload


def read_multipart(
    direct: PresignedMultipart, key: str, *, offset: int = 0, length: int | None = None
) -> bytes:
    pieces = []
    with direct.open_multipart(key, offset=offset, length=length) as reader:
        while piece := reader.read(CHUNK_SIZE):
            pieces.append(piece)
    return b"".join(pieces)


class PresignedMultipartConformance:
    """Inherit it beside the other classes, and give ``store``."""

    @pytest.fixture
    def direct(self, store: BlobStore) -> PresignedMultipart:
        found = presigned_multipart(store)
        assert found is not None
        return found

    # Parts in, a blob out

    def test_parts_become_a_blob_once_it_is_published(
        self, store: BlobStore, direct: PresignedMultipart
    ) -> None:
        begun = direct.begin_multipart(1)
        data = content(2 * begun.part_size + 3)
        upload = direct.begin_multipart(len(data))
        assert upload.count == 3
        tags = {number: send(direct, upload, number, data) for number in (3, 1, 2)}
        there = direct.list_parts(upload.key)
        assert [(part.number, part.size) for part in there] == [
            (1, upload.part_size),
            (2, upload.part_size),
            (3, 3),
        ]
        assert {part.number: part.etag for part in there} == tags
        with pytest.raises(BlobNotFound):
            direct.open_multipart(upload.key)

        direct.complete_multipart(upload.key, tags)
        assert list(store.iter()) == []
        assert read_multipart(direct, upload.key) == data
        assert read_multipart(direct, upload.key, offset=len(data) - 5, length=3) == data[-5:-2]
        assert list(store.iter()) == []

        locator = direct.publish_multipart(upload.key, sidecar_of(data))
        assert [(blob.locator, blob.size, blob.sidecar) for blob in store.iter()] == [
            (locator, len(data), sidecar_of(data))
        ]
        assert read_back(store, locator) == data
        assert store.stat(locator).size == len(data)
        assert store.sidecar(locator) == sidecar_of(data)

    def test_one_byte_is_enough(self, store: BlobStore, direct: PresignedMultipart) -> None:
        upload = put_together(direct, b"x")
        assert read_back(store, direct.publish_multipart(upload.key, sidecar_of(b"x"))) == b"x"

    @pytest.mark.parametrize("size", [1, 5 * MIB, 100_000 * MIB, _TEBIBYTE, 5 * _TEBIBYTE])
    def test_any_size_fits_into_the_parts_there_may_be(self, direct: PresignedMultipart, size: int) -> None:
        upload = direct.begin_multipart(size)
        assert upload.size == size
        assert upload.count <= _MOST_PARTS
        assert upload.part_size >= 5 * MIB
        assert sum(upload.length(number) for number in range(1, upload.count + 1)) == size
        assert direct.multipart(upload.key) == upload
        direct.discard_multipart(upload.key)

    @pytest.mark.parametrize("named", [False, True])
    @pytest.mark.parametrize("last", [b"9876543210", b"0000000000", b"1111111111"])
    def test_of_a_part_that_is_sent_again_the_last_counts(
        self, direct: PresignedMultipart, last: bytes, named: bool
    ) -> None:
        upload = direct.begin_multipart(10)
        first = send(direct, upload, 1, b"0123456789")
        second = send(direct, upload, 1, last)
        assert first != second
        assert [part.number for part in direct.list_parts(upload.key)] == [1]
        with pytest.raises(PartsMissing) as missing:
            direct.complete_multipart(upload.key, {1: first[::-1]})
        assert missing.value.numbers == (1,)
        direct.complete_multipart(upload.key, {1: second} if named else None)
        assert read_multipart(direct, upload.key) == last

    def test_an_interrupted_upload_is_gone_on_with(self, direct: PresignedMultipart) -> None:
        part_size = direct.begin_multipart(1).part_size
        data = content(3 * part_size + 1)
        upload = direct.begin_multipart(len(data))
        for number in (2, 4):
            send(direct, upload, number, data)
        assert [part.number for part in direct.list_parts(upload.key)] == [2, 4]
        assert [part.number for part in direct.list_parts(upload.key, first=1, limit=2)] == [2]
        assert [part.number for part in direct.list_parts(upload.key, first=3, limit=2)] == [4]
        assert [part.number for part in direct.list_parts(upload.key, first=3, limit=1)] == []
        assert [part.number for part in direct.list_parts(upload.key, first=5)] == []
        with pytest.raises(PartsMissing) as missing:
            direct.complete_multipart(upload.key)
        assert missing.value.numbers == (1, 3)
        for number in (1, 3):
            send(direct, upload, number, data)
        direct.complete_multipart(upload.key)
        assert read_multipart(direct, upload.key) == data

    # URLs

    @pytest.mark.parametrize("more", [-1, 1])
    def test_a_part_takes_exactly_its_bytes(self, direct: PresignedMultipart, more: int) -> None:
        upload = direct.begin_multipart(1000)
        url = direct.presign_part(upload.key, 1, expires=_SOON)
        assert put(url, bytes(1000 + more)).status_code == 403
        assert direct.list_parts(upload.key) == []
        with pytest.raises(PartsMissing):
            direct.complete_multipart(upload.key)

    def test_a_url_is_good_for_its_part_alone(self, direct: PresignedMultipart) -> None:
        upload = direct.begin_multipart(10)
        other = direct.begin_multipart(10)
        url = direct.presign_part(upload.key, 1, expires=_SOON)
        theirs = direct.presign_part(other.key, 1, expires=_SOON)
        assert url != theirs
        changed = url.replace("partNumber=1", "partNumber=2")
        assert changed != url
        assert put(changed, bytes(10)).status_code == 403
        for method in ("GET", "DELETE", "POST"):
            assert httpx.request(method, url, timeout=30).status_code in (400, 403, 405)
        assert direct.list_parts(upload.key) == []

    def test_a_url_expires(self, direct: PresignedMultipart) -> None:
        upload = direct.begin_multipart(10)
        url = direct.presign_part(upload.key, 1, expires=timedelta(seconds=1))
        threading.Event().wait(2.5)
        assert put(url, bytes(10)).status_code == 403
        assert direct.list_parts(upload.key) == []

    def test_a_url_is_worth_nothing_afterwards(self, direct: PresignedMultipart) -> None:
        upload = direct.begin_multipart(4)
        url = direct.presign_part(upload.key, 1, expires=_SOON)
        assert put(url, b"good").status_code == 200
        direct.complete_multipart(upload.key)
        assert put(url, b"evil").status_code == 404
        assert read_multipart(direct, upload.key) == b"good"
        given_up = direct.begin_multipart(4)
        url = direct.presign_part(given_up.key, 1, expires=_SOON)
        direct.discard_multipart(given_up.key)
        assert put(url, b"evil").status_code == 404

    # Done twice, and at once

    def test_completing_twice_is_no_error(self, store: BlobStore, direct: PresignedMultipart) -> None:
        upload = put_together(direct, b"once")
        direct.complete_multipart(upload.key)
        with pytest.raises(BlobNotFound):
            direct.list_parts(upload.key)
        locator = direct.publish_multipart(upload.key, sidecar_of(b"once"))
        direct.complete_multipart(upload.key)
        assert direct.publish_multipart(upload.key, sidecar_of(b"once")) == locator
        assert store.sweep_staged(older_than=NOW) == 0
        assert [blob.sidecar for blob in store.iter()] == [sidecar_of(b"once")]

    def test_several_that_complete_at_once(self, store: BlobStore, direct: PresignedMultipart) -> None:
        upload = direct.begin_multipart(4)
        send(direct, upload, 1, b"once")
        together = threading.Barrier(6)

        def complete(_: int) -> None:
            together.wait(30)
            direct.complete_multipart(upload.key)

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(complete, range(6)))
        assert list(store.iter()) == []
        assert read_multipart(direct, upload.key) == b"once"
        direct.publish_multipart(upload.key, sidecar_of(b"once"))
        assert len(list(store.iter())) == 1

    def test_the_same_bytes_twice_are_two_blobs(self, store: BlobStore, direct: PresignedMultipart) -> None:
        first = publish(store, b"same")
        second = direct.publish_multipart(put_together(direct, b"same").key, sidecar_of(b"same"))
        assert {blob.locator for blob in store.iter()} == {first, second}

    # Given up

    def test_discarding(self, store: BlobStore, direct: PresignedMultipart) -> None:
        begun = direct.begin_multipart(4)
        send(direct, begun, 1, b"gone")
        done = put_together(direct, b"gone")
        for upload in (begun, done):
            direct.discard_multipart(upload.key)
            direct.discard_multipart(upload.key)
            acts: list[Callable[[str], object]] = [
                direct.list_parts,
                direct.complete_multipart,
                direct.open_multipart,
                lambda key: direct.publish_multipart(key, sidecar_of(b"gone")),
            ]
            for act in acts:
                with pytest.raises(BlobNotFound):
                    act(upload.key)
        assert list(store.iter()) == []
        assert store.sweep_staged(older_than=NOW) == 0

    def test_what_is_published_is_not_discarded(self, store: BlobStore, direct: PresignedMultipart) -> None:
        upload = put_together(direct, b"kept")
        locator = direct.publish_multipart(upload.key, sidecar_of(b"kept"))
        direct.discard_multipart(upload.key)
        assert read_back(store, locator) == b"kept"
        store.delete(locator)
        assert list(store.iter()) == []
        direct.discard_multipart(upload.key)

    def test_what_was_left_is_swept(self, store: BlobStore, direct: PresignedMultipart) -> None:
        direct.begin_multipart(4)
        begun = direct.begin_multipart(4)
        send(direct, begun, 1, b"left")
        done = put_together(direct, b"left")
        published = direct.publish_multipart(put_together(direct, b"kept").key, sidecar_of(b"kept"))
        assert store.sweep_staged(older_than=HOUR) == 0
        assert read_multipart(direct, done.key) == b"left"
        assert store.sweep_staged(older_than=NOW) == 3
        assert store.sweep_staged(older_than=NOW) == 0
        for upload in (begun, done):
            with pytest.raises(BlobNotFound):
                direct.complete_multipart(upload.key)
        assert [blob.locator for blob in store.iter()] == [published]
        assert read_back(store, published) == b"kept"

    # What is refused

    def test_a_wrong_sidecar_publishes_nothing(self, store: BlobStore, direct: PresignedMultipart) -> None:
        upload = put_together(direct, b"1234")
        right = sidecar_of(b"1234")
        with pytest.raises(SizeMismatch):
            direct.publish_multipart(upload.key, Sidecar(right.digest, 5, right.media_type))
        with pytest.raises(InvalidSidecar):
            direct.publish_multipart(upload.key, Sidecar(Digest("0"), 4, right.media_type))
        assert list(store.iter()) == []
        direct.publish_multipart(upload.key, right)
        assert len(list(store.iter())) == 1

    def test_what_cannot_be_is_a_mistake(self, direct: PresignedMultipart) -> None:
        upload = direct.begin_multipart(10)
        mistakes: list[Callable[[], object]] = [
            lambda: direct.begin_multipart(0),
            lambda: direct.begin_multipart(-1),
            lambda: direct.presign_part(upload.key, 0, expires=_SOON),
            lambda: direct.presign_part(upload.key, 2, expires=_SOON),
            lambda: direct.presign_part(upload.key, 1, expires=NOW),
            lambda: direct.presign_part(upload.key, 1, expires=timedelta(days=8)),
            lambda: direct.list_parts(upload.key, first=0),
            lambda: direct.list_parts(upload.key, limit=0),
        ]
        for mistake in mistakes:
            with pytest.raises(ValueError, match=r"."):
                mistake()
        with pytest.raises(InvalidRange):
            direct.open_multipart(put_together(direct, b"x").key, offset=-1)

    @pytest.mark.parametrize("hostile", ["", "x", "../../etc/passwd", "a b", "x" * 3000, "é"])
    def test_hostile_keys(self, store: BlobStore, direct: PresignedMultipart, hostile: str) -> None:
        locator = publish(store, b"canary")
        upload = direct.begin_multipart(4)
        almost = [hostile, f"{locator}{hostile}", f"{upload.key}\n", f"/{upload.key}", f" {upload.key}"]
        for key in almost:
            acts: list[Callable[[str], object]] = [
                direct.multipart,
                direct.list_parts,
                direct.complete_multipart,
                direct.open_multipart,
                direct.discard_multipart,
                lambda key: direct.presign_part(key, 1, expires=_SOON),
                lambda key: direct.publish_multipart(key, sidecar_of(b"canary")),
            ]
            for act in acts:
                with pytest.raises(InvalidLocator):
                    act(key)
        assert read_back(store, locator) == b"canary"

    def test_a_key_of_nothing_is_nothing(self, store: BlobStore, direct: PresignedMultipart) -> None:
        """One that looks like ours, such as of an upload that was swept long ago."""
        begun = direct.begin_multipart(4)
        key = begun.key[:-8] + secrets.token_hex(4)
        assert key != begun.key
        with pytest.raises(BlobNotFound):
            direct.complete_multipart(key)
        direct.discard_multipart(key)
        direct.discard_multipart(begun.key)
        assert list(store.iter()) == []
