"""``/api/v1/uploads/direct`` and what follows: files that clients send straight to the store, in parts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request

from repo_service.api import operations
from repo_service.api.operations import answer, problems
from repo_service.api.schemas import (
    CompleteIn,
    DirectUploadIn,
    DirectUploadOut,
    PartOut,
    PartsOut,
    PartsQueryIn,
    SentPartIn,
    UploadOut,
)
from repo_service.api.uploads import until_verified, upload_out, upload_url
from repo_service.domain.errors import InvalidInput
from repo_service.domain.identity import Scope
from repo_service.http import body, receiving
from repo_service.http.context import identity, services
from repo_service.http.file_names import clean_file_name
from repo_service.http.idempotency import idempotent

blueprint = APIBlueprint("direct", __name__, url_prefix="/api/v1/uploads", tag="Uploads")

_OPTIONAL_BODY: dict[str, Any] = {
    "requestBody": {
        "required": False,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CompleteIn"}}},
    }
}


@blueprint.post("/direct")
@idempotent(Scope.WRITE)
@blueprint.input(DirectUploadIn, location="json", arg_name="given")
@blueprint.output(DirectUploadOut, status_code=201)
@blueprint.doc(
    operation_id="beginDirectUpload",
    security=operations.BEARER,
    responses=problems(
        *operations.JSON_BODY,
        "conflict",
        "no-direct-uploads",
        "quota-exceeded",
        "storage-full",
        "storage-unavailable",
        "insufficient-scope",
        *operations.IDEMPOTENT,
    ),
)
def begin(given: DirectUploadIn) -> Response:
    """Announce a file that goes straight to the store

    Ask `parts_url` where its parts go, send them, then POST to `complete_url`. Size and quota are checked
    now, before any byte is sent.
    """
    made = services().direct.begin(
        identity(),
        file_name=clean_file_name(given.file_name),
        size=given.size,
        expected_digest=None if given.sha256 is None else given.sha256.lower(),
    )
    url = upload_url(made.upload)
    out = DirectUploadOut(
        **upload_out(made.upload).model_dump(),
        part_size=made.part_size,
        part_count=made.count,
        parts_url=f"{url}/parts",
        complete_url=f"{url}/complete",
    )
    return answer(out, 201, {"Location": url})


@blueprint.get("/<uuid:upload_id>/parts")
@blueprint.input(PartsQueryIn, location="query", arg_name="query")
@blueprint.output(PartsOut)
@blueprint.doc(
    operation_id="getUploadParts",
    security=operations.BEARER,
    responses=problems(
        "conflict",
        "invalid-input",
        "no-direct-uploads",
        "quota-exceeded",
        "storage-unavailable",
        "insufficient-scope",
    ),
)
def parts(upload_id: UUID, query: PartsQueryIn) -> Response:
    """Where the parts go, and which are there

    PUT each part to its URL. One that is sent again replaces the earlier one. To go on after an interruption,
    send the parts without an `etag`.
    """
    found = services().direct.parts(identity(), upload_id, first=query.first, limit=query.limit)
    return answer(
        PartsOut(
            part_size=found.direct.part_size,
            part_count=found.direct.count,
            expires_at=found.expires_at,
            items=[PartOut.model_validate(part) for part in found.items],
            next_first=found.next,
        )
    )


@blueprint.post("/<uuid:upload_id>/complete")
@blueprint.output(UploadOut, status_code=202)
@blueprint.doc(
    operation_id="completeUpload",
    security=operations.BEARER,
    responses=problems(
        *operations.JSON_BODY,
        "conflict",
        "no-direct-uploads",
        "parts-missing",
        "quota-exceeded",
        "storage-unavailable",
        "insufficient-scope",
    ),
    extensions=_OPTIONAL_BODY,
)
def complete(upload_id: UUID) -> Response:
    """Put the parts together

    The whole is then read and verified: ask for the upload until its state is `finished` or `failed`. Doing
    this again is harmless and answers how far it is.
    """
    given = CompleteIn() if body.announced(request.environ) == 0 else receiving.read_json(CompleteIn)
    record = services().direct.complete(
        identity(), upload_id, None if given.parts is None else _etags(given.parts)
    )
    return answer(upload_out(record), 202, {"Location": upload_url(record), **until_verified(record)})


def _etags(sent: list[SentPartIn]) -> dict[int, str]:
    """As the store keeps them: without quotes. Raises InvalidInput."""
    etags: dict[int, str] = {}
    for place, part in enumerate(sent):
        if part.number in etags:
            raise InvalidInput(errors=[(f"/parts/{place}/number", "This part is named twice.")])
        etags[part.number] = part.etag.removeprefix("W/").strip('"')
    return etags
