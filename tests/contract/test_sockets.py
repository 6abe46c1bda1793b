"""What only a socket shows: bodies that break off, refusals before the first byte, what is logged."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from repo_service.domain.identity import SCOPES_OF_ROLE, Identity, Role
from repo_service.services.descriptions import Description
from tests.contract.live import Answer, Live, read_answer, serving
from tests.contract.support import DRAFT_BYTES, published, sha256, staged
from tests.support.service import OPERATOR

_MIB = 1024 * 1024
_FORM = "multipart/form-data; boundary=x"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One server for all tests here; files up to 4 MiB."""
    with serving(tmp_path_factory.mktemp("live"), REPO_MAX_UPLOAD_SIZE="4MiB", REPO_QUOTA="8MiB") as found:
        yield found


def _ask(live: Live, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if body or method in ("POST", "PUT"):
        named.setdefault("Content-Length", str(len(body)))
    with live.connection() as connection:
        connection.sendall(live.head(method, path, named) + body)
        return read_answer(connection)


def _json(answer: Answer, status: int) -> Any:
    assert answer.status == status, answer
    return json.loads(answer.body)


def _begin(live: Live, size: int) -> str:
    announced = json.dumps({"file_name": "a.txt", "size": size}).encode()
    made = _json(_ask(live, "POST", "/api/v1/uploads", announced, Content_Type="application/json"), 201)
    return f"/api/v1/uploads/{made['id']}"


def _soon(check: Any) -> None:
    """What the server does after a client has gone takes a moment."""
    deadline = time.monotonic() + 10
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(("size", "code"), [(6 * _MIB, "payload-too-large"), (10**15, "payload-too-large")])
def test_too_much_is_refused_before_it_is_sent(live: Live, size: int, code: str) -> None:
    """A client that asks first (Expect: 100-continue) is never told to go on."""
    with live.connection() as connection:
        connection.sendall(
            live.head(
                "POST",
                "/api/v1/resources",
                {"Content-Length": str(size), "Content-Type": _FORM, "Expect": "100-continue"},
            )
        )
        answer = read_answer(connection)
    assert not answer.continued
    assert _json(answer, 413)["code"] == code
    assert staged(live.settings) == []


def test_the_quota_is_asked_before_it_is_sent(live: Live) -> None:
    """The same, where the file as such would not be too large."""
    uploads = [_begin(live, 3 * _MIB), _begin(live, 3 * _MIB)]
    with live.connection() as connection:
        connection.sendall(
            live.head(
                "POST",
                "/api/v1/resources",
                {"Content-Length": str(3 * _MIB), "Content-Type": _FORM, "Expect": "100-continue"},
            )
        )
        answer = read_answer(connection)
    assert not answer.continued
    assert _json(answer, 413)["code"] == "quota-exceeded"
    for path in uploads:
        assert _ask(live, "DELETE", path).status == 204


def test_nobody_is_refused_before_it_is_sent(live: Live) -> None:
    """Whoever has no token, or a bad one, need not send it."""
    for token in ("Bearer mrr_wrong", "Basic eDp5"):
        with live.connection() as connection:
            connection.sendall(
                live.head(
                    "POST",
                    "/api/v1/resources",
                    {
                        "Authorization": token,
                        "Content-Length": str(_MIB),
                        "Content-Type": _FORM,
                        "Expect": "100-continue",
                    },
                )
            )
            answer = read_answer(connection)
        assert not answer.continued
        assert _json(answer, 401)["code"] == "unauthorised"


def test_who_asks_first_is_told_to_go_on(live: Live) -> None:
    """As curl does with larger bodies."""
    path = _begin(live, len(DRAFT_BYTES))
    with live.connection() as connection:
        connection.sendall(
            live.head("PUT", path, {"Content-Length": str(len(DRAFT_BYTES)), "Expect": "100-continue"})
        )
        connection.settimeout(10)
        told = connection.recv(1000)
        assert told.startswith(b"HTTP/1.1 100")
        connection.sendall(DRAFT_BYTES)
        answer = read_answer(connection)
    assert _json(answer, 200)["sha256"] == sha256(DRAFT_BYTES)


@pytest.mark.parametrize("sent", [0, 1, 700_000])
def test_a_client_that_goes_away(live: Live, sent: int) -> None:
    """In the middle of a raw body: nothing is kept or stays staged, and the upload can be sent again."""
    before = published(live.settings)
    data = bytes(_MIB)
    path = _begin(live, len(data))
    with live.connection() as connection:
        connection.sendall(live.head("PUT", path, {"Content-Length": str(len(data))}) + data[:sent])
        time.sleep(0.3)
    _soon(lambda: staged(live.settings) == [])
    assert published(live.settings) == before
    assert _json(_ask(live, "GET", path), 200)["state"] == "open"
    kept = _json(_ask(live, "PUT", path, data), 200)
    assert kept["sha256"] == sha256(data)


def test_a_client_that_goes_away_in_a_form(live: Live) -> None:
    """Its reserved room is given back."""
    used = _json(_ask(live, "GET", "/api/v1/me"), 200)["used"]
    before = published(live.settings)
    begun = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + bytes(100_000)
    with live.connection() as connection:
        head = live.head("POST", "/api/v1/resources", {"Content-Length": str(_MIB), "Content-Type": _FORM})
        connection.sendall(head + begun)
        time.sleep(0.3)
    _soon(lambda: staged(live.settings) == [])
    _soon(lambda: _json(_ask(live, "GET", "/api/v1/me"), 200)["used"] == used)
    assert published(live.settings) == before


def test_a_chunked_body_is_refused(live: Live) -> None:
    """Its size is not known before it has come."""
    path = _begin(live, 3)
    with live.connection() as connection:
        head = live.head("PUT", path, {"Transfer-Encoding": "chunked"})
        connection.sendall(head + b"3\r\nabc\r\n0\r\n\r\n")
        answer = read_answer(connection)
    assert _json(answer, 411)["code"] == "length-required"
    assert _ask(live, "DELETE", path).status == 204


def test_more_bytes_than_announced_are_another_request(live: Live) -> None:
    """They never get into the file."""
    path = _begin(live, 3)
    with live.connection() as connection:
        connection.sendall(live.head("PUT", path, {"Content-Length": "3"}) + b"abcDEFGHI")
        answer = read_answer(connection)
    assert _json(answer, 200)["sha256"] == sha256(b"abc")


def test_head_over_a_socket(live: Live) -> None:
    """Content-Length of the file and no body: Moodle decides by that."""
    path = _begin(live, len(DRAFT_BYTES))
    _json(_ask(live, "PUT", path, DRAFT_BYTES), 200)
    made = json.dumps({"upload": path.rpartition("/")[2]}).encode()
    resource = _json(_ask(live, "POST", "/api/v1/resources", made, Content_Type="application/json"), 201)
    url = resource["versions"][0]["download_url"].partition(f":{live.port}")[2]
    with live.connection() as connection:
        connection.sendall(live.head("HEAD", url))
        data = b""
        while piece := connection.recv(65536):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert f"content-length: {len(DRAFT_BYTES)}" in head.decode().lower()
    assert body == b""
    got = _ask(live, "GET", url)
    assert got.body == DRAFT_BYTES


def test_the_log_holds_no_secret(live: Live) -> None:
    """Neither a token nor the signature of a link; but each request's id, and who asked."""
    path = _begin(live, len(DRAFT_BYTES))
    _json(_ask(live, "PUT", path, DRAFT_BYTES), 200)
    made = json.dumps({"upload": path.rpartition("/")[2]}).encode()
    resource = _json(_ask(live, "POST", "/api/v1/resources", made, Content_Type="application/json"), 201)
    link_path = f"/api/v1/resources/{resource['id']}/versions/1/download-link"
    link = _json(_ask(live, "POST", link_path), 201)["url"]
    signed = link.partition(f":{live.port}")[2]
    with live.connection() as connection:
        lines = f"GET {signed} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-ID: traceme-0123\r\n\r\n"
        connection.sendall(lines.encode())
        answer = read_answer(connection)
    assert answer.body == DRAFT_BYTES
    assert answer.headers["x-request-id"] == "traceme-0123"
    written: list[dict[str, Any]] = []

    def told() -> bool:
        written[:] = [json.loads(line) for line in live.log.read_text().splitlines() if line.startswith("{")]
        return any(line.get("request_id") == "traceme-0123" for line in written)

    _soon(told)
    (mine,) = [line for line in written if line.get("request_id") == "traceme-0123"]
    assert mine["path"] == signed.partition("?")[0]
    assert (mine["status"], mine["sent"], mine["account"]) == (200, len(DRAFT_BYTES), "")
    assert "teacher" in {line.get("account") for line in written}
    everything = live.log.read_text()
    assert live.token not in everything
    assert live.token.removeprefix("mrr_") not in everything
    assert signed.partition("signature=")[2] not in everything


def test_metrics_count_over_all_processes(live: Live) -> None:
    """Requests by endpoint, and bytes."""
    for _ in range(3):
        _ask(live, "GET", "/api/v1/resources")
    text = _ask(live, "GET", "/metrics").body.decode()
    (line,) = [
        line
        for line in text.splitlines()
        if line.startswith("repo_http_requests_total{")
        and 'endpoint="resources.search"' in line
        and 'status="200"' in line
    ]
    assert float(line.rpartition(" ")[2]) >= 3
    assert "repo_store_operations_total" in text
    assert live.token not in text


def _identity(live: Live) -> Identity:
    account = live.services.accounts.find(OPERATOR, "teacher")
    return Identity(account_id=account.id, role=Role.MEMBER, scopes=SCOPES_OF_ROLE[Role.MEMBER])


def test_what_another_process_commits_is_seen_at_once(live: Live) -> None:
    """The command line, the worker and the web server share one catalogue."""
    identity = _identity(live)
    uploads = live.services.uploads
    record = uploads.begin(identity, file_name="notes.txt", size=3)
    with uploads.receive(identity, record.id) as receiver:
        receiver.write(b"abc")
        receiver.finish()
    made = live.services.resources.create(
        identity, upload_id=record.id, description=Description(title="From the command line")
    )
    assert _json(_ask(live, "GET", f"/api/v1/resources/{made.id}"), 200)["title"] == "From the command line"
