"""``/api/v1/resources/{id}/versions/{n}/…``: Moodle backups made safe."""

from __future__ import annotations

from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request

from repo_service.api import operations
from repo_service.api.operations import answer, problems
from repo_service.api.schemas import CleanIn, CleaningOut
from repo_service.http import receiving
from repo_service.http.context import identity, services, site
from repo_service.services.records import CleaningRecord

blueprint = APIBlueprint("backups", __name__, url_prefix="/api/v1", tag="Moodle backups")

_VERSION = "/resources/<uuid:resource_id>/versions/<version:number>"
_CLEAN_BODY = {
    "requestBody": {
        "required": False,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CleanIn"}}},
    }
}


@blueprint.post(f"{_VERSION}/clean")
@blueprint.output(CleaningOut, status_code=202)
@blueprint.doc(
    operation_id="cleanVersion",
    security=operations.BEARER,
    responses=problems(
        "forbidden",
        "insufficient-scope",
        "gone",
        "not-inspected",
        "invalid-file",
        "conflict",
        "uncleanable",
        *operations.JSON_BODY,
    ),
    extensions=_CLEAN_BODY,
)
def clean(resource_id: UUID, number: int) -> Response:
    """Make a clean copy of a version

    A new version without users and what they left, without keys, passwords and contacts. It is a draft unless
    `release` asks for more. Asked again, the answer says how far it is. The version itself stays as it is.
    """
    given = receiving.read_json(CleanIn) if request.content_length else CleanIn()
    record = services().cleaning.ask(identity(), resource_id, number, release=given.release)
    return _cleaning(record, resource_id, number, status=202)


@blueprint.get(f"{_VERSION}/clean")
@blueprint.output(CleaningOut)
@blueprint.doc(
    operation_id="getCleaning",
    security=operations.BEARER,
    responses=problems("forbidden", "insufficient-scope", "gone"),
)
def cleaning(resource_id: UUID, number: int) -> Response:
    """How far the clean copy of a version is"""
    record = services().cleaning.get(identity(), resource_id, number)
    return _cleaning(record, resource_id, number, status=200)


def _cleaning(record: CleaningRecord, resource_id: UUID, number: int, *, status: int) -> Response:
    own = f"{site().base_url}/api/v1/resources/{resource_id}/versions/{number}/clean"
    return answer(CleaningOut.model_validate(record), status=status, headers={"Location": own})
