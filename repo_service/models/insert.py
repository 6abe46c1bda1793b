"""INSERT … ON CONFLICT DO NOTHING in the words of either database."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from repo_service.models.base import Base


def insert_if_absent(session: Session, model: type[Base], **values: Any) -> None:
    """Insert a row unless one with the same key is there. Never fails when somebody else was faster."""
    statement: Any
    if session.get_bind().dialect.name == "postgresql":
        statement = postgresql.insert(model).values(**values).on_conflict_do_nothing()
    else:
        statement = sqlite.insert(model).values(**values).on_conflict_do_nothing()
    session.execute(statement)
