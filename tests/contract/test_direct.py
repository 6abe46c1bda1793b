"""Files that go straight to the bucket: nothing of them counts before it was read, and nothing stays of what
was refused."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import httpx
import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, select, update

from repo_service.domain.identity import SCOPES_OF_ROLE, Role, Scope
from repo_service.domain.resources import JobKind, JobState
from repo_service.http.metrics import Metrics
from repo_service.inspection.base import Progress, Source
from repo_service.models import Account, InspectionRecord, Job, Upload
from repo_service.models.base import now
from repo_service.services import direct as direct_module
from repo_service.services import uploads as uploads_module
from repo_service.services.inspecting import Inspector
from storage import Observation, StorageRefused, StorageUnavailable, presigned_multipart
from storage.checked import CheckedReader, CheckedStore
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
    store_of,
)
from tests.support.backups import ActivitySpec, backup
from tests.support.direct import UPLOADS, begin, bucket_settings, complete, look, parts, put_part, send, sent
from tests.support.service import OPERATOR, MakeService, Service, json_of
from tests.support.weed import Weed

_MIB = 1024 * 1024
_PART = 8 * _MIB
_SIZE = len(DRAFT_BYTES)
_LONG_AGO = timedelta(days=30)


@pytest.fixture
def service(make_service: MakeService, weed: Weed, postgres_database: Callable[[], str]) -> Service:
    """A service whose clients reach its bucket, on PostgreSQL, where transactions do run at the same time.
    Tests that make their own service, and those of the live one, use SQLite."""
    return make_service(database_url=postgres_database(), **bucket_settings(weed))


@pytest.fixture
def teacher(service: Service) -> FlaskClient:
    return service.member()


def _used(client: FlaskClient) -> int:
    used: int = json_of(client.get("/api/v1/me"))["used"]
    return used


def _random(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def _course(path: Path, size: int, **how: Any) -> bytes:
    """A backup of at least ``size`` bytes."""
    files = (("big.bin", _random(size)),)
    return backup(
        path, activities=[ActivitySpec(title="Big", module="resource", files=files)], **how
    ).read_bytes()


def _again(service: Service) -> None:
    """Do what waits, failed attempts too."""
    with service.services.database.write() as session:
        session.execute(
            update(Job).where(Job.state == JobState.QUEUED.value).values(next_try_at=now() - timedelta(1))
        )
    service.work()


def _job(service: Service, upload: Any) -> Job:
    with service.services.database.read() as session:
        return session.scalars(
            select(Job).where(Job.kind == JobKind.VERIFY.value, Job.key == upload["id"])
        ).one()


def _nothing_kept(service: Service) -> None:
    """Of any upload: in the catalogue, and in the bucket."""
    for table in ("blobs", "blob_locations", "inspections"):
        assert count(service.services, table) == 0
    assert published(service.settings) == []
    assert staged(service.settings) == []
    assert store_of(service.settings).sweep_staged(older_than=timedelta(0)) == 0


def _use(client: FlaskClient, upload: Any, **said: Any) -> Any:
    return client.post("/api/v1/resources", json={"upload": upload["id"], **said})


# What is taken


def test_the_whole_way(service: Service, teacher: FlaskClient, tmp_path: Path) -> None:
    """Announce, send the parts with nothing but their URLs, complete, wait, share it as a resource."""
    data = _course(tmp_path / "c.mbz", 2 * _PART)
    said = {"file_name": "course.mbz", "size": len(data), "sha256": sha256(data).upper()}
    begun = teacher.post(f"{UPLOADS}/direct", json=said)
    upload = json_of(begun, 201)
    assert begun.headers["Location"] == upload["url"]
    assert (upload["state"], upload["way"], upload["sha256"]) == ("open", "direct", None)
    assert (upload["part_size"], upload["part_count"]) == (_PART, 3)
    assert _used(teacher) == len(data)

    page = json_of(teacher.get(path_of(upload["parts_url"])))
    sizes = [_PART, _PART, len(data) - 2 * _PART]
    assert [(part["number"], part["size"]) for part in page["items"]] == list(enumerate(sizes, 1))
    assert {part["etag"] for part in page["items"]} == {None}
    assert page["next_first"] is None
    tags = {part["number"]: put_part(part, data, _PART).headers["ETag"] for part in reversed(page["items"])}
    known = {part["number"]: part["etag"] for part in parts(teacher, upload)["items"]}
    assert {number: f'"{etag}"' for number, etag in known.items()} == tags

    completed = teacher.post(
        path_of(upload["complete_url"]),
        json={"parts": [{"number": number, "etag": tag} for number, tag in tags.items()]},
    )
    verifying = json_of(completed, 202)
    assert (verifying["state"], verifying["sha256"]) == ("verifying", None)
    assert completed.headers["Location"] == upload["url"]
    assert int(completed.headers["Retry-After"]) >= 1
    service.work()
    finished = teacher.get(path_of(upload["url"]))
    assert "Retry-After" not in finished.headers
    assert json_of(finished)["state"] == "finished"
    assert json_of(finished)["sha256"] == sha256(data)

    resource = json_of(_use(teacher, upload, licence="CC-BY-4.0", release=True, sha256=sha256(data)), 201)
    service.work()
    shown = json_of(service.client().get(f"/api/v1/resources/{resource['id']}"))
    assert (shown["title"], shown["versions"][0]["kind"]) == ("Introduction to Ecology", "course")
    link = service.client().get(path_of(shown["versions"][0]["download_url"]))
    assert link.status_code == 302
    assert httpx.get(link.headers["Location"]).content == data
    assert look(teacher, upload)["state"] == "used"
    assert _used(teacher) == len(data)
    sizes = [size for _, size in published(service.settings)]
    assert sizes.count(len(data)) == 1
    assert len(sizes) == 3, "the file, its seek index, and what it contains"
    assert store_of(service.settings).sweep_staged(older_than=timedelta(0)) == 0


def test_nothing_is_there_before_it_is_verified(service: Service, teacher: FlaskClient) -> None:
    """Not for its owner, not by its digest, not in the store's list; and no collection takes it away."""
    resource = share(teacher, b"another")
    service.work()
    before = published(service.settings), count(service.services, "blobs")
    upload = sent(teacher, DRAFT_BYTES)
    versions = f"/api/v1/resources/{resource['id']}/versions"
    with nothing_changes(service):
        early = _use(teacher, upload)
        assert problem_of(early, "not-verified")["retry_after"] == int(early.headers["Retry-After"]) >= 1
        problem_of(_use(teacher, upload, sha256=sha256(DRAFT_BYTES)), "not-verified")
        problem_of(teacher.post(versions, json={"upload": upload["id"]}), "not-verified")
        asked = teacher.get(path_of(upload["url"]))
        assert (json_of(asked)["state"], json_of(asked)["sha256"]) == ("verifying", None)
        assert int(asked.headers["Retry-After"]) >= 1
        collected = service.services.garbage.collect()
        assert (collected.blobs, collected.strays, collected.uploads) == (0, 0, 0)
    assert (published(service.settings), count(service.services, "blobs")) == before
    service.work()
    assert look(teacher, upload)["state"] == "finished"
    json_of(_use(teacher, upload), 201)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Observation]:
    """What the stores of services made from now on are asked for."""
    told: list[Observation] = []
    monkeypatch.setattr(Metrics, "count_store", lambda self, observation: told.append(observation))
    return told


# What is read besides: the head, by which parsers are chosen; of a zip its directory and a few members.
_READ_BESIDES = {"tgz": 4096, "zip": 512 * 1024}


@pytest.mark.parametrize("container", ["tgz", "zip"])
def test_verification_and_inspection_share_one_read(
    seen: list[Observation],
    make_service: MakeService,
    weed: Weed,
    tmp_path: Path,
    container: Any,
) -> None:
    service = make_service(**bucket_settings(weed))
    teacher = service.member()
    data = _course(tmp_path / "c.mbz", 2 * _PART, container=container)
    upload = sent(teacher, data)
    assert [told for told in seen if told.operation == "read"] == []
    service.work()
    assert look(teacher, upload)["state"] == "finished"
    read = sum(told.size for told in seen if told.operation == "read")
    assert len(data) <= read <= len(data) + _READ_BESIDES[container]

    seen.clear()
    resource = json_of(_use(teacher, upload, licence="CC-BY-4.0", release=True), 201)
    assert resource["versions"][0]["processing"]["state"] == "queued"
    service.work(but=[JobKind.INDEX])
    assert [told for told in seen if told.operation in ("open", "read")] == []
    shown = json_of(teacher.get(path_of(resource["api_url"])))
    assert (shown["visibility"], shown["versions"][0]["kind"]) == ("public", "course")
    assert shown["versions"][0]["processing"]["state"] == "done"

    # Asked for, it is looked into again.
    again = teacher.post(f"{path_of(resource['api_url'])}/versions/1/inspection")
    json_of(again, 202)
    service.work()
    assert sum(told.size for told in seen if told.operation == "read") > 0


def test_what_others_had_inspected_is_inspected_all_the_same(
    seen: list[Observation], make_service: MakeService, weed: Weed
) -> None:
    """Else the time it takes would tell that somebody has it."""
    service = make_service(**bucket_settings(weed))
    first, second = service.member("first"), service.member("second")
    mine = sent(first, DRAFT_BYTES)
    service.work()
    json_of(_use(first, mine), 201)
    service.work()
    seen.clear()
    theirs = sent(second, DRAFT_BYTES)
    service.work()
    assert sum(told.size for told in seen if told.operation == "read") >= _SIZE
    seen.clear()
    share(second, DRAFT_BYTES)
    assert _use(second, theirs).status_code == 201
    share(service.member("third"), DRAFT_BYTES)
    seen.clear()
    service.work()
    # The two forms are read each; an upload of one's own that was verified says nothing of others.
    assert sum(told.size for told in seen if told.operation == "read") >= _SIZE


def test_an_unreadable_file_is_recorded_as_the_inspector_does(
    service: Service, teacher: FlaskClient, tmp_path: Path
) -> None:
    """It is what was announced, so it is kept; what is wrong with it stands at the version."""
    data = backup(tmp_path / "c.mbz").read_bytes()
    data = data[: len(data) * 2 // 3]
    upload = sent(teacher, data, sha256=sha256(data))
    service.work()
    assert look(teacher, upload)["state"] == "finished"
    resource = json_of(_use(teacher, upload), 201)
    service.work()
    refused = teacher.get(path_of(resource["versions"][0]["inspection_url"]))
    assert problem_of(refused, "invalid-file")["reason"] == "truncated"
    assert count(service.services, "inspections") == 1


def test_an_interrupted_upload_is_gone_on_with(service: Service, teacher: FlaskClient) -> None:
    """By whoever knows its address: what is there is told page by page, what is missing is named."""
    data = _random(2 * _PART + 5)
    upload = begin(teacher, len(data))
    send(teacher, upload, data, numbers=[2])
    page = parts(teacher, upload, first=1, limit=2)
    assert [(part["number"], part["etag"] is not None) for part in page["items"]] == [(1, False), (2, True)]
    assert page["next_first"] == 3
    page = parts(teacher, upload, first=3, limit=2)
    assert [(part["number"], part["etag"]) for part in page["items"]] == [(3, None)]
    assert page["next_first"] is None
    assert parts(teacher, upload, first=4)["items"] == []

    problem = problem_of(complete(teacher, upload), "parts-missing")
    assert (problem["missing"], problem["count"]) == ([1, 3], 2)
    assert look(teacher, upload)["state"] == "open"
    send(teacher, upload, data, numbers=[1, 3])
    json_of(complete(teacher, upload), 202)
    service.work()
    assert look(teacher, upload)["sha256"] == sha256(data)


def test_the_same_content_is_stored_once_and_nobody_learns_it(service: Service) -> None:
    """Whichever way it came first."""
    first, second, third = (service.member(name) for name in ("first", "second", "third"))
    one = sent(first, DRAFT_BYTES)
    share(second, DRAFT_BYTES)
    two = sent(third, DRAFT_BYTES)
    service.work()
    ends = [look(first, one), look(third, two)]
    assert [end["state"] for end in ends] == ["finished"] * 2
    assert [size for _, size in published(service.settings)] == [_SIZE]
    assert count(service.services, "blobs") == count(service.services, "blob_locations") == 1
    own = {"id", "url", "created_at", "expires_at"}
    shown = [{k: v for k, v in end.items() if k not in own} for end in ends]
    assert shown[0] == shown[1]
    assert store_of(service.settings).sweep_staged(older_than=timedelta(0)) == 0
    for client, upload in ((first, one), (third, two)):
        json_of(_use(client, upload), 201)


# What is refused


def test_wrong_bytes(service: Service, teacher: FlaskClient) -> None:
    """The upload fails with the reason, its object goes, its room comes back; what is there already stays."""
    share(teacher, DRAFT_BYTES)
    service.work()
    before = published(service.settings), count(service.services, "blobs")
    upload = sent(teacher, b"x" * _SIZE, sha256=sha256(DRAFT_BYTES))
    assert _used(teacher) == 2 * _SIZE
    service.work()
    failed = look(teacher, upload)
    assert (failed["state"], failed["sha256"]) == ("failed", None)
    assert sha256(DRAFT_BYTES) in failed["reason"]
    assert sha256(b"x" * _SIZE) in failed["reason"]
    assert _used(teacher) == _SIZE
    assert (published(service.settings), count(service.services, "blobs")) == before
    assert store_of(service.settings).sweep_staged(older_than=timedelta(0)) == 0
    with nothing_changes(service):
        assert problem_of(_use(teacher, upload), "conflict")["detail"] == failed["reason"]
        problem_of(teacher.get(f"{UPLOADS}/{upload['id']}/parts"), "conflict")
        assert json_of(complete(teacher, upload), 202)["state"] == "failed"
    assert teacher.delete(path_of(upload["url"])).status_code == 204
    problem_of(teacher.get(path_of(upload["url"])), "not-found")


@pytest.mark.parametrize("numbers", [[], [1], [2]])
def test_too_few_parts(service: Service, teacher: FlaskClient, numbers: list[int]) -> None:
    """Nothing is put together. Also when the client says that they are all there."""
    data = _random(_PART + 1)
    upload = begin(teacher, len(data))
    tags = send(teacher, upload, data, numbers=numbers)
    missing = sorted({1, 2} - set(numbers))
    with nothing_changes(service):
        problem = problem_of(complete(teacher, upload), "parts-missing")
        assert (problem["missing"], problem["count"]) == (missing, len(missing))
        if tags:
            claimed = {number: next(iter(tags.values())) for number in (1, 2)}
            assert problem_of(complete(teacher, upload, claimed), "parts-missing")["missing"] == missing
            named = problem_of(complete(teacher, upload, tags), "parts-missing")
            assert named["missing"] == missing


def test_another_tag_than_the_bucket_has(service: Service, teacher: FlaskClient) -> None:
    """The client sent something else, or the part was sent again meanwhile."""
    upload = begin(teacher, _SIZE)
    send(teacher, upload, DRAFT_BYTES)
    with nothing_changes(service):
        problem = problem_of(complete(teacher, upload, {1: f'"{"0" * 32}"'}), "parts-missing")
        assert problem["missing"] == [1]


@pytest.mark.parametrize("more", [-1, 1])
def test_a_part_of_another_length(service: Service, teacher: FlaskClient, more: int) -> None:
    """The bucket refuses it: the length is signed."""
    upload = begin(teacher, _SIZE)
    [part] = parts(teacher, upload)["items"]
    assert httpx.put(part["url"], content=bytes(_SIZE + more)).status_code == 403
    problem_of(complete(teacher, upload), "parts-missing")


def test_a_part_that_does_not_exist(service: Service, teacher: FlaskClient) -> None:
    """No URL takes it, and the service does not speak of it."""
    upload = begin(teacher, _SIZE)
    [part] = parts(teacher, upload)["items"]
    beyond = part["url"].replace("partNumber=1", "partNumber=2")
    assert beyond != part["url"]
    assert httpx.put(beyond, content=bytes(_SIZE)).status_code == 403
    tags = send(teacher, upload, DRAFT_BYTES)
    json_of(complete(teacher, upload, {**tags, 2: "x"}), 202)
    service.work()
    assert look(teacher, upload)["size"] == _SIZE


def test_a_url_that_has_expired(
    service: Service, teacher: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bucket refuses it; a new one works."""
    upload = begin(teacher, _SIZE)
    with monkeypatch.context() as patch:
        patch.setattr(direct_module, "_URL_LASTS", timedelta(seconds=1))
        [part] = parts(teacher, upload)["items"]
    threading.Event().wait(2.5)
    assert put_part(part, DRAFT_BYTES, _PART).status_code == 403
    send(teacher, upload, DRAFT_BYTES)
    json_of(complete(teacher, upload), 202)


def test_a_url_is_worth_nothing_afterwards(service: Service, teacher: FlaskClient) -> None:
    """Whoever kept one cannot change what was verified, nor bring a cancelled upload back."""
    upload, cancelled = begin(teacher, _SIZE), begin(teacher, _SIZE)
    [part], [other] = parts(teacher, upload)["items"], parts(teacher, cancelled)["items"]
    put_part(part, DRAFT_BYTES, _PART)
    json_of(complete(teacher, upload), 202)
    assert httpx.put(part["url"], content=b"x" * _SIZE).status_code == 404
    service.work()
    assert httpx.put(part["url"], content=b"x" * _SIZE).status_code == 404
    assert look(teacher, upload)["sha256"] == sha256(DRAFT_BYTES)
    assert teacher.delete(path_of(cancelled["url"])).status_code == 204
    assert httpx.put(other["url"], content=DRAFT_BYTES).status_code == 404


def test_other_peoples_uploads_are_not_there(service: Service, teacher: FlaskClient) -> None:
    """In no state and for no step; administrators have no way in either."""
    others = [service.member("other"), service.client(service.token("admin", role=Role.ADMINISTRATOR))]
    opened, verifying = begin(teacher, _SIZE), sent(teacher, DRAFT_BYTES)
    send(teacher, opened, DRAFT_BYTES)
    with nothing_changes(service):
        for other in others:
            for upload in (opened, verifying):
                url = f"{UPLOADS}/{upload['id']}"
                problem_of(other.get(url), "not-found")
                problem_of(other.get(f"{url}/parts"), "not-found")
                problem_of(other.post(f"{url}/complete"), "not-found")
                problem_of(other.delete(url), "not-found")
                problem_of(_use(other, upload), "not-found")


def test_who_may_not_upload(service: Service, teacher: FlaskClient) -> None:
    """Nobody, and a token that may only read."""
    upload = begin(teacher, _SIZE)
    account = service.services.accounts.create(OPERATOR, username="reader")
    issued = service.services.accounts.issue_token(
        OPERATOR, name="r", scopes=SCOPES_OF_ROLE[Role.MEMBER] - {Scope.WRITE}, account_id=account.id
    )
    said = {"file_name": "a", "size": 1}
    url = f"{UPLOADS}/{upload['id']}"
    with nothing_changes(service):
        for client, code in (
            (service.client(), "unauthorised"),
            (service.client(issued.secret), "insufficient-scope"),
        ):
            problem_of(client.post(f"{UPLOADS}/direct", json=said), code)
            problem_of(client.get(f"{url}/parts"), code)
            problem_of(client.post(f"{url}/complete"), code)


def test_size_and_quota_at_every_step(make_service: MakeService, weed: Weed) -> None:
    """When it begins, again with every URL, and at the end: a quota may have been lowered."""
    service = make_service(max_upload_size=1000, **bucket_settings(weed))
    teacher = service.client(service.token("teacher", quota=1500))
    with nothing_changes(service):
        said = {"file_name": "a", "size": 1001}
        problem = problem_of(teacher.post(f"{UPLOADS}/direct", json=said), "payload-too-large")
        assert problem["limit"] == 1000
    upload = begin(teacher, 1000)
    with nothing_changes(service):
        said = {"file_name": "a", "size": 501}
        problem = problem_of(teacher.post(f"{UPLOADS}/direct", json=said), "quota-exceeded")
        assert (problem["quota"], problem["used"], problem["size"]) == (1500, 1000, 501)
    send(teacher, upload, bytes(1000))
    with service.services.database.write() as session:
        session.execute(update(Account).values(quota=999))
    with nothing_changes(service):
        problem_of(teacher.get(f"{UPLOADS}/{upload['id']}/parts"), "quota-exceeded")
        problem_of(complete(teacher, upload), "quota-exceeded")
    with service.services.database.write() as session:
        session.execute(update(Account).values(quota=1000))
    json_of(complete(teacher, upload), 202)


def test_the_number_of_open_uploads(
    service: Service, teacher: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is bounded for each account; completing and giving up make room."""
    monkeypatch.setattr(direct_module, "MOST_OPEN", 2)
    first, second = begin(teacher, _SIZE), begin(teacher, 1)
    said = {"file_name": "a", "size": 1}
    with nothing_changes(service):
        problem_of(teacher.post(f"{UPLOADS}/direct", json=said), "conflict")
    begin(service.member("other"), 1)
    send(teacher, first, DRAFT_BYTES)
    json_of(complete(teacher, first), 202)
    begin(teacher, 1)
    problem_of(teacher.post(f"{UPLOADS}/direct", json=said), "conflict")
    assert teacher.delete(path_of(second["url"])).status_code == 204
    begin(teacher, 1)


def test_a_store_that_takes_nothing_from_clients(any_service: Service) -> None:
    """A local folder, and a bucket that clients do not reach: the answer says how else."""
    teacher = any_service.member()
    ordinary = json_of(teacher.post(UPLOADS, json={"file_name": "a", "size": 1}), 201)
    with nothing_changes(any_service):
        said = {"file_name": "a", "size": 1}
        problem = problem_of(teacher.post(f"{UPLOADS}/direct", json=said), "no-direct-uploads")
        assert "PUT" in problem["advice"]
        url = f"{UPLOADS}/{ordinary['id']}"
        problem_of(teacher.get(f"{url}/parts"), "no-direct-uploads")
        problem_of(teacher.post(f"{url}/complete"), "no-direct-uploads")


def test_each_upload_goes_its_own_way(service: Service, teacher: FlaskClient) -> None:
    """No body for one that goes to the bucket, no parts for one that comes in a body."""
    direct = begin(teacher, _SIZE)
    ordinary = json_of(teacher.post(UPLOADS, json={"file_name": "a", "size": _SIZE}), 201)
    with nothing_changes(service):
        problem_of(teacher.put(path_of(direct["url"]), data=DRAFT_BYTES), "conflict")
        problem_of(_use(teacher, direct), "conflict")
        problem_of(teacher.get(f"{UPLOADS}/{ordinary['id']}/parts"), "conflict")
        problem_of(complete(teacher, ordinary), "conflict")


def test_what_is_said_is_checked(service: Service, teacher: FlaskClient) -> None:
    """An empty file has no parts; a part is named once, by its number."""
    upload = begin(teacher, _SIZE)
    url = f"{UPLOADS}/{upload['id']}"
    with nothing_changes(service):
        for said, pointer in (
            ({"file_name": "a", "size": 0}, "/size"),
            ({"file_name": "", "size": 1}, "/file_name"),
            ({"file_name": "a", "size": 1, "sha256": "x"}, "/sha256"),
            ({"file_name": "a", "size": 1, "parts": 1}, "/parts"),
        ):
            problem = problem_of(teacher.post(f"{UPLOADS}/direct", json=said), "invalid-input")
            assert pointers(problem) == [pointer]
        for query in ("first=0", "first=10001", "limit=0", "limit=1001", "first=x"):
            problem_of(teacher.get(f"{url}/parts?{query}"), "invalid-input")
        part = {"number": 1, "etag": "x"}
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"parts": [part, part]}, "/parts/1/number"),
            ({"parts": [{**part, "number": 0}]}, "/parts/0/number"),
            ({"parts": [{**part, "number": "1"}]}, "/parts/0/number"),
            ({"parts": [{"number": 1}]}, "/parts/0/etag"),
            ({"part": []}, "/part"),
        ]
        for said, pointer in wrong:
            problem = problem_of(teacher.post(f"{url}/complete", json=said), "invalid-input")
            assert pointers(problem) == [pointer]
        problem_of(
            teacher.post(f"{url}/complete", data="{", content_type="application/json"), "malformed-request"
        )
        problem_of(
            teacher.post(f"{url}/complete", data="x", content_type="text/plain"), "unsupported-media-type"
        )


# Done twice, given up, forgotten


def test_completing_twice(service: Service, teacher: FlaskClient) -> None:
    """Whoever lost the answer asks again: one job, and the state at each moment."""
    upload = sent(teacher, DRAFT_BYTES)
    with nothing_changes(service):
        assert json_of(complete(teacher, upload), 202)["state"] == "verifying"
    service.work()
    with nothing_changes(service):
        assert json_of(complete(teacher, upload), 202)["state"] == "finished"
    json_of(_use(teacher, upload), 201)
    assert json_of(complete(teacher, upload), 202)["state"] == "used"
    assert count(service.services, "jobs") == 2  # verify, inspect


def test_completing_at_once(service: Service) -> None:
    """Several requests of one client that grew impatient."""
    token = service.token("teacher")
    teacher = service.client(token)
    upload = begin(teacher, _SIZE)
    send(teacher, upload, DRAFT_BYTES)
    together, answers = threading.Barrier(4), []

    def one() -> None:
        client = service.client(token)
        together.wait(20)
        answers.append(complete(client, upload))

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [json_of(answer, 202)["state"] for answer in answers] == ["verifying"] * 4
    service.work()
    assert look(teacher, upload)["state"] == "finished"
    assert [size for _, size in published(service.settings)] == [_SIZE]


def test_a_crash_after_the_parts_were_put_together(
    service: Service, teacher: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row does not know yet. Whoever completes again goes on from there; it takes no more parts."""
    upload = begin(teacher, _SIZE)
    send(teacher, upload, DRAFT_BYTES)

    def die(*_arguments: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(service.services.jobs, "enqueue", die)
        assert complete(teacher, upload).status_code == 500
    assert look(teacher, upload)["state"] == "open"
    assert published(service.settings) == []
    problem_of(teacher.get(f"{UPLOADS}/{upload['id']}/parts"), "conflict")
    json_of(complete(teacher, upload), 202)
    service.work()
    assert look(teacher, upload)["state"] == "finished"


def test_the_store_is_away_when_it_begins(
    service: Service, teacher: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No room is held."""

    def away(*_arguments: object, **_named: object) -> None:
        raise StorageUnavailable("s3.internal.example is down")

    monkeypatch.setattr(CheckedStore, "begin_multipart", away)
    with nothing_changes(service):
        response = teacher.post(f"{UPLOADS}/direct", json={"file_name": "a", "size": 1})
        problem_of(response, "storage-unavailable")
        assert "internal" not in response.text
    assert _used(teacher) == 0


@pytest.mark.parametrize("method", ["list_parts", "complete_multipart"])
def test_the_store_is_away_later(
    service: Service, teacher: FlaskClient, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Nothing is lost."""
    upload = begin(teacher, _SIZE)
    send(teacher, upload, DRAFT_BYTES)

    def away(*_arguments: object, **_named: object) -> None:
        raise StorageUnavailable("s3.internal.example is down")

    with monkeypatch.context() as patch:
        patch.setattr(CheckedStore, method, away)
        url = f"{UPLOADS}/{upload['id']}"
        response = teacher.get(f"{url}/parts") if method == "list_parts" else teacher.post(f"{url}/complete")
        problem_of(response, "storage-unavailable")
    json_of(complete(teacher, upload), 202)
    service.work()
    assert look(teacher, upload)["state"] == "finished"


def test_cancelling(service: Service, teacher: FlaskClient) -> None:
    """While parts are sent, and while the whole waits to be read: bytes go, room comes back."""
    opened, verifying = begin(teacher, _SIZE), sent(teacher, DRAFT_BYTES)
    send(teacher, opened, DRAFT_BYTES)
    assert _used(teacher) == 2 * _SIZE
    for upload in (opened, verifying):
        assert teacher.delete(path_of(upload["url"])).status_code == 204
        problem_of(teacher.get(path_of(upload["url"])), "not-found")
        problem_of(complete(teacher, upload), "not-found")
    assert _used(teacher) == 0
    service.work()
    _nothing_kept(service)


@pytest.mark.parametrize("step", ["look", "keep"])
def test_cancelling_while_it_is_read(
    service: Service, teacher: FlaskClient, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The job ends, and nothing stays."""
    upload = sent(teacher, DRAFT_BYTES)
    kind = Inspector if step == "look" else uploads_module.Uploads
    original: Any = getattr(kind, step)

    def cancel_first(self: Any, *arguments: Any, **named: Any) -> Any:
        assert teacher.delete(path_of(upload["url"])).status_code == 204
        return original(self, *arguments, **named)

    monkeypatch.setattr(kind, step, cancel_first)
    service.work()
    assert _job(service, upload).state == JobState.DONE.value
    problem_of(teacher.get(path_of(upload["url"])), "not-found")
    assert _used(teacher) == 0
    _nothing_kept(service)


@pytest.mark.parametrize("late", [False, True])
def test_cancelling_while_the_parts_are_put_together(
    service: Service, teacher: FlaskClient, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """Right before and right after: whoever completes is told that there is no such upload."""
    upload = begin(teacher, _SIZE)
    send(teacher, upload, DRAFT_BYTES)
    original = CheckedStore.complete_multipart

    def cancel(self: CheckedStore, *arguments: Any) -> None:
        if late:
            original(self, *arguments)
        assert teacher.delete(path_of(upload["url"])).status_code == 204
        if not late:
            original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(CheckedStore, "complete_multipart", cancel)
        problem_of(complete(teacher, upload), "not-found")
    assert _used(teacher) == 0
    _nothing_kept(service)


def _age(service: Service, ago: timedelta = _LONG_AGO) -> None:
    """Every upload has expired so long ago."""
    with service.services.database.write() as session:
        session.execute(update(Upload).values(expires_at=now() - ago))


def test_abandoned_uploads_are_swept(service: Service, teacher: FlaskClient) -> None:
    """Begun, half sent, and put together without the row having learned of it: room and bytes come back."""
    begin(teacher, _SIZE)
    half, whole = begin(teacher, _PART + 1), begin(teacher, _SIZE)
    send(teacher, half, _random(_PART + 1), numbers=[1])
    send(teacher, whole, DRAFT_BYTES)
    _put_together_behind_its_back(service, whole)
    assert len(staged(service.settings)) == 2
    _age(service)
    problem_of(complete(teacher, half), "not-found")
    assert service.services.garbage.collect().uploads == 3
    assert _used(teacher) == 0
    assert count(service.services, "uploads") == 0
    _nothing_kept(service)


def test_bytes_without_a_row_are_swept(service: Service, teacher: FlaskClient) -> None:
    """A crash came between what the store did and what the row was told, and the client never came back."""
    whole = begin(teacher, _SIZE)
    send(teacher, whole, DRAFT_BYTES)
    _put_together_behind_its_back(service, whole)
    with service.services.database.write() as session:
        session.execute(delete(Upload))
    store = store_of(service.settings)
    assert list(store.iter()) == []
    assert store.sweep_staged(older_than=timedelta(hours=1)) == 0
    assert store.sweep_staged(older_than=timedelta(0)) == 1
    _nothing_kept(service)


def _put_together_behind_its_back(service: Service, upload: Any) -> None:
    with service.services.database.read() as session:
        key = session.get_one(Upload, UUID(upload["id"])).staging_key
    direct = presigned_multipart(store_of(service.settings))
    assert key is not None
    assert direct is not None
    direct.complete_multipart(key)


def test_whoever_asks_for_urls_goes_on(service: Service, teacher: FlaskClient) -> None:
    """So the upload does not expire while it is being sent, however slow the line."""
    upload = begin(teacher, _SIZE)
    with service.services.database.write() as session:
        session.execute(update(Upload).values(expires_at=now() + timedelta(minutes=1)))
    parts(teacher, upload)
    assert look(teacher, upload)["expires_at"] >= upload["expires_at"]


def test_what_waits_to_be_verified_is_never_swept(
    service: Service, teacher: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sender was told that it is there. The worker may be down for longer than uploads live."""
    upload = sent(teacher, DRAFT_BYTES)
    _age(service)
    swept: list[str] = []
    monkeypatch.setattr(CheckedStore, "sweep_staged", lambda self, *, older_than: swept.append(self.name))
    assert service.services.garbage.collect(grace=timedelta(0)).uploads == 0
    assert swept == []
    assert look(teacher, upload)["state"] == "verifying"
    service.work()
    _age(service, timedelta(days=-1))
    assert look(teacher, upload)["state"] == "finished"
    service.services.garbage.collect()
    assert "s3" in swept


def test_bytes_that_the_bucket_has_lost(service: Service, teacher: FlaskClient) -> None:
    """An operator emptied it: the upload fails with the reason, and gives its room back."""
    opened, verifying = begin(teacher, _SIZE), sent(teacher, DRAFT_BYTES)
    send(teacher, opened, DRAFT_BYTES)
    assert store_of(service.settings).sweep_staged(older_than=timedelta(0)) == 2
    problem_of(complete(teacher, opened), "conflict")
    service.work()
    for upload in (opened, verifying):
        lost = look(teacher, upload)
        assert lost["state"] == "failed"
        assert lost["reason"]
    assert _used(teacher) == 0
    _nothing_kept(service)


# The job


STEPS = {
    "before it reads": (Inspector, "look", False),
    "after it read": (Inspector, "look", True),
    "before it is claimed": (uploads_module.Uploads, "_claim", False),
    "after it was claimed": (uploads_module.Uploads, "_claim", True),
    "before it is published": (CheckedStore, "publish_multipart", False),
    "after it was published": (CheckedStore, "publish_multipart", True),
    "before its place is known": (uploads_module.Uploads, "_publish", False),
    "after its place is known": (uploads_module.Uploads, "_publish", True),
    "before it is recorded": (Inspector, "keep", False),
    "after it was recorded": (Inspector, "keep", True),
}


class _Killed(BaseException):
    """Nothing of ours catches it but to clean up; a killed process would not even do that."""


@contextmanager
def _dying(step: str) -> Iterator[None]:
    """The next attempt ends at this step, without the service's own cleaning up."""
    kind, method, late = STEPS[step]
    original: Any = getattr(kind, method)
    patch = pytest.MonkeyPatch()

    def once(self: Any, *arguments: Any, **named: Any) -> Any:
        patch.undo()
        if late:
            original(self, *arguments, **named)
        raise _Killed

    patch.setattr(kind, method, once)
    patch.setattr(uploads_module.Uploads, "_reopen", lambda self, upload: None)
    yield
    patch.undo()


def _attempt_dies(service: Service, upload: Any, step: str) -> None:
    """The worker goes with it: the job is taken up again when its lease is over."""
    job = _job(service, upload)
    with pytest.raises(_Killed), _dying(step):
        service.services.jobs.run(job.id, {JobKind.VERIFY: service.services.direct.verify})
    with service.services.database.write() as session:
        assert session.get_one(Job, job.id).state == JobState.RUNNING.value
        session.execute(update(Job).values(lease_until=now() - timedelta(seconds=1)))
    service.services.jobs.run(job.id, {JobKind.VERIFY: service.services.direct.verify})


@pytest.mark.parametrize(
    ("step", "copy"),
    [(step, False) for step in STEPS]
    # With a copy there, nothing is published.
    + [(step, True) for step in STEPS if "publish" not in step and "place" not in step],
)
def test_a_worker_that_dies_at_any_step(make_service: MakeService, weed: Weed, step: str, copy: bool) -> None:
    """The next attempt finishes what it left, and what was published stays whole; also where somebody else's
    ``copy`` is there already."""
    service = make_service(**bucket_settings(weed))
    teacher = service.member()
    upload = sent(teacher, DRAFT_BYTES)
    if copy:
        share(service.member("other"), DRAFT_BYTES)
    _attempt_dies(service, upload, step)
    finished = look(teacher, upload)
    assert (finished["state"], finished["sha256"]) == ("finished", sha256(DRAFT_BYTES))
    service.work()
    resource = json_of(_use(teacher, upload, licence="CC-BY-4.0", release=True), 201)
    service.work()
    assert count(service.services, "blobs") == count(service.services, "blob_locations") == 1
    service.services.garbage.collect(grace=timedelta(0))
    store_of(service.settings).sweep_staged(older_than=timedelta(0))
    assert [size for _, size in published(service.settings)] == [_SIZE]
    assert list(service.services.verifier.verify()) == []
    shown = json_of(service.client().get(f"/api/v1/resources/{resource['id']}"))
    link = service.client().get(path_of(shown["versions"][0]["download_url"]))
    assert httpx.get(link.headers["Location"]).content == DRAFT_BYTES


@pytest.mark.parametrize("step", list(STEPS))
def test_two_workers_at_once(
    service: Service, teacher: FlaskClient, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """One was taken for dead and goes on: whichever is faster, the blob is there once, and whole."""
    upload = sent(teacher, DRAFT_BYTES)
    kind, method, late = STEPS[step]
    original: Any = getattr(kind, method)
    verify = service.services.direct.verify

    def meanwhile(self: Any, *arguments: Any, **named: Any) -> Any:
        patch.undo()
        result = original(self, *arguments, **named) if late else None
        thread = threading.Thread(target=_quietly(verify, upload["id"]))
        thread.start()
        thread.join(60 if method != "keep" else 1)
        others.append(thread)
        return result if late else original(self, *arguments, **named)

    others: list[threading.Thread] = []
    with monkeypatch.context() as patch:
        patch.setattr(kind, method, meanwhile)
        _quietly(verify, upload["id"])()
    for thread in others:
        thread.join(60)
    _again(service)
    assert look(teacher, upload)["state"] == "finished"
    json_of(_use(teacher, upload), 201)
    store_of(service.settings).sweep_staged(older_than=timedelta(0))
    service.services.garbage.collect(grace=timedelta(0))
    assert [size for _, size in published(service.settings)] == [_SIZE]
    assert list(service.services.verifier.verify()) == []


def _quietly(verify: Any, upload_id: str) -> Any:
    """An attempt whose errors a worker would note, to try again."""

    def attempt() -> None:
        with suppress(Exception):
            verify(upload_id, lambda share: None)

    return attempt


def test_the_store_is_away_while_it_is_verified(
    service: Service, teacher: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits, for as long as that takes."""
    upload = sent(teacher, DRAFT_BYTES)

    def away(*_arguments: object, **_named: object) -> None:
        raise StorageUnavailable("s3.internal.example is down")

    with monkeypatch.context() as patch:
        patch.setattr(CheckedStore, "open_multipart", away)
        for _ in range(8):
            _again(service)
    assert look(teacher, upload)["state"] == "verifying"
    _again(service)
    assert look(teacher, upload)["state"] == "finished"


def test_a_file_that_breaks_a_parser_is_verified_all_the_same(
    service: Service, teacher: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After two attempts it is not looked into any more; the version's own job will say what is wrong, and
    takes nothing over from somebody else's."""
    upload = sent(teacher, DRAFT_BYTES)

    def breaks(*_arguments: object) -> None:
        raise RuntimeError("a fault of the parser")

    with monkeypatch.context() as patch:
        patch.setattr(Inspector, "look", breaks)
        for attempt in range(3):
            assert look(teacher, upload)["state"] == "verifying", attempt
            _again(service)
    assert look(teacher, upload)["state"] == "finished"
    assert count(service.services, "inspections") == 0
    share(service.member("other"), DRAFT_BYTES)
    service.work()
    assert count(service.services, "inspections") == 1
    resource = json_of(_use(teacher, upload), 201)
    looked: list[str] = []
    look_inside = Inspector.look

    def noted(self: Inspector, source: Source, report: Progress) -> InspectionRecord:
        looked.append("inside")
        return look_inside(self, source, report)

    with monkeypatch.context() as patch:
        patch.setattr(Inspector, "look", noted)
        service.work()
    assert looked == ["inside"]
    assert json_of(teacher.get(path_of(resource["api_url"])))["versions"][0]["kind"] == "file"


class _FlipsBits:
    """A reader over a bad line."""

    def __init__(self, reader: CheckedReader, bit: int) -> None:
        self._reader = reader
        self._bit = bit

    def read(self, size: int = -1, /) -> bytes:
        data = self._reader.read(size)
        return data[:-1] + bytes([data[-1] ^ 1 << self._bit]) if data else data

    def close(self) -> None:
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def test_a_bad_line_to_the_store_refuses_nothing(
    service: Service, teacher: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read wrongly once is read again before it is deleted."""
    upload = sent(teacher, DRAFT_BYTES, sha256=sha256(DRAFT_BYTES))
    open_multipart = CheckedStore.open_multipart
    opened: list[int] = []

    def sometimes(self: CheckedStore, key: str, *, offset: int = 0, length: int | None = None) -> Any:
        opened.append(offset)
        reader = open_multipart(self, key, offset=offset, length=length)
        return _FlipsBits(reader, len(opened)) if len(opened) < 3 else reader

    with monkeypatch.context() as patch:
        patch.setattr(CheckedStore, "open_multipart", sometimes)
        for _ in range(3):
            _again(service)
    assert len(opened) == 3
    finished = look(teacher, upload)
    assert (finished["state"], finished["sha256"]) == ("finished", sha256(DRAFT_BYTES))


def test_a_job_that_failed_is_tried_again_later(
    service: Service, teacher: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator had to act first: nobody needs to know which uploads it hit."""
    upload = sent(teacher, DRAFT_BYTES)

    def refused(*_arguments: object, **_named: object) -> None:
        raise StorageRefused("the credentials were changed")

    with monkeypatch.context() as patch:
        patch.setattr(CheckedStore, "open_multipart", refused)
        for _ in range(service.settings.job_attempts):
            _again(service)
    assert _job(service, upload).state == JobState.FAILED.value
    assert service.services.direct.revive() == 0
    with service.services.database.write() as session:
        session.execute(update(Job).values(finished_at=now() - timedelta(minutes=11)))
    assert service.services.direct.revive() == 1
    assert service.services.direct.revive() == 0
    service.work()
    assert look(teacher, upload)["state"] == "finished"
