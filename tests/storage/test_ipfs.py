"""The IPFS store, against a real node."""

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
)
from tests.support.ipfs import Node


@pytest.fixture
def root() -> str:
    return f"/test/{secrets.token_hex(8)}"


class TestIpfsStore(BlobStoreConformance, BoundedMemoryConformance, LostSidecarConformance):
    @pytest.fixture
    def make_store(self, kubo: Node, root: str) -> MakeStore:
        def make(*, observer: Observer | None = None) -> BlobStore:
            return open_store(kubo.store_url(root), observer=observer)

        return make

    @pytest.fixture
    def spoil(self, kubo: Node, root: str) -> Callable[[Locator, bytes | None], None]:
        def spoil(locator: Locator, data: bytes | None) -> None:
            path = sidecar_path(root, locator)
            kubo.run("files", "rm", "--force", path)
            if data is not None:
                cid = kubo.run("add", "--quieter", "--pin=false", "--mtime=1600000000", data=data)
                kubo.run("files", "cp", "--parents", f"/ipfs/{cid}", path)
                kubo.run("files", "touch", path)

        return spoil

    @pytest.fixture(autouse=True)
    def _remember(self, kubo: Node, root: str) -> None:
        self.node, self.root = kubo, root

    def left_behind(self, store: BlobStore, locator: Locator) -> bool:
        folder, _, name = sidecar_path(self.root, locator).rpartition("/")
        return name in self.node.run("files", "ls", folder).split()


def sidecar_path(root: str, locator: str) -> str:
    return f"{root}/blobs/{locator[-3]}/{locator[-2]}/{locator}.json"
