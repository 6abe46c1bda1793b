"""The worker is told of what comes in: once for many, and never too seldom, however transactions meet."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from repo_service.domain.resources import JobKind, JobState
from repo_service.jobs.worker import handlers_of
from repo_service.models import Job, ReceivedActivity
from repo_service.models.insert import insert_absent
from repo_service.services import taking_in
from tests.contract.federating import Peer, approve, peering
from tests.support.service import MakeService, Service

_SECONDS = 30


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Another server."""
    with peering() as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def hq(request: pytest.FixtureRequest, make_service: MakeService, peer: Peer) -> Service:
    """A service that has approved the peer, on either database."""
    settings = {}
    if request.param == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgres_database")()
    return _approving(make_service, peer, **settings)


def _approving(make_service: MakeService, peer: Peer, **settings: Any) -> Service:
    service = make_service(federation_loopback=True, **settings)
    approve(service, peer.name)
    service.work()
    return service


class _Worker:
    """Does the jobs of the inbox that it is told of, and no other."""

    def __init__(self, hq: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hints: list[UUID] = []
        self._hq = hq
        monkeypatch.setattr(hq.services.jobs, "_hint", self._take)

    def _take(self, job_id: UUID) -> None:
        with self._hq.services.database.read() as session:
            if session.get_one(Job, job_id).kind == JobKind.RECEIVE.value:
                self.hints.append(job_id)

    def work(self) -> None:
        handlers = handlers_of(self._hq.services)
        while self.hints:
            handlers.run_job(self.hints.pop(0))


def _say(hq: Service, peer: Peer) -> None:
    """Something about which nothing is to be done."""
    assert peer.post(hq, peer.activity("Undo", peer.id())).status_code == 202


def _waiting(hq: Service) -> int:
    waiting = select(ReceivedActivity).where(ReceivedActivity.next_try_at.is_not(None))
    with hq.services.database.read() as session:
        return len(session.scalars(waiting).all())


def test_one_hint_for_many(hq: Service, peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = _Worker(hq, monkeypatch)
    for _ in range(3):
        _say(hq, peer)
    assert len(worker.hints) == 1
    worker.work()
    assert _waiting(hq) == 0
    _say(hq, peer)
    assert len(worker.hints) == 1
    worker.work()
    assert _waiting(hq) == 0


def test_what_comes_while_the_worker_is_at_it(
    hq: Service, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after it has looked for the last time, when it has not yet said that it is done."""
    worker = _Worker(hq, monkeypatch)
    whole = hq.services.receiver._next
    came: list[int] = []

    def come_when_there_is_nothing(instance_id: UUID) -> ReceivedActivity | None:
        found = whole(instance_id)
        if found is None and not came:
            came.append(1)
            _say(hq, peer)
        return found

    monkeypatch.setattr(hq.services.receiver, "_next", come_when_there_is_nothing)
    _say(hq, peer)
    worker.work()
    assert came == [1]
    assert _waiting(hq) == 0


def test_what_is_kept_while_the_worker_does_the_last_that_it_sees(
    make_service: MakeService,
    peer: Peer,
    postgres_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two transactions at once: that of the request has seen the first activity wait, and commits when the
    worker has done that one, seen no other, and ended."""
    hq = _approving(make_service, peer, database_url=postgres_url)
    worker = _Worker(hq, monkeypatch)
    _say(hq, peer)
    begun, done = threading.Event(), threading.Event()
    whole: Callable[..., set[str]] = insert_absent

    def wait_for_the_worker(*arguments: Any) -> set[str]:
        begun.set()
        assert done.wait(_SECONDS)
        return whole(*arguments)

    monkeypatch.setattr(taking_in, "insert_absent", wait_for_the_worker)
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(_say, hq, peer)
        assert begun.wait(_SECONDS)
        worker.work()
        with hq.services.database.read() as session:
            job = session.scalars(select(Job).where(Job.kind == JobKind.RECEIVE.value)).one()
            assert job.state == JobState.DONE.value
        done.set()
        request.result(_SECONDS)
    assert _waiting(hq) == 1
    worker.work()
    assert _waiting(hq) == 0


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
def test_a_job_that_nobody_is_told_of(
    hq: Service, peer: Peer, monkeypatch: pytest.MonkeyPatch, state: JobState
) -> None:
    """It broke off and waits for its next try, or its worker died: what comes now need not wait for that."""
    worker = _Worker(hq, monkeypatch)
    _say(hq, peer)
    with hq.services.database.write() as session:
        job = session.scalars(select(Job).where(Job.kind == JobKind.RECEIVE.value)).one()
        job.state, job.attempts = state.value, 1
        if state is JobState.RUNNING:
            job.lease_until = job.next_try_at
        else:
            job.next_try_at += hq.services.jobs._limits.lease
    worker.hints.clear()
    _say(hq, peer)
    worker.work()
    assert _waiting(hq) == 0
