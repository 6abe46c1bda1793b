"""The queue of hints, on huey. Losing all of it loses no work: the rows are the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from huey import Huey, MemoryHuey, PostgresHuey, RedisHuey, SqliteHuey, crontab

_NAME = "repo"
_SECONDS_TO_FINISH = 25
"""`repo run` gives its children 30."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """What the worker does about each hint, and what it does on its own."""

    run_job: Callable[[UUID], None]
    follow_changes: Callable[[], None]
    sweep: Callable[[], None]
    collect_garbage: Callable[[], None]
    replicate: Callable[[], None]


class Queue:
    """Sends hints, and in the worker takes them."""

    def __init__(self, url: str) -> None:
        self._huey = _open(url)
        self._handlers: Handlers | None = None
        self._send_job = self._huey.task(name="run_job")(self._run_job)
        self._send_follow = self._huey.task(name="follow_changes")(self._follow)
        self._huey.periodic_task(crontab(), name="sweep")(self._sweep)
        self._huey.periodic_task(crontab(minute="17"), name="collect_garbage")(self._collect)
        self._huey.periodic_task(crontab(minute="47"), name="replicate")(self._replicate)

    def hint_job(self, job_id: UUID) -> None:
        """Tell a worker that this job can be done."""
        self._send_job(str(job_id))

    def hint_changes(self) -> None:
        """Tell the worker that the outbox has something new."""
        self._send_follow()

    def check(self) -> None:
        """Raise whatever the queue's storage raises when it does not answer."""
        self._huey.storage.queue_size()

    def close(self) -> None:
        """Let go of the connection of this thread."""
        self._huey.storage.close()

    def consume(self, handlers: Handlers, *, threads: int) -> None:
        """Take hints until a signal stops the process; jobs that run then may finish first."""
        self._handlers = handlers
        consumer = self._huey.create_consumer(
            workers=threads,
            worker_type="thread",
            initial_delay=0.05,
            max_delay=0.2,  # somebody waits for most of what is hinted at
            backoff=1.3,
            graceful_signal="TERM",  # what supervisors and `repo run` send; huey means SIGINT by default
            shutdown_timeout=_SECONDS_TO_FINISH,
        )
        consumer.run()

    def _run_job(self, job_id: str) -> None:
        self._needed().run_job(UUID(job_id))

    def _follow(self) -> None:
        self._needed().follow_changes()

    def _sweep(self) -> None:
        self._needed().sweep()

    def _collect(self) -> None:
        self._needed().collect_garbage()

    def _replicate(self) -> None:
        self._needed().replicate()

    def _needed(self) -> Handlers:
        if self._handlers is None:
            raise RuntimeError("hints are taken by the worker only")
        return self._handlers


def _open(url: str) -> Huey:
    """The queue of sqlite:///path, redis://…, postgresql://… or memory:. Raises ValueError."""
    scheme = urlsplit(url).scheme
    common: dict[str, Any] = {"results": False}
    if scheme == "sqlite":
        return SqliteHuey(_NAME, filename=url.removeprefix("sqlite:///"), timeout=30, **common)
    if scheme in ("redis", "rediss"):
        return RedisHuey(_NAME, url=url, **common)
    if scheme in ("postgresql", "postgresql+psycopg"):
        return PostgresHuey(_NAME, dsn=url.replace("postgresql+psycopg", "postgresql"), **common)
    if scheme == "memory":
        return MemoryHuey(_NAME, **common)
    raise ValueError("a queue URL begins with sqlite:///, redis://, postgresql:// or memory:")
