"""Numbers over time: from the tables as they are, and downloads that nobody waits for."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from repo_service.domain.errors import Forbidden, Unauthorised
from repo_service.domain.identity import PUBLIC, SCOPES_OF_ROLE, Identity, Role
from repo_service.models import Account, DownloadCount, Resource, Version
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.download_counter import DownloadCounter
from repo_service.services.usage import DAYS, WEEKS
from tests.contract.support import DRAFT_BYTES, path_of, publish, share
from tests.support.service import OPERATOR, Service, json_of


def _rows(service: Service) -> dict[Any, int]:
    with service.services.database.read() as session:
        return {row.day: row.downloads for row in session.scalars(select(DownloadCount))}


def test_weeks_are_counted_from_what_is_there(any_service: Service) -> None:
    """On either database a week begins on Monday at midnight UTC."""
    teacher = any_service.member()
    publish(any_service, teacher)
    share(teacher, DRAFT_BYTES * 2)
    weeks = any_service.services.usage.weeks(OPERATOR)
    assert len(weeks) == WEEKS
    assert all(week.monday.weekday() == 0 for week in weeks)
    present = weeks[-1]
    assert present.monday <= now().date() < present.monday + timedelta(days=7)
    assert (present.resources, present.versions, present.people) == (2, 2, 1)
    assert present.bytes == 3 * len(DRAFT_BYTES)
    assert all(week.resources == week.bytes == week.people == 0 for week in weeks[:-1])

    monday = datetime.combine(present.monday, datetime.min.time(), UTC)
    with any_service.services.database.write() as session:
        session.execute(update(Resource).values(created_at=monday - timedelta(microseconds=1)))
        session.execute(update(Version).values(created_at=monday))
        session.execute(update(Account).values(created_at=monday - timedelta(days=7 * WEEKS)))
    *_, before, present = any_service.services.usage.weeks(OPERATOR)
    assert (before.resources, present.resources) == (2, 0)
    assert (before.versions, present.versions) == (0, 2)
    assert sum(week.people for week in any_service.services.usage.weeks(OPERATOR)) == 0


def test_downloads_are_counted_and_written_down_later(any_service: Service) -> None:
    """Whole files, and those that begin at their start; nothing else."""
    service = any_service
    owner = service.member()
    url = path_of(publish(service, owner)["versions"][0]["download_url"])
    public = service.client()
    counted: list[dict[str, str]] = [{}, {"Range": "bytes=0-9"}, {"Range": "bytes=0-"}]
    others: list[dict[str, str]] = [{"Range": "bytes=10-"}, {"Range": "bytes=-5"}]
    for headers in (*counted, *others):
        with public.get(url, headers=headers) as answer:
            assert answer.status_code in (200, 206, 302), headers
            etag = answer.headers.get("ETag", "")
    with public.head(url) as answer:
        assert answer.status_code == 200
    if etag:
        with public.get(url, headers={"If-None-Match": etag}) as answer:
            assert answer.status_code in (302, 304)
            extra = answer.status_code == 302
    draft = share(owner, DRAFT_BYTES * 2)
    link = json_of(owner.post(f"/api/v1/resources/{draft['id']}/versions/1/download-link"), 201)
    with public.get(path_of(link["url"])) as answer:
        assert answer.status_code in (200, 302)
    assert _rows(service) == {}, "no request waits for it"
    service.services.download_counter.write_down()
    assert _rows(service) == {now().date(): len(counted) + extra}
    service.services.download_counter.write_down()
    assert _rows(service) == {now().date(): len(counted) + extra}, "once"


def test_processes_add_up(any_service: Service) -> None:
    first, second = (DownloadCounter(any_service.services.database, every=3600) for _ in range(2))
    for counter, times in ((first, 3), (second, 4)):
        for _ in range(times):
            counter.count()
        counter.write_down()
    first.count()
    first.write_down()
    assert _rows(any_service) == {now().date(): 8}
    days = any_service.services.usage.days(OPERATOR)
    assert len(days) == DAYS
    assert (days[-1].day, days[-1].downloads) == (now().date(), 8)
    assert sum(day.downloads for day in days[:-1]) == 0


def test_many_at_once_lose_none(service: Service) -> None:
    counter = DownloadCounter(service.services.database, every=3600)

    def count_often() -> None:
        for _ in range(500):
            counter.count()

    threads = [threading.Thread(target=count_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        counter.write_down()
    for thread in threads:
        thread.join()
    counter.write_down()
    assert _rows(service) == {now().date(): 2000}


def test_it_is_written_by_itself(service: Service) -> None:
    counter = DownloadCounter(service.services.database, every=0.05)
    counter.count()
    deadline = time.monotonic() + 10
    while not _rows(service) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert _rows(service) == {now().date(): 1}


def test_a_database_that_is_away_loses_none(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = DownloadCounter(service.services.database, every=3600)
    counter.count()

    def fail(_database: object) -> Any:
        raise OperationalError("", {}, Exception("away"))

    with monkeypatch.context() as patched:
        patched.setattr(Database, "write", fail)
        counter.write_down()
    counter.count()
    counter.write_down()
    assert _rows(service) == {now().date(): 2}


def test_a_closed_one_does_not_try_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = DownloadCounter(service.services.database, every=0.01)
    tried = 0

    def fail(_database: object) -> Any:
        nonlocal tried
        tried += 1
        raise OperationalError("", {}, Exception("gone"))

    monkeypatch.setattr(Database, "write", fail)
    with monkeypatch.context() as patched:
        patched.setattr(counter, "_write_later", lambda: None)
        counter.count()
    counter.close()
    time.sleep(0.2)
    assert tried == 1


def test_only_moderators_see_numbers(service: Service) -> None:
    member = Identity(role=Role.MEMBER, scopes=SCOPES_OF_ROLE[Role.MEMBER])
    usage = service.services.usage
    for ask in (usage.weeks, usage.days):
        with pytest.raises(Unauthorised):
            ask(PUBLIC)
        with pytest.raises(Forbidden):
            ask(member)
