"""Stored bytes as responses: conditions, ranges, redirects and harmlessness."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import pytest
from flask import Flask, Response, request
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from repo_service.http import problems
from repo_service.http.delivery import BLOCK_SIZE, deliver
from storage.errors import BlobNotFound, StorageUnavailable

DATA = bytes(range(256)) * 4096 * 3  # 3 MiB
DIGEST = hashlib.sha256(DATA).hexdigest()
ETAG = f'"{DIGEST}"'
MODIFIED = datetime(2026, 3, 1, 12, 30, 15, 999_999, tzinfo=UTC)
MODIFIED_HTTP = "Sun, 01 Mar 2026 12:30:15 GMT"
EARLIER, LATER = "Sun, 01 Mar 2026 12:30:14 GMT", "Sun, 01 Mar 2026 12:30:16 GMT"


class Reader:
    """A part of some bytes that knows whether it was closed."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)
        self.closed = False
        self.largest = 0

    def read(self, size: int = -1, /) -> bytes:
        assert not self.closed
        self.largest = max(self.largest, size)
        return self._stream.read(size)

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Blob:
    """The file that is delivered, and how it was read."""

    def __init__(self, data: bytes = DATA) -> None:
        self.data = data
        self.announced = len(data)
        self.readers: list[Reader] = []
        self.error: Exception | None = None
        self.redirect_url: Callable[[], str | None] = lambda: None
        self.accel_path: Callable[[], str | None] = lambda: None
        self.file_name = "course.mbz"
        self.media_type = "application/vnd.moodle.backup"

    def open(self, offset: int, length: int) -> Reader:
        if self.error is not None:
            raise self.error
        self.readers.append(Reader(self.data[offset : offset + length]))
        return self.readers[-1]

    def deliver(self) -> Response:
        return deliver(
            request,
            size=self.announced,
            etag=DIGEST,
            media_type=self.media_type,
            file_name=self.file_name,
            digest=DIGEST,
            last_modified=MODIFIED,
            open_range=self.open,
            redirect_url=self.redirect_url,
            accel_path=self.accel_path,
            cache_control="public, max-age=60",
        )


@pytest.fixture
def blob() -> Blob:
    return Blob()


@pytest.fixture
def app(blob: Blob) -> Flask:
    app = Flask("files")
    problems.register(app, base_url="https://repo.example.org")
    app.add_url_rule("/files/course.mbz", "file", blob.deliver)
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


URL = "/files/course.mbz"


def test_the_whole_file(client: FlaskClient, blob: Blob) -> None:
    response = client.get(URL)
    assert response.status_code == 200
    assert response.data == DATA
    assert dict(response.headers) == {
        "Content-Type": "application/vnd.moodle.backup",
        "Content-Length": str(len(DATA)),
        "ETag": ETAG,
        "Last-Modified": MODIFIED_HTTP,
        "Cache-Control": "public, max-age=60",
        "Accept-Ranges": "bytes",
        "Repr-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(DATA).digest()).decode()}:",
        "Content-Disposition": "attachment; filename=\"course.mbz\"; filename*=UTF-8''course.mbz",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    assert len(blob.readers) == 1
    assert blob.readers[0].closed
    assert blob.readers[0].largest == BLOCK_SIZE


def test_head_has_the_headers_of_get_and_opens_nothing(client: FlaskClient, blob: Blob) -> None:
    head = client.head(URL)
    assert head.status_code == 200
    assert head.data == b""
    assert blob.readers == []
    assert dict(head.headers) == dict(client.get(URL).headers)


def test_head_takes_no_range(client: FlaskClient) -> None:
    response = client.head(URL, headers={"Range": "bytes=0-1"})
    assert (response.status_code, response.headers["Content-Length"]) == (200, str(len(DATA)))


def test_an_empty_file(client: FlaskClient, blob: Blob) -> None:
    blob.announced = 0
    response = client.get(URL)
    assert (response.status_code, response.data, response.headers["Content-Length"]) == (200, b"", "0")
    assert client.get(URL, headers={"Range": "bytes=0-"}).status_code == 416


def test_a_single_range(client: FlaskClient, blob: Blob) -> None:
    response = client.get(URL, headers={"Range": "bytes=1000000-2999999"})
    assert response.status_code == 206
    assert response.data == DATA[1_000_000:3_000_000]
    assert response.headers["Content-Length"] == "2000000"
    assert response.headers["Content-Range"] == f"bytes 1000000-2999999/{len(DATA)}"
    assert response.mimetype == "application/vnd.moodle.backup"
    assert blob.readers[0].closed


def test_several_ranges(client: FlaskClient, blob: Blob) -> None:
    response = client.get(URL, headers={"Range": "bytes=-5,0-9,1500000-2999999"})
    assert response.status_code == 206
    assert response.mimetype == "multipart/byteranges"
    assert int(response.headers["Content-Length"]) == len(response.data)
    assert "Content-Range" not in response.headers
    boundary = response.content_type.partition("boundary=")[2].encode()
    parts = [part.partition(b"\r\n\r\n")[2][:-2] for part in response.data.split(b"--" + boundary)[1:-1]]
    assert parts == [DATA[-5:], DATA[:10], DATA[1_500_000:3_000_000]]
    assert [reader.closed for reader in blob.readers] == [True] * 3


def test_a_range_beyond_the_end(client: FlaskClient) -> None:
    response = client.get(URL, headers={"Range": f"bytes={len(DATA)}-"})
    assert response.status_code == 416
    assert response.headers["Content-Range"] == f"bytes */{len(DATA)}"
    assert response.mimetype == "application/problem+json"


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        (ETAG, 206),
        (f"W/{ETAG}", 200),
        ('"another"', 200),
        (DIGEST, 200),
        (f'{ETAG}, "b"', 200),
        (MODIFIED_HTTP, 200),
    ],
)
def test_if_range(client: FlaskClient, condition: str, status: int) -> None:
    response = client.get(URL, headers={"Range": "bytes=0-9", "If-Range": condition})
    assert response.status_code == status
    assert response.data == (DATA[:10] if status == 206 else DATA)


def test_a_range_beyond_the_end_of_another_edition(client: FlaskClient) -> None:
    response = client.get(URL, headers={"Range": f"bytes={len(DATA)}-", "If-Range": '"another"'})
    assert response.status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": ETAG}, 304),
        ({"If-None-Match": f"W/{ETAG}"}, 304),
        ({"If-None-Match": f'"a", {ETAG}'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"a"'}, 200),
        ({"If-Modified-Since": MODIFIED_HTTP}, 304),
        ({"If-Modified-Since": LATER}, 304),
        ({"If-Modified-Since": EARLIER}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
        # RFC 9110, section 13.2.2: the tag decides where there is one.
        ({"If-None-Match": '"a"', "If-Modified-Since": LATER}, 200),
        ({"If-Match": ETAG}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": '"a"'}, 412),
        ({"If-Match": f"W/{ETAG}"}, 412),
        ({"If-Unmodified-Since": MODIFIED_HTTP}, 200),
        ({"If-Unmodified-Since": EARLIER}, 412),
        ({"If-Match": ETAG, "If-Unmodified-Since": EARLIER}, 200),
        ({"If-Match": '"a"', "If-None-Match": ETAG}, 412),
        ({"If-None-Match": ETAG, "Range": "bytes=0-9"}, 304),
    ],
)
def test_conditions(
    client: FlaskClient, blob: Blob, method: str, headers: dict[str, str], status: int
) -> None:
    response = client.open(URL, method=method, headers=headers)
    assert response.status_code == status
    if status == 304:
        assert response.data == b""
        assert response.headers["ETag"] == ETAG
        assert response.headers["Cache-Control"] == "public, max-age=60"
        assert "Content-Length" not in response.headers
    if status != 200:
        assert blob.readers == []


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-1,5-6", None])
def test_a_missing_blob_is_a_problem_and_no_broken_200(
    client: FlaskClient, blob: Blob, header: str | None
) -> None:
    blob.error = BlobNotFound("gone")
    response = client.get(URL, headers={"Range": header} if header else {})
    assert response.status_code == 500
    assert response.get_json()["code"] == "blob-missing"


def test_a_store_that_is_away(client: FlaskClient, blob: Blob) -> None:
    blob.error = StorageUnavailable("timeout")
    assert client.get(URL).status_code == 503


def test_a_blob_that_is_shorter_than_announced_breaks_the_download(app: Flask, blob: Blob) -> None:
    blob.announced = len(DATA) + 1
    with capture_logs() as logs, pytest.raises(StorageUnavailable):
        app.test_client().get(URL, headers={"X-Request-ID": "1234-5678"}, buffered=True)
    assert [(entry["event"], entry["request_id"]) for entry in logs] == [("download broke off", "1234-5678")]
    assert blob.readers[0].closed


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-9,20-", None])
@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_readers_are_closed_when_the_client_goes_away(
    app: Flask, blob: Blob, header: str | None, blocks: int
) -> None:
    headers: dict[str, str] = {"Range": header} if header else {}
    environ = EnvironBuilder(path=URL, headers=Headers(headers)).get_environ()
    body, _, _ = run_wsgi_app(app, environ, buffered=False)
    iterator = iter(body)
    for _ in range(blocks):
        next(iterator)
    body.close()  # type: ignore[attr-defined]  # WSGI servers call it where it is there
    assert blob.readers
    assert all(reader.closed for reader in blob.readers)


def test_a_redirect(client: FlaskClient, blob: Blob) -> None:
    blob.redirect_url = lambda: "https://s3.example.org/blob?X-Amz-Signature=abc%2F1"
    response = client.get(URL, headers={"Range": "bytes=0-9"})
    assert response.status_code == 302
    assert response.headers["Location"] == "https://s3.example.org/blob?X-Amz-Signature=abc%2F1"
    assert response.headers["Cache-Control"] == "private, no-store"
    assert blob.readers == []
    head = client.head(URL)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(DATA)))
    assert client.get(URL, headers={"If-None-Match": ETAG}).status_code == 304


def test_the_front_server_sends_the_bytes(client: FlaskClient, blob: Blob) -> None:
    blob.accel_path = lambda: "/_blobs/ab/é %.bin"
    response = client.get(URL)
    assert response.status_code == 200
    assert response.headers["X-Accel-Redirect"] == "/_blobs/ab/%C3%A9%20%25.bin"
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.mimetype == blob.media_type
    assert blob.readers == []
    head = client.head(URL)
    assert "Accept-Ranges" not in response.headers, "the front server says that itself"
    assert "X-Accel-Redirect" not in head.headers
    assert head.headers["Content-Length"] == str(len(DATA))


@pytest.mark.parametrize(
    "condition",
    [{"If-Match": ETAG}, {"If-Range": ETAG, "Range": "bytes=0-9"}, {"If-Unmodified-Since": LATER}],
)
def test_conditions_that_the_front_server_would_misjudge(
    client: FlaskClient, blob: Blob, condition: dict[str, str]
) -> None:
    blob.accel_path = lambda: "/_blobs/ab"
    response = client.get(URL, headers=condition)
    assert "X-Accel-Redirect" not in response.headers
    assert response.data == (DATA[:10] if "Range" in condition else DATA)


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", "text/plain"])
def test_foreign_pages_are_attachments_as_they_are(client: FlaskClient, blob: Blob, media_type: str) -> None:
    blob.media_type, blob.file_name = media_type, "Übung.html"
    response = client.get(URL)
    assert response.headers["Content-Type"] == media_type, "no charset is guessed"
    assert response.headers["Content-Disposition"] == (
        "attachment; filename=\"Ubung.html\"; filename*=UTF-8''%C3%9Cbung.html"
    )
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
