"""The IPFS store, against a real node."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage import BlobStore, Capability, Locator, Observer, content_addressed, open_store
from tests.storage.conformance import (
    MIB,
    BlobStoreConformance,
    BoundedMemoryConformance,
    FullStoreConformance,
    LostSidecarConformance,
    MakeStore,
)
from tests.support.ipfs import Node, running_node


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


class TestFullIpfsStore(FullStoreConformance):
    @pytest.fixture
    def small_store(self, tmp_path: Path) -> Iterator[BlobStore]:
        size = self.ROOM + MIB // 4  # an empty repository and the catalogue need some
        with running_node(tmp_path / "kubo", Datastore__StorageMax=f"{size}B") as node:
            yield open_store(node.store_url())


class TestCapabilities:
    """No node is asked."""

    URL = "ipfs+http://127.0.0.1:9"

    def test_a_node_is_public_unless_it_is_said_to_be_private(self) -> None:
        assert Capability.PUBLIC in open_store(self.URL).capabilities
        assert Capability.PUBLIC in open_store(f"{self.URL}?private=false").capabilities
        assert Capability.PUBLIC not in open_store(f"{self.URL}?private=true").capabilities

    def test_content_is_addressed(self) -> None:
        assert content_addressed(open_store(self.URL)) is not None
        assert content_addressed(open_store("memory:")) is None

    def test_its_name(self) -> None:
        assert open_store(self.URL).name == "ipfs"
        assert open_store(f"{self.URL}?name=archive").name == "archive"

    @pytest.mark.parametrize("host", ["127.0.0.1:9", "[::1]:9", "ipfs.example.org", "ipfs.example.org:443"])
    @pytest.mark.parametrize("scheme", ["ipfs+http", "ipfs+https"])
    def test_addresses(self, scheme: str, host: str) -> None:
        open_store(f"{scheme}://{host}/?root=/a/b-c_d.e&private=true&name=x")

    @pytest.mark.parametrize(
        "url",
        [
            "ipfs+http:",
            "ipfs+http://",
            "ipfs+http://127.0.0.1:port",
            "ipfs+http://127.0.0.1:99999999",
            "ipfs+http://127.0.0.1:9/api/v0",
            "ipfs+http://127.0.0.1:9?private=yes",
            "ipfs+http://127.0.0.1:9?private",
            "ipfs+http://127.0.0.1:9?typo=1",
            "ipfs+http://127.0.0.1:9?root=",
            "ipfs+http://127.0.0.1:9?root=/",
            "ipfs+http://127.0.0.1:9?root=repo",
            "ipfs+http://127.0.0.1:9?root=/a/../b",
            "ipfs+http://127.0.0.1:9?root=/a/.",
            "ipfs+http://127.0.0.1:9?root=/a//b",
            "ipfs+http://127.0.0.1:9?root=/a%20b",
            "ipfs+http://127.0.0.1:9?root=/1/2/3/4/5",
            "ipfs+http://user:secret@127.0.0.1:9",
        ],
    )
    def test_a_wrong_url_is_a_mistake(self, url: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            open_store(url)


def sidecar_path(root: str, locator: str) -> str:
    return f"{root}/blobs/{locator[-3]}/{locator[-2]}/{locator}.json"
