"""Requests that come again: by their key they are done once."""

from __future__ import annotations

import threading
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from repo_service.domain.identity import Scope
from repo_service.http.idempotency import HEADER, REPLAYED
from repo_service.models import IdempotencyKey
from repo_service.models.base import now
from repo_service.services.erasing import Shared
from repo_service.services.idempotency import KEPT_FOR
from repo_service.services.resources import Resources
from storage import StorageUnavailable
from tests.contract.support import DRAFT_BYTES, count, problem_of, share
from tests.support.service import OPERATOR, MakeService, Service, json_of

_KEY = {HEADER: '"8e03978e-40d5-43e8-bc93-6894a57f9324"'}
_FILE = {"file_name": "a.txt", "size": 10}


@pytest.fixture(params=["sqlite", "postgresql"])
def service(request: pytest.FixtureRequest, make_service: MakeService) -> Service:
    """A service on either database."""
    if request.param == "sqlite":
        return make_service()
    return make_service(database_url=request.getfixturevalue("postgres_database")())


def _form(boundary: str, content: bytes = DRAFT_BYTES, title: str = "Rivers") -> dict[str, Any]:
    """A form as a client sends it that draws its boundary anew each time."""
    line = f"--{boundary}\r\n".encode()
    body = (
        line
        + b'Content-Disposition: form-data; name="metadata"\r\n\r\n{"title": "%s"}\r\n' % title.encode()
        + line
        + b'Content-Disposition: form-data; name="file"; filename="notes.txt"\r\n\r\n'
        + content
        + f"\r\n--{boundary}--\r\n".encode()
    )
    return {"data": body, "content_type": f"multipart/form-data; boundary={boundary}"}


def _share(client: FlaskClient, boundary: str = "x", **said: Any) -> TestResponse:
    return client.post("/api/v1/resources", headers=_KEY, **_form(boundary, **said))


def test_a_form_that_comes_again_is_answered_as_the_first_and_makes_nothing(service: Service) -> None:
    teacher = service.member()
    first = _share(teacher)
    json_of(first, 201)
    teacher.patch(f"/api/v1/resources/{first.get_json()['id']}", json={"title": "Lakes"})
    again = _share(teacher, "another-boundary-that-is-much-longer")
    assert (again.status_code, again.data) == (201, first.data)  # as it was, not as it is
    for name in ("Location", "ETag", "Content-Type", "Cache-Control"):
        assert again.headers[name] == first.headers[name]
    assert (first.headers.get(REPLAYED), again.headers[REPLAYED]) == (None, "true")
    assert count(service.services, "resources") == count(service.services, "uploads") == 1


@pytest.mark.parametrize("said", [{"content": DRAFT_BYTES + b"!"}, {"title": "Lakes"}])
def test_another_form_with_the_same_key_is_refused(service: Service, said: dict[str, Any]) -> None:
    teacher = service.member()
    json_of(_share(teacher), 201)
    problem_of(_share(teacher, **said), "idempotency-key-reused")
    assert count(service.services, "resources") == 1


def test_a_large_form_is_compared_to_its_last_byte(service: Service) -> None:
    teacher = service.member()
    large = b"0123456789abcdef" * 100_000
    json_of(_share(teacher, content=large), 201)
    assert _share(teacher, "y", content=large).headers[REPLAYED] == "true"
    problem_of(_share(teacher, "y", content=large[:-1] + b"x"), "idempotency-key-reused")


def test_the_same_key_at_another_address_is_refused(service: Service) -> None:
    teacher = service.member()
    json_of(teacher.post("/api/v1/uploads", headers=_KEY, json=_FILE), 201)
    problem_of(teacher.post("/api/v1/uploads/direct", headers=_KEY, json=_FILE), "idempotency-key-reused")
    problem_of(teacher.post("/api/v1/uploads?a=b", headers=_KEY, json=_FILE), "idempotency-key-reused")


def test_a_release_is_done_once(service: Service) -> None:
    teacher = service.member()
    resource = share(teacher, licence="CC-BY-4.0")
    service.work()
    path = f"/api/v1/resources/{resource['id']}/versions/1/release"
    first = teacher.post(path, headers=_KEY)
    assert json_of(first)["visibility"] == "public"
    json_of(teacher.post(f"/api/v1/resources/{resource['id']}/withdraw", json={"reason": "old"}), 204)
    again = teacher.post(path, headers=_KEY)
    assert (again.status_code, again.data) == (200, first.data)
    problem_of(teacher.get(f"/api/v1/resources/{resource['id']}"), "gone")


def test_what_was_refused_may_be_tried_again_with_its_key(service: Service) -> None:
    teacher = service.member()
    resource = share(teacher)
    path = f"/api/v1/resources/{resource['id']}/versions/1/release"
    problem_of(teacher.post(path, headers=_KEY), "not-inspected")
    service.work()
    problem_of(teacher.post(path, headers=_KEY), "incomplete")
    json_of(teacher.patch(f"/api/v1/resources/{resource['id']}", json={"licence": "CC-BY-4.0"}))
    json_of(teacher.post(path, headers=_KEY))


def test_one_that_is_under_way_is_not_begun_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at once: the second is told to come back, and is then answered as the first."""
    token = service.token("teacher")
    entered, go_on = threading.Event(), threading.Event()
    create = Resources.create

    def slowly(self: Resources, *args: Any, **kwargs: Any) -> Any:
        entered.set()
        assert go_on.wait(10)
        return create(self, *args, **kwargs)

    monkeypatch.setattr(Resources, "create", slowly)
    answers: list[TestResponse] = []
    first = threading.Thread(target=lambda: answers.append(_share(service.client(token))))
    first.start()
    try:
        assert entered.wait(10)
        second = _share(service.client(token))
    finally:
        go_on.set()
        first.join()
    problem = problem_of(second, "idempotency-key-in-use")
    assert second.headers["Retry-After"] == str(problem["retry_after"])
    assert _share(service.client(token)).data == answers[0].data
    assert count(service.services, "resources") == 1


def test_what_broke_off_is_never_done_twice(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody knows whether it was done, its client has to look. An outage is something else."""
    teacher = service.member()
    create = Resources.create

    def broken(self: Resources, *args: Any, **kwargs: Any) -> Any:
        create(self, *args, **kwargs)
        raise RuntimeError("the line to the database broke right after the commit")

    with monkeypatch.context() as context:
        context.setattr(Resources, "create", broken)
        problem_of(_share(teacher), "internal")
    problem_of(_share(teacher), "idempotency-key-in-use")
    assert count(service.services, "resources") == 1

    def unavailable(self: Resources, *args: Any, **kwargs: Any) -> Any:
        raise StorageUnavailable("the store is away")

    other = {HEADER: "other"}
    with monkeypatch.context() as context:
        context.setattr(Resources, "create", unavailable)
        answer = teacher.post("/api/v1/resources", headers=other, **_form("x"))
        problem_of(answer, "storage-unavailable")
    json_of(teacher.post("/api/v1/resources", headers=other, **_form("x")), 201)


def test_keys_are_those_of_an_account(service: Service) -> None:
    ada, bob = service.member("ada"), service.member("bob")
    mine, theirs = (json_of(one.post("/api/v1/uploads", headers=_KEY, json=_FILE), 201) for one in (ada, bob))
    assert mine["id"] != theirs["id"]


def test_a_key_ends_after_a_day(service: Service) -> None:
    teacher = service.member()
    first = json_of(teacher.post("/api/v1/uploads", headers=_KEY, json=_FILE), 201)
    with service.services.database.write() as session:
        until = session.scalars(select(IdempotencyKey.expires_at)).one()
        assert until - now() <= KEPT_FOR
        session.execute(update(IdempotencyKey).values(expires_at=now() - timedelta(seconds=1)))
    second = json_of(teacher.post("/api/v1/uploads", headers=_KEY, json=_FILE), 201)
    assert first["id"] != second["id"]
    with service.services.database.write() as session:
        session.execute(update(IdempotencyKey).values(expires_at=now() - timedelta(seconds=1)))
    service.services.idempotency_keys.tidy()
    assert count(service.services, "idempotency_keys") == 0


def test_a_token_that_may_not_do_it_gets_no_kept_answer(service: Service) -> None:
    token = service.token("teacher")
    json_of(service.client(token).post("/api/v1/uploads", headers=_KEY, json=_FILE), 201)
    made = service.client(token).post(
        "/api/v1/me/tokens", json={"name": "reads", "scopes": [Scope.READ.value]}
    )
    reader = service.client(json_of(made, 201)["secret"])
    problem_of(reader.post("/api/v1/uploads", headers=_KEY, json=_FILE), "insufficient-scope")
    problem_of(service.client().post("/api/v1/uploads", headers=_KEY, json=_FILE), "unauthorised")


@pytest.mark.parametrize("key", ["", '""', "a b", '"a', "é", "x" * 256, '"a\\"b"'])
def test_what_is_no_key_is_refused(service: Service, key: str) -> None:
    headers = {HEADER: key}
    answer = service.member().post("/api/v1/uploads", headers=headers, json=_FILE)
    problem_of(answer, "malformed-request")
    assert count(service.services, "uploads") == 0


def test_a_body_that_no_file_may_have_is_not_read(service: Service) -> None:
    teacher = service.member()
    environment = {"CONTENT_LENGTH": str(10**15), "CONTENT_TYPE": "multipart/form-data; boundary=x"}
    environment["wsgi.input"] = BytesIO()  # type: ignore[assignment]
    answer = teacher.post("/api/v1/resources", headers=_KEY, environ_overrides=environment)
    problem_of(answer, "payload-too-large")
    json_of(_share(teacher), 201)


def test_whoever_leaves_takes_the_answers_along(service: Service) -> None:
    teacher = service.member()
    json_of(teacher.post("/api/v1/uploads", headers=_KEY, json=_FILE), 201)
    me = json_of(teacher.get("/api/v1/me"))
    service.services.erasing.erase(OPERATOR, UUID(me["id"]), shared=Shared.LEAVE)
    assert count(service.services, "idempotency_keys") == 0
