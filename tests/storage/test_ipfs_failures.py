"""The IPFS store when things go wrong: writers that die, garbage collection, many writers, nodes that die."""

from __future__ import annotations

import http.server
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

import storage.ipfs
from storage import (
    BlobNotFound,
    BlobStore,
    Locator,
    StorageError,
    StorageFull,
    StorageRefused,
    StorageUnavailable,
    content_addressed,
    open_store,
)
from storage.ipfs import IpfsDriver
from storage.kubo import Kubo, Patience, Refused, StatusError, inline
from tests.storage.conformance import HOUR, MIB, NOW, content, publish, read_back, sidecar_of
from tests.storage.ipfs_writer import CONTENT, store_with
from tests.support.ipfs import Node, running_node
from tests.support.services import free_port

_PROJECT = Path(__file__).resolve().parents[2]
_WRITER = [sys.executable, "-m", "tests.storage.ipfs_writer"]
_SOMEWHERE = Locator("bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")


@pytest.fixture
def root() -> str:
    return f"/test/{secrets.token_hex(8)}"


@pytest.fixture
def store(kubo: Node, root: str) -> BlobStore:
    return open_store(kubo.store_url(root))


def pins(node: Node, root: str) -> dict[str, str]:
    """What the store under ``root`` pinned: CID and what kind of pin it is."""
    lines = (line.split() for line in node.run("pin", "ls", "--type=recursive", "--names").splitlines())
    return {line[0]: line[4] for line in lines if line[2:4] == ["moodle-resources", root]}


class TestWritersThatDie:
    def test_killed_before_every_request(self, kubo: Node, root: str, store: BlobStore) -> None:
        kept = publish(store, b"kept")
        command = [*_WRITER, "crash", kubo.host, root]
        with subprocess.Popen(command, cwd=_PROJECT, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            deaths = [int(line) for line in writer.stdout]
        assert writer.returncode == 0
        assert deaths == list(range(len(deaths)))
        assert len(deaths) > 10, "the writer died at many different points"
        for blob in store.iter():
            assert blob.locator == kept or blob.sidecar == sidecar_of(CONTENT)
        assert store.sweep_staged(older_than=HOUR) == 0
        swept = store.sweep_staged(older_than=NOW)
        assert len(deaths) - 2 <= swept <= len(deaths), (
            "each noted that it began, and could not say that it ended"
        )
        published = {blob.locator for blob in store.iter()}
        assert pins(kubo, root) == dict.fromkeys(published, "blob")
        for locator in published - {kept}:
            assert read_back(store, locator) == CONTENT

    def test_one_that_dies_before_publishing_leaves_garbage_only(self, lonely_node: Node, root: str) -> None:
        store = open_store(lonely_node.store_url(root))
        kept = publish(store, b"kept")
        before = len(lonely_node.blocks())
        child = os.fork()
        if not child:
            staged = open_store(lonely_node.store_url(root)).stage()
            staged.write(content(8 * MIB))
            os._exit(0)
        os.waitpid(child, 0)
        assert len(lonely_node.blocks()) > before
        assert store.sweep_staged(older_than=HOUR) == 0
        assert store.sweep_staged(older_than=NOW) == 1
        lonely_node.collect_garbage()
        assert len(lonely_node.blocks()) <= before
        assert read_back(store, kept) == b"kept"

    def test_an_upload_that_goes_on_for_long_says_so(
        self, kubo: Node, root: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(storage.ipfs, "_KEEP_MARKED", 0.0)
        store = open_store(kubo.store_url(root))
        with store.stage() as staged:
            staged.write(b"begun long ago, ")
            time.sleep(2.1)
            staged.write(b"and gone on with now")
            assert store.sweep_staged(older_than=timedelta(seconds=1)) == 0
            locator = staged.publish(sidecar_of(b"begun long ago, and gone on with now"))
        assert store.stat(locator).size == 36

    def test_a_swept_upload_is_noticed_while_it_is_written(
        self, kubo: Node, root: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(storage.ipfs, "_KEEP_MARKED", 0.0)
        store = open_store(kubo.store_url(root))
        with store.stage() as staged:
            assert store.sweep_staged(older_than=NOW) == 1
            with pytest.raises(StorageUnavailable, match="swept"):
                staged.write(b"too late")


class TestOneWriter:
    def test_others_wait(self, kubo: Node, root: str) -> None:
        nodes = [Kubo(kubo.host), Kubo(kubo.host)]
        inside = 0

        def enter(turn: int) -> None:
            nonlocal inside
            with nodes[turn % 2].one_writer(f"{root}/writer/lease"):
                inside += 1
                assert inside == 1
                time.sleep(0.005)
                inside -= 1

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(enter, range(40)))
        assert kubo.run("files", "ls", f"{root}/writer") == ""

    def test_a_dead_writer_is_given_up(self, kubo: Node, root: str) -> None:
        cid = inline("a writer that died")
        kubo.run("files", "cp", "--parents", f"/ipfs/{cid}", f"{root}/writer/lease")
        store = store_with(Patience(lease=0.5), kubo.host, root)
        began = time.monotonic()
        locator = publish(store, b"at last")
        assert 0.5 < time.monotonic() - began < 10
        assert read_back(store, locator) == b"at last"

    def test_a_writer_that_never_ends_is_not_waited_for_without_end(self, kubo: Node, root: str) -> None:
        store = store_with(Patience(long=1.0), kubo.host, root)
        with Kubo(kubo.host).one_writer(f"{root}/writer/lease"), pytest.raises(StorageUnavailable):
            publish(store, b"never")
        assert list(store.iter()) == []
        assert store.sweep_staged(older_than=NOW) == 1
        assert pins(kubo, root) == {}

    def test_many_processes_and_threads(self, lonely_node: Node, root: str) -> None:
        url = lonely_node.store_url(root)
        processes, number = 4, 12
        writers = [
            subprocess.Popen(
                [*_WRITER, "publish", url, str(seed + 1), str(number)],
                cwd=_PROJECT,
                stdout=subprocess.PIPE,
                text=True,
            )
            for seed in range(processes)
        ]
        store = open_store(url)
        with ThreadPoolExecutor(4) as pool:
            mine = list(pool.map(lambda n: publish(store, content(1000, seed=n % 5)), range(20)))
        printed = [writer.communicate(timeout=120)[0].split() for writer in writers]
        assert [writer.returncode for writer in writers] == [0] * processes
        assert [len(lines) for lines in printed] == [number] * processes
        expected = {*mine, *(locator for lines in printed for locator in lines)}
        assert len(expected) == 5 + number // 2 + processes * number // 2
        lonely_node.kill()  # what was acknowledged is on disk
        lonely_node.start()
        store = open_store(url)
        blobs = list(store.iter())
        assert {blob.locator for blob in blobs} == expected
        for blob in blobs:
            assert blob.sidecar == sidecar_of(read_back(store, blob.locator))
        assert pins(lonely_node, root) == dict.fromkeys(expected, "blob")

    def test_publishing_and_deleting_the_same_content(self, kubo: Node, root: str, store: BlobStore) -> None:
        data = content(300_000, seed=77)

        def one(turn: int) -> None:
            locator = publish(store, data)
            if turn % 2:
                store.delete(locator)

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(one, range(24)))
        locator = publish(store, data)
        kubo.collect_garbage()
        assert read_back(store, locator) == data
        store.delete(locator)
        assert pins(kubo, root) == {}
        assert store.sweep_staged(older_than=NOW) == 0


class TestGarbageCollection:
    def test_it_takes_what_is_no_blob_and_nothing_else(self, lonely_node: Node, root: str) -> None:
        store = open_store(lonely_node.store_url(root))
        blobs = {publish(store, content(size, seed=size)): size for size in (0, 10, 300_000, 3 * MIB)}
        deleted, aborted = content(600_000, seed=-1), content(600_000, seed=-2)
        store.delete(publish(store, deleted))
        with store.stage() as staged:
            staged.write(aborted)
            staged.write(content(8 * MIB, seed=-3))
        options = ["--only-hash", "--cid-version=1", "--raw-leaves", "-Q"]
        leaves = [lonely_node.run("add", *options, data=data[:262144]) for data in (deleted, aborted)]
        assert all(leaf in lonely_node.blocks() for leaf in leaves)
        lonely_node.collect_garbage()
        assert not any(leaf in lonely_node.blocks() for leaf in leaves)
        lonely_node.stop()
        lonely_node.start()
        assert {blob.locator: blob.size for blob in store.iter()} == blobs
        for locator, size in blobs.items():
            assert read_back(store, locator) == content(size, seed=size)
            assert store.sidecar(locator) == sidecar_of(content(size, seed=size))

    def test_it_may_run_while_blobs_come_and_go(self, lonely_node: Node, root: str) -> None:
        """Neither the blobs nor the catalogue depend on what the node has in memory."""
        store = open_store(lonely_node.store_url(root))
        garbage = ["--quieter", "--pin=false", "--chunker=size-4096"]
        stop = threading.Event()
        collected = 0

        def collect() -> None:
            nonlocal collected
            while not stop.is_set():
                lonely_node.run("add", *garbage, data=secrets.token_bytes(2 * MIB))
                lonely_node.collect_garbage()
                collected += 1

        collector = threading.Thread(target=collect)
        collector.start()
        try:
            kept = {}
            for n in range(36):
                data = content(2000 + n, seed=n)
                locator = publish(store, data)
                if n % 3:
                    kept[locator] = data
                else:
                    store.delete(locator)
        finally:
            stop.set()
            collector.join()
        assert collected > 3
        lonely_node.kill()
        lonely_node.start()
        for _ in range(2):
            assert {blob.locator: blob.sidecar for blob in store.iter()} == {
                locator: sidecar_of(data) for locator, data in kept.items()
            }
            for locator, data in kept.items():
                assert read_back(store, locator) == data
            lonely_node.collect_garbage()

    def test_a_lost_catalogue_can_be_written_again(self, lonely_node: Node, root: str) -> None:
        """Content does not depend on it."""
        store = open_store(lonely_node.store_url(root))
        data = content(600_000, seed=3)
        locator = publish(store, data)
        lonely_node.stop()
        lonely_node.run("files", "chroot", "--confirm")
        lonely_node.start()
        lonely_node.collect_garbage()
        with pytest.raises(BlobNotFound):
            store.stat(locator)
        addressed = content_addressed(store)
        assert addressed is not None
        found = addressed.fetch(locator, media_type="application/x-test", time_limit=timedelta(seconds=5))
        assert found.sidecar == store.sidecar(locator) == sidecar_of(data)
        assert read_back(store, locator) == data
        assert pins(lonely_node, root) == {locator: "blob"}


class TestNodesThatDie:
    def test_in_the_middle_of_an_upload(self, lonely_node: Node, root: str) -> None:
        store = open_store(lonely_node.store_url(root))
        kept = publish(store, b"kept")
        with store.stage() as staged:
            staged.write(content(4 * MIB))
            lonely_node.kill()
            with pytest.raises(StorageUnavailable):
                staged.write(content(32 * MIB))
        lonely_node.start()
        assert [blob.locator for blob in store.iter()] == [kept]
        assert store.sweep_staged(older_than=NOW) == 1
        lonely_node.collect_garbage()
        assert read_back(store, kept) == b"kept"

    def test_before_publishing(self, lonely_node: Node, root: str) -> None:
        store = open_store(lonely_node.store_url(root))
        with store.stage() as staged:
            staged.write(content(MIB))
            lonely_node.kill()
            with pytest.raises(StorageUnavailable):
                staged.publish(sidecar_of(content(MIB)))
        lonely_node.start()
        assert list(store.iter()) == []
        assert read_back(store, publish(store, content(MIB))) == content(MIB)

    def test_in_the_middle_of_a_download(self, lonely_node: Node, root: str) -> None:
        store = open_store(lonely_node.store_url(root))
        locator = publish(store, content(40 * MIB))
        with store.open(locator) as reader:
            assert reader.read(MIB) == content(40 * MIB)[:MIB]
            lonely_node.kill()
            with pytest.raises(StorageUnavailable):
                reader.read()
        lonely_node.start()
        assert read_back(store, locator) == content(40 * MIB)

    def test_a_dead_node_is_noticed_at_once(self) -> None:
        address = f"127.0.0.1:{free_port()}"
        self._fails_within(5, open_store(f"ipfs+http://{address}"), f"no IPFS node answers at {address}")

    def test_a_node_that_hangs_is_noticed(self, lonely_node: Node, root: str) -> None:
        locator = publish(open_store(lonely_node.store_url(root)), b"kept")
        store = store_with(Patience(answer=0.5, brief=0.5, long=0.5), lonely_node.host, root)
        with lonely_node.paused():
            self._fails_within(20, store)
        assert read_back(store, locator) == b"kept"

    def test_a_node_that_hangs_is_not_ready(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            began = time.monotonic()
            with pytest.raises(StorageUnavailable):
                open_store(f"ipfs+http://127.0.0.1:{silent.getsockname()[1]}").check()
            assert time.monotonic() - began < 10

    @staticmethod
    def _fails_within(seconds: float, store: BlobStore, message: str | None = None) -> None:
        acts: list[Callable[[], object]] = [
            store.check,
            store.free_bytes,
            lambda: store.stat(_SOMEWHERE),
            lambda: store.open(_SOMEWHERE),
            lambda: store.sidecar(_SOMEWHERE),
            lambda: store.delete(_SOMEWHERE),
            lambda: list(store.iter()),
            lambda: store.sweep_staged(older_than=NOW),
            lambda: publish(store, b"x"),
        ]
        began = time.monotonic()
        for act in acts:
            with pytest.raises(StorageUnavailable, match=message):
                act()
        assert time.monotonic() - began < seconds


class TestFullDisk:
    @pytest.fixture
    def node(self, tmp_path: Path) -> Iterator[Node]:
        if os.geteuid() != 0:
            pytest.skip("only root can mount a small filesystem")
        disk = tmp_path / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("mounting is not allowed here")
        try:
            with running_node(disk / "kubo") as node:
                yield node
        finally:
            subprocess.run(["umount", str(disk)], check=True)

    def test_it_is_said_and_recovered_from(self, node: Node, root: str) -> None:
        """The node learns it late: it believes in ten gigabytes."""
        store = open_store(node.store_url(root))
        kept = publish(store, b"kept")
        with pytest.raises(StorageFull):
            publish(store, content(40 * MIB))
        assert read_back(store, kept) == b"kept"
        assert [blob.locator for blob in store.iter()] == [kept]
        assert pins(node, root) == {kept: "blob"}
        node.collect_garbage()
        assert read_back(store, publish(store, content(4 * MIB))) == content(4 * MIB)


class TestWhatIsNoNode:
    @contextmanager
    def answering(self, status: int, body: bytes) -> Iterator[BlobStore]:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Nothing."""

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield open_store(f"ipfs+http://127.0.0.1:{server.server_port}")
            finally:
                server.shutdown()
                thread.join()

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 405])
    def test_an_operator_must_act(self, status: int) -> None:
        with self.answering(status, b"<html>no</html>") as store:
            for act in (store.check, lambda: store.stat(_SOMEWHERE), lambda: publish(store, b"x")):
                with pytest.raises(StorageRefused):
                    act()

    @pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"null", b"{}", b'{"Keys": 1}', b"\xff" * 99])
    def test_nonsense_is_trouble(self, body: bytes) -> None:
        with self.answering(200, body) as store:
            acts: list[Callable[[], object]] = [
                store.check,
                store.free_bytes,
                lambda: store.stat(_SOMEWHERE),
                lambda: publish(store, b"x"),
            ]
            for act in acts:
                with pytest.raises(StorageError):
                    act()

    def test_a_node_that_lets_only_others_in(self, tmp_path: Path) -> None:
        others = {"AuthSecret": "bearer:secret", "AllowedPaths": ["/api/v0"]}
        with running_node(tmp_path / "kubo", API__Authorizations={"others": others}) as node:
            store = open_store(node.store_url())
            for act in (store.check, lambda: store.stat(_SOMEWHERE), lambda: publish(store, b"x")):
                with pytest.raises(StorageRefused):
                    act()


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (Refused("write /blocks/x: no space left on device", None), StorageFull),
        (Refused("mkdir: disk quota exceeded", None), StorageFull),
        (Refused("block was not found locally (offline): ipld: could not find bafy", None), BlobNotFound),
        (Refused("context deadline exceeded", None), StorageUnavailable),
        (StatusError(ValueError("403 Forbidden")), StorageRefused),
        (TimeoutError("timed out"), StorageUnavailable),
        (ConnectionResetError(), StorageUnavailable),
        (http.client.IncompleteRead(b""), StorageUnavailable),
    ],
)
def test_errors_mean(error: Exception, meaning: type[StorageError]) -> None:
    translated = IpfsDriver(Kubo("127.0.0.1:9")).translate(error)
    assert isinstance(translated, meaning)


def test_a_bug_stays_a_bug() -> None:
    assert IpfsDriver(Kubo("127.0.0.1:9")).translate(KeyError("x")) is None


def test_who_does_not_use_ipfs_does_not_load_its_library() -> None:
    program = "import sys, storage; storage.open_store('memory:'); sys.exit('ipfshttpclient' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=_PROJECT)
