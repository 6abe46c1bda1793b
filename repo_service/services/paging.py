"""Cursors over lists that are ordered by an id, or by moments: opaque, and steady while rows come and go."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from repo_service.domain.errors import InvalidCursor
from repo_service.federation.addresses import read_moment, written
from repo_service.services.records import Page

Row = TypeVar("Row")
Record = TypeVar("Record")


def encode_cursor(last_id: UUID | int) -> str:
    """The cursor that continues after the row with this id."""
    return base64.urlsafe_b64encode(str(last_id).encode()).decode().rstrip("=")


def decode_uuid(cursor: str) -> UUID:
    """The id within a cursor over UUIDs. Raises InvalidCursor."""
    try:
        return UUID(_decode(cursor))
    except ValueError as error:
        raise _invalid() from error


def decode_int(cursor: str) -> int:
    """The id within a cursor over numbers. Raises InvalidCursor."""
    text = _decode(cursor)
    if not (text.isascii() and text.isdigit() and len(text) < 19):  # 2**63 has 19 digits
        raise _invalid()
    return int(text)


def encode_moment(at: datetime, last_id: UUID) -> str:
    """The cursor over a list that is ordered by moments, and by ids where these are the same."""
    return f"{written(at)}.{last_id}"


def decode_moment(cursor: str) -> tuple[datetime, UUID]:
    """What ``encode_moment`` was given. Raises InvalidCursor."""
    moment, _, last_id = cursor.partition(".")
    try:
        return read_moment(moment), UUID(last_id)
    except ValueError as error:
        raise _invalid() from error


def page_of(
    rows: Sequence[Row], limit: int, *, key: Callable[[Row], UUID | int], record: Callable[[Row], Record]
) -> Page[Record]:
    """A page of ``limit`` records from ``limit + 1`` rows: the one too many tells that there are more."""
    kept = rows[:limit]
    more = len(rows) > limit
    return Page(tuple(record(row) for row in kept), encode_cursor(key(kept[-1])) if more else None)


def _decode(cursor: str) -> str:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise _invalid() from error


def _invalid() -> InvalidCursor:
    return InvalidCursor("This cursor does not belong here: start again without one.")
