"""The requests of a stock Moodle's OAuth 2 client, byte for byte as one was seen to send them (4.5.6).

What builds them: ``core\\oauth2\\discovery`` and ``service\\moodlenet.php`` for discovery and registration,
``oauth2_client`` in lib/oauthlib.php for the rest.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, quote_plus

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

SCOPE = "@moodlenet/ed-resource:write.own"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One request."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def to(self, client: FlaskClient) -> TestResponse:
        """The answer."""
        return client.open(self.path, method=self.method, headers=list(self.headers), data=self.body)


@dataclass(frozen=True, kw_only=True)
class Moodle:
    """A site that was connected, or is about to be."""

    wwwroot: str = "http://127.0.0.1:8045"
    name: str = "Moodle Lab 8045"
    client_id: str = ""
    client_secret: str = ""

    @property
    def callback(self) -> str:
        """Where its users come back to."""
        return f"{self.wwwroot}/admin/oauth2callback.php"

    @property
    def agent(self) -> tuple[str, str]:
        """How it introduces itself."""
        return ("User-Agent", f"MoodleBot/4.5 (+{self.wwwroot})")

    def discover(self, below: str = "") -> Sent:
        """Ask for the metadata; ``below`` is the path of the address that its administrator typed."""
        path = f"/.well-known/oauth-authorization-server{below}"
        return Sent(method="GET", path=path, headers=(self.agent,))

    def register(self, scopes_supported: list[str]) -> Sent:
        """Register: for every scope there is."""
        said = {
            "client_name": self.name,
            "client_uri": self.wwwroot,
            "logo_uri": f"{self.wwwroot}/pix/moodlelogo.png",
            "tos_uri": self.wwwroot,
            "policy_uri": self.wwwroot,
            "software_id": "moodle",
            "software_version": "2024100706",
            "redirect_uris": [self.callback],
            "token_endpoint_auth_method": "client_secret_basic",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "scope": " ".join(scopes_supported),
        }
        body = json.dumps(said, separators=(",", ":")).replace("/", "\\/").encode()
        return Sent(
            method="POST",
            path="/oauth/register",
            headers=(
                self.agent,
                ("Content-type", "application/json"),
                ("Accept", "application/json"),
                ("Content-Length", str(len(body))),
            ),
            body=body,
        )

    def registered(self, answer: Any) -> Moodle:
        """The site with what it was given."""
        return replace(self, client_id=answer["client_id"], client_secret=answer["client_secret"])

    def state(self, sesskey: str = "XHP94TkxAe") -> str:
        """A relative address of its own, which it leads on to: no nonce."""
        return f"/admin/moodlenet_oauth2_callback.php?issuerid=10&callback=yes&sesskey={sesskey}"

    def authorize(self, **instead: str | None) -> str:
        """Where it sends its user; ``instead`` are other values for the parameters, None for none."""
        given: dict[str, str | None] = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": self.callback,
            "state": self.state(),
            # Its login scopes, which are none, a space, and the scope (lib/classes/oauth2/client.php).
            "scope": f" {SCOPE}",
            **instead,
        }
        pairs = (f"{name}={quote(value, safe='')}" for name, value in given.items() if value is not None)
        return "/oauth/authorize?" + "&".join(pairs)

    def trade_code(self, code: str, *, basic: bool = False, **instead: str) -> Sent:
        """Trade a code: with the secret in the body, or by Basic where its administrator ticked that."""
        fields = {"code": code, "grant_type": "authorization_code", "redirect_uri": self.callback}
        return self._token_request({**fields, **instead}, basic=basic)

    def refresh(self, token: str, *, basic: bool = False, **instead: str) -> Sent:
        """Trade a refresh token."""
        fields = {"refresh_token": token, "grant_type": "refresh_token"}
        return self._token_request({**fields, **instead}, basic=basic)

    def _token_request(self, fields: dict[str, str], *, basic: bool) -> Sent:
        headers = [("Accept-Encoding", "deflate, gzip, br, zstd")]
        if basic:
            credentials = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}"
            headers.append(("Authorization", f"Basic {base64.b64encode(credentials.encode()).decode()}"))
        else:
            fields = {"client_id": self.client_id, "client_secret": self.client_secret} | fields
            fields = {name: fields[name] for name in sorted(fields, key=_ORDER.index)}
        body = "&".join(f"{name}={quote_plus(value)}" for name, value in fields.items()).encode()
        headers += [
            ("Accept", "application/json"),
            self.agent,
            ("Content-Length", str(len(body))),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ]
        return Sent(method="POST", path="/oauth/token", headers=tuple(headers), body=body)


_ORDER = ["code", "refresh_token", "grant_type", "redirect_uri", "client_id", "client_secret", "scope"]
