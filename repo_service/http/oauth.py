"""The OAuth 2 authorization server as HTTP has it: which requests are right, and how they are answered.

Authlib knows the protocol (RFC 6749, 7009, 7636, 9207) and is imported here alone; what is decided and kept
is the business of ``services.clients`` and ``services.grants``. Errors of these endpoints have the shape that
the RFCs give them, not that of problems."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    OAuth2Error,
    OAuth2Payload,
    OAuth2Request,
)
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc6749.util import scope_to_list
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from werkzeug.datastructures import Headers, MultiDict

from repo_service.domain.identity import SCOPES_OF_SITES, AuthMethod, ClientState, GrantType, Identity, Scope
from repo_service.http.authentication import count_wrong_secret
from repo_service.http.context import services, site
from repo_service.services.grants import CodeRecord, IssuedTokens, TokenOwner
from repo_service.services.records import ClientRecord

AUTHORIZE, TOKEN, REGISTER, REVOKE = "/oauth/authorize", "/oauth/token", "/oauth/register", "/oauth/revoke"
"""Paths of the endpoints, below the address of the service."""

JSON_HEADERS = {"Cache-Control": "no-store", "Pragma": "no-cache"}
"""Of every answer with a secret in it (RFC 6749, section 5.1)."""

_AUTH_METHODS = [method.value for method in AuthMethod]
_CODE = "code"
_NOT_APPROVED = "An administrator of the service has to approve this site first."
_S256 = "S256"
_CHALLENGE = 'Basic realm="OAuth", charset="UTF-8"'
"""RFC 7617, section 2: a challenge without a realm is none."""
_TLS_IS_THE_FRONT_SERVERS = "https://localhost"
"""What Authlib is told to be the address of each request: it refuses http, but how people reach the service
is the operators' business, and behind their front server no request looks like https."""

Parameters = MultiDict[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client gets: an HTTP status, a JSON object and headers."""

    status: int
    body: Mapping[str, object]
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """What a client wants a person to allow (RFC 6749, section 4.1.1), found to be in order.

    ``redirect_uri`` is registered for the client, letter by letter; ``names_redirect_uri`` tells whether the
    request said it, too. ``state`` goes back as it came.
    """

    client: ClientRecord
    redirect_uri: str
    names_redirect_uri: bool
    scopes: frozenset[Scope]
    state: str | None
    code_challenge: str | None

    def denied(self) -> str:
        """Where to go after the person said no."""
        return self._back(error="access_denied", error_description="The person did not allow it.")

    def unapproved(self) -> str:
        """Where to go while the site waits for an administrator: nobody was asked, so nobody said no. Moodle
        shows the sentence (lib/amd/src/moodlenet/authorize.js); of a refusal it says nothing."""
        return self._back(error="unauthorized_client", error_description=_NOT_APPROVED)

    def allowed(self, identity: Identity) -> str:
        """Where to go after ``identity`` said yes: with a code for the client. Raises as
        ``Grants.authorise``."""
        code = services().grants.authorise(
            identity,
            self.client,
            scopes=self.scopes,
            redirect_uri=self.redirect_uri,
            named_redirect_uri=self.redirect_uri if self.names_redirect_uri else None,
            code_challenge=self.code_challenge,
        )
        return self._back(code=code)

    def _back(self, **answer: str) -> str:
        return _location(self.redirect_uri, self.state, answer)


class AuthorizationRefused(Exception):
    """A request that nobody is asked to allow. ``error`` is the code of RFC 6749, section 4.1.2.1.

    ``back`` leads back to the site and tells it; None while it is not certain that this is the site's
    address."""

    def __init__(self, error: str, *, redirect_uri: str | None = None, back: str | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.redirect_uri = redirect_uri
        self.back = back


def metadata() -> dict[str, object]:
    """What clients can know of this server beforehand (RFC 8414, section 2). Every address is built from the
    setting: what a request claims to be the host must not lead anybody elsewhere."""
    base = site().base_url
    document: dict[str, object] = {
        "issuer": base,
        "authorization_endpoint": base + AUTHORIZE,
        "token_endpoint": base + TOKEN,
        "revocation_endpoint": base + REVOKE,
        "response_types_supported": [_CODE],
        "response_modes_supported": ["query"],
        "grant_types_supported": [grant.value for grant in GrantType],
        "scopes_supported": [scope.value for scope in SCOPES_OF_SITES],
        "token_endpoint_auth_methods_supported": _AUTH_METHODS,
        "revocation_endpoint_auth_methods_supported": _AUTH_METHODS,
        "code_challenge_methods_supported": [_S256],
        "authorization_response_iss_parameter_supported": True,
        "service_documentation": f"{base}/api/docs/",
    }
    if services().clients.policy.registrations:
        document["registration_endpoint"] = base + REGISTER
    return document


def authorization_request(parameters: Parameters) -> AuthorizationRequest:
    """The request that these parameters of the query make. Raises AuthorizationRefused."""
    request = _Request("GET", parameters, Headers())
    try:
        grant = _SERVER.get_consent_grant(request)
    except ValueError as error:  # Authlib repeats what it refuses, and its errors take only some characters
        raise AuthorizationRefused("invalid_request") from error
    except OAuth2Error as error:
        back = None
        if error.redirect_uri:
            back = _location(error.redirect_uri, request.payload.state, {"error": str(error.error)})
        raise AuthorizationRefused(str(error.error), redirect_uri=error.redirect_uri, back=back) from error
    client: _Client = grant.request.client
    return AuthorizationRequest(
        client=client.record,
        redirect_uri=grant.redirect_uri,
        names_redirect_uri=request.payload.redirect_uri is not None,
        scopes=frozenset(map(Scope, scope_to_list(request.scope))),
        state=request.payload.state,
        code_challenge=request.payload.data.get("code_challenge"),
    )


def token(form: Parameters, headers: Headers) -> Answer:
    """Trade a code or a refresh token for tokens (RFC 6749, sections 4.1.3 and 6)."""
    return _answered(_SERVER.create_token_response, form, headers)


def revoke(form: Parameters, headers: Headers) -> Answer:
    """Make a token worthless (RFC 7009)."""
    return _answered(lambda request: _SERVER.create_endpoint_response("revocation", request), form, headers)


def error_answer(
    error: str, description: str, *, status: int = 400, headers: Mapping[str, str] | None = None
) -> Answer:
    """An error in the shape of RFC 6749, section 5.2."""
    return Answer(
        status, {"error": error, "error_description": description}, {**(headers or {}), **JSON_HEADERS}
    )


def _answered(respond: Callable[[_Request], Answer], form: Parameters, headers: Headers) -> Answer:
    request = _Request("POST", form, headers)
    try:
        _require_clear(request)
        return respond(request)
    except UnicodeDecodeError:  # Authlib's, of credentials that are no text
        return _SERVER.handle_refusal(InvalidClientError(status_code=401))
    except OAuth2Error as error:
        return _SERVER.handle_refusal(error)


def _require_clear(request: _Request) -> None:
    """Refuse what could be read in two ways (RFC 6749, sections 2.3 and 3.2)."""
    if any(len(values) > 1 for values in request.payload.datalist.values()):
        raise InvalidRequestError("A parameter is there more than once.")
    if "Authorization" in request.headers and "client_secret" in request.form:
        raise InvalidRequestError("Send the secret in one way only.")


def _location(redirect_uri: str, state: str | None, answer: Mapping[str, str]) -> str:
    """``redirect_uri``, letter by letter, with the answer: ``iss`` is who gives it (RFC 9207)."""
    parameters = dict(answer)
    if state is not None:
        parameters["state"] = state
    parameters["iss"] = site().base_url
    return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(parameters)}"


class _Payload(OAuth2Payload):  # type: ignore[misc]  # Authlib ships no types
    """The parameters of a request, from the one place where they are allowed to be."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters

    @property
    def data(self) -> Parameters:
        return self._parameters

    @property
    def datalist(self) -> dict[str, list[str]]:
        return self._parameters.to_dict(flat=False)


class _Request(OAuth2Request):  # type: ignore[misc]  # Authlib ships no types
    """A request as Authlib reads it. Parameters without a value are not there (RFC 6749, section 3.1)."""

    def __init__(self, method: str, parameters: Parameters, headers: Headers) -> None:
        super().__init__(method, _TLS_IS_THE_FRONT_SERVERS, headers=headers)
        self.given: Parameters = MultiDict([pair for pair in parameters.items(multi=True) if pair[1]])
        self.payload = _Payload(self.given)

    @property
    def args(self) -> Parameters:
        return self.given

    @property
    def form(self) -> Parameters:
        return self.given


class _Client:
    """A client as Authlib asks about it (its ``ClientMixin``). Only an approved one can authenticate."""

    def __init__(self, record: ClientRecord) -> None:
        self.record = record

    def get_client_id(self) -> str:
        return str(self.record.id)

    def get_default_redirect_uri(self) -> str | None:
        """The one to take when the request names none: only where there is no choice."""
        return self.record.redirect_uris[0] if len(self.record.redirect_uris) == 1 else None

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """What is asked for, if all of it is registered. Nothing is added and nothing left out in silence:
        the person reads the very list that the client sent."""
        asked = set(scope_to_list(scope or "") or ())
        return " ".join(sorted(asked)) if asked and asked <= set(self.record.scopes) else None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.record.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        knows = services().clients.knows_secret(self.record, client_secret)
        if not knows:
            count_wrong_secret()
        return knows

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """In the body or by Basic, whatever was registered: Moodle registers for one and uses the other."""
        is_public = self.record.auth_method is AuthMethod.NONE
        return self.record.state is ClientState.APPROVED and is_public == (method == AuthMethod.NONE.value)

    def check_response_type(self, response_type: str) -> bool:
        return response_type == _CODE

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.record.grant_types


@dataclass(frozen=True, slots=True)
class _AuthorizationCode:
    """A code as Authlib asks about it."""

    record: CodeRecord

    @property
    def code_challenge(self) -> str | None:
        return self.record.code_challenge

    @property
    def code_challenge_method(self) -> str:
        return _S256

    def get_redirect_uri(self) -> str | None:
        return self.record.redirect_uri

    def get_scope(self) -> str:
        return " ".join(self.record.scopes)


@dataclass(frozen=True, slots=True)
class _RefreshToken:
    """A refresh token as Authlib asks about it."""

    secret: str
    scopes: Sequence[Scope]

    def check_client(self, _client: _Client) -> bool:
        return True  # those of other clients are not found

    def get_scope(self) -> str:
        return " ".join(self.scopes)


@dataclass(frozen=True, slots=True)
class _RevocableToken:
    """Any token as Authlib asks about it."""

    owner: TokenOwner

    def check_client(self, client: _Client) -> bool:
        return self.owner.client_id == client.record.id


class _CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib ships no types
    TOKEN_ENDPOINT_AUTH_METHODS = _AUTH_METHODS

    def validate_authorization_request(self) -> str:
        redirect_uri: str = super().validate_authorization_request()
        asked = self.request.payload.data
        for name in ("request", "request_uri"):  # RFC 9101, section 6.1
            if name in asked:
                raise InvalidRequestError(error=f"{name}_not_supported", redirect_uri=redirect_uri)
        if asked.get("response_mode", "query") != "query":
            raise InvalidRequestError(redirect_uri=redirect_uri)
        if self.request.client.record.auth_method is AuthMethod.NONE and "code_challenge" not in asked:
            raise InvalidRequestError(redirect_uri=redirect_uri)  # RFC 9700, section 2.1.1
        return redirect_uri

    def query_authorization_code(self, code: str, client: _Client) -> _AuthorizationCode | None:
        found = services().grants.find_code(client.record, code)
        return None if found is None else _AuthorizationCode(found)

    def create_token_response(self) -> tuple[int, dict[str, object], list[tuple[str, str]]]:
        issued = services().grants.redeem_code(self.request.client.record, self.request.form["code"])
        return _issued(issued)


class _RefreshGrant(RefreshTokenGrant):  # type: ignore[misc]  # Authlib ships no types
    TOKEN_ENDPOINT_AUTH_METHODS = _AUTH_METHODS

    def authenticate_refresh_token(self, refresh_token: str) -> _RefreshToken | None:
        scopes = services().grants.scopes_of_refresh_token(self.request.client.record, refresh_token)
        return None if scopes is None else _RefreshToken(refresh_token, scopes)

    def create_token_response(self) -> tuple[int, dict[str, object], list[tuple[str, str]]]:
        scope = self.request.payload.scope
        issued = services().grants.refresh(
            self.request.client.record,
            self.request.refresh_token.secret,
            scopes=None if scope is None else frozenset(map(Scope, scope_to_list(scope))),
        )
        return _issued(issued)


class _S256Challenge(CodeChallenge):  # type: ignore[misc]  # Authlib ships no types
    """PKCE by S256 only: ``plain`` protects from nobody who reads the request (RFC 9700, section 2.1.1)."""

    SUPPORTED_CODE_CHALLENGE_METHOD = (_S256,)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        super().validate_code_challenge(grant, redirect_uri)
        asked = grant.request.payload.data
        if "code_challenge" in asked and "code_challenge_method" not in asked:
            raise InvalidRequestError  # it would mean plain


class _Revocation(RevocationEndpoint):  # type: ignore[misc]  # Authlib ships no types
    CLIENT_AUTH_METHODS = _AUTH_METHODS

    def check_params(self, request: OAuth2Request, client: _Client) -> None:
        """The hint is not needed: a token is looked for wherever it may be (RFC 7009, section 2.1)."""
        if "token" not in request.form:
            raise InvalidRequestError("Send the token.")

    def query_token(self, token_string: str, token_type_hint: str | None) -> _RevocableToken | None:
        owner = services().grants.owner_of(token_string)
        return None if owner is None else _RevocableToken(owner)

    def revoke_token(self, token: _RevocableToken, request: OAuth2Request) -> None:
        services().grants.revoke(token.owner)


class _Server(AuthorizationServer):  # type: ignore[misc]  # Authlib ships no types
    """Authlib's server without a framework: it is told everything, and keeps nothing."""

    def query_client(self, client_id: str) -> _Client | None:
        found = services().clients.find(client_id)
        ended = found is None or found.state in (ClientState.DECLINED, ClientState.DISABLED)
        return None if found is None or ended else _Client(found)

    def get_token_grant(self, request: _Request) -> Any:
        if request.payload.grant_type is None:
            raise InvalidRequestError("Send a grant_type.")
        return super().get_token_grant(request)

    def create_oauth2_request(self, request: _Request) -> _Request:
        return request

    def handle_response(self, status: int, body: Any, headers: Sequence[tuple[str, str]]) -> Answer:
        sent = {**dict(headers), **JSON_HEADERS}
        if "WWW-Authenticate" in sent:
            sent["WWW-Authenticate"] = _CHALLENGE
        return Answer(status, body, sent)

    def handle_refusal(self, error: OAuth2Error) -> Answer:
        """The answer that an error is."""
        return self.handle_response(*error())

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""


def _issued(issued: IssuedTokens | None) -> tuple[int, dict[str, object], list[tuple[str, str]]]:
    if issued is None:
        raise InvalidGrantError("It was used, has expired, or was revoked.")
    body: dict[str, object] = {
        "access_token": issued.access,
        "token_type": "Bearer",
        "expires_in": int(issued.lasts.total_seconds()),
        "scope": " ".join(issued.scopes),
    }
    if issued.refresh is not None:
        body["refresh_token"] = issued.refresh
    return 200, body, []


_SERVER = _Server(scopes_supported=[scope.value for scope in SCOPES_OF_SITES])
_SERVER.register_grant(_CodeGrant, [_S256Challenge(required=True)])
_SERVER.register_grant(_RefreshGrant)
_SERVER.register_endpoint(_Revocation)
