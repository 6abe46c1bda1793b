"""Processes that read foreign files by native libraries: what they cannot do, what becomes of failures."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.base import ReadStream
from repo_service.inspection.isolation import frames, parent
from repo_service.inspection.isolation.parent import Isolation
from tests.backups.support import bytes_source
from tests.support import media

_PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def isolation() -> Iterator[Isolation]:
    made = Isolation()
    yield made
    made.close()


_FORBIDDEN = {
    "a file": "open('/etc/hostname')",
    "a file to write to": "open(os.path.join(sys.argv[1], 'x'), 'w')",
    "a connection": "socket.create_connection(('127.0.0.1', 9))",
    "a socket": "socket.socket(socket.AF_UNIX)",
    "a program": "os.posix_spawn('/bin/true', ['true'], {})",
    "a process": "os.fork() or os._exit(0)",
    "more on a file that is open": "os.write(kept, b'x')",
    "its limits back": "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))",
    "to be root": "os.setresuid(0, 0, 0)",
    "much memory": "bytearray(2 << 30)",
}


@pytest.mark.parametrize("what", _FORBIDDEN.values(), ids=_FORBIDDEN)
def test_who_is_confined_cannot_have(what: str, tmp_path: Path) -> None:
    """Each of them is possible before, or the test would prove nothing."""
    if os.geteuid() != 0 and ("fork" in what or "setresuid" in what):
        pytest.skip("only root may do that before")
    tmp_path.chmod(0o777)
    script = textwrap.dedent(
        f"""
        import os, resource, socket, sys
        from repo_service.inspection.isolation.child import confine
        kept = os.open(os.path.join(sys.argv[1], "kept"), os.O_RDWR | os.O_CREAT)
        try:
            {what}
        except ConnectionRefusedError:
            pass
        confine(256 << 20, 10)
        try:
            {what}
        except (OSError, ValueError, MemoryError, PermissionError):
            os._exit(7)
        os._exit(0)
        """
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=_PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode in (7, -25), ran.stderr  # -25: SIGXFSZ, more than a file may have


def test_what_takes_too_long_is_ended(isolation: Isolation, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = bytes_source(media.picture())
    isolation.ask("picture", picture)
    monkeypatch.setattr(parent, "SECONDS", 0.0)
    with pytest.raises(InvalidFile) as refused:
        isolation.ask("picture", picture)
    assert refused.value.reason == "too-slow"


def test_one_that_fails_takes_no_other_along(isolation: Isolation) -> None:
    with pytest.raises(InvalidFile) as refused:
        isolation.ask("picture", bytes_source(b"\xff\xd8\xff no picture"))
    assert refused.value.reason == "unreadable"
    assert isolation.ask("picture", bytes_source(media.picture())).said["width"] == 64


def test_the_process_that_others_are_split_off_from_is_started_again(isolation: Isolation) -> None:
    picture = bytes_source(media.picture())
    isolation.ask("picture", picture)
    process = isolation._process
    assert process is not None
    process.kill()
    process.wait()
    assert isolation.ask("picture", picture).said["width"] == 64
    assert isolation._process is not process


def test_it_ends_with_the_service() -> None:
    script = (
        "from repo_service.inspection.isolation.parent import isolation\n"
        "from tests.backups.support import bytes_source\nfrom tests.support import media\n"
        "isolation.ask('picture', bytes_source(media.picture()))\n"
        "print(isolation._process.pid, flush=True)\nimport os; os.kill(os.getpid(), 9)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=_PROJECT, capture_output=True, text=True, timeout=60, check=False
    )
    pid = int(ran.stdout)
    deadline = time.monotonic() + 30
    while _is_running(pid):
        assert time.monotonic() < deadline, "it goes on"
        time.sleep(0.1)


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_what_the_store_says_is_no_fault_of_the_file(isolation: Isolation) -> None:
    class Gone:
        size = 1000

        def read_at(self, offset: int, length: int) -> bytes:
            raise ConnectionError("the bucket is away")

        def stream(self, offset: int = 0, length: int | None = None) -> ReadStream:
            raise NotImplementedError

    with pytest.raises(ConnectionError, match="bucket"):
        isolation.ask("picture", Gone())


_LIES = {
    "nothing": b"",
    "no frame": b"hello world, this is no frame",
    "a frame without end": frames._HEAD.pack(frames.ANSWER, 1 << 60),
    "no JSON": frames._HEAD.pack(frames.ANSWER, 1) + b"{",
    "a list": frames._HEAD.pack(frames.ANSWER, 2) + b"[]",
    "no refusal": frames._HEAD.pack(frames.REFUSAL, 2) + b"{}",
    "pictures that never come": frames._HEAD.pack(frames.ANSWER, 14) + json.dumps({"pictures": 3}).encode(),
    "an unknown frame": frames._HEAD.pack(b"?", 0) + frames._HEAD.pack(frames.ANSWER, 1) + b"1",
    "no process": frames._HEAD.pack(frames.PID, 3) + b"abc",
    "a range that is none": frames._HEAD.pack(frames.READ, 3) + b"abc",
}


@pytest.mark.parametrize("said", _LIES.values(), ids=_LIES)
def test_what_a_process_says_that_was_taken_over(said: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(said)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(InvalidFile) as refused:
            parent._converse(ours, "picture", bytes_source(b"x" * 10), {})
    assert refused.value.reason == "unreadable"
