"""The endpoints of OAuth 2 that software calls: registration, tokens, revocation.

They are no part of the OpenAPI document: RFC 8414 describes them to software. Their errors are those of the
RFCs."""

from __future__ import annotations

import json
from http import HTTPStatus

from apiflask import APIBlueprint
from flask import Response, request
from pydantic import BaseModel, ConfigDict, ValidationError
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import (
    InvalidInput,
    MalformedRequest,
    ReadOnly,
    UnsupportedMediaType,
)
from repo_service.domain.identity import SCOPES_OF_SITES, AuthMethod, GrantType, Scope
from repo_service.http import oauth, problems
from repo_service.http.context import services
from repo_service.http.problems import invalid_input
from repo_service.services.clients import ClientMetadata, RegisteredClient
from repo_service.services.records import ClientRecord

blueprint = APIBlueprint("oauth", __name__, enable_openapi=False)

_MAX_FORM = 16 * 1024
_MAX_REGISTRATION = 64 * 1024
_FORM_TYPE = "application/x-www-form-urlencoded"
_UNAVAILABLE = frozenset(
    {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.INSUFFICIENT_STORAGE}
)


@blueprint.post(oauth.TOKEN)
def token() -> Response:
    """Trade a code or a refresh token for tokens (RFC 6749, section 3.2). What is right is answered by 200:
    Moodle takes nothing else (``oauth2_client::upgrade_token`` in lib/oauthlib.php)."""
    _require_form()
    return _json(oauth.token(request.form, request.headers))


@blueprint.post(oauth.REVOKE)
def revoke() -> Response:
    """Make a token worthless (RFC 7009)."""
    _require_form()
    return _json(oauth.revoke(request.form, request.headers))


class RegistrationIn(BaseModel):
    """What a client says of itself. What is not named here, such as its logo, is not registered."""

    model_config = ConfigDict(extra="ignore", strict=True)

    redirect_uris: list[str]
    client_name: str = ""
    client_uri: str = ""
    software_id: str = ""
    software_version: str = ""
    token_endpoint_auth_method: AuthMethod = AuthMethod.BASIC
    grant_types: list[str] = [GrantType.CODE.value]
    response_types: list[str] = ["code"]
    scope: str = ""


@blueprint.post(oauth.REGISTER)
def register() -> Response:
    """Register a client (RFC 7591). Open to everybody, as Moodle needs it; see ``services.clients``."""
    request.max_content_length = _MAX_REGISTRATION
    made = services().clients.register(_wanted(request.get_json()), address=request.remote_addr)
    return _json(oauth.Answer(201, _registered(made), oauth.JSON_HEADERS))


@blueprint.errorhandler(Exception)
def _refused(error: Exception) -> AnyResponse:
    """Any error in the shape that the RFCs give it (RFC 6749, section 5.2; RFC 7591, section 3.2.2). A mirror
    has no authorization server, so what it says is none of theirs."""
    if isinstance(error, ReadOnly):
        return problems.answer(error)
    problem, headers = problems.described(error)
    if isinstance(error, InvalidInput):
        redirects = all(item.pointer.startswith("/redirect_uris") for item in error.errors)
        code, status = "invalid_redirect_uri" if redirects else "invalid_client_metadata", 400
    elif problem.status in _UNAVAILABLE:
        code, status = "temporarily_unavailable", problem.status
    elif problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        code, status = "server_error", problem.status
    elif problem.status == HTTPStatus.FORBIDDEN:
        code, status = "access_denied", problem.status
    else:
        code, status = "invalid_request", problem.status
    return _json(oauth.error_answer(code, problem.detail, status=status, headers=headers))


def _json(answer: oauth.Answer) -> Response:
    response = Response(json.dumps(answer.body), status=answer.status, mimetype="application/json")
    response.headers.update(answer.headers)
    return response


def _require_form() -> None:
    """Refuse what is no form, or a big one, before any of it is read."""
    request.max_content_length = _MAX_FORM
    if request.mimetype != _FORM_TYPE:
        raise UnsupportedMediaType(f"Send a form, as {_FORM_TYPE}.", supported=[_FORM_TYPE])


def _wanted(document: object) -> ClientMetadata:
    if not isinstance(document, dict):
        raise MalformedRequest("Send a JSON object.")
    try:
        # RFC 7591, section 2: what has no value is not there.
        given = RegistrationIn.model_validate_json(
            json.dumps({name: value for name, value in document.items() if value is not None})
        )
    except ValidationError as error:
        raise invalid_input(error) from error
    if "code" not in given.response_types:
        raise InvalidInput(errors=[("/response_types", "This service knows code.")])
    # RFC 7591, section 2: the server may leave out what it does not know.
    known_scopes = {scope.value for scope in SCOPES_OF_SITES}
    asked = frozenset(map(Scope, known_scopes.intersection(given.scope.split())))
    known_grants = {grant.value for grant in GrantType}
    return ClientMetadata(
        redirect_uris=given.redirect_uris,
        name=given.client_name,
        client_uri=given.client_uri,
        software_id=given.software_id,
        software_version=given.software_version,
        auth_method=given.token_endpoint_auth_method,
        grant_types=frozenset(map(GrantType, known_grants.intersection(given.grant_types))),
        scopes=asked if given.scope.split() else frozenset(SCOPES_OF_SITES),
    )


def _registered(made: RegisteredClient) -> dict[str, object]:
    """All that was registered (RFC 7591, section 3.2.1)."""
    client: ClientRecord = made.client
    assert client.auth_method is not None
    said: dict[str, object | None] = {
        "client_id": str(client.id),
        "client_secret": made.secret,
        "client_id_issued_at": int(client.created_at.timestamp()),
        "client_secret_expires_at": None if made.secret is None else 0,
        "client_name": client.name,
        "client_uri": client.client_uri,
        "software_id": client.software_id,
        "software_version": client.software_version,
        "redirect_uris": client.redirect_uris,
        "token_endpoint_auth_method": client.auth_method.value,
        "grant_types": sorted(client.grant_types),
        "response_types": ["code"],
        "scope": " ".join(scope.value for scope in SCOPES_OF_SITES if scope in client.scopes),
    }
    return {name: value for name, value in said.items() if value is not None}
