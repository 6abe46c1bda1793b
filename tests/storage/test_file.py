"""The file store."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage import BlobStore, Locator, Observer, open_store
from tests.storage.conformance import (
    MIB,
    AppendableStagingConformance,
    BlobStoreConformance,
    BoundedMemoryConformance,
    FullAppendableConformance,
    FullStoreConformance,
    LostSidecarConformance,
    MakeStore,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


class TestFileStore(
    BlobStoreConformance, BoundedMemoryConformance, LostSidecarConformance, AppendableStagingConformance
):
    @pytest.fixture
    def make_store(self, root: Path) -> MakeStore:
        def make(*, observer: Observer | None = None) -> BlobStore:
            return open_store(root.as_uri(), observer=observer)

        return make

    @pytest.fixture
    def spoil(self, root: Path) -> Callable[[Locator, bytes | None], None]:
        def spoil(locator: Locator, data: bytes | None) -> None:
            path = root / f"{locator}.json"
            path.unlink(missing_ok=True)
            if data is not None:
                path.write_bytes(data)

        return spoil

    @pytest.fixture
    def again(self, make_store: MakeStore) -> Callable[[], BlobStore]:
        return make_store

    @pytest.fixture(autouse=True)
    def _remember(self, root: Path) -> None:
        self.root = root

    def left_behind(self, store: BlobStore, locator: Locator) -> bool:
        return (self.root / f"{locator}.json").exists()


class TestFullFileStore(FullStoreConformance, FullAppendableConformance):
    @pytest.fixture
    def small_store(self, tmp_path: Path) -> Iterator[BlobStore]:
        if os.geteuid() != 0:
            pytest.skip("only root can mount a small filesystem")
        size = self.ROOM + MIB // 4  # folders and sidecars need some
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(tmp_path)]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("mounting is not allowed here")
        try:
            yield open_store(tmp_path.as_uri())
        finally:
            subprocess.run(["umount", str(tmp_path)], check=True)
