"""The address of a page is good for other servers and for harvesters, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lxml import html

from tests.contract.activitypub import BASE, person_of, read
from tests.contract.support import path_of, problem_of, publish, share
from tests.support.service import MakeService, Service, json_of

_BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
_ACTIVITY = "application/activity+json"


@pytest.fixture
def shown(service: Service) -> dict[str, str]:
    """Pages by what ActivityStreams calls the same."""
    teacher = service.member("ada")
    resource = publish(service, teacher, title="Rivers")
    given = {"title": "Water", "visibility": "public"}
    collection = json_of(teacher.post("/api/v1/collections", json=given), 201)
    added = teacher.post(f"/api/v1/collections/{collection['id']}/items", json={"resource": resource["id"]})
    json_of(added, 201)
    return {
        f"{BASE}/ap/service": "/",
        f"{BASE}/ap/resources/{resource['id']}": f"/resources/{resource['id']}",
        f"{BASE}/ap/collections/{collection['id']}": f"/collections/{collection['id']}",
        person_of(service, "ada"): "/people/ada",
    }


def _alternates(page: str) -> list[str]:
    found: Any = html.fromstring(page).xpath(
        "//head/link[@rel='alternate'][@type=$kind]/@href", kind=_ACTIVITY
    )
    return [str(href) for href in found]


def test_a_page_for_people_and_the_way_to_the_rest(service: Service, shown: dict[str, str]) -> None:
    for own, path in shown.items():
        for accept in (_BROWSER, "*/*", ""):
            answer = service.client().get(path, headers={"Accept": accept})
            assert (answer.status_code, answer.mimetype) == (200, "text/html")
            assert "Accept" in answer.headers["Vary"]
        assert _alternates(answer.text) == [own]


def test_activity_streams_for_servers(service: Service, shown: dict[str, str]) -> None:
    """The same as at the id, whoever asks and in whatever language."""
    token = service.token("someone")
    for own, path in shown.items():
        for client in (service.client(), service.client(token)):
            answer = client.get(path, headers={"Accept": _ACTIVITY, "Accept-Language": "de"})
            assert answer.mimetype == _ACTIVITY
            assert "Accept" in answer.headers["Vary"]
            assert "Set-Cookie" not in answer.headers
            assert json_of(answer) == read(service, own)


def test_json_ld_for_harvesters(service: Service, shown: dict[str, str]) -> None:
    """AMB of a resource, an ItemList of a collection, as they stand within their pages."""
    for path in shown.values():
        answer = service.client().get(path, headers={"Accept": "application/ld+json"})
        if path.startswith(("/resources", "/collections")):
            assert answer.mimetype == "application/ld+json"
            document = json_of(answer)
            assert document == _within(service.client().get(path).text)
            again = service.client().get(
                path, headers={"Accept": "application/ld+json", "If-None-Match": answer.headers["ETag"]}
            )
            assert again.status_code == 304
        else:
            assert answer.mimetype == "text/html"
        assert "Accept" in answer.headers["Vary"]


def _within(page: str) -> Any:
    found: Any = html.fromstring(page).xpath("//script[@type='application/ld+json']")
    (script,) = found
    return json.loads(script.text)


def test_json_ld_of_what_is_not_public(service: Service) -> None:
    token = service.token("ada")
    draft = share(service.client(token))
    for path in (f"/resources/{draft['id']}", "/collections/00000000-0000-7000-8000-000000000000"):
        for client in (service.client(), service.client(token)):
            answer = client.get(path, headers={"Accept": "application/ld+json"})
            problem_of(answer, "not-found")


def test_of_what_is_withdrawn_there_is_no_json_ld(service: Service) -> None:
    teacher = service.member("ada")
    resource = publish(service, teacher)
    path = f"{path_of(resource['api_url'])}/withdraw"
    assert teacher.post(path, json={"reason": "x"}).status_code == 204
    answer = service.client().get(f"/resources/{resource['id']}", headers={"Accept": "application/ld+json"})
    problem_of(answer, "gone")


def test_pages_of_a_mirror_are_pages(make_service: MakeService, tmp_path: Path) -> None:
    """Harvesters get the record, whose id is at its home."""
    before = make_service(data_dir=tmp_path / "data")
    resource = publish(before, before.member("ada"))
    before.services.close()
    mirror = make_service(data_dir=tmp_path / "data", read_only=True)
    for path in ("/", f"/resources/{resource['id']}", "/people/ada"):
        answer = mirror.client().get(path, headers={"Accept": f"{_ACTIVITY}, text/html;q=0.1"})
        assert (answer.status_code, answer.mimetype) == (200, "text/html")
        assert _alternates(answer.text) == []
    path = f"/resources/{resource['id']}"
    assert json_of(mirror.client().get(path, headers={"Accept": "application/ld+json"}))["type"]
