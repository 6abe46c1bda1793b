"""Hints travel through every queue that a setting can name, to a worker in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from repo_service.jobs.queue import Queue

_WORKER = """
import sys
from pathlib import Path
from repo_service.jobs.queue import Handlers, Queue

told = Path(sys.argv[2])
def tell(line):
    with told.open("a") as file:
        file.write(line + "\\n")
Queue(sys.argv[1]).consume(
    Handlers(
        run_job=lambda job_id: tell(f"job {job_id}"),
        follow_changes=lambda: tell("changes"),
        sweep=lambda: None,
        collect_garbage=lambda: None,
        replicate=lambda: None,
    ),
    threads=1,
)
"""


@pytest.fixture(params=["sqlite", "postgresql", "redis"])
def queue_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """One of each kind of queue, empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'queue.db'}"
    name = {"postgresql": "postgres_url", "redis": "redis_url"}[request.param]
    url: str = request.getfixturevalue(name)
    return url


def test_a_worker_takes_hints_of_other_processes_and_stops_when_told(
    queue_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """What a web process hints at reaches the worker, whichever came first."""
    told, job_id = tmp_path / "told", uuid4()
    queue = Queue(queue_url)
    request.addfinalizer(queue.close)
    queue.check()
    queue.hint_job(job_id)
    worker = subprocess.Popen([sys.executable, "-c", _WORKER, queue_url, str(told)])
    try:
        _wait_for_line(told, f"job {job_id}")
        queue.hint_changes()
        _wait_for_line(told, "changes")
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=20) == 0


def test_a_queue_that_is_not_there_says_so() -> None:
    """Readiness asks this."""
    with pytest.raises(Exception, match=r"refused|connect"):
        Queue("redis://127.0.0.1:1/0").check()


def test_an_unknown_queue_is_refused() -> None:
    """A typing mistake in the setting is told at the start."""
    with pytest.raises(ValueError, match="a queue URL begins with"):
        Queue("kafka://broker")


def _wait_for_line(path: Path, line: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if path.exists() and line in path.read_text().splitlines():
            return
        time.sleep(0.05)
    raise AssertionError(f"the worker never told {line!r}")
