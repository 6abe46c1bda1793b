"""What those who look after the service ask: its jobs, its stores, how it is used."""

from __future__ import annotations

from uuid import UUID

from apiflask import APIBlueprint
from flask import Response

from repo_service.api import operations
from repo_service.api.operations import answer, problems
from repo_service.api.schemas import (
    DayOut,
    JobCountOut,
    JobOut,
    JobPageOut,
    JobsQueryIn,
    StoreOut,
    StoresOut,
    UsageOut,
    WeekOut,
)
from repo_service.http.context import identity, services

blueprint = APIBlueprint("desk", __name__, url_prefix="/api/v1", tag="Looking after")

_REFUSED = ("forbidden", "insufficient-scope")


@blueprint.get("/jobs")
@blueprint.input(JobsQueryIn, location="query", arg_name="query")
@blueprint.output(JobPageOut)
@blueprint.doc(
    operation_id="listJobs",
    security=operations.BEARER,
    responses=problems("invalid-cursor", "invalid-input", *_REFUSED),
)
def jobs(query: JobsQueryIn) -> Response:
    """Jobs, newest first: those that are not done unless a state is asked for (administrators)"""
    board = services().job_board
    page = board.list(identity(), limit=query.limit, cursor=query.cursor, kind=query.kind, state=query.state)
    return answer(
        JobPageOut(
            items=[JobOut.model_validate(job) for job in page.items],
            next_cursor=page.next_cursor,
            counts=[JobCountOut.model_validate(count) for count in board.counts(identity())],
        )
    )


@blueprint.post("/jobs/<uuid:job_id>/retry")
@blueprint.output(JobOut)
@blueprint.doc(operation_id="retryJob", security=operations.BEARER, responses=problems("conflict", *_REFUSED))
def retry_job(job_id: UUID) -> Response:
    """Try a job again that failed or waits (administrators)"""
    return answer(JobOut.model_validate(services().job_board.retry(identity(), job_id)))


@blueprint.get("/stores")
@blueprint.output(StoresOut)
@blueprint.doc(operation_id="listStores", security=operations.BEARER, responses=problems(*_REFUSED))
def stores() -> Response:
    """The stores, and how the copies in them are (administrators)"""
    found = services().storage_report.stores(identity())
    return answer(StoresOut(items=[StoreOut.model_validate(store) for store in found]))


@blueprint.get("/usage")
@blueprint.output(UsageOut)
@blueprint.doc(operation_id="getUsage", security=operations.BEARER, responses=problems(*_REFUSED))
def usage() -> Response:
    """What was added week by week and downloaded day by day (moderators)

    Numbers only. Weeks begin on Monday, and days at midnight UTC.
    """
    return answer(
        UsageOut(
            weeks=[WeekOut.model_validate(week) for week in services().usage.weeks(identity())],
            days=[DayOut.model_validate(day) for day in services().usage.days(identity())],
        )
    )
