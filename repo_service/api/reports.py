"""Reports: anybody says what is wrong with a resource, and moderators decide."""

from __future__ import annotations

from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request

from repo_service.api import operations
from repo_service.api.operations import answer, problems
from repo_service.api.schemas import (
    DecisionIn,
    ReportedIdOut,
    ReportedOut,
    ReportedPageOut,
    ReportIn,
    ReportsQueryIn,
)
from repo_service.http.authentication import takes_bodies_from_anybody
from repo_service.http.context import identity, services
from repo_service.services.throttling import address_block

blueprint = APIBlueprint("reports", __name__, url_prefix="/api/v1", tag="Reports")

_REFUSED = ("forbidden", "insufficient-scope")


@blueprint.post("/resources/<uuid:resource_id>/reports")
@blueprint.input(ReportIn, location="json", arg_name="given")
@blueprint.output(ReportedIdOut, status_code=201)
@blueprint.doc(
    operation_id="reportResource",
    security=operations.PUBLIC,
    responses=problems("gone", "conflict", *operations.JSON_BODY),
)
@takes_bodies_from_anybody
def report(resource_id: UUID, given: ReportIn) -> Response:
    """Tell the moderators what is wrong with a resource

    For everybody, signed in or not; how often is limited.
    """
    report_id = services().reporting.report(
        identity(),
        resource_id,
        reason=given.reason,
        words=given.words,
        email=given.email,
        language=given.language,
        address=address_block(request.remote_addr),
    )
    return answer(ReportedIdOut(id=report_id), 201)


@blueprint.get("/reports")
@blueprint.input(ReportsQueryIn, location="query", arg_name="query")
@blueprint.output(ReportedPageOut)
@blueprint.doc(
    operation_id="listReports",
    security=operations.BEARER,
    responses=problems("invalid-cursor", "invalid-input", *_REFUSED),
)
def reports(query: ReportsQueryIn) -> Response:
    """Resources that were reported, by their newest report (moderators)"""
    page = services().reporting.list(
        identity(), decided=query.state == "decided", limit=query.limit, cursor=query.cursor
    )
    return answer(
        ReportedPageOut(
            items=[ReportedOut.model_validate(record) for record in page.items], next_cursor=page.next_cursor
        )
    )


@blueprint.get("/resources/<uuid:resource_id>/reports")
@blueprint.output(ReportedOut)
@blueprint.doc(operation_id="getReports", security=operations.BEARER, responses=problems(*_REFUSED))
def reports_of(resource_id: UUID) -> Response:
    """What was reported about one resource (moderators)"""
    return answer(ReportedOut.model_validate(services().reporting.get(identity(), resource_id)))


@blueprint.post("/resources/<uuid:resource_id>/reports/decision")
@blueprint.input(DecisionIn, location="json", arg_name="given")
@blueprint.output(ReportedOut)
@blueprint.doc(
    operation_id="decideReports",
    security=operations.BEARER,
    responses=problems("conflict", *operations.JSON_BODY, *_REFUSED),
)
def decide(resource_id: UUID, given: DecisionIn) -> Response:
    """Hide a resource that was reported, or dismiss the reports (moderators)

    All reports of it that wait are decided together. Its owner, and who gave an address, get a letter.
    """
    record = services().reporting.decide(
        identity(), resource_id, given.decision, note=given.note, until=given.until
    )
    return answer(ReportedOut.model_validate(record))
