"""Activities that come at once are taken in by one transaction, and each is answered for itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from repo_service.federation.messages import Message
from repo_service.models import ReceivedActivity
from repo_service.models.insert import insert_absent
from repo_service.services import taking_in
from repo_service.services.throttling import Allowance
from tests.contract.federating import Peer, approve, peering, send
from tests.contract.support import problem_of
from tests.support.service import OPERATOR, MakeService, Service, json_of

_SECONDS = 30


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Another server."""
    with peering() as made:
        yield made


@pytest.fixture
def other() -> Iterator[Peer]:
    """And one more."""
    with peering() as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def hq(request: pytest.FixtureRequest, make_service: MakeService, peer: Peer, other: Peer) -> Service:
    """A service that has approved both, on either database."""
    settings = {}
    if request.param == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgres_database")()
    service = make_service(federation_loopback=True, **settings)
    for one in (peer, other):
        approve(service, one.name)
        assert one.post(service, one.activity("Follow", one.id())).status_code == 202  # its key is known
    return service


@pytest.fixture
def at_once(hq: Service, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Sends messages while another is being taken in, so that they are taken in together; the answers."""

    def sent(*messages: Message) -> list[Any]:
        begun, go_on = threading.Event(), threading.Event()
        taken: list[int] = []
        whole = taking_in.TakingIn._take_in

        def wait(self: taking_in.TakingIn, proven: Sequence[taking_in.Proven]) -> Any:
            taken.append(len(proven))
            if len(taken) == 1:
                begun.set()
                assert go_on.wait(_SECONDS)
            return whole(self, proven)

        monkeypatch.setattr(taking_in.TakingIn, "_take_in", wait)
        together = hq.services.inbox._taking_in._together
        with ThreadPoolExecutor(len(messages) + 1) as pool:
            pool.submit(peer.post, hq, peer.activity("Undo", peer.id()))
            assert begun.wait(_SECONDS)
            answers = []
            for number, message in enumerate(messages, 1):  # one after another: their order is known
                answers.append(pool.submit(send, hq, message))
                while together.waiting < number:
                    threading.Event().wait(0.001)
            go_on.set()
            found = [answer.result(_SECONDS) for answer in answers]
        assert taken[:2] == [1, len(messages)]
        monkeypatch.setattr(taking_in.TakingIn, "_take_in", whole)
        return found

    return sent


def _kept(hq: Service, *activities: dict[str, Any]) -> list[bool]:
    with hq.services.database.read() as session:
        uris = set(session.scalars(select(ReceivedActivity.uri)))
    return [activity["id"] in uris for activity in activities]


def test_all_are_kept_in_their_order(hq: Service, peer: Peer, other: Peer, at_once: Any) -> None:
    said = [one.activity("Create", one.note()) for one in (peer, other, peer, other)]
    senders = (peer, other, peer, other)
    answers = at_once(*(one.message(hq, what) for one, what in zip(senders, said, strict=True)))
    assert [answer.status_code for answer in answers] == [202] * 4
    with hq.services.database.read() as session:
        query = select(ReceivedActivity.uri).where(ReceivedActivity.uri.in_([what["id"] for what in said]))
        assert list(session.scalars(query.order_by(ReceivedActivity.id))) == [what["id"] for what in said]
    hq.work()
    assert json_of(hq.client().get("/api/v1/network/search"))["total"] == 4


def test_the_same_request_twice_at_once(hq: Service, peer: Peer, at_once: Any) -> None:
    message = peer.message(hq, peer.activity("Create", peer.note()))
    first, second = at_once(message, message)
    assert first.status_code == 202
    assert problem_of(second, "invalid-signature")["reason"] == "replayed"


def test_the_same_activity_in_two_requests_at_once(hq: Service, peer: Peer, at_once: Any) -> None:
    """It is taken twice and kept once."""
    said = peer.activity("Create", peer.note())
    again = {**said, "summary": "said again"}
    answers = at_once(peer.message(hq, said), peer.message(hq, again))
    assert [answer.status_code for answer in answers] == [202, 202]
    with hq.services.database.read() as session:
        (kept,) = session.scalars(select(ReceivedActivity).where(ReceivedActivity.uri == said["id"]))
        assert "summary" not in kept.document


def test_one_that_is_blocked_among_others(hq: Service, peer: Peer, other: Peer, at_once: Any) -> None:
    hq.services.instances.block(OPERATOR, other.alice)
    good, bad, last = (one.activity("Create", one.note()) for one in (peer, other, peer))
    messages = [peer.message(hq, good), other.message(hq, bad), peer.message(hq, last)]
    answers = at_once(*messages)
    assert [answer.status_code for answer in answers] == [202, 403, 202]
    assert _kept(hq, good, bad, last) == [True, False, True]

    hq.services.instances.unblock(OPERATOR, other.alice)
    assert send(hq, messages[1]).status_code == 202, "what was refused was not remembered"


def test_one_whose_server_said_enough_among_others(
    hq: Service, peer: Peer, other: Peer, at_once: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = [peer.activity("Create", peer.note()) for _ in range(3)]
    others = other.activity("Create", other.note())
    messages = [peer.message(hq, what) for what in said]
    # One comes before them, as ``at_once`` has it.
    monkeypatch.setattr(taking_in, "TAKEN", Allowance(name="few", burst=3, every=timedelta(hours=1)))
    answers = at_once(*messages, other.message(hq, others))
    assert [answer.status_code for answer in answers] == [202, 202, 429, 202]
    assert int(answers[2].headers["Retry-After"]) > 0
    assert _kept(hq, *said, others) == [True, True, False, True]

    monkeypatch.undo()
    assert send(hq, messages[2]).status_code == 202, "what was refused was not remembered"


def test_one_that_the_database_does_not_take_among_others(
    hq: Service, peer: Peer, at_once: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails for itself, as what cannot be kept does."""
    good, bad = (peer.activity("Create", peer.note()) for _ in range(2))
    whole = insert_absent

    def refuse(session: Any, key: Any, rows: Sequence[dict[str, Any]]) -> Any:
        kept = [row | ({"actor": None} if row.get("uri") == bad["id"] else {}) for row in rows]
        return whole(session, key, kept)

    monkeypatch.setattr(taking_in, "insert_absent", refuse)
    answers = at_once(peer.message(hq, good), peer.message(hq, bad))
    assert [answer.status_code for answer in answers] == [202, 500]
    assert _kept(hq, good, bad) == [True, False]
