"""Federation with a server of somebody else's making: Fedify finds, follows and verifies us by its own code,
and what it publishes and signs gets into the index of the network.

The service runs as it is deployed: its own processes, behind the nginx of deploy/, with TLS.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from repo_service.federation.contexts import ACTIVITY_STREAMS, MEDIA_TYPE
from repo_service.federation.messages import Message
from repo_service.federation.signatures import Scheme, SigningKey, sign
from tests.support.fedify import FedifyInstance, Signatures, fedify_instance
from tests.support.front import fronted
from tests.support.running import Running, running, wait_for
from tests.support.services import free_port

_SECONDS = 60
_FILE = b"What rivers do.\n"


@dataclass(frozen=True)
class World:
    """The service, and the instance elsewhere. ``url`` is where the service is for others."""

    service: Running
    url: str
    instance: FedifyInstance
    signatures: Signatures

    @property
    def handles(self) -> str:
        """What its fediverse addresses end with."""
        return self.url.partition("://")[2]

    def found(self, query: str) -> list[dict[str, Any]]:
        """What anybody finds in the index of the network."""
        answered = httpx.get(
            f"http://127.0.0.1:{self.service.port}/api/v1/network/search?{query}", timeout=30
        )
        items: list[dict[str, Any]] = answered.raise_for_status().json()["items"]
        return items

    def names(self, query: str = "") -> list[str]:
        """Of resources and collections."""
        return sorted(item["name"] for item in self.found(f"kind=resource&kind=collection&{query}"))

    def approve(self) -> None:
        answered = self.service.client.put(
            f"/api/v1/network/instances/{self.instance.host}", json={"standing": "approved"}
        )
        answered.raise_for_status()

    def publish(self, title: str, content: bytes = _FILE) -> dict[str, Any]:
        """A resource here that everybody sees."""
        answered = self.service.client.post(
            "/api/v1/resources",
            files={"file": ("rivers.txt", content)},
            data={"metadata": json.dumps({"title": title, "licence": "CC-BY-4.0", "release": True})},
        )
        made: dict[str, Any] = answered.raise_for_status().json()

        def public() -> dict[str, Any] | None:
            shown: dict[str, Any] = self.service.client.get(f"/api/v1/resources/{made['id']}").json()
            return shown if shown["visibility"] == "public" else None

        return wait_for(public, f"{title} to be public", _SECONDS)

    def community(self, title: str, *resources: dict[str, Any]) -> str:
        """The path of a public collection here."""
        given = {"title": title, "visibility": "public"}
        made = self.service.client.post("/api/v1/collections", json=given).raise_for_status().json()
        path = f"/api/v1/collections/{made['id']}"
        for resource in resources:
            self.add(path, resource)
        return path

    def add(self, collection: str, resource: dict[str, Any]) -> None:
        answered = self.service.client.post(f"{collection}/items", json={"resource": resource["id"]})
        answered.raise_for_status()


@pytest.fixture(
    scope="module", params=["rfc9421", "draft-cavage-http-signatures-12"], ids=["rfc9421", "cavage"]
)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("fedify")
    port = free_port()
    url = f"https://127.0.0.1:{port}"
    with (
        running(folder, base_url=url, trusted_proxies="1", federation_loopback="true") as service,
        fronted("nginx", folder / "front", port=port, upstream=service.port) as front,
        fedify_instance(folder, signatures=request.param, authority=front.authority) as instance,
    ):
        yield World(service, url, instance, request.param)


def test_a_community_here_is_found_and_followed(world: World) -> None:
    """By the address that people pass on. What happens there, and what its curator does, arrives with
    signatures that hold, and means to Fedify what it means here."""
    instance = world.instance
    first = world.publish("Rivers")
    collection = world.community("Water", first)
    handle = f"@_collection-{collection.rpartition('/')[2]}@{world.handles}"
    group = instance.do("lookup", address=handle)
    assert (group["type"], group["name"]) == ("Group", "Water")
    page = instance.do("lookup", address=f"{world.url}/resources/{first['id']}")
    assert (page["type"], page["name"]) == ("Document", "Rivers")

    instance.do("follow", address=handle)
    instance.do("follow", address=f"@admin@{world.handles}")
    _await(instance, ("Accept", "Follow", ""), times=2)

    second = world.publish("Lakes", b"What lakes do.\n")
    created = _await(instance, ("Create", "Document", "Lakes"))
    (file,) = (link for link in created["object"]["links"] if link["mediaType"] == "text/plain")
    assert httpx.get(file["href"], verify=False).content == b"What lakes do.\n"
    world.add(collection, second)
    announced = _await(instance, ("Announce", "Document", "Lakes"))
    assert announced["actor"] == group["id"]
    path = f"/api/v1/resources/{second['id']}"
    world.service.client.patch(path, json={"title": "Deep lakes"}).raise_for_status()
    _await(instance, ("Update", "Document", "Deep lakes"))
    world.service.client.post(f"{path}/withdraw", json={"reason": "Names a pupil."}).raise_for_status()
    deleted = _await(instance, ("Delete", "Tombstone", ""))
    assert deleted["object"]["id"] == created["object"]["id"]


def test_the_service_tells_of_all_that_is_public(world: World) -> None:
    """Its announcements carry whole activities (FEP-1b12), until it is followed no more."""
    instance = world.instance
    address = f"@_service@{world.handles}"
    asked = instance.do("follow", address=address)
    _await(instance, ("Accept", "Follow", ""))
    world.publish("Hills")
    told = _await(instance, ("Announce", "Create", ""))
    assert told["inner"]["object"]["name"] == "Hills"
    instance.do("unfollow", address=address, id=asked["id"])
    group = world.instance.do("lookup", address=address)["id"]
    followers = f"http://127.0.0.1:{world.service.port}{group.removeprefix(world.url)}/followers"
    wait_for(
        lambda: (
            httpx.get(followers, headers={"Accept": "application/activity+json"}).json()["totalItems"] == 0
        ),
        "the end of following",
        _SECONDS,
    )


def test_fedify_checks_what_it_is_sent(world: World) -> None:
    """So what it received in the other tests was signed well. Here somebody else signs in our name."""
    service = f"{world.url}/ap/service"
    forged = {
        "@context": ACTIVITY_STREAMS,
        "id": f"{service}/forged",
        "type": "Create",
        "actor": service,
        "object": {"id": f"{service}/forged/1", "type": "Document", "name": "Forged"},
    }
    inbox = f"{world.instance.origin}/inbox"
    bare = Message("POST", inbox, (("Content-Type", MEDIA_TYPE),), json.dumps(forged).encode())
    key = SigningKey.generate(f"{service}#main-key", "rsa")
    scheme = Scheme.RFC9421 if world.signatures == "rfc9421" else Scheme.CAVAGE
    before = len(world.instance.received())
    headers = {**dict(bare.headers), **sign(bare, key, scheme=scheme)}
    assert httpx.post(inbox, content=bare.body, headers=headers).status_code == 401
    assert len(world.instance.received()) == before


def test_what_fedify_publishes_is_in_the_index(world: World) -> None:
    """What is there already is read when its server is approved; what is published later comes by itself: a
    collection, and a resource that links a file which is kept here. They lead home, change as they do there,
    and go with them."""
    instance = world.instance
    instance.do("publish", kind="resource", name="Old maps", summary="<p>Of rivers</p>")
    instance.do("publish", kind="resource", name="Private diary", isPublic=False)
    assert world.names() == []
    world.approve()
    wait_for(lambda: world.names() == ["Old maps"], "what was there already", _SECONDS)
    wait_for(lambda: instance.do("followers") == [f"{world.url}/ap/service"], "the Follow", _SECONDS)

    here = world.publish("Hosted worksheet")
    (version,) = here["versions"]
    file = {"href": version["download_url"], "mediaType": "text/plain"}
    resource = instance.do("publish", kind="resource", name="Worksheet", summary="Ponds", file=file)
    collection = instance.do("publish", kind="collection", name="Ponds and pools", members=[resource["uri"]])
    instance.do("publish", kind="resource", name="Private thoughts", isPublic=False)
    wait_for(
        lambda: world.names() == ["Old maps", "Ponds and pools", "Worksheet"], "what was published", _SECONDS
    )
    (entry,) = world.found("kind=resource&q=worksheet")
    assert (entry["uri"], entry["url"], entry["host"]) == (resource["uri"], resource["page"], instance.host)
    assert entry["by"] == instance.alice
    assert [(one["href"], one["media_type"]) for one in entry["files"]] == [
        (version["download_url"], "text/plain")
    ]
    (entry,) = world.found("kind=collection")
    assert (entry["uri"], entry["url"]) == (collection["uri"], collection["page"])

    instance.do("update", id=resource["id"], name="Better worksheet")
    instance.do("update", id=collection["id"], name="Still waters")
    wait_for(
        lambda: world.names() == ["Better worksheet", "Old maps", "Still waters"], "the changes", _SECONDS
    )
    instance.do("update", id=collection["id"], isPublic=False)
    instance.do("delete", id=resource["id"])
    wait_for(lambda: world.names() == ["Old maps"], "the end of both", _SECONDS)
    # Each was taken at the first try, with this kind of signature.
    assert {(one["kind"], one["status"]) for one in instance.sent()} == {(world.signatures, 202)}


def _await(instance: FedifyInstance, wanted: tuple[str, str, str], *, times: int = 1) -> dict[str, Any]:
    """The last activity of that type, about an object of that type and name, once there are so many."""
    try:
        wait_for(lambda: len(_told(instance, wanted)) >= times, f"{wanted}", _SECONDS)
    except AssertionError as error:
        raise AssertionError(f"{error}, got {instance.received()}\n{instance.log.read_text()}") from error
    return _told(instance, wanted)[-1]


def _told(instance: FedifyInstance, wanted: tuple[str, str, str]) -> list[dict[str, Any]]:
    return [one for one in instance.received() if _summary(one) == wanted]


def _summary(activity: dict[str, Any]) -> tuple[str, str, str]:
    object_ = activity["object"] or {}
    return activity["type"], object_.get("type", ""), object_.get("name") or ""
