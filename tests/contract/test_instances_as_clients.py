"""An instance that shares here for its members: their pages there, how much it may send, and what it has not
proven."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient

from repo_service.domain.identity import Role
from tests.contract.activitypub import read
from tests.contract.consenting import connect_site, tokens_of
from tests.contract.support import DRAFT_BYTES, pointers, problem_of, publish, share
from tests.support.moodle import Moodle
from tests.support.service import MakeService, Service, json_of, send_file
from tests.web.visitor import Visitor

HOME = "https://moodlenet.school.example"
PAGE = f"{HOME}/resource/rivers?lang=en"
_LARGE = b"0123456789" * 500 + b"x"
_QUOTA = 2 * len(_LARGE) + 1000
"""A form is reserved more room than its file needs."""


@dataclass
class World:
    """A service, its administrator, an instance that registered there, and one of its members."""

    service: Service
    admin: FlaskClient
    token: str
    moodle: Moodle

    @property
    def member(self) -> FlaskClient:
        """The member themselves."""
        return self.service.client(self.token)

    def instance(self, token: str | None = None) -> FlaskClient:
        """The instance, for that member or another."""
        visitor = Visitor(self.service, token or self.token)
        scope = "resources:read resources:write"
        return self.service.client(tokens_of(self.service, self.moodle, visitor, scope=scope)["access_token"])

    def decide(self, **said: Any) -> Any:
        """As the administrator does."""
        return json_of(self.admin.patch(f"/api/v1/sites/{self.moodle.client_id}", json=said))


@pytest.fixture
def world(make_service: MakeService) -> World:
    """Where administrators have to approve each instance, and have approved this one."""
    service = make_service(client_approval="administrator")
    admin = service.client(service.token("chief", Role.ADMINISTRATOR))
    made = World(service, admin, service.token("ada"), connect_site(service, Moodle(wwwroot=HOME)))
    made.decide(state="approved")
    return made


def _read(client: FlaskClient, resource: Any) -> Any:
    return json_of(client.get(f"/api/v1/resources/{resource['id']}"))


def test_a_resource_is_at_home_on_the_page_of_the_instance(world: World) -> None:
    authors = [{"name": "Ada Lovelace", "url": f"{HOME}/profile/ada"}]
    resource = publish(world.service, world.instance(), canonical_url=PAGE, authors=authors)
    assert resource["canonical_url"] == PAGE
    assert (resource["owner"], resource["authors"]) == ("ada", authors)
    (found,) = json_of(world.service.client().get("/api/v1/resources"))["items"]
    assert found["canonical_url"] == PAGE
    page = Visitor(world.service).get(f"/resources/{resource['id']}")
    assert page.one("//link[@rel='canonical']").get("href") == PAGE
    assert page.one("//a[@class='origin']").get("href") == PAGE
    document = json.loads(page.one("//script[@type='application/ld+json']").text_content())
    first, second = document["mainEntityOfPage"]
    assert first == {
        "id": PAGE,
        "type": "WebContent",
        "provider": {"id": HOME, "name": "moodlenet.school.example"},
    }
    assert second["id"] == resource["url"]
    shown = read(world.service, f"/ap/resources/{resource['id']}")
    pages = [link["href"] for link in shown["url"] if link["mediaType"] == "text/html"]
    assert pages == [PAGE, resource["url"]]


def test_it_can_be_said_and_taken_back_later(world: World) -> None:
    resource = share(world.instance())
    path = f"/api/v1/resources/{resource['id']}"
    assert resource["canonical_url"] is None
    said = json_of(world.instance().patch(path, json={"canonical_url": PAGE}))
    assert said["canonical_url"] == PAGE
    assert json_of(world.member.patch(path, json={"title": "Lakes"}))["canonical_url"] == PAGE
    assert json_of(world.member.patch(path, json={"canonical_url": ""}))["canonical_url"] is None


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/resource/1",
        "https://moodlenet.school.example.evil.example/",
        "https://evil.example/moodlenet.school.example/",
        "https://moodlenet.school.example@evil.example/",
        "https://evil.example\\@moodlenet.school.example/",
        "https://moodlenet.school.example\\.evil.example/",
        "https://moodlenet.school.example:8443/",
        "https://sub.moodlenet.school.example/",
        "https://school.example/",
        "http://moodlenet.school.example/",
        "javascript:alert(1)//moodlenet.school.example",
        "//moodlenet.school.example/",
        f"{HOME}/a b",
        f"{HOME}/" + "x" * 2000,
    ],
)
def test_pages_that_are_not_its_own_are_refused(world: World, url: str) -> None:
    resource = share(world.instance())
    path = f"/api/v1/resources/{resource['id']}"
    refused = world.instance().patch(path, json={"canonical_url": url})
    assert pointers(problem_of(refused, "invalid-input")) == ["/canonical_url"]
    refused = send_file(world.instance(), DRAFT_BYTES, canonical_url=url)
    assert pointers(problem_of(refused, "invalid-input")) == ["/metadata/canonical_url"]
    assert _read(world.member, resource)["canonical_url"] is None


def test_nobody_but_an_instance_names_one(world: World) -> None:
    resource = share(world.member)
    path = f"/api/v1/resources/{resource['id']}"
    for client in (world.member, world.admin):
        refused = client.patch(path, json={"canonical_url": PAGE})
        assert refused.status_code in (403, 404, 422)
    problem_of(world.member.patch(path, json={"canonical_url": PAGE}), "invalid-input")


def test_nor_one_that_no_administrator_looked_at(make_service: MakeService) -> None:
    """Where everybody may register, anybody's host could stand on our pages."""
    service = make_service()
    world = World(
        service, service.client(), service.token("ada"), connect_site(service, Moodle(wwwroot=HOME))
    )
    resource = share(world.instance())
    refused = world.instance().patch(f"/api/v1/resources/{resource['id']}", json={"canonical_url": PAGE})
    problem_of(refused, "invalid-input")


@pytest.mark.parametrize("state", ["disabled", "declined"])
def test_what_is_shut_out_leaves_no_links_behind(world: World, state: str) -> None:
    resource = publish(world.service, world.instance(), canonical_url=PAGE)
    world.decide(state=state)
    assert _read(world.service.client(), resource)["canonical_url"] is None
    world.decide(state="approved")
    assert _read(world.service.client(), resource)["canonical_url"] is None


def test_its_quota_is_for_all_its_members_together(world: World) -> None:
    bob = world.service.token("bob")
    world.decide(quota=_QUOTA)
    first = share(world.instance(), _LARGE)
    share(world.instance(bob), _LARGE[::-1])
    assert world.decide(quota=_QUOTA)["used"] == 2 * len(_LARGE)
    problem = problem_of(send_file(world.instance(), _LARGE), "quota-exceeded")
    assert (problem["quota"], problem["used"]) == (_QUOTA, 2 * len(_LARGE))
    begin = {"file_name": "a.txt", "size": len(_LARGE)}
    problem_of(world.instance(bob).post("/api/v1/uploads", json=begin), "quota-exceeded")
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(_LARGE))}
    problem_of(world.instance(bob).post("/api/v1/tus", headers=headers), "quota-exceeded")
    path = f"/api/v1/resources/{first['id']}/versions"
    problem_of(send_file(world.instance(), _LARGE, url=path), "quota-exceeded")
    share(world.member, _LARGE + b"!")  # what they send themselves does not count
    assert world.decide(quota=None)["quota"] is None
    share(world.instance(), _LARGE + b"?")


def test_what_is_on_its_way_counts(world: World) -> None:
    world.decide(quota=10)
    begin = {"file_name": "a.txt", "size": 10}
    upload = json_of(world.instance().post("/api/v1/uploads", json=begin), 201)
    problem_of(world.instance().post("/api/v1/uploads", json={**begin, "size": 1}), "quota-exceeded")
    json_of(world.instance().delete(f"/api/v1/uploads/{upload['id']}"), 204)
    json_of(world.instance().post("/api/v1/uploads", json=begin), 201)


def test_only_administrators_set_it(world: World) -> None:
    path = f"/api/v1/sites/{world.moodle.client_id}"
    for client in (world.member, world.instance()):
        problem_of(client.patch(path, json={"quota": 1}), "forbidden")
        problem_of(client.get(path), "forbidden")
    problem_of(world.admin.patch(path, json={"quota": -1}), "invalid-input")
    problem_of(world.admin.patch(path, json={"quota": "1"}), "invalid-input")
    assert json_of(world.admin.get(path))["quota"] is None
