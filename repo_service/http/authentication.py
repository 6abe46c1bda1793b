"""Who asks: a bearer token on the API, a session on the pages."""

from __future__ import annotations

from flask import Flask, Request, g, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

from repo_service.domain.errors import Unauthorised
from repo_service.domain.identity import PUBLIC, Identity
from repo_service.http.context import services, site
from repo_service.http.pages import is_page

SESSION_KEY = "token"
"""Where the signed session cookie keeps the token of a signed-in person."""


def register(app: Flask) -> None:
    """Find out who asks before every request. A bad token is refused even where none is needed."""
    app.session_interface = _Sessions()

    @app.before_request
    def _identify() -> None:
        g.identity = PUBLIC
        g.identity = _of_pages() if is_page() else _of_bearer()
        if g.identity.is_public and not is_page() and request.content_length:
            # Nothing here takes a body from nobody: so nobody can keep us reading.
            raise Unauthorised("Send an API token to do this.")


class _Sessions(SecureCookieSessionInterface):
    """Makes no signer for callers without a cookie: callers of the API have none."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)


def bearer_token() -> str | None:
    """The token in the Authorization header (RFC 6750, section 2.1), None when there is no such header.

    Raises Unauthorised when the header holds something else.
    """
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorised("Send the token as 'Authorization: Bearer …'.", reason="invalid")
    return token.strip()


def _of_bearer() -> Identity:
    token = bearer_token()
    return PUBLIC if token is None else services().accounts.authenticate(token)


def _of_pages() -> Identity:
    token = session.get(SESSION_KEY)
    if token is None or site().read_only:  # nobody is offered what would be refused
        return PUBLIC
    try:
        return services().accounts.authenticate(token)
    except Unauthorised:  # revoked or expired meanwhile: signed out
        session.pop(SESSION_KEY, None)
        return PUBLIC
