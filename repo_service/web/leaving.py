"""Taking one's data along, and leaving. Administrators do both for others, by the same pages."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from flask import Response, redirect, request, session, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import Conflict, DomainError, InvalidInput
from repo_service.domain.identity import Scope
from repo_service.domain.texts import text
from repo_service.http.context import identity, services
from repo_service.http.problems import CATALOGUE
from repo_service.http.read_only import require_writable
from repo_service.http.streaming import zip_response
from repo_service.services.accounts import require_account, require_scope
from repo_service.services.erasing import Shared
from repo_service.services.people import NAME_LENGTH
from repo_service.services.records import AccountRecord
from repo_service.services.throttling import address_block
from repo_service.web.blueprint import blueprint
from repo_service.web.errors import beside_form
from repo_service.web.fields import line_field
from repo_service.web.rendering import page
from repo_service.web.signing import for_the_signed_in


@dataclass(frozen=True, slots=True, kw_only=True)
class _Whose:
    """Whose data it is about, and where the forms lead. ``asks_password``: whoever asks has one."""

    account: AccountRecord
    own: bool
    asks_password: bool

    def url(self, view: str) -> str:
        """Of one of the views below."""
        if self.own:
            return url_for(f"web.{view}")
        return url_for(f"web.{view}_of", account_id=self.account.id)


@blueprint.get("/account/data/export")
@blueprint.get("/account/data/erase")
def back_to_data() -> AnyResponse:
    """After a refusal this stands in the address bar, and Enter there asks for it again."""
    return redirect(url_for("web.data"))


@blueprint.get("/accounts/<uuid:account_id>/data/export")
@blueprint.get("/accounts/<uuid:account_id>/data/erase")
def back_to_data_of(account_id: UUID) -> AnyResponse:
    """As ``back_to_data``."""
    return redirect(url_for("web.data_of", account_id=account_id))


@blueprint.get("/account/data")
@for_the_signed_in
def data() -> AnyResponse:
    """What one can take along, and how to leave."""
    return _page(_mine())


@blueprint.get("/accounts/<uuid:account_id>/data")
@for_the_signed_in
def data_of(account_id: UUID) -> AnyResponse:
    """The same of somebody else, for administrators."""
    return _page(_of(account_id))


@blueprint.post("/account/data/export")
@for_the_signed_in
def export() -> AnyResponse:
    """Everything, as a zip."""
    return _export(_mine())


@blueprint.post("/accounts/<uuid:account_id>/data/export")
@for_the_signed_in
def export_of(account_id: UUID) -> AnyResponse:
    """The same of somebody else, for administrators."""
    return _export(_of(account_id))


@blueprint.post("/account/data/erase")
@for_the_signed_in
def erase() -> AnyResponse:
    """Leave for good."""
    return _erase(_mine())


@blueprint.post("/accounts/<uuid:account_id>/data/erase")
@for_the_signed_in
def erase_of(account_id: UUID) -> AnyResponse:
    """Erase somebody else, for administrators."""
    return _erase(_of(account_id))


@blueprint.get("/account/erased")
def erased() -> Response:
    """That it worked: for one's own, whoever that was, and for an administrator."""
    require_writable()
    return page("erased.html")


def _mine() -> _Whose:
    require_account(identity(), Scope.WRITE)
    own = services().accounts.own(identity())
    return _Whose(account=own, own=True, asks_password=own.has_password)


def _of(account_id: UUID) -> _Whose:
    require_scope(identity(), Scope.ADMINISTER)
    mine = services().accounts.own(identity())
    if mine.id == account_id:
        return _Whose(account=mine, own=True, asks_password=mine.has_password)
    account = services().accounts.get(identity(), account_id)
    return _Whose(account=account, own=False, asks_password=mine.has_password)


def _export(whose: _Whose) -> AnyResponse:
    try:
        services().people.require_owner(
            identity(), request.form.get("password", ""), address=address_block(request.remote_addr)
        )
    except InvalidInput as error:
        return _page(whose, error, "export")
    files = bool(request.form.get("files"))
    return zip_response(services().exports.open(identity(), whose.account.id, files=files))


def _erase(whose: _Whose) -> AnyResponse:
    form = request.form
    try:
        if line_field(form, "username", limit=NAME_LENGTH).casefold() != whose.account.username:
            raise InvalidInput(
                errors=[("/username", text("Type the user name of the account that shall go."))]
            )
        if form.get("shared") not in list(Shared):
            raise InvalidInput(errors=[("/shared", text("Choose what becomes of what was shared."))])
        services().erasing.erase(
            identity(),
            whose.account.id,
            shared=Shared(form["shared"]),
            password=form.get("password", ""),
            address=address_block(request.remote_addr),
        )
    except (InvalidInput, Conflict) as error:
        return _page(whose, error, "erase")
    if whose.own:
        session.clear()
    return redirect(url_for("web.erased"), 303)


def _page(whose: _Whose, error: DomainError | None = None, form: str = "") -> Response:
    return page(
        "data.html",
        status=200 if error is None else CATALOGUE[error.code].status,
        account=whose.account,
        own=whose.own,
        asks_password=whose.asks_password,
        export_url=whose.url("export"),
        erase_url=whose.url("erase"),
        refusals={} if error is None else {form: beside_form(error)},
        typed=request.form,
    )
