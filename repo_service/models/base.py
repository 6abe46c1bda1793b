"""The declarative base, its column types and the naming of constraints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

import uuid6
from sqlalchemy import DateTime, Dialect, MetaData, String, TypeDecorator, Uuid
from sqlalchemy.orm import DeclarativeBase, mapped_column


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """A UUID that sorts by the time it was made (RFC 9562, version 7)."""
    return UUID(bytes=uuid6.uuid7().bytes)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no zone, so it is taken off on the way in and put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a moment without a zone: it would be read as another moment."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give every moment its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


PrimaryId = Annotated[UUID, mapped_column(Uuid, primary_key=True, default=new_id)]
Moment = Annotated[datetime, mapped_column(UtcDateTime)]
CreatedAt = Annotated[datetime, mapped_column(UtcDateTime, default=now)]
HexDigest = Annotated[str, mapped_column(String(64))]


class Base(DeclarativeBase):
    """Base of every model."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: UtcDateTime, UUID: Uuid}
