"""Sending to other servers when these are slow, broken, picky or gone, and when we are."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from repo_service.domain.network import Standing
from repo_service.domain.resources import JobKind
from repo_service.models import Delivery, Dispatch, Instance, RemoteActor
from repo_service.models.base import now
from repo_service.services.delivering import FIRST_WAIT, GONE_AFTER, LONGEST_WAIT
from tests.contract.activitypub import read
from tests.contract.federating import Peer, approve, federated, follow, peering, service_actor
from tests.contract.support import path_of, publish
from tests.federation.hosts import Reply, answer, redirect
from tests.support.service import MakeService, Service, json_of

ACCEPTED = answer(status="202 Accepted")


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Another server."""
    with peering() as made:
        yield made


@pytest.fixture
def hq(make_service: MakeService) -> Iterator[Service]:
    """A service that can be asked by others."""
    with federated(make_service) as service:
        yield service


@pytest.fixture(autouse=True)
def teacher(hq: Service, peer: Peer) -> FlaskClient:
    """Ada, who is known for what she has shared before the peer came to follow the service."""
    client = hq.member("ada")
    publish(hq, client, b"before")
    follow(hq, peer)
    peer.host.requests.clear()
    return client


def waiting(hq: Service) -> list[Delivery]:
    with hq.services.database.read() as session:
        return list(session.scalars(select(Delivery).order_by(Delivery.id)))


def instance(hq: Service) -> Instance:
    with hq.services.database.read() as session:
        return session.scalars(select(Instance)).one()


def later(hq: Service, by: timedelta) -> None:
    """Let time pass for what waits, then do what a worker does each minute."""
    with hq.services.database.write() as session:
        for row in session.scalars(select(Delivery)):
            row.next_try_at -= by
            row.created_at -= by
        for host in session.scalars(select(Instance)):
            host.next_try_at = host.next_try_at and host.next_try_at - by
            host.failing_since = host.failing_since and host.failing_since - by
    hq.services.deliverer.enqueue_due()
    hq.work()


def types(peer: Peer) -> list[str]:
    """What came, by type; of what is announced, that."""
    return [one["object"]["type"] if one["type"] == "Announce" else one["type"] for one in peer.inbox]


def test_a_server_that_is_busy_is_left_alone_for_longer_each_time(
    hq: Service, peer: Peer, teacher: FlaskClient
) -> None:
    peer.host.replies["/inbox"] = answer(status="503 Service Unavailable")
    publish(hq, teacher, b"1")
    publish(hq, teacher, b"2")
    assert types(peer) == ["Create"]  # the second is not even tried
    waits = []
    for failures in range(1, 5):
        found = instance(hq)
        assert found.failures == failures
        assert found.next_try_at is not None
        waits.append(found.next_try_at - now())
        later(hq, waits[-1] - timedelta(seconds=5))
        assert len(peer.inbox) == failures  # not yet
        later(hq, timedelta(seconds=10))
        assert len(peer.inbox) == failures + 1
    for number, wait in enumerate(waits):
        expected = FIRST_WAIT * 2**number
        assert 0.7 * expected < wait < 1.3 * expected
    assert len({wait.total_seconds() % 1 for wait in waits}) > 1  # never on the dot

    peer.host.replies["/inbox"] = ACCEPTED
    peer.host.requests.clear()
    later(hq, LONGEST_WAIT)
    assert types(peer) == ["Create", "Create"]
    assert waiting(hq) == []
    assert (instance(hq).failures, instance(hq).failing_since) == (0, None)


def test_who_says_how_long_is_waited_for(hq: Service, peer: Peer, teacher: FlaskClient) -> None:
    peer.host.replies["/inbox"] = answer(status="429 Too Many Requests", headers={"Retry-After": "7200"})
    publish(hq, teacher)
    found = instance(hq)
    assert found.next_try_at is not None
    assert found.next_try_at - now() > timedelta(seconds=7190)


@pytest.mark.parametrize("way", ["refuses connections", "hangs up"])
def test_a_server_that_is_away(hq: Service, peer: Peer, teacher: FlaskClient, way: str) -> None:
    """After a week it counts as gone: nothing is kept for it, until it is heard of again."""
    peer.host.replies["/inbox"] = hang_up
    if way == "refuses connections":
        with hq.services.database.write() as session:
            nobody = f"http://127.0.0.1:{_closed_port()}/inbox"
            session.execute(update(RemoteActor).values(shared_inbox=nobody))
    publish(hq, teacher, b"1")
    assert len(waiting(hq)) == 1
    for _ in range(3):
        later(hq, GONE_AFTER / 3)
    assert instance(hq).unreachable_at is not None
    assert waiting(hq) == []
    publish(hq, teacher, b"2")
    assert waiting(hq) == []

    peer.host.replies["/inbox"] = ACCEPTED
    follow(hq, peer)  # it is back
    assert instance(hq).unreachable_at is None
    later(hq, FIRST_WAIT)  # it may have been too busy, so it is given a moment
    peer.host.requests.clear()
    publish(hq, teacher, b"3")
    assert types(peer) == ["Create"]


@pytest.mark.parametrize("standing", [Standing.APPROVED, Standing.KNOWN])
def test_those_who_follow_the_index_are_told_of_servers_in_it(
    hq: Service, peer: Peer, teacher: FlaskClient, standing: Standing
) -> None:
    """And that others are known here is nobody's business."""
    if standing is Standing.APPROVED:
        approve(hq, peer.name)
        hq.work()
    cursor = _network_changes(hq)["cursor"]
    peer.host.replies["/inbox"] = peer.host.replies["/users/alice/inbox"] = lambda connection: (
        connection.close()
    )
    publish(hq, teacher, b"1")
    later(hq, GONE_AFTER)
    assert instance(hq).unreachable_at is not None
    gone = _network_changes(hq, cursor)
    peer.host.replies["/inbox"] = ACCEPTED
    follow(hq, peer)
    back = _network_changes(hq, gone["cursor"])
    assert [change["origin"] for page in (gone, back) for change in page["items"]] == (
        [{"is_reachable": False}, {"is_reachable": True}] if standing is Standing.APPROVED else []
    )


def _network_changes(hq: Service, since: str = "MA") -> dict[str, Any]:
    page: dict[str, Any] = json_of(hq.client().get(f"/api/v1/network/changes?since={since}"))
    return page


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_one_that_cannot_be_taken_holds_up_only_what_is_about_the_same(
    hq: Service, peer: Peer, teacher: FlaskClient
) -> None:
    """And that comes in order, once it can."""
    peer.host.replies["/inbox"] = _fails_for(peer, b"Poison")
    poisoned = publish(hq, teacher, b"1", title="Poison")
    publish(hq, teacher, b"2", title="Other")
    json_of(teacher.patch(path_of(poisoned["api_url"]), json={"title": "Cured"}))
    hq.work()
    assert [one["object"]["object"]["name"] for one in peer.inbox] == ["Poison", "Other"]
    assert len(waiting(hq)) == 2
    peer.host.requests.clear()
    peer.host.replies["/inbox"] = ACCEPTED
    later(hq, timedelta(minutes=2))
    assert types(peer) == ["Create", "Update"]
    assert waiting(hq) == []


def _fails_for(peer: Peer, word: bytes) -> Reply:
    def reply(connection: socket.socket) -> None:
        bad = word in peer.host.requests[-1]
        connection.sendall(answer(status="500 Internal Server Error") if bad else ACCEPTED)

    return reply


def test_what_is_never_taken_is_given_up_after_a_week(hq: Service, peer: Peer, teacher: FlaskClient) -> None:
    peer.host.replies["/inbox"] = answer(status="500 Internal Server Error")
    publish(hq, teacher)
    later(hq, GONE_AFTER / 2)
    assert len(waiting(hq)) == 1
    later(hq, GONE_AFTER)
    assert waiting(hq) == []
    assert instance(hq).unreachable_at is None  # it is there, it only does not like this


@pytest.mark.parametrize("reply", [answer(status="422 Unprocessable"), redirect("http://127.0.0.1:9/inbox")])
def test_what_is_refused_is_not_tried_again(
    hq: Service, peer: Peer, teacher: FlaskClient, reply: bytes
) -> None:
    peer.host.replies["/inbox"] = reply
    publish(hq, teacher)
    assert len(peer.inbox) == 1
    assert waiting(hq) == []


def test_who_is_gone_follows_no_more(hq: Service, peer: Peer, teacher: FlaskClient) -> None:
    peer.host.replies["/inbox"] = answer(status="410 Gone")
    publish(hq, teacher)
    assert read(hq, f"{service_actor(hq)}/followers")["totalItems"] == 0


def test_the_kind_of_signature_that_a_server_takes_is_found_out(
    hq: Service, peer: Peer, teacher: FlaskClient
) -> None:
    """By trying the other one where it refuses, and is remembered."""

    def only_rfc9421(connection: socket.socket) -> None:
        good = b"\r\nSignature-Input: " in peer.host.requests[-1]
        connection.sendall(ACCEPTED if good else answer(status="401 Unauthorized"))

    peer.host.replies["/inbox"] = only_rfc9421
    publish(hq, teacher, b"1")
    assert len(peer.posted) == 2
    publish(hq, teacher, b"2")
    assert len(peer.posted) == 3
    assert waiting(hq) == []


def test_a_server_that_goes_away_between_two_tries_is_tried_later(
    hq: Service, peer: Peer, teacher: FlaskClient
) -> None:
    """That it refused one kind of signature is not its last word, as long as it has not seen the other."""

    def refuse_and_go(connection: socket.socket) -> None:
        peer.host.replies["/inbox"] = hang_up
        connection.sendall(answer(status="401 Unauthorized"))

    peer.host.replies["/inbox"] = refuse_and_go
    publish(hq, teacher)
    assert len(waiting(hq)) == 1
    peer.host.replies["/inbox"] = ACCEPTED
    peer.host.requests.clear()
    later(hq, LONGEST_WAIT)
    assert types(peer) == ["Create"]
    assert waiting(hq) == []


def hang_up(connection: socket.socket) -> None:
    connection.close()


def test_a_slow_server_holds_up_no_other(hq: Service, peer: Peer, teacher: FlaskClient) -> None:
    """Both have it while the first is still thinking."""
    with peering() as other:
        follow(hq, other)
        other.host.requests.clear()
        seen: list[int] = []

        def wait_for_the_other(connection: socket.socket) -> None:
            for _ in range(100):
                if other.posted:
                    break
                time.sleep(0.05)
            seen.append(len(other.posted))
            connection.sendall(ACCEPTED)

        peer.host.replies["/inbox"] = wait_for_the_other
        publish(hq, teacher)
        assert seen == [1]


def test_what_waits_survives_the_worker(hq: Service, peer: Peer, teacher: FlaskClient) -> None:
    """The rows are the queue: it is sent by whoever comes after a worker that died between telling and
    sending, and only once."""
    resource = publish(hq, teacher)
    peer.host.requests.clear()
    json_of(teacher.patch(path_of(resource["api_url"]), json={"title": "Lakes"}))
    hq.work(but=[JobKind.DELIVER])
    assert (len(waiting(hq)), peer.posted) == (1, [])
    hq.services.deliverer.enqueue_due()
    hq.work()
    hq.services.deliverer.enqueue_due()
    hq.work()
    assert types(peer) == ["Update"]


def test_a_change_is_told_once_whatever_breaks(
    hq: Service, peer: Peer, teacher: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies while it tells has told nothing; the next one tells all of it."""
    teller = hq.services.teller
    whole: Callable[..., int] = teller._send
    calls = 0

    def dies(*arguments: object) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise RuntimeError("killed")
        return whole(*arguments)

    monkeypatch.setattr(teller, "_send", dies)
    with pytest.raises(RuntimeError, match="killed"):
        publish(hq, teacher)
    assert waiting(hq) == []
    monkeypatch.undo()
    hq.work()
    assert types(peer) == ["Create"]


@pytest.mark.parametrize("further", [False, True], ids=["as far", "further"])
def test_two_who_tell_at_once(
    hq: Service, peer: Peer, teacher: FlaskClient, monkeypatch: pytest.MonkeyPatch, further: bool
) -> None:
    """One is overtaken while it thinks: what the other told is not told again, nor what was true before."""
    resource = publish(hq, teacher)
    peer.host.requests.clear()
    rename(teacher, resource, "Lakes")
    teller = hq.services.teller
    whole = teller._arranged
    overtakers = [1]

    def be_overtaken(changes: Any) -> Any:
        if overtakers:
            overtakers.pop()
            if further:
                rename(teacher, resource, "Seas")
            assert teller.follow() > 0
        return whole(changes)

    monkeypatch.setattr(teller, "_arranged", be_overtaken)
    assert teller.follow() == 0
    hq.work()
    assert [one["object"]["object"]["name"] for one in peer.inbox] == ["Seas" if further else "Lakes"]
    rename(teacher, resource, "Rivers")
    hq.work()
    assert types(peer) == ["Update", "Update"]  # and it goes on where the other one was


def rename(teacher: FlaskClient, resource: dict[str, Any], title: str) -> None:
    json_of(teacher.patch(path_of(resource["api_url"]), json={"title": title}))


def test_what_was_sent_is_forgotten(hq: Service, peer: Peer, teacher: FlaskClient) -> None:
    publish(hq, teacher)
    with hq.services.database.write() as session:
        for row in session.scalars(select(Dispatch)):
            row.created_at -= timedelta(hours=1)
    hq.services.deliverer.tidy()
    with hq.services.database.read() as session:
        assert session.scalars(select(Dispatch)).all() == []
