"""Jobs: the row is the truth. A hint says that there is work; a sweep finds what no hint told of."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Exists, Row, Select, and_, bindparam, exists, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from repo_service.domain.resources import JobKind, JobState
from repo_service.domain.texts import text
from repo_service.models import Job
from repo_service.models.base import new_id, now
from repo_service.models.database import Database, after_commit
from repo_service.models.insert import insert_absent
from repo_service.services.records import Processing
from storage import StorageUnavailable

log = structlog.get_logger(__name__)

Report = Callable[[float], None]
Observer = Callable[[str, str, float], None]
Handler = Callable[[str, Report], None]
"""Does the job for a key and reports progress from 0.0 to 1.0. Doing it twice does no harm."""

_FIRST_RETRY = timedelta(seconds=5)
_REASON_LENGTH = 1000
_BROKE_OFF = text("It broke off for a reason of the service's own; the operators find it in the log.")
_PROGRESS_STEP = 0.05
_SIGN_OF_LIFE_SECONDS = 20.0


_LONGEST_WAIT = timedelta(minutes=15)
_STORE_SILENT = text("A store does not answer: it is tried again until it does.")
_GIVEN_UP_FOR = timedelta(days=1)
"""How long a job that failed is not begun anew by those that look for what is owed."""
_IN_BACKGROUND = (JobKind.REPLICATE.value, JobKind.FETCH.value, JobKind.INDEX.value)
"""Kinds of which very many may be due at once. They are not all hinted at: one leads on to the next, so that
what somebody waits for does not stand in line behind them."""

_OF_KEYS = (
    select(Job)
    .where(Job.kind == bindparam("kind"), Job.key.in_(bindparam("keys", expanding=True)))
    .order_by(Job.key)  # so that those who lock the same rows do not wait in a circle
    .with_for_update()
)


class JobFailed(Exception):
    """The handler knows that trying again cannot help; the message says why to the owner."""


class JobWaits(Exception):
    """Something is missing that will be there again; the message says what. The job never fails for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """How often a job is tried, and how long it may show no sign of life."""

    attempts: int
    lease: timedelta


class Jobs:
    """Enqueue, run and find jobs. ``hint`` tells a worker about a job; losing it costs only time."""

    def __init__(
        self,
        database: Database,
        limits: JobLimits,
        *,
        hint: Callable[[UUID], None],
        observe: Observer = lambda kind, outcome, seconds: None,
    ) -> None:
        """``observe`` is told of every run: the kind, how it ended (done, retried, failed), seconds."""
        self._database = database
        self._limits = limits
        self._hint = hint
        self._observe = observe

    def enqueue(
        self, session: Session, kind: JobKind, key: str, *, again: bool = False, hint: bool = True
    ) -> UUID:
        """Have this done after the commit of ``session``; returns the job's id.

        A job that is queued or running already serves; with ``again`` one that waits for its next try is
        tried at once, and one that runs, and may have looked already, is done once more. Without ``hint`` no
        worker is told: a sweep will find it.
        """
        ((job, _),) = self._enqueued(session, kind, [key])
        if again:
            _have_done_again(job)
        job_id = job.id
        if hint:
            after_commit(session, lambda: self._hint(job_id))
        return job_id

    def enqueue_behind(self, session: Session, kind: JobKind, key: str, *, again: bool = False) -> UUID:
        """``enqueue``, for work in the background that is quick: a worker is told of it, or of what is due
        before it, unless one is at such work already and will come to it."""

        def hint_next() -> None:
            self._hint_next()

        job_id = self.enqueue(session, kind, key, again=again, hint=False)
        after_commit(session, hint_next)
        return job_id

    def wake(self, session: Session, kind: JobKind, keys: Collection[str]) -> None:
        """Have these done once more after the commit of ``session``, for work of which very much may come at
        once: a worker is told only where none has been told, or was, and may have looked already.

        The job itself says so while it is locked. The work that waits would not: what is seen of it may be
        done before this commits, by a worker that does not see what this adds.
        """
        for job, is_new in self._enqueued(session, kind, keys):
            is_told = not is_new and _is_told(job)
            _have_done_again(job)
            if not is_told:
                after_commit(session, functools.partial(self._hint, job.id))

    def enqueue_all(self, kind: JobKind, keys: Iterable[str]) -> int:
        """Have this done for each key; returns how many."""
        count = 0
        for key in keys:
            with self._database.write() as session:
                self.enqueue(session, kind, key)
            count += 1
        return count

    def run(self, job_id: UUID, handlers: Mapping[JobKind, Handler]) -> None:
        """Do one job, unless it is done, being done, or not due."""
        claimed = self._claim(job_id)
        if claimed is None:
            return
        kind, key, attempt = claimed.kind, claimed.key, claimed.attempt
        structlog.contextvars.bind_contextvars(job=str(job_id), kind=kind.value, key=key)
        started = time.monotonic()
        outcome = "done"
        try:
            handlers[kind](key, self._reporter(job_id, attempt))
        except JobFailed as error:
            outcome = "failed"
            self._finish(job_id, claimed, JobState.FAILED, str(error))
        except (JobWaits, StorageUnavailable) as error:
            outcome = "waits"
            log.warning("job waits", attempt=attempt, error=str(error))
            self._wait(job_id, attempt, str(error) if isinstance(error, JobWaits) else _STORE_SILENT)
        except Exception:
            outcome = "failed" if attempt >= self._limits.attempts else "retried"
            log.exception("job failed", attempt=attempt)
            self._try_again(job_id, claimed)
        else:
            self._finish(job_id, claimed, JobState.DONE, None)
        finally:
            self._observe(kind.value, outcome, time.monotonic() - started)
            structlog.contextvars.unbind_contextvars("job", "kind", "key")
        if kind.value in _IN_BACKGROUND and outcome != "waits":
            try:
                self._hint_next()
            except Exception:  # the queue is down: a sweep goes on with it
                log.exception("a hint was lost")

    def find(self, kind: JobKind, key: str) -> Processing | None:
        """Where the job stands; None when there is none."""
        with self._database.read() as session:
            job = session.scalar(select(Job).where(Job.kind == kind.value, Job.key == key))
            if job is None:
                return None
            return Processing(
                state=JobState(job.state), progress=job.progress, attempts=job.attempts, reason=job.reason
            )

    def given_up(self, session: Session, kind: JobKind, key: str, *, since: datetime) -> str | None:
        """Why this job failed lately, and after ``since``; None when it did not."""
        query = select(Job.reason).where(Job.kind == kind.value, Job.key == key, Job.finished_at >= since)
        return session.scalar(query.where(_failed_lately()))

    def sweep(self) -> int:
        """Hint at every job that is due or whose worker died; returns how many."""
        with self._database.read() as session:
            due = session.scalars(
                _due().where(Job.kind.not_in(_IN_BACKGROUND)).order_by(Job.next_try_at).limit(1000)
            ).all()
        for job_id in due:
            self._hint(job_id)
        return len(due) + self._hint_next()

    def _enqueued(self, session: Session, kind: JobKind, keys: Collection[str]) -> list[tuple[Job, bool]]:
        """The jobs, locked, and whether each is to be done anew: there was none, or it was over."""
        moment = now()
        wanted = {"kind": kind.value, "keys": list(keys)}
        jobs = list(session.scalars(_OF_KEYS, wanted))
        new: set[str] = set()
        if missing := sorted(set(keys) - {job.key for job in jobs}):
            rows = [_row(kind, key, moment) for key in missing]
            new = insert_absent(session, Job.key, rows)
            jobs = list(session.scalars(_OF_KEYS, wanted))
        return [(job, _begin_anew(job, moment) or job.key in new) for job in jobs]

    def _hint_next(self) -> bool:
        """Hint at one background job that is due, unless one is running; returns whether there is one."""
        running = exists().where(
            Job.kind.in_(_IN_BACKGROUND), Job.state == JobState.RUNNING.value, Job.lease_until > now()
        )
        with self._database.read() as session:
            if session.scalar(select(running)):
                return False
            job_id = session.scalar(
                _due().where(Job.kind.in_(_IN_BACKGROUND)).order_by(Job.next_try_at).limit(1)
            )
        if job_id is None:
            return False
        self._hint(job_id)
        return True

    def _claim(self, job_id: UUID) -> _Claimed | None:
        with self._database.write() as session:
            job = session.scalar(select(Job).where(Job.id == job_id).with_for_update())
            if job is None:
                return None
            # Not sooner: who asked for it again while this waited for its turn gave it a later moment, and it
            # would seem not to be due.
            moment = now()
            waiting = job.state == JobState.QUEUED.value and job.next_try_at <= moment
            dead = (
                job.state == JobState.RUNNING.value
                and job.lease_until is not None
                and job.lease_until <= moment
            )
            if not (waiting or dead):
                return None
            if dead and job.attempts >= self._limits.attempts:
                job.state, job.finished_at = JobState.FAILED.value, moment
                job.reason = text("The worker died each time it tried.")
                return None
            job.state = JobState.RUNNING.value
            job.attempts += 1
            job.next_try_at, job.lease_until = moment, moment + self._limits.lease
            return _Claimed(kind=JobKind(job.kind), key=job.key, attempt=job.attempts, at=moment)

    def _reporter(self, job_id: UUID, attempt: int) -> Report:
        told, at = 0.0, time.monotonic()

        def report(share: float) -> None:
            nonlocal told, at
            if share < told + _PROGRESS_STEP and time.monotonic() < at + _SIGN_OF_LIFE_SECONDS:
                return
            told, at = share, time.monotonic()
            with self._database.write() as session:
                job = _held(session, job_id, attempt)
                if job is not None:
                    job.progress = min(share, 1.0)
                    job.lease_until = now() + self._limits.lease

        return report

    def _finish(self, job_id: UUID, claimed: _Claimed, state: JobState, reason: str | None) -> None:
        with self._database.write() as session:
            job = _held(session, job_id, claimed.attempt)
            if job is None:
                return
            job.lease_until = None
            if job.next_try_at != claimed.at:  # somebody asked for it again meanwhile
                job.state, job.attempts, job.progress, job.reason = JobState.QUEUED.value, 0, 0.0, None
                after_commit(session, lambda: self._hint(job_id))
                return
            job.state, job.finished_at = state.value, now()
            job.reason = None if reason is None else reason[:_REASON_LENGTH]
            if state is JobState.DONE:
                job.progress = 1.0

    def _try_again(self, job_id: UUID, claimed: _Claimed) -> None:
        if claimed.attempt >= self._limits.attempts:
            self._finish(job_id, claimed, JobState.FAILED, _BROKE_OFF)
            return
        delay = _FIRST_RETRY * 4 ** (claimed.attempt - 1)
        self._requeue(job_id, claimed.attempt, delay, _BROKE_OFF)

    def _wait(self, job_id: UUID, attempt: int, reason: str) -> None:
        """As after a failure, but without an end: the attempts that count are never used up."""
        patient = max(0, self._limits.attempts - 2)
        delay = _FIRST_RETRY * 4 ** (attempt - 1) if attempt < patient else _LONGEST_WAIT
        self._requeue(job_id, attempt, min(delay, _LONGEST_WAIT), reason, counted=min(attempt, patient))

    def _requeue(
        self, job_id: UUID, attempt: int, delay: timedelta, reason: str, *, counted: int | None = None
    ) -> None:
        with self._database.write() as session:
            job = _held(session, job_id, attempt)
            if job is not None:
                job.state, job.lease_until = JobState.QUEUED.value, None
                job.next_try_at = now() + delay
                job.reason = reason[:_REASON_LENGTH]
                if counted is not None:
                    job.attempts = counted


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claimed:
    """A job that is being done: which attempt it is, and since when."""

    kind: JobKind
    key: str
    attempt: int
    at: datetime


def _due() -> Select[UUID]:
    """Jobs to do now: those that wait, and those whose worker died."""
    moment = now()
    return select(Job.id).where(
        or_(
            and_(Job.state == JobState.QUEUED.value, Job.next_try_at <= moment),
            and_(Job.state == JobState.RUNNING.value, Job.lease_until <= moment),
        )
    )


def _row(kind: JobKind, key: str, moment: datetime) -> dict[str, Any]:
    """A job that waits and was never tried, for ``insert_absent``."""
    return {
        "id": new_id(),
        "kind": kind.value,
        "key": key,
        "state": JobState.QUEUED.value,
        "attempts": 0,
        "progress": 0.0,
        "next_try_at": moment,
        "created_at": moment,
    }


def _begin_anew(job: Job, moment: datetime) -> bool:
    """Have a job that is over begin as if it were new; returns whether it was over."""
    if job.state not in (JobState.DONE.value, JobState.FAILED.value):
        return False
    job.state, job.attempts, job.progress, job.reason = JobState.QUEUED.value, 0, 0.0, None
    job.next_try_at, job.finished_at = moment, None
    return True


def _have_done_again(job: Job) -> None:
    """Have a job that waits done now, and one that runs, and may have looked already, once more."""
    moment = now()
    is_due = job.state == JobState.QUEUED.value and job.next_try_at <= moment
    if not is_due:  # or the hint that is on its way could find that it is not yet
        job.next_try_at = moment


def _is_told(job: Job) -> bool:
    """Whether a worker is sure to look after this transaction: the hint of a job that was not tried yet leads
    to one that has to wait for our lock, and who is at it gives another hint at the end (``_finish``)."""
    moment = now()
    if job.state == JobState.RUNNING.value:
        return job.lease_until is not None and job.lease_until > moment
    return job.attempts == 0 and job.next_try_at <= moment


def in_hand(kind: JobKind, key: ColumnElement[str] | InstrumentedAttribute[str]) -> Exists:
    """Whether a job is about to see to the thing of the query with that key, or could not help it lately."""
    waits = Job.state.in_((JobState.QUEUED.value, JobState.RUNNING.value))
    return (
        exists()
        .where(Job.kind == kind.value, Job.key == key, or_(waits, _failed_lately()))
        .correlate_except(Job)
    )


def _failed_lately() -> ColumnElement[bool]:
    return and_(Job.state == JobState.FAILED.value, Job.finished_at > now() - _GIVEN_UP_FOR)


def _held(session: Session, job_id: UUID, attempt: int) -> Job | None:
    """The job while this attempt runs: a worker that was taken for dead has no say any more."""
    return session.scalar(
        select(Job)
        .where(Job.id == job_id, Job.state == JobState.RUNNING.value, Job.attempts == attempt)
        .with_for_update()
    )


def processing_of(
    job: Job | Row[*tuple[Any, ...]] | None, *, inspected: bool, unreadable: str | None
) -> Processing:
    """Where the work on a version stands; ``unreadable`` says why its file could not be inspected.

    ``job`` may be a row with the columns of one.
    """
    if unreadable is not None:
        return Processing(state=JobState.FAILED, progress=1.0, attempts=1, reason=unreadable)
    if job is None or (inspected and job.state == JobState.DONE.value):
        state = JobState.DONE if inspected else JobState.QUEUED
        return Processing(state=state, progress=float(inspected), attempts=1, reason=None)
    return Processing(
        state=JobState(job.state), progress=job.progress, attempts=job.attempts, reason=job.reason
    )
