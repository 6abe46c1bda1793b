"""Runs Alembic on the application's own engine; two nodes that start at once take turns."""

from __future__ import annotations

from typing import Literal

from alembic import context
from flask import current_app
from sqlalchemy import text

from repo_service.models.base import UtcDateTime

_LOCK = 0x6D72725F6D6967  # "mrr_mig": key of PostgreSQL's advisory lock


def render_item(kind: str, thing: object, _context: object) -> str | Literal[False]:
    """Migrations stand on their own: they name SQL types, not ours."""
    if kind == "type" and isinstance(thing, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def run() -> None:
    """Bring the database up, in one transaction where the database can."""
    database = current_app.extensions["migrate"].db
    with database.engine.connect().execution_options(write=True) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            connection.commit()
        context.configure(
            connection=connection,
            target_metadata=database.metadata,
            render_item=render_item,
            **current_app.extensions["migrate"].configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


run()
