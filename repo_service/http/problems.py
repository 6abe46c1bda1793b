"""How every error is answered: RFC 9457 ``application/problem+json`` out of one catalogue.

``detail`` stands first in the body, because Moodle shows its user the first 120 characters of an error as
they are (``moodlenet_send_activity`` passes Guzzle's summary of the body on).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

import apiflask
import structlog
from flask import Flask, Response, current_app, request
from pydantic import BaseModel, ConfigDict, Field, SkipValidation, ValidationError
from pydantic_core import ErrorDetails
from sqlalchemy.exc import DBAPIError
from structlog.typing import FilteringBoundLogger
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain import errors as domain
from repo_service.domain.texts import text
from repo_service.http import request_ids
from repo_service.models.database import Outage, outage_of
from storage import errors as storage

MEDIA_TYPE = "application/problem+json"

STORAGE_RETRY_AFTER = 30
"""Seconds after which to ask again for what an unreachable store holds."""

DATABASE_RETRY_AFTER = 10
"""Seconds after which a database that was started again answers."""

MAX_ERRORS = 100
"""Most values that one problem names: nobody reads more, and each names what was sent."""

_KEY = "repo_problems"

log: FilteringBoundLogger = structlog.get_logger(component="http")


@dataclass(frozen=True, slots=True)
class Kind:
    """One line of the catalogue: ``title`` says what happened, ``advice`` what to do next."""

    status: int
    title: str
    advice: str


CATALOGUE: Mapping[str, Kind] = {
    # What is asked for
    "not-found": Kind(
        404, text("Not found"), text("Check the address. A draft is seen by its owner only: sign in.")
    ),
    "gone": Kind(410, text("Withdrawn"), text("It will not come back here: search for a replacement.")),
    "method-not-allowed": Kind(
        405, text("Method not allowed"), text("Use one of the methods in the Allow header.")
    ),
    "invalid-range": Kind(
        416, text("Range not satisfiable"), text("Ask for bytes within the size given, or for the whole.")
    ),
    "invalid-cursor": Kind(400, text("Invalid cursor"), text("Start again at the first page.")),
    # Who asks
    "unauthorised": Kind(
        401, text("Not signed in"), text("Sign in, or send a valid token as Authorization: Bearer.")
    ),
    "forbidden": Kind(403, text("Not allowed"), text("Ask the owner or an administrator.")),
    "insufficient-scope": Kind(
        403, text("Token lacks a scope"), text("Use a token that has the scope given.")
    ),
    "invalid-signature": Kind(
        401,
        text("Not signed, or not validly"),
        text("Sign the request anew, by a key that its actor names; reason says what was wrong."),
    ),
    "signer-unreachable": Kind(
        503, text("Key not to be had"), text("Try again after the seconds in Retry-After.")
    ),
    "invalid-link": Kind(
        410, text("Link does not work"), text("Ask for a new one where you asked for this.")
    ),
    "registration-closed": Kind(
        403, text("No sign-up"), text("Ask an administrator of this service for an account.")
    ),
    "read-only": Kind(403, text("Read-only mirror"), text("Do this at the home of the mirror.")),
    "too-many-requests": Kind(
        429, text("Too many requests"), text("Wait, then try again: Retry-After says how many seconds.")
    ),
    # What is sent
    "malformed-request": Kind(
        400, text("Malformed request"), text("Correct the request: it cannot be read as it is.")
    ),
    "invalid-input": Kind(
        422, text("Invalid input"), text("Correct the values that errors points at and send them again.")
    ),
    "unsupported-media-type": Kind(
        415, text("Unsupported media type"), text("Send one of the supported media types.")
    ),
    "length-required": Kind(
        411, text("Length required"), text("Send Content-Length; chunked bodies are not taken.")
    ),
    "payload-too-large": Kind(
        413, text("Too large"), text("Send less: of a Moodle course, share single sections or activities.")
    ),
    "quota-exceeded": Kind(
        413, text("Quota exceeded"), text("Delete what you no longer need, or ask for more room.")
    ),
    "size-mismatch": Kind(400, text("Size mismatch"), text("The connection may have broken: send it again.")),
    "digest-mismatch": Kind(
        422, text("Digest mismatch"), text("The bytes changed on their way: send them again.")
    ),
    "checksum-mismatch": Kind(460, text("Checksum mismatch"), text("Send the bytes of this request again.")),
    "unsupported-protocol": Kind(
        412, text("Unsupported version of the protocol"), text("Use one of the supported versions.")
    ),
    "invalid-file": Kind(
        422, text("Invalid file"), text("Make the file anew where it comes from and upload that.")
    ),
    # What stands in the way
    "conflict": Kind(409, text("Conflict"), text("Read the thing again and see what state it is in.")),
    "precondition-failed": Kind(
        412, text("Changed meanwhile"), text("Read it again, then repeat your change.")
    ),
    "name-taken": Kind(409, text("Name taken"), text("Choose another name.")),
    "idempotency-key-in-use": Kind(
        409, text("Under way"), text("Send the same request again after the seconds in Retry-After.")
    ),
    "idempotency-key-reused": Kind(
        422, text("Idempotency key of another request"), text("Draw a new key for each new request.")
    ),
    "not-verified": Kind(409, text("Not verified yet"), text("Try again after the seconds in Retry-After.")),
    "parts-missing": Kind(
        409, text("Parts missing"), text("Send the parts that missing names, then complete again.")
    ),
    "no-direct-uploads": Kind(
        409, text("No direct uploads"), text("Send the bytes to this service, by PUT or tus.")
    ),
    "offset-mismatch": Kind(409, text("Offset mismatch"), text("Send the bytes from the offset given.")),
    "locked": Kind(
        423,
        text("Locked"),
        text("Ask for the offset after the seconds in Retry-After, and go on from there."),
    ),
    "upload-failed": Kind(410, text("Upload failed"), text("Begin a new upload.")),
    "not-inspected": Kind(
        409, text("Not inspected yet"), text("Wait until processing is done; retry it if it failed.")
    ),
    "not-a-backup": Kind(
        409, text("Not a Moodle backup"), text("Ask this of a version that is one: see its kind.")
    ),
    "blocking-findings": Kind(
        409,
        text("Not fit for release"),
        text("Have a clean copy made, or upload a version without what was found."),
    ),
    "uncleanable": Kind(
        409,
        text("No clean copy possible"),
        text("Make the backup again in Moodle, without users, and upload that."),
    ),
    "email-unconfirmed": Kind(
        409,
        text("E-mail address not confirmed"),
        text("Open the link in the letter; your account page sends another."),
    ),
    "incomplete": Kind(409, text("Incomplete"), text("Fill in what errors points at.")),
    # What the service cannot do
    "storage-full": Kind(
        507, text("Storage full"), text("Try again later; the operators have to make room.")
    ),
    "storage-unavailable": Kind(503, text("Storage unavailable"), text("Try again later.")),
    "database-unavailable": Kind(503, text("Database unavailable"), text("Try again later.")),
    "blob-missing": Kind(
        500, text("File missing"), text("Tell the operators the request id: the store has lost this file.")
    ),
    "not-fetched": Kind(
        503,
        text("Not fetched yet"),
        text("Try again after the seconds in Retry-After, or get it at its home."),
    ),
    "not-indexed": Kind(503, text("Not indexed yet"), text("Try again after the seconds in Retry-After.")),
    "remote-failed": Kind(502, text("Other server failed"), text("Check the address; try again later.")),
    "busy": Kind(503, text("Busy"), text("Try again after the seconds in Retry-After.")),
    "internal": Kind(
        500, text("Internal error"), text("Try again; if it stays, tell the operators the request id.")
    ),
}

# The service is at work on what was asked for: nothing that operators have to look into.
_AT_WORK = frozenset({"not-fetched", "not-indexed"})

# What operators cannot look into: it is somebody else's server that fails.
_ELSEWHERE = frozenset({"signer-unreachable", "remote-failed"})

# What a signature has to cover: draft-cavage-http-signatures-12, section 3.1.1, and RFC 9421, section 5.1.
_SIGN_HERE = {
    "WWW-Authenticate": 'Signature headers="(request-target) host date digest"',
    "Accept-Signature": 'sig1=("@method" "@target-uri" "content-digest");created;keyid',
}

_CODE_OF_STATUS = {
    400: "malformed-request",
    401: "unauthorised",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    409: "conflict",
    410: "gone",
    411: "length-required",
    412: "precondition-failed",
    413: "payload-too-large",
    415: "unsupported-media-type",
    416: "invalid-range",
    422: "invalid-input",
    429: "too-many-requests",
    503: "busy",
    507: "storage-full",
}


Said = SkipValidation[str]
"""What is said to people: a validated ``str`` would no longer know how to be said in their language."""


class ProblemError(BaseModel):
    """What is wrong with one value that was sent."""

    pointer: str = Field(description="JSON Pointer (RFC 6901) to the value.", examples=["/metadata/licence"])
    detail: Said = Field(description="What is wrong with it.")
    location: str | None = Field(
        default=None,
        description="Where the value was sent when not in the body: query, path, headers, cookies.",
    )


class Problem(BaseModel):
    """An error as RFC 9457 tells it; each type may have more members of its own."""

    model_config = ConfigDict(extra="allow")

    detail: Said = Field(description="What happened, for the person who asked.")
    title: Said = Field(description="What kind of problem it is.")
    status: int = Field(description="The HTTP status.")
    code: str = Field(description="The kind of problem, for software.")
    type: str = Field(description="Address of the page that explains the code.")
    advice: Said = Field(description="What to do next.")
    request_id: str = Field(description="What to tell the operators.")
    errors: list[ProblemError] | None = Field(default=None, description="What is wrong, value by value.")


Answer = Response | AnyResponse
HtmlPage = Callable[[Problem], str]
"""Renders a problem as a whole page; raising here is answered by the plain problem."""
Words = Callable[[str, Mapping[str, object]], str | None]
"""What to say of an error with this code and these fields; None leaves it at its own words."""


def _own_words(_code: str, _fields: Mapping[str, object]) -> str | None:
    return None


def register(app: Flask, *, base_url: str, html: HtmlPage | None = None) -> None:
    """Answer every error of ``app`` by a problem whose type lies under ``base_url``.

    ``html`` renders it instead for browsers, outside of what only software asks for.
    """
    made = _Answer(base_url=base_url, html=html)
    app.extensions[_KEY] = made
    app.register_error_handler(Exception, made)
    # APIFlask has handlers of its own for these, which would be nearer than the one for Exception.
    app.register_error_handler(HTTPException, made)
    app.register_error_handler(apiflask.HTTPError, made)


def answer(error: Exception, *, words: Words = _own_words) -> Answer:
    """The answer to ``error``, in other ``words``: for handlers that see to some errors only, or whose askers
    need to be told otherwise."""
    registered: _Answer = current_app.extensions[_KEY]
    return registered(error, words=words)


def described(error: Exception) -> tuple[Problem, dict[str, str]]:
    """What would be answered, with its headers: for endpoints whose errors have another shape by their
    standard. It is logged as if it had been."""
    registered: _Answer = current_app.extensions[_KEY]
    return registered.described(error)


def invalid_input(error: ValidationError, *, prefix: str = "") -> domain.InvalidInput:
    """What pydantic found, for a view's own validation. ``prefix`` is the pointer of the value that was
    validated, such as ``/metadata``."""
    return domain.InvalidInput(
        errors=[(prefix + _pointer(item), _message(item)) for item in _details(error)],
    )


@dataclass(frozen=True, slots=True)
class _Cause:
    """An error in the terms of the catalogue. ``status`` differs from the catalogue's only for HTTP statuses
    that have no code of their own."""

    code: str
    detail: str = ""
    status: int | None = None
    errors: tuple[ProblemError, ...] = ()
    fields: Mapping[str, object] | None = None
    headers: Mapping[str, str] | None = None


class _Answer:
    """The handler of every error."""

    def __init__(self, *, base_url: str, html: HtmlPage | None) -> None:
        self._types = f"{base_url.rstrip('/')}/docs/errors"
        self._html = html

    def __call__(self, error: Exception, *, words: Words = _own_words) -> Answer:
        if isinstance(error, HTTPException) and error.response is not None:
            return error.get_response(request.environ)  # abort(Response(…)): already answered
        problem, headers = self.described(error, words=words)
        response = self._page(problem) or Response(
            problem.model_dump_json(exclude_none=True), mimetype=MEDIA_TYPE
        )
        response.status_code = problem.status
        response.headers["Cache-Control"] = "no-store"
        if self._html is not None:
            response.vary.add("Accept")
        response.headers.update(headers)
        return response

    def described(self, error: Exception, *, words: Words = _own_words) -> tuple[Problem, dict[str, str]]:
        """The problem that ``error`` is, logged where operators have to look into it, and its headers."""
        cause = _cause(error)
        if (said := words(cause.code, cause.fields or {})) is not None:
            cause = replace(cause, detail=said)
        problem = self._problem(cause)
        if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR and cause.code not in _AT_WORK | _ELSEWHERE:
            log.error("request failed", code=cause.code, exc_info=error)
        return problem, _headers(cause, problem.status)

    def _problem(self, cause: _Cause) -> Problem:
        kind = CATALOGUE[cause.code]
        members: dict[str, object] = {
            "detail": cause.detail or text("%(what)s. %(advice)s", what=kind.title, advice=kind.advice),
            "title": kind.title,
            "status": cause.status or kind.status,
            "code": cause.code,
            "type": f"{self._types}#{cause.code}",
            "advice": kind.advice,
            "request_id": request_ids.current(),
            "errors": list(cause.errors[:MAX_ERRORS]) or None,
        }
        return Problem.model_validate({**(cause.fields or {}), **members})

    def _page(self, problem: Problem) -> Response | None:
        if self._html is None or not _wants_page():
            return None
        try:
            return Response(self._html(problem), mimetype="text/html")
        except Exception as error:
            log.error("error page failed", exc_info=error)
            return None


def _wants_page() -> bool:
    if request.path.startswith(("/ap/", "/api/", "/files/", "/thumbnails/", "/.pkg/", "/.well-known/")):
        return False
    accept = request.accept_mimetypes
    return accept["text/html"] > accept[MEDIA_TYPE]


def _cause(error: Exception) -> _Cause:
    match error:
        case domain.DomainError():
            return _domain_cause(error)
        case storage.StorageError() | DBAPIError():
            return _outage_cause(error)
        case ValidationError():
            return _domain_cause(invalid_input(error))
        case apiflask.HTTPError():
            return _apiflask_cause(error)
        case HTTPException():
            return _werkzeug_cause(error)
        case _:
            return _Cause("internal")


def _domain_cause(error: domain.DomainError) -> _Cause:
    if error.code not in CATALOGUE:
        return _Cause("internal")
    found: tuple[domain.FieldError, ...] = getattr(error, "errors", ())
    return _Cause(
        error.code,
        detail=error.detail,
        errors=tuple(ProblemError(pointer=item.pointer, detail=item.detail) for item in found),
        fields=error.fields,
    )


def _outage_cause(error: storage.StorageError | DBAPIError) -> _Cause:
    # What drivers say is for operators: it may name hosts and paths.
    match outage_of(error) if isinstance(error, DBAPIError) else error:
        case storage.StorageFull() | Outage.FULL:
            return _Cause("storage-full")
        case Outage.AWAY:
            return _Cause("database-unavailable", headers={"Retry-After": str(DATABASE_RETRY_AFTER)})
        case storage.StorageUnavailable() | storage.StorageRefused():
            return _Cause("storage-unavailable", headers={"Retry-After": str(STORAGE_RETRY_AFTER)})
        case storage.BlobNotFound():
            return _Cause("blob-missing")
        case _:
            return _Cause("internal")


def _apiflask_cause(error: apiflask.HTTPError) -> _Cause:
    if isinstance(error.__cause__, ValidationError):  # raised by @input, which names the place it read
        location = next(iter(error.detail), "")
        elsewhere = {"querystring": "query", "view_args": "path"}.get(location, location)
        items = tuple(
            ProblemError(
                pointer=_pointer(item),
                detail=_message(item),
                location=None if location in {"json", "form", "files", "form_and_files", ""} else elsewhere,
            )
            for item in _details(error.__cause__)
        )
        summary = domain.InvalidInput(errors=[(item.pointer, item.detail) for item in items])
        return _Cause(summary.code, detail=summary.detail, errors=items)
    return _status_cause(error.status_code, error.message or "", dict(Headers(error.headers)))


def _werkzeug_cause(error: HTTPException) -> _Cause:
    # A description that is not the class's own was written for this case; the others speak of browsers.
    own = error.description if error.description != type(error).description else None
    headers = {name: value for name, value in error.get_headers() if name.lower() != "content-type"}
    return _status_cause(error.code or 500, own or "", headers)


def _status_cause(status: int, detail: str, headers: Mapping[str, str]) -> _Cause:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        code, detail = _CODE_OF_STATUS.get(status, "internal"), ""
    else:
        code = _CODE_OF_STATUS.get(status, "malformed-request")
    return _Cause(code, detail=detail, status=status, headers=headers)


def _headers(cause: _Cause, status: int) -> dict[str, str]:
    fields = cause.fields or {}
    headers: dict[str, str] = {}
    if cause.code == "invalid-signature":
        headers |= _SIGN_HERE
    elif status == HTTPStatus.UNAUTHORIZED:  # RFC 6750, section 3
        rejected = fields.get("reason", "missing") != "missing"
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"' if rejected else "Bearer"
    if cause.code == "insufficient-scope":
        headers["WWW-Authenticate"] = f'Bearer error="insufficient_scope", scope="{fields["scope"]}"'
    if cause.code == "invalid-range" and "size" in fields:
        headers["Content-Range"] = f"bytes */{fields['size']}"
    if "retry_after" in fields:
        headers["Retry-After"] = str(fields["retry_after"])
    return headers | dict(cause.headers or {})


def _details(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_context=False, include_input=False)


def _pointer(item: ErrorDetails) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in item["loc"])


def _message(item: ErrorDetails) -> str:
    return item["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
