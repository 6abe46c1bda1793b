"""A new password for who has forgotten theirs, or never had one."""

from __future__ import annotations

from flask import Response, redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import InvalidInput
from repo_service.domain.identity import LinkPurpose
from repo_service.http.context import services
from repo_service.http.problems import CATALOGUE
from repo_service.http.read_only import require_writable
from repo_service.models.account import EMAIL_LENGTH
from repo_service.services.passwords import MIN_LENGTH
from repo_service.services.people import LinkOwner
from repo_service.services.throttling import address_block
from repo_service.web.blueprint import blueprint
from repo_service.web.fields import line_field
from repo_service.web.rendering import page, secret_page
from repo_service.web.signing import begin_session


@blueprint.get("/forgotten-password")
def forgotten_password() -> Response:
    """The form that asks for a letter."""
    require_writable()
    return page("forgotten_password.html", sent=False)


@blueprint.post("/forgotten-password")
def ask_for_letter() -> AnyResponse:
    """Have a letter written if there is somebody to write to; the answer is the same for everybody."""
    login = line_field(request.form, "login", limit=EMAIL_LENGTH)
    services().people.ask_reset(login=login, address=address_block(request.remote_addr))
    return redirect(url_for("web.letter_asked"), 303)


@blueprint.get("/forgotten-password/sent")
def letter_asked() -> Response:
    """What comes after."""
    require_writable()
    return page("forgotten_password.html", sent=True)


@blueprint.get("/new-password")
def new_password() -> Response:
    """The form behind the link of the letter."""
    require_writable()
    link = request.args.get("link", "")
    return _form(link, _owner_of(link), everywhere=True)


@blueprint.post("/new-password")
def choose_password() -> AnyResponse:
    """Take the new password, and sign its owner in."""
    link = request.form.get("link", "")
    everywhere = bool(request.form.get("everywhere"))
    try:
        who = services().people.choose_password(
            link,
            request.form.get("password", ""),
            address=address_block(request.remote_addr),
            everywhere=everywhere,
        )
    except InvalidInput as error:
        status = CATALOGUE[error.code].status
        return _form(link, _owner_of(link), everywhere=everywhere, error=error.detail, status=status)
    begin_session(who)
    return redirect(url_for("web.account", done="everywhere" if everywhere else "password"), 303)


def _owner_of(link: str) -> LinkOwner:
    return services().people.try_link(LinkPurpose.RESET, link, address=address_block(request.remote_addr))


def _form(link: str, owner: LinkOwner, *, everywhere: bool, error: str = "", status: int = 200) -> Response:
    return secret_page(
        "new_password.html",
        status=status,
        link=link,
        owner=owner,
        everywhere=everywhere,
        error=error,
        min_length=MIN_LENGTH,
    )
