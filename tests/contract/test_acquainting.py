"""Getting to know an approved server: who speaks for it, reading what it has, and looking again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from repo_service.domain.identity import Role
from repo_service.domain.resources import JobKind, JobState
from repo_service.federation.contexts import ACTIVITY_STREAMS
from repo_service.federation.nodeinfo import SERVER_ACTOR
from repo_service.models import Change, Following, Instance, Job
from repo_service.services.acquainting import LOOK_AGAIN_AFTER
from repo_service.services.delivering import GONE_AFTER
from tests.contract.activitypub import BASE, read
from tests.contract.federating import Peer, approve, peering
from tests.contract.support import publish, share
from tests.federation.hosts import answer, document
from tests.support.service import MakeService, Service, json_of


@pytest.fixture
def hq(make_service: MakeService) -> Service:
    """A service that keeps the index."""
    return make_service(federation_loopback=True)


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Another server, for all of which Alice speaks."""
    with peering() as made:
        links = [{"rel": SERVER_ACTOR, "href": made.alice}]
        made.host.replies["/.well-known/nodeinfo"] = document(
            {"links": links}, content_type="application/json"
        )
        yield made


def outbox(peer: Peer, *pages: list[dict[str, Any]]) -> None:
    """Have Alice's outbox hold that, newest first."""
    own = f"{peer.alice}/outbox"
    ids = [own if number == 0 else f"{own}/{number}" for number in range(len(pages) + 1)]
    for number, (id_, page) in enumerate(zip(ids[1:], pages, strict=True), start=1):
        following = {"next": ids[number + 1]} if number < len(pages) else {}
        peer.serves({"id": id_, "type": "OrderedCollectionPage", "orderedItems": page, **following})
    peer.serves({"@context": ACTIVITY_STREAMS, "id": own, "type": "OrderedCollection", "first": ids[1]})


def names(hq: Service) -> list[str]:
    found = json_of(hq.client().get("/api/v1/network/search?limit=100"))["items"]
    return sorted(item["name"] for item in found)


def job(hq: Service) -> Job:
    with hq.services.database.read() as session:
        return session.scalars(select(Job).where(Job.kind == JobKind.ACQUAINT.value)).one()


def asked(peer: Peer) -> list[str]:
    return [request.split(b" ")[1].decode() for request in peer.host.requests if request.startswith(b"GET ")]


def join(hq: Service, peer: Peer) -> None:
    approve(hq, peer.name)
    hq.work()


def a_day_later(hq: Service, by: timedelta = LOOK_AGAIN_AFTER) -> None:
    with hq.services.database.write() as session:
        for row in session.scalars(select(Instance)):
            row.looked_at = row.looked_at and row.looked_at - by
            row.failing_since = row.failing_since and row.failing_since - by
        for waiting in session.scalars(select(Job).where(Job.kind == JobKind.ACQUAINT.value)):
            waiting.next_try_at -= by
    hq.services.acquainting.enqueue_due()
    hq.work()


def changes(hq: Service) -> int:
    with hq.services.database.read() as session:
        return len(session.scalars(select(Change).where(Change.noun == "network-entry")).all())


def test_an_outbox_is_read_to_its_end(hq: Service, peer: Peer) -> None:
    """What is newest counts, what is of others or not public is left, and what was deleted stays so."""
    changed, gone = peer.note(name="As it was"), peer.note(name="Gone")
    with peering() as other:
        approve(hq, other.name)
        elsewhere = other.note(name="Of another server")
        outbox(
            peer,
            [
                peer.activity("Delete", {"id": gone["id"], "type": "Tombstone"}),
                peer.activity("Update", {**changed, "name": "As it is"}),
            ],
            [peer.activity("Create", elsewhere), peer.activity("Like", elsewhere), {"type": "Nonsense"}],
            [
                peer.activity("Create", peer.note(name="For followers", to=[f"{peer.alice}/followers"])),
                peer.activity("Create", gone),
                peer.activity("Create", changed),
                {**peer.activity("Create", peer.note(name="By Bob")), "actor": peer.id("users/bob")},
                peer.activity("Create", peer.note(name="Oldest")),
            ],
        )
        join(hq, peer)
        assert names(hq) == ["As it is", "Oldest"]
    (followed,) = [one for one in peer.inbox if one["type"] == "Follow"]
    assert (followed["actor"], followed["object"]) == (f"{BASE}/ap/service", peer.alice)


def test_accept_and_reject(hq: Service, peer: Peer) -> None:
    """By whom it was asked, and by nobody else."""
    outbox(peer, [])
    join(hq, peer)
    (asked_for,) = peer.inbox

    def count() -> int:
        total: int = read(hq, f"{BASE}/ap/service/following")["totalItems"]
        return total

    assert count() == 0
    with peering() as other:
        assert other.post(hq, other.activity("Accept", asked_for)).status_code == 202
        hq.work()
        assert count() == 0
    assert peer.post(hq, peer.activity("Accept", asked_for)).status_code == 202
    hq.work()
    assert count() == 1
    assert peer.post(hq, peer.activity("Reject", asked_for["id"])).status_code == 202
    hq.work()
    with hq.services.database.read() as session:
        assert session.scalars(select(Following)).all() == []


def test_a_server_that_nobody_speaks_for(hq: Service, peer: Peer) -> None:
    """It is approved all the same, and an administrator reads why it is not followed."""
    for reply in (
        answer(status="404 Not Found"),
        document({"links": []}, content_type="application/json"),
        document(
            {"links": [{"rel": SERVER_ACTOR, "href": "https://elsewhere.example/actor"}]},
            content_type="application/json",
        ),
    ):
        peer.host.replies["/.well-known/nodeinfo"] = reply
        join(hq, peer)
        assert job(hq).state == JobState.FAILED.value
        assert job(hq).reason
    assert peer.post(hq, peer.activity("Create", peer.note())).status_code == 202
    hq.work()
    assert names(hq) == ["Rivers"]


def test_an_outbox_that_goes_in_circles_or_elsewhere(hq: Service, peer: Peer) -> None:
    own = f"{peer.alice}/outbox"
    page = [peer.activity("Create", peer.note())]
    peer.serves({"id": own, "type": "OrderedCollection", "orderedItems": page, "next": own})
    join(hq, peer)
    assert names(hq) == ["Rivers"]
    assert asked(peer).count("/users/alice/outbox") == 1
    with peering() as other:
        peer.serves({"id": own, "type": "OrderedCollection", "first": f"{other.alice}/outbox"})
        join(hq, peer)
        assert other.host.requests == []


def test_what_got_lost_is_found_a_day_later(hq: Service, peer: Peer) -> None:
    """By the newest page: what stands behind one without news is not read again."""
    old = [[peer.activity("Create", peer.note(name=f"Old {number}"))] for number in range(3)]
    outbox(peer, *old)
    join(hq, peer)
    assert names(hq) == ["Old 0", "Old 1", "Old 2"]
    before = changes(hq)
    peer.host.requests.clear()
    a_day_later(hq)
    pages = [path for path in asked(peer) if "outbox" in path]
    assert pages == ["/users/alice/outbox", "/users/alice/outbox/1"]
    assert changes(hq) == before  # what is as it was is no change
    outbox(peer, [peer.activity("Create", peer.note(name="New"))], *old)
    peer.host.requests.clear()
    hq.services.acquainting.enqueue_due()
    hq.work()
    assert asked(peer) == []  # not yet
    a_day_later(hq)
    assert names(hq) == ["New", "Old 0", "Old 1", "Old 2"]
    assert "/users/alice/outbox/3" not in asked(peer)


def test_a_server_that_has_gone_is_marked(hq: Service, peer: Peer) -> None:
    """Its entries stay, and say so, until it is there again."""
    outbox(peer, [peer.activity("Create", peer.note())])
    join(hq, peer)

    def reachable() -> bool:
        (item,) = json_of(hq.client().get("/api/v1/network/search"))["items"]
        found: bool = item["is_reachable"]
        return found

    there = peer.host.replies["/users/alice"]
    peer.host.replies["/users/alice"] = answer(status="503 Service Unavailable")
    a_day_later(hq)
    assert reachable()
    a_day_later(hq, GONE_AFTER)
    assert not reachable()
    peer.host.replies["/users/alice"] = there
    a_day_later(hq)
    assert reachable()


def test_a_flag_is_a_report(hq: Service, peer: Peer) -> None:
    """About resources here that everybody sees, as MoodleNet and Mastodon send it."""
    teacher = hq.member("ada")
    resource, draft = publish(hq, teacher), share(teacher)
    ids = [f"{BASE}/ap/resources/{one['id']}" for one in (resource, draft)]
    flag = peer.activity("Flag", None, content="Names a pupil.", forward=True)
    about = [f"{BASE}/ap/service", ids[0]]
    assert peer.post(hq, {**flag, "object": about}).status_code == 202
    hq.work()
    moderator = hq.client(hq.token("mod", Role.MODERATOR))
    (reported,) = json_of(moderator.get("/api/v1/reports"))["items"]
    assert reported["resource_id"] == resource["id"]
    (report,) = reported["reports"]
    assert report["words"] == f"{peer.name}: Names a pupil."
    assert peer.post(hq, {**flag, "id": peer.id(), "object": ids[1]}).status_code == 202
    hq.work()
    assert len(json_of(moderator.get("/api/v1/reports"))["items"]) == 1
