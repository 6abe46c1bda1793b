"""Another implementation of ActivityPub, as a process of its own: Fedify, on Node.js."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.running import wait_for
from tests.support.services import free_port, missing

_HERE = Path(__file__).with_name("fedify_peer")
_DIGEST_LENGTH = 12


@dataclass(frozen=True)
class Fedify:
    """A server with one actor, Alice, who does as she is told."""

    port: int
    client: httpx.Client

    @property
    def host(self) -> str:
        """As others name it."""
        return f"127.0.0.1:{self.port}"

    def follow(self, who: str) -> Any:
        """Find somebody, and ask to follow them; returns who they are."""
        return self._do("follow", who=who)

    def tell(self, who: str, type_: str, **thing: str) -> Any:
        """Tell somebody of a resource of Alice's that was created, updated or deleted; returns where it
        is."""
        return self._do("tell", who=who, type=type_, **thing)

    def received(self) -> list[dict[str, Any]]:
        """What came to its inboxes, and was verified."""
        found: list[dict[str, Any]] = self._do("received")
        return found

    def _do(self, what: str, **given: str) -> Any:
        answered = self.client.post(f"/control/{what}", json=given)
        assert answered.status_code == 200, answered.text
        return answered.json()


@pytest.fixture
def fedify(tmp_path: Path) -> Iterator[Fedify]:
    """A new one; it knows nobody."""
    modules = _modules()
    folder = tmp_path / "fedify"
    folder.mkdir()
    shutil.copy(_HERE / "peer.mjs", folder)
    (folder / "node_modules").symlink_to(modules)
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["node", "peer.mjs", str(port)], cwd=folder, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            peer = Fedify(port, client)

            def answers() -> bool:
                assert process.poll() is None, (folder / "log").read_text()
                with suppress(httpx.TransportError):
                    return peer.received() == []
                return False

            wait_for(answers, "Fedify")
            yield peer
    finally:
        process.terminate()
        process.wait()


def _modules() -> Path:
    """Where tests/support/fedify_peer/build puts them."""
    digest = hashlib.sha256((_HERE / "package-lock.json").read_bytes()).hexdigest()[:_DIGEST_LENGTH]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    found = cache / "moodle-resources-repository" / f"fedify-{digest}" / "node_modules"
    if not found.is_dir() or shutil.which("node") is None:
        missing("Fedify", "bash tests/support/fedify_peer/build (needs Node.js)")
    return found
