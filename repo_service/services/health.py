"""Is the service fit to answer: database, store and queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import select

from repo_service.models.database import Database
from repo_service.services.stores import Stores

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """The parts and whether each answers. Why one does not stands in the log, not here."""

    parts: dict[str, bool]

    @property
    def ready(self) -> bool:
        """Whether every part answers."""
        return all(self.parts.values())


class Health:
    """Asks every part that a request may need."""

    def __init__(self, database: Database, stores: Stores, check_queue: Callable[[], None]) -> None:
        self._checks: dict[str, Callable[[], None]] = {
            "database": lambda: _ask(database),
            "store": stores.primary.check,
            "queue": check_queue,
        }

    def readiness(self) -> Readiness:
        """Ask each part now."""
        return Readiness(parts={name: _answers(name, check) for name, check in self._checks.items()})


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
