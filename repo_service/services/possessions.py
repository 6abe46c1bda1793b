"""What somebody has shared, and where each thing stands: what waits, what wants its owner, what is out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased, joinedload, selectinload

from repo_service.domain.identity import Identity, Scope
from repo_service.domain.resources import JobState, Order, Restoring, Standing, Visibility
from repo_service.models import InspectionRecord, Job, Resource, Version
from repo_service.models.database import Database
from repo_service.services import paging
from repo_service.services.accounts import require_account
from repo_service.services.reading import records_of
from repo_service.services.records import Page, ResourceRecord
from repo_service.services.withdrawing import restoring_of, withdrawn_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Possession:
    """A resource of one's own and where it stands; of a withdrawn one also whether it can be brought back."""

    resource: ResourceRecord
    standing: Standing
    restoring: Restoring | None = None


_ORDERS: Final[Mapping[Order, Sequence[ColumnElement[Any] | InstrumentedAttribute[Any]]]] = {
    Order.NEWEST: (Resource.id.desc(),),
    Order.CHANGED: (Resource.updated_at.desc(), Resource.id.desc()),
    Order.TITLE: (func.lower(Resource.title), Resource.id),
}


class Possessions:
    """Use cases about one's own resources as a whole."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(
        self,
        identity: Identity,
        *,
        limit: int,
        standing: Standing | None = None,
        order: Order = Order.NEWEST,
        cursor: str | None = None,
    ) -> Page[Possession]:
        """The asker's own resources, drafts and withdrawn ones included. Raises InvalidCursor."""
        skip = 0 if cursor is None else paging.decode_int(cursor)
        found = _standings(identity).add_columns(Resource.id).order_by(*_ORDERS[order])
        if standing is not None:
            found = found.where(_STANDING.in_([standing.value]))
        with self._database.read() as session:
            rows = session.execute(found.offset(skip).limit(limit + 1)).all()
            kept = rows[:limit]
            records = records_of(session, [row.id for row in kept], identity, copies=False)
            withdrawn = [row.id for row in kept if row.standing == Standing.WITHDRAWN.value]
            restoring = _restoring(session, identity, withdrawn) if withdrawn else {}
        items = [
            Possession(
                resource=records[row.id],
                standing=Standing(row.standing),
                restoring=restoring.get(row.id),
            )
            for row in kept
        ]
        return Page(tuple(items), paging.encode_cursor(skip + limit) if len(rows) > limit else None)

    def count(self, identity: Identity) -> dict[Standing, int]:
        """How many of the asker's own resources stand where; only what there is any of."""
        each = _standings(identity).subquery()
        with self._database.read() as session:
            rows = session.execute(select(each.c.standing, func.count()).group_by(each.c.standing)).all()
        return {Standing(standing): count for standing, count in rows}


_LATER = aliased(Version)
_newest_number = (
    select(func.max(_LATER.number)).where(_LATER.resource_id == Resource.id).correlate(Resource)
).scalar_subquery()


def _inspected(column: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    """A column of the newest inspection of the version's file."""
    newest = (
        select(column)
        .where(InspectionRecord.digest == Version.digest)
        .order_by(InspectionRecord.created_at.desc())
        .limit(1)
        .correlate(Version)
    )
    return newest.scalar_subquery()


_IS_OUT = Version.released_at.is_not(None)
_IS_WAITING = or_(
    Job.state.in_((JobState.QUEUED.value, JobState.RUNNING.value)),
    and_(Version.inspected_at.is_(None), or_(Job.state.is_(None), Job.state == JobState.DONE.value)),
)
_WANTS_ITS_OWNER = or_(
    Job.state == JobState.FAILED.value,
    Version.release_refused.is_not(None),
    and_(Version.inspected_at.is_not(None), _inspected(InspectionRecord.blocking)),
    # As ``reading.refusal_of`` has it.
    and_(
        Version.inspected_at.is_not(None),
        _inspected(InspectionRecord.kind) == "file",
        func.lower(Version.file_name).like("%.mbz"),
    ),
)
_STANDING: ColumnElement[str] = case(
    (Resource.visibility == Visibility.WITHDRAWN.value, Standing.WITHDRAWN.value),
    (_IS_OUT, Standing.PUBLIC.value),
    (_IS_WAITING, Standing.WAITING.value),
    (_WANTS_ITS_OWNER, Standing.ATTENTION.value),
    (Resource.visibility == Visibility.PUBLIC.value, Standing.PUBLIC.value),
    else_=Standing.DRAFT.value,
)
"""Of a resource by its newest version: what is out already is not asked again what its older ones lack."""


def _restoring(session: Session, identity: Identity, ids: Collection[UUID]) -> dict[UUID, Restoring]:
    withdrawers = withdrawn_by(session, ids)
    found = session.scalars(
        select(Resource)
        .where(Resource.id.in_(ids))
        .options(selectinload(Resource.versions), joinedload(Resource.owner))
    )
    return {each.id: restoring_of(identity, each, withdrawers.get(each.id)) for each in found}


def _standings(identity: Identity) -> Select[Any]:
    owner_id = require_account(identity, Scope.READ)
    return (
        select(_STANDING.label("standing"))
        .select_from(Resource)
        .outerjoin(Version, and_(Version.resource_id == Resource.id, Version.number == _newest_number))
        .outerjoin(Job, Job.id == Version.job_id)
        .where(Resource.owner_id == owner_id)
    )
