"""The real web server in a process of its own, for what only a socket shows."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from repo_service.app import create_app, engine_of, migrate, services_of
from repo_service.domain.identity import SCOPES_OF_ROLE, Role
from repo_service.services.container import Services
from repo_service.settings import Settings
from tests.support.service import OPERATOR
from tests.support.services import free_port

_SECONDS = 120


@dataclass(frozen=True)
class Answer:
    """What came back over a socket. ``sent`` is how many bytes of the body the client had to send for it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    continued: bool


@dataclass
class Live:
    """A running server, the services on the same database, and a member's token. ``log`` is what it wrote."""

    port: int
    settings: Settings
    services: Services
    token: str
    log: Path

    @contextmanager
    def connection(self) -> Iterator[socket.socket]:
        """A bare connection to it."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            yield connection

    def head(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> bytes:
        """The first lines of a request of the member's."""
        lines = {
            "Host": f"127.0.0.1:{self.port}",
            "Authorization": f"Bearer {self.token}",
            "Connection": "close",
            **(headers or {}),
        }
        told = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"{method} {path} HTTP/1.1\r\n{told}\r\n".encode("latin-1")


def read_answer(connection: socket.socket) -> Answer:
    """One response; ``100 Continue`` before it is noted and skipped."""
    data = b""
    continued = False
    while True:
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                raise ConnectionError(f"the connection ended after {data!r}")
            data += piece
        head, _, data = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        if status != 100:
            break
        continued = True
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    length = int(headers.get("content-length", "0"))
    while len(data) < length:
        piece = connection.recv(65536)
        if not piece:
            break
        data += piece
    return Answer(status, headers, data, continued)


@contextmanager
def serving(folder: Path, **overrides: str) -> Iterator[Live]:
    """``repo serve`` with its data in ``folder``; ``overrides`` are settings by their variables' names."""
    port = free_port()
    variables = {
        "REPO_DATA_DIR": str(folder / "var"),
        "REPO_PORT": str(port),
        "REPO_BASE_URL": f"http://127.0.0.1:{port}",
        "REPO_WEB_WORKERS": "1",
        "REPO_WEB_THREADS": "4",
        "REPO_MIN_FREE_SPACE": "0",
        **overrides,
    }
    settings = Settings.model_validate(
        {name.removeprefix("REPO_").lower(): value for name, value in variables.items()}
    )
    app = create_app(settings)
    migrate(app)
    services = services_of(app)
    account = services.accounts.create(OPERATOR, username="teacher")
    issued = services.accounts.issue_token(
        OPERATOR, name="test", scopes=SCOPES_OF_ROLE[Role.MEMBER], account_id=account.id
    )
    log = folder / "server.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REPO_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "repo_service", "serve"],
            env=environment | variables,
            stdout=output,
            stderr=output,
        )
    try:
        _wait_until_it_answers(process, port, log)
        yield Live(port=port, settings=settings, services=services, token=issued.secret, log=log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_SECONDS)
        services.close()
        engine_of(app).dispose()


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                if read_answer(connection).status == 200:
                    return
        except (OSError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError(f"the server does not answer:\n{log.read_text()}")
