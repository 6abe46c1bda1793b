"""The S3 store, against a real server."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest

from storage import BlobStore, Locator, Observer, open_store
from tests.storage.conformance import (
    BlobStoreConformance,
    BoundedMemoryConformance,
    LostSidecarConformance,
    MakeStore,
    PresignedDownloadConformance,
)
from tests.storage.multipart_conformance import PresignedMultipartConformance
from tests.support.weed import Weed


@pytest.fixture(scope="module")
def bucket(weed: Weed) -> str:
    return weed.make_bucket()


@pytest.fixture
def prefix() -> str:
    return f"test/{secrets.token_hex(8)}"


class TestS3Store(BlobStoreConformance, BoundedMemoryConformance, LostSidecarConformance):
    @pytest.fixture
    def make_store(self, weed: Weed, bucket: str, prefix: str) -> MakeStore:
        def make(*, observer: Observer | None = None) -> BlobStore:
            return open_store(
                weed.store_url(bucket, prefix),
                access_key=weed.access_key,
                secret_key=weed.secret_key,
                observer=observer,
            )

        return make

    @pytest.fixture
    def spoil(self, weed: Weed, bucket: str, prefix: str) -> Callable[[Locator, bytes | None], None]:
        def spoil(locator: Locator, data: bytes | None) -> None:
            key = f"{prefix}/{locator}.json"
            if data is None:
                weed.client.delete_object(Bucket=bucket, Key=key)
            else:
                weed.client.put_object(Bucket=bucket, Key=key, Body=data)

        return spoil

    @pytest.fixture(autouse=True)
    def _remember(self, weed: Weed, bucket: str) -> None:
        self.weed, self.bucket = weed, bucket

    def left_behind(self, store: BlobStore, locator: Locator) -> bool:
        listed = self.weed.client.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return any(found["Key"].endswith(f"{locator}.json") for found in listed)


class TestPublicS3Store(PresignedDownloadConformance, PresignedMultipartConformance):
    @pytest.fixture
    def store(self, weed: Weed, bucket: str, prefix: str) -> BlobStore:
        url = weed.store_url(bucket, prefix, public_endpoint_url=weed.endpoint_url)
        return open_store(url, access_key=weed.access_key, secret_key=weed.secret_key)
