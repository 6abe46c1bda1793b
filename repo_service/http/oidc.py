"""Signing in with an OpenID Connect provider: the relying party's half of OpenID Connect Core 1.0.

The authorization code flow with PKCE (RFC 7636), ``state`` and ``nonce``; addresses and keys by discovery
(OpenID Connect Discovery 1.0). joserfc checks signatures and Authlib the claims of ID tokens; who that makes
is the business of ``services.elsewhere``.

The issuer is the operators' setting, and it alone is asked: nothing that a browser sends leads anywhere else.
Its document names the other addresses, so they have to be https as it is itself; no redirect is followed, and
no answer is read beyond ``_MOST_BYTES``.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import structlog
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from repo_service.domain.errors import InvalidInput
from repo_service.services.elsewhere import External
from repo_service.services.emails import normalise_email

BACK: Final = "/sign-in/elsewhere/back"
"""Where the provider sends people back to, below the address of the service: its redirect URI."""

_SCOPE: Final = "openid email profile"
_ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "Ed25519",
)
"""Signatures by a key that only the provider has: ``none``, and those by a secret that both know, prove
nothing."""
_LASTS: Final = 15 * 60
"""Seconds in which people are back."""
_LEEWAY: Final = 60
"""Seconds by which clocks may differ."""
_KNOWN_FOR: Final = 60 * 60
"""Seconds after which the provider is asked for its addresses and keys again."""
_ASKED_AGAIN: Final = 60
"""Least seconds between two requests for keys because of one that nobody knows: anybody could cause them."""
_TIMEOUT: Final = httpx.Timeout(10)
_MOST_BYTES: Final = 1024 * 1024
_WORDS_LENGTH: Final = 200
"""Characters of names: until there is an account the browser keeps them, in 4 KB."""
_SUBJECT_LENGTH: Final = 255
"""OpenID Connect Core 1.0, section 2."""

log = structlog.get_logger(__name__)


class SignInFailed(Exception):
    """Nobody was signed in. ``reason`` is ``denied`` by the provider or the person, ``stale`` when it was not
    begun in this browser or is too long ago, ``unreachable`` when the provider does not answer as it should,
    ``untrusted`` when what came is not what it has to be. The message is for operators."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What the browser keeps, signed, while the person is at the provider. ``began`` in seconds since 1970;
    ``onward`` and ``link`` are where they go then, and an invitation in hand. ``token_id`` is the session for
    which an identity is connected, empty for a sign-in."""

    state: str
    nonce: str
    verifier: str
    began: int
    onward: str
    link: str = ""
    token_id: str = ""

    def kept(self) -> dict[str, object]:
        """For the session."""
        return asdict(self)

    @classmethod
    def from_kept(cls, kept: object) -> Begun | None:
        """What ``kept`` gave; None for anything else."""
        try:
            return cls(**kept) if isinstance(kept, dict) else None
        except TypeError:
            return None


@dataclass(frozen=True, slots=True)
class _Metadata:
    """Of the provider's document: what is used here."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    auth_methods: tuple[str, ...]
    names_itself: bool
    """It says who it is when it sends people back (RFC 9207)."""


class Provider:
    """One provider, as the settings name it. For all threads."""

    def __init__(
        self,
        *,
        issuer: str,
        client_id: str,
        client_secret: str,
        name: str,
        base_url: str,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.issuer = issuer
        self.name = name or urlsplit(issuer).netloc
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_uri = f"{base_url}{BACK}"
        self._transport = transport
        self._lock = threading.Lock()
        self._metadata: _Metadata | None = None
        self._keys: KeySet | None = None
        self._asked_at = self._keys_asked_at = -float(_KNOWN_FOR)

    def begin(self, *, onward: str, link: str = "", token_id: str = "") -> tuple[Begun, str]:
        """A sign-in, and the provider's page to send the person to.

        OpenID Connect Core 1.0, section 3.1.2.1. Raises SignInFailed.
        """
        begun = Begun(
            state=secrets.token_urlsafe(),
            nonce=secrets.token_urlsafe(),
            verifier=secrets.token_urlsafe(48),
            began=int(time.time()),
            onward=onward,
            link=link,
            token_id=token_id,
        )
        address: str = prepare_grant_uri(
            self._about().authorization_endpoint,
            client_id=self._client_id,
            response_type="code",
            redirect_uri=self._redirect_uri,
            scope=_SCOPE,
            state=begun.state,
            nonce=begun.nonce,
            code_challenge=create_s256_code_challenge(begun.verifier),
            code_challenge_method="S256",
        )
        return begun, address

    def finish(self, begun: Begun | None, answer: Mapping[str, str]) -> External:
        """Who came back, by the ``answer`` in the address. Raises SignInFailed."""
        state = answer.get("state", "")
        if begun is None or not hmac.compare_digest(begun.state.encode(), state.encode()):
            raise SignInFailed("stale", "the state is not that of this browser")
        if not -_LEEWAY <= time.time() - begun.began <= _LASTS:
            raise SignInFailed("stale", "it was begun too long ago")
        about = self._about()
        issuer = answer.get("iss")
        if issuer != self.issuer and (issuer is not None or about.names_itself):  # RFC 9207, section 2.4
            raise SignInFailed("untrusted", f"the answer is of {issuer!r}")
        if "error" in answer:
            raise SignInFailed("denied", f"the provider says {answer['error']!r}")
        if not answer.get("code"):
            raise SignInFailed("untrusted", "the answer has no code")
        tokens = self._redeem(about, answer["code"], begun.verifier)
        claims = self._verified(tokens, begun.nonce)
        return _external(self.issuer, claims)

    def _redeem(self, about: _Metadata, code: str, verifier: str) -> Mapping[str, Any]:
        """OpenID Connect Core 1.0, section 3.1.3.1."""
        body = httpx.QueryParams(
            grant_type="authorization_code",
            code=code,
            redirect_uri=self._redirect_uri,
            code_verifier=verifier,
        )
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        auth = ClientAuth(self._client_id, self._client_secret, self._auth_method(about))
        url, headers, data = auth.prepare("POST", about.token_endpoint, headers, str(body))
        return self._ask("POST", url, headers=headers, content=data)

    def _auth_method(self, about: _Metadata) -> str:
        if not self._client_secret:
            return "none"
        # The default is client_secret_basic (OpenID Connect Discovery 1.0, section 3).
        only_post = "client_secret_post" in about.auth_methods
        return (
            "client_secret_post"
            if only_post and "client_secret_basic" not in about.auth_methods
            else ("client_secret_basic")
        )

    def _verified(self, tokens: Mapping[str, Any], nonce: str) -> CodeIDToken:
        """The claims of the ID token, once everything of OpenID Connect Core 1.0, section 3.1.3.7, holds."""
        encoded = tokens.get("id_token")
        if not isinstance(encoded, str):
            raise SignInFailed("untrusted", "there is no ID token")
        try:
            token = self._decoded(encoded)
            claims = CodeIDToken(
                token.claims,
                token.header,
                options={
                    "iss": {"essential": True, "value": self.issuer},
                    "aud": {"essential": True, "value": self._client_id},
                    "sub": {"essential": True},
                    "exp": {"essential": True},
                    "iat": {"essential": True},
                    "nonce": {"essential": True, "value": nonce},
                },
                params={
                    "nonce": nonce,
                    "client_id": self._client_id,
                    "access_token": tokens.get("access_token"),
                },
            )
            claims.validate(leeway=_LEEWAY)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise SignInFailed("untrusted", f"the ID token: {error!r}") from error
        return claims

    def _decoded(self, encoded: str) -> jwt.Token:
        """Keys change: one that nobody knows is looked for once more."""
        try:
            return jwt.decode(encoded, self._key_set(), algorithms=list(_ALGORITHMS))
        except (JoseError, ValueError) as error:
            known = self._key_set()
            if self._key_set(again=True) is known:
                raise error
        return jwt.decode(encoded, self._key_set(), algorithms=list(_ALGORITHMS))

    def _about(self) -> _Metadata:
        with self._lock:
            found, asked_at = self._metadata, self._asked_at
        if found is not None and time.monotonic() - asked_at < _KNOWN_FOR:
            return found
        document = self._ask("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != self.issuer:  # OpenID Connect Discovery 1.0, section 4.3
            raise SignInFailed("untrusted", f"the document is of {document.get('issuer')!r}")
        methods = document.get("token_endpoint_auth_methods_supported")
        found = _Metadata(
            authorization_endpoint=self._endpoint(document, "authorization_endpoint"),
            token_endpoint=self._endpoint(document, "token_endpoint"),
            jwks_uri=self._endpoint(document, "jwks_uri"),
            auth_methods=tuple(map(str, methods)) if isinstance(methods, list) else ("client_secret_basic",),
            names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        )
        with self._lock:
            self._metadata, self._asked_at = found, time.monotonic()
        return found

    def _endpoint(self, document: Mapping[str, Any], name: str) -> str:
        """An address that the document names: as safe a one as the issuer's own."""
        address = document.get(name)
        wanted, found = urlsplit(self.issuer), urlsplit(address if isinstance(address, str) else "")
        beside = (found.scheme, found.netloc) == (wanted.scheme, wanted.netloc)
        if not (found.netloc and (found.scheme == "https" or beside)):
            raise SignInFailed("untrusted", f"{name} is {address!r}")
        return str(address)

    def _key_set(self, *, again: bool = False) -> KeySet:
        with self._lock:
            keys, age = self._keys, time.monotonic() - self._keys_asked_at
        if keys is not None and age < (_ASKED_AGAIN if again else _KNOWN_FOR):
            return keys
        document = self._ask("GET", self._about().jwks_uri)
        try:
            keys = KeySet.import_key_set(document)  # type: ignore[arg-type]
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise SignInFailed("untrusted", f"the keys: {error!r}") from error
        with self._lock:
            self._keys, self._keys_asked_at = keys, time.monotonic()
        return keys

    def _ask(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: str | None = None
    ) -> Mapping[str, Any]:
        """A JSON object of the provider's. Raises SignInFailed."""
        try:
            with (
                httpx.Client(transport=self._transport, timeout=_TIMEOUT, follow_redirects=False) as client,
                client.stream(method, url, headers=headers, content=content) as response,
            ):
                body = bytearray()
                for block in response.iter_bytes():
                    body += block
                    if len(body) > _MOST_BYTES:
                        raise SignInFailed("unreachable", f"{url} answers more than {_MOST_BYTES} bytes")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SignInFailed("unreachable", f"{url}: {error!r}") from error
        if response.status_code != httpx.codes.OK:
            said = bytes(body[:200])
            reason = "untrusted" if response.is_client_error else "unreachable"
            raise SignInFailed(reason, f"{url} answers {response.status_code}: {said!r}")
        try:
            document = httpx.Response(200, content=bytes(body)).json()
        except ValueError as error:
            raise SignInFailed("unreachable", f"{url} answers no JSON") from error
        if not isinstance(document, dict):
            raise SignInFailed("unreachable", f"{url} answers no JSON object")
        return document


def _external(issuer: str, claims: Mapping[str, Any]) -> External:
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= _SUBJECT_LENGTH or "\x00" in subject:
        raise SignInFailed("untrusted", "the subject is none")
    email = claims.get("email")
    address: str | None = None
    if isinstance(email, str):
        try:
            address = normalise_email(email)
        except InvalidInput:
            log.info("the provider gave no e-mail address that there can be")
    return External(
        issuer=issuer,
        subject=subject,
        email=address,
        # Nothing but true is true: some providers send the word.
        email_verified=address is not None and claims.get("email_verified") is True,
        name=_words(claims.get("name")),
        username=_words(claims.get("preferred_username")),
    )


def _words(value: object) -> str:
    return value[:_WORDS_LENGTH] if isinstance(value, str) else ""
