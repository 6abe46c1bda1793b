"""What only a socket shows of a share: who is told to go on, and that a refusal arrives."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.contract.live import Answer, Live, read_answer, serving
from tests.contract.support import sha256, staged
from tests.moodle_plugin_bridge.moodle import CREATE, Share

_MIB = 1024 * 1024
_LARGE = Share.of(bytes(2 * _MIB), "Recorded lectures", "Large")
"""Above 1 MB Moodle asks before it sends."""
_SMALL = Share.of(bytes(900_000), "What is an ecosystem?", "Ponds")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One server for all tests here; files up to 4 MiB."""
    with serving(tmp_path_factory.mktemp("live"), REPO_MAX_UPLOAD_SIZE="4MiB") as found:
        yield found


def _head(live: Live, share: Share, *, size: int = 0, token: str | None = None, asks: bool = False) -> bytes:
    headers = share.headers | {"Content-Length": str(size or len(share.body))}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if asks:
        headers["Expect"] = "100-Continue"  # as Guzzle writes it
    return live.head("POST", CREATE, headers)


def _told(answer: Answer, status: int, code: str) -> None:
    assert answer.status == status
    assert json.loads(answer.body)["code"] == code
    assert answer.body[:120].isascii()


def test_who_asks_first_is_told_to_go_on(live: Live) -> None:
    with live.connection() as connection:
        connection.sendall(_head(live, _LARGE, asks=True))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        connection.sendall(_LARGE.body)
        answer = read_answer(connection)
    assert answer.status == 201
    assert json.loads(answer.body)["name"] == "Recorded lectures"
    assert sha256(_LARGE.content) in {
        path.name for path in (live.settings.data_dir / "store" / "blobs").rglob("*")
    }


def test_who_does_not_wait_is_served_too(live: Live) -> None:
    with live.connection() as connection:
        connection.sendall(_head(live, _LARGE, asks=True) + _LARGE.body)
        answer = read_answer(connection)
    assert answer.status == 201


@pytest.mark.parametrize(
    ("token", "size", "status", "code"),
    [
        ("mrr_wrong", 2 * _MIB, 401, "unauthorised"),
        (None, 1_070_000_000, 413, "payload-too-large"),
    ],
)
def test_who_asks_first_is_refused_without_being_told_to_go_on(
    live: Live, token: str | None, size: int, status: int, code: str
) -> None:
    with live.connection() as connection:
        connection.sendall(_head(live, _LARGE, size=size, token=token, asks=True))
        answer = read_answer(connection)
    assert not answer.continued
    _told(answer, status, code)
    assert staged(live.settings) == []


def test_who_sends_at_once_reads_why_it_was_refused(live: Live) -> None:
    """A small body is on its way already. If its connection were closed, nobody would read the answer."""
    with live.connection() as connection:
        connection.sendall(_head(live, _SMALL, token="mrr_wrong"))
        for at in range(0, len(_SMALL.body), 100_000):
            time.sleep(0.1)  # over a line that is no loopback
            connection.sendall(_SMALL.body[at : at + 100_000])
        answer = read_answer(connection)
    _told(answer, 401, "unauthorised")


def test_a_share_that_breaks_off_leaves_nothing(live: Live) -> None:
    with live.connection() as connection:
        connection.sendall(_head(live, _SMALL) + _SMALL.body[:100_000])
        connection.shutdown(1)
        answer = read_answer(connection)
    _told(answer, 400, "size-mismatch")
    assert staged(live.settings) == []
