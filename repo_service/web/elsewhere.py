"""Signing in, up and connecting with the OpenID Connect provider that the operators chose."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from flask import Response, redirect, request, session, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import Conflict, InvalidInput, NotFound, Unauthorised
from repo_service.domain.texts import text
from repo_service.http.context import identity, services, site
from repo_service.http.oidc import BACK, Begun, Provider, SignInFailed
from repo_service.http.problems import CATALOGUE
from repo_service.http.read_only import require_writable
from repo_service.models.account import EMAIL_LENGTH
from repo_service.services.elsewhere import External
from repo_service.services.people import HAS_ACCOUNT, NAME_LENGTH
from repo_service.services.throttling import Allowance, address_block
from repo_service.web.account import account_page
from repo_service.web.blueprint import blueprint
from repo_service.web.browsers import browser_name
from repo_service.web.errors import beside_form
from repo_service.web.fields import line_field
from repo_service.web.rendering import secret_page
from repo_service.web.signing import begin_session, for_the_signed_in, keep_session, local_path
from repo_service.web.speaking import spoken

_BEGUN: Final = "elsewhere"
"""Where the signed session cookie keeps what was begun."""
_ARRIVED: Final = "arrived"
"""Where it keeps who came back and has no account yet."""
_PATH_LENGTH: Final = 1000
_LINK_LENGTH: Final = 200
_LASTS: Final = 30 * 60
"""Seconds in which they make one."""

_ANSWERS_FROM: Final = Allowance(name="elsewhere-from", burst=50, every=timedelta(seconds=30))
"""Answers that nobody is signed in for, from one address block: each may make us ask the provider."""

_WORDS: Final = {
    "denied": text("You were not let in there, or did not allow it."),
    "stale": text("This was not begun in this browser, or it took too long. Begin again."),
    "unreachable": text("The provider does not answer as it should. Try again later."),
    "untrusted": text("What the provider sent could not be trusted, so nobody was signed in."),
}

log = structlog.get_logger(__name__)


@blueprint.get("/sign-in/elsewhere")
def sign_in_elsewhere() -> AnyResponse:
    """On to the provider; ``link`` is an invitation in hand."""
    require_writable()
    provider = _provider()
    try:
        begun, address = provider.begin(
            onward=_onward(request.args.get("next")), link=request.args.get("link", "")[:_LINK_LENGTH]
        )
    except SignInFailed as error:
        return _failed(error)
    session[_BEGUN] = begun.kept()
    response = redirect(address, 302)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"  # the address may hold the secret of an invitation
    return response


@blueprint.get(BACK)
def back_from_elsewhere() -> AnyResponse:
    """Sign in whoever comes back, connect them, or offer them an account."""
    require_writable()
    begun = Begun.from_kept(session.get(_BEGUN))
    if begun is not None and request.args.get("state") == begun.state:
        del session[_BEGUN]  # for one answer, and none that was not asked for takes its place
    taken = services().throttling.take((_ANSWERS_FROM, address_block(request.remote_addr)))
    try:
        external = _provider().finish(begun, request.args)
    except SignInFailed as error:
        return _failed(error)
    services().throttling.give_back(taken)
    assert begun is not None
    if begun.token_id:
        return _connected(begun, external)
    try:
        secret = services().elsewhere.sign_in(external, browser=browser_name(request.user_agent.string))
    except Unauthorised as error:
        return _page("elsewhere_failed.html", status=403, words=error.detail)
    if secret is not None:
        keep_session(secret)
        return redirect(begun.onward, 303)
    if services().elsewhere.has_account(external):
        return _page("elsewhere_known.html", words=HAS_ACCOUNT, email=external.proven_email)
    services().people.require_registration(begun.link or None, address=address_block(request.remote_addr))
    session[_ARRIVED] = {
        "external": asdict(external),
        "link": begun.link,
        "onward": begun.onward,
        "at": int(time.time()),
    }
    return redirect(url_for("web.sign_up_elsewhere"), 303)


@blueprint.get("/sign-up/elsewhere")
def sign_up_elsewhere() -> AnyResponse:
    """The form for an account of whoever came back without one."""
    require_writable()
    arrived = _arrived()
    if arrived is None:
        return redirect(url_for("web.sign_in"), 303)
    external, _link, _onward = arrived
    values = {
        "username": _suggested(external),
        "display_name": external.name[:NAME_LENGTH],
        "email": external.email or "",
    }
    return _form(external, values)


@blueprint.post("/sign-up/elsewhere")
def make_account_elsewhere() -> AnyResponse:
    """Make it, and sign its owner in."""
    arrived = _arrived()
    if arrived is None:
        return _failed(SignInFailed("stale", "nobody has come back"))
    external, link, onward = arrived
    form = request.form
    values = {
        "username": line_field(form, "username", limit=NAME_LENGTH).casefold(),
        "display_name": line_field(form, "display_name", limit=NAME_LENGTH),
        "email": line_field(form, "email", limit=EMAIL_LENGTH + 1),
    }
    try:
        who = services().people.sign_up(
            username=values["username"],
            display_name=values["display_name"],
            email=values["email"],
            password="",  # they have none here
            language=spoken().tag,
            address=address_block(request.remote_addr),
            invitation=link or None,
            external=external,
        )
    except InvalidInput as error:
        messages = {item.pointer.lstrip("/"): item.detail for item in error.errors}
        return _form(external, values, status=CATALOGUE[error.code].status, messages=messages)
    except Conflict as error:
        return _page("elsewhere_known.html", status=CATALOGUE[error.code].status, words=error.detail)
    begin_session(who)  # which forgets who had arrived
    return redirect(url_for("web.welcome", next=onward), 303)


@blueprint.post("/account/connections")
@for_the_signed_in
def connect_elsewhere() -> AnyResponse:
    """Ask for the password, then lead to the provider: by a link, as forms of ours lead to no other site."""
    provider = _provider()
    try:
        services().people.require_owner(
            identity(), request.form.get("password", ""), address=address_block(request.remote_addr)
        )
        begun, address = provider.begin(
            onward=url_for("web.account", done="connected"), token_id=str(identity().token_id)
        )
    except InvalidInput as error:
        return account_page(status=CATALOGUE[error.code].status, refusals={"connections": beside_form(error)})
    except SignInFailed as error:
        return _failed(error)
    session[_BEGUN] = begun.kept()
    return _page("elsewhere_connect.html", address=address)


@blueprint.post("/account/connections/<uuid:connection_id>/disconnect")
@for_the_signed_in
def disconnect_elsewhere(connection_id: UUID) -> AnyResponse:
    """It signs in here no more."""
    try:
        services().elsewhere.disconnect(identity(), connection_id)
    except Conflict as error:
        return account_page(status=CATALOGUE[error.code].status, refusals={"connections": beside_form(error)})
    return redirect(url_for("web.account", done="disconnected"), 303)


@blueprint.get("/account/connections")
@blueprint.get("/account/connections/<uuid:connection_id>/disconnect")
def back_to_connections(connection_id: UUID | None = None) -> AnyResponse:
    """After a refusal this stands in the address bar, and Enter there asks for it again."""
    return redirect(url_for("web.account"))


def _onward(target: str | None) -> str:
    """Where to go then, if the browser can keep it: its cookie holds 4 KB."""
    path = local_path(target)
    return path if len(path) <= _PATH_LENGTH else url_for("web.home")


def _provider() -> Provider:
    provider = site().provider
    if provider is None:
        raise NotFound
    return provider


def _connected(begun: Begun, external: External) -> AnyResponse:
    """Connect them, in the session in which that was asked for and in no other."""
    if str(identity().token_id) != begun.token_id:
        return _failed(SignInFailed("stale", "another session asked for it"))
    try:
        services().elsewhere.connect(identity(), external)
    except Conflict as error:
        return account_page(status=CATALOGUE[error.code].status, refusals={"connections": beside_form(error)})
    return redirect(begun.onward, 303)


def _arrived() -> tuple[External, str, str] | None:
    """Who came back, with their invitation and where they were going; None when nobody did lately."""
    kept = session.get(_ARRIVED)
    if not isinstance(kept, dict) or time.time() - kept["at"] > _LASTS:
        return None
    return External(**kept["external"]), kept["link"], kept["onward"]


def _suggested(external: External) -> str:
    """A user name out of what they are called there, as far as that can be one."""
    called = external.username or (external.email or "")
    letters = [c for c in called.partition("@")[0].casefold() if c.isascii() and (c.isalnum() or c in "._-")]
    return "".join(letters).lstrip("._-")[:64]


def _form(
    external: External,
    values: Mapping[str, str],
    *,
    status: int = 200,
    messages: Mapping[str, str] | None = None,
) -> Response:
    return _page(
        "elsewhere_sign_up.html",
        status=status,
        values=values,
        proven_email=external.proven_email,
        messages=messages or {},
        name_length=NAME_LENGTH,
    )


def _failed(error: SignInFailed) -> Response:
    log.warning("a sign-in with the provider failed", reason=error.reason, error=str(error))
    status = 502 if error.reason == "unreachable" else 403
    return _page("elsewhere_failed.html", status=status, words=_WORDS[error.reason])


def _page(template: str, *, status: int = 200, **values: object) -> Response:
    return secret_page(template, status=status, provider=_provider().name, **values)
