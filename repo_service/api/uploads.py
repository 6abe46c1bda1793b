"""``/api/v1/uploads``: files on their way in."""

from __future__ import annotations

from uuid import UUID

from apiflask import APIBlueprint
from flask import Response

from repo_service.api import operations
from repo_service.api.operations import answer, problems
from repo_service.api.schemas import UploadIn, UploadOut
from repo_service.http import receiving
from repo_service.http.context import identity, services, site
from repo_service.http.file_names import clean_file_name
from repo_service.services.records import UploadRecord

blueprint = APIBlueprint("uploads", __name__, url_prefix="/api/v1/uploads", tag="Uploads")

_RAW_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@blueprint.post("")
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
    return answer(_out(record), 201, {"Location": _url(record)})


@blueprint.get("/<uuid:upload_id>")
@blueprint.output(UploadOut)
@blueprint.doc(operation_id="getUpload", security=operations.BEARER, responses=problems("insufficient-scope"))
def get(upload_id: UUID) -> Response:
    """One of my uploads"""
    return answer(_out(services().uploads.get(identity(), upload_id)))


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
    return answer(_out(receiving.receive_raw(services().uploads, identity(), upload)))


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


def _url(record: UploadRecord) -> str:
    return f"{site().base_url}/api/v1/uploads/{record.id}"


def _out(record: UploadRecord) -> UploadOut:
    return UploadOut(
        id=record.id,
        url=_url(record),
        file_name=record.file_name,
        size=record.size,
        state=record.state,
        sha256=record.digest,
        expires_at=record.expires_at,
        created_at=record.created_at,
    )
