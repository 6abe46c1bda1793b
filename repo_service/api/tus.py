"""``/api/v1/tus``: uploads in several goes, by the tus protocol 1.0.

https://tus.io/protocols/resumable-upload: the core, and its extensions creation, creation-with-upload,
expiration, checksum and termination. What is not in there is as everywhere else in the API: tokens, problems.
The last part of an upload's address is its id, by which a new resource or version takes it. For OpenAPI all
this is written down in ``tus_document.py``: it is headers mostly, of which the generator knows nothing.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING
from uuid import UUID

from apiflask import APIBlueprint
from flask import Response, request

from repo_service.domain.errors import (
    InvalidInput,
    MalformedRequest,
    SizeMismatch,
    UnsupportedMediaType,
    UnsupportedProtocol,
)
from repo_service.http import body
from repo_service.http.context import identity, services, site
from repo_service.http.file_names import clean_file_name
from repo_service.services.records import UploadRecord
from repo_service.services.resuming import CHECKSUMS, Checksum, Progress

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX = "/api/v1/tus"
VERSION = "1.0.0"
EXTENSIONS = ("creation", "creation-with-upload", "expiration", "checksum", "termination")
MEDIA_TYPE = "application/offset+octet-stream"

_NUMBER = re.compile(r"[0-9]{1,18}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_MAX_METADATA = 8 * 1024
_OVERRIDDEN = frozenset({"DELETE", "HEAD", "OPTIONS", "PATCH", "POST"})

blueprint = APIBlueprint("tus", __name__, url_prefix=PREFIX, enable_openapi=False)


class MethodOverride:
    """Lets clients that know no PATCH and DELETE name the method in ``X-HTTP-Method-Override``.

    Before anything else looks at the method, and under ``PREFIX`` only.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """A WSGI application."""
        meant = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE")
        if meant and _is_tus(environ.get("PATH_INFO", "")):
            environ["REQUEST_METHOD"] = meant if meant in _OVERRIDDEN else "UNKNOWN"
        return self._application(environ, start_response)


@blueprint.before_request
def _speak_the_same_version() -> None:
    if request.method != "OPTIONS" and request.headers.get("Tus-Resumable") != VERSION:
        raise UnsupportedProtocol(f"Send Tus-Resumable: {VERSION}.", supported=[VERSION])


@blueprint.after_app_request
def _say_the_version(response: Response) -> Response:
    """On every answer below ``PREFIX``, those without a view included."""
    if _is_tus(request.path):
        response.headers["Tus-Resumable"] = VERSION
        if response.status_code == 412:
            response.headers["Tus-Version"] = VERSION
    return response


@blueprint.route("", methods=["OPTIONS"])
@blueprint.route("/<uuid:upload_id>", methods=["OPTIONS"], endpoint="describe_upload")
def describe(upload_id: UUID | None = None) -> Response:
    """What this server can do."""
    return Response(
        status=204,
        headers={
            "Tus-Version": VERSION,
            "Tus-Extension": ",".join(EXTENSIONS),
            "Tus-Max-Size": str(site().max_upload_size),
            "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
            "Allow": "OPTIONS, POST" if upload_id is None else "DELETE, HEAD, OPTIONS, PATCH",
        },
    )


@blueprint.post("", provide_automatic_options=False)
def create() -> Response:
    """Begin an upload; the body may hold its first bytes already."""
    length = _announced_length()
    metadata = _metadata()
    checksum = _checksum()
    announced = body.announced(request.environ)
    if announced != 0:
        _require_media_type()
    record = services().resuming.create(
        identity(),
        file_name=clean_file_name(metadata.get("filename") or metadata.get("name") or ""),
        size=length,
        expected_digest=_expected_digest(metadata),
    )
    offset = 0
    if announced != 0 or length == 0:
        try:
            progress = _receive(record.id, 0, announced, checksum)
            if announced is not None and progress.offset != announced:
                raise SizeMismatch(expected=announced, received=progress.offset)
        except BaseException:
            services().resuming.abandon(record.id)  # nobody has been told its address
            raise
        record, offset = progress.upload, progress.offset
    headers = {"Location": f"{site().base_url}{PREFIX}/{record.id}", **_where(offset, record)}
    return Response(status=201, headers=headers)


@blueprint.route("/<uuid:upload_id>", methods=["HEAD"], provide_automatic_options=False)
def look(upload_id: UUID) -> Response:
    """How far it is."""
    progress = services().resuming.progress(identity(), upload_id)
    return Response(
        headers={
            **_where(progress.offset, progress.upload),
            "Upload-Length": str(progress.upload.size),
            "Upload-Metadata": _metadata_of(progress.upload),
            "Cache-Control": "no-store",
        },
    )


@blueprint.patch("/<uuid:upload_id>", provide_automatic_options=False)
def append(upload_id: UUID) -> Response:
    """Take the next bytes, and keep what has come when they break off."""
    _require_media_type()
    offset = _number("Upload-Offset")
    progress = _receive(upload_id, offset, body.announced(request.environ), _checksum())
    return Response(status=204, headers=_where(progress.offset, progress.upload))


@blueprint.delete("/<uuid:upload_id>", provide_automatic_options=False)
def terminate(upload_id: UUID) -> Response:
    """Give an upload up."""
    services().resuming.terminate(identity(), upload_id)
    return Response(status=204)


def _receive(upload_id: UUID, offset: int, announced: int | None, checksum: Checksum | None) -> Progress:
    with services().resuming.append(
        identity(), upload_id, offset=offset, announced=announced, checksum=checksum
    ) as appender:
        for piece in body.read_as_it_comes(request.environ):
            appender.write(piece)
        return appender.finish()


def _where(offset: int, upload: UploadRecord) -> dict[str, str]:
    return {"Upload-Offset": str(offset), "Upload-Expires": _http_date(upload.expires_at)}


def _http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


def _require_media_type() -> None:
    if request.mimetype != MEDIA_TYPE:
        raise UnsupportedMediaType(f"Send the bytes as {MEDIA_TYPE}.", supported=[MEDIA_TYPE])


def _announced_length() -> int:
    for header, what in (("Upload-Defer-Length", "a size that is told later"), ("Upload-Concat", "parts")):
        if header in request.headers:
            raise MalformedRequest(f"{header} is not taken: this server knows no uploads of {what}.")
    return _number("Upload-Length")


def _number(header: str) -> int:
    value = request.headers.get(header, "")
    if not _NUMBER.fullmatch(value):
        raise MalformedRequest(f"Send {header} as a number of bytes.")
    return int(value)


def _checksum() -> Checksum | None:
    header = request.headers.get("Upload-Checksum")
    if header is None:
        return None
    algorithm, _, value = header.partition(" ")
    if algorithm not in CHECKSUMS:
        raise MalformedRequest(f"The checksum in Upload-Checksum is made by one of {', '.join(CHECKSUMS)}.")
    checksum = _base64(value, "Upload-Checksum")
    if len(checksum) != CHECKSUMS[algorithm]:
        raise MalformedRequest(f"The checksum in Upload-Checksum is no {algorithm}: it has another length.")
    return Checksum(algorithm, checksum)


def _metadata() -> dict[str, str]:
    """The client's words about the file. Keys that mean nothing here are passed over, as tus allows."""
    header = request.headers.get("Upload-Metadata", "")
    if len(header) > _MAX_METADATA:
        raise MalformedRequest(f"Upload-Metadata is longer than {_MAX_METADATA} characters.")
    found: dict[str, str] = {}
    for pair in filter(None, header.split(",")):
        key, _, value = pair.strip().partition(" ")
        if not key or key in found:
            raise MalformedRequest("Upload-Metadata is a list of 'key base64', with each key once.")
        found[key] = _base64(value, "Upload-Metadata").decode("utf-8", "replace")
    return found


def _expected_digest(metadata: dict[str, str]) -> str | None:
    expected = metadata.get("sha256")
    if not expected:
        return None
    if not _SHA256.fullmatch(expected):
        raise InvalidInput(errors=[("/sha256", "A SHA-256 has 64 hexadecimal characters.")])
    return expected.lower()


def _metadata_of(upload: UploadRecord) -> str:
    """What was kept of the client's words."""
    kept = {"filename": upload.file_name, "sha256": upload.expected_digest}
    return ",".join(
        f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in kept.items() if value
    )


def _base64(value: str, header: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedRequest(f"A value in {header} is not base64.") from error


def _is_tus(path: str) -> bool:
    return path == PREFIX or path.startswith(PREFIX + "/")
