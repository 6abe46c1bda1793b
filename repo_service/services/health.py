"""Is the service fit to answer: database, store and queue; and how the replicas are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import structlog
from sqlalchemy import select

from repo_service.models.database import Database
from repo_service.services.stores import Stores

_REPLICA_SECONDS = 2.0
"""What takes longer to answer does not, as far as readiness is concerned."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """The parts and the replicas, and whether each answers. Why one does not stands in the log, not here."""

    parts: dict[str, bool]
    replicas: dict[str, bool]

    @property
    def ready(self) -> bool:
        """Whether every part answers. What a replica has, the primary has, too."""
        return all(self.parts.values())


class Health:
    """Asks every part that a request may need."""

    def __init__(self, database: Database, stores: Stores, check_queue: Callable[[], None]) -> None:
        self._checks: dict[str, Callable[[], None]] = {
            "database": lambda: _ask(database),
            "store": stores.primary.check,
            "queue": check_queue,
        }
        self._replicas = {store.name: _Patient(store.name, store.check) for store in stores.replicas}

    def readiness(self) -> Readiness:
        """Ask each part now."""
        asked = {name: replica.ask() for name, replica in self._replicas.items()}
        parts = {name: _answers(name, check) for name, check in self._checks.items()}
        deadline = time.monotonic() + _REPLICA_SECONDS
        return Readiness(
            parts=parts,
            replicas={name: _in_time(answer, deadline) for name, answer in asked.items()},
        )


class _Patient:
    """Asks one replica at a time of its own, so that nobody waits for one that is dead."""

    def __init__(self, name: str, check: Callable[[], None]) -> None:
        self._name = name
        self._check = check
        self._lock = threading.Lock()
        self._answer: Future[bool] | None = None

    def ask(self) -> Future[bool]:
        """The answer to come; that of an earlier question that is still open."""
        with self._lock:
            if self._answer is None or self._answer.done():
                answer: Future[bool] = Future()
                self._answer = answer
                asking = threading.Thread(
                    target=lambda: answer.set_result(_answers(self._name, self._check)), daemon=True
                )
                asking.start()
            return self._answer


def _in_time(answer: Future[bool], deadline: float) -> bool:
    try:
        return answer.result(max(0.0, deadline - time.monotonic()))
    except TimeoutError:
        return False


def _ask(database: Database) -> None:
    with database.read() as session:
        session.execute(select(1))


def _answers(name: str, check: Callable[[], None]) -> bool:
    try:
        check()
    except Exception:  # whatever it is, this part does not answer
        log.exception("not ready", part=name)
        return False
    return True
