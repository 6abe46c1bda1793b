"""Sessions on the catalogue: short transactions that read, and short transactions that write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Session

AFTER_COMMIT = "after_commit"
CHANGED = "changed"
"""Set in ``Session.info`` by whoever writes to the outbox."""
BUSY_TIMEOUT_SECONDS = 30


def engine_options(url: str) -> dict[str, Any]:
    """Options of the engine for this database URL."""
    if url.startswith("sqlite"):
        # isolation_level None: the driver starts no transaction of its own, _begin below decides which kind.
        return {"connect_args": {"timeout": BUSY_TIMEOUT_SECONDS, "isolation_level": None}}
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
    def write(self) -> Iterator[Session]:
        """A transaction that commits at the end of the block, or changes nothing when the block raises.

        On SQLite it takes the write lock at once (BEGIN IMMEDIATE), so it can wait for its turn but never
        fails half-way because another writer was faster.
        """
        with Session(self.engine, expire_on_commit=False) as session:
            session.connection(execution_options={"write": True})
            yield session
            session.commit()
            hooks = session.info.pop(AFTER_COMMIT, [])
            if self._on_change is not None and session.info.pop(CHANGED, False):
                hooks.append(self._on_change)
        for hook in hooks:
            hook()


def after_commit(session: Session, hook: Callable[[], None]) -> None:
    """Call ``hook`` once the transaction of ``session`` is committed; never when it is not."""
    session.info.setdefault(AFTER_COMMIT, []).append(hook)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
