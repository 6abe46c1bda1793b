"""A mirror of the index of the network: what its home finds is found there, also while the home is away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from repo_service.domain.identity import Role
from repo_service.domain.network import Standing
from repo_service.jobs.worker import handlers_of
from repo_service.models import Instance, Job
from repo_service.models.base import now
from repo_service.services.delivering import GONE_AFTER
from repo_service.services.network_mirroring import HomeUnavailable
from tests.contract.federating import Peer, approve, federated, peering
from tests.contract.support import nothing_changes
from tests.federation.hosts import answer, serving
from tests.support.service import MakeService, Service, json_of


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Another server."""
    with peering() as made:
        yield made


@pytest.fixture
def hq(make_service: MakeService) -> Iterator[Service]:
    """The home of the index."""
    with federated(make_service, site_name="HQ") as service:
        yield service


@pytest.fixture(params=["sqlite", "postgresql"])
def mirror(request: pytest.FixtureRequest, make_service: MakeService, hq: Service) -> Service:
    """Its mirror, on either database."""
    settings = {}
    if request.param == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgres_database")()
    return make_service(read_only=True, network_home=hq.settings.base_url, **settings)


def follow(mirror: Service) -> int:
    """Do what the mirror's worker does; how many changes that were."""
    assert mirror.services.network_mirror is not None
    followed = mirror.services.network_mirror.follow()
    mirror.work()
    return followed


def found(service: Service, query: str = "facet=kind&facet=host&facet=licence") -> dict[str, Any]:
    answered: dict[str, Any] = json_of(service.client().get(f"/api/v1/network/search?sort=newest&{query}"))
    return answered


def tell(hq: Service, peer: Peer, type_: str, about: Any) -> None:
    assert peer.post(hq, peer.activity(type_, about)).status_code == 202
    hq.work()


def test_the_mirror_finds_what_its_home_finds(hq: Service, peer: Peer, mirror: Service) -> None:
    """Every field and facet, by the same ids: what came, was changed, deleted and hidden."""
    approve(hq, peer.name)
    links = [{"type": "Link", "href": "https://x.example/a.mbz", "mediaType": "a/b", "contentSize": 7}]
    rivers = ("Elbe", "Rhine", "Oder", "Neisse")
    notes = [peer.note(name=river, license="CC-BY-4.0", summary="<p>Wet</p>") for river in rivers]
    notes[0]["url"] = links
    for note in notes:
        tell(hq, peer, "Create", note)
    assert follow(mirror) >= 4
    assert found(mirror) == found(hq)
    assert found(mirror)["total"] == 4
    (entry,) = found(mirror, "q=elbe")["items"]
    assert entry["files"][0]["size"] == 7
    assert json_of(mirror.client().get(f"/api/v1/network/entries/{entry['id']}")) == entry

    tell(hq, peer, "Update", {**notes[0], "name": "Lake"})
    tell(hq, peer, "Delete", notes[1]["id"])
    (hidden,) = found(hq, "q=neisse")["items"]
    moderator = hq.client(hq.token("mod", Role.MODERATOR))
    moderator.post(f"/api/v1/network/entries/{hidden['id']}/hide", json={"reason": "Spam"})
    hq.work()
    follow(mirror)
    assert found(mirror) == found(hq)
    assert sorted(item["name"] for item in found(mirror)["items"]) == ["Lake", "Oder"]
    assert follow(mirror) == 0
    moderator.post(f"/api/v1/network/entries/{hidden['id']}/show")
    hq.work()
    follow(mirror)
    assert found(mirror) == found(hq)


def test_a_server_that_is_approved_no_more_and_again(hq: Service, peer: Peer, mirror: Service) -> None:
    """What it had goes and comes back, although it says nothing anew."""
    approve(hq, peer.name)
    tell(hq, peer, "Create", peer.note())
    follow(mirror)
    for standing, total in ((Standing.KNOWN, 0), (Standing.APPROVED, 1), (Standing.BLOCKED, 0)):
        approve(hq, peer.name, standing)
        hq.work()
        follow(mirror)
        assert (found(mirror)["total"], found(mirror)) == (total, found(hq))


def test_a_server_that_does_not_answer_and_does_again(
    hq: Service, peer: Peer, mirror: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mirror says so as its home does, told by one change whatever the server has; nothing is written
    anew for it into the search index."""
    approve(hq, peer.name)
    for number in range(3):
        tell(hq, peer, "Create", peer.note(name=f"River {number}"))
    follow(mirror)
    assert reachable(mirror) == reachable(hq) == [True] * 3
    indexed: list[UUID] = []
    for service in (hq, mirror):
        monkeypatch.setattr(service.services.network_indexer, "_put", indexed.extend)

    peer.host.replies["/.well-known/nodeinfo"] = answer(status="503 Service Unavailable")
    before = json_of(hq.client().get("/api/v1/network/changes"))["cursor"]
    for _ in range(2):  # it is noticed, and a week later it has not come back
        with hq.services.database.write() as session:
            week_ago = now() - GONE_AFTER
            session.execute(update(Instance).values(looked_at=None))
            session.execute(
                update(Instance).where(Instance.failing_since.is_not(None)).values(failing_since=week_ago)
            )
            session.execute(update(Job).values(next_try_at=now()))
        hq.services.acquainting.enqueue_due()
        hq.work()
    (change,) = json_of(hq.client().get(f"/api/v1/network/changes?since={before}"))["items"]
    assert change == {"host": peer.name, "uri": None, "entry": None, "origin": {"is_reachable": False}}
    assert follow(mirror) == 1
    assert reachable(mirror) == reachable(hq) == [False] * 3

    assert peer.post(hq, peer.activity("Undo", peer.id())).status_code == 202
    hq.work()
    assert follow(mirror) == 1
    assert reachable(mirror) == reachable(hq) == [True] * 3
    assert found(mirror) == found(hq)
    assert indexed == []


def reachable(service: Service) -> list[bool]:
    return [item["is_reachable"] for item in found(service)["items"]]


def test_the_mirror_leaves_it_to_its_home_to_ask_servers(hq: Service, peer: Peer, mirror: Service) -> None:
    approve(hq, peer.name)
    tell(hq, peer, "Create", peer.note())
    follow(mirror)
    peer.host.requests.clear()
    for service, asks in ((mirror, False), (hq, True)):
        with service.services.database.write() as session:
            session.execute(update(Instance).values(looked_at=now() - timedelta(days=9)))
        handlers_of(service.services).collect_garbage()
        service.work()
        assert bool(peer.host.requests) is asks


def test_more_than_a_page(hq: Service, peer: Peer, mirror: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that breaks off goes on where it was."""
    monkeypatch.setattr("repo_service.services.network_mirroring._PAGE", 2)
    approve(hq, peer.name)
    for number in range(5):
        tell(hq, peer, "Create", peer.note(name=f"River {number}"))
    assert mirror.services.network_mirror is not None
    whole = type(mirror.services.network_mirror)._page
    asked: list[int] = []

    def breaks(self: Any, client: Any, position: int) -> Any:
        asked.append(position)
        if len(asked) == 3:
            raise HomeUnavailable("It is away.")
        return whole(self, client, position)

    monkeypatch.setattr(type(mirror.services.network_mirror), "_page", breaks)
    with pytest.raises(HomeUnavailable):
        follow(mirror)
    follow(mirror)
    assert asked[3] == asked[2] > asked[1]
    assert found(mirror) == found(hq)


def test_as_of_when_the_mirror_is(
    hq: Service, peer: Peer, mirror: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks sees how old it may be: it is up to date also when nothing was new, and is not when only a
    part has come."""

    def followed_at() -> datetime | None:
        home = json_of(mirror.client().get("/api/v1/network"))["mirror_of"]
        assert home == json_of(mirror.client().get("/readyz"))["network_home"]
        assert home["url"] == hq.settings.base_url
        return None if home["followed_at"] is None else datetime.fromisoformat(home["followed_at"])

    assert json_of(hq.client().get("/api/v1/network")) == {"mirror_of": None}
    assert followed_at() is None
    approve(hq, peer.name)
    moments = [now()]
    for _ in range(2):
        follow(mirror)
        found_at = followed_at()
        assert found_at is not None
        assert moments[-1] < found_at < now()
        moments.append(found_at)
    for number in range(3):
        tell(hq, peer, "Create", peer.note(name=f"River {number}"))
    monkeypatch.setattr("repo_service.services.network_mirroring._PAGE", 2)
    assert mirror.services.network_mirror is not None
    pages = [mirror.services.network_mirror._page]

    def only_one(*arguments: Any) -> Any:
        if not pages:
            raise HomeUnavailable("It is away.")
        return pages.pop()(*arguments)

    monkeypatch.setattr(mirror.services.network_mirror, "_page", only_one)
    with pytest.raises(HomeUnavailable):
        follow(mirror)
    mirror.work()
    assert 0 < found(mirror)["total"] < found(hq)["total"]
    assert followed_at() == moments[-1]


@pytest.mark.parametrize(
    "reply",
    [
        answer(status="503 Service Unavailable"),
        answer(b"<html>", content_type="text/html"),
        answer(json.dumps({"items": [{"host": "x"}], "cursor": "MQ", "has_more": False}).encode()),
        answer(json.dumps({"items": [], "cursor": "!", "has_more": False}).encode()),
        lambda connection: connection.close(),
    ],
    ids=["away", "a page", "half a change", "no cursor", "hangs up"],
)
def test_what_is_no_index_changes_nothing(make_service: MakeService, reply: Any) -> None:
    with serving() as host:
        host.replies["/api/v1/network/changes?limit=200&since=MA"] = reply
        mirror = make_service(read_only=True, network_home=host.url(""))
        with nothing_changes(mirror), pytest.raises(HomeUnavailable):
            follow(mirror)
        assert len(host.requests) == 1
        assert found(mirror)["total"] == 0


def test_only_a_mirror_has_a_home(make_service: MakeService) -> None:
    with pytest.raises(ValueError, match="REPO_NETWORK_HOME needs REPO_READ_ONLY"):
        make_service(network_home="https://hq.example")
