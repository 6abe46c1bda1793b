"""Real IPFS nodes for tests and benches: Kubo (``ipfs``) on loopback, knowing nobody on the network."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.services import free_port, missing

_START_SECONDS = 60
_STOP_SECONDS = 30
_GO_MOD = Path(__file__).with_name("kubo") / "go.mod"


@dataclass
class Node:
    """A node and its repository in ``folder``. It keeps its ports when it is started again."""

    program: str
    folder: Path
    online: bool = False
    api_port: int = field(default_factory=free_port)
    swarm_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.api_port}"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "IPFS_PATH": str(self.folder), "IPFS_TELEMETRY": "off"}

    def store_url(self, root: str = "/repo", **options: str) -> str:
        """What ``storage.open_store`` needs."""
        return f"ipfs+http://{self.host}?{urlencode({'root': root, **options})}"

    def make(self, **settings: Any) -> None:
        """Begin the repository; ``settings`` go into its configuration, ``Datastore__StorageMax="1GB"``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # The profile: no bootstrap nodes, no discovery, no automatic configuration or certificates, loopback.
        self.run("init", "--empty-repo", "--profile=test")
        path = self.folder / "config"
        config = json.loads(path.read_text())
        settings = {
            "Addresses__API": f"/ip4/127.0.0.1/tcp/{self.api_port}",
            "Addresses__Gateway": [],
            "Addresses__Swarm": [f"/ip4/127.0.0.1/tcp/{self.swarm_port}"],
            "Routing__Type": "none",
            **settings,
        }
        for name, value in settings.items():
            section, _, key = name.partition("__")
            config.setdefault(section, {})[key] = value
        path.write_text(json.dumps(config))

    def run(self, *arguments: str, data: bytes | None = None) -> str:
        """What ``ipfs`` prints; it asks the node when that runs."""
        done = subprocess.run(
            [self.program, *arguments],
            env=self.environment,
            input=data,
            stdin=subprocess.DEVNULL if data is None else None,
            capture_output=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"ipfs {' '.join(arguments)}: {done.stderr.decode(errors='replace')}")
        return done.stdout.decode().strip()

    def start(self) -> None:
        mode = [] if self.online else ["--offline"]
        with (self.folder / "daemon.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, "daemon", *mode],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            if self._answers():
                return
            time.sleep(0.05)
        self.kill()
        tail = (self.folder / "daemon.log").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"the IPFS node did not start within {_START_SECONDS} seconds:\n{tail}")

    def stop(self) -> None:
        """Cleanly, and wait for its end."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        self.process = None

    def kill(self) -> None:
        """At once, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = None
        (self.folder / "api").unlink(missing_ok=True)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It stands still, with its connections open."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def blocks(self) -> set[str]:
        """Every block that it has, as a CID of raw bytes."""
        return set(self.run("refs", "local").split())

    def block_file(self, cid: str) -> Path:
        """Where a block, by a CIDv1 in base32, is on its disk."""
        multihash = base64.b32decode(cid[1:].upper() + "=" * (-len(cid[1:]) % 8))[2:]
        name = base64.b32encode(multihash).decode().rstrip("=")
        return self.folder / "blocks" / name[-3:-1] / f"{name}.data"

    def collect_garbage(self) -> None:
        self.run("repo", "gc", "--quiet")

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(self.host, timeout=5)
        try:
            connection.request("POST", "/api/v0/version")
            return connection.getresponse().status in {http.client.OK, http.client.FORBIDDEN}
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def kubo_program() -> str:
    """Path of the node's program: on the PATH, or where tests/support/kubo/build puts it."""
    found = re.search(r"^require github\.com/ipfs/kubo v(\S+)$", _GO_MOD.read_text(), re.MULTILINE)
    assert found is not None
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    built = cache / "moodle-resources-repository" / f"kubo-{found[1]}"
    program = shutil.which("ipfs") or shutil.which("ipfs", path=str(built))
    if program is None:
        missing("Kubo", "bash tests/support/kubo/build (needs Go)")
    return program


@contextmanager
def running_node(folder: Path, *, online: bool = False, **settings: Any) -> Iterator[Node]:
    """A new node with its repository in ``folder``; on leaving it is stopped."""
    node = Node(kubo_program(), folder, online)
    node.make(**settings)
    node.start()
    try:
        yield node
    finally:
        node.stop()


@contextmanager
def connected_nodes(folder: Path) -> Iterator[tuple[Node, Node]]:
    """Two nodes that know only each other."""
    with (
        running_node(folder / "first", online=True) as first,
        running_node(folder / "second", online=True) as second,
    ):
        peer = first.run("id", "--format=<id>")
        second.run("swarm", "connect", f"/ip4/127.0.0.1/tcp/{first.swarm_port}/p2p/{peer}")
        yield first, second


@pytest.fixture(scope="session")
def kubo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One node, offline, for the whole session. Tests take a root of their own and never stop it."""
    folder = tmp_path_factory.mktemp("kubo")
    with running_node(folder) as node:
        yield node
    shutil.rmtree(folder)


@pytest.fixture
def lonely_node(tmp_path: Path) -> Iterator[Node]:
    """A node of one's own, offline, to stop, kill and fill."""
    with running_node(tmp_path / "kubo") as node:
        yield node


@pytest.fixture(scope="module")
def two_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Node, Node]]:
    """Two nodes on one network of their own."""
    folder = tmp_path_factory.mktemp("two-nodes")
    with connected_nodes(folder) as nodes:
        yield nodes
    shutil.rmtree(folder)
