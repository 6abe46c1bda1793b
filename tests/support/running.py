"""``repo run`` as real processes: to be asked over sockets, measured, and killed."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

from tests.support.services import free_port

_START_SECONDS = 180.0
_MIB = 1024 * 1024

T = TypeVar("T")


@dataclass(frozen=True)
class Running:
    """A service on SQLite and a file store in ``data``. ``client`` shows its administrator's token."""

    process: psutil.Process
    port: int
    data: Path
    client: httpx.Client
    token: str

    def worker(self) -> psutil.Process:
        """The job worker of this moment."""
        return wait_for(self._find_worker, "a worker")

    def _find_worker(self) -> psutil.Process | None:
        return next((child for child in self.process.children() if "worker" in child.cmdline()), None)

    @contextmanager
    def within(self, *, mebibytes: float, seconds: float) -> Iterator[None]:
        """What is done meanwhile must cost no process of the service more memory, and no more time."""
        self._wait_until_all_have_started()
        before = {}
        for process in self.process.children(recursive=True):
            Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # the peak counts from here
            before[process.pid] = process.memory_info().rss
        begin = time.monotonic()
        yield
        took = time.monotonic() - begin
        grown = {pid: (_peak(pid) - rss) / _MIB for pid, rss in before.items()}
        print(f"{took:.1f} s, {max(grown.values()):.0f} MiB")
        assert max(grown.values()) < mebibytes, grown
        assert took < seconds

    def _wait_until_all_have_started(self) -> None:
        """The first that answers is not the last that starts: what they load is no cost of a test."""

        def is_at_rest() -> bool:
            processes = self.process.children(recursive=True)
            begin = [process.memory_info().rss for process in processes]
            time.sleep(0.5)
            return all(
                process.memory_info().rss - rss < _MIB for process, rss in zip(processes, begin, strict=True)
            )

        wait_for(is_at_rest, "the processes to be at rest")

    def send(self, path: Path, **fields: str) -> httpx.Response:
        """POST a form with this file as a new resource."""
        with path.open("rb") as file:
            return self.client.post(
                "/api/v1/resources", files={"file": (path.name, file)}, data=fields, timeout=120
            )

    def settled(self, resource: dict[str, Any], seconds: float = 60) -> dict[str, Any]:
        """The resource once its inspection is over."""

        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = self.client.get(resource["api_url"]).json()
            states = {version["processing"]["state"] for version in found["versions"]}
            return found if states <= {"done", "failed"} else None

        return wait_for(look, "the end of the inspection", seconds)

    def web(self) -> list[psutil.Process]:
        """The processes that answer requests."""
        (server,) = (child for child in self.process.children() if "serve" in child.cmdline())
        return list(server.children())

    def rows(self) -> dict[str, int]:
        """How many rows the tables of the catalogue have; of the uploads those on their way in."""
        tables = ("resources", "versions", "blobs", "blob_locations", "inspections")
        with closing(sqlite3.connect(f"file:{self.data / 'repo.db'}?mode=ro", uri=True)) as database:
            counts = {
                table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables
            }
            waiting = "SELECT count(*) FROM uploads WHERE state IN ('open', 'publishing')"
            return {**counts, "uploads": database.execute(waiting).fetchone()[0]}

    def stored(self) -> set[str]:
        """Files of published blobs."""
        return {path.name for path in (self.data / "store" / "blobs").rglob("*") if path.is_file()}

    def staged(self) -> set[str]:
        """Files of uploads that are on their way in."""
        return {path.name for path in (self.data / "store" / "staging").iterdir()}


@contextmanager
def running(folder: Path, *, before: Running | None = None, **settings: str) -> Iterator[Running]:
    """``repo run`` in ``folder``; ``settings`` are environment variables without their REPO_.

    ``before`` is one that ran there and is gone: its address and its token are used again.
    """
    port = free_port() if before is None else before.port
    url = f"http://127.0.0.1:{port}"
    data, out = folder / "var", folder / "out"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REPO_")}
    given = {"data_dir": str(data), "port": str(port), "base_url": url, **settings}
    environment |= {f"REPO_{name.upper()}": value for name, value in given.items()}
    with out.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "repo_service", "run"],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        # A connection each: the server closes those whose request it has not read to its end.
        with httpx.Client(
            base_url=url, timeout=30, limits=httpx.Limits(max_keepalive_connections=0)
        ) as client:

            def answers() -> bool:
                if process.poll() is not None:
                    raise AssertionError(f"repo run ended:\n{out.read_text()}")
                with suppress(httpx.TransportError):
                    return client.get("/readyz").is_success
                return False

            wait_for(answers, f"repo run, see {out}", _START_SECONDS)
            token = before.token if before is not None else _printed_token(out)
            if token:
                client.headers["Authorization"] = f"Bearer {token}"
            yield Running(psutil.Process(process.pid), port, data, client, token)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(_START_SECONDS)


def _printed_token(out: Path) -> str:
    """What the first start shows; empty where nobody can sign in."""
    printed = re.search(r"Bearer (\S+?)'", out.read_text())
    assert printed is not None or "read-only mirror" in out.read_text(), out.read_text()
    return "" if printed is None else printed[1]


def wait_for(found: Callable[[], T | None], what: str, seconds: float = 90) -> T:
    """What ``found`` returns once that is something."""
    deadline = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)
    return result


def _peak(pid: int) -> int:
    """Bytes of memory that a process had at the most. A process that died has failed the test."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
