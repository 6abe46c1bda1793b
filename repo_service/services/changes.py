"""The sequencer of the outbox, and reading the outbox in order."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from repo_service.domain.resources import Noun
from repo_service.models import Change
from repo_service.models.database import Database

_SEQUENCER_LOCK = 0x6D72725F736571  # "mrr_seq": key of PostgreSQL's advisory lock
_BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRecord:
    """One thing that happened, in an order that every follower sees alike."""

    seq: int
    noun: str
    noun_id: str
    what: str
    at: datetime


class Changes:
    """Numbers committed changes and hands them out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sequence(self) -> int:
        """Number the rows that are committed and have no number yet; returns how many.

        A row of a transaction that is still open is invisible here and gets a later number, so a follower
        that has read up to a number never misses one below it.
        """
        numbered = 0
        while True:
            with self._database.write() as session:
                if session.get_bind().dialect.name == "postgresql":
                    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SEQUENCER_LOCK})
                rows = session.scalars(
                    select(Change).where(Change.seq.is_(None)).order_by(Change.id).limit(_BATCH)
                ).all()
                last = latest(session)
                for offset, row in enumerate(rows, start=1):
                    row.seq = last + offset
            numbered += len(rows)
            if len(rows) < _BATCH:
                return numbered

    def after(
        self, seq: int, *, limit: int = _BATCH, nouns: Collection[Noun] = ()
    ) -> tuple[ChangeRecord, ...]:
        """The changes that follow ``seq``, in order; ``nouns`` are those that are asked for, if not all."""
        query = select(Change).where(Change.seq > seq).order_by(Change.seq).limit(limit)
        if nouns:
            query = query.where(Change.noun.in_([noun.value for noun in nouns]))
        with self._database.read() as session:
            rows = session.scalars(query).all()
        return tuple(
            ChangeRecord(seq=row.seq, noun=row.noun, noun_id=row.noun_id, what=row.what, at=row.at)
            for row in rows
            if row.seq is not None
        )

    def latest(self) -> int:
        """The highest number given."""
        with self._database.read() as session:
            return latest(session)


def latest(session: Session) -> int:
    """The highest number given, as this session sees it."""
    return session.scalar(select(func.coalesce(func.max(Change.seq), 0))) or 0
