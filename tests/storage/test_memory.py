"""The memory store."""

from __future__ import annotations

import pytest

from storage import BlobStore, Observer, open_store
from tests.storage.conformance import BlobStoreConformance, FullStoreConformance, MakeStore


class TestMemoryStore(BlobStoreConformance, FullStoreConformance):
    @pytest.fixture
    def make_store(self) -> MakeStore:
        def make(*, observer: Observer | None = None) -> BlobStore:
            return open_store("memory:", observer=observer)

        return make

    @pytest.fixture
    def small_store(self) -> BlobStore:
        return open_store(f"memory:?limit={self.ROOM}")
