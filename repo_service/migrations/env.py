"""Runs Alembic on the application's own engine; two nodes that start at once take turns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from alembic import context
from flask import current_app
from sqlalchemy import Connection, text

from repo_service.models.base import UtcDateTime

_LOCK = 0x6D72725F6D6967  # "mrr_mig": key of PostgreSQL's advisory lock


def render_item(kind: str, thing: object, _context: object) -> str | Literal[False]:
    """Migrations stand on their own: they name SQL types, not ours."""
    if kind == "type" and isinstance(thing, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def run() -> None:
    """Bring the database up, in one transaction: on SQLite it keeps others out from its first query on."""
    database = current_app.extensions["migrate"].db
    with database.engine.connect().execution_options(write=True) as connection, _turn(connection):
        context.configure(
            connection=connection,
            target_metadata=database.metadata,
            render_item=render_item,
            transactional_ddl=True,  # SQLite's DDL is, too: Alembic would commit after each migration
            **current_app.extensions["migrate"].configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


@contextmanager
def _turn(connection: Connection) -> Iterator[None]:
    """Keep others out. The lock belongs to the connection, which its pool keeps: so it is given back."""
    if connection.dialect.name != "postgresql":
        yield  # SQLite has one writer anyway
        return
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
        connection.commit()


run()
