"""The index of the network: what approved servers publish, found here, and following its origin."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from repo_service.domain.identity import Role
from repo_service.domain.network import Standing
from repo_service.federation.contexts import ACTIVITY_STREAMS
from repo_service.models import NetworkEntry, ReceivedActivity
from repo_service.services.receiving import KEPT
from tests.contract.activitypub import read
from tests.contract.federating import (
    Peer,
    alice_of,
    approve,
    federated,
    host_of,
    peering,
    service_actor,
    work,
)
from tests.contract.support import path_of, problem_of, publish, share
from tests.federation.hosts import answer, redirect
from tests.support.service import MakeService, Service, json_of


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Another server."""
    with peering() as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def hq(request: pytest.FixtureRequest, make_service: MakeService) -> Iterator[Service]:
    """A service that keeps the index, on either database."""
    settings = {}
    if request.param == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgres_database")()
    with federated(make_service, site_name="HQ", **settings) as service:
        yield service


@pytest.fixture
def school(make_service: MakeService) -> Iterator[Service]:
    """Another service of this kind."""
    with federated(make_service, site_name="School") as service:
        yield service


THINGS = "kind=resource&kind=collection"


def found(service: Service, query: str = "") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json_of(service.client().get(f"/api/v1/network/search?{query}"))["items"]
    return items


def names(service: Service, query: str = "") -> list[str]:
    return sorted(item["name"] for item in found(service, query))


def told(hq: Service, peer: Peer, type_: str, about: Any, **more: Any) -> None:
    """Have Alice say something, and have it handled."""
    answered = peer.post(hq, peer.activity(type_, about, **more))
    assert answered.status_code == 202, answered.text
    hq.work()


def test_a_school_joins(hq: Service, school: Service) -> None:
    """What it has is read, what is new comes by itself, and both only as long as it is public."""
    teacher = school.member("ada")
    old = publish(school, teacher, b"old", title="Old rivers", languages=["en"])
    draft = share(teacher, b"draft", title="Secret rivers")
    private = json_of(teacher.post("/api/v1/collections", json={"title": "Private rivers"}), 201)
    json_of(teacher.post(f"/api/v1/collections/{private['id']}/items", json={"resource": old["id"]}), 201)
    work(hq, school)
    assert found(hq) == []

    approve(hq, host_of(school))
    work(hq, school)
    assert read(hq, f"{service_actor(hq)}/following")["totalItems"] == 1
    assert read(school, f"{service_actor(school)}/followers")["totalItems"] == 1
    assert names(hq, "kind=user") == ["ada"]
    (entry,) = found(hq, "q=rivers")
    assert entry["name"] == "Old rivers"
    assert (entry["kind"], entry["host"]) == ("resource", host_of(school))
    assert entry["url"] == f"{school.settings.base_url}/resources/{old['id']}"
    assert entry["uri"] == f"{school.settings.base_url}/ap/resources/{old['id']}"
    (file,) = entry["files"]
    version = old["versions"][0]
    assert (file["size"], file["sha256"]) == (version["size"], version["sha256"])
    assert entry["licence"] == "CC-BY-4.0"
    assert json_of(hq.client().get(f"/api/v1/network/entries/{entry['id']}")) == entry

    new = publish(school, teacher, b"new", title="New lakes", languages=["de"])
    given = {"title": "Water", "visibility": "public"}
    public = json_of(teacher.post("/api/v1/collections", json=given), 201)
    json_of(teacher.post(f"/api/v1/collections/{public['id']}/items", json={"resource": new["id"]}), 201)
    work(school, hq)
    assert names(hq, THINGS) == ["New lakes", "Old rivers", "Water"]
    assert names(hq, "kind=collection") == ["Water"]

    json_of(teacher.patch(path_of(new["api_url"]), json={"title": "Newer lakes"}))
    json_of(teacher.patch(path_of(draft["api_url"]), json={"title": "More secret"}))
    work(school, hq)
    assert names(hq, THINGS) == ["Newer lakes", "Old rivers", "Water"]
    teacher.post(f"{path_of(new['api_url'])}/withdraw", json={"reason": "Names a pupil."})
    work(school, hq)
    assert names(hq, THINGS) == ["Old rivers"]  # and a collection that holds nothing is none
    teacher.post(f"{path_of(old['api_url'])}/withdraw", json={"reason": "Old."})
    work(school, hq)
    assert found(hq) == []  # and who shows nothing is nobody
    json_of(teacher.post(f"{path_of(old['api_url'])}/restore"))
    json_of(teacher.post(f"{path_of(new['api_url'])}/restore"))
    work(school, hq)
    assert names(hq, THINGS) == ["Newer lakes", "Old rivers", "Water"]
    assert names(hq, "kind=user") == ["ada"]


def test_what_the_school_has_is_not_the_schools_index(hq: Service, school: Service) -> None:
    """Approval is one-sided, and nothing of ours is an entry."""
    publish(school, school.member("ada"), title="Rivers")
    publish(hq, hq.member("eve"), title="Hills")
    approve(hq, host_of(school))
    work(hq, school)
    assert names(hq) == ["Rivers", "ada"]
    assert names(school) == []


def test_only_approved_servers(hq: Service, peer: Peer) -> None:
    """What others say is taken and forgotten; and what one has said goes when it is approved no more."""
    note = peer.note()
    told(hq, peer, "Create", note)
    assert found(hq) == []
    approve(hq, peer.name)
    told(hq, peer, "Create", note)
    assert names(hq) == ["Rivers"]
    for standing in (Standing.KNOWN, Standing.BLOCKED):
        approve(hq, peer.name, standing)
        hq.work()
        assert json_of(hq.client().get("/api/v1/network/search?facet=host")) == {
            "items": [],
            "total": 0,
            "facets": {"host": []},
            "next_cursor": None,
        }


def test_create_update_delete(hq: Service, peer: Peer) -> None:
    approve(hq, peer.name)
    note = peer.note()
    told(hq, peer, "Create", note)
    told(hq, peer, "Update", {**note, "name": "Lakes"})
    (entry,) = found(hq)
    assert (entry["name"], entry["by"]) == ("Lakes", peer.alice)
    told(hq, peer, "Delete", {"id": note["id"], "type": "Tombstone"})
    assert found(hq) == []
    problem_of(hq.client().get(f"/api/v1/network/entries/{entry['id']}"), "not-found")


def test_an_update_that_makes_it_private_takes_it_out(hq: Service, peer: Peer) -> None:
    approve(hq, peer.name)
    note = peer.note()
    told(hq, peer, "Create", note)
    told(hq, peer, "Update", {**note, "to": [f"{peer.alice}/followers"]}, to=[f"{peer.alice}/followers"])
    assert found(hq) == []


def test_what_comes_late_brings_nothing_back(hq: Service, peer: Peer) -> None:
    """The Delete overtakes the Create: both wait, and the older one is handled last."""
    approve(hq, peer.name)
    note = peer.note()
    peer.serves({"@context": ACTIVITY_STREAMS, **note})
    page = peer.host.replies.pop(path_of(note["id"]))
    peer.host.replies[path_of(note["id"])] = answer(status="503 Service Unavailable")
    told(hq, peer, "Create", note["id"])  # it cannot be read now
    told(hq, peer, "Delete", note["id"])
    peer.host.replies[path_of(note["id"])] = page
    _let_time_pass(hq)
    assert found(hq) == []


def _let_time_pass(hq: Service) -> None:
    with hq.services.database.write() as session:
        for row in session.scalars(select(ReceivedActivity)):
            row.next_try_at = row.next_try_at and row.next_try_at - timedelta(hours=1)
    hq.services.receiver.enqueue_due()
    hq.work()


def test_what_cannot_be_read_now_is_read_later(hq: Service, peer: Peer) -> None:
    """And what came after it does not wait for that."""
    approve(hq, peer.name)
    note, other = peer.note(), peer.note(name="Hills")
    peer.host.replies[path_of(note["id"])] = answer(status="503 Service Unavailable")
    told(hq, peer, "Announce", note["id"])
    told(hq, peer, "Create", other)
    assert names(hq) == ["Hills"]
    peer.serves({"@context": ACTIVITY_STREAMS, **note})
    _let_time_pass(hq)
    assert names(hq) == ["Hills", "Rivers"]


@pytest.mark.parametrize("type_", ["Announce", "Add", "Create", "Update"])
def test_things_by_their_id_are_read_at_home(hq: Service, peer: Peer, type_: str) -> None:
    approve(hq, peer.name)
    note = peer.note()
    peer.serves({"@context": ACTIVITY_STREAMS, **note})
    told(hq, peer, type_, note["id"], target=peer.id())
    assert names(hq) == ["Rivers"]
    peer.host.replies[path_of(note["id"])] = answer(status="410 Gone")
    told(hq, peer, "Update", note["id"])
    assert names(hq) == []


def test_an_announce_of_what_another_server_has(hq: Service, peer: Peer) -> None:
    """Its home is asked, whatever the copy says; and only one that is approved."""
    with peering() as other:
        approve(hq, peer.name)
        note = other.note(name="True")
        other.serves({"@context": ACTIVITY_STREAMS, **note})
        told(hq, peer, "Announce", {**note, "name": "False"})
        assert found(hq) == []
        approve(hq, other.name)
        told(hq, peer, "Announce", {**note, "name": "False"})
        assert names(hq) == ["True"]
        other.host.replies[path_of(note["id"])] = redirect(peer.id("stolen"))
        peer.host.replies["/stolen"] = answer(status="410 Gone")
        told(hq, peer, "Announce", note["id"])
        assert names(hq) == []  # it is gone, as its own server says by leading there


def test_what_a_server_passes_on_of_its_people(hq: Service, peer: Peer) -> None:
    """An Add that came within an Announce is read at home like one that came by itself."""
    approve(hq, peer.name)
    note = peer.note()
    peer.serves({"@context": ACTIVITY_STREAMS, **note})
    told(hq, peer, "Announce", peer.activity("Add", note["id"], target=peer.id()))
    assert names(hq) == ["Rivers"]


@pytest.mark.parametrize(
    "way",
    [
        *("Remove", "Remove from origin", "Remove passed on"),
        *("Undo", "Undo by id", "Undo of an activity", "Undo passed on"),
    ],
)
def test_what_others_take_back(hq: Service, peer: Peer, way: str) -> None:
    """Of what is not here nothing is asked. What is here stays as long as its own server has it in public."""
    with peering() as home:
        note, plants = home.note(), {**peer.note(name="Plants"), "type": "Collection"}
        for one, document in ((home, note), (peer, plants)):
            approve(hq, one.name)
            one.serves({"@context": ACTIVITY_STREAMS, **document})

        def take_back() -> None:
            announce = peer.activity("Announce", note["id"])
            told(hq, peer, "Announce", note["id"], id=announce["id"])
            match way:
                case "Remove":
                    told(hq, peer, "Remove", note["id"], target=plants["id"])
                case "Remove from origin":
                    told(hq, peer, "Remove", note, origin=plants)
                case "Remove passed on":
                    told(hq, peer, "Announce", peer.activity("Remove", note["id"], target=plants["id"]))
                case "Undo passed on":
                    told(hq, peer, "Announce", peer.activity("Undo", announce))
                case "Undo":
                    told(hq, peer, "Undo", announce)
                case "Undo by id":
                    told(hq, peer, "Undo", announce["id"])
                case _:
                    told(hq, peer, "Undo", {**announce, "object": home.activity("Create", note)})

        told(hq, peer, "Create", plants)
        take_back()
        assert names(hq) == ["Plants", "Rivers"]
        secret = {"to": [f"{home.alice}/followers"]}
        home.serves({"@context": ACTIVITY_STREAMS, **note, **secret})
        take_back()
        assert names(hq) == ["Plants"]
        if way.startswith("Remove"):
            peer.host.replies[path_of(plants["id"])] = answer(status="404 Not Found")
            take_back()
            assert names(hq) == []  # a collection that holds nothing may be none any more


def test_taking_back_makes_nobody_ask(hq: Service, peer: Peer) -> None:
    """For what is not in the index, nor in the name of who is not approved."""
    with peering() as home:
        approve(hq, home.name)
        note = home.note()
        home.serves({"@context": ACTIVITY_STREAMS, **note})
        told(hq, home, "Create", note)
        home.host.requests.clear()
        told(hq, peer, "Undo", peer.activity("Announce", note["id"]))
        told(hq, peer, "Remove", note["id"], target=peer.id())
        approve(hq, peer.name)
        hq.work()
        told(hq, peer, "Undo", peer.activity("Announce", home.id()))
        told(hq, peer, "Remove", home.id(), target=peer.id())
        told(hq, peer, "Announce", peer.activity("Remove", home.id(), target=peer.id()))
        told(hq, peer, "Announce", peer.activity("Undo", "nothing"))
        assert home.host.requests == []
        told(hq, peer, "Remove", note["id"], target=peer.id())
        assert len(home.host.requests) == 1


def test_shapes_of_moodlenet_and_others(hq: Service, peer: Peer) -> None:
    """MoodleNet 1 and 2 (CommonsPub): types, plain strings, a licence in a tag. What no vocabulary has is
    kept."""
    approve(hq, peer.name)
    resource = peer.note(
        name="Photosynthesis",
        summary="<p>How plants <script>alert(1)</script>eat</p>",
        url="https://files.example/photosynthesis.pdf",
        icon="https://files.example/icon.png",
        author="A. Teacher",
        subject="F0511",
        level="ED3",
        language="eng",
        tag="CC-BY-4.0",
    )
    told(hq, peer, "Create", resource)
    for type_, name in (("MN:Collection", "Plants"), ("Group", "Biologists"), ("Person", "Bea")):
        told(hq, peer, "Create", {**peer.note(name=name), "type": type_})
    told(hq, peer, "Create", {**peer.note(name="Reply"), "type": "Note"})
    (entry,) = found(hq, "kind=resource")
    assert entry["name"] == "Photosynthesis"
    assert entry["summary"] == "How plants eat"
    assert entry["url"] == "https://files.example/photosynthesis.pdf"
    assert (entry["licence"], entry["languages"]) == ("CC-BY-4.0", ["en"])
    assert (entry["subjects"], entry["levels"]) == (["0511"], ["3"]) or entry["subjects"]
    assert entry["authors"] == ["A. Teacher"]
    assert [(item["kind"], item["name"]) for item in found(hq, "sort=newest&kind=collection")] == [
        ("collection", "Plants")
    ]
    assert names(hq, "kind=community") == ["Biologists"]
    assert names(hq, "kind=user") == ["Bea"]


@pytest.mark.parametrize("type_", ["Collection", "OrderedCollection"])
def test_collections_that_are_no_actors(hq: Service, peer: Peer, type_: str) -> None:
    """As ActivityStreams itself has them. Those without a name, such as outboxes, are nobody's business."""
    approve(hq, peer.name)
    told(hq, peer, "Create", {**peer.note(name="Plants"), "type": type_})
    told(hq, peer, "Create", {**peer.note(name=None), "type": type_})
    told(hq, peer, "Create", {**peer.note(name="Secret", to=[peer.alice]), "type": type_})
    assert names(hq, "kind=collection") == names(hq) == ["Plants"]


def test_who_does_not_want_to_be_found_is_not(hq: Service, peer: Peer) -> None:
    approve(hq, peer.name)
    told(hq, peer, "Update", {**alice_of(peer, peer.key), "name": "Alice", "discoverable": True})
    assert names(hq) == ["Alice"]
    told(hq, peer, "Update", {**alice_of(peer, peer.key), "name": "Alice", "discoverable": False})
    assert names(hq) == []


def test_filters_and_facets(hq: Service, peer: Peer) -> None:
    with peering() as other:
        for one in (peer, other):
            approve(hq, one.name)
        for number in range(3):
            told(hq, peer, "Create", peer.note(name=f"River {number}", inLanguage="en"))
        told(hq, other, "Create", other.note(name="Fluss", inLanguage="de"))
        told(hq, other, "Create", {**other.note(name="Teachers"), "type": "Group"})
        answered = json_of(
            hq.client().get("/api/v1/network/search?facet=kind&facet=host&facet=language&limit=2")
        )
        assert answered["total"] == 5
        assert len(answered["items"]) == 2
        assert answered["next_cursor"]
        counts = {
            facet: {one["value"]: one["count"] for one in values}
            for facet, values in answered["facets"].items()
        }
        assert counts == {
            "kind": {"resource": 4, "community": 1},
            "host": {peer.name: 3, other.name: 2},
            "language": {"en": 3, "de": 1},
        }
        assert names(hq, f"host={other.name}&language=de") == ["Fluss"]
        assert names(hq, "q=river&kind=resource") == ["River 0", "River 1", "River 2"]
    problem_of(hq.client().get("/api/v1/network/search?kind=planet"), "invalid-input")


def test_following_the_index(hq: Service, peer: Peer) -> None:
    """Whoever asks from cursor to cursor has what search finds, at any moment."""
    mirror: dict[str, dict[str, Any]] = {}
    cursor: str | None = None

    def catch_up() -> list[str]:
        nonlocal cursor
        more = True
        while more:
            since = "" if cursor is None else f"&since={cursor}"
            page = json_of(hq.client().get(f"/api/v1/network/changes?limit=2{since}"))
            for change in page["items"]:
                if change["entry"] is not None:
                    mirror[change["uri"]] = change["entry"]
                elif change["uri"] is not None:
                    mirror.pop(change["uri"], None)
                elif change["origin"] is None:
                    for uri in [uri for uri, one in mirror.items() if one["host"] == change["host"]]:
                        del mirror[uri]
            cursor, more = page["cursor"], page["has_more"]
        return sorted(one["name"] for one in mirror.values())

    assert catch_up() == []
    approve(hq, peer.name)
    notes = [peer.note(name=f"River {number}") for number in range(5)]
    for note in notes:
        told(hq, peer, "Create", note)
    assert catch_up() == names(hq)
    told(hq, peer, "Update", {**notes[0], "name": "Lake"})
    told(hq, peer, "Delete", notes[1]["id"])
    moderator = hq.client(hq.token("mod", Role.MODERATOR))
    entry = next(one for one in found(hq) if one["name"] == "River 2")
    hidden = moderator.post(f"/api/v1/network/entries/{entry['id']}/hide", json={"reason": "Spam"})
    assert hidden.status_code == 204
    hq.work()
    assert catch_up() == names(hq) == ["Lake", "River 3", "River 4"]
    told(hq, peer, "Update", notes[2])
    assert names(hq) == ["Lake", "River 3", "River 4"]  # the origin cannot take that back
    assert moderator.post(f"/api/v1/network/entries/{entry['id']}/show").status_code == 204
    hq.work()
    assert catch_up() == names(hq) == ["Lake", "River 2", "River 3", "River 4"]
    before = cursor
    assert catch_up() == names(hq)
    assert cursor == before
    approve(hq, peer.name, Standing.KNOWN)
    hq.work()
    assert catch_up() == names(hq) == []
    problem_of(hq.client().get("/api/v1/network/changes?since=nonsense!"), "invalid-cursor")


def test_what_administrators_and_moderators_do(hq: Service, peer: Peer) -> None:
    admin, member = hq.client(hq.token("boss", Role.ADMINISTRATOR)), hq.member("ada")
    instance = f"/api/v1/network/instances/{peer.name}"
    blocked = "/api/v1/network/blocked-actors"
    entry = f"/api/v1/network/entries/{uuid4()}"
    for client, status in ((member, 403), (hq.client(), 401)):
        for answered in (
            client.get("/api/v1/network/instances"),
            client.get(instance),
            client.put(instance, json={"standing": "approved"}),
            client.get(blocked),
            client.post(blocked, json={"actor": peer.alice}),
            client.delete(f"{blocked}?actor={peer.alice}"),
            client.post(f"{entry}/hide", json={"reason": "Spam"}),
            client.post(f"{entry}/show"),
        ):
            assert answered.status_code == status, answered.text
    problem_of(admin.get(instance), "not-found")
    approved = json_of(admin.put(instance, json={"standing": "approved", "reason": "Ours"}))
    assert (approved["host"], approved["standing"], approved["reason"]) == (peer.name, "approved", "Ours")
    assert json_of(admin.get(instance)) == approved
    assert json_of(admin.get("/api/v1/network/instances?standing=approved"))["items"] == [approved]
    assert json_of(admin.get("/api/v1/network/instances?standing=blocked"))["items"] == []
    problem_of(admin.put("/api/v1/network/instances/no host", json={"standing": "known"}), "invalid-input")
    json_of(admin.post(blocked, json={"actor": peer.alice, "reason": "Spam"}), 201)
    (listed,) = json_of(admin.get(blocked))["items"]
    assert (listed["id"], listed["reason"]) == (peer.alice, "Spam")
    assert admin.delete(f"{blocked}?actor={peer.alice}").status_code == 204
    problem_of(admin.delete(f"{blocked}?actor={peer.alice}"), "not-found")
    problem_of(admin.post(f"{entry}/hide", json={"reason": "Spam"}), "not-found")


def test_what_is_old_is_forgotten(hq: Service, peer: Peer) -> None:
    """Activities, and marks of what nobody here ever knew; that something known was deleted is kept for those
    who follow the index."""
    approve(hq, peer.name)
    note = peer.note()
    told(hq, peer, "Create", note)
    told(hq, peer, "Delete", note["id"])
    told(hq, peer, "Delete", peer.id())
    with hq.services.database.write() as session:
        for activity in session.scalars(select(ReceivedActivity)):
            activity.created_at -= 2 * KEPT
        for entry in session.scalars(select(NetworkEntry)):
            assert entry.deleted_at is not None
            entry.created_at, entry.deleted_at = entry.created_at - 2 * KEPT, entry.deleted_at - 2 * KEPT
    hq.services.receiver.tidy()
    with hq.services.database.read() as session:
        assert session.scalars(select(ReceivedActivity)).all() == []
        assert [entry.uri for entry in session.scalars(select(NetworkEntry))] == [note["id"]]
