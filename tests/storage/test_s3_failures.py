"""The S3 store when things go wrong on the way, and how it uses the protocol."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from storage import (
    BlobStore,
    Locator,
    StorageError,
    StorageFull,
    StorageRefused,
    StorageUnavailable,
    open_store,
)
from storage.checked import CheckedStore
from storage.s3 import S3Driver, _in_flight, _part_size
from tests.storage.conformance import MIB, PARTS, content, publish, read_back
from tests.support.services import free_port
from tests.support.weed import Weed

_SOMEWHERE = Locator("blobs/ab/ab0123456789abcdef0123456789abcd")


@pytest.fixture(scope="module")
def bucket(weed: Weed) -> str:
    return weed.make_bucket()


@pytest.fixture
def driver(weed: Weed, bucket: str) -> S3Driver:
    return S3Driver(
        bucket=bucket,
        prefix=f"{secrets.token_hex(8)}/",
        endpoint_url=weed.endpoint_url,
        region="us-east-1",
        access_key=weed.access_key,
        secret_key=weed.secret_key,
    )


@pytest.fixture
def store(driver: S3Driver) -> BlobStore:
    return CheckedStore(driver)


def on(driver: S3Driver, event: str, handler: Callable[..., Any]) -> None:
    driver.client.meta.events.register(event, handler)


class TestProtocol:
    @pytest.fixture
    def requests(self, driver: S3Driver) -> list[str]:
        requests: list[str] = []
        on(driver, "before-call.s3", lambda model, **_: requests.append(model.name))
        return requests

    def test_a_small_blob_is_one_request_and_its_sidecar(self, store: BlobStore, requests: list[str]) -> None:
        publish(store, content(5 * MIB))
        assert requests == ["PutObject", "PutObject"]

    def test_a_big_blob_is_sent_in_parts_while_it_comes(self, store: BlobStore, requests: list[str]) -> None:
        publish(store, content(PARTS))
        assert requests[0] == "CreateMultipartUpload"
        assert requests[1:6] == ["UploadPart"] * 5
        assert requests[6:] == ["PutObject", "CompleteMultipartUpload"]

    def test_iter_turns_pages(self, driver: S3Driver, store: BlobStore, requests: list[str]) -> None:
        on(driver, "provide-client-params.s3.ListObjectsV2", lambda params, **_: {**params, "MaxKeys": 3})
        locators = {publish(store, content(size, seed=size)) for size in range(10)}
        assert {blob.locator for blob in store.iter()} == locators
        assert requests.count("ListObjectsV2") == 7

    def test_blobs_of_other_prefixes_are_not_seen(self, weed: Weed, bucket: str, store: BlobStore) -> None:
        other = open_store(
            weed.store_url(bucket, secrets.token_hex(8)),
            access_key=weed.access_key,
            secret_key=weed.secret_key,
        )
        locator = publish(other, b"theirs")
        assert list(store.iter()) == []
        with pytest.raises(StorageError):
            store.open(locator)

    @pytest.mark.parametrize("expected", [0, 1, 80_000 * MIB, 80_000 * MIB + 1, 5 * 1024 * 1024 * MIB])
    def test_ten_thousand_parts_suffice(self, expected: int) -> None:
        size = _part_size(expected)
        assert size * 10_000 >= expected
        assert 5 * MIB <= size <= 5 * 1024 * MIB

    def test_parts_in_memory_are_few(self) -> None:
        assert (_in_flight(5 * MIB) + 1) * 5 * MIB <= 24 * MIB
        assert _in_flight(500 * MIB) == 1


class TestLostAnswers:
    """A request that is repeated because its answer got lost must not fail on its own success."""

    def test_put(self, weed: Weed, driver: S3Driver, store: BlobStore) -> None:
        def done_before(params: dict[str, Any], **_: object) -> None:
            if not params["Key"].endswith(".json"):
                weed.client.put_object(**params)

        on(driver, "provide-client-params.s3.PutObject", done_before)
        assert read_back(store, publish(store, b"once")) == b"once"

    def test_complete(self, weed: Weed, driver: S3Driver, store: BlobStore) -> None:
        def done_before(params: dict[str, Any], **_: object) -> None:
            weed.client.complete_multipart_upload(**params)

        on(driver, "provide-client-params.s3.CompleteMultipartUpload", done_before)
        data = content(PARTS)
        assert read_back(store, publish(store, data)) == data

    def test_another_object_in_the_way_is_not_ours(
        self, weed: Weed, driver: S3Driver, store: BlobStore
    ) -> None:
        def occupied(params: dict[str, Any], **_: object) -> None:
            if not params["Key"].endswith(".json"):
                weed.client.put_object(Bucket=params["Bucket"], Key=params["Key"], Body=b"longer than ours")

        on(driver, "provide-client-params.s3.PutObject", occupied)
        with pytest.raises(StorageUnavailable):
            publish(store, b"ours")
        assert [blob.size for blob in store.iter()] == [16]


class TestFailures:
    @pytest.mark.parametrize("step", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
    def test_a_failed_upload_leaves_nothing(
        self, weed: Weed, bucket: str, driver: S3Driver, store: BlobStore, step: str
    ) -> None:
        def breaks(**_: object) -> None:
            raise ConnectionClosedError(endpoint_url=weed.endpoint_url)

        on(driver, f"before-call.s3.{step}", breaks)
        with pytest.raises(StorageUnavailable):
            publish(store, content(PARTS))
        assert list(store.iter()) == []
        assert "Uploads" not in weed.client.list_multipart_uploads(Bucket=bucket)

    @pytest.mark.parametrize("size", [10, PARTS])
    def test_a_dead_server_is_noticed_within_seconds(self, size: int) -> None:
        store = open_store(
            f"s3://bucket?endpoint_url=http://127.0.0.1:{free_port()}&region=us-east-1",
            access_key="a",
            secret_key="b",
        )
        acts: list[Callable[[], object]] = [
            store.check,
            lambda: store.stat(_SOMEWHERE),
            lambda: store.open(_SOMEWHERE),
            lambda: store.delete(_SOMEWHERE),
            lambda: list(store.iter()),
            lambda: store.sweep_staged(older_than=timedelta(0)),
            lambda: publish(store, content(size)),
        ]
        for act in acts:
            started = time.monotonic()
            with pytest.raises(StorageUnavailable):
                act()
            assert time.monotonic() - started < 15

    def test_a_server_that_hangs_is_not_ready(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"s3://bucket?endpoint_url=http://127.0.0.1:{silent.getsockname()[1]}&region=us-east-1"
            started = time.monotonic()
            with pytest.raises(StorageUnavailable):
                open_store(url, access_key="a", secret_key="b").check()
            assert time.monotonic() - started < 15

    def test_wrong_credentials_need_an_operator(self, weed: Weed, bucket: str) -> None:
        store = open_store(weed.store_url(bucket), access_key=weed.access_key, secret_key="wrong")
        for act in (store.check, lambda: store.stat(_SOMEWHERE), lambda: publish(store, b"x")):
            with pytest.raises(StorageRefused) as refused:
                act()
            assert "wrong" not in str(refused.value)

    def test_missing_credentials_need_an_operator(
        self, weed: Weed, bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(StorageRefused):
            open_store(weed.store_url(bucket)).check()

    def test_the_usual_environment_gives_credentials(
        self, weed: Weed, bucket: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", weed.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", weed.secret_key)
        open_store(weed.store_url(bucket)).check()

    def test_a_missing_bucket_needs_an_operator(self, weed: Weed) -> None:
        store = open_store(
            weed.store_url("not-there"), access_key=weed.access_key, secret_key=weed.secret_key
        )
        acts: list[Callable[[], object]] = [
            store.check,
            lambda: list(store.iter()),
            lambda: publish(store, b"x"),
            lambda: publish(store, content(PARTS)),
        ]
        for act in acts:
            with pytest.raises(StorageRefused, match="the bucket not-there does not exist: it has to be"):
                act()

    @pytest.mark.parametrize(
        ("operation", "status", "code", "meaning"),
        [
            ("UploadPart", 507, "InsufficientStorage", StorageFull),
            ("PutObject", 507, "XMinioStorageFull", StorageFull),
            ("PutObject", 403, "QuotaExceeded", StorageFull),
            ("PutObject", 503, "SlowDown", StorageUnavailable),
            ("PutObject", 500, "InternalError", StorageUnavailable),
            ("PutObject", 409, "ConditionalRequestConflict", StorageUnavailable),
            ("UploadPart", 400, "BadDigest", StorageUnavailable),
            ("UploadPart", 404, "NoSuchUpload", StorageUnavailable),
            ("GetObject", 429, "TooManyRequests", StorageUnavailable),
            ("GetObject", 403, "AccessDenied", StorageRefused),
            ("PutObject", 404, "NoSuchBucket", StorageRefused),
            ("PutObject", 400, "InvalidArgument", StorageRefused),
        ],
    )
    def test_answers_mean(
        self, driver: S3Driver, operation: str, status: int, code: str, meaning: type[StorageError]
    ) -> None:
        response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        answer = ClientError(response, operation)
        assert type(driver.translate(answer)) is meaning

    def test_a_bug_stays_a_bug(self, driver: S3Driver) -> None:
        assert driver.translate(KeyError("x")) is None


def test_a_download_that_is_cut_off_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def promise_more_than_is_sent() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")

        server = threading.Thread(target=promise_more_than_is_sent)
        server.start()
        url = f"s3://bucket?endpoint_url=http://127.0.0.1:{listener.getsockname()[1]}&region=us-east-1"
        with pytest.raises(StorageUnavailable):
            read_back(open_store(url, access_key="a", secret_key="b"), _SOMEWHERE)
        server.join()
