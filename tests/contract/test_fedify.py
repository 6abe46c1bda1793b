"""Another implementation as the peer: Fedify finds us, follows, verifies and reads by its own code, and has
something of its own in our index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.federating import approve, federated, service_actor
from tests.contract.support import path_of, publish
from tests.support.fedify import Fedify
from tests.support.running import wait_for
from tests.support.service import MakeService, Service, json_of


@pytest.fixture
def hq(make_service: MakeService) -> Iterator[Service]:
    """A service that can be asked by others."""
    with federated(make_service) as service:
        yield service


def about(fedify: Fedify, resource: dict[str, Any], count: int) -> list[tuple[str, str | None, str | None]]:
    """What came about a resource: type, with what it announces, and the title; once there is so much."""

    def came() -> list[dict[str, Any]]:
        found = [one for one in fedify.received() if one.get("id", "").endswith(resource["id"])]
        return found if len(found) >= count else []

    return [(one["type"], one.get("object"), one.get("name")) for one in wait_for(came, "it to be told")]


@pytest.mark.parametrize("by", ["id", "page"])
def test_it_follows_the_service_and_hears_of_all(hq: Service, fedify: Fedify, by: str) -> None:
    """Discovery, Follow and Accept, and then each activity, verified."""
    who = service_actor(hq) if by == "id" else f"{hq.settings.base_url}/"
    assert fedify.follow(who)["type"] == "Application"
    hq.work()
    wait_for(fedify.received, "the answer")
    (accepted,) = fedify.received()
    assert (accepted["type"], accepted["actor"]) == ("Accept", service_actor(hq))

    teacher = hq.member("ada")
    resource = publish(hq, teacher, title="Rivers")
    json_of(teacher.patch(path_of(resource["api_url"]), json={"title": "Lakes"}))
    hq.work()
    withdrawn = teacher.post(f"{path_of(resource['api_url'])}/withdraw", json={"reason": "Names a pupil."})
    assert withdrawn.status_code == 204
    hq.work()
    assert about(fedify, resource, 3) == [
        ("Announce", "Create", "Rivers"),
        ("Announce", "Update", "Lakes"),
        ("Delete", "Tombstone", None),
    ]


def test_its_resource_is_found_with_its_home_until_it_is_deleted(hq: Service, fedify: Fedify) -> None:
    """One that links a file that is hosted here."""
    hosted = publish(hq, hq.member("ada"))["versions"][0]["download_url"]
    approve(hq, fedify.host)
    hq.work()

    def tell(type_: str, name: str = "") -> tuple[Any, list[dict[str, Any]]]:
        told = fedify.tell(service_actor(hq), type_, path="hills", name=name, file=hosted)
        hq.work()
        return told, json_of(hq.client().get("/api/v1/network/search?kind=resource"))["items"]

    told, (entry,) = tell("Create", "Hills")
    assert (entry["uri"], entry["url"], entry["host"]) == (told["id"], told["page"], fedify.host)
    assert [file["href"] for file in entry["files"]] == [hosted]
    _, (entry,) = tell("Update", "Mountains")
    assert entry["name"] == "Mountains"
    _, entries = tell("Delete")
    assert entries == []


def test_it_follows_a_collection(hq: Service, fedify: Fedify) -> None:
    """And hears of what is put into it."""
    teacher = hq.member("ada")
    first, second = publish(hq, teacher, b"1", title="Rivers"), publish(hq, teacher, b"2", title="Lakes")
    given = {"title": "Water", "visibility": "public"}
    made = json_of(teacher.post("/api/v1/collections", json=given), 201)
    items = f"/api/v1/collections/{made['id']}/items"
    json_of(teacher.post(items, json={"resource": first["id"]}), 201)
    hq.work()
    collection = f"{hq.settings.base_url}/ap/collections/{made['id']}"
    assert fedify.follow(collection)["type"] == "Group"
    hq.work()
    json_of(teacher.post(items, json={"resource": second["id"]}), 201)
    hq.work()
    assert about(fedify, second, 1) == [("Announce", "Document", "Lakes")]
    assert {one["actor"] for one in fedify.received() if one["type"] == "Announce"} == {collection}


def test_its_collection_is_found(hq: Service, fedify: Fedify) -> None:
    approve(hq, fedify.host)
    hq.work()
    told = fedify.tell(service_actor(hq), "Create", path="water", name="Water", kind="OrderedCollection")
    hq.work()
    (entry,) = json_of(hq.client().get("/api/v1/network/search?kind=collection"))["items"]
    assert (entry["name"], entry["uri"], entry["url"]) == ("Water", told["id"], told["page"])
