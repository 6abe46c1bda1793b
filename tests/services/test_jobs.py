"""Jobs: the row is the truth; hints may be lost, workers may die, and everything is done in the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from repo_service.domain.identity import Role
from repo_service.domain.resources import JobKind, JobState
from repo_service.jobs.queue import Queue
from repo_service.jobs.worker import handlers_of
from repo_service.models import Job
from repo_service.models.base import now
from repo_service.services.inspecting import Inspector
from repo_service.services.jobs import JobFailed, JobLimits, Jobs, JobWaits, Report
from storage import StorageUnavailable
from tests.contract.support import count, problem_of, share
from tests.support.service import MakeService, Service, json_of

_LIMITS = JobLimits(attempts=3, lease=timedelta(minutes=5))


class _Hints:
    """Takes hints, as a queue would."""

    def __init__(self) -> None:
        self.sent: list[UUID] = []

    def __call__(self, job_id: UUID) -> None:
        self.sent.append(job_id)


@pytest.fixture
def hints() -> _Hints:
    return _Hints()


@pytest.fixture
def jobs(any_service: Service, hints: _Hints) -> Jobs:
    return Jobs(any_service.services.database, _LIMITS, hint=hints)


def _enqueue(service: Service, jobs: Jobs, key: str = "thing") -> UUID:
    with service.services.database.write() as session:
        return jobs.enqueue(session, JobKind.INSPECT, key)


def _job(service: Service) -> Job:
    with service.services.database.read() as session:
        job = session.scalars(select(Job)).one()
        session.expunge(job)
        return job


def _set(service: Service, **values: Any) -> None:
    with service.services.database.write() as session:
        session.execute(update(Job).values(**values))


def _run(jobs: Jobs, job_id: UUID, handler: Callable[[str, Report], None]) -> None:
    jobs.run(job_id, {JobKind.INSPECT: handler})


def _nothing(_key: str, _report: Report) -> None:
    pass


def test_done_once(any_service: Service, jobs: Jobs, hints: _Hints) -> None:
    """However many hints come."""
    done: list[str] = []
    job_id = _enqueue(any_service, jobs)
    assert hints.sent == [job_id]
    for _ in range(3):
        _run(jobs, job_id, lambda key, report: done.append(key))
    assert done == ["thing"]
    job = _job(any_service)
    assert (job.state, job.attempts, job.progress, job.reason) == ("done", 1, 1.0, None)
    assert job.finished_at is not None


def test_enqueueing_twice_is_one_job(any_service: Service, jobs: Jobs) -> None:
    """While it waits or runs; afterwards it is done again."""
    done: list[str] = []
    first = _enqueue(any_service, jobs)
    assert _enqueue(any_service, jobs) == first
    assert count(any_service.services, "jobs") == 1
    for times in (1, 2):
        _run(jobs, first, lambda key, report: done.append(key))
        assert len(done) == times
        assert _enqueue(any_service, jobs) == first
        assert _job(any_service).state == JobState.QUEUED


def test_a_hint_counts_although_the_job_is_asked_for_again_meanwhile(
    any_service: Service, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker waits for its turn to write, which somebody has who gives no hint of their own."""
    database = any_service.services.database
    job_id = _enqueue(any_service, jobs)
    write = database.write

    @contextmanager
    def write_after_another() -> Iterator[Session]:
        with write() as session:
            jobs.enqueue(session, JobKind.INSPECT, "thing", again=True, hint=False)
        monkeypatch.undo()
        with write() as session:
            yield session

    monkeypatch.setattr(database, "write", write_after_another)
    done: list[str] = []
    _run(jobs, job_id, lambda key, report: done.append(key))
    assert done == ["thing"]


def test_a_job_that_is_not_committed_is_not_told(any_service: Service, jobs: Jobs, hints: _Hints) -> None:
    """The hint follows the commit."""

    def enqueue_and_fail() -> None:
        with any_service.services.database.write() as session:
            jobs.enqueue(session, JobKind.INSPECT, "thing")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        enqueue_and_fail()
    assert hints.sent == []
    assert count(any_service.services, "jobs") == 0


def test_a_lost_hint_is_found_by_the_sweep(any_service: Service, jobs: Jobs, hints: _Hints) -> None:
    """What is done or not due is not hinted at."""
    job_id = _enqueue(any_service, jobs)
    hints.sent.clear()
    assert jobs.sweep() == 1
    assert hints.sent == [job_id]
    _run(jobs, job_id, _nothing)
    assert jobs.sweep() == 0


def test_a_failing_handler_backs_off_and_gives_up(any_service: Service, jobs: Jobs) -> None:
    """Each wait is longer than the one before; what went wrong inside is nobody's business outside."""
    waits: list[timedelta] = []

    def fail(_key: str, _report: Report) -> None:
        raise RuntimeError("postgresql://repo:secret@10.0.0.1 said no")

    job_id = _enqueue(any_service, jobs)
    for attempt in range(1, _LIMITS.attempts + 1):
        before: datetime = now()
        _run(jobs, job_id, fail)
        job = _job(any_service)
        assert job.attempts == attempt
        assert job.reason
        assert "secret" not in job.reason
        if attempt < _LIMITS.attempts:
            assert job.state == JobState.QUEUED
            waits.append(job.next_try_at - before)
            assert jobs.sweep() == 0, "it is not due yet"
            _run(jobs, job_id, _nothing)
            assert _job(any_service).attempts == attempt, "a hint that comes early does nothing"
            _set(any_service, next_try_at=now())
    assert waits == sorted(waits)
    assert waits[0] >= timedelta(seconds=4)
    assert _job(any_service).state == JobState.FAILED
    _set(any_service, next_try_at=now())
    assert jobs.sweep() == 0


def test_what_cannot_be_helped_is_not_tried_again(any_service: Service, jobs: Jobs) -> None:
    """The handler says why."""

    def refuse(_key: str, _report: Report) -> None:
        raise JobFailed("The file has been deleted.")

    job_id = _enqueue(any_service, jobs)
    _run(jobs, job_id, refuse)
    job = _job(any_service)
    assert (job.state, job.attempts, job.reason) == ("failed", 1, "The file has been deleted.")
    assert jobs.sweep() == 0


def _die(any_service: Service, jobs: Jobs, job_id: UUID) -> None:
    """A worker takes the job and is killed."""

    class Killed(BaseException):
        pass

    def killed(_key: str, _report: Report) -> None:
        raise Killed

    with pytest.raises(Killed):
        _run(jobs, job_id, killed)


def test_a_dead_workers_job_is_tried_again_and_given_up(any_service: Service, jobs: Jobs) -> None:
    """Once its lease has run out, and not before."""
    job_id = _enqueue(any_service, jobs)
    for attempt in range(1, _LIMITS.attempts + 1):
        _die(any_service, jobs, job_id)
        job = _job(any_service)
        assert (job.state, job.attempts) == (JobState.RUNNING, attempt)
        assert jobs.sweep() == 0
        _run(jobs, job_id, _nothing)
        assert _job(any_service).state == JobState.RUNNING, "somebody is still at it, as far as one can tell"
        _set(any_service, lease_until=now())
        assert jobs.sweep() == 1
    _run(jobs, job_id, _nothing)
    job = _job(any_service)
    assert (job.state, job.attempts) == (JobState.FAILED, _LIMITS.attempts)
    assert "died" in str(job.reason)


def test_a_dead_workers_job_succeeds_at_the_second_try(any_service: Service, jobs: Jobs) -> None:
    """And looks as if nothing had happened."""
    job_id = _enqueue(any_service, jobs)
    _die(any_service, jobs, job_id)
    _set(any_service, lease_until=now())
    _run(jobs, job_id, _nothing)
    assert (_job(any_service).state, _job(any_service).attempts) == (JobState.DONE, 2)


def test_progress_keeps_the_lease(any_service: Service, jobs: Jobs) -> None:
    """A long job that reports is not taken for dead."""
    seen: list[float] = []

    def work(_key: str, report: Report) -> None:
        _set(any_service, lease_until=now() + timedelta(seconds=1))
        report(0.5)
        job = _job(any_service)
        assert job.lease_until is not None
        assert job.lease_until > now() + timedelta(minutes=4)
        seen.append(job.progress)

    _run(jobs, _enqueue(any_service, jobs), work)
    assert seen == [0.5]
    assert _job(any_service).state == JobState.DONE


@pytest.mark.parametrize("ending", ["returns", "fails", "refuses"])
def test_a_worker_that_was_taken_for_dead_has_no_say(any_service: Service, jobs: Jobs, ending: str) -> None:
    """It comes back after another has taken the job over: the other's state stands."""
    states: list[str] = []

    def slow(_key: str, report: Report) -> None:
        _set(any_service, lease_until=now())

        def other(_key: str, _report: Report) -> None:
            states.append(_job(any_service).state)

        _run(jobs, job_id, other)
        states.append(_job(any_service).state)
        report(0.7)
        if ending == "fails":
            raise RuntimeError("too late")
        if ending == "refuses":
            raise JobFailed("too late")

    job_id = _enqueue(any_service, jobs)
    _run(jobs, job_id, slow)
    assert states == [JobState.RUNNING, JobState.DONE]
    job = _job(any_service)
    assert (job.state, job.attempts, job.reason, job.progress) == (JobState.DONE, 2, None, 1.0)


def test_a_job_that_waits_never_fails_for_it(any_service: Service, jobs: Jobs) -> None:
    """Longer each time, up to a quarter of an hour; a worker that dies in between does not count for more."""
    errors: list[Exception] = [StorageUnavailable("10.0.0.1 refused"), JobWaits("second: no room")]

    def wait(_key: str, _report: Report) -> None:
        raise errors[0]

    job_id = _enqueue(any_service, jobs)
    waits: list[int] = []
    for _ in range(5 * _LIMITS.attempts):
        _run(jobs, job_id, wait)
        job = _job(any_service)
        assert job.state == JobState.QUEUED
        assert "10.0.0.1" not in str(job.reason)
        waits.append(round((job.next_try_at - now()).total_seconds()))
        assert jobs.sweep() == 0
        _set(any_service, next_try_at=now())
        errors.reverse()
    assert waits == sorted(waits)
    assert waits[-1] == 15 * 60
    _die(any_service, jobs, job_id)
    _set(any_service, lease_until=now())
    _run(jobs, job_id, _nothing)
    assert _job(any_service).state == JobState.DONE


def test_a_job_asked_for_again_while_it_runs_is_done_again(
    any_service: Service, jobs: Jobs, hints: _Hints
) -> None:
    """It may have looked already; without that wish the run under way serves."""
    done: list[str] = []

    def work(key: str, _report: Report) -> None:
        done.append(key)
        if len(done) < 3:
            with any_service.services.database.write() as session:
                jobs.enqueue(session, JobKind.INSPECT, key, again=len(done) == 1)

    job_id = _enqueue(any_service, jobs)
    hints.sent.clear()
    _run(jobs, job_id, work)
    assert _job(any_service).state == JobState.QUEUED
    assert hints.sent == [job_id] * 2, "at the wish, and when it can be done"
    _run(jobs, job_id, work)
    assert _job(any_service).state == JobState.DONE
    assert len(done) == 2


def test_a_failed_end_is_no_end_when_it_was_asked_for_again(any_service: Service, jobs: Jobs) -> None:
    """What stood in the way may have changed with the wish."""

    def refuse(key: str, _report: Report) -> None:
        with any_service.services.database.write() as session:
            jobs.enqueue(session, JobKind.INSPECT, key, again=True)
        raise JobFailed("The file has been deleted.")

    job_id = _enqueue(any_service, jobs)
    _run(jobs, job_id, refuse)
    job = _job(any_service)
    assert (job.state, job.attempts, job.reason) == (JobState.QUEUED, 0, None)


def test_a_job_that_waits_is_tried_at_once_when_it_is_asked_for_again(
    any_service: Service, jobs: Jobs, hints: _Hints
) -> None:
    """Whoever asks has a reason to."""
    job_id = _enqueue(any_service, jobs)
    _set(any_service, next_try_at=now() + timedelta(hours=1))
    _enqueue(any_service, jobs)
    assert jobs.sweep() == 0
    with any_service.services.database.write() as session:
        jobs.enqueue(session, JobKind.INSPECT, "thing", again=True)
    _run(jobs, job_id, _nothing)
    assert _job(any_service).state == JobState.DONE


def _enqueue_background(service: Service, jobs: Jobs, count: int) -> list[UUID]:
    with service.services.database.write() as session:
        return [jobs.enqueue(session, JobKind.REPLICATE, str(number), hint=False) for number in range(count)]


def test_background_jobs_lead_on_to_each_other(any_service: Service, jobs: Jobs, hints: _Hints) -> None:
    """One at a time is in the queue, so that others need not wait behind all of them."""
    ids = _enqueue_background(any_service, jobs, 3)
    urgent = _enqueue(any_service, jobs, "urgent")
    assert hints.sent == [urgent]
    hints.sent.clear()
    assert jobs.sweep() == 2
    assert hints.sent == [urgent, ids[0]]

    def work(key: str, _report: Report) -> None:
        assert jobs.sweep() == 1, "while one is at it, a sweep begins no second row of them"

    for number, job_id in enumerate(ids):
        hints.sent.clear()
        jobs.run(job_id, {JobKind.REPLICATE: work})
        assert [sent for sent in hints.sent if sent != urgent] == ids[number + 1 : number + 2]


def test_a_background_job_that_waits_does_not_lead_on(
    any_service: Service, jobs: Jobs, hints: _Hints
) -> None:
    """The others would run into the same silence: a sweep tries the next in a minute."""
    first, second = _enqueue_background(any_service, jobs, 2)

    def wait(_key: str, _report: Report) -> None:
        raise JobWaits("second: the store does not answer")

    jobs.run(first, {JobKind.REPLICATE: wait})
    assert hints.sent == []
    assert jobs.sweep() == 1
    assert hints.sent == [second]


def test_a_queue_that_is_down_does_not_break_a_background_job(
    any_service: Service, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is done; the next one is found by a sweep."""
    first, _ = _enqueue_background(any_service, jobs, 2)

    def fail(_job_id: UUID) -> None:
        raise ConnectionError("redis is away")

    monkeypatch.setattr(jobs, "_hint", fail)
    jobs.run(first, {JobKind.REPLICATE: _nothing})
    found = jobs.find(JobKind.REPLICATE, "0")
    assert found is not None
    assert found.state == JobState.DONE
    assert jobs.find(JobKind.REPLICATE, "nothing") is None


def test_two_workers_with_the_same_hint(any_service: Service, jobs: Jobs) -> None:
    """One does it."""
    done: list[str] = []
    job_id, together = _enqueue(any_service, jobs), threading.Barrier(4)

    def work() -> None:
        together.wait()
        _run(jobs, job_id, lambda key, report: done.append(key))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == ["thing"]
    assert _job(any_service).attempts == 1


def test_a_queue_that_is_down_fails_no_upload(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is as always; readiness says which part is missing; the sweep does the work later."""
    service = make_service(queue_url="redis://127.0.0.1:1/0")
    teacher = service.member()
    resource = share(teacher, licence="CC-BY-4.0", release=True)
    assert resource["versions"][0]["processing"]["state"] == "queued"
    ready = service.client().get("/readyz")
    assert ready.status_code == 503
    assert ready.get_json()["parts"] == {"database": True, "store": True, "queue": False}
    assert "redis" not in ready.text
    service.work()
    assert json_of(service.client().get(f"/api/v1/resources/{resource['id']}"))["visibility"] == "public"


def test_the_worker_catches_up_with_what_was_left(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its start and every minute: jobs whose hint was lost, and the outbox."""
    hinted: list[UUID] = []
    monkeypatch.setattr(service.services.jobs, "_hint", hinted.append)
    teacher = service.member()
    resource = share(teacher, licence="CC-BY-4.0", release=True)
    [inspection] = hinted
    hinted.clear()
    handlers = handlers_of(service.services)
    handlers.sweep()
    assert hinted.count(inspection) == 1
    handlers.run_job(inspection)
    handlers.sweep()
    found = json_of(service.client().get("/api/v1/resources", query_string={"q": "notes"}))
    assert [item["id"] for item in found["items"]] == [resource["id"]]


def test_a_failed_inspection_is_told_and_can_be_retried(
    any_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its owner or a moderator, not by strangers; what broke inside is not told."""
    teacher = any_service.member()
    resource = share(teacher, licence="CC-BY-4.0", release=True)
    url = f"/api/v1/resources/{resource['id']}"

    def fail(*_arguments: object) -> None:
        raise RuntimeError("/srv/secret/path is broken")

    with monkeypatch.context() as patch:
        patch.setattr(Inspector, "look", fail)
        for _ in range(any_service.settings.job_attempts):
            _set(any_service, next_try_at=now())
            any_service.work()
    shown = json_of(teacher.get(url))["versions"][0]["processing"]
    assert (shown["state"], shown["attempts"]) == ("failed", any_service.settings.job_attempts)
    assert shown["reason"]
    assert "secret" not in shown["reason"]
    problem = problem_of(teacher.get(f"{url}/versions/1/inspection"), "not-inspected")
    assert problem["state"] == "failed"

    problem_of(any_service.client().post(f"{url}/versions/1/inspection"), "unauthorised")
    problem_of(any_service.member("stranger").post(f"{url}/versions/1/inspection"), "not-found")
    problem_of(teacher.post(f"{url}/versions/2/inspection"), "not-found")
    moderator = any_service.client(any_service.token("moderator", role=Role.MODERATOR))
    again = json_of(moderator.post(f"{url}/versions/1/inspection"), 202)
    assert again["versions"][0]["processing"] == {
        "state": "queued",
        "progress": 0.0,
        "attempts": 0,
        "reason": None,
    }
    any_service.work()
    assert json_of(any_service.client().get(url))["visibility"] == "public"


def test_inspecting_again_is_harmless(any_service: Service) -> None:
    """Every handler may run twice, also on what has been deleted meanwhile."""
    teacher = any_service.member()
    resource = share(teacher)
    any_service.work()
    url = f"/api/v1/resources/{resource['id']}/versions/1/inspection"
    before = json_of(teacher.get(url))
    json_of(teacher.post(url), 202)
    any_service.work()
    assert json_of(teacher.get(url)) == before
    assert count(any_service.services, "inspections") == 1


def test_a_queue_keeps_its_hints_for_a_worker() -> None:
    """In memory, as the tests of the service use it."""
    queue = Queue("memory:")
    queue.check()
    queue.hint_changes()
    queue.close()


def test_quick_work_in_the_background_is_begun_at_once(
    any_service: Service, jobs: Jobs, hints: _Hints
) -> None:
    """Of many, the first only: it leads on to the next."""
    with any_service.services.database.write() as session:
        first = jobs.enqueue_behind(session, JobKind.INDEX, "one")
        assert hints.sent == []
        jobs.enqueue(session, JobKind.INDEX, "two", hint=False)
    assert hints.sent == [first]
