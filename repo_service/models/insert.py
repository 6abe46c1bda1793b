"""INSERT … ON CONFLICT in the words of either database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from repo_service.models.base import Base


def insert_if_absent(session: Session, model: type[Base], **values: Any) -> bool:
    """Insert a row unless one with the same key is there; returns whether it was inserted. Never fails when
    somebody else was faster."""
    statement: Any
    if session.get_bind().dialect.name == "postgresql":
        statement = postgresql.insert(model).values(**values).on_conflict_do_nothing()
    else:
        statement = sqlite.insert(model).values(**values).on_conflict_do_nothing()
    key = inspect(model).primary_key
    return session.execute(statement.returning(*key)).first() is not None


def insert_or_add(session: Session, model: type[Base], amounts: Mapping[str, int], **key: Any) -> None:
    """Insert a row with these ``amounts``, or add them to those of the row with the same primary ``key``."""
    dialect: Any = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    added = {name: getattr(model, name) + amount for name, amount in amounts.items()}
    statement = dialect.insert(model).values(**key, **amounts)
    session.execute(statement.on_conflict_do_update(index_elements=list(key), set_=added))
