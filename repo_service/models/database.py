"""Sessions on the catalogue: short transactions that read, and short transactions that write."""

from __future__ import annotations

import enum
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import SystemRandom
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from repo_service.domain.errors import Busy

log = structlog.get_logger(__name__)
_chance = SystemRandom()

AFTER_COMMIT = "after_commit"
CHANGED = "changed"
"""Set in ``Session.info`` by whoever writes to the outbox."""
BUSY_TIMEOUT_SECONDS = 30
_TURN_STATES = frozenset({"40001", "40P01", "55P03"})
"""serialization_failure, deadlock_detected, lock_not_available (PostgreSQL, appendix A)."""
_FULL_STATE = "53100"
"""disk_full (PostgreSQL, appendix A)."""
_AWAY_CLASSES = ("08", "53", "57P", "58")
"""Beginnings of SQLSTATE: connection exceptions, too few resources, shut down or starting, system errors
(PostgreSQL, appendix A)."""
_AWAY_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR})
_PRIMARY_CODE = 0xFF
"""The part of an extended result code that is the primary one (sqlite.org/rescode.html)."""


class Outage(enum.Enum):
    """Why the database cannot do what it is asked for, though nothing is wrong with that."""

    FULL = "full"
    AWAY = "away"


def outage_of(error: DBAPIError) -> Outage | None:
    """The outage that ``error`` tells of; None when it is about the question."""
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", 0) & _PRIMARY_CODE
        if code == sqlite3.SQLITE_FULL:
            return Outage.FULL
        return Outage.AWAY if code in _AWAY_CODES else None
    state = getattr(cause, "sqlstate", None)
    if state == _FULL_STATE:
        return Outage.FULL
    if state is None:  # there was nobody to send one
        return Outage.AWAY if isinstance(error, (OperationalError, InterfaceError)) else None
    return Outage.AWAY if error.connection_invalidated or state.startswith(_AWAY_CLASSES) else None


def engine_options(url: str) -> dict[str, Any]:
    """Options of the engine for this database URL."""
    if url.startswith("sqlite"):
        # isolation_level None: the driver starts no transaction of its own, _begin below decides which kind.
        options: dict[str, Any] = {"connect_args": {"timeout": BUSY_TIMEOUT_SECONDS, "isolation_level": None}}
        if make_url(url).database not in {None, "", ":memory:"}:
            options["pool_size"] = 0  # no limit: a full pool opens and closes a connection at every request
        return options
    return {"pool_pre_ping": True, "pool_size": 10, "max_overflow": 10}


class Database:
    """Transactions on one engine. Nothing slow (no store, no network) belongs inside one."""

    def __init__(self, engine: Engine, on_change: Callable[[], None] | None = None) -> None:
        """``on_change`` is called after a commit that wrote to the outbox (see ``CHANGED``)."""
        self.engine = engine
        self._on_change = on_change
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent view that changes nothing."""
        with Session(self.engine, autoflush=False) as session:
            yield session

    @contextmanager
    def frozen(self) -> Iterator[Session]:
        """One consistent view for many questions: what others commit meanwhile does not show in it."""
        with Session(self.engine, autoflush=False) as session:
            if self.engine.dialect.name == "postgresql":  # SQLite's transactions are like this anyway
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    @contextmanager
    def rows(self) -> Iterator[Connection]:
        """A consistent view without a session: rows, no objects, at half the cost."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that commits at the end of the block, or changes nothing when the block raises.

        On SQLite it takes the write lock at once (BEGIN IMMEDIATE), so it can wait for its turn but never
        fails half-way because another writer was faster. Raises Busy when that turn does not come.
        """
        with Session(self.engine, expire_on_commit=False) as session:
            try:
                session.connection(execution_options={"write": True})
                yield session
                session.commit()
            except OperationalError as error:
                if _is_somebody_elses_turn(error):
                    raise Busy from error
                raise
            hooks = session.info.pop(AFTER_COMMIT, [])
            if self._on_change is not None and session.info.pop(CHANGED, False):
                hooks.append(self._on_change)
        for hook in hooks:
            try:
                hook()
            except Exception:  # it is committed: hints are lost at worst, and a sweep finds what they told
                log.exception("a hook after a commit failed")


def after_commit(session: Session, hook: Callable[[], None]) -> None:
    """Call ``hook`` once the transaction of ``session`` is committed; never when it is not."""
    session.info.setdefault(AFTER_COMMIT, []).append(hook)


def _is_somebody_elses_turn(error: OperationalError) -> bool:
    """SQLite's lock is held too long; PostgreSQL chose this transaction to end a deadlock."""
    return "database is locked" in str(error.orig) or getattr(error.orig, "sqlstate", None) in _TURN_STATES


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get("write", False):
        _begin_to_write(connection)
    else:  # takes no lock and cannot fail: the driver is told without the engine's ceremony
        connection.connection.cursor().execute("BEGIN")


def _begin_to_write(connection: Connection) -> None:
    """SQLite waits for its turn by sleeping for longer each time, up to a tenth of a second, while others
    come and go (sqliteDefaultBusyCallback, src/main.c). Who looks each millisecond is not passed over."""
    cursor = connection.connection.cursor()
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    cursor.execute("PRAGMA busy_timeout = 0")
    try:
        while time.monotonic() < deadline:
            try:
                cursor.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & _PRIMARY_CODE != sqlite3.SQLITE_BUSY:
                    break
                time.sleep(_chance.uniform(0.5, 1.5) / 1000)
            else:
                return
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # fails in the engine's words
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
        cursor.close()
