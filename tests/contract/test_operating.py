"""What operators and their tools ask, and what they never get told."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from repo_service.domain.resources import LocationState
from repo_service.models import database
from repo_service.models.database import Database
from storage import StorageUnavailable
from storage.checked import CheckedStore
from tests.contract.support import DRAFT_BYTES, path_of, problem_of, publish, published, share, store_of
from tests.support.service import MakeService, Service, json_of

_INSIDE = "postgresql://repo:secret@10.0.0.1/repo"


def test_alive_and_ready(any_service: Service) -> None:
    """Nothing is kept of these answers."""
    public = any_service.client()
    assert json_of(public.get("/healthz")) == {"alive": True}
    ready = public.get("/readyz")
    parts = {"database": True, "store": True, "queue": True}
    assert json_of(ready) == {"ready": True, "parts": parts, "replicas": {}, "network_home": None}
    assert "no-store" in ready.headers["Cache-Control"]


@pytest.mark.parametrize("part", ["database", "store", "queue"])
def test_not_ready_names_the_part_and_no_inside(
    any_service: Service, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """503 for whoever balances the load; why stands in the log."""

    def fail(*_arguments: object, **_named: object) -> Any:
        if part == "database":
            raise OperationalError(_INSIDE, {}, Exception(_INSIDE))
        raise StorageUnavailable(_INSIDE)

    if part == "database":
        monkeypatch.setattr(Database, "read", fail)
    else:
        monkeypatch.setitem(any_service.services.health._checks, part, fail)
    response = any_service.client().get("/readyz")
    assert response.status_code == 503
    assert response.get_json() == {
        "ready": False,
        "parts": {name: name != part for name in ("database", "store", "queue")},
        "replicas": {},
        "network_home": None,
    }
    assert "secret" not in response.text
    assert any_service.client().get("/healthz").status_code == 200


def test_a_fault_shows_no_inside(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 500 is a problem like any other, with the id by which operators find it."""

    def fail(*_arguments: object, **_named: object) -> Any:
        raise RuntimeError(_INSIDE)

    monkeypatch.setattr(service.services.resources, "get", fail)
    response = service.client().get("/api/v1/resources/00000000-0000-7000-8000-000000000000")
    problem_of(response, "internal")
    assert "secret" not in response.text
    assert "Traceback" not in response.text


def test_a_database_whose_lock_does_not_come_is_busy(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with the time to wait, not 500; and nothing is half done."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 0.2)
    service = make_service()
    teacher = service.member()
    json_of(teacher.get("/api/v1/me"))
    with service.services.database.write() as holder:
        holder.flush()
        response = teacher.post("/api/v1/uploads", json={"file_name": "a", "size": 1})
    problem_of(response, "busy")
    assert int(response.headers["Retry-After"]) > 0
    json_of(teacher.post("/api/v1/uploads", json={"file_name": "a", "size": 1}), 201)


@pytest.mark.parametrize("sent", ["0123456789abcdef", "01HXYZ-trace_1:2"])
def test_request_ids_are_echoed(service: Service, sent: str) -> None:
    """In the header of every answer, and in every problem."""
    for path in ("/healthz", "/api/v1/me", "/nothing", "/api/v1/resources"):
        response = service.client().get(path, headers={"X-Request-ID": sent})
        assert response.headers["X-Request-ID"] == sent
        if response.mimetype == "application/problem+json":
            assert response.get_json()["request_id"] == sent


@pytest.mark.parametrize(
    "sent", ["", "short", "with space in it", "x" * 200, 'a"b<script>alert(1)', "é" * 10]
)
def test_request_ids_that_are_none_are_replaced(service: Service, sent: str) -> None:
    """Whatever a client sends does not get into logs as it is."""
    response = service.client().get("/healthz", headers={"X-Request-ID": sent})
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["X-Request-ID"])


def test_metrics_count(make_service: MakeService) -> None:
    """Requests, store operations and jobs; never names of resources or people."""
    service = make_service()
    teacher = service.member()
    resource = publish(service, teacher)
    assert service.client().get(path_of(resource["versions"][0]["download_url"])).data == DRAFT_BYTES
    service.client().get("/no/such/address")
    answer = service.client().get("/metrics")
    assert answer.mimetype == "text/plain"
    text = answer.text
    for line in (
        r'repo_http_requests_total\{endpoint="resources.create",method="POST",status="201"\} 1.0',
        r'repo_http_requests_total\{endpoint="unmatched",method="GET",status="404"\} 1.0',
        r'repo_http_sent_bytes_total\{endpoint="files.download"\} ' + f"{len(DRAFT_BYTES)}.0",
        r'repo_store_operations_total\{operation="publish",outcome="ok",store="file"\} 1.0',
        r'repo_jobs_total\{kind="inspect",outcome="done"\} 1.0',
    ):
        assert re.search(f"^{line}$", text, re.MULTILINE), line
    assert resource["id"] not in text
    assert "teacher" not in text


def test_verification_finds_missing_and_flipped_bytes(any_service: Service) -> None:
    """Each copy is read once; a sample takes those checked longest ago; only what is wrong is told."""
    teacher = any_service.member()
    for content in (b"sound", b"flipped", b"missing"):
        share(teacher, content)
    store = store_of(any_service.settings)
    for blob in list(store.iter()):
        with store.open(blob.locator) as reader:
            content = reader.read()
        if content == b"missing":
            store.delete(blob.locator)
        if content == b"flipped":
            _flip(any_service, blob.locator)
    verifier = any_service.services.verifier
    assert verifier.extent() == len(b"sound" + b"flipped" + b"missing")
    read: list[int] = []
    found = {(v.state, v.store) for v in verifier.verify(progress=read.append)}
    name = store.name
    assert found == {(LocationState.MISSING, name), (LocationState.CORRUPT, name)}
    assert sum(read) == len(b"sound" + b"flopped")
    assert len(list(verifier.verify(sample=1))) <= 1
    assert len(published(any_service.settings)) == 2
    share(any_service.member("other"), b"missing")
    states = {v.state for v in verifier.verify()}
    assert states == {LocationState.CORRUPT}, "what was sent again is there again"


def _flip(service: Service, locator: str) -> None:
    if service.settings.store_url.startswith("file:"):
        path = service.settings.data_dir / "store" / locator
        path.write_bytes(b"flopped")
        return
    store: Any = store_of(service.settings)
    driver = store._driver
    driver.client.put_object(Bucket=driver.bucket, Key=driver.key_of(locator), Body=b"flopped")


def test_an_unreachable_store_says_nothing_about_its_bytes(
    any_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is declared lost because the network is."""
    resource = publish(any_service, any_service.member())

    def fail(*_arguments: object, **_named: object) -> Any:
        raise StorageUnavailable("no route")

    with monkeypatch.context() as patch:
        patch.setattr(CheckedStore, "open", fail)
        assert [found.state for found in any_service.services.verifier.verify()] == [None]
    got = any_service.client().get(path_of(resource["versions"][0]["download_url"]))
    assert got.data == DRAFT_BYTES
