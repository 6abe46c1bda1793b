"""A throw-away Redis server for the tests: own folder, loopback only, nothing kept."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.support.services import free_port, missing

_SECONDS_TO_START = 15


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """URL of a running, empty Redis."""
    program = shutil.which("redis-server")
    if program is None:
        missing("Redis", "install the server (Debian: apt-get install redis-server)")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="repo-redis-") as folder:
        options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
        server = subprocess.Popen([program, *options], cwd=folder, stdout=subprocess.DEVNULL)
        try:
            _wait_for(server, port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait_for(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    with Redis(host="127.0.0.1", port=port) as client:
        while time.monotonic() < deadline and server.poll() is None:
            try:
                client.ping()
            except RedisConnectionError:
                time.sleep(0.05)
            else:
                return
    raise RuntimeError("Redis did not start")
