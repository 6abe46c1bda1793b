"""Taking one's data along, and leaving; administrators do both for others."""

from __future__ import annotations

from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request

from repo_service.api import operations
from repo_service.api.leaving_schemas import EraseIn, ExportQueryIn
from repo_service.api.operations import problems
from repo_service.http.context import identity, services
from repo_service.http.streaming import zip_response
from repo_service.services.accounts import require_whole_power
from repo_service.services.throttling import address_block

blueprint = APIBlueprint("leaving", __name__, url_prefix="/api/v1", tag="Accounts")

_REFUSED = ("forbidden", "insufficient-scope")
_ZIP: operations.Responses = {
    200: {
        "description": "A zip with JSON files, and the files that were shared",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@blueprint.get("/me/export")
@blueprint.input(ExportQueryIn, location="query", arg_name="query")
@blueprint.doc(
    operation_id="exportOwnAccount",
    security=operations.BEARER,
    responses=problems("invalid-input", *_REFUSED, also=_ZIP),
)
def export_own(query: ExportQueryIn) -> Response:
    """Everything that is kept about me

    Needs a token that may do all that its owner may.
    """
    own = require_whole_power(identity())
    return zip_response(services().exports.open(identity(), own, files=query.files))


@blueprint.get("/accounts/<uuid:account_id>/export")
@blueprint.input(ExportQueryIn, location="query", arg_name="query")
@blueprint.doc(
    operation_id="exportAccount",
    security=operations.BEARER,
    responses=problems("invalid-input", *_REFUSED, also=_ZIP),
)
def export(account_id: UUID, query: ExportQueryIn) -> Response:
    """Everything that is kept about an account (administrators)"""
    return zip_response(services().exports.open(identity(), account_id, files=query.files))


@blueprint.post("/me/erase")
@blueprint.input(EraseIn, location="json", arg_name="given")
@blueprint.output({}, status_code=204)
@blueprint.doc(
    operation_id="eraseOwnAccount",
    security=operations.BEARER,
    responses=problems("conflict", *operations.JSON_BODY, *_REFUSED),
)
def erase_own(given: EraseIn) -> Response:
    """Erase my account

    It cannot be undone. Needs a token that may do all that its owner may, and the password.
    """
    _erase(require_whole_power(identity()), given)
    return Response(status=204)


@blueprint.post("/accounts/<uuid:account_id>/erase")
@blueprint.input(EraseIn, location="json", arg_name="given")
@blueprint.output({}, status_code=204)
@blueprint.doc(
    operation_id="eraseAccount",
    security=operations.BEARER,
    responses=problems("conflict", *operations.JSON_BODY, *_REFUSED),
)
def erase(account_id: UUID, given: EraseIn) -> Response:
    """Erase an account (administrators)

    It cannot be undone. The password is the administrator's own.
    """
    _erase(account_id, given)
    return Response(status=204)


def _erase(account_id: UUID, given: EraseIn) -> None:
    services().erasing.erase(
        identity(),
        account_id,
        shared=given.shared,
        password=given.password,
        address=address_block(request.remote_addr),
    )
