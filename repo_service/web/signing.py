"""Signing in with an API token, and out again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import wraps
from typing import ParamSpec

from flask import Response, redirect, request, session, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import Forbidden, InsufficientScope, NotFound, Unauthorised
from repo_service.domain.identity import SCOPES_OF_ROLE, Identity
from repo_service.http.authentication import SESSION_KEY
from repo_service.http.context import identity, services
from repo_service.http.read_only import require_writable
from repo_service.models.base import now
from repo_service.web.blueprint import blueprint
from repo_service.web.rendering import page

SESSION_LASTS = timedelta(hours=12)

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
    """The form that takes a token."""
    require_writable()
    return page("sign_in.html", next=local_path(request.args.get("next")))


@blueprint.post("/sign-in")
def begin_session() -> AnyResponse:
    """Trade an API token for one of the session's own, which ends with it."""
    onward = local_path(request.form.get("next"))
    try:
        secret = _session_token(services().accounts.authenticate(request.form.get("token", "").strip()))
    except (Unauthorised, Forbidden, InsufficientScope) as error:
        return page("sign_in.html", status=403, next=onward, error=error.detail)
    end_session()
    session[SESSION_KEY] = secret
    return redirect(onward, 303)


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


def _session_token(who: Identity) -> str:
    assert who.role is not None
    return (
        services()
        .accounts.issue_token(
            who,
            name="Browser",
            scopes=who.scopes & SCOPES_OF_ROLE[who.role],
            expires_at=now() + SESSION_LASTS,
            client_id=who.client_id,
        )
        .secret
    )


def end_session() -> None:
    """Forget everything the browser holds; nothing of an old session serves a new one."""
    before = identity()
    session.clear()
    if before.token_id is not None:
        with suppress(NotFound, InsufficientScope):  # it was of no use already
            services().accounts.revoke_token(before, before.token_id)
