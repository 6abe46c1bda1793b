"""What the IPFS store says about content: its CIDs, what is not there, what is damaged, what others have."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage import (
    CHUNK_SIZE,
    BlobDamaged,
    BlobNotFound,
    BlobStore,
    CapabilityMissing,
    ContentAddressed,
    InvalidLocator,
    InvalidSidecar,
    Locator,
    SizeMismatch,
    StorageUnavailable,
    content_addressed,
    open_store,
)
from storage.kubo import Patience
from tests.storage.conformance import MIB, NOW, content, publish, read_back, sidecar_of
from tests.storage.ipfs_writer import store_with
from tests.support.ipfs import Node, running_node

CHUNK = 262144
LINKS = 174
"""Chunks, and nodes, that one node of a file links to."""
SOON = timedelta(seconds=20)
QUICK = 2.0
"""Seconds; a search of the network would take until a timeout."""
NOWHERE = Locator("bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")


@pytest.fixture
def store(kubo: Node) -> BlobStore:
    return open_store(kubo.store_url(f"/test/{secrets.token_hex(8)}"))


def addressed(store: BlobStore) -> ContentAddressed:
    found = content_addressed(store)
    assert found is not None
    return found


class TestCids:
    @pytest.mark.parametrize(
        "size",
        [
            0,
            1,
            CHUNK - 1,
            CHUNK,
            CHUNK + 1,
            2 * CHUNK - 1,
            2 * CHUNK,
            2 * CHUNK + 1,
            LINKS * CHUNK - 1,
            LINKS * CHUNK,
            LINKS * CHUNK + 1,
            2 * LINKS * CHUNK + 1,
        ],
    )
    def test_they_are_what_ipfs_add_prints(self, kubo: Node, store: BlobStore, size: int) -> None:
        data = content(size)
        locator = publish(store, data, step=MIB + 1)
        options = ["--only-hash", "--cid-version=1", "--raw-leaves", "--chunker=size-262144", "-Q"]
        assert locator == kubo.run("add", *options, data=data)
        assert addressed(store).cid_of(locator) == locator
        assert read_back(store, locator) == data

    def test_they_do_not_depend_on_what_the_node_takes_for_granted(self, lonely_node: Node) -> None:
        data = content(2 * CHUNK)
        usual = publish(open_store(lonely_node.store_url()), data)
        lonely_node.stop()
        for name, value in {
            "UnixFSChunker": '"size-1024"',
            "UnixFSFileMaxLinks": "2",
            "UnixFSRawLeaves": "false",
            "UnixFSDAGLayout": '"trickle"',
            "HashFunction": '"blake3"',
            "CidVersion": "1",
        }.items():
            lonely_node.run("config", "--json", f"Import.{name}", value)
        lonely_node.start()
        assert publish(open_store(lonely_node.store_url("/other")), data) == usual

    def test_the_same_content_is_published_again_now(self, kubo: Node, store: BlobStore) -> None:
        locator = publish(store, b"twice")
        first = store.stat(locator).modified
        time.sleep(0.05)
        assert publish(store, b"twice") == locator
        assert first < store.stat(locator).modified <= datetime.now(UTC)
        assert store.sidecar(locator) == sidecar_of(b"twice")

    @pytest.mark.parametrize(
        "hostile",
        [
            "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn",  # CIDv0
            "bafkqaaa",  # inline
            "bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",  # dag-cbor
            "bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",  # bits that no CID has
            f"/ipfs/{NOWHERE}",
            f"{NOWHERE}/../{NOWHERE}",
            f"{NOWHERE}?offline=false",
        ],
    )
    def test_other_cids_are_no_locators(self, store: BlobStore, hostile: str) -> None:
        for act in (store.open, store.stat, store.sidecar, store.delete, addressed(store).cid_of):
            with pytest.raises(InvalidLocator):
                act(Locator(hostile))
        with pytest.raises(InvalidLocator):
            addressed(store).fetch(hostile, media_type="a/b", time_limit=SOON)

    def test_stores_of_one_node_do_not_see_each_other(self, kubo: Node, store: BlobStore) -> None:
        other = open_store(kubo.store_url(f"/test/{secrets.token_hex(8)}"))
        locator = publish(other, b"theirs")
        assert list(store.iter()) == []
        with pytest.raises(BlobNotFound):
            store.open(locator)
        store.delete(locator)
        assert publish(store, b"theirs") == locator
        other.delete(locator)
        kubo.collect_garbage()
        assert read_back(store, locator) == b"theirs"


class TestWhatIsNotThere:
    """On a node with a network to search."""

    @pytest.fixture
    def store(self, two_nodes: tuple[Node, Node]) -> BlobStore:
        return open_store(two_nodes[0].store_url(f"/test/{secrets.token_hex(8)}"))

    @pytest.fixture(autouse=True)
    def _quick(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        assert time.monotonic() - began < QUICK

    @pytest.mark.parametrize("cid", [NOWHERE, NOWHERE.replace("krei", "ybei")])
    def test_an_unknown_blob(self, store: BlobStore, cid: str) -> None:
        for look in (store.open, store.stat, store.sidecar):
            with pytest.raises(BlobNotFound):
                look(Locator(cid))
        store.delete(Locator(cid))

    def test_content_that_the_node_has_but_the_store_has_not(
        self, two_nodes: tuple[Node, Node], store: BlobStore
    ) -> None:
        cid = two_nodes[0].run("add", "-Q", "--cid-version=1", data=secrets.token_bytes(100))
        with pytest.raises(BlobNotFound):
            store.open(Locator(cid))

    def test_content_that_only_the_other_node_has(
        self, two_nodes: tuple[Node, Node], store: BlobStore
    ) -> None:
        cid = two_nodes[1].run("add", "-Q", "--cid-version=1", data=secrets.token_bytes(100))
        with pytest.raises(BlobNotFound):
            store.stat(Locator(cid))


class TestDamage:
    @pytest.fixture(params=[False, True], ids=["offline", "online"])
    def node(self, request: pytest.FixtureRequest) -> Node:
        node: Node = (
            request.getfixturevalue("two_nodes")[0] if request.param else request.getfixturevalue("kubo")
        )
        return node

    @pytest.fixture
    def root(self) -> str:
        return f"/test/{secrets.token_hex(8)}"

    @pytest.fixture
    def store(self, node: Node, root: str) -> BlobStore:
        return open_store(node.store_url(root))

    def lose(self, node: Node, cid: str) -> None:
        node.block_file(cid).unlink()

    def test_a_lost_root_is_noticed_at_once(self, node: Node, store: BlobStore) -> None:
        kept, locator = publish(store, content(10, seed=1)), publish(store, content(2 * CHUNK))
        self.lose(node, locator)
        began = time.monotonic()
        for look in (store.open, store.stat, store.sidecar):
            with pytest.raises(BlobDamaged):
                look(locator)
        assert time.monotonic() - began < QUICK
        sidecars = {blob.locator: (blob.size, blob.sidecar) for blob in store.iter()}
        assert sidecars == {
            kept: (10, sidecar_of(content(10, seed=1))),
            locator: (0, sidecar_of(content(2 * CHUNK))),
        }
        self._heals(store, locator, content(2 * CHUNK))

    def test_a_lost_leaf_is_noticed_where_it_is_missing(self, node: Node, store: BlobStore) -> None:
        data = content(4 * CHUNK)
        locator = publish(store, data)
        leaves = node.run("ls", "--size=false", locator).split()
        self.lose(node, leaves[2])
        assert read_back(store, locator, length=2 * CHUNK) == data[: 2 * CHUNK]
        with pytest.raises(BlobDamaged):
            read_back(store, locator, offset=CHUNK)
        self._heals(store, locator, data)

    @pytest.mark.parametrize("spoiled", [b"", b"\xff" * 100])
    def test_a_spoilt_root_is_noticed(self, node: Node, store: BlobStore, spoiled: bytes) -> None:
        data = content(4 * CHUNK, seed=3)
        locator = publish(store, data)
        node.block_file(locator).write_bytes(spoiled)
        for look in (store.open, store.stat, store.sidecar):
            with pytest.raises(BlobDamaged):
                look(locator)
        with pytest.raises(StorageUnavailable, match="try again"):
            publish(store, data)
        self._heals(store, locator, data)

    def test_flipped_bytes_are_healed(self, node: Node, store: BlobStore) -> None:
        """The node itself notices nothing, and keeps what it has when the same content is added again."""
        data = content(8 * CHUNK, seed=5)
        locator = publish(store, data)
        leaves = node.run("ls", "--size=false", locator).split()
        for leaf in (leaves[0], leaves[7]):
            file = node.block_file(leaf)
            right = file.read_bytes()
            file.write_bytes(right[:1000] + bytes([right[1000] ^ 1]) + right[1001:])
        assert read_back(store, locator) != data
        with pytest.raises(StorageUnavailable, match="2 damaged blocks"):
            publish(store, data)
        node.collect_garbage()
        self._heals(store, locator, data)

    def _heals(self, store: BlobStore, locator: Locator, data: bytes) -> None:
        assert publish(store, data) == locator
        assert read_back(store, locator) == data
        store.delete(locator)

    def test_the_sweep_pins_again_what_lost_its_pin(self, node: Node, root: str, store: BlobStore) -> None:
        """And leaves alone what is not whole."""
        whole, broken = (publish(store, secrets.token_bytes(2 * CHUNK)) for _ in range(2))
        for locator in (whole, broken):
            node.run("pin", "rm", locator)
        self.lose(node, node.run("ls", "--size=false", broken).split()[1])
        began = time.monotonic()
        assert store.sweep_staged(older_than=timedelta(hours=1)) == 0
        assert time.monotonic() - began < QUICK
        pinned = node.run("pin", "ls", "--type=recursive", "--names")
        assert f"{whole} recursive moodle-resources {root} blob" in pinned
        assert broken not in pinned
        store.delete(whole)
        store.delete(broken)

    def test_a_damaged_blob_can_be_deleted(self, node: Node, store: BlobStore) -> None:
        locator = publish(store, content(2 * CHUNK, seed=2))
        self.lose(node, locator)
        store.delete(locator)
        assert list(store.iter()) == []
        with pytest.raises(BlobNotFound):
            store.stat(locator)

    def test_a_lost_sidecar_is_none(self, node: Node, root: str, store: BlobStore) -> None:
        locators = [publish(store, content(10, seed=seed)) for seed in range(3)]
        lost = locators[1]
        cid = node.run("files", "stat", "--hash", f"{root}/blobs/{lost[-3]}/{lost[-2]}/{lost}.json")
        self.lose(node, cid)
        began = time.monotonic()
        assert {blob.locator: blob.sidecar is None for blob in store.iter()} == {
            locator: locator == lost for locator in locators
        }
        assert store.sidecar(lost) is None
        assert store.stat(lost).modified > datetime.now(UTC) - timedelta(seconds=5)
        assert time.monotonic() - began < QUICK
        assert publish(store, content(10, seed=1)) == lost
        assert store.sidecar(lost) == sidecar_of(content(10, seed=1))


def test_a_node_that_checks_what_it_reads_finds_every_flipped_byte(tmp_path: Path) -> None:
    """Others do not: they give out what stands on the disk, and whoever reads has to check."""
    data = content(4 * CHUNK, seed=4)
    for checks in (True, False):
        with running_node(tmp_path / f"kubo-{checks}", Datastore__HashOnRead=checks) as node:
            store = open_store(node.store_url())
            locator = publish(store, data)
            leaf = node.block_file(node.run("ls", "--size=false", locator).split()[1])
            right = leaf.read_bytes()
            leaf.write_bytes(right[:1000] + bytes([right[1000] ^ 1]) + right[1001:])
            if checks:
                with pytest.raises(BlobDamaged):
                    read_back(store, locator)
            else:
                assert read_back(store, locator)[:CHUNK] == data[:CHUNK]
                assert read_back(store, locator) != data


class TestFetch:
    @pytest.fixture
    def stores(self, two_nodes: tuple[Node, Node]) -> tuple[BlobStore, BlobStore]:
        root = f"/test/{secrets.token_hex(8)}"
        first, second = (open_store(node.store_url(root)) for node in two_nodes)
        return first, second

    @pytest.mark.parametrize("size", [0, 10, 5 * CHUNK + 3])
    def test_a_blob_of_another_node(
        self, two_nodes: tuple[Node, Node], stores: tuple[BlobStore, BlobStore], size: int
    ) -> None:
        data = secrets.token_bytes(size)
        cid = addressed(stores[0]).cid_of(publish(stores[0], data))
        told: list[int] = []
        blob = addressed(stores[1]).fetch(
            cid, media_type="application/x-test", time_limit=SOON, max_size=size, progress=told.append
        )
        assert (blob.size, blob.sidecar) == (size, sidecar_of(data))
        stores[0].delete(Locator(cid))
        two_nodes[0].collect_garbage()
        two_nodes[1].collect_garbage()
        assert read_back(stores[1], blob.locator) == data
        assert list(stores[1].iter()) == [blob]
        assert all(0 <= size <= len(data) + CHUNK_SIZE for size in told)
        self._nothing_is_left(two_nodes[1], stores[1])

    def test_what_is_here_is_not_brought_again(
        self, two_nodes: tuple[Node, Node], stores: tuple[BlobStore, BlobStore]
    ) -> None:
        locator = publish(stores[0], content(CHUNK + 1, seed=9))
        blob = addressed(stores[0]).fetch(locator, media_type="a/b", time_limit=timedelta(seconds=2))
        assert blob.sidecar == sidecar_of(content(CHUNK + 1, seed=9), "a/b")
        self._nothing_is_left(two_nodes[0], stores[0])

    def test_what_is_damaged_here_is_brought_again(
        self, two_nodes: tuple[Node, Node], stores: tuple[BlobStore, BlobStore]
    ) -> None:
        data = secrets.token_bytes(3 * CHUNK)
        locator = publish(stores[0], data)
        addressed(stores[1]).fetch(locator, media_type="a/b", time_limit=SOON)
        leaves = two_nodes[1].run("ls", "--size=false", locator).split()
        two_nodes[1].block_file(leaves[0]).write_bytes(bytes(CHUNK))
        two_nodes[1].block_file(leaves[1]).unlink()
        addressed(stores[1]).fetch(locator, media_type="a/b", time_limit=SOON)
        assert read_back(stores[1], locator) == data
        self._nothing_is_left(two_nodes[1], stores[1])

    def test_what_others_have_cut_and_named_otherwise_is_brought_again_too(
        self, two_nodes: tuple[Node, Node], stores: tuple[BlobStore, BlobStore]
    ) -> None:
        """A tree of CIDv0, under the CIDv1 of its root."""
        data = secrets.token_bytes(3 * CHUNK)
        old = two_nodes[0].run("add", "-Q", "--cid-version=0", data=data)
        cid = two_nodes[0].run("cid", "format", "-v=1", "-b=base32", old)
        addressed(stores[1]).fetch(cid, media_type="a/b", time_limit=SOON)
        leaf = two_nodes[1].run("ls", "--size=false", cid).split()[1]
        assert leaf.startswith("Qm")
        leaf = two_nodes[1].run("cid", "format", "-v=1", "-b=base32", leaf)
        two_nodes[1].block_file(leaf).write_bytes(bytes(CHUNK))
        addressed(stores[1]).fetch(cid, media_type="a/b", time_limit=SOON)
        assert read_back(stores[1], Locator(cid)) == data

    def test_what_nobody_has_is_given_up_in_time(
        self, two_nodes: tuple[Node, Node], stores: tuple[BlobStore, BlobStore]
    ) -> None:
        began = time.monotonic()
        with pytest.raises(StorageUnavailable, match=f"connected to gives {NOWHERE} within 1 .*swarm peers"):
            addressed(stores[1]).fetch(NOWHERE, media_type="a/b", time_limit=timedelta(seconds=1))
        assert time.monotonic() - began < 5
        self._nothing_is_left(two_nodes[1], stores[1])

    def test_a_node_without_a_network_gets_nothing(self, kubo: Node, store: BlobStore) -> None:
        with pytest.raises(StorageUnavailable, match=f"connected to gives {NOWHERE} within 9 .*swarm peers"):
            addressed(store).fetch(NOWHERE, media_type="a/b", time_limit=timedelta(seconds=9))

    def test_a_node_that_hangs_is_no_node_without_the_content(self, lonely_node: Node) -> None:
        store = store_with(Patience(answer=1, brief=0.5, long=1), lonely_node.host, "/test")
        with lonely_node.paused(), pytest.raises(StorageUnavailable, match="does not answer as it should"):
            addressed(store).fetch(NOWHERE, media_type="a/b", time_limit=timedelta(seconds=1))

    def test_what_is_incomplete_everywhere_is_given_up_in_time(
        self, two_nodes: tuple[Node, Node], stores: tuple[BlobStore, BlobStore]
    ) -> None:
        data = secrets.token_bytes(3 * CHUNK)
        cid = two_nodes[0].run("add", "-Q", "--cid-version=1", "--pin=false", data=data)
        leaf = two_nodes[0].run("ls", "--size=false", cid).split()[1]
        two_nodes[0].run("block", "rm", leaf)
        began = time.monotonic()
        with pytest.raises(StorageUnavailable, match=f"connected to gives all of {cid} within"):
            addressed(stores[1]).fetch(cid, media_type="a/b", time_limit=timedelta(seconds=2))
        assert time.monotonic() - began < 8
        self._nothing_is_left(two_nodes[1], stores[1])

    def test_what_is_too_big_is_not_brought(
        self, two_nodes: tuple[Node, Node], stores: tuple[BlobStore, BlobStore]
    ) -> None:
        locator = publish(stores[0], secrets.token_bytes(3 * CHUNK))
        with pytest.raises(SizeMismatch):
            addressed(stores[1]).fetch(locator, media_type="a/b", time_limit=SOON, max_size=3 * CHUNK - 1)
        leaves = two_nodes[0].run("ls", "--size=false", locator).split()
        assert not two_nodes[1].blocks() & set(leaves)
        self._nothing_is_left(two_nodes[1], stores[1])

    def test_a_folder_is_no_blob(
        self, two_nodes: tuple[Node, Node], stores: tuple[BlobStore, BlobStore]
    ) -> None:
        folder = two_nodes[0].run("add", "-Q", "--cid-version=1", "--wrap-with-directory", data=b"inside")
        with pytest.raises(InvalidLocator):
            addressed(stores[1]).fetch(folder, media_type="a/b", time_limit=SOON)

    def test_a_media_type_is_checked_first(self, stores: tuple[BlobStore, BlobStore]) -> None:
        with pytest.raises(InvalidSidecar):
            addressed(stores[1]).fetch(NOWHERE, media_type="a\nb", time_limit=SOON)

    def test_other_stores_have_no_cids(self) -> None:
        memory = open_store("memory:")
        with pytest.raises(CapabilityMissing):
            memory.fetch(NOWHERE, media_type="a/b", time_limit=SOON)
        with pytest.raises(CapabilityMissing):
            memory.cid_of(NOWHERE)

    @staticmethod
    def _nothing_is_left(node: Node, store: BlobStore) -> None:
        assert store.sweep_staged(older_than=NOW) == 0
        pinned = set(node.run("pin", "ls", "--type=recursive", "--names").split("\n"))
        assert not [line for line in pinned if " staging " in line]
