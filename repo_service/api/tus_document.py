"""The operations of ``tus.py`` for the OpenAPI document: their headers say nearly everything."""

from __future__ import annotations

from typing import Any

from repo_service.api import operations
from repo_service.api.tus import PREFIX
from repo_service.http.tus import MEDIA_TYPE, VERSION
from repo_service.services.resuming import CHECKSUMS

_Schema = dict[str, Any]

_NUMBER: _Schema = {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}
_TEXT: _Schema = {"type": "string"}
_VERSION: _Schema = {"type": "string", "const": VERSION}
_METADATA: _Schema = {
    "type": "string",
    "maxLength": 8192,
    "pattern": "^(filename [A-Za-z0-9+/]{4,80})?$",
    "examples": ["filename Y291cnNlLm1ieg=="],
}
_CHECKSUM: _Schema = {"type": "string", "pattern": f"^({'|'.join(CHECKSUMS)}) ([A-Za-z0-9+/]{{4}}){{1,11}}$"}
_BODY: _Schema = {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}


def _asked(name: str, schema: _Schema, description: str, *, required: bool = True) -> _Schema:
    return {
        "in": "header",
        "name": name,
        "schema": schema,
        "description": description,
        "required": required,
    }


def _told(**headers: tuple[_Schema, str]) -> _Schema:
    named = {name.replace("_", "-"): found for name, found in headers.items()}
    return {name: {"schema": schema, "description": text} for name, (schema, text) in named.items()}


_SPOKEN = _asked("Tus-Resumable", _VERSION, "The version of the protocol.")
_LENGTH = (_NUMBER, "Bytes of the whole file.")
_OFFSET = (_NUMBER, "Bytes that are kept: the next ones begin here.")
_EXPIRES = (_TEXT, "When the upload is forgotten unless it is gone on with (HTTP date).")
_OF_ALL = {"Tus_Resumable": (_VERSION, "The version of the protocol.")}
_UPLOAD_ID: _Schema = {
    "in": "path",
    "name": "upload_id",
    "required": True,
    "schema": {"type": "string", "format": "uuid"},
}
_SUM = _asked(
    "Upload-Checksum",
    _CHECKSUM,
    f"Of the bytes of this request, by {' or '.join(CHECKSUMS)}: none are kept when they have another.",
    required=False,
)
_TAKES_BYTES = (
    "insufficient-scope",
    "unsupported-protocol",
    "unsupported-media-type",
    "payload-too-large",
    "size-mismatch",
    "quota-exceeded",
    "checksum-mismatch",
    "digest-mismatch",
    "invalid-input",
    "locked",
    "conflict",
    "offset-mismatch",
    "upload-failed",
    "storage-full",
    "storage-unavailable",
)


def _operation(  # noqa: PLR0917 - one line of the protocol each
    operation_id: str,
    summary: str,
    description: str,
    parameters: list[_Schema],
    answers: operations.Responses,
    problems: tuple[str, ...],
) -> _Schema:
    answered = operations.problems(*problems, also=answers)
    return {
        "operationId": operation_id,
        "summary": summary,
        "description": description,
        "tags": ["Uploads"],
        "security": operations.BEARER,
        "parameters": parameters,
        "responses": {str(status): answer for status, answer in sorted(answered.items(), key=str)},
    }


def _describe(operation_id: str, parameters: list[_Schema]) -> _Schema:
    told = _told(
        Tus_Version=(_TEXT, "Versions of the protocol."),
        Tus_Extension=(_TEXT, "Extensions of the protocol."),
        Tus_Max_Size=(_NUMBER, "Bytes of the largest file taken."),
        Tus_Checksum_Algorithm=(_TEXT, "For Upload-Checksum."),
        **_OF_ALL,
    )
    operation = _operation(
        operation_id,
        "What the tus server can do",
        "Needs no token.",
        parameters,
        {204: {"description": "In the headers", "headers": told}},
        (),
    )
    return {**operation, "security": operations.PUBLIC}


PATHS: dict[str, _Schema] = {
    PREFIX: {
        "options": _describe("describeTus", []),
        "post": {
            **_operation(
                "createTusUpload",
                "Begin an upload in several goes",
                "By the [tus protocol](https://tus.io/protocols/resumable-upload). Size, quota and room are "
                "checked now. The body may be empty, or hold the first bytes already. In Upload-Metadata, "
                "`filename` names the file, and `sha256` is what its SHA-256 has to be, in hexadecimal. The "
                "last part of the address in Location is the id of the upload.",
                [
                    _SPOKEN,
                    _asked("Upload-Length", *_LENGTH),
                    _asked("Upload-Metadata", _METADATA, "Pairs of a key and base64.", required=False),
                    _SUM,
                ],
                {
                    201: {
                        "description": "Begun",
                        "headers": _told(
                            Location=(_TEXT, "Where the bytes go."),
                            Upload_Offset=_OFFSET,
                            Upload_Expires=_EXPIRES,
                            **_OF_ALL,
                        ),
                    }
                },
                _TAKES_BYTES,
            ),
            "requestBody": {**_BODY, "required": False},
        },
    },
    f"{PREFIX}/{{upload_id}}": {
        "options": _describe("describeTusUpload", [_UPLOAD_ID]),
        "head": _operation(
            "getTusOffset",
            "Where to go on",
            "",
            [_UPLOAD_ID, _SPOKEN],
            {
                200: {
                    "description": "In the headers",
                    "headers": _told(
                        Upload_Offset=_OFFSET,
                        Upload_Length=_LENGTH,
                        Upload_Expires=_EXPIRES,
                        Upload_Metadata=(_TEXT, "What was kept of it."),
                        **_OF_ALL,
                    ),
                }
            },
            ("insufficient-scope", "unsupported-protocol", "upload-failed", "storage-unavailable"),
        ),
        "patch": {
            **_operation(
                "appendToTusUpload",
                "Send the next bytes",
                "What has come is kept when the connection breaks: ask where to go on by HEAD. After the "
                "last byte the upload is `finished`, or `verifying` for a while: GET "
                "`/api/v1/uploads/{upload_id}` tells. Then name it in a new resource or version.",
                [_UPLOAD_ID, _SPOKEN, _asked("Upload-Offset", *_OFFSET), _SUM],
                {
                    204: {
                        "description": "Kept",
                        "headers": _told(Upload_Offset=_OFFSET, Upload_Expires=_EXPIRES, **_OF_ALL),
                    }
                },
                _TAKES_BYTES,
            ),
            "requestBody": {**_BODY, "required": True},
        },
        "delete": _operation(
            "terminateTusUpload",
            "Give an upload up",
            "",
            [_UPLOAD_ID, _SPOKEN],
            {204: {"description": "Gone", "headers": _told(**_OF_ALL)}},
            ("insufficient-scope", "unsupported-protocol", "conflict"),
        ),
    },
}
