"""The outbox: numbered once each, in an order in which a follower misses nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from repo_service.models import Change
from repo_service.models.base import new_id
from repo_service.services import resources
from repo_service.services.changes import Changes
from tests.contract.support import nothing_changes, share
from tests.support.service import MakeService, Service, json_of


def _add(service: Service, count: int, *, what: str = "updated") -> None:
    with service.services.database.write() as session:
        session.add_all([Change(noun="resource", noun_id=str(new_id()), what=what) for _ in range(count)])


def _numbers(service: Service) -> list[int | None]:
    with service.services.database.read() as session:
        return list(session.scalars(select(Change.seq).order_by(Change.seq)))


def _at_once(work: list[Callable[[], object]]) -> None:
    """Do all of ``work`` in threads that start together; the first error is raised."""
    together, errors = threading.Barrier(len(work)), []

    def run(piece: Callable[[], object]) -> None:
        together.wait()
        try:
            piece()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(piece,)) for piece in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_a_transaction_held_open_is_not_missed(postgres_url: str, make_service: MakeService) -> None:
    """Its row has the smaller id and is committed later: by id, a follower would have passed it already.

    On SQLite this cannot come about: there is one writer at a time.
    """
    service = make_service(database_url=postgres_url)
    changes = service.services.changes
    with service.services.database.write() as held:
        slow = Change(noun="resource", noun_id="slow", what="created")
        held.add(slow)
        held.flush()
        _add(service, 3)
        with service.services.database.read() as session:
            assert slow.id < min(session.scalars(select(Change.id)).all())
        assert changes.sequence() == 3
        followed = changes.after(0)
        assert len(followed) == 3
        position = followed[-1].seq
    assert changes.sequence() == 1
    assert [(change.noun_id, change.seq) for change in changes.after(position)] == [("slow", position + 1)]


def test_many_writers_and_many_sequencers(any_service: Service) -> None:
    """Each row gets one number, without gaps, and a follower reading all the while sees each row once."""
    services = any_service.services
    rows, writers, sequencers = 25, 4, 3
    writing = threading.Event()
    followed: list[int] = []

    def write() -> None:
        for _ in range(rows):
            _add(any_service, 1)

    def sequence() -> None:
        own = Changes(services.database)
        while not writing.is_set():
            own.sequence()

    def follow() -> None:
        position = 0
        while True:
            last = writing.is_set()
            if last:
                services.changes.sequence()
            for change in services.changes.after(position, limit=7):
                followed.append(change.seq)
                position = change.seq
            if last and len(followed) >= writers * rows:
                return

    def write_all() -> None:
        try:
            _at_once([write] * writers)
        finally:
            writing.set()

    _at_once([write_all, follow, *[sequence] * sequencers])
    expected = list(range(1, writers * rows + 1))
    assert _numbers(any_service) == expected
    assert followed == expected


def test_more_rows_than_one_batch(service: Service) -> None:
    """All are numbered in one call, in the order of their ids."""
    _add(service, 2500)
    assert service.services.changes.sequence() == 2500
    assert service.services.changes.sequence() == 0
    with service.services.database.read() as session:
        assert list(session.scalars(select(Change.seq).order_by(Change.id))) == list(range(1, 2501))
    assert service.services.changes.latest() == 2500


def test_a_change_is_rolled_back_with_what_it_tells_of(
    any_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resource, version, audit entry, outbox row and job are one transaction, and nobody is told before."""
    teacher = any_service.member()
    resource = share(teacher)
    any_service.work()

    def fail(*_arguments: object) -> Any:
        raise RuntimeError("the power went out")

    with nothing_changes(any_service):
        monkeypatch.setattr(resources, "record_of", fail)
        response = teacher.patch(f"/api/v1/resources/{resource['id']}", json={"title": "Another"})
        assert response.status_code == 500
        assert "power" not in response.text
    monkeypatch.undo()
    assert json_of(teacher.get(f"/api/v1/resources/{resource['id']}"))["title"] != "Another"


def test_each_deed_is_told(service: Service) -> None:
    """What followers of the outbox read of a resource's life."""
    teacher = service.member()
    before = service.services.changes.sequence()
    resource = share(teacher, licence="CC-BY-4.0", release=True)
    url = f"/api/v1/resources/{resource['id']}"
    service.work()
    json_of(teacher.patch(url, json={"title": "Rivers"}))
    assert teacher.post(f"{url}/withdraw", json={"reason": "Old."}).status_code == 204
    json_of(teacher.post(f"{url}/restore"))
    service.services.changes.sequence()
    told = [c.what for c in service.services.changes.after(before) if c.noun_id == resource["id"]]
    assert told == ["created", "inspected", "released", "updated", "withdrawn", "restored"]
