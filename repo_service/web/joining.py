"""Making an account, with an invitation or without, and confirming its address."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response, redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import InvalidInput
from repo_service.domain.identity import LinkPurpose
from repo_service.http.context import identity, services
from repo_service.http.problems import CATALOGUE
from repo_service.http.read_only import require_writable
from repo_service.models.account import EMAIL_LENGTH
from repo_service.services.passwords import MIN_LENGTH
from repo_service.services.people import NAME_LENGTH, Invitation
from repo_service.services.throttling import address_block
from repo_service.web.blueprint import blueprint
from repo_service.web.fields import line_field
from repo_service.web.rendering import page, secret_page
from repo_service.web.signing import begin_session, local_path
from repo_service.web.speaking import spoken


@blueprint.get("/sign-up")
def sign_up() -> AnyResponse:
    """The form for an account of one's own."""
    require_writable()
    if not identity().is_public:
        return redirect(url_for("web.account"), 303)
    link = request.args.get("link", "")
    invitation = _invitation(link)
    values = {"email": "" if invitation is None else invitation.email}
    return _form(values, link=link, invitation=invitation, onward=local_path(request.args.get("next")))


@blueprint.post("/sign-up")
def make_account() -> AnyResponse:
    """Make it, and sign its owner in."""
    form = request.form
    link = form.get("link", "")
    onward = local_path(form.get("next"))
    values = {
        "username": line_field(form, "username", limit=NAME_LENGTH).casefold(),
        "display_name": line_field(form, "display_name", limit=NAME_LENGTH),
        "email": line_field(form, "email", limit=EMAIL_LENGTH + 1),
    }
    invitation = _invitation(link)
    try:
        who = services().people.sign_up(
            username=values["username"],
            display_name=values["display_name"],
            email=values["email"],
            password=form.get("password", ""),
            language=spoken().tag,
            address=address_block(request.remote_addr),
            invitation=link or None,
        )
    except InvalidInput as error:
        messages = {item.pointer.lstrip("/"): item.detail for item in error.errors}
        status = CATALOGUE[error.code].status
        return _form(
            values, link=link, invitation=invitation, onward=onward, messages=messages, status=status
        )
    begin_session(who)
    return redirect(url_for("web.welcome", next=onward), 303)


@blueprint.get("/welcome")
def welcome() -> AnyResponse:
    """What comes after the sign-up: a letter to look for."""
    require_writable()
    if identity().is_public:
        return redirect(url_for("web.sign_in"), 303)
    return page(
        "welcome.html",
        account=services().accounts.own(identity()),
        next=local_path(request.args.get("next")),
    )


@blueprint.get("/confirm")
def confirm() -> Response:
    """Ask before the address is confirmed: programs that look for malware in letters open every link."""
    require_writable()
    link = request.args.get("link", "")
    owner = services().people.try_link(LinkPurpose.CONFIRM, link, address=address_block(request.remote_addr))
    return secret_page("confirm.html", link=link, username=owner.username)


@blueprint.post("/confirm")
def confirm_email() -> AnyResponse:
    """The address is its owner's from now on."""
    services().people.confirm(request.form.get("link", ""), address=address_block(request.remote_addr))
    return redirect(url_for("web.confirmed"), 303)


@blueprint.get("/confirmed")
def confirmed() -> Response:
    """That it worked."""
    require_writable()
    return page("confirmed.html")


def _invitation(link: str) -> Invitation | None:
    return services().people.require_registration(link or None, address=address_block(request.remote_addr))


def _form(
    values: Mapping[str, str],
    *,
    link: str,
    invitation: Invitation | None,
    onward: str,
    messages: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    return secret_page(
        "sign_up.html",
        status=status,
        values=values,
        link=link,
        role=None if invitation is None else invitation.role,
        next=onward,
        messages=messages or {},
        min_length=MIN_LENGTH,
        name_length=NAME_LENGTH,
    )
