"""The processes of ``repo run`` end together, whichever is killed, and share their port with nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.running import Running, running, wait_for


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as started:
        family = [started.process, *started.process.children(recursive=True)]
        try:
            yield started
        finally:
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    process.kill()


def _web_processes(service: Running) -> tuple[psutil.Process, Sequence[psutil.Process]]:
    """The web server and those of its processes that answer."""
    server = next(child for child in service.process.children() if "serve" in child.cmdline())
    return server, wait_for(server.children, "web processes")


def _gone(processes: Sequence[psutil.Process]) -> None:
    wait_for(lambda: not any(process.is_running() for process in processes), "the end of the children", 60)


def test_nothing_goes_on_serving_when_the_parent_is_killed(service: Running) -> None:
    children = service.process.children(recursive=True)
    assert len(children) == 4  # the server with two processes that answer, and the worker
    service.process.kill()
    _gone(children)
    with pytest.raises(httpx.ConnectError):
        service.client.get("/healthz")


def test_web_processes_end_with_their_server_and_all_is_stopped_for_a_new_start(service: Running) -> None:
    server, answering = _web_processes(service)
    worker = service.worker()
    server.kill()
    _gone([*answering, worker])
    assert service.process.wait(60) != 0  # so that a supervisor starts it again


def test_a_web_process_that_is_killed_is_replaced(service: Running) -> None:
    server, answering = _web_processes(service)
    answering[0].kill()
    wait_for(lambda: answering[0] not in server.children() and len(server.children()) == 2, "another one")
    wait_for(lambda: _is_ready(service), "an answer")


def _is_ready(service: Running) -> bool:
    """On a slow machine the one that was killed was the only one that had started."""
    with suppress(httpx.TransportError):
        return service.client.get("/readyz").is_success
    return False


@pytest.mark.parametrize("command", ["run", "serve"])
def test_a_second_service_does_not_share_the_port(service: Running, command: str, tmp_path: Path) -> None:
    environment = os.environ | {"REPO_DATA_DIR": str(tmp_path / "other"), "REPO_PORT": str(service.port)}
    second = subprocess.run(
        [sys.executable, "-m", "repo_service", command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert second.returncode == 1
    assert f"port {service.port}: stop it, or set REPO_PORT" in second.stderr
    assert "Bearer" not in second.stdout  # it made no account, and showed no secret
