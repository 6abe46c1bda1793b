"""The stock tus client and bare sockets against the processes of ``repo run``: bad lines, kills, restarts."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed

from repo_service.services import resuming
from tests.contract.live import Answer, read_answer
from tests.support.running import Running, running, wait_for
from tests.support.services import missing
from tests.support.weed import Weed

MIB = 1024 * 1024
_PAGE = Path(__file__).resolve().parents[2] / "docs" / "uploads.md"
_BOUND_MIB = 64
"""What a process may grow by while it takes a file of any size."""
_LEASE = resuming.LEASE.total_seconds()

Uploader = Callable[..., Any]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(
        tmp_path_factory.mktemp("tus"), web_workers="2", max_upload_size="1GiB", min_free_space="0"
    ) as service:
        yield service


@pytest.fixture
def spooling(weed: Weed, tmp_path: Path) -> Iterator[Running]:
    """A service whose store keeps no staged bytes."""
    with running(
        tmp_path,
        web_workers="2",
        min_free_space="0",
        store_url=weed.store_url(weed.shared_bucket, prefix=secrets.token_hex(8)),
        store_access_key=weed.access_key,
        store_secret_key=weed.secret_key,
    ) as service:
        yield service


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """8 MiB and a bit that are like no others."""
    return _file(tmp_path, 8 * MIB + 12345)


def _file(folder: Path, size: int) -> Path:
    path = folder / f"kurs-{size}.mbz"
    with path.open("wb") as out:
        while out.tell() < size:
            out.write(os.urandom(min(4 * MIB, size - out.tell())))
    return path


@pytest.fixture
def uploader() -> Iterator[Uploader]:
    """Makes uploaders of the stock client: ``uploader(repository, path, **options)``.

    They get open files, because they do not close those that they open.
    """
    with ExitStack() as files:

        def make(repository: Running, path: Path, **options: Any) -> Any:
            headers = {"Authorization": f"Bearer {repository.token}"}
            client = TusClient(f"http://127.0.0.1:{repository.port}/api/v1/tus", headers=headers)
            return client.uploader(file_stream=files.enter_context(path.open("rb")), **options)

        yield make


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _arrived(repository: Running, url: str, path: Path, *, seconds: float = 60) -> None:
    """The upload becomes a resource, whose file is this one; it has so long to be finished."""
    upload_id = url.rpartition("/")[2]

    def finished() -> Any:
        found = repository.client.get(f"/api/v1/uploads/{upload_id}").json()
        assert found["state"] in ("open", "verifying", "publishing", "finished"), found
        return found if found["state"] == "finished" else None

    upload = wait_for(finished, "the upload to be finished", seconds)
    assert upload["sha256"] == _sha256(path)
    made = repository.client.post("/api/v1/resources", json={"upload": upload_id})
    assert made.status_code == 201, made.text
    digest = hashlib.sha256()
    with repository.client.stream("GET", made.json()["versions"][0]["download_url"]) as answer:
        for block in answer.iter_bytes():
            digest.update(block)
    assert digest.hexdigest() == upload["sha256"]


# The stock client


def test_in_one_go(repository: Running, file: Path, uploader: Uploader) -> None:
    """Published with the last byte: nothing is read again."""
    sender = uploader(repository, file, metadata={"filename": "Käse.mbz"})
    sender.upload()
    upload = repository.client.get(f"/api/v1/uploads/{sender.url.rpartition('/')[2]}").json()
    assert (upload["state"], upload["file_name"]) == ("finished", "Käse.mbz")
    _arrived(repository, sender.url, file)
    assert not repository.staged()


def test_in_many_goes_through_both_processes(repository: Running, file: Path, uploader: Uploader) -> None:
    """Each chunk has a connection of its own, and a checksum. Both processes get some."""
    before = {process.pid: process.io_counters().write_chars for process in repository.web()}
    sender = uploader(repository, file, chunk_size=100_000, upload_checksum=True)
    sender.upload()
    written = {
        process.pid: process.io_counters().write_chars - before[process.pid] for process in repository.web()
    }
    assert len(written) == 2
    assert min(written.values()) > MIB, "both took chunks"
    _arrived(repository, sender.url, file)
    assert not repository.staged()


def test_an_empty_file(repository: Running, tmp_path: Path, uploader: Uploader) -> None:
    """Is there as soon as it is announced."""
    path = _file(tmp_path, 0)
    sender = uploader(repository, path)
    sender.upload()
    _arrived(repository, sender.url, path)


def test_a_fresh_client_goes_on(repository: Running, file: Path, uploader: Uploader) -> None:
    """All it needs is the address."""
    first = uploader(repository, file, chunk_size=MIB)
    first.upload(stop_at=3 * MIB)
    second = uploader(repository, file, url=first.url, chunk_size=MIB)
    assert second.offset == 3 * MIB
    second.upload()
    _arrived(repository, second.url, file)


def test_what_is_refused_reaches_the_client(
    repository: Running, file: Path, tmp_path: Path, uploader: Uploader
) -> None:
    """As the status of its errors; the problem is in the body."""
    huge = tmp_path / "huge"
    with huge.open("wb") as out:
        out.truncate(1024 * MIB + 1)
    with pytest.raises(TusCommunicationError) as refused:
        uploader(repository, huge).upload()
    assert refused.value.status_code == 413
    assert b"payload-too-large" in refused.value.response_content
    wrong = uploader(repository, file, metadata={"sha256": "0" * 64})
    with pytest.raises(TusUploadFailed) as failed:
        wrong.upload()
    assert failed.value.status_code == 422
    assert b"digest-mismatch" in failed.value.response_content
    with pytest.raises(TusCommunicationError):
        uploader(repository, file, url=wrong.url)
    assert not repository.staged()


def _paste(
    repository: Running, file: Path, *names: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Those blocks of the page about uploads, in one shell: begin, broken, send, use, end.

    With ``check`` the first that fails is the last.
    """
    if shutil.which("curl") is None:
        missing("curl", "apt-get install curl")
    blocks = re.findall(r"^```sh\n(.*?)^```", _PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (variables,) = (block for block in blocks if "mrr_…" in block)
    begin, send, use, end = (block for block in blocks if block is not variables)
    assert set(re.findall(r"([A-Z]+)=", variables)) == {"SERVICE", "TOKEN", "FILE"}
    broken = send.replace('"$FILE" |', '"$FILE" | head --bytes 100000 |')
    lines = {"begin": begin, "broken": broken, "send": send, "use": use, "end": end}
    return subprocess.run(
        ["bash", "-euc" if check else "-uc", "\n".join(lines[name] for name in names)],
        env={
            **os.environ,
            "SERVICE": f"http://127.0.0.1:{repository.port}",
            "TOKEN": repository.token,
            "FILE": str(file),
        },
        check=check,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_lines_that_people_are_told_to_paste(repository: Running, file: Path) -> None:
    """Those of the page about uploads; sending is told to work after a break, too."""
    done = _paste(repository, file, "begin", "broken", "send", "use")
    version = json.loads(done.stdout)["versions"][0]
    assert (version["file_name"], version["sha256"]) == (file.name, _sha256(file))


def test_the_lines_to_paste_come_to_an_end_without_a_resource_too(repository: Running, file: Path) -> None:
    """Each says why there is none, or that there is nothing left to send."""
    opened = _paste(repository, file, "begin", "broken", "use", "end", check=False)
    assert '"state":"open"' in opened.stderr.replace(" ", "")
    assert "versions" not in opened.stdout
    assert not repository.staged()
    assert "409" in _paste(repository, file, "begin", "send", "send", check=False).stderr
    again = _paste(repository, file, "begin", "send", "use", "use", check=False)
    assert again.returncode != 0
    assert '"state":"used"' in again.stderr.replace(" ", "")


def test_memory_is_bounded(repository: Running, tmp_path: Path, uploader: Uploader) -> None:
    """In one go and in some; also where the file is read again at the end."""
    path = _file(tmp_path, 192 * MIB)
    with repository.within(mebibytes=_BOUND_MIB, seconds=60):
        for chunk_size in (192 * MIB, 24 * MIB):
            sender = uploader(repository, path, chunk_size=chunk_size)
            sender.upload()
            _arrived(repository, sender.url, path)


# Kills


def _send_in_the_background(sender: Any, *, breaks_off: bool = False) -> threading.Thread:
    def send() -> None:
        with pytest.raises(TusUploadFailed) if breaks_off else nullcontext():
            sender.upload()

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def _kill_in_mid_transfer(repository: Running, staging: Path, processes: list[psutil.Process]) -> None:
    """Once some bytes are there, and many are not."""

    def some() -> bool:
        with suppress(FileNotFoundError):  # it gets another name when it is gone on with
            return any(path.stat().st_size > 8 * MIB for path in staging.glob("*/*"))
        return False

    deadline = time.monotonic() + 30
    while not some():
        assert time.monotonic() < deadline, "no bytes have come"
    for process in processes:
        process.kill()


def test_the_web_processes_are_killed_in_mid_transfer(
    repository: Running, tmp_path: Path, uploader: Uploader
) -> None:
    """The client goes on by itself, from what had come until then."""
    path = _file(tmp_path, 256 * MIB)
    sender = uploader(repository, path, retries=60, retry_delay=1)
    offsets: list[int] = []
    ask = sender.get_offset

    def remember() -> int:
        offsets.append(ask())
        return offsets[-1]

    sender.get_offset = remember
    sending = _send_in_the_background(sender)
    killed = repository.web()
    _kill_in_mid_transfer(repository, repository.data / "store" / "staging", killed)
    sending.join(100)
    assert not sending.is_alive()
    assert {process.pid for process in killed}.isdisjoint(process.pid for process in repository.web())
    assert 8 * MIB <= offsets[0] < 256 * MIB
    assert sender.offset == 256 * MIB
    _arrived(repository, sender.url, path)
    assert not repository.staged()


@pytest.mark.parametrize("kind", ["file", "s3"])
def test_the_whole_service_is_killed_and_started_again(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest, uploader: Uploader
) -> None:
    """As a power cut would do it, but for the disk: another client goes on from the address."""
    settings: dict[str, Any] = {"min_free_space": "0", "job_lease": "PT5S"}
    staging = tmp_path / "var" / "store" / "staging"
    if kind == "s3":
        weed: Weed = request.getfixturevalue("weed")
        staging = tmp_path / "var" / "spool" / "staging"
        settings |= {
            "store_url": weed.store_url(weed.shared_bucket, prefix=secrets.token_hex(8)),
            "store_access_key": weed.access_key,
            "store_secret_key": weed.secret_key,
        }
    path = _file(tmp_path, 192 * MIB)
    with running(tmp_path, **settings) as first:
        sender = uploader(first, path)
        sending = _send_in_the_background(sender, breaks_off=True)
        processes = [*first.process.children(recursive=True), first.process]
        _kill_in_mid_transfer(first, staging, processes)
        psutil.wait_procs(processes, timeout=20)
        sending.join(20)
    with running(tmp_path, before=first, **settings) as second:
        again = uploader(second, path, url=sender.url, chunk_size=48 * MIB, retries=20, retry_delay=1)
        assert 8 * MIB <= again.offset < 192 * MIB
        again.upload(stop_at=again.offset + 48 * MIB)
        _arrived_after_the_worker_died(second, again, path)
        assert list(staging.iterdir()) == []


def _arrived_after_the_worker_died(repository: Running, sender: Any, path: Path) -> None:
    """The last bytes, and then a kill of the worker that is to read them.

    The sweep that finds a job whose lease is over comes once a minute.
    """
    sender.chunk_size = 192 * MIB
    sender.upload()
    repository.worker().kill()
    _arrived(repository, sender.url, path, seconds=180)


def test_the_spool_in_many_goes(spooling: Running, tmp_path: Path, uploader: Uploader) -> None:
    """Memory is bounded on the way into the spool and out of it."""
    path = _file(tmp_path, 96 * MIB + 7)
    with spooling.within(mebibytes=_BOUND_MIB + 32, seconds=60):
        sender = uploader(spooling, path, chunk_size=10 * MIB, upload_checksum=True)
        sender.upload()
        _arrived(spooling, sender.url, path)
    assert list((spooling.data / "spool" / "staging").iterdir()) == []


# Bad lines


@pytest.fixture
def upload(repository: Running) -> Iterator[str]:
    """The path of a new upload of 1 MiB, given up at the end."""
    made = repository.client.post(
        "/api/v1/tus", headers={"Tus-Resumable": "1.0.0", "Upload-Length": str(MIB)}
    )
    assert made.status_code == 201, made.text
    path = httpx.URL(made.headers["Location"]).path
    yield path
    repository.client.delete(path, headers={"Tus-Resumable": "1.0.0"})


def _head(repository: Running, method: str, path: str, **headers: object) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: 127.0.0.1:{repository.port}",
        f"Authorization: Bearer {repository.token}",
        "Tus-Resumable: 1.0.0",
        "Content-Type: application/offset+octet-stream",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def _connected(repository: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", repository.port), timeout=20)


def _offset(repository: Running, path: str) -> int:
    looked = repository.client.head(path, headers={"Tus-Resumable": "1.0.0"})
    assert looked.status_code == 200, looked.headers
    return int(looked.headers["Upload-Offset"])


def _patch(repository: Running, path: str, offset: int, data: bytes) -> httpx.Response:
    headers = {
        "Tus-Resumable": "1.0.0",
        "Upload-Offset": str(offset),
        "Content-Type": "application/offset+octet-stream",
    }
    return repository.client.patch(path, content=data, headers=headers)


@pytest.mark.parametrize("sent", [0, 1, 4095, 4096, 5000, 700_001, MIB - 1])
@pytest.mark.parametrize("ending", ["close", "reset", "half"])
def test_a_connection_that_breaks(repository: Running, upload: str, sent: int, ending: str) -> None:
    """Every byte that came is kept, to the last, and another request may go on at once."""
    with _connected(repository) as connection:
        connection.sendall(
            _head(repository, "PATCH", upload, Upload_Offset=0, Content_Length=MIB) + bytes(sent)
        )
        time.sleep(0.2)
        if ending == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if ending == "half":
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(5)
            connection.recv(1000)
    wait_for(lambda: _offset(repository, upload) == sent, "the bytes", 5)
    deadline = time.monotonic() + _LEASE / 2
    while (answer := _patch(repository, upload, sent, bytes(MIB - sent))).status_code == 423:
        assert time.monotonic() < deadline, "the lease was not given back"
        time.sleep(0.05)
    assert answer.status_code == 204, answer.text


def test_a_checksum_does_not_survive_a_broken_connection(repository: Running, upload: str) -> None:
    """Bytes that nobody could verify do not count."""
    value = base64.b64encode(hashlib.sha1(bytes(MIB)).digest()).decode()
    head = _head(
        repository, "PATCH", upload, Upload_Offset=0, Content_Length=MIB, Upload_Checksum=f"sha1 {value}"
    )
    with _connected(repository) as connection:
        connection.sendall(head + bytes(700_000))
        time.sleep(0.2)
        assert _offset(repository, upload) == 0
    time.sleep(0.2)
    assert _offset(repository, upload) == 0


def test_chunked_bodies(repository: Running, upload: str) -> None:
    """Whole ones, broken ones, and those that hold too much."""

    def send(offset: int, *pieces: bytes) -> Answer | None:
        head = _head(repository, "PATCH", upload, Upload_Offset=offset, Transfer_Encoding="chunked")
        with _connected(repository) as connection:
            connection.sendall(head)
            for piece in pieces:
                connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            if pieces[-1]:
                return None
            return read_answer(connection)

    answer = send(0, bytes(1000), bytes(70_000), b"")
    assert answer is not None
    assert (answer.status, answer.headers["upload-offset"]) == (204, "71000")
    send(71_000, bytes(9000))
    wait_for(lambda: _offset(repository, upload) == 80_000, "the bytes of the broken body", 5)
    time.sleep(0.2)
    too_much = send(80_000, bytes(500_000), bytes(500_000), b"")
    assert too_much is not None
    assert too_much.status == 413
    assert _offset(repository, upload) == 80_000


def test_a_slow_line_keeps_its_lease(repository: Running, upload: str) -> None:
    """A few kilobytes a second, for longer than a lease lasts: nobody else gets in, and nothing is lost."""
    with _connected(repository) as connection:
        connection.sendall(_head(repository, "PATCH", upload, Upload_Offset=0, Content_Length=MIB))
        until = time.monotonic() + _LEASE + 3
        sent = 0
        while time.monotonic() < until:
            connection.sendall(bytes(1500))
            sent += 1500
            assert _patch(repository, upload, _offset(repository, upload), b"x").status_code in (409, 423)
            time.sleep(0.5)
    wait_for(lambda: _offset(repository, upload) == sent, "the bytes", 5)


def test_a_dead_connection_holds_nobody_up_for_long(repository: Running, upload: str) -> None:
    """It is not closed, but nothing comes by it any more; what comes late is not taken."""
    with _connected(repository) as dead:
        dead.sendall(_head(repository, "PATCH", upload, Upload_Offset=0, Content_Length=MIB) + b"a" * 4096)
        wait_for(lambda: _offset(repository, upload) == 4096, "the bytes", 5)
        began = time.monotonic()
        while (answer := _patch(repository, upload, 4096, b"b" * 4096)).status_code == 423:
            assert time.monotonic() < began + _LEASE + 2
            time.sleep(min(1.0, float(answer.headers["Retry-After"])))
        assert answer.status_code == 204, answer.text
        dead.sendall(b"c" * (MIB - 4096))
        assert read_answer(dead).status == 423
    assert _patch(repository, upload, 8192, b"d" * (MIB - 8192)).status_code == 204
    upload_id = upload.rpartition("/")[2]

    def finished() -> Any:
        found = repository.client.get(f"/api/v1/uploads/{upload_id}").json()
        return found if found["state"] == "finished" else None

    expected = b"a" * 4096 + b"b" * 4096 + b"d" * (MIB - 8192)
    assert wait_for(finished, "the upload")["sha256"] == hashlib.sha256(expected).hexdigest()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upload_Length": 2 * 1024 * MIB, "Content_Length": MIB}, 413),
        ({"Upload_Length": 10, "Content_Length": MIB}, 413),
        ({"Upload_Length": "x", "Content_Length": MIB}, 400),
        ({"Upload_Length": MIB, "Content_Length": MIB, "Upload_Defer_Length": 1}, 400),
    ],
)
def test_a_refusal_comes_before_the_body(
    repository: Running, headers: dict[str, object], status: int
) -> None:
    """A client that asks first is never told to go on."""
    with _connected(repository) as connection:
        connection.sendall(_head(repository, "POST", "/api/v1/tus", Expect="100-continue", **headers))
        answer = read_answer(connection)
    assert (answer.status, answer.continued) == (status, False)
    assert answer.headers["tus-resumable"] == "1.0.0"


def test_who_asks_first_is_told_to_go_on(repository: Running, upload: str) -> None:
    """As curl does with larger bodies."""
    with _connected(repository) as connection:
        connection.sendall(
            _head(repository, "PATCH", upload, Upload_Offset=0, Content_Length=MIB, Expect="100-continue")
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        connection.sendall(bytes(MIB))
        answer = read_answer(connection)
    assert (answer.status, answer.headers["upload-offset"]) == (204, str(MIB))
