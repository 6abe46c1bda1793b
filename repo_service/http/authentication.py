"""Who asks: a bearer token on the API, a session on the pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from flask import Flask, Request, current_app, g, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

from repo_service.domain.errors import InsufficientScope, Unauthorised
from repo_service.domain.identity import PUBLIC, Identity, Scope
from repo_service.http.context import services, site
from repo_service.http.pages import is_page
from repo_service.services.throttling import Allowance, address_block

SESSION_KEY = "token"
"""Where the signed session cookie keeps the token of a signed-in person."""

WRONG_TOKENS = Allowance(name="wrong-tokens", burst=100, every=timedelta(seconds=6))
"""From one address block. Nobody guesses 256 bits: this is for programs that have not noticed that theirs was
revoked. Good tokens are let in all the while."""

_OAUTH = "oauth"
"""The blueprint whose callers are clients: they show secrets of their own, in a header or in a form."""

_SHARES = "takes_sharing_tokens"
_FROM_ANYBODY = "takes_bodies_from_anybody"
_MAX_BODY_FROM_ANYBODY = 16 * 1024
_SIGNED = "takes_signed_bodies"

View = TypeVar("View", bound=Callable[..., Any])


def register(app: Flask) -> None:
    """Find out who asks before every request. A bad token is refused even where none is needed."""
    app.session_interface = _Sessions()

    @app.before_request
    def _identify() -> None:
        g.identity = PUBLIC
        if request.blueprint == _OAUTH:
            return  # their bodies are small, and each view bounds its own
        g.identity = _of_pages() if is_page() else _of_bearer()
        if not is_page():
            _keep_to_sharing(g.identity)
        if g.identity.is_public and not is_page():
            # Next to nothing here takes a body from nobody: so nobody can keep us reading.
            if _is_marked(_FROM_ANYBODY):
                request.max_content_length = _MAX_BODY_FROM_ANYBODY
            elif _is_marked(_SIGNED):
                return
            elif request.content_length:
                raise Unauthorised("Send an API token to do this.")


def takes_sharing_tokens(view: View) -> View:
    """Mark the view that tokens with no scope but ``Scope.SHARE`` are for. No other takes them, not even
    those that everybody may read: a Moodle has this token to share files, and nothing else is done with
    it."""
    view.__dict__[_SHARES] = True  # decorators that wrap the view take this over
    return view


def takes_bodies_from_anybody(view: View) -> View:
    """Mark a view of the API that takes a small body without a token, too."""
    view.__dict__[_FROM_ANYBODY] = True
    return view


def takes_signed_bodies(view: View) -> View:
    """Mark a view of the API whose callers are known by the signature of what they send. It bounds the body
    itself."""
    view.__dict__[_SIGNED] = True
    return view


def _is_marked(mark: str) -> bool:
    return bool(getattr(current_app.view_functions.get(request.endpoint or ""), mark, False))


def _keep_to_sharing(who: Identity) -> None:
    if request.endpoint is None:
        return  # there is nothing to be had
    if who.scopes == {Scope.SHARE} and not _is_marked(_SHARES):
        raise InsufficientScope(
            "The token of this site is for sharing files and cannot do this.", scope=Scope.READ.value
        )


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


def identify(token: str) -> Identity:
    """Who shows this token, as often as wrong ones may come from one place.

    Raises Unauthorised, TooManyRequests.
    """
    try:
        return services().accounts.authenticate(token)
    except Unauthorised as error:
        if error.reason == "invalid" and not site().read_only:
            count_wrong_secret()
        raise


def count_wrong_secret() -> None:
    """A token or a client's secret that is none came from where the request did. Raises TooManyRequests."""
    services().throttling.take((WRONG_TOKENS, address_block(request.remote_addr)))


def _of_bearer() -> Identity:
    token = bearer_token()
    return PUBLIC if token is None else identify(token)


def _of_pages() -> Identity:
    token = session.get(SESSION_KEY)
    if token is None or site().read_only:  # nobody is offered what would be refused
        return PUBLIC
    try:
        return services().accounts.authenticate(token)
    except Unauthorised:  # revoked or expired meanwhile: signed out
        session.pop(SESSION_KEY, None)
        return PUBLIC
