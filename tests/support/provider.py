"""A small OpenID Connect provider in the test process: over HTTP on loopback, with real keys and signatures.

It holds clients to the specification (PKCE, client authentication, one use of a code), and can be told to
break any part of it, as a hostile or broken one would.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

CLIENT_ID, CLIENT_SECRET = "repository", "a secret: with/signs & spaces"

Claims = dict[str, Any]


@dataclass
class Provider:
    """``user`` is who is signed in there: claims. ``bend`` changes what stands in an ID token; ``token``
    makes one of its claims in another way; ``document`` changes the discovery document, ``answer`` what goes
    back in the address. ``keys`` are published; ``signs`` signs."""

    issuer: str
    user: Claims
    keys: list[RSAKey | ECKey]
    signs: RSAKey | ECKey
    back: str = ""
    bend: Claims = field(default_factory=dict)
    token: Callable[[Claims], str] | None = None
    document: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, str | None] = field(default_factory=dict)
    refuses: str = ""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    raw: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    """Answers in the place of what a path would answer."""

    def sign(self, claims: Claims, *, key: RSAKey | ECKey | None = None, alg: str = "RS256") -> str:
        """A JWT of ``claims``."""
        used = key or self.signs
        return jwt.encode({"alg": alg, "kid": used.kid}, claims, used, algorithms=[alg])

    # What it answers

    def configuration(self) -> dict[str, Any]:
        """OpenID Connect Discovery 1.0, section 3."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "authorization_response_iss_parameter_supported": True,
            **self.document,
        }

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser is sent: back, with a code for whoever is signed in here."""
        assert query["client_id"] == CLIENT_ID
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert set(query["scope"].split()) >= {"openid", "email"}
        assert query["redirect_uri"] == self.back
        given: dict[str, str | None] = {"state": query["state"], "iss": self.issuer}
        if self.refuses:
            given["error"] = self.refuses
        else:
            code = secrets.token_urlsafe()
            self.codes[code] = query
            given["code"] = code
        given |= self.answer
        return f"{self.back}?{urlencode({name: value for name, value in given.items() if value is not None})}"

    def redeem(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """The token endpoint's status and answer."""
        user, _, password = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        if (unquote(user), unquote(password)) != (CLIENT_ID, CLIENT_SECRET):
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (
            asked is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != asked["redirect_uri"]
            or challenge != asked["code_challenge"]
        ):
            return 400, {"error": "invalid_grant"}
        moment = int(time.time())
        claims: Claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": moment,
            "exp": moment + 300,
            "nonce": asked["nonce"],
            **self.user,
            **self.bend,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        token = self.token(claims) if self.token else self.sign(claims)
        return 200, {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "id_token": token}


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.provider.asked.append(url.path)
        if self._raw(url.path):
            return
        if url.path.endswith("/.well-known/openid-configuration"):
            self._json(200, self.provider.configuration())
        elif url.path == "/keys":
            keys = KeySet([*self.provider.keys])
            self._json(200, dict(keys.as_dict(private=False)))
        elif url.path == "/authorize":
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            self.send_response(302)
            self.send_header("Location", self.provider.authorize(query))
            self.end_headers()
        else:
            self._json(404, {})

    def do_POST(self) -> None:
        self.provider.asked.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self._raw(self.path):
            return
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self._json(*self.provider.redeem(form, self.headers.get("Authorization", "")))

    def log_message(self, *args: Any) -> None:
        """Quiet."""

    def _raw(self, path: str) -> bool:
        if path not in self.provider.raw:
            return False
        status, headers, body = self.provider.raw[path]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        return True

    def _json(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="session")
def provider_keys() -> tuple[RSAKey, RSAKey]:
    """The provider's key, and another of the same kind."""
    first, second = (RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True) for _ in range(2))
    return first, second


@contextmanager
def running_provider(key: RSAKey) -> Iterator[Provider]:
    """A provider where Ada is signed in, which signs with ``key``."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    made = Provider(
        issuer=f"http://127.0.0.1:{server.server_address[1]}",
        user={
            "sub": "248289761001",
            "email": "ada@example.org",
            "email_verified": True,
            "name": "Ada Lovelace",
            "preferred_username": "Ada.L",
        },
        keys=[key],
        signs=key,
    )
    handler.provider = made  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def provider(provider_keys: tuple[RSAKey, RSAKey]) -> Iterator[Provider]:
    """A provider where Ada is signed in."""
    with running_provider(provider_keys[0]) as made:
        yield made
