"""One's own account: name, address, language of letters, password, browsers and API tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from flask import Response, redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import Conflict, InvalidInput
from repo_service.domain.texts import counted, text
from repo_service.http.context import identity, services, site
from repo_service.http.problems import CATALOGUE
from repo_service.languages import LANGUAGES, SOURCE
from repo_service.models.account import EMAIL_LENGTH
from repo_service.models.base import now
from repo_service.services.accounts import IssuedToken
from repo_service.services.passwords import MIN_LENGTH
from repo_service.services.people import NAME_LENGTH
from repo_service.services.records import TokenRecord
from repo_service.services.throttling import address_block
from repo_service.web.blueprint import blueprint
from repo_service.web.browsers import browser_text
from repo_service.web.errors import beside_form
from repo_service.web.fields import line_field
from repo_service.web.rendering import page
from repo_service.web.roles import ROLE_NAMES
from repo_service.web.signing import begin_session, for_the_signed_in

_DONE = {
    "name": text("Your name is saved."),
    "email": text("We sent a letter to that address. Open the link in it, and the address is yours."),
    "language": text("From now on we write to you in that language."),
    "again": text("We sent the letter once more."),
    "password": text("Your password is saved. Every other browser was signed out."),
    "everywhere": text("Your password is saved. Nothing but this browser can use your account now."),
    "signed-out": text("That browser is signed out."),
    "revoked": text("The token is worthless from now on."),
    "connected": text("From now on you can sign in there."),
    "disconnected": text("It signs in here no more."),
}
"""What was just done, by the word that follows ``done=`` in the address."""


@dataclass(frozen=True, slots=True)
class _Choice:
    words: str
    lasts: timedelta


_LASTS = {
    "30 days": _Choice(counted("%(count)s day", "%(count)s days", 30), timedelta(days=30)),
    "90 days": _Choice(counted("%(count)s day", "%(count)s days", 90), timedelta(days=90)),
    "a year": _Choice(text("a year"), timedelta(days=365)),
}
"""How long a new token works, by what the form sends."""


@blueprint.get("/account")
@for_the_signed_in
def account() -> AnyResponse:
    """Everything about one's account."""
    return account_page(done=_DONE.get(request.args.get("done", ""), ""))


@blueprint.get("/account/name")
@blueprint.get("/account/email")
@blueprint.get("/account/email/letter")
@blueprint.get("/account/language")
@blueprint.get("/account/password")
@blueprint.get("/account/tokens")
@blueprint.get("/account/tokens/<uuid:token_id>/revoke")
def back_toaccount_page(token_id: UUID | None = None) -> AnyResponse:
    """After a refusal this stands in the address bar, and Enter there asks for it again."""
    return redirect(url_for("web.account"))


@blueprint.post("/account/name")
@for_the_signed_in
def rename() -> AnyResponse:
    """Another name for others to see."""
    try:
        services().people.rename(identity(), line_field(request.form, "display_name", limit=NAME_LENGTH))
    except InvalidInput as error:
        return _refused(error, "name")
    return redirect(url_for("web.account", done="name"), 303)


@blueprint.post("/account/email")
@for_the_signed_in
def change_email() -> AnyResponse:
    """Another address, once it is confirmed."""
    email = line_field(request.form, "email", limit=EMAIL_LENGTH + 1)
    try:
        services().people.change_email(
            identity(),
            email,
            password=request.form.get("password", ""),
            address=address_block(request.remote_addr),
        )
    except InvalidInput as error:
        return _refused(error, "email", email=email)
    return redirect(url_for("web.account", done="email"), 303)


@blueprint.post("/account/email/letter")
@for_the_signed_in
def send_again() -> AnyResponse:
    """The letter that confirms an address, once more."""
    services().people.send_confirmation_again(identity())
    return redirect(url_for("web.account", done="again"), 303)


@blueprint.post("/account/language")
@for_the_signed_in
def change_language() -> AnyResponse:
    """Letters in another language."""
    try:
        services().people.change_language(identity(), request.form.get("language", ""))
    except InvalidInput as error:
        return _refused(error, "language")
    return redirect(url_for("web.account", done="language"), 303)


@blueprint.post("/account/password")
@for_the_signed_in
def change_password() -> AnyResponse:
    """Another password."""
    everywhere = bool(request.form.get("everywhere"))
    try:
        services().people.change_password(
            identity(),
            present=request.form.get("password", ""),
            new=request.form.get("new_password", ""),
            address=address_block(request.remote_addr),
            everywhere=everywhere,
        )
    except InvalidInput as error:
        return _refused(error, "password")
    begin_session(identity())  # somebody may have a copy of the cookie, and be the reason for this
    return redirect(url_for("web.account", done="everywhere" if everywhere else "password"), 303)


@blueprint.post("/account/tokens")
@for_the_signed_in
def make_token() -> AnyResponse:
    """A token for a program of one's own, which is shown on the page that answers and never again."""
    name = line_field(request.form, "name", limit=NAME_LENGTH)
    chosen = _LASTS.get(request.form.get("lasts", ""))
    try:
        issued = services().people.make_token(
            identity(),
            name=name,
            lasts=timedelta(0) if chosen is None else chosen.lasts,
            password=request.form.get("password", ""),
            address=address_block(request.remote_addr),
        )
    except (InvalidInput, Conflict) as error:
        return _refused(error, "token", token_name=name)
    return account_page(issued=issued)


@blueprint.post("/account/tokens/<uuid:token_id>/revoke")
@for_the_signed_in
def revoke_token(token_id: UUID) -> AnyResponse:
    """End a session, or make a token worthless."""
    services().accounts.revoke_token(identity(), token_id)
    was_session = bool(request.form.get("session"))
    return redirect(url_for("web.account", done="signed-out" if was_session else "revoked"), 303)


def _refused(error: InvalidInput | Conflict, form: str, **typed: str) -> Response:
    """The page again, with what is wrong beside the ``form`` and what was ``typed`` into it."""
    return account_page(status=CATALOGUE[error.code].status, refusals={form: beside_form(error)}, typed=typed)


def account_page(
    *,
    status: int = 200,
    done: str = "",
    refusals: Mapping[str, str] | None = None,
    typed: Mapping[str, str] | None = None,
    issued: IssuedToken | None = None,
) -> Response:
    """Everything about one's account, with what is wrong beside the form of that name in ``refusals``, and
    what was ``typed`` into it."""
    who = identity()
    living = [token for token in services().accounts.tokens(who) if _lives(token)]
    living.sort(
        key=lambda token: (token.id == who.token_id, token.id), reverse=True
    )  # this browser, then newest
    own = services().accounts.own(who)
    provider = site().provider
    return page(
        "account.html",
        status=status,
        account=own,
        language=own.language or SOURCE,
        languages=LANGUAGES,
        role_names=ROLE_NAMES,
        browser=browser_text,
        sessions=[token for token in living if token.is_session],
        tokens=[token for token in living if not token.is_session],
        done=done,
        refusals=refusals or {},
        typed=typed or {},
        issued=issued,
        provider=provider,
        connections=[] if provider is None else services().elsewhere.connections(who),
        lasts=_LASTS,
        name_length=NAME_LENGTH,
        min_length=MIN_LENGTH,
    )


def _lives(token: TokenRecord) -> bool:
    return token.revoked_at is None and (token.expires_at is None or token.expires_at > now())
