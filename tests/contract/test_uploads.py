"""Files on their way in: what is taken, what is refused, and that nothing stays of what was refused."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from repo_service.services import room
from repo_service.services import uploads as uploads_module
from storage import StorageFull, StorageUnavailable
from storage.checked import CheckedStaged, CheckedStore
from tests.contract.support import (
    DRAFT_BYTES,
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

_SIZE = len(DRAFT_BYTES)


class _NotToBeRead(io.RawIOBase):
    """A body of which not one byte may be read."""

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: Any) -> int:
        raise AssertionError("the body was read")


_FORM, _RAW = "multipart/form-data; boundary=x", "application/octet-stream"


def _only_announce(client: FlaskClient, method: str, path: str, kind: str, size: int | None) -> Any:
    """Send headers; reading the body fails."""
    environment: dict[str, Any] = {"wsgi.input": _NotToBeRead(), "CONTENT_TYPE": kind}
    if size is not None:
        environment["CONTENT_LENGTH"] = str(size)
    return client.open(path, method=method, environ_overrides=environment)


def _begin(client: FlaskClient, size: int = _SIZE, **given: Any) -> Any:
    return json_of(client.post("/api/v1/uploads", json={"file_name": "a.txt", "size": size, **given}), 201)


def _put(client: FlaskClient, upload: Any, data: bytes = DRAFT_BYTES) -> Any:
    return client.put(path_of(upload["url"]), data=data)


def _used(client: FlaskClient) -> int:
    used: int = json_of(client.get("/api/v1/me"))["used"]
    return used


@pytest.fixture(params=["raw", "form"])
def announced(request: pytest.FixtureRequest) -> Any:
    """How a client announces a file before its first byte: by an upload, or by the length of a form."""

    def announce(client: FlaskClient, size: int) -> Any:
        if request.param == "raw":
            return client.post("/api/v1/uploads", json={"file_name": "a.txt", "size": size})
        return _only_announce(client, "POST", "/api/v1/resources", _FORM, size)

    return announce


# What is taken


@pytest.mark.parametrize("expected", [None, sha256(DRAFT_BYTES), sha256(DRAFT_BYTES).upper()])
def test_a_raw_put(any_service: Service, expected: str | None) -> None:
    """Announce, send, name it in a resource. An expected SHA-256 is verified, in either case of letters."""
    teacher = any_service.member()
    begun = teacher.post("/api/v1/uploads", json={"file_name": "a.txt", "size": _SIZE, "sha256": expected})
    upload = json_of(begun, 201)
    assert begun.headers["Location"] == upload["url"]
    assert (upload["state"], upload["size"], upload["sha256"]) == ("open", _SIZE, None)
    assert json_of(teacher.get(path_of(upload["url"]))) == upload
    kept = json_of(_put(teacher, upload))
    assert (kept["state"], kept["sha256"]) == ("finished", sha256(DRAFT_BYTES))
    made = teacher.post("/api/v1/resources", json={"upload": upload["id"]})
    resource = json_of(made, 201)
    assert made.headers["Location"] == resource["api_url"]
    assert resource["versions"][0]["sha256"] == sha256(DRAFT_BYTES)
    assert json_of(teacher.get(path_of(upload["url"])))["state"] == "used"
    assert staged(any_service.settings) == []


@pytest.mark.parametrize("expected", [None, sha256(DRAFT_BYTES), sha256(DRAFT_BYTES).upper()])
@pytest.mark.parametrize("file_first", [False, True])
def test_a_form(any_service: Service, expected: str | None, file_first: bool) -> None:
    """File and metadata in either order."""
    teacher = any_service.member()
    said = json.dumps({"title": "Rivers", "sha256": expected})
    file = (io.BytesIO(DRAFT_BYTES), "a.txt")
    form = {"file": file, "metadata": said} if file_first else {"metadata": said, "file": file}
    resource = json_of(teacher.post("/api/v1/resources", data=form), 201)
    assert resource["title"] == "Rivers"
    version = resource["versions"][0]
    assert (version["size"], version["sha256"]) == (_SIZE, sha256(DRAFT_BYTES))
    assert staged(any_service.settings) == []


def test_an_empty_file(any_service: Service) -> None:
    """Is a file."""
    teacher = any_service.member()
    upload = _begin(teacher, 0)
    response = teacher.put(path_of(upload["url"]), environ_overrides={"CONTENT_LENGTH": "0"})
    assert json_of(response)["sha256"] == sha256(b"")
    resource = json_of(teacher.post("/api/v1/resources", json={"upload": upload["id"]}), 201)
    any_service.work()
    got = teacher.get(path_of(resource["versions"][0]["download_url"]))
    assert (got.status_code, got.data, got.headers["Content-Length"]) == (200, b"", "0")


# What is refused before the first byte


def test_the_size_limit(make_service: MakeService, announced: Any) -> None:
    """Answered by the announcement alone."""
    service = make_service(max_upload_size=1000)
    teacher = service.member()
    with nothing_changes(service):
        problem = problem_of(announced(teacher, 2_000_000), "payload-too-large")
    assert problem["limit"] == 1000


def test_a_form_a_little_larger_than_the_limit_may_hold_a_file_within_it(make_service: MakeService) -> None:
    """But the file itself is measured to the byte."""
    service = make_service(max_upload_size=1000)
    teacher = service.member()
    share(teacher, bytes(1000), title="x" * 300)
    with nothing_changes(service):
        problem = problem_of(send_file(teacher, bytes(1001)), "payload-too-large")
        assert problem["limit"] == 1000
        problem_of(
            teacher.post("/api/v1/uploads", json={"file_name": "a", "size": 1001}), "payload-too-large"
        )
    _begin(teacher, 1000)


def test_the_quota(make_service: MakeService, announced: Any) -> None:
    """Answered by the announcement alone, with how much there is and was used."""
    service = make_service()
    teacher = service.client(service.token("teacher", quota=1000))
    share(teacher, bytes(400))
    with nothing_changes(service):
        problem = problem_of(announced(teacher, 601), "quota-exceeded")
    assert (problem["quota"], problem["used"], problem["size"]) == (1000, 400, 601)


def test_the_accounts_own_quota_goes_before_the_services(make_service: MakeService) -> None:
    """In both directions."""
    service = make_service(quota=500)
    poor = service.client(service.token("poor", quota=100))
    rich = service.client(service.token("rich", quota=5000))
    usual = service.member()
    for client, size in ((poor, 100), (usual, 500), (rich, 5000)):
        problem_of(
            client.post("/api/v1/uploads", json={"file_name": "a", "size": size + 1}), "quota-exceeded"
        )
        _begin(client, size)
        problem_of(client.post("/api/v1/uploads", json={"file_name": "a", "size": 1}), "quota-exceeded")


def test_free_space(make_service: MakeService, announced: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answered by the announcement alone, without saying how much there is."""
    service = make_service(min_free_space=1000)
    teacher = service.member()
    monkeypatch.setattr(CheckedStore, "free_bytes", lambda self: 1500)
    with nothing_changes(service):
        problem = problem_of(announced(teacher, 501), "storage-full")
    assert "1500" not in str(problem)
    _begin(teacher, 500)


def test_free_space_is_kept_while_bytes_come(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others fill the disk meanwhile: all were let in when there was room for each."""
    service = make_service(min_free_space=1000)
    monkeypatch.setattr(room, "_LOOK_EVERY", 10)
    teacher = service.member()
    upload = _begin(teacher)
    free = iter([10**6, 999])
    monkeypatch.setattr(CheckedStore, "free_bytes", lambda self: next(free, 999))
    with nothing_changes(service):
        problem_of(send_file(teacher, DRAFT_BYTES), "storage-full")
        problem_of(_put(teacher, upload), "storage-full")
    monkeypatch.setattr(CheckedStore, "free_bytes", lambda self: 1000)
    assert json_of(_put(teacher, upload))["state"] == "finished"


def test_nobody_and_the_wrong_type_are_refused_before_the_first_byte(service: Service) -> None:
    """Whoever may not share need not send gigabytes to be told so."""
    teacher = service.member()
    upload = _begin(teacher)
    url, size = path_of(upload["url"]), 10**9
    with nothing_changes(service):
        for client in (service.client(), service.client("mrr_x")):
            problem_of(_only_announce(client, "POST", "/api/v1/resources", _FORM, size), "unauthorised")
            problem_of(_only_announce(client, "PUT", url, _RAW, size), "unauthorised")
        for kind, announced_size, code in (
            (_RAW, size, "unsupported-media-type"),
            ("multipart/form-data", 1000, "malformed-request"),
            (_FORM, None, "length-required"),
        ):
            problem_of(_only_announce(teacher, "POST", "/api/v1/resources", kind, announced_size), code)
        problem_of(_only_announce(teacher, "PUT", url, _RAW, size), "size-mismatch")
        problem_of(_only_announce(teacher, "PUT", url, _RAW, None), "length-required")


def test_a_version_of_somebody_elses_is_refused_before_the_first_byte(service: Service) -> None:
    """Whether one may see the resource or not."""
    owner, other = service.member("owner"), service.member("other")
    draft, public = share(owner, b"draft"), share(owner, b"public", licence="CC0-1.0", release=True)
    service.work()

    def add(resource: Any) -> Any:
        path = f"/api/v1/resources/{resource['id']}/versions"
        return _only_announce(other, "POST", path, _FORM, 10**6)

    with nothing_changes(service):
        problem_of(add(draft), "not-found")
        problem_of(add(public), "forbidden")


# What is refused afterwards, and leaves nothing


def test_wrong_digest(any_service: Service) -> None:
    """Both ways of sending. An announced upload stays open, for another try."""
    teacher = any_service.member()
    upload = _begin(teacher, sha256="0" * 64)
    with nothing_changes(any_service):
        problem = problem_of(_put(teacher, upload), "digest-mismatch")
        assert (problem["expected"], problem["received"]) == ("0" * 64, sha256(DRAFT_BYTES))
        problem_of(send_file(teacher, DRAFT_BYTES, sha256="F" * 64), "digest-mismatch")
    assert json_of(teacher.get(path_of(upload["url"])))["state"] == "open"
    with nothing_changes(any_service):
        problem = problem_of(
            teacher.post("/api/v1/uploads", json={"file_name": "a", "size": 1, "sha256": "xyz"}),
            "invalid-input",
        )
        assert pointers(problem) == ["/sha256"]


def test_an_expected_digest_is_verified_for_a_finished_upload_too(service: Service) -> None:
    """Where the upload is named instead of sent."""
    teacher = service.member()
    upload = _begin(teacher)
    json_of(_put(teacher, upload))
    with nothing_changes(service):
        wrong = {"upload": upload["id"], "sha256": "0" * 64}
        problem_of(teacher.post("/api/v1/resources", json=wrong), "digest-mismatch")
    right = {"upload": upload["id"], "sha256": sha256(DRAFT_BYTES).upper()}
    json_of(teacher.post("/api/v1/resources", json=right), 201)


def test_another_size_than_announced(any_service: Service) -> None:
    """Known from Content-Length, so nothing is read."""
    teacher = any_service.member()
    upload = _begin(teacher)
    with nothing_changes(any_service):
        for data in (DRAFT_BYTES[:-1], DRAFT_BYTES + b"x"):
            problem = problem_of(_put(teacher, upload, data), "size-mismatch")
            assert (problem["expected"], problem["received"]) == (_SIZE, len(data))


@pytest.mark.parametrize(
    ("metadata", "code", "pointer"),
    [
        ('{"title": ', "malformed-request", None),
        ('"text"', "invalid-input", "/metadata"),
        ('{"licence": "nonsense"}', "invalid-input", "/metadata/licence"),
        ('{"subjects": ["0521", "9999"]}', "invalid-input", "/metadata/subjects/1"),
        ('{"title": ""}', "invalid-input", "/metadata/title"),
        ('{"colour": "red"}', "invalid-input", "/metadata/colour"),
        ('{"sha256": "abc"}', "invalid-input", "/metadata/sha256"),
    ],
)
@pytest.mark.parametrize("file_first", [False, True])
def test_wrong_metadata_leaves_nothing(
    service: Service, metadata: str, code: str, pointer: str | None, file_first: bool
) -> None:
    """No upload that holds room, no blob, nothing staged: wherever in the form the metadata stand."""
    teacher = service.member()
    file = (io.BytesIO(DRAFT_BYTES), "a.txt")
    form = {"file": file, "metadata": metadata} if file_first else {"metadata": metadata, "file": file}
    with nothing_changes(service):
        problem = problem_of(teacher.post("/api/v1/resources", data=form), code)
    if pointer is not None:
        assert pointers(problem) == [pointer]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf a file',
        b'--x\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{}\r\n--x--\r\n',
        (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n1\r\n'
            b'--x\r\nContent-Disposition: form-data; name="file2"; filename="b"\r\n\r\n2\r\n--x--\r\n'
        ),
    ],
    ids=["empty", "no form", "half", "no file", "two files"],
)
def test_broken_forms_leave_nothing(any_service: Service, body: bytes) -> None:
    """Refused as what they are."""
    teacher = any_service.member()
    environment = {
        "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": _FORM,
    }
    with nothing_changes(any_service):
        response = teacher.post("/api/v1/resources", environ_overrides=environment)
        code = "invalid-input" if b"metadata" in body else "malformed-request"
        problem_of(response, code)


@pytest.mark.parametrize("step", ["stage", "write", "publish", "commit"])
def test_a_failure_at_any_step_leaves_nothing_staged(
    any_service: Service, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The store is full or away, or the database is when all is nearly done."""
    teacher = any_service.member()
    upload = _begin(teacher)

    def fail(*_arguments: object, **_named: object) -> Any:
        raise StorageUnavailable("s3.internal.example is down")

    with monkeypatch.context() as patch:
        match step:
            case "stage":
                patch.setattr(CheckedStore, "stage", fail)
            case "write":
                patch.setattr(CheckedStaged, "write", fail)
            case "publish":
                patch.setattr(CheckedStaged, "publish", fail)
            case "commit":
                patch.setattr(uploads_module.Uploads, "_publish", fail)
        for response in (_put(teacher, upload), send_file(teacher, DRAFT_BYTES)):
            problem_of(response, "storage-unavailable")
            assert "internal" not in response.text
            assert int(response.headers["Retry-After"]) > 0
    assert staged(any_service.settings) == []
    assert published(any_service.settings) == []
    assert count(any_service.services, "versions") == 0
    assert json_of(teacher.get(path_of(upload["url"])))["state"] == "open"
    assert json_of(_put(teacher, upload))["state"] == "finished"


def test_a_full_store_says_so(any_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """507, and what was staged is gone."""
    teacher = any_service.member()

    def full(*_arguments: object) -> None:
        raise StorageFull("0 bytes left on /dev/sda1")

    monkeypatch.setattr(CheckedStaged, "write", full)
    with nothing_changes(any_service):
        response = send_file(teacher, DRAFT_BYTES)
        problem_of(response, "storage-full")
        assert "sda1" not in response.text


# Uploads as things


def test_other_peoples_uploads_are_not_there(any_service: Service) -> None:
    """They cannot be read, filled, cancelled or used."""
    owner, other = any_service.member("owner"), any_service.member("other")
    upload = _begin(owner)
    url = path_of(upload["url"])
    finished = _begin(owner, 3)
    json_of(_put(owner, finished, b"abc"))
    with nothing_changes(any_service):
        problem_of(other.get(url), "not-found")
        problem_of(other.put(url, data=DRAFT_BYTES), "not-found")
        problem_of(other.delete(url), "not-found")
        problem_of(other.post("/api/v1/resources", json={"upload": finished["id"]}), "not-found")


def test_an_upload_is_filled_once_and_used_once(any_service: Service) -> None:
    """409 afterwards, and nothing changes."""
    teacher = any_service.member()
    upload = _begin(teacher)
    problem_of(teacher.post("/api/v1/resources", json={"upload": upload["id"]}), "conflict")
    json_of(_put(teacher, upload))
    with nothing_changes(any_service):
        problem_of(_put(teacher, upload), "conflict")
    resource = json_of(teacher.post("/api/v1/resources", json={"upload": upload["id"]}), 201)
    with nothing_changes(any_service):
        problem_of(teacher.post("/api/v1/resources", json={"upload": upload["id"]}), "conflict")
        versions = f"/api/v1/resources/{resource['id']}/versions"
        problem_of(teacher.post(versions, json={"upload": upload["id"]}), "conflict")
        problem_of(_put(teacher, upload), "conflict")
        problem_of(teacher.delete(path_of(upload["url"])), "conflict")


def test_two_that_send_the_same_upload_at_once(any_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is taken; the other is told; the upload has the bytes of one of them, and can be used once."""
    token = any_service.token("teacher")
    teacher = any_service.client(token)
    upload = _begin(teacher)
    together, answers = threading.Barrier(2), []
    finish = uploads_module.Receiver.finish

    def at_once(self: uploads_module.Receiver, **named: Any) -> Any:
        together.wait(20)
        return finish(self, **named)

    monkeypatch.setattr(uploads_module.Receiver, "finish", at_once)

    def send(data: bytes) -> None:
        answers.append(_put(any_service.client(token), upload, data))

    threads = [threading.Thread(target=send, args=(bytes([n]) * _SIZE,)) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    monkeypatch.undo()
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    (kept,) = [answer for answer in answers if answer.status_code == 200]
    assert json_of(teacher.get(path_of(upload["url"])))["sha256"] == json_of(kept)["sha256"]
    assert staged(any_service.settings) == []
    json_of(teacher.post("/api/v1/resources", json={"upload": upload["id"]}), 201)


def test_two_at_once_cannot_both_take_the_last_room(any_service: Service) -> None:
    """The account's row is locked while its room is counted."""
    token = any_service.token("teacher", quota=1000)
    together, answers = threading.Barrier(4), []

    def begin() -> None:
        client = any_service.client(token)
        together.wait(20)
        answers.append(client.post("/api/v1/uploads", json={"file_name": "a", "size": 400}))

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [201, 201, 413, 413]
    assert _used(any_service.client(token)) == 800


def test_a_cancelled_upload_gives_its_room_back(any_service: Service) -> None:
    """At once where nothing was sent; with the next collection where bytes were kept."""
    teacher = any_service.client(any_service.token("teacher", quota=1000))
    upload = _begin(teacher, 1000)
    problem_of(teacher.post("/api/v1/uploads", json={"file_name": "a", "size": 1}), "quota-exceeded")
    assert teacher.delete(path_of(upload["url"])).status_code == 204
    problem_of(teacher.get(path_of(upload["url"])), "not-found")
    problem_of(teacher.delete(path_of(upload["url"])), "not-found")
    assert _used(teacher) == 0

    upload = _begin(teacher, 1000)
    json_of(_put(teacher, upload, bytes(1000)))
    assert teacher.delete(path_of(upload["url"])).status_code == 204
    problem_of(teacher.get(path_of(upload["url"])), "not-found")
    problem_of(teacher.post("/api/v1/resources", json={"upload": upload["id"]}), "not-found")
    any_service.services.garbage.collect()
    assert _used(teacher) == 0
    assert published(any_service.settings) == []


def test_cancelling_while_the_bytes_come(any_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends them is told, and nothing stays staged."""
    teacher = any_service.member()
    upload = _begin(teacher)
    write = CheckedStaged.write

    def cancel_first(self: CheckedStaged, data: Any) -> None:
        assert teacher.delete(path_of(upload["url"])).status_code == 204
        write(self, data)

    monkeypatch.setattr(CheckedStaged, "write", cancel_first)
    problem_of(_put(teacher, upload), "not-found")
    assert staged(any_service.settings) == []
    assert count(any_service.services, "uploads") == count(any_service.services, "blobs") == 0
    assert published(any_service.settings) == []


def test_room_is_counted_by_what_came(service: Service) -> None:
    """A form announces more than its file has."""
    teacher = service.member()
    share(teacher, title="x" * 400)
    assert _used(teacher) == _SIZE


def test_names_are_cleaned(service: Service) -> None:
    """No folders, no control characters; a name that is only these gets another."""
    teacher = service.member()
    names = {"../../etc/passwd": "passwd", "C:\\Users\\a\\kurs.mbz": "kurs.mbz", "a\r\nb.txt": "ab.txt"}
    for given, clean in names.items():
        assert _begin(teacher, file_name=given)["file_name"] == clean
    assert _begin(teacher, file_name="..")["file_name"]
    with nothing_changes(service):
        wrong = {"file_name": "", "size": -1}
        problem = problem_of(teacher.post("/api/v1/uploads", json=wrong), "invalid-input")
        assert pointers(problem) == ["/file_name", "/size"]
        problem_of(
            teacher.post("/api/v1/uploads", data="{", content_type="application/json"), "malformed-request"
        )
        problem_of(
            teacher.post("/api/v1/uploads", data="x", content_type="text/plain"), "unsupported-media-type"
        )


@pytest.fixture
def broken_store(service: Service) -> Iterator[Service]:
    """A store whose folder is not writable any more."""
    folder = service.settings.data_dir / "store" / "staging"
    moved = folder.rename(folder.with_name("elsewhere"))
    yield service
    moved.rename(folder)


def test_a_store_that_lost_its_folder(broken_store: Service) -> None:
    """503 with the advice to come back, and no path of ours."""
    teacher = broken_store.member()
    response = send_file(teacher, DRAFT_BYTES)
    problem_of(response, "storage-unavailable")
    assert str(broken_store.settings.data_dir) not in response.text
    assert count(broken_store.services, "uploads") == 0
