"""Following across servers: asked, answered, told, undone; what is sent is verified as others verify it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from repo_service.domain.network import Standing
from repo_service.federation.messages import Message
from repo_service.federation.signatures import Scheme, SigningKey, find_key, verify
from repo_service.models import Account, Follower
from repo_service.models.base import now
from tests.contract.activitypub import expanded, read
from tests.contract.federating import (
    Peer,
    alice_of,
    approve,
    federated,
    follow,
    host_of,
    peering,
    service_actor,
)
from tests.contract.support import path_of, problem_of, publish, share
from tests.federation.peers import Memory
from tests.support.service import OPERATOR, MakeService, Service, json_of, send_file


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Another server."""
    with peering() as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def hq(request: pytest.FixtureRequest, make_service: MakeService) -> Iterator[Service]:
    """A service that can be asked by others, on either database."""
    settings = {}
    if request.param == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgres_database")()
    with federated(make_service, **settings) as service:
        yield service


class _Verifies:
    """``Keys`` as the peer has them: by asking the service's own server."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def find(self, key_id: str, *, fresh: bool = False) -> Any:
        return find_key(key_id, self._service.services.outgoing, now=now())


def _inner(activity: dict[str, Any]) -> dict[str, Any]:
    inner: Any = activity["object"]
    return inner if activity["type"] == "Announce" and isinstance(inner, dict) else activity


def _about(activity: dict[str, Any]) -> str:
    about: Any = _inner(activity)["object"]
    return str(about["id"]) if isinstance(about, dict) else str(about)


def verified(service: Service, peer: Peer, *, people: bool = False) -> list[tuple[str, dict[str, Any]]]:
    """What came to the peer, each with who signed it, checked with the keys that the service gives out;
    without what tells of ``people`` only."""
    found = []
    for request in peer.posted:
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, target, _ = first.split(" ")
        headers = tuple((name, value) for name, _, value in (line.partition(": ") for line in lines))
        message = Message(method, f"http://{peer.name}{target}", headers, body)
        who = verify(message, keys=_Verifies(service), now=now(), seen=Memory(), hosts=[peer.name])
        activity = json.loads(body)
        expanded(activity)
        who.speaks_for(activity["actor"])
        if people or activity["type"] == "Accept" or "/ap/accounts/" not in _about(activity):
            found.append((who.actor, activity))
    return found


@pytest.mark.parametrize("scheme", list(Scheme))
def test_a_follow_is_accepted_and_a_release_is_told(hq: Service, peer: Peer, scheme: Scheme) -> None:
    """Everything over sockets: the key of who asks, the answer, and what is new, each signed."""
    asked = peer.activity("Follow", service_actor(hq))
    answer = peer.post(hq, asked, scheme=scheme)
    assert answer.status_code == 202, answer.text
    hq.work()
    ((by, accepted),) = verified(hq, peer)
    assert (by, accepted["type"]) == (service_actor(hq), "Accept")
    assert accepted["object"] == {key: asked[key] for key in ("id", "type", "actor", "object")}
    assert read(hq, f"{service_actor(hq)}/followers")["totalItems"] == 1

    resource = publish(hq, hq.member("ada"), title="Rivers")
    told = verified(hq, peer)[1:]
    ((by, announced),) = told
    assert by == service_actor(hq)
    assert announced["type"] == "Announce"
    created = announced["object"]
    assert created["type"] == "Create"
    assert created["object"]["id"] == f"{hq.settings.base_url}/ap/resources/{resource['id']}"
    assert read(hq, announced["id"]) == announced  # what is sent is what is listed
    assert read(hq, path_of(created["id"]))["object"] == created["object"]
    assert peer.posted[-1].startswith(b"POST /inbox ")  # what is for all goes to the inbox they share


def kinds(activities: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, str]]:
    """Path of the signer, and the type, with that of what is announced."""
    found = []
    for by, activity in activities:
        inner = activity["object"]
        announced = f" {inner['type']}" if activity["type"] == "Announce" and isinstance(inner, dict) else ""
        found.append((path_of(by).rsplit("/", 1)[0], f"{activity['type']}{announced}"))
    return found


def news(service: Service, peer: Peer) -> list[str]:
    """Types of what came since this was asked for last."""
    found = [kind for _, kind in kinds(verified(service, peer))]
    peer.host.requests.clear()
    return found


def test_the_life_of_a_resource_is_told_in_order(hq: Service, peer: Peer) -> None:
    """Drafts, and what nobody sees of a change, are not told of."""
    teacher = hq.member("ada")
    follow(hq, peer)
    assert news(hq, peer) == ["Accept"]
    draft = share(teacher, b"draft")
    json_of(teacher.patch(path_of(draft["api_url"]), json={"title": "Secret"}))
    hq.work()
    assert news(hq, peer) == []
    resource = publish(hq, teacher, title="Rivers")
    assert news(hq, peer) == ["Announce Create"]
    for title in ("Lakes", "Seas"):
        json_of(teacher.patch(path_of(resource["api_url"]), json={"title": title}))
    hq.work()
    assert verified(hq, peer)[0][1]["object"]["object"]["name"] == "Seas"
    assert news(hq, peer) == ["Announce Update"]  # of what it is now, once
    versions = f"{path_of(resource['api_url'])}/versions"
    json_of(send_file(teacher, b"second", url=versions, file_name="second.txt"), 201)
    hq.work()
    assert news(hq, peer) == []
    withdrawn = teacher.post(f"{path_of(resource['api_url'])}/withdraw", json={"reason": "Names a pupil."})
    assert withdrawn.status_code == 204
    hq.work()
    ((by, deleted),) = verified(hq, peer)
    assert (by, deleted["type"]) == (service_actor(hq), "Delete")  # nobody is known by the name of ada now
    assert deleted["object"]["type"] == "Tombstone"
    assert "pupil" not in json.dumps(deleted)
    peer.host.requests.clear()
    json_of(teacher.post(f"{path_of(resource['api_url'])}/restore"))
    hq.work()
    assert news(hq, peer) == ["Announce Update"]


def test_following_a_person(hq: Service, peer: Peer) -> None:
    """They say it themselves, and whoever follows both hears it of both."""
    teacher = hq.member("ada")
    other = publish(hq, teacher, b"other")
    ada = person_of_service(hq, "ada")
    follow(hq, peer, ada)
    assert read(hq, f"{ada}/followers")["totalItems"] == 1
    assert read(hq, f"{service_actor(hq)}/followers")["totalItems"] == 0
    publish(hq, teacher, b"new")
    assert kinds(verified(hq, peer)) == [("/ap/accounts", "Accept"), ("/ap/accounts", "Create")]
    peer.host.requests.clear()
    follow(hq, peer)
    publish(hq, teacher, b"newer")
    assert sorted(news(hq, peer)) == ["Accept", "Announce Create", "Create"]
    for resource in (*_mine(teacher), other):
        teacher.post(f"{path_of(resource['api_url'])}/withdraw", json={"reason": "x"})
    hq.work()
    assert "Delete" in news(hq, peer)  # also when ada is nobody by then


def _mine(teacher: Any) -> list[Any]:
    items: list[Any] = json_of(teacher.get("/api/v1/me/resources"))["items"]
    return items


def person_of_service(service: Service, username: str) -> str:
    """The id of a person as an actor."""
    found = json_of(
        service.client().get(f"/.well-known/webfinger?resource=acct:{username}@{host_of(service)}")
    )
    actor: str = found["aliases"][0]
    return actor


def test_people_are_told_of_as_long_as_they_show_something(hq: Service, peer: Peer) -> None:
    follow(hq, peer)
    token = hq.token("ada")
    teacher = hq.client(token)
    share(teacher)
    hq.work()

    def told() -> list[tuple[str, str]]:
        of_people = verified(hq, peer, people=True)
        peer.host.requests.clear()
        found = [(_inner(activity)["type"], _about(activity)) for _, activity in of_people]
        return [(type_, about) for type_, about in found if "/ap/accounts/" in about]

    assert told() == []
    resource = publish(hq, teacher, b"1")
    ada = person_of_service(hq, "ada")
    assert told() == [("Update", ada)]
    second = publish(hq, teacher, b"2")
    assert told() == []
    hq.services.people.rename(hq.services.accounts.authenticate(token), "Ada L.")
    hq.work()
    assert told() == [("Update", ada)]
    for one in (resource, second):
        teacher.post(f"{path_of(one['api_url'])}/withdraw", json={"reason": "x"})
    hq.work()
    ((type_, about),) = told()
    assert type_ == "Delete"
    assert ada in about


def test_following_a_collection(hq: Service, peer: Peer) -> None:
    """What is put into it, and taken out of it; a draft in it is nobody's business."""
    teacher = hq.member("ada")
    first, second = publish(hq, teacher, b"1"), publish(hq, teacher, b"2")
    made = json_of(teacher.post("/api/v1/collections", json={"title": "Water", "visibility": "public"}), 201)
    items = f"/api/v1/collections/{made['id']}/items"
    json_of(teacher.post(items, json={"resource": first["id"]}), 201)
    hq.work()
    collection = f"{hq.settings.base_url}/ap/collections/{made['id']}"
    follow(hq, peer, collection)
    peer.host.requests.clear()

    json_of(teacher.post(items, json={"resource": second["id"]}), 201)
    draft = share(teacher, b"draft")
    json_of(teacher.post(items, json={"resource": draft["id"]}), 201)
    hq.work()
    told = verified(hq, peer)
    assert draft["id"] not in json.dumps(told)
    assert sorted(activity["type"] for _, activity in told) == ["Add", "Announce", "Update"]
    (added,) = [activity for by, activity in told if activity["type"] == "Add"]
    assert (added["actor"], added["target"]) == (collection, collection)
    assert added["object"] == f"{hq.settings.base_url}/ap/resources/{second['id']}"
    peer.host.requests.clear()

    for resource in (second, draft):
        assert teacher.delete(f"{items}/{resource['id']}").status_code == 204
    hq.work()
    told = verified(hq, peer)
    assert draft["id"] not in json.dumps(told)
    assert sorted(activity["type"] for _, activity in told) == ["Remove", "Update"]
    peer.host.requests.clear()

    json_of(teacher.patch(f"/api/v1/collections/{made['id']}", json={"visibility": "private"}))
    hq.work()
    assert news(hq, peer) == ["Delete"]
    json_of(teacher.patch(f"/api/v1/collections/{made['id']}", json={"visibility": "public"}))
    hq.work()
    (back,) = [activity for _, activity in verified(hq, peer)]
    assert back["type"] == "Update"  # by an id that was not sent before


def test_undo(hq: Service, peer: Peer) -> None:
    """By the whole activity, and by its id; somebody else's stays."""
    with peering() as other:
        follow(hq, other)
        for whole in (True, False):
            asked = follow(hq, peer)
            assert read(hq, f"{service_actor(hq)}/followers")["totalItems"] == 2
            undo = peer.activity("Undo", asked if whole else asked["id"])
            assert peer.post(hq, undo).status_code == 202
            hq.work()
            assert read(hq, f"{service_actor(hq)}/followers")["totalItems"] == 1
        peer.host.requests.clear()
        publish(hq, hq.member("ada"))
        assert peer.posted == []
        assert news(hq, other)[-1] == "Announce Create"


def test_whom_nobody_can_follow(hq: Service, peer: Peer) -> None:
    """Drafts have no author in public, and there is no answer for nobody."""
    teacher = hq.member("ada")
    share(teacher)
    with hq.services.database.read() as session:
        ada = session.scalar(select(Account.id).where(Account.username == "ada"))
    for actor in (f"{hq.settings.base_url}/ap/accounts/{ada}", "https://elsewhere.example/bob"):
        follow(hq, peer, actor)
    assert peer.posted == []
    with hq.services.database.read() as session:
        assert session.scalars(select(Follower)).all() == []


def test_an_actor_who_would_have_us_knock_elsewhere(hq: Service, peer: Peer) -> None:
    """An inbox is on the host of its actor, or anybody could be flooded by us."""
    with peering() as victim:
        mallory = alice_of(peer, peer.key)
        peer.serves({**mallory, "inbox": f"{victim.alice}/inbox"})
        follow(hq, peer)
        peer.serves({**mallory, "endpoints": {"sharedInbox": f"http://{victim.name}/inbox"}})
        follow(hq, peer)
        publish(hq, hq.member("ada"))
        assert victim.host.requests == []
    assert [kind for _, kind in kinds(verified(hq, peer))] == ["Accept", "Announce Create"]
    assert all(b"POST /users/alice/inbox " in request for request in peer.posted)


def test_blocked(hq: Service, peer: Peer) -> None:
    """A server: what it sends is refused, what it followed is over. An actor: the same for that one."""
    follow(hq, peer)
    resource = publish(hq, hq.member("ada"), title="Rivers")
    peer.host.requests.clear()
    approve(hq, peer.name, Standing.BLOCKED)
    assert read(hq, f"{service_actor(hq)}/followers")["totalItems"] == 0
    problem_of(peer.post(hq, peer.activity("Follow", service_actor(hq))), "forbidden")
    publish(hq, hq.client(hq.token("bob")), b"new")
    assert peer.host.requests == []  # not even to look for the key

    approve(hq, peer.name, Standing.KNOWN)
    follow(hq, peer)
    assert read(hq, f"{service_actor(hq)}/followers")["totalItems"] == 1
    hq.services.instances.block(OPERATOR, peer.alice, reason="Spam")
    assert read(hq, f"{service_actor(hq)}/followers")["totalItems"] == 0
    problem_of(peer.post(hq, peer.activity("Follow", service_actor(hq))), "forbidden")
    hq.services.instances.unblock(OPERATOR, peer.alice)
    follow(hq, peer)
    assert read(hq, f"{service_actor(hq)}/followers")["totalItems"] == 1
    assert resource["id"]


def test_one_copy_for_each_server(hq: Service, peer: Peer) -> None:
    """Bob follows from the same server, whose inbox they share."""
    follow(hq, peer)
    bob = peer.id("users/bob")
    key = SigningKey(f"{bob}#main-key", peer.key.native)
    peer.serves(
        {
            **alice_of(peer, key),
            "id": bob,
            "inbox": f"{bob}/inbox",
            "publicKey": {"id": key.key_id, "owner": bob, "publicKeyPem": key.public.pem},
        }
    )
    peer.host.replies["/users/bob/inbox"] = peer.host.replies["/inbox"]
    asked = {**peer.activity("Follow", service_actor(hq)), "actor": bob}
    assert peer.post(hq, asked, key=key).status_code == 202
    hq.work()
    assert read(hq, f"{service_actor(hq)}/followers")["totalItems"] == 2
    peer.host.requests.clear()
    publish(hq, hq.member("ada"))
    assert news(hq, peer) == ["Announce Create"]
