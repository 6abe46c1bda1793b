"""Requests made to hurt, over sockets to the server that ``repo run`` starts.

Each ends in its documented problem, the catalogue and the store are as they were, and the service goes on.
More about sockets is in ``test_sockets.py``.
"""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import httpx
import pytest

from tests.contract.live import Answer, read_answer
from tests.support.running import Running, running, wait_for

_MIB = 1024 * 1024
_BOUND_MIB = 256
_CONTENT = b"Plain notes about rivers and lakes.\n" * 1000
_BOUNDARY = "a-boundary"
_NOBODYS = "239ae457-2647-41ad-a9d6-f90f28b1f38e"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("hostile"), web_workers="1", max_upload_size="8MiB") as service:
        _serves_as_before(service)  # the blob of ``_CONTENT`` is there from now on
        yield service


@pytest.fixture(autouse=True)
def _nothing_stays(repository: Running) -> Iterator[None]:
    """Nothing is added, nothing is left half way, and the next upload is taken."""
    rows, stored = _kept(repository), repository.stored()
    with repository.within(mebibytes=_BOUND_MIB, seconds=30):
        yield
        wait_for(lambda: not repository.staged(), "staged bytes to go")
        wait_for(lambda: _kept(repository) == rows, f"the catalogue to be {rows} again")
    assert repository.stored() == stored
    _serves_as_before(repository)


def _kept(repository: Running) -> dict[str, int]:
    """What a request can add to; inspections follow later."""
    return {table: count for table, count in repository.rows().items() if table != "inspections"}


def _serves_as_before(repository: Running) -> None:
    sent = repository.client.post("/api/v1/resources", files={"file": ("notes.txt", _CONTENT)})
    assert sent.status_code == 201, sent.text
    url = sent.json()["versions"][0]["download_url"]
    assert repository.client.get(url).content == _CONTENT


# Answers


def _refused(answer: Answer | httpx.Response, code: str, status: int) -> dict[str, Any]:
    if isinstance(answer, httpx.Response):
        status_given, body = answer.status_code, answer.content
    else:
        status_given, body = answer.status, answer.body
    problem: dict[str, Any] = json.loads(body)
    assert (status_given, problem["code"]) == (status, code), problem
    assert problem["detail"]
    assert problem["request_id"]
    return problem


@contextmanager
def _connected(repository: Running) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", repository.port), timeout=20) as connection:
        yield connection


def _head(repository: Running, method: str, path: str, **headers: object) -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {repository.token}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode()


# Raw bodies


@pytest.fixture
def upload(repository: Running) -> Iterator[str]:
    """The path of an open upload of the size of ``_CONTENT``, given up at the end."""
    began = _begin(repository)
    yield began
    repository.client.delete(began)


def _begin(repository: Running, **said: Any) -> str:
    sent = repository.client.post(
        "/api/v1/uploads", json={"file_name": "notes.txt", "size": len(_CONTENT), **said}
    )
    assert sent.status_code == 201, sent.text
    return str(httpx.URL(sent.json()["url"]).path)


def test_other_bytes_than_announced(repository: Running) -> None:
    path = _begin(repository, sha256=hashlib.sha256(b"something else").hexdigest())
    problem = _refused(repository.client.put(path, content=_CONTENT), "digest-mismatch", 422)
    assert problem["received"] == hashlib.sha256(_CONTENT).hexdigest()
    assert repository.client.get(path).json()["state"] == "open"
    assert repository.client.delete(path).status_code == 204


def test_another_digest_in_a_form(repository: Running) -> None:
    metadata = json.dumps({"sha256": "0" * 64})
    sent = repository.client.post(
        "/api/v1/resources", files={"file": ("x.txt", b"new bytes")}, data={"metadata": metadata}
    )
    _refused(sent, "digest-mismatch", 422)


@pytest.mark.parametrize("size", [0, 1, len(_CONTENT) - 1, len(_CONTENT) + 1])
def test_another_size_than_declared(repository: Running, upload: str, size: int) -> None:
    content = (_CONTENT + b"x")[:size]
    problem = _refused(repository.client.put(upload, content=content), "size-mismatch", 400)
    assert (problem["expected"], problem["received"]) == (len(_CONTENT), size)


def test_a_wrong_size_is_answered_before_the_body_comes(repository: Running, upload: str) -> None:
    with _connected(repository) as connection:
        connection.sendall(_head(repository, "PUT", upload, Content_Length=10**15))
        _refused(read_answer(connection), "size-mismatch", 400)


def test_json_that_is_too_much_is_answered_before_the_body_comes(repository: Running) -> None:
    head = _head(
        repository, "POST", "/api/v1/uploads", Content_Type="application/json", Content_Length=10**12
    )
    with _connected(repository) as connection:
        connection.sendall(head)
        assert _refused(read_answer(connection), "payload-too-large", 413)["limit"] < 10**12


@pytest.mark.parametrize("length", ["-1", "1e3", "+5", "0x10", "5, 6", "9" * 40, "٣"])
def test_a_size_that_is_no_number(repository: Running, upload: str, length: str) -> None:
    """The HTTP server itself refuses these, without a problem."""
    with _connected(repository) as connection:
        connection.sendall(_head(repository, "PUT", upload, Content_Length=length) + b"x")
        assert read_answer(connection).status in (400, 411)


def test_a_size_and_chunks_at_once(repository: Running, upload: str) -> None:
    """Two servers in a row could take such a request for two different ones (RFC 9112, section 6.3)."""
    head = _head(repository, "PUT", upload, Content_Length=len(_CONTENT), Transfer_Encoding="chunked")
    with _connected(repository) as connection:
        connection.sendall(head + b"0\r\n\r\n")
        assert read_answer(connection).status in (400, 411)


def test_clients_whose_connection_breaks(repository: Running, upload: str) -> None:
    """Without the good-bye of one that closes it."""
    form = _form(_file_part(b"x" * _MIB))
    requests = [
        _head(repository, "PUT", upload, Content_Length=len(_CONTENT)) + _CONTENT[:-1],
        _form_head(repository, len(form)) + form[: _MIB // 2],
    ]
    for request in requests:
        with _connected(repository) as connection:
            connection.sendall(request)
            time.sleep(0.2)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_for(lambda: not repository.staged(), "staged bytes to go")
    assert repository.client.get(upload).json()["state"] == "open", "it can be sent again"


def test_clients_that_send_nothing_more_do_not_stop_the_others(repository: Running) -> None:
    """Fewer than the threads of the one web process; a front server ends those that stall."""
    with ExitStack() as stack:
        for _ in range(6):
            connection = stack.enter_context(_connected(repository))
            connection.sendall(_form_head(repository, _MIB) + _form(_file_part(b"x"))[:90])
        time.sleep(0.5)
        assert repository.client.get("/healthz").status_code == 200
        assert repository.client.get("/api/v1/me/resources").status_code == 200


# Forms


def _part(name: str, content: bytes, *headers: str, file_name: str | None = None) -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if file_name is not None:
        disposition += f'; filename="{file_name}"'
    head = "\r\n".join([f"--{_BOUNDARY}", disposition, *headers, "", ""])
    return head.encode("utf-8", "surrogateescape") + content + b"\r\n"


def _file_part(content: bytes = _CONTENT, *headers: str, file_name: str = "notes.txt") -> bytes:
    return _part("file", content, *headers, file_name=file_name)


def _form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()


def _form_head(repository: Running, size: int) -> bytes:
    kind = f"multipart/form-data; boundary={_BOUNDARY}"
    return _head(repository, "POST", "/api/v1/resources", Content_Type=kind, Content_Length=size)


def _post(repository: Running, *parts: bytes) -> httpx.Response:
    return repository.client.post(
        "/api/v1/resources",
        content=_form(*parts),
        headers={"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"},
    )


_DEEP = b"[" * 100_000 + b"]" * 100_000
_DEEP_OBJECTS = b'{"title":' * 50_000 + b"1" + b"}" * 50_000

FORMS: dict[str, tuple[list[bytes], str, int]] = {
    "many parts": (
        [*(_part(f"p{n}", b"") for n in range(1000)), _file_part()],
        "malformed-request",
        400,
    ),
    "many files": ([_file_part(), _file_part()], "malformed-request", 400),
    "many headers": ([_file_part(_CONTENT, *(f"X-{n}: x" for n in range(500)))], "malformed-request", 400),
    "long header": ([_file_part(_CONTENT, "X-Long: " + "x" * 100_000)], "malformed-request", 400),
    "file name of 100 kB": ([_file_part(file_name="x" * 100_000 + ".mbz")], "malformed-request", 400),
    "huge metadata": ([_part("metadata", b" " * 3 * _MIB), _file_part()], "payload-too-large", 413),
    "huge fields": (
        [*(_part(f"p{n}", b"x" * (_MIB - 1)) for n in range(6)), _file_part()],
        "payload-too-large",
        413,
    ),
    "deep metadata": ([_part("metadata", _DEEP), _file_part()], "malformed-request", 400),
    "deep objects": ([_part("metadata", _DEEP_OBJECTS), _file_part()], "malformed-request", 400),
    "metadata after the file": ([_file_part(), _part("metadata", _DEEP)], "malformed-request", 400),
    "huge number": ([_part("metadata", b"9" * 10_000), _file_part()], "malformed-request", 400),
    "metadata that is no object": ([_part("metadata", b"[]"), _file_part()], "invalid-input", 422),
    "metadata that is null": ([_part("metadata", b"null"), _file_part()], "invalid-input", 422),
    "metadata that is no UTF-8": (
        [_part("metadata", b'{"title":"\xff"}'), _file_part()],
        "malformed-request",
        400,
    ),
    "lone surrogate": ([_part("metadata", b'{"title":"\\ud800"}'), _file_part()], "invalid-input", 422),
    "NUL": ([_part("metadata", b'{"title":"a\\u0000b"}'), _file_part()], "invalid-input", 422),
    "unknown member": ([_part("metadata", b'{"owner":"me"}'), _file_part()], "invalid-input", 422),
    "no file": ([_part("metadata", b"{}")], "invalid-input", 422),
    "coded file": (
        [_file_part(_CONTENT, "Content-Transfer-Encoding: base64")],
        "malformed-request",
        400,
    ),
    "part without a name": ([f"--{_BOUNDARY}\r\n\r\nx\r\n".encode(), _file_part()], "malformed-request", 400),
}


@pytest.mark.parametrize(("parts", "code", "status"), FORMS.values(), ids=FORMS.keys())
def test_forms(repository: Running, parts: list[bytes], code: str, status: int) -> None:
    _refused(_post(repository, *parts), code, status)


@pytest.mark.parametrize(
    "content",
    [b"", b"--", _form(_file_part())[:-8], b"x" * _MIB, f"--{_BOUNDARY}--\r\n".encode()],
    ids=["nothing", "dashes", "no last boundary", "no boundary", "only the last boundary"],
)
def test_forms_that_are_none(repository: Running, content: bytes) -> None:
    sent = repository.client.post(
        "/api/v1/resources",
        content=content,
        headers={"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"},
    )
    assert sent.status_code in (400, 422), sent.text
    assert sent.json()["code"] in ("malformed-request", "invalid-input")


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "text/plain", "application/x-www-form-urlencoded", ""]
)
def test_other_kinds_of_bodies(repository: Running, kind: str) -> None:
    sent = repository.client.post(
        "/api/v1/resources", content=_form(_file_part()), headers={"Content-Type": kind}
    )
    if kind == "multipart/form-data":
        _refused(sent, "malformed-request", 400)
    else:
        assert _refused(sent, "unsupported-media-type", 415)["supported"]


# JSON

JSON: dict[str, tuple[bytes, str, int]] = {
    "deep": (_DEEP, "malformed-request", 400),
    "deep objects": (_DEEP_OBJECTS, "malformed-request", 400),
    "huge": (b'{"file_name":"' + b"x" * 3 * _MIB + b'","size":1}', "payload-too-large", 413),
    "huge number": (b'{"file_name":"x","size":' + b"9" * 10_000 + b"}", "malformed-request", 400),
    "not a number": (b'{"file_name":"x","size":NaN}', "invalid-input", 422),
    "infinity": (b'{"file_name":"x","size":1e999}', "invalid-input", 422),
    "null": (b"null", "invalid-input", 422),
    "nothing": (b"", "malformed-request", 400),
    "no UTF-8": (b'{"file_name":"\xff","size":1}', "malformed-request", 400),
    "lone surrogate": (b'{"file_name":"\\ud800","size":1}', "invalid-input", 422),
    "NUL": (b'{"file_name":"a\\u0000","size":1}', "invalid-input", 422),
    "file name of 100 kB": (
        json.dumps({"file_name": "x" * 100_000, "size": 1}).encode(),
        "invalid-input",
        422,
    ),
    "many members": (
        json.dumps({f"m{n}": n for n in range(100_000)}).encode(),
        "invalid-input",
        422,
    ),
}


@pytest.mark.parametrize(("content", "code", "status"), JSON.values(), ids=JSON.keys())
def test_json(repository: Running, content: bytes, code: str, status: int) -> None:
    sent = repository.client.post(
        "/api/v1/uploads", content=content, headers={"Content-Type": "application/json"}
    )
    problem = _refused(sent, code, status)
    assert len(sent.content) < _MIB, "no more is said than a person reads"
    assert problem["code"] == code


# Addresses and headers


@pytest.mark.parametrize(
    "path",
    [
        "/files/%00/1/x.mbz",
        f"/files/{_NOBODYS}/1/%00",
        f"/files/{_NOBODYS}/1/%ff%fe",
        f"/files/{_NOBODYS}/1/..%2f..%2fetc%2fpasswd",
        f"/files/{_NOBODYS}/{'9' * 400}/x.mbz",
        f"/files/{_NOBODYS}/0/x.mbz",
        f"/files/{_NOBODYS}/1/{'x' * 20_000}",
        "/vocabularies/..%2f..%2fpyproject.toml",
        "/api/docs/swagger-ui/..%2f..%2f__init__.py",
        "/%c0%ae%c0%ae/etc/passwd",
    ],
)
def test_addresses_of_nothing(repository: Running, path: str) -> None:
    with _connected(repository) as connection:
        connection.sendall(_head(repository, "GET", path, Accept="application/problem+json"))
        _refused(read_answer(connection), "not-found", 404)


@pytest.mark.parametrize("path", ["/../../etc/passwd", "/files/../../../etc/passwd"])
def test_addresses_that_climb(repository: Running, path: str) -> None:
    with _connected(repository) as connection:
        connection.sendall(_head(repository, "GET", path, Accept="application/problem+json"))
        answer = read_answer(connection)
    assert answer.status in (400, 404)
    assert b"root:" not in answer.body


def test_headers_without_end(repository: Running) -> None:
    """The HTTP server itself refuses these."""
    with _connected(repository) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        with suppress(ConnectionError):  # it need not read them all
            for n in range(2000):
                connection.sendall(f"X-{n}: {'x' * 1000}\r\n".encode())
            assert connection.recv(65536).split()[1:2] in ([b"400"], [b"431"], [])


def test_a_cursor_of_any_kind(repository: Running) -> None:
    for cursor in ("x", "A" * 1000, "bm9uZQ", "\x00", "\ud7ff", "-1", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5"):
        for path in ("/api/v1/resources", "/api/v1/accounts", "/api/v1/audit", "/api/v1/me/resources"):
            sent = repository.client.get(path, params={"cursor": cursor})
            _refused(sent, "invalid-cursor", 400)
