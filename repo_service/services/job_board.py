"""Jobs as administrators look after them: what runs, waits or failed, why, and trying again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from repo_service.domain.errors import Conflict, NotFound
from repo_service.domain.identity import Identity, Scope
from repo_service.domain.resources import JobKind, JobState, Noun
from repo_service.models import Job, Version
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services import paging
from repo_service.services.accounts import require_scope
from repo_service.services.jobs import Jobs
from repo_service.services.records import Page
from repo_service.services.trail import audit

_UNFINISHED = (JobState.QUEUED, JobState.RUNNING, JobState.FAILED)
_ABOUT_VERSIONS = frozenset({JobKind.INSPECT.value, JobKind.CLEAN.value})
"""Kinds whose key is the id of a version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCount:
    """How many jobs of a kind are in a state."""

    kind: JobKind
    state: JobState
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """One job. ``progress`` from 0.0 to 1.0; ``reason`` says why it failed, or waits; ``next_try_at`` is None
    for one that does not wait, ``resource_id`` the resource that it is about, where it is about one.
    ``is_stuck``: its worker shows no sign of life, and another will begin it anew."""

    id: UUID
    kind: JobKind
    key: str
    state: JobState
    attempts: int
    progress: float
    reason: str | None
    next_try_at: datetime | None
    is_stuck: bool
    created_at: datetime
    finished_at: datetime | None
    resource_id: UUID | None

    @property
    def can_be_retried(self) -> bool:
        """Whether it can be tried again now."""
        return self.state in (JobState.FAILED, JobState.QUEUED)


class JobBoard:
    """Use cases about jobs, for administrators."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    def counts(self, identity: Identity) -> Sequence[JobCount]:
        """How many jobs there are, by kind and state."""
        require_scope(identity, Scope.ADMINISTER)
        query = (
            select(Job.kind, Job.state, func.count())
            .group_by(Job.kind, Job.state)
            .order_by(Job.kind, Job.state)
        )
        with self._database.read() as session:
            return [
                JobCount(kind=JobKind(kind), state=JobState(state), count=count)
                for kind, state, count in session.execute(query)
            ]

    def list(
        self,
        identity: Identity,
        *,
        limit: int,
        cursor: str | None = None,
        kind: JobKind | None = None,
        state: JobState | None = None,
    ) -> Page[JobRecord]:
        """Jobs, newest first: those that are not done, unless a ``state`` is asked for.

        Raises InvalidCursor.
        """
        require_scope(identity, Scope.ADMINISTER)
        states = _UNFINISHED if state is None else (state,)
        query = (
            select(Job)
            .where(Job.state.in_([wanted.value for wanted in states]))
            .order_by(Job.id.desc())
            .limit(limit + 1)
        )
        if kind is not None:
            query = query.where(Job.kind == kind.value)
        if cursor is not None:
            query = query.where(Job.id < paging.decode_uuid(cursor))
        with self._database.read() as session:
            jobs = session.scalars(query).all()
            about = _resources_of(session, jobs)
            return paging.page_of(
                jobs, limit, key=lambda job: job.id, record=lambda job: _record(job, about.get(job.key))
            )

    def retry(self, identity: Identity, job_id: UUID) -> JobRecord:
        """Have a job that failed, or waits for its next try, tried again at once.

        Raises NotFound, Conflict for one that runs or is done.
        """
        require_scope(identity, Scope.ADMINISTER)
        with self._database.write() as session:
            job = session.get(Job, job_id, with_for_update=True)
            if job is None:
                raise NotFound("There is no such job.")
            if job.state not in (JobState.FAILED.value, JobState.QUEUED.value):
                raise Conflict("Only a job that failed or waits can be tried again.")
            audit(session, identity, "retry", Noun.JOB, job.id, kind=job.kind, key=job.key)
            self._jobs.enqueue(session, JobKind(job.kind), job.key, again=True)
            session.flush()
            return _record(job, _resources_of(session, [job]).get(job.key))


def _record(job: Job, resource_id: UUID | None) -> JobRecord:
    running = job.state == JobState.RUNNING.value
    return JobRecord(
        id=job.id,
        kind=JobKind(job.kind),
        key=job.key,
        state=JobState(job.state),
        attempts=job.attempts,
        progress=job.progress,
        reason=job.reason,
        next_try_at=job.next_try_at if job.state == JobState.QUEUED.value else None,
        is_stuck=running and job.lease_until is not None and job.lease_until <= now(),
        created_at=job.created_at,
        finished_at=job.finished_at,
        resource_id=resource_id,
    )


def _resources_of(session: Session, jobs: Collection[Job]) -> dict[str, UUID]:
    """The resources that jobs are about, by the jobs' keys."""
    ids = [UUID(job.key) for job in jobs if job.kind in _ABOUT_VERSIONS]
    if not ids:
        return {}
    rows = session.execute(select(Version.id, Version.resource_id).where(Version.id.in_(ids)))
    return {str(version_id): resource_id for version_id, resource_id in rows}
