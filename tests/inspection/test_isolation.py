"""Processes that read foreign files by native libraries: what they cannot do, what becomes of failures."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest
from PIL import Image
from pydantic import TypeAdapter, ValidationError

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.base import ReadStream
from repo_service.inspection.isolation import frames, parent
from repo_service.inspection.isolation.parent import Answer, Isolation, NoProcess
from repo_service.inspection.isolation.syscalls import load_library
from repo_service.inspection.media import shrinking, thumbnails
from repo_service.inspection.media.asking import RecordingSaid
from tests.backups.support import bytes_source
from tests.support import media
from tests.support.services import missing

_PROJECT = Path(__file__).resolve().parents[2]


@cache
def shrunk() -> list[bytes]:
    """The thumbnails of a picture."""
    return shrinking.thumbnails(Image.open(io.BytesIO(media.picture("PNG", size=(100, 80)))))


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


_FORBIDDEN_BY_THE_KERNEL = {
    "the memory of another": "libc.process_vm_readv(0, 0, 0, 0, 0, 0) and failed()",
    "to stop another": "os.kill(other, 0)",
    "the limits of another": "resource.prlimit(other, resource.RLIMIT_NOFILE)",
    "a segment of shared memory": "libc.shmget(0, 4096, 0o1600) < 0 and failed()",
}


@pytest.fixture
def seccomp() -> None:
    if load_library() is None:
        missing("libseccomp", "install libseccomp2")


@pytest.mark.usefixtures("seccomp")
@pytest.mark.parametrize("what", _FORBIDDEN_BY_THE_KERNEL.values(), ids=_FORBIDDEN_BY_THE_KERNEL)
def test_the_kernel_keeps_from_who_is_confined(what: str, tmp_path: Path) -> None:
    test_who_is_confined_cannot_have(what, tmp_path)


@pytest.mark.parametrize("what", _FORBIDDEN.values(), ids=_FORBIDDEN)
def test_who_is_confined_cannot_have(what: str, tmp_path: Path) -> None:
    """Each of them is possible before, or the test would prove nothing."""
    if os.geteuid() != 0 and ("fork" in what or "setresuid" in what):
        pytest.skip("only root may do that before")
    tmp_path.chmod(0o777)
    script = textwrap.dedent(
        f"""
        import ctypes, os, resource, signal, socket, sys
        from repo_service.inspection.isolation.child import confine
        libc = ctypes.CDLL(None, use_errno=True)
        other = os.getppid() if os.geteuid() else os.getpid()

        def failed():
            raise OSError(ctypes.get_errno(), "refused")

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


@pytest.mark.usefixtures("seccomp")
def test_the_kernel_refuses_what_has_nothing_to_do_with_reading() -> None:
    """Where there is libseccomp, which the image has."""
    script = textwrap.dedent(
        """
        import os
        from repo_service.inspection.isolation.child import confine
        status = os.open("/proc/self/status", os.O_RDONLY)
        confine(256 << 20, 10)
        os.write(1, os.read(status, 9999))
        os._exit(0)
        """
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=_PROJECT, capture_output=True, text=True, timeout=60, check=True
    )
    said = dict(line.split(":\t", 1) for line in ran.stdout.splitlines())
    assert (said["Seccomp"], said["NoNewPrivs"]) == ("2", "1")  # SECCOMP_MODE_FILTER


def test_where_no_process_can_be_had_nothing_is_said_of_the_file(
    isolation: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is not called damaged because the machine has no room."""

    def without_answer(connection: socket.socket) -> None:
        """As where fork(2) fails."""

    monkeypatch.setattr(isolation, "_hand_over", without_answer)
    with pytest.raises(NoProcess):
        isolation.ask("picture", bytes_source(media.picture()))


def test_words_of_libraries_stand_nowhere(capfd: pytest.CaptureFixture[str], isolation: Isolation) -> None:
    """What they print has words of the file in it, and whatever else can be put there."""
    document = media.pdf().replace(b"/Title", b"/X#0A#1b#5b31mFORGED 1\n/X#0A#1b#5b31mFORGED 2\n/Title", 1)
    isolation.ask("document", bytes_source(document))
    assert "FORGED" not in "".join(capfd.readouterr())


def _frame(kind: bytes, payload: bytes) -> bytes:
    return frames._HEAD.pack(kind, len(payload)) + payload


_LIES = {
    "nothing": b"",
    "no frame": b"hello world, this is no frame",
    "a frame without end": frames._HEAD.pack(frames.ANSWER, 1 << 60),
    "no JSON": _frame(frames.ANSWER, b"{"),
    "JSON that is nested without end": _frame(frames.ANSWER, b"[" * 200_000),
    "a list": _frame(frames.ANSWER, b"[]"),
    "no refusal": _frame(frames.REFUSAL, b"\0\xff\xe2\x80\xae"),
    "pictures that never come": _frame(frames.ANSWER, b'{"pictures": 3}'),
    "fewer pictures than none": _frame(frames.ANSWER, b'{"pictures": -1}')
    + 40 * _frame(frames.PICTURE, bytes(1 << 20)),
    "pictures without end": _frame(frames.ANSWER, b'{"pictures": Infinity}'),
    "very large numbers of pictures": _frame(frames.ANSWER, b'{"pictures": 1e999}'),
    "an unknown frame": _frame(b"?", b"") + _frame(frames.ANSWER, b"1"),
    "another process": _frame(frames.PID, b"1") + _frame(frames.ANSWER, b"1"),
    "a range that is none": _frame(frames.READ, b"abc"),
}


@pytest.mark.parametrize("said", _LIES.values(), ids=_LIES)
def test_what_a_process_says_that_was_taken_over(said: bytes) -> None:
    """It is ended, whatever it says."""
    with subprocess.Popen(["sleep", "600"]) as taken_over:
        ours, theirs = socket.socketpair()
        with ours, theirs, ThreadPoolExecutor(1) as pool:
            sent = pool.submit(_say, theirs, _frame(frames.PID, str(taken_over.pid).encode()) + said)
            with pytest.raises(InvalidFile) as refused:
                parent._converse(ours, "picture", bytes_source(b"x" * 10), {})
            ours.close()
            sent.result()
        assert refused.value.reason == "unreadable"
        assert refused.value.detail == "The file is damaged, or of a kind that cannot be read."
        assert taken_over.wait(30) == -signal.SIGKILL


def _say(connection: socket.socket, said: bytes) -> None:
    with contextlib.suppress(OSError):  # it is no longer listened to
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)


def test_a_frame_that_comes_bit_by_bit_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parent, "SECONDS", 0.5)
    ours, theirs = socket.socketpair()
    stop = threading.Event()

    def trickle() -> None:
        with contextlib.suppress(OSError):
            theirs.sendall(frames._HEAD.pack(frames.ANSWER, 1 << 20))
            while not stop.wait(0.05):
                theirs.sendall(b" ")

    with ours, theirs, ThreadPoolExecutor(1) as pool:
        pool.submit(trickle)
        with pytest.raises(InvalidFile) as refused:
            parent._converse(ours, "picture", bytes_source(b"x" * 10), {})
        stop.set()
    assert refused.value.reason == "too-slow"


@pytest.mark.parametrize("number", ["NaN", "-1", "1e999", "-5.5"])
def test_numbers_that_are_none_are_not_kept(number: str) -> None:
    answer = {"video": [], "audio": 0, "subtitles": 0, "cover": False, "tags": [], "chapters": []}
    with pytest.raises(ValidationError):
        TypeAdapter(RecordingSaid).validate_python({**answer, "duration": float(number)})
    with pytest.raises(ValidationError):
        TypeAdapter(RecordingSaid).validate_python({**answer, "duration": 1.0, "audio": -1})


@pytest.mark.parametrize(
    "picture",
    [
        b"RIFF\0\0\0\0WEBP and anything",
        shrunk()[0] + b"more",
        shrunk()[0][:-1],
        shrunk()[0].replace(b"VP8 ", b"VP8X"),
        shrunk()[0][:26] + b"\xff\x3f\xff\x3f" + shrunk()[0][30:],
    ],
    ids=["no picture", "more than one", "less than one", "another kind", "too large"],
)
def test_pictures_that_we_do_not_write_are_not_taken(picture: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*_: object) -> Answer:
        return Answer(said={}, pictures=(shrunk()[0], picture))

    monkeypatch.setattr(parent.isolation, "ask", answer)
    with pytest.raises(InvalidFile):
        thumbnails.thumbnails_of(bytes_source(b"x"), format_code="image", cover=".")
