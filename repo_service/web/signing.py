"""Signing in, with a password or an API token, and out again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import ParamSpec
from urllib.parse import urlsplit

from flask import Response, redirect, request, session, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import Forbidden, InsufficientScope, NotFound, Unauthorised
from repo_service.domain.identity import Identity
from repo_service.http import oauth
from repo_service.http.authentication import SESSION_KEY, identify
from repo_service.http.context import identity, services
from repo_service.http.read_only import require_writable
from repo_service.models.account import EMAIL_LENGTH
from repo_service.services.throttling import address_block
from repo_service.web.blueprint import blueprint
from repo_service.web.browsers import browser_name
from repo_service.web.fields import line_field
from repo_service.web.rendering import page

P = ParamSpec("P")


def for_the_signed_in(view: Callable[P, AnyResponse]) -> Callable[P, AnyResponse]:
    """Send the public to sign in first where they only look; refuse where they would change something.

    On a mirror nobody signs in.
    """

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> AnyResponse:
        require_writable()
        if not identity().is_public:
            return view(*args, **kwargs)
        if request.method in ("GET", "HEAD"):
            here = request.full_path.rstrip("?")
            return redirect(url_for("web.sign_in", next=here), 303)
        raise Unauthorised("You are signed out: sign in and do this again.")

    return guarded


@blueprint.get("/sign-in")
def sign_in() -> Response:
    """The form that takes a name and a password, and the one for a token."""
    require_writable()
    return _form(local_path(request.args.get("next")))


@blueprint.post("/sign-in")
def try_to_sign_in() -> AnyResponse:
    """Begin a session for whoever knows a password, or shows an API token."""
    form = request.form
    onward = local_path(form.get("next"))
    token = form.get("token", "").strip()
    login = line_field(form, "login", limit=EMAIL_LENGTH)
    try:
        if token:
            begin_session(identify(token))
        else:
            secret = services().people.sign_in(
                login=login,
                password=form.get("password", ""),
                address=address_block(request.remote_addr),
                browser=_browser(),
            )
            keep_session(secret)
    except (Unauthorised, Forbidden) as error:
        wrong = "token" if token else "password"
        return _form(onward, status=403, login=login, error=error.detail, wrong=wrong)
    return redirect(onward, 303)


def _form(onward: str, *, status: int = 200, login: str = "", error: str = "", wrong: str = "") -> Response:
    """Whom a Moodle sends here takes it for Moodle's own log-in: it says then whose password is meant."""
    return page(
        "sign_in.html",
        status=status,
        next=onward,
        connects=urlsplit(onward).path == oauth.AUTHORIZE,
        login=login,
        error=error,
        wrong=wrong,
    )


@blueprint.post("/sign-out")
def sign_out() -> AnyResponse:
    """End the session: its token is worthless from now on."""
    end_session()
    return redirect(url_for("web.home"), 303)


def local_path(target: str | None) -> str:
    """``target`` if it is a path on this site, else the home page: no link may lead elsewhere through us."""
    if (
        target is None
        or not target.startswith("/")
        or target.startswith("//")
        or "\\" in target
        or not target.isprintable()
    ):
        return url_for("web.home")
    return target


def begin_session(who: Identity) -> None:
    """Sign ``who`` in."""
    keep_session(services().accounts.begin_session(who, browser=_browser()))


def keep_session(secret: str) -> None:
    """Go on with a new session: nothing that the browser held before serves it."""
    end_session()
    session[SESSION_KEY] = secret


def _browser() -> str:
    return browser_name(request.user_agent.string)


def end_session() -> None:
    """Forget everything the browser holds; nothing of an old session serves a new one."""
    before = identity()
    session.clear()
    if before.token_id is not None:
        with suppress(NotFound, InsufficientScope):  # it was of no use already
            services().accounts.revoke_token(before, before.token_id)
