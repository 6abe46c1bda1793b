"""Jobs: the row is the truth. A hint says that there is work; a sweep finds what no hint told of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, and_, or_, select
from sqlalchemy.orm import Session

from repo_service.domain.resources import JobKind, JobState
from repo_service.models import Job
from repo_service.models.base import new_id, now
from repo_service.models.database import Database, after_commit
from repo_service.models.insert import insert_if_absent
from repo_service.services.records import Processing

log = structlog.get_logger(__name__)

Report = Callable[[float], None]
Observer = Callable[[str, str, float], None]
Handler = Callable[[str, Report], None]
"""Does the job for a key and reports progress from 0.0 to 1.0. Doing it twice does no harm."""

_FIRST_RETRY = timedelta(seconds=5)
_REASON_LENGTH = 1000
_BROKE_OFF = "It broke off for a reason of the service's own; the operators find it in the log."
_PROGRESS_STEP = 0.05
_SIGN_OF_LIFE_SECONDS = 20.0


class JobFailed(Exception):
    """The handler knows that trying again cannot help; the message says why to the owner."""


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

    def enqueue(self, session: Session, kind: JobKind, key: str) -> UUID:
        """Have this done after the commit of ``session``; returns the job's id.

        A job that is queued or running already serves.
        """
        moment = now()
        insert_if_absent(
            session,
            Job,
            id=new_id(),
            kind=kind.value,
            key=key,
            state=JobState.QUEUED.value,
            attempts=0,
            progress=0.0,
            next_try_at=moment,
            created_at=moment,
        )
        job = session.scalars(
            select(Job).where(Job.kind == kind.value, Job.key == key).with_for_update()
        ).one()
        if job.state in (JobState.DONE.value, JobState.FAILED.value):
            job.state, job.attempts, job.progress, job.reason = JobState.QUEUED.value, 0, 0.0, None
            job.next_try_at, job.finished_at = moment, None
        job_id = job.id
        after_commit(session, lambda: self._hint(job_id))
        return job_id

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
        kind, key, attempt = claimed
        structlog.contextvars.bind_contextvars(job=str(job_id), kind=kind.value, key=key)
        started = time.monotonic()
        outcome = "done"
        try:
            handlers[kind](key, self._reporter(job_id, attempt))
        except JobFailed as error:
            outcome = "failed"
            self._finish(job_id, attempt, JobState.FAILED, str(error))
        except Exception:
            outcome = "failed" if attempt >= self._limits.attempts else "retried"
            log.exception("job failed", attempt=attempt)
            self._try_again(job_id, attempt)
        else:
            self._finish(job_id, attempt, JobState.DONE, None)
        finally:
            self._observe(kind.value, outcome, time.monotonic() - started)
            structlog.contextvars.unbind_contextvars("job", "kind", "key")

    def sweep(self) -> int:
        """Hint at every job that is due or whose worker died; returns how many."""
        moment = now()
        with self._database.read() as session:
            due = session.scalars(
                select(Job.id)
                .where(
                    or_(
                        and_(Job.state == JobState.QUEUED.value, Job.next_try_at <= moment),
                        and_(Job.state == JobState.RUNNING.value, Job.lease_until <= moment),
                    )
                )
                .order_by(Job.next_try_at)
                .limit(1000)
            ).all()
        for job_id in due:
            self._hint(job_id)
        return len(due)

    def _claim(self, job_id: UUID) -> tuple[JobKind, str, int] | None:
        moment = now()
        with self._database.write() as session:
            job = session.scalar(select(Job).where(Job.id == job_id).with_for_update())
            if job is None:
                return None
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
                job.reason = "The worker died each time it tried."
                return None
            job.state = JobState.RUNNING.value
            job.attempts += 1
            job.lease_until = moment + self._limits.lease
            return JobKind(job.kind), job.key, job.attempts

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

    def _finish(self, job_id: UUID, attempt: int, state: JobState, reason: str | None) -> None:
        with self._database.write() as session:
            job = _held(session, job_id, attempt)
            if job is not None:
                job.state, job.finished_at, job.lease_until = state.value, now(), None
                job.reason = None if reason is None else reason[:_REASON_LENGTH]
                if state is JobState.DONE:
                    job.progress = 1.0

    def _try_again(self, job_id: UUID, attempt: int) -> None:
        if attempt >= self._limits.attempts:
            self._finish(job_id, attempt, JobState.FAILED, _BROKE_OFF)
            return
        with self._database.write() as session:
            job = _held(session, job_id, attempt)
            if job is not None:
                job.state, job.lease_until = JobState.QUEUED.value, None
                job.next_try_at = now() + _FIRST_RETRY * 4 ** (attempt - 1)
                job.reason = _BROKE_OFF


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
