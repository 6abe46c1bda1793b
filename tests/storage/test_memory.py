"""The memory store."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storage import BlobStore, Observer, open_store
from tests.storage.conformance import (
    AppendableStagingConformance,
    BlobStoreConformance,
    FullAppendableConformance,
    FullStoreConformance,
    MakeStore,
)


class TestMemoryStore(
    BlobStoreConformance, FullStoreConformance, AppendableStagingConformance, FullAppendableConformance
):
    @pytest.fixture
    def make_store(self) -> MakeStore:
        def make(*, observer: Observer | None = None) -> BlobStore:
            return open_store("memory:", observer=observer)

        return make

    @pytest.fixture
    def small_store(self) -> BlobStore:
        return open_store(f"memory:?limit={self.ROOM}")

    @pytest.fixture
    def again(self, store: BlobStore) -> Callable[[], BlobStore]:
        return lambda: store
