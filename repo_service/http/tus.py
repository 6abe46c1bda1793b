"""The tus protocol 1.0: uploads in several goes, at any address.

https://tus.io/protocols/resumable-upload: the core, and its extensions creation, creation-with-upload,
expiration, checksum and termination. What is not in there is as everywhere else: who asks, and problems.
The last part of an upload's address is its id, by which a new resource or version takes it.

Programs send to the API's address with a token, pages to one of their own with their session; an upload that
was begun at one may be gone on with at the other.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from functools import wraps
from typing import Any
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

VERSION = "1.0.0"
EXTENSIONS = ("creation", "creation-with-upload", "expiration", "checksum", "termination")
MEDIA_TYPE = "application/offset+octet-stream"

_NUMBER = re.compile(r"[0-9]{1,18}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_MAX_METADATA = 8 * 1024

View = Callable[..., Any]


class Endpoint:
    """A tus server at one address."""

    def __init__(self, prefix: str, *, origin: Callable[[], str] = str) -> None:
        """``prefix`` is the path of the address. ``origin`` says what stands before it in the addresses of
        uploads: nothing where they are for those who know the server already."""
        self._prefix = prefix
        self._origin = origin

    def add_to(self, blueprint: APIBlueprint, *, guard: Callable[[View], View] = lambda view: view) -> None:
        """Have ``blueprint``, whose prefix it is, answer the protocol. ``guard`` is put around each view that
        does something, and is asked before the protocol is looked at."""

        def add(path: str, name: str, view: View, method: str) -> None:
            blueprint.add_url_rule(
                path, endpoint=name, view_func=view, methods=[method], provide_automatic_options=False
            )

        upload = "/<uuid:upload_id>"
        add("", "describe", _describe_all, "OPTIONS")
        add(upload, "describe_upload", _describe_upload, "OPTIONS")
        add("", "create", guard(_speaking(self.create)), "POST")
        add(upload, "look", guard(_speaking(self.look)), "HEAD")
        add(upload, "append", guard(_speaking(self.append)), "PATCH")
        add(upload, "terminate", guard(_speaking(self.terminate)), "DELETE")
        blueprint.after_app_request(self._say_the_version)

    def holds(self, path: str) -> bool:
        """Whether the path of a request is below this address."""
        return path == self._prefix or path.startswith(self._prefix + "/")

    def create(self) -> Response:
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
        location = f"{self._origin()}{self._prefix}/{record.id}"
        return Response(status=201, headers={"Location": location, **_where(offset, record)})

    def look(self, upload_id: UUID) -> Response:
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

    def append(self, upload_id: UUID) -> Response:
        """Take the next bytes, and keep what has come when they break off."""
        _require_media_type()
        offset = _number("Upload-Offset")
        progress = _receive(upload_id, offset, body.announced(request.environ), _checksum())
        return Response(status=204, headers=_where(progress.offset, progress.upload))

    def terminate(self, upload_id: UUID) -> Response:
        """Give an upload up."""
        services().resuming.terminate(identity(), upload_id)
        return Response(status=204)

    def _say_the_version(self, response: Response) -> Response:
        """On every answer below the address, those without a view included."""
        if self.holds(request.path):
            response.headers["Tus-Resumable"] = VERSION
            if response.status_code == 412:
                response.headers["Tus-Version"] = VERSION
        return response


def _speaking(view: View) -> View:
    """Refuse who speaks another version of the protocol."""

    @wraps(view)
    def spoken(**arguments: Any) -> Any:
        if request.headers.get("Tus-Resumable") != VERSION:
            raise UnsupportedProtocol(f"Send Tus-Resumable: {VERSION}.", supported=[VERSION])
        return view(**arguments)

    return spoken


def _describe_all() -> Response:
    return _description("OPTIONS, POST")


def _describe_upload(upload_id: UUID) -> Response:
    return _description("DELETE, HEAD, OPTIONS, PATCH")


def _description(allow: str) -> Response:
    """What this server can do."""
    return Response(
        status=204,
        headers={
            "Tus-Version": VERSION,
            "Tus-Extension": ",".join(EXTENSIONS),
            "Tus-Max-Size": str(site().max_upload_size),
            "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
            "Allow": allow,
        },
    )


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
