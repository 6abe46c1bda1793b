"""Counting downloads: a number a day, of nobody in particular.

Each process counts in its memory and adds its counts to the table's at most once a minute, beside the
requests. A process that is killed loses those of a minute.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import date
from multiprocessing.util import Finalize
from weakref import WeakMethod

import structlog

from repo_service.models import DownloadCount
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.models.insert import insert_or_add

_SECONDS = 60.0

log = structlog.get_logger(__name__)


class DownloadCounter:
    """What one process counted since it wrote it down last."""

    def __init__(self, database: Database, *, every: float = _SECONDS) -> None:
        """``every`` so many seconds it is written down, if there is anything."""
        self._database = database
        self._every = every
        self._counts: Counter[date] = Counter()
        self._is_due = False
        self._is_closed = False
        self._lock = threading.Lock()
        # At the end of this process, also when it is the child of a server: atexit does not run there.
        Finalize(None, _close, args=(WeakMethod(self.close),), exitpriority=1)

    def count(self) -> None:
        """One more, today."""
        with self._lock:
            self._counts[now().date()] += 1
            if self._is_due:
                return
            self._is_due = True
        self._write_later()

    def write_down(self) -> None:
        """Add what was counted to the table. What cannot be written now is written a minute later."""
        with self._lock:
            counts, self._counts, self._is_due = self._counts, Counter(), False
        if not counts:
            return
        try:
            with self._database.write() as session:
                for day in sorted(counts):
                    insert_or_add(session, DownloadCount, {"downloads": counts[day]}, day=day)
        except Exception as error:  # the database is away: nothing that a download should fail for
            log.warning("downloads could not be written down", error=str(error))
            with self._lock:
                if self._is_closed:
                    return
                self._counts.update(counts)
                self._is_due = True
            self._write_later()

    def close(self) -> None:
        """Write down for the last time: what cannot be written now is lost."""
        self._is_closed = True
        self.write_down()

    def _write_later(self) -> None:
        timer = threading.Timer(self._every, self.write_down)
        timer.daemon = True
        timer.start()


def _close(method: WeakMethod[Callable[[], None]]) -> None:
    close = method()
    if close is not None:
        close()
