"""tus at the endpoints: what each request does, what is refused, and that nothing of that stays."""

from __future__ import annotations

import base64
import hashlib
import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from repo_service.models import Account, Job, Upload
from repo_service.models.base import now
from repo_service.services import resuming, room
from repo_service.services.uploads import Uploads
from storage import StorageFull, StorageUnavailable
from storage.checked import CheckedAppending, CheckedStaged, CheckedStore
from tests.contract.support import (
    count,
    nothing_changes,
    path_of,
    pointers,
    problem_of,
    published,
    sha256,
    share,
    staged,
)
from tests.support.service import MakeService, Service, json_of, send_file

TUS = "/api/v1/tus"
BYTES = "application/offset+octet-stream"
DATA = bytes(range(256)) * 40
SIZE = len(DATA)


# How a client asks


def _ask(client: FlaskClient, method: str, path: str, **named: Any) -> TestResponse:
    headers = {"Tus-Resumable": "1.0.0", **named.pop("headers", {})}
    return client.open(path, method=method, headers=headers, **named)


def _create(client: FlaskClient, size: object = SIZE, **named: Any) -> TestResponse:
    headers = {"Upload-Length": str(size), **named.pop("headers", {})}
    return _ask(client, "POST", TUS, headers=headers, **named)


def _begin(client: FlaskClient, size: int = SIZE, **metadata: str) -> str:
    """The path of a new upload."""
    pairs = [f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in metadata.items()]
    made = _create(client, size, headers={"Upload-Metadata": ",".join(pairs)})
    assert made.status_code == 201, made.text
    return path_of(made.headers["Location"])


def _patch(client: FlaskClient, path: str, offset: object, data: bytes, **named: Any) -> TestResponse:
    headers = {"Upload-Offset": str(offset), **named.pop("headers", {})}
    return _ask(client, "PATCH", path, data=data, headers=headers, content_type=BYTES, **named)


def _send(client: FlaskClient, path: str, offset: int, data: bytes, **named: Any) -> int:
    """The offset after these bytes, which are taken."""
    response = _patch(client, path, offset, data, **named)
    assert response.status_code == 204, response.text
    assert response.data == b""
    return int(response.headers["Upload-Offset"])


def _offset(client: FlaskClient, path: str) -> int:
    response = _ask(client, "HEAD", path)
    assert response.status_code == 200, response.headers
    return int(response.headers["Upload-Offset"])


def _refused(response: TestResponse, code: str) -> dict[str, Any]:
    """The problem of a tus answer: it speaks the protocol as well."""
    assert response.headers["Tus-Resumable"] == "1.0.0"
    return problem_of(response, code)


def _state(client: FlaskClient, path: str) -> Any:
    return json_of(client.get(f"/api/v1/uploads/{_id(path)}"))


def _id(path: str) -> str:
    return path.rpartition("/")[2]


def _used(client: FlaskClient) -> int:
    used: int = json_of(client.get("/api/v1/me"))["used"]
    return used


def _spooled(service: Service) -> list[str]:
    """What is staged for uploads in several goes."""
    spool = service.settings.data_dir / "spool" / "staging"
    return sorted(path.name for path in spool.iterdir()) if spool.exists() else staged(service.settings)


def _leftovers(service: Service) -> list[object]:
    """Everything that the stores hold, staged and published."""
    return [*_spooled(service), *staged(service.settings), *published(service.settings)]


def _finished(service: Service, client: FlaskClient, path: str) -> Any:
    """The upload, with what a worker has to do for it done."""
    service.work()
    upload = _state(client, path)
    assert upload["state"] == "finished", upload
    return upload


def _resource(service: Service, client: FlaskClient, path: str) -> Any:
    """The upload as a new resource, downloaded once."""
    _finished(service, client, path)
    made = json_of(client.post("/api/v1/resources", json={"upload": _id(path)}), 201)
    assert client.get(path_of(made["versions"][0]["download_url"])).data == DATA
    return made


def _change(service: Service, path: str, **values: Any) -> None:
    """What time, or an operator, would do to an upload."""
    with service.services.database.write() as session:
        session.execute(update(Upload).where(Upload.id == UUID(_id(path))).values(**values))


# What it does


def test_the_server_says_what_it_can(service: Service) -> None:
    """To whoever asks, in any version of the protocol."""
    for path in (TUS, f"{TUS}/{uuid4()}"):
        for headers in ({}, {"Tus-Resumable": "0.2.2"}):
            told = service.client().open(path, method="OPTIONS", headers=headers)
            assert (told.status_code, told.data) == (204, b"")
            assert told.headers["Tus-Version"] == told.headers["Tus-Resumable"] == "1.0.0"
            assert told.headers["Tus-Max-Size"] == str(service.settings.max_upload_size)
            assert set(told.headers["Tus-Extension"].split(",")) == {
                "creation",
                "creation-with-upload",
                "expiration",
                "checksum",
                "termination",
            }
            assert told.headers["Tus-Checksum-Algorithm"] == "sha1,sha256"


def test_in_several_goes(any_service: Service) -> None:
    """From the announcement to the download."""
    teacher = any_service.member()
    made = _create(teacher, headers={"Upload-Metadata": "filename a3Vycy5tYno=,is_private"})
    assert made.status_code == 201
    assert made.headers["Location"].startswith(any_service.settings.base_url + TUS)
    assert made.headers["Upload-Offset"] == "0"
    path = path_of(made.headers["Location"])
    assert _state(teacher, path)["way"] == "tus"
    assert _used(teacher) == SIZE
    at = 0
    for end in (1, 4096, 4096, SIZE - 1):
        at = _send(teacher, path, at, DATA[at:end])
        assert at == end == _offset(teacher, path)
        assert _state(teacher, path)["state"] == "open"
        assert published(any_service.settings) == []
    assert _send(teacher, path, at, DATA[at:]) == SIZE
    looked = _ask(teacher, "HEAD", path)
    assert (looked.headers["Upload-Offset"], looked.headers["Upload-Length"]) == (str(SIZE), str(SIZE))
    assert looked.headers["Cache-Control"] == "no-store"
    assert looked.headers["Upload-Metadata"] == "filename a3Vycy5tYno="
    resource = _resource(any_service, teacher, path)
    assert resource["versions"][0]["file_name"] == "kurs.mbz"
    assert resource["versions"][0]["sha256"] == sha256(DATA)
    assert _used(teacher) == SIZE
    assert _spooled(any_service) == staged(any_service.settings) == []


def test_in_one_go(any_service: Service) -> None:
    """Where the store keeps staged bytes itself, the file is there with the answer."""
    teacher = any_service.member()
    path = _begin(teacher)
    assert _send(teacher, path, 0, DATA) == SIZE
    in_place = any_service.settings.store_url.startswith("file:")
    assert _state(teacher, path)["state"] == ("finished" if in_place else "verifying")
    assert _offset(teacher, path) == SIZE
    _resource(any_service, teacher, path)
    assert _offset(teacher, path) == SIZE


@pytest.mark.parametrize("end", [1, SIZE])
def test_creation_with_upload(any_service: Service, end: int) -> None:
    """The first bytes, or all of them, come with the announcement."""
    teacher = any_service.member()
    made = _create(teacher, data=DATA[:end], content_type=BYTES)
    assert (made.status_code, made.headers["Upload-Offset"]) == (201, str(end))
    assert made.headers["Upload-Expires"]
    path = path_of(made.headers["Location"])
    if end < SIZE:
        assert _send(teacher, path, end, DATA[end:]) == SIZE
    _resource(any_service, teacher, path)


def test_an_empty_file_is_complete_at_once(any_service: Service) -> None:
    """There is nothing to send."""
    teacher = any_service.member()
    path = _begin(teacher, 0, filename="nothing.txt")
    assert _offset(teacher, path) == 0
    assert _finished(any_service, teacher, path)["sha256"] == sha256(b"")


def test_what_was_there_already_is_not_kept_twice(any_service: Service) -> None:
    """One blob for both; nothing stays staged."""
    teacher = any_service.member()
    share(teacher, DATA)
    before = published(any_service.settings)
    path = _begin(teacher)
    _send(teacher, path, 0, DATA)
    _resource(any_service, teacher, path)
    assert published(any_service.settings) == before
    assert _spooled(any_service) == staged(any_service.settings) == []


def test_another_process_goes_on(any_service: Service) -> None:
    """It has not seen the first bytes, so the whole is read once before it is published."""
    teacher = any_service.member()
    path = _begin(teacher)
    _send(teacher, path, 0, DATA[:5000])
    any_service.services.resuming._fingerprints._kept.clear()
    _send(teacher, path, 5000, DATA[5000:])
    upload = _state(teacher, path)
    assert (upload["state"], upload["reason"]) == ("verifying", None)
    for response in (
        teacher.post("/api/v1/resources", json={"upload": _id(path)}),
        teacher.post(f"/api/v1/resources/{share(teacher)['id']}/versions", json={"upload": _id(path)}),
    ):
        problem_of(response, "not-verified")
        assert int(response.headers["Retry-After"]) > 0
    assert _offset(teacher, path) == SIZE
    _resource(any_service, teacher, path)


def test_checksums(any_service: Service) -> None:
    """Right ones are taken, of any part."""
    teacher = any_service.member()
    path = _begin(teacher)
    at = 0
    for algorithm, end in (("sha1", 1000), ("sha256", 7000), ("sha1", SIZE)):
        part = DATA[at:end]
        value = base64.b64encode(hashlib.new(algorithm, part).digest()).decode()
        at = _send(teacher, path, at, part, headers={"Upload-Checksum": f"{algorithm} {value}"})
    _resource(any_service, teacher, path)


def test_a_wrong_checksum(any_service: Service) -> None:
    """Nothing of that request is kept; the upload goes on where it was, and needs no second reading."""
    teacher = any_service.member()
    path = _begin(teacher)
    _send(teacher, path, 0, DATA[:100])
    for algorithm in ("sha1", "sha256"):
        wrong = base64.b64encode(hashlib.new(algorithm, b"other").digest()).decode()
        for data in (DATA[100:5000], DATA[100:]):
            headers = {"Upload-Checksum": f"{algorithm} {wrong}"}
            problem = _refused(_patch(teacher, path, 100, data, headers=headers), "checksum-mismatch")
            assert problem["algorithm"] == algorithm
            assert _offset(teacher, path) == 100
    _send(teacher, path, 100, DATA[100:])
    if any_service.settings.store_url.startswith("file:"):
        assert _state(teacher, path)["state"] == "finished"
    _resource(any_service, teacher, path)


def test_a_wrong_checksum_at_creation(service: Service) -> None:
    """There is no upload then."""
    teacher = service.member()
    wrong = base64.b64encode(hashlib.sha1(b"other").digest()).decode()
    with nothing_changes(service):
        made = _create(
            teacher, data=DATA[:9], content_type=BYTES, headers={"Upload-Checksum": f"sha1 {wrong}"}
        )
        _refused(made, "checksum-mismatch")
        assert "Location" not in made.headers
    assert _spooled(service) == []


def test_an_expected_digest(service: Service) -> None:
    """Given as metadata, in either case of letters; verified over the whole."""
    teacher = service.member()
    path = _begin(teacher, sha256=sha256(DATA).upper(), filename="a.mbz")
    _send(teacher, path, 0, DATA)
    _resource(service, teacher, path)


def _one_go(client: FlaskClient, path: str, _service: Service) -> TestResponse:
    return _patch(client, path, 0, DATA)


def _two_processes(client: FlaskClient, path: str, service: Service) -> TestResponse:
    _send(client, path, 0, DATA[:10])
    service.services.resuming._fingerprints._kept.clear()
    return _patch(client, path, 10, DATA[10:])


@pytest.mark.parametrize("send", [_one_go, _two_processes])
def test_another_digest_than_expected(any_service: Service, send: Callable[..., TestResponse]) -> None:
    """The upload has failed and says why; its bytes are gone and its room is given back."""
    teacher = any_service.member()
    path = _begin(teacher, sha256="0" * 64)
    response = send(teacher, path, any_service)
    if response.status_code != 204:  # it could be told at once
        problem = _refused(response, "digest-mismatch")
        assert (problem["expected"], problem["received"]) == ("0" * 64, sha256(DATA))
    any_service.work()
    upload = _state(teacher, path)
    assert upload["state"] == "failed"
    assert sha256(DATA) in upload["reason"]
    assert _used(teacher) == 0
    assert _leftovers(any_service) == []
    assert _ask(teacher, "HEAD", path).status_code == 410
    problem = _refused(_patch(teacher, path, 0, DATA), "upload-failed")
    assert problem["detail"] == upload["reason"]
    problem_of(teacher.post("/api/v1/resources", json={"upload": _id(path)}), "conflict")
    assert _ask(teacher, "DELETE", path).status_code == 204
    problem_of(teacher.get(f"/api/v1/uploads/{_id(path)}"), "not-found")


def test_the_method_may_stand_in_a_header(service: Service) -> None:
    """For clients that know neither PATCH nor DELETE. Elsewhere the header means nothing."""
    teacher = service.member()
    path = _begin(teacher)
    sent = _ask(
        teacher,
        "POST",
        path,
        data=DATA[:5],
        content_type=BYTES,
        headers={"Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"},
    )
    assert (sent.status_code, sent.headers["Upload-Offset"]) == (204, "5")
    _refused(_ask(teacher, "POST", path, headers={"X-HTTP-Method-Override": "PUT"}), "method-not-allowed")
    gone = _ask(teacher, "POST", path, headers={"X-HTTP-Method-Override": "DELETE"})
    assert gone.status_code == 204
    overridden = teacher.get("/api/v1/me", headers={"X-HTTP-Method-Override": "DELETE"})
    assert overridden.status_code == 200


def test_a_body_without_an_announced_size(any_service: Service) -> None:
    """Chunked bodies end where they end; what is more than the rest is refused and nothing of it kept."""
    teacher = any_service.member()
    path = _begin(teacher)
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "", "CONTENT_TYPE": BYTES}

    def send(offset: int, data: bytes) -> TestResponse:
        environment = {**chunked, "wsgi.input": io.BytesIO(data)}
        headers = {"Upload-Offset": str(offset)}
        return _ask(teacher, "PATCH", path, headers=headers, environ_overrides=environment)

    assert send(0, DATA[:5000]).headers["Upload-Offset"] == "5000"
    problem = _refused(send(5000, DATA[5000:] + b"x"), "payload-too-large")
    assert problem["limit"] == SIZE - 5000
    assert _offset(teacher, path) == 5000
    assert send(5000, DATA[5000:]).status_code == 204
    _resource(any_service, teacher, path)


def test_a_body_that_breaks_off(service: Service) -> None:
    """What came is kept, unless it came with a checksum."""
    teacher = service.member()
    path = _begin(teacher)
    environment = {"wsgi.input": io.BytesIO(DATA[:5000]), "CONTENT_LENGTH": str(SIZE), "CONTENT_TYPE": BYTES}
    _ask(teacher, "PATCH", path, headers={"Upload-Offset": "0"}, environ_overrides=environment)
    assert _offset(teacher, path) == 5000
    value = base64.b64encode(hashlib.sha1(DATA[5000:]).digest()).decode()
    environment |= {"wsgi.input": io.BytesIO(DATA[5000:6000]), "CONTENT_LENGTH": str(SIZE - 5000)}
    headers = {"Upload-Offset": "5000", "Upload-Checksum": f"sha1 {value}"}
    _refused(
        _ask(teacher, "PATCH", path, headers=headers, environ_overrides=environment), "checksum-mismatch"
    )
    assert _offset(teacher, path) == 5000


def test_a_creation_that_breaks_off(service: Service) -> None:
    """Nobody was told its address: nothing of it stays."""
    teacher = service.member()
    environment = {"wsgi.input": io.BytesIO(DATA[:5000]), "CONTENT_LENGTH": str(SIZE), "CONTENT_TYPE": BYTES}
    with nothing_changes(service):
        problem = _refused(_create(teacher, environ_overrides=environment), "size-mismatch")
        assert (problem["expected"], problem["received"]) == (SIZE, 5000)
    assert _spooled(service) == []


def test_going_on_is_what_keeps_it(service: Service) -> None:
    """An upload expires a while after the last bytes, not after the first."""
    teacher = service.member()
    path = _begin(teacher)
    soon = now() + timedelta(minutes=5)
    _change(service, path, expires_at=soon)
    assert _expiry(_ask(teacher, "HEAD", path)) == soon.replace(microsecond=0)
    sent = _patch(teacher, path, 0, DATA[:1])
    wanted = now() + service.settings.upload_ttl
    assert abs(_expiry(sent) - wanted) < timedelta(minutes=1)
    assert _expiry(_ask(teacher, "HEAD", path)) == _expiry(sent)


def _expiry(response: TestResponse) -> datetime:
    header = response.headers["Upload-Expires"]
    assert header.endswith(" GMT")
    return parsedate_to_datetime(header).astimezone(UTC)


# What is refused


@pytest.mark.parametrize("version", [None, "", "0.2.2", "1.0.1", "1"])
def test_other_versions_of_the_protocol(service: Service, version: str | None) -> None:
    """Before anything else is done."""
    teacher = service.member()
    path = _begin(teacher)
    headers = {"Upload-Length": "5", "Upload-Offset": "0"}
    if version is not None:
        headers["Tus-Resumable"] = version
    with nothing_changes(service):
        for method, where in (("POST", TUS), ("PATCH", path), ("DELETE", path)):
            response = teacher.open(where, method=method, headers=headers, content_type=BYTES)
            assert _refused(response, "unsupported-protocol")["supported"] == ["1.0.0"]
            assert response.headers["Tus-Version"] == "1.0.0"
        assert teacher.open(path, method="HEAD", headers=headers).status_code == 412


def test_every_answer_speaks_the_protocol(service: Service) -> None:
    """Those that no view gives, too."""
    teacher = service.member()
    for method, path, code in (
        ("GET", TUS, "method-not-allowed"),
        ("PUT", f"{TUS}/{uuid4()}", "method-not-allowed"),
        ("PATCH", f"{TUS}/nonsense", "not-found"),
        ("POST", f"{TUS}/", "malformed-request"),
        ("DELETE", f"{TUS}/{uuid4()}", "not-found"),
    ):
        _refused(_ask(teacher, method, path), code)
    _refused(_ask(service.client(), "POST", TUS, headers={"Upload-Length": "5"}), "unauthorised")
    _refused(_ask(service.client("mrr_x"), "POST", TUS), "unauthorised")
    assert "Tus-Resumable" not in teacher.get("/api/v1/me").headers
    assert "Tus-Resumable" not in teacher.get("/api/v1/tustus").headers


@pytest.mark.parametrize("length", [None, "", "-1", "+5", "1e3", "0x10", "5, 6", "5 ", "٣", "9" * 19])
def test_a_length_is_a_number(service: Service, length: str | None) -> None:
    """And has to be given."""
    teacher = service.member()
    headers = {} if length is None else {"Upload-Length": length}
    with nothing_changes(service):
        response = teacher.post(
            TUS,
            environ_overrides={
                f"HTTP_{k.upper().replace('-', '_')}": v
                for k, v in {**headers, "Tus-Resumable": "1.0.0"}.items()
            },
        )
        _refused(response, "malformed-request")


@pytest.mark.parametrize("headers", [{"Upload-Defer-Length": "1"}, {"Upload-Concat": "partial"}])
def test_what_is_not_offered(service: Service, headers: dict[str, str]) -> None:
    """Is refused by its name, also beside a length."""
    teacher = service.member()
    with nothing_changes(service):
        for length in ({}, {"Upload-Length": "5"}):
            problem = _refused(_ask(teacher, "POST", TUS, headers={**headers, **length}), "malformed-request")
            assert next(iter(headers)) in problem["detail"]


@pytest.mark.parametrize(
    "metadata",
    [
        "filename !!!",
        "filename YQ",
        "filename YQ== extra",
        "filename YQ==,filename Yg==",
        "filename " + "A" * 9000,
        "filename " + base64.b64encode("ä".encode()).decode().replace("=", "*"),
    ],
)
def test_broken_metadata(service: Service, metadata: str) -> None:
    """Is told, not guessed at."""
    teacher = service.member()
    with nothing_changes(service):
        _refused(_create(teacher, headers={"Upload-Metadata": metadata}), "malformed-request")


def test_names_are_cleaned(service: Service) -> None:
    """No folders, no control characters, nothing that could become a header; the rest is passed over."""
    teacher = service.member()
    names = {
        "../../etc/passwd": "passwd",
        "C:\\Users\\a\\kurs.mbz": "kurs.mbz",
        "a\r\nX-Evil: 1.txt": "aX-Evil: 1.txt",
        "\x00\x01": "file",
        "": "file",
        "Käse\u202egpj.exe": "Käsegpj.exe",
        "x" * 4000 + ".mbz": "x" * 251 + ".mbz",
    }
    for given, clean in names.items():
        path = _begin(teacher, 1, filename=given, colour="red\r\nX: y")
        assert _state(teacher, path)["file_name"] == clean
        kept = _ask(teacher, "HEAD", path).headers["Upload-Metadata"]
        assert base64.b64decode(kept.removeprefix("filename ")).decode() == clean
    assert _state(teacher, _begin(teacher, 1, name="other.mbz"))["file_name"] == "other.mbz"
    raw = base64.b64encode(b"\xff\xfe.mbz").decode()
    made = _create(teacher, 1, headers={"Upload-Metadata": f"filename {raw}"})
    assert _state(teacher, path_of(made.headers["Location"]))["file_name"].endswith(".mbz")


@pytest.mark.parametrize("expected", ["abc", "g" * 64, "0" * 63, "0" * 65])
def test_an_expected_digest_is_one(service: Service, expected: str) -> None:
    """Told before anything is sent."""
    teacher = service.member()
    value = base64.b64encode(expected.encode()).decode()
    with nothing_changes(service):
        problem = _refused(_create(teacher, headers={"Upload-Metadata": f"sha256 {value}"}), "invalid-input")
        assert pointers(problem) == ["/sha256"]


@pytest.mark.parametrize(
    "checksum",
    ["md5 AAAA", "sha1", "sha1 !", "SHA1 AAAA", "", "crc32 AAAA", "sha1  AAAA", "sha1 " + "A" * 44],
)
def test_a_checksum_is_one_of_those_offered(service: Service, checksum: str) -> None:
    """Otherwise the bytes are not taken: 400, as tus has it."""
    teacher = service.member()
    path = _begin(teacher)
    with nothing_changes(service):
        response = _patch(teacher, path, 0, DATA, headers={"Upload-Checksum": checksum})
        _refused(response, "malformed-request")
    assert _offset(teacher, path) == 0


@pytest.mark.parametrize("offset", [None, "", "-1", "x", "1e1", "9" * 30])
def test_an_offset_is_a_number(service: Service, offset: str | None) -> None:
    """And has to be given."""
    teacher = service.member()
    path = _begin(teacher)
    headers = {} if offset is None else {"Upload-Offset": offset}
    with nothing_changes(service):
        response = _ask(teacher, "PATCH", path, data=DATA, content_type=BYTES, headers=headers)
        _refused(response, "malformed-request")


@pytest.mark.parametrize("offset", [0, 99, 101, SIZE, SIZE + 1, 10**17])
def test_another_offset(service: Service, offset: int) -> None:
    """409, and nothing changes."""
    teacher = service.member()
    path = _begin(teacher)
    _send(teacher, path, 0, DATA[:100])
    for _ in range(2):
        problem = _refused(_patch(teacher, path, offset, b"x"), "offset-mismatch")
        assert problem["offset"] == 100
    assert _offset(teacher, path) == 100
    _send(teacher, path, 100, DATA[100:])
    _resource(service, teacher, path)


@pytest.mark.parametrize("kind", [None, "application/octet-stream", "multipart/form-data; boundary=x"])
def test_other_media_types(service: Service, kind: str | None) -> None:
    """415, at creation only when there is a body."""
    teacher = service.member()
    path = _begin(teacher)
    with nothing_changes(service):
        for response in (
            _ask(teacher, "PATCH", path, data=DATA, content_type=kind, headers={"Upload-Offset": "0"}),
            _create(teacher, data=DATA, content_type=kind),
        ):
            assert _refused(response, "unsupported-media-type")["supported"] == [BYTES]
    without_body = {"CONTENT_TYPE": kind or "", "CONTENT_LENGTH": "0"}
    assert _create(teacher, environ_overrides=without_body).status_code == 201
    sent = _patch(teacher, path, 0, DATA[:1], headers={"Content-Type": BYTES + "; charset=x"})
    assert sent.status_code == 204


class _NotToBeRead(io.RawIOBase):
    """A body of which not one byte may be read."""

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: Any) -> int:
        raise AssertionError("the body was read")


def _only_announce(client: FlaskClient, method: str, path: str, size: int, **headers: str) -> TestResponse:
    environment = {"wsgi.input": _NotToBeRead(), "CONTENT_TYPE": BYTES, "CONTENT_LENGTH": str(size)}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return _ask(client, method, path, headers=named, environ_overrides=environment)


def test_more_than_is_left(service: Service) -> None:
    """Known from Content-Length, so nothing is read."""
    teacher = service.member()
    path = _begin(teacher)
    _send(teacher, path, 0, DATA[:100])
    problem = _refused(
        _only_announce(teacher, "PATCH", path, SIZE - 99, Upload_Offset="100"), "payload-too-large"
    )
    assert problem["limit"] == SIZE - 100
    assert _offset(teacher, path) == 100
    with nothing_changes(service):
        created = _only_announce(teacher, "POST", TUS, 11, Upload_Length="10")
        _refused(created, "payload-too-large")


def test_the_size_limit(make_service: MakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    """At creation, and at each step after it was lowered."""
    service = make_service(max_upload_size=SIZE)
    teacher = service.member()
    with nothing_changes(service):
        problem = _refused(_create(teacher, SIZE + 1), "payload-too-large")
        assert problem["limit"] == SIZE
        _refused(_only_announce(teacher, "POST", TUS, 5, Upload_Length=str(10**17)), "payload-too-large")
    path = _begin(teacher, SIZE)
    _send(teacher, path, 0, DATA[:100])
    use_cases = service.services.resuming
    monkeypatch.setattr(use_cases, "_limits", replace(use_cases._limits, max_size=SIZE - 1))
    refused = _only_announce(teacher, "PATCH", path, 5, Upload_Offset="100")
    assert _refused(refused, "payload-too-large")["limit"] == SIZE - 1


def test_the_quota(any_service: Service) -> None:
    """At creation, and at each step after it was lowered. What is reserved counts from the beginning."""
    token = any_service.token("teacher", quota=3 * SIZE)
    teacher = any_service.client(token)
    path = _begin(teacher, 2 * SIZE)
    with nothing_changes(any_service):
        for refused in (
            _create(teacher, SIZE + 1),
            _only_announce(teacher, "POST", TUS, 5, Upload_Length=str(SIZE + 1)),
        ):
            problem = _refused(refused, "quota-exceeded")
            assert (problem["quota"], problem["used"]) == (3 * SIZE, 2 * SIZE)
    assert len(_spooled(any_service)) == 1
    _send(teacher, path, 0, DATA)
    with any_service.services.database.write() as session:
        session.execute(update(Account).where(Account.username == "teacher").values(quota=2 * SIZE - 1))
    _refused(_only_announce(teacher, "PATCH", path, 5, Upload_Offset=str(SIZE)), "quota-exceeded")
    assert _offset(teacher, path) == SIZE
    assert _ask(teacher, "DELETE", path).status_code == 204
    assert _used(teacher) == 0


def test_the_number_of_unfinished_uploads(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is bounded for each account; finishing or giving up makes room."""
    monkeypatch.setattr(resuming, "MOST_UNFINISHED", 2)
    teacher = service.member()
    first, second = _begin(teacher), _begin(teacher)
    with nothing_changes(service):
        _refused(_create(teacher), "conflict")
    _begin(service.member("other"))
    _send(teacher, first, 0, DATA)
    third = _begin(teacher)
    assert _ask(teacher, "DELETE", second).status_code == 204
    assert third != _begin(teacher)


def test_free_space(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """At creation, and at each step for what is left."""
    teacher = service.member()
    path = _begin(teacher)
    _send(teacher, path, 0, DATA[:100])
    free = SIZE - 101
    monkeypatch.setattr(CheckedStore, "free_bytes", lambda self: free)
    with nothing_changes(service):
        _refused(_create(teacher), "storage-full")
    _refused(_only_announce(teacher, "PATCH", path, 5, Upload_Offset="100"), "storage-full")
    free += 1
    assert _send(teacher, path, 100, DATA[100:]) == SIZE


def test_free_space_is_kept_while_bytes_come(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others fill the disk meanwhile. What has come is kept, and gone on with when there is room."""
    service = make_service(min_free_space=1000)
    monkeypatch.setattr(room, "_LOOK_EVERY", 4000)
    teacher = service.member()
    path = _begin(teacher)
    free = iter([10**6, 1000, 999])
    monkeypatch.setattr(CheckedStore, "free_bytes", lambda self: next(free))
    _refused(_patch(teacher, path, 0, DATA), "storage-full")
    held = _offset(teacher, path)
    assert 0 < held < SIZE
    monkeypatch.setattr(CheckedStore, "free_bytes", lambda self: 10**6)
    assert _send(teacher, path, held, DATA[held:]) == SIZE


def test_other_peoples_uploads_are_not_there(any_service: Service) -> None:
    """They cannot be looked at, gone on with or given up; nor used, finished or not."""
    owner, other = any_service.member("owner"), any_service.member("other")
    path, done = _begin(owner), _begin(owner)
    _send(owner, path, 0, DATA[:10])
    _send(owner, done, 0, DATA)
    any_service.work()
    with nothing_changes(any_service):
        for mine in (path, done):
            assert _ask(other, "HEAD", mine).status_code == 404
            _refused(_only_announce(other, "PATCH", mine, 5, Upload_Offset="10"), "not-found")
            _refused(_ask(other, "DELETE", mine), "not-found")
            problem_of(other.get(f"/api/v1/uploads/{_id(mine)}"), "not-found")
            problem_of(other.post("/api/v1/resources", json={"upload": _id(mine)}), "not-found")
        for method in ("PATCH", "DELETE"):
            nobody = _only_announce(any_service.client(), method, path, 5, Upload_Offset="10")
            _refused(nobody, "unauthorised")
        assert _ask(any_service.client(), "HEAD", path).status_code == 401
    assert _offset(owner, path) == 10


def test_uploads_of_another_way(service: Service) -> None:
    """tus knows those in one body not, and these take no bytes by PUT."""
    teacher = service.member()
    plain = json_of(teacher.post("/api/v1/uploads", json={"file_name": "a", "size": SIZE}), 201)
    path = _begin(teacher)
    with nothing_changes(service):
        assert _ask(teacher, "HEAD", f"{TUS}/{plain['id']}").status_code == 404
        _refused(_patch(teacher, f"{TUS}/{plain['id']}", 0, DATA), "not-found")
        _refused(_ask(teacher, "DELETE", f"{TUS}/{plain['id']}"), "not-found")
        problem_of(teacher.put(f"/api/v1/uploads/{_id(path)}", data=DATA), "conflict")


def test_a_token_that_may_only_read(service: Service) -> None:
    """Starts nothing."""
    teacher = service.member()
    path = _begin(teacher)
    made = teacher.post("/api/v1/me/tokens", json={"name": "reader", "scopes": ["resources:read"]})
    reader = service.client(json_of(made, 201)["secret"])
    with nothing_changes(service):
        _refused(_create(reader), "insufficient-scope")
        _refused(_patch(reader, path, 0, DATA), "insufficient-scope")
        _refused(_ask(reader, "DELETE", path), "insufficient-scope")
        assert _ask(reader, "HEAD", path).status_code == 403


def test_a_complete_upload_takes_nothing_more(any_service: Service) -> None:
    """Neither while it is verified, nor finished, nor used."""
    teacher = any_service.member()
    path = _begin(teacher)
    _send(teacher, path, 0, DATA)
    for step in (lambda: None, any_service.work, lambda: _resource(any_service, teacher, path)):
        step()
        with nothing_changes(any_service):
            _refused(_patch(teacher, path, SIZE, b"x"), "conflict")
            _refused(_patch(teacher, path, 0, DATA), "conflict")
        assert _offset(teacher, path) == SIZE
    _refused(_ask(teacher, "DELETE", path), "conflict")


# One writer at a time


class _Gate:
    """A body that gives some bytes, and waits with the rest until it is opened."""

    def __init__(self, first: bytes, rest: bytes) -> None:
        self.waits, self.opened = threading.Event(), threading.Event()
        self._pieces = iter([first, rest])
        self._gave = False

    def read(self, size: int = -1) -> bytes:
        if self._gave:
            self.waits.set()
            assert self.opened.wait(20)
        self._gave = True
        return next(self._pieces, b"")


@pytest.fixture
def slow(any_service: Service) -> Iterator[Any]:
    """Send bytes in another thread: ``slow(path, offset, first, rest)`` returns once the first have come."""
    started: list[tuple[_Gate, threading.Thread, list[TestResponse]]] = []

    def send(token: str, path: str, offset: int, first: bytes, rest: bytes, **headers: str) -> Any:
        gate, answers = _Gate(first, rest), list[TestResponse]()
        environment = {
            "wsgi.input": gate,
            "CONTENT_LENGTH": str(len(first + rest)),
            "CONTENT_TYPE": BYTES,
        }
        named = {"Upload-Offset": str(offset), **headers}

        def ask() -> None:
            client = any_service.client(token)
            answers.append(_ask(client, "PATCH", path, headers=named, environ_overrides=environment))

        thread = threading.Thread(target=ask)
        started.append((gate, thread, answers))
        thread.start()
        assert gate.waits.wait(20)

        def finish() -> TestResponse:
            gate.opened.set()
            thread.join(20)
            return answers[0]

        return finish

    yield send
    for gate, thread, _ in started:
        gate.opened.set()
        thread.join(20)


def test_two_at_once(any_service: Service, slow: Any) -> None:
    """The second is told to wait, and for how long; the first is not disturbed."""
    token = any_service.token("teacher")
    teacher = any_service.client(token)
    path = _begin(teacher)
    finish = slow(token, path, 0, DATA[:100], DATA[100:5000])
    assert _offset(teacher, path) == 100, "looking is allowed"
    for offset in (0, 100):
        response = _only_announce(teacher, "PATCH", path, 5, Upload_Offset=str(offset))
        _refused(response, "locked")
        assert 1 <= int(response.headers["Retry-After"]) <= resuming.LEASE.total_seconds()
    assert finish().headers["Upload-Offset"] == "5000"
    _send(teacher, path, 5000, DATA[5000:])
    _resource(any_service, teacher, path)


@pytest.mark.parametrize("checksum", [False, True])
def test_a_dead_connection_is_taken_over(any_service: Service, slow: Any, checksum: bool) -> None:
    """Once its lease is over another request goes on; what the first one sends then is not taken."""
    token = any_service.token("teacher")
    teacher = any_service.client(token)
    path = _begin(teacher)
    value = base64.b64encode(hashlib.sha1(DATA[:5000]).digest()).decode()
    headers = {"Upload-Checksum": f"sha1 {value}"} if checksum else {}
    finish = slow(token, path, 0, DATA[:100], b"?" * 4900, **headers)
    _change(any_service, path, held_until=now() - timedelta(seconds=1))
    at = _offset(teacher, path)
    assert at == (0 if checksum else 100)
    at = _send(teacher, path, at, DATA[at:200])
    _refused(finish(), "locked")
    assert _offset(teacher, path) == at == 200
    _send(teacher, path, at, DATA[at:])
    _resource(any_service, teacher, path)


def test_a_lease_is_renewed_while_bytes_come(
    any_service: Service, slow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And given back at the end."""
    monkeypatch.setattr(resuming, "_RENEWED_EVERY", 0.0)
    token = any_service.token("teacher")
    teacher = any_service.client(token)
    path = _begin(teacher)
    finish = slow(token, path, 0, DATA[:100], DATA[100:200])
    _change(any_service, path, held_until=now() - timedelta(seconds=1))
    assert finish().status_code == 204
    with any_service.services.database.read() as session:
        row = session.get_one(Upload, UUID(_id(path)))
        assert (row.holder, row.held_until) == (None, None)


def test_given_up_while_the_bytes_come(any_service: Service, slow: Any) -> None:
    """Whoever sends them is told; nothing stays, and the room is given back."""
    token = any_service.token("teacher")
    teacher = any_service.client(token)
    path = _begin(teacher)
    finish = slow(token, path, 0, DATA[:100], DATA[100:])
    assert _ask(teacher, "DELETE", path).status_code == 204
    _refused(finish(), "not-found")
    assert _leftovers(any_service) == []
    assert count(any_service.services, "uploads") == 0
    assert _used(teacher) == 0


def test_many_at_once(any_service: Service) -> None:
    """Of several that send the same bytes one wins; the file is whole."""
    token = any_service.token("teacher")
    teacher = any_service.client(token)
    path = _begin(teacher)
    at = 0
    for end in (3000, 6000, SIZE):
        with ThreadPoolExecutor(4) as pool:
            clients = [any_service.client(token) for _ in range(4)]
            sent = [pool.submit(_patch, client, path, at, DATA[at:end]) for client in clients]
            answers = [each.result() for each in sent]
        codes = sorted(answer.status_code for answer in answers)
        assert codes[0] == 204, codes
        assert set(codes[1:]) <= {409, 423}, codes
        at = _offset(teacher, path)
        assert at == end
    _resource(any_service, teacher, path)


# Giving up, expiring


@pytest.mark.parametrize("sent", [0, 100, SIZE])
def test_given_up(any_service: Service, sent: int) -> None:
    """The bytes are gone, the room is given back, and the address is of no use any more."""
    teacher = any_service.member()
    path = _begin(teacher)
    if sent:
        _send(teacher, path, 0, DATA[:sent])
    assert _ask(teacher, "DELETE", path).status_code == 204
    assert _ask(teacher, "HEAD", path).status_code == 404
    _refused(_patch(teacher, path, sent, DATA[sent:]), "not-found")
    _refused(_ask(teacher, "DELETE", path), "not-found")
    any_service.work()
    any_service.services.garbage.collect()
    assert _leftovers(any_service) == []
    assert _used(teacher) == 0


def test_given_up_after_a_first_attempt_to_finish_it(
    any_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store was away: the owner need not wait for it."""
    teacher = any_service.member()
    path = _begin(teacher)
    _send(teacher, path, 0, DATA[:100])
    any_service.services.resuming._fingerprints._kept.clear()
    _send(teacher, path, 100, DATA[100:])

    def fail(*_arguments: object, **_named: object) -> Any:
        raise StorageUnavailable("down")

    with monkeypatch.context() as patch:
        patch.setattr(CheckedStaged, "publish", fail)
        any_service.work()
    assert _state(teacher, path)["state"] == "verifying"
    assert _ask(teacher, "DELETE", path).status_code == 204
    assert _ask(teacher, "HEAD", path).status_code == 404
    with any_service.services.database.write() as session:
        session.execute(update(Job).values(next_try_at=now()))
    any_service.work()
    assert _leftovers(any_service) == []
    assert count(any_service.services, "uploads") == 0
    assert _used(teacher) == 0


def test_given_up_by_the_other_address(service: Service) -> None:
    """``/api/v1/uploads/…`` is the same upload."""
    teacher = service.member()
    path = _begin(teacher)
    _send(teacher, path, 0, DATA[:100])
    assert teacher.delete(f"/api/v1/uploads/{_id(path)}").status_code == 204
    assert _ask(teacher, "HEAD", path).status_code == 404
    assert _spooled(service) == []


def test_an_expired_upload(any_service: Service) -> None:
    """Is not there any more, and the sweep takes its bytes; one that somebody writes to stays."""
    teacher = any_service.member()
    old, held, young = (_begin(teacher) for _ in range(3))
    for path in (old, held, young):
        _send(teacher, path, 0, DATA[:100])
    past = now() - timedelta(seconds=1)
    _change(any_service, old, expires_at=past)
    _change(any_service, held, expires_at=past, held_until=now() + timedelta(minutes=1), holder=uuid4())
    assert _ask(teacher, "HEAD", old).status_code == 404
    _refused(_patch(teacher, old, 100, DATA[100:]), "not-found")
    any_service.services.garbage.collect()
    assert len(_spooled(any_service)) == 2
    assert count(any_service.services, "uploads") == 2
    assert _offset(teacher, young) == 100
    _change(any_service, held, held_until=past)
    any_service.services.garbage.collect()
    assert len(_spooled(any_service)) == 1
    assert _used(teacher) == SIZE


def test_what_waits_to_be_finished_does_not_expire(any_service: Service) -> None:
    """Its sender was told that every byte has arrived."""
    teacher = any_service.member()
    path = _begin(teacher)
    _send(teacher, path, 0, DATA[:100])
    any_service.services.resuming._fingerprints._kept.clear()
    _send(teacher, path, 100, DATA[100:])
    _change(any_service, path, expires_at=now() - timedelta(days=1))
    any_service.services.garbage.collect()
    _resource(any_service, teacher, path)


def test_lost_bytes_are_told(service: Service) -> None:
    """Somebody has emptied the staging area."""
    teacher = service.member()
    for look in ("HEAD", "PATCH"):
        path = _begin(teacher)
        _send(teacher, path, 0, DATA[:100])
        service.services.resuming._staging.sweep_staged(older_than=timedelta(0))
        if look == "HEAD":
            assert _ask(teacher, "HEAD", path).status_code == 410
        _refused(_patch(teacher, path, 100, DATA[100:]), "upload-failed")
        assert _state(teacher, path)["state"] == "failed"
    assert _used(teacher) == 0


# Failures


@pytest.mark.parametrize("error", [StorageFull, StorageUnavailable])
@pytest.mark.parametrize("step", ["write", "suspend"])
def test_a_store_in_trouble_loses_nothing_that_was_kept(
    any_service: Service, monkeypatch: pytest.MonkeyPatch, step: str, error: type[Exception]
) -> None:
    """The client is told, without a word about our machines, and goes on later."""
    teacher = any_service.member()
    path = _begin(teacher)
    _send(teacher, path, 0, DATA[:100])

    def fail(*_arguments: object) -> None:
        raise error("/dev/sda1 is full")

    with monkeypatch.context() as patch:
        patch.setattr(CheckedAppending, step, fail)
        response = _patch(teacher, path, 100, DATA[100:5000])
        _refused(response, "storage-full" if error is StorageFull else "storage-unavailable")
        assert "sda1" not in response.text
    at = _offset(teacher, path)
    assert at in (100, 5000)
    _send(teacher, path, at, DATA[at:])
    _resource(any_service, teacher, path)


@pytest.mark.parametrize("step", ["claim", "publish", "commit"])
def test_what_broke_off_at_the_end_is_finished_later(
    any_service: Service, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """All bytes have come, but the store or the database fails: whoever asks again sets it going."""
    teacher = any_service.member()
    path = _begin(teacher)
    _send(teacher, path, 0, DATA[:100])

    def fail(*_arguments: object, **_named: object) -> Any:
        raise StorageUnavailable("down")

    committed = Uploads._publish

    def publish_and_fail(self: Uploads, staged: Any, sidecar: Any) -> None:
        staged.publish(sidecar)
        raise StorageUnavailable("the database is down")

    in_place = any_service.settings.store_url.startswith("file:")
    with monkeypatch.context() as patch:
        if step == "claim":
            patch.setattr(Uploads, "_claim", fail)
        elif step == "publish":
            patch.setattr(CheckedStaged, "publish", fail)
        else:
            patch.setattr(Uploads, "_publish", publish_and_fail)
        response = _patch(teacher, path, 100, DATA[100:])
        assert response.status_code == (503 if in_place else 204)
        any_service.work()
    assert Uploads._publish is committed
    assert _offset(teacher, path) == SIZE
    assert _state(teacher, path)["state"] == "verifying"
    with any_service.services.database.write() as session:
        session.execute(update(Job).values(next_try_at=now()))
    _resource(any_service, teacher, path)
    assert _spooled(any_service) == []
    any_service.services.garbage.collect(grace=timedelta(0))
    assert len(published(any_service.settings)) == 1


def test_a_job_that_gave_up_is_revived(any_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """It failed as often as it was tried: the bytes wait, and a later sweep goes on."""
    teacher = any_service.member()
    path = _begin(teacher)
    _send(teacher, path, 0, DATA[:100])
    any_service.services.resuming._fingerprints._kept.clear()
    _send(teacher, path, 100, DATA[100:])

    def fail(*_arguments: object, **_named: object) -> Any:
        raise RuntimeError("a fault")

    with monkeypatch.context() as patch:
        patch.setattr(CheckedStaged, "publish", fail)
        for _ in range(any_service.settings.job_attempts):
            any_service.work()
            with any_service.services.database.write() as session:
                session.execute(update(Job).values(next_try_at=now()))
    assert any_service.services.resuming.revive() == 0, "it has only just given up"
    with any_service.services.database.write() as session:
        session.execute(update(Job).values(finished_at=now() - timedelta(hours=1)))
    assert any_service.services.resuming.revive() == 1
    _resource(any_service, teacher, path)
    assert any_service.services.resuming.revive() == 0


def test_finishing_twice_does_no_harm(any_service: Service) -> None:
    """A worker that was taken for dead comes back."""
    teacher = any_service.member()
    path = _begin(teacher)
    _send(teacher, path, 0, DATA[:100])
    any_service.services.resuming._fingerprints._kept.clear()
    _send(teacher, path, 100, DATA[100:])
    _resource(any_service, teacher, path)
    with nothing_changes(any_service):
        any_service.services.resuming.finish(_id(path), lambda share: None)
        any_service.services.resuming.finish(str(uuid4()), lambda share: None)


def test_fingerprints_are_bounded(service: Service) -> None:
    """Those that were not used for longest go; their uploads are read once more at the end."""
    teacher = service.member()
    first = _begin(teacher, 2)
    _send(teacher, first, 0, b"a")
    for _ in range(resuming._MOST_FINGERPRINTS):
        _send(teacher, _begin(teacher, 2), 0, b"a")
    assert len(service.services.resuming._fingerprints._kept) == resuming._MOST_FINGERPRINTS
    _send(teacher, first, 1, b"b")
    assert _finished(service, teacher, first)["sha256"] == sha256(b"ab")


def test_the_usual_ways_are_as_they_were(service: Service) -> None:
    """A form beside a tus upload."""
    teacher = service.member()
    path = _begin(teacher)
    json_of(send_file(teacher, DATA), 201)
    _send(teacher, path, 0, DATA)
    _resource(service, teacher, path)
