"""``/api/v1/uploads``: files on their way in."""

from __future__ import annotations

from uuid import UUID

from apiflask import APIBlueprint
from flask import Response

from repo_service.api import operations
from repo_service.api.operations import answer, problems
from repo_service.api.schemas import UploadIn, UploadOut
from repo_service.domain.identity import Scope
from repo_service.domain.resources import UploadState
from repo_service.http import receiving
from repo_service.http.context import identity, services, site
from repo_service.http.file_names import clean_file_name
from repo_service.http.idempotency import idempotent
from repo_service.services.records import UploadRecord
from repo_service.services.uploads import seconds_to_verify

blueprint = APIBlueprint("uploads", __name__, url_prefix="/api/v1/uploads", tag="Uploads")

_RAW_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@blueprint.post("")
@idempotent(Scope.WRITE)
@blueprint.input(UploadIn, location="json", arg_name="given")
@blueprint.output(UploadOut, status_code=201)
@blueprint.doc(
    operation_id="beginUpload",
    security=operations.BEARER,
    responses=problems(
        *operations.JSON_BODY,
        "quota-exceeded",
        "storage-full",
        "insufficient-scope",
        *operations.IDEMPOTENT,
    ),
)
def begin(given: UploadIn) -> Response:
    """Announce a file

    Size, quota and room are checked now, before any byte is sent.
    """
    record = services().uploads.begin(
        identity(),
        file_name=clean_file_name(given.file_name),
        size=given.size,
        expected_digest=None if given.sha256 is None else given.sha256.lower(),
    )
    return answer(upload_out(record), 201, {"Location": upload_url(record)})


@blueprint.get("/<uuid:upload_id>")
@blueprint.output(UploadOut)
@blueprint.doc(operation_id="getUpload", security=operations.BEARER, responses=problems("insufficient-scope"))
def get(upload_id: UUID) -> Response:
    """One of my uploads"""
    record = services().uploads.get(identity(), upload_id)
    return answer(upload_out(record), headers=until_verified(record))


@blueprint.put("/<uuid:upload_id>")
@blueprint.output(UploadOut)
@blueprint.doc(
    operation_id="putUpload",
    security=operations.BEARER,
    responses=problems(
        "length-required",
        "size-mismatch",
        "digest-mismatch",
        "conflict",
        "storage-full",
        "storage-unavailable",
        "insufficient-scope",
    ),
    extensions=_RAW_BODY,
)
def put(upload_id: UUID) -> Response:
    """Send the bytes

    The body is the file, whole. Then name the upload in a new resource or version.
    """
    upload = services().uploads.get(identity(), upload_id)
    return answer(upload_out(receiving.receive_raw(services().uploads, identity(), upload)))


@blueprint.delete("/<uuid:upload_id>")
@blueprint.output({}, status_code=204)
@blueprint.doc(
    operation_id="cancelUpload",
    security=operations.BEARER,
    responses=problems("conflict", "insufficient-scope"),
)
def cancel(upload_id: UUID) -> Response:
    """Give an upload up"""
    services().uploads.cancel(identity(), upload_id)
    return Response(status=204)


def upload_url(record: UploadRecord) -> str:
    """Where an upload can be asked about."""
    return f"{site().base_url}/api/v1/uploads/{record.id}"


def until_verified(record: UploadRecord) -> dict[str, str]:
    """The header that says when to ask again, while the upload is being verified."""
    if record.state not in (UploadState.VERIFYING, UploadState.PUBLISHING):
        return {}
    return {"Retry-After": str(seconds_to_verify(record.size))}


def upload_out(record: UploadRecord) -> UploadOut:
    """A record as the API gives it."""
    return UploadOut(
        id=record.id,
        url=upload_url(record),
        file_name=record.file_name,
        size=record.size,
        way=record.way,
        state=record.state,
        reason=record.reason,
        sha256=record.digest,
        expires_at=record.expires_at,
        created_at=record.created_at,
    )
