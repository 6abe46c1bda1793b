"""How the S3 store does presigned multipart uploads, and what it must never do by mistake."""

from __future__ import annotations

import secrets
import threading
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from storage import (
    BlobNotFound,
    BlobStore,
    Capability,
    CapabilityMissing,
    Locator,
    PresignedMultipart,
    StorageRefused,
    StorageUnavailable,
    open_store,
    presigned_multipart,
)
from storage import s3 as s3_module
from storage.checked import CheckedStore
from storage.s3 import S3Driver
from tests.storage.conformance import MIB, NOW, content, publish, read_back, sidecar_of
from tests.storage.multipart_conformance import put_together, read_multipart, send
from tests.support.services import free_port
from tests.support.weed import Weed

_SOON = timedelta(minutes=5)


@pytest.fixture(scope="module")
def bucket(weed: Weed) -> str:
    return weed.make_bucket()


@pytest.fixture
def driver(weed: Weed, bucket: str) -> S3Driver:
    return S3Driver(
        bucket=bucket,
        prefix=f"{secrets.token_hex(8)}/",
        endpoint_url=weed.endpoint_url,
        public_endpoint_url=weed.endpoint_url,
        region="us-east-1",
        access_key=weed.access_key,
        secret_key=weed.secret_key,
    )


@pytest.fixture
def store(driver: S3Driver) -> BlobStore:
    return CheckedStore(driver)


@pytest.fixture
def direct(store: BlobStore) -> PresignedMultipart:
    found = presigned_multipart(store)
    assert found is not None
    return found


def _place(driver: S3Driver, key: str) -> tuple[Locator, str]:
    """Locator and object key of an upload."""
    locator = Locator("/".join(key.split("/")[:3]))
    return locator, driver.key_of(locator)


def _completing(driver: S3Driver, event: str, handler: Any) -> None:
    assert driver._unsummed is not None
    driver._unsummed.meta.events.register(event, handler)


class TestProtocol:
    def test_only_with_an_address_that_clients_reach(self, weed: Weed, bucket: str) -> None:
        store = open_store(weed.store_url(bucket), access_key="a", secret_key="b")
        assert presigned_multipart(store) is None
        assert Capability.PRESIGNED_MULTIPART not in store.capabilities
        with pytest.raises(CapabilityMissing):
            store.begin_multipart(1)

    def test_urls_name_the_public_address_and_sign_the_length(self, weed: Weed) -> None:
        driver = S3Driver(
            bucket="b",
            endpoint_url=f"http://127.0.0.1:{free_port()}",
            public_endpoint_url="https://files.example.org",
            region="us-east-1",
            access_key=weed.access_key,
            secret_key=weed.secret_key,
            addressing_style="path",
        )
        name = "ab" * 16
        url = urlsplit(driver.presign_part(f"blobs/ab/{name}/9/8/u", 2, expires=_SOON))
        asked = parse_qs(url.query)
        assert (url.scheme, url.netloc, url.path) == ("https", "files.example.org", f"/b/blobs/ab/{name}")
        assert asked["X-Amz-SignedHeaders"] == ["content-length;host"]
        assert (asked["partNumber"], asked["uploadId"]) == (["2"], ["u"])
        assert asked["X-Amz-Expires"] == ["300"]
        assert not [name for name in asked if "checksum" in name.lower()]

    def test_no_checksum_is_announced_for_parts_of_others(
        self, driver: S3Driver, direct: PresignedMultipart
    ) -> None:
        """Amazon refuses parts without the one that was announced."""
        headers: list[dict[str, str]] = []
        _completing(driver, "before-call.s3", lambda params, **_: headers.append(dict(params["headers"])))
        put_together(direct, b"x")
        assert len(headers) == 2
        assert not [name for sent in headers for name in sent if "checksum" in name.lower()]

    def test_lists_of_parts_turn_pages(
        self, direct: PresignedMultipart, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(s3_module, "_LIST_PARTS", 5)
        monkeypatch.setattr(s3_module, "_DIRECT_PART_SIZE", 5 * MIB)
        data = content(4 * 5 * MIB + 1)
        upload = direct.begin_multipart(len(data))
        assert upload.count == 5
        for number in (1, 2, 4, 5):
            send(direct, upload, number, data)
        assert [part.number for part in direct.list_parts(upload.key)] == [1, 2, 4, 5]
        assert [part.number for part in direct.list_parts(upload.key, first=2, limit=3)] == [2, 4]
        for junk in (b"a", b"b", b"c"):  # replaced, in the end by what counts
            send(direct, upload, 3, junk * len(data))
        send(direct, upload, 3, data)
        assert [part.number for part in direct.list_parts(upload.key, first=2, limit=3)] == [2, 3, 4]
        direct.complete_multipart(upload.key)
        assert read_multipart(direct, upload.key) == data

    def test_uploads_of_other_prefixes_are_not_swept(
        self, weed: Weed, bucket: str, store: BlobStore, direct: PresignedMultipart
    ) -> None:
        other = open_store(
            weed.store_url(bucket, secrets.token_hex(8), public_endpoint_url=weed.endpoint_url),
            access_key=weed.access_key,
            secret_key=weed.secret_key,
        )
        begun, done = direct.begin_multipart(1), put_together(direct, b"x")
        assert other.sweep_staged(older_than=NOW) == 0
        assert read_multipart(direct, done.key) == b"x"
        direct.list_parts(begun.key)


class TestUnverified:
    def test_completing_late_takes_nothing_back(
        self, driver: S3Driver, store: BlobStore, direct: PresignedMultipart
    ) -> None:
        """A second request that completes had looked at the parts before the first was done, and says that
        nobody has verified the blob when somebody has."""
        upload = put_together(direct, b"kept")
        locator = direct.publish_multipart(upload.key, sidecar_of(b"kept"))
        driver._note_unverified(_place(driver, upload.key)[1])
        assert store.sidecar(locator) == sidecar_of(b"kept")
        assert store.sweep_staged(older_than=NOW) == 0
        assert [blob.locator for blob in store.iter()] == [locator]

    def test_a_blob_that_lost_its_sidecar_is_not_taken_for_one(
        self, weed: Weed, driver: S3Driver, store: BlobStore, direct: PresignedMultipart
    ) -> None:
        """It is a blob to garbage collection, and neither a sweep nor giving the upload up removes it."""
        upload = put_together(direct, b"kept")
        locator = direct.publish_multipart(upload.key, sidecar_of(b"kept"))
        place = _place(driver, upload.key)[1]
        weed.client.delete_object(Bucket=driver.bucket, Key=f"{place}.json")
        direct.discard_multipart(upload.key)
        assert store.sweep_staged(older_than=NOW) == 0
        assert [(blob.locator, blob.sidecar) for blob in store.iter()] == [(locator, None)]
        assert read_back(store, locator) == b"kept"

    def test_other_small_sidecars_are_not_taken_for_one(
        self, weed: Weed, driver: S3Driver, store: BlobStore
    ) -> None:
        locator = publish(store, b"kept")
        damage = b"x" * len(s3_module._UNVERIFIED)
        weed.client.put_object(Bucket=driver.bucket, Key=f"{driver.key_of(locator)}.json", Body=damage)
        assert store.sweep_staged(older_than=NOW) == 0
        assert [(blob.locator, blob.sidecar) for blob in store.iter()] == [(locator, None)]

    def test_its_age_is_that_of_the_bytes(
        self, driver: S3Driver, store: BlobStore, direct: PresignedMultipart
    ) -> None:
        """The first attempt to complete it failed long ago, after it had left its mark."""
        upload = direct.begin_multipart(4)
        send(direct, upload, 1, b"late")
        driver._note_unverified(_place(driver, upload.key)[1])
        threading.Event().wait(4)
        direct.complete_multipart(upload.key)
        assert store.sweep_staged(older_than=timedelta(seconds=2)) == 0
        assert read_multipart(direct, upload.key) == b"late"
        assert list(store.iter()) == []
        assert store.sweep_staged(older_than=NOW) == 1

    def test_a_mark_without_bytes_is_swept(
        self, weed: Weed, driver: S3Driver, store: BlobStore, direct: PresignedMultipart
    ) -> None:
        upload = direct.begin_multipart(4)
        place = _place(driver, upload.key)[1]
        driver._note_unverified(place)
        store.sweep_staged(older_than=NOW)
        assert "Contents" not in weed.client.list_objects_v2(Bucket=driver.bucket, Prefix=place)


class TestLostAnswers:
    def test_complete(self, weed: Weed, driver: S3Driver, direct: PresignedMultipart) -> None:
        """The request is repeated because its answer got lost."""

        def done_before(params: dict[str, Any], **_: object) -> None:
            weed.client.complete_multipart_upload(**params)

        _completing(driver, "provide-client-params.s3.CompleteMultipartUpload", done_before)
        upload = put_together(direct, b"once")
        assert read_multipart(direct, upload.key) == b"once"

    def test_given_up_meanwhile(self, weed: Weed, driver: S3Driver, direct: PresignedMultipart) -> None:
        def abort(params: dict[str, Any], **_: object) -> None:
            place = {name: params[name] for name in ("Bucket", "Key", "UploadId")}
            weed.client.abort_multipart_upload(**place)

        _completing(driver, "provide-client-params.s3.CompleteMultipartUpload", abort)
        with pytest.raises(BlobNotFound):
            put_together(direct, b"gone")


def test_a_bucket_that_is_missing_needs_an_operator(weed: Weed) -> None:
    store = open_store(
        weed.store_url("not-there", public_endpoint_url=weed.endpoint_url),
        access_key=weed.access_key,
        secret_key=weed.secret_key,
    )
    with pytest.raises(StorageRefused):
        store.begin_multipart(1)


def test_a_dead_server_is_noticed(weed: Weed) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    store = open_store(
        f"s3://bucket?endpoint_url={url}&public_endpoint_url={url}&region=us-east-1",
        access_key="a",
        secret_key="b",
    )
    key = f"blobs/ab/{'ab' * 16}/4/8/u"
    for act in (
        lambda: store.begin_multipart(1),
        lambda: store.list_parts(key),
        lambda: store.complete_multipart(key),
        lambda: store.open_multipart(key),
        lambda: store.publish_multipart(key, sidecar_of(b"1234")),
        lambda: store.discard_multipart(key),
    ):
        with pytest.raises(StorageUnavailable):
            act()
