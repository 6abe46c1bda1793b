"""INSERT … ON CONFLICT in the words of either database."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, bindparam, inspect, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session

from repo_service.models.base import Base

T = TypeVar("T")


def insert_if_absent(session: Session, model: type[Base], **values: Any) -> bool:
    """Insert a row unless one with the same key is there; returns whether it was inserted. Never fails when
    somebody else was faster."""
    connection = _connection(session)
    key = inspect(model).primary_key
    statement = _unless_there(connection.dialect.name, model, *key)
    return connection.execute(statement, [values]).first() is not None


def insert_absent(
    session: Session, key: InstrumentedAttribute[T], rows: Sequence[Mapping[str, Any]]
) -> set[T]:
    """Insert those of ``rows``, of one model and with the same names, that are not there; returns what
    ``key``, a unique column of the model, is in those that were inserted. Of two with the same key the first
    is."""
    if not rows:
        return set()
    connection = _connection(session)
    statement = _unless_there(connection.dialect.name, _model_of(key), key)
    return set(connection.scalars(statement, list(rows)))


def locked_rows(
    session: Session, key: InstrumentedAttribute[str], wanted: Collection[str], **new: Any
) -> dict[str, Any]:
    """The rows of a model by ``key``, a unique column of it, locked. Where there is none, one is made with
    the values of ``new``, or what its functions give."""
    found = _lock(session, key, wanted)
    if missing := sorted(set(wanted) - found.keys()):
        made = [
            {key.key: value, **{name: given() if callable(given) else given for name, given in new.items()}}
            for value in missing
        ]
        insert_absent(session, key, made)
        found |= _lock(session, key, missing)
    return found


def insert_or_add(session: Session, model: type[Base], amounts: Mapping[str, int], **key: Any) -> None:
    """Insert a row with these ``amounts``, or add them to those of the row with the same primary ``key``."""
    dialect: Any = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    added = {name: getattr(model, name) + amount for name, amount in amounts.items()}
    statement = dialect.insert(model).values(**key, **amounts)
    session.execute(statement.on_conflict_do_update(index_elements=list(key), set_=added))


def _connection(session: Session) -> Connection:
    """What tables are asked through, at a third of what the session takes for it."""
    session.flush()
    return session.connection()


@functools.cache
def _unless_there(dialect: str, model: type[Base], *told: Any) -> Any:
    insert: Any = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return insert(model.__table__).on_conflict_do_nothing().returning(*told)


@functools.cache
def _locking(key: InstrumentedAttribute[str]) -> Select[Any]:
    # In one order, so that those who lock the same rows do not wait in a circle.
    wanted = key.in_(bindparam("wanted", expanding=True))
    return select(_model_of(key)).where(wanted).order_by(key).with_for_update()


def _lock(session: Session, key: InstrumentedAttribute[str], wanted: Collection[str]) -> dict[str, Any]:
    rows = session.scalars(_locking(key), {"wanted": list(wanted)})
    return {getattr(row, key.key): row for row in rows}


def _model_of(key: InstrumentedAttribute[Any]) -> type[Base]:
    model: type[Base] = key.parent.class_
    return model
