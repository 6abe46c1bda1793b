"""People, for administrators: who there is, and each one's role, quota, and whether they may come in."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from flask import Response, redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import FieldError, Forbidden, InvalidInput
from repo_service.domain.identity import AccountState, Role
from repo_service.domain.texts import text
from repo_service.http.context import identity, services
from repo_service.http.problems import CATALOGUE
from repo_service.services.accounts import REASON_LENGTH
from repo_service.services.people import NAME_LENGTH
from repo_service.web.blueprint import blueprint
from repo_service.web.errors import beside_form
from repo_service.web.fields import line_field, text_field
from repo_service.web.rendering import page
from repo_service.web.roles import ROLE_NAMES, STATE_NAMES
from repo_service.web.signing import for_the_signed_in
from repo_service.web.sizes import parse_size

_A_PAGE = 25

_DONE = {
    "role": text("The role is changed. It counts from now on."),
    "quota": text("The quota is changed."),
    "blocked": text("The account is blocked: nobody can use it from now on."),
    "unblocked": text("The account works again."),
}
"""What was just done, by the word that follows ``done=`` in the address."""


@blueprint.get("/look-after/people")
@for_the_signed_in
def people() -> Response:
    """Everybody who has an account, or those who are looked for."""
    asked = {name: line_field(request.args, name, limit=NAME_LENGTH) for name in ("q", "role", "state")}
    cursor = request.args.get("cursor") or None
    return page(
        "people.html",
        listed=services().accounts.list(
            identity(),
            limit=_A_PAGE,
            cursor=cursor,
            words=asked["q"],
            role=Role(asked["role"]) if asked["role"] in set(Role) else None,
            state=AccountState(asked["state"]) if asked["state"] in set(AccountState) else None,
        ),
        asked=asked,
        is_first=cursor is None,
        role_names=ROLE_NAMES,
        state_names=STATE_NAMES,
    )


@blueprint.get("/look-after/people/<uuid:account_id>")
@for_the_signed_in
def member(account_id: UUID) -> Response:
    """One account."""
    return _page(account_id, done=_DONE.get(request.args.get("done", ""), ""))


@blueprint.get("/look-after/people/<uuid:account_id>/role")
@blueprint.get("/look-after/people/<uuid:account_id>/quota")
@blueprint.get("/look-after/people/<uuid:account_id>/block")
@blueprint.get("/look-after/people/<uuid:account_id>/unblock")
def back_to_member(account_id: UUID) -> AnyResponse:
    """After a refusal this stands in the address bar, and Enter there asks for it again."""
    return redirect(url_for("web.member", account_id=account_id))


@blueprint.post("/look-after/people/<uuid:account_id>/role")
@for_the_signed_in
def change_role(account_id: UUID) -> AnyResponse:
    """Another role."""
    role = request.form.get("role", "")
    try:
        if role not in set(Role):
            raise InvalidInput(errors=[FieldError("/role", "Choose a role from the list.")])
        services().accounts.change(identity(), account_id, role=Role(role))
    except InvalidInput as error:
        return _refused(account_id, error, "role")
    return redirect(url_for("web.member", account_id=account_id, done="role"), 303)


@blueprint.post("/look-after/people/<uuid:account_id>/quota")
@for_the_signed_in
def change_quota(account_id: UUID) -> AnyResponse:
    """More room, or less, or what everybody has."""
    typed = line_field(request.form, "quota", limit=40)
    size = parse_size(typed)
    try:
        if typed and size is None:
            raise InvalidInput(
                errors=[FieldError("/quota", "Type a size such as 500 MB or 20 GB, or leave it empty.")]
            )
        services().accounts.change(identity(), account_id, quota=size, default_quota=not typed)
    except InvalidInput as error:
        return _refused(account_id, error, "quota", quota=typed)
    return redirect(url_for("web.member", account_id=account_id, done="quota"), 303)


@blueprint.post("/look-after/people/<uuid:account_id>/block")
@for_the_signed_in
def block(account_id: UUID) -> AnyResponse:
    """Shut somebody out, with a reason that they get by letter."""
    reason = text_field(request.form, "reason", limit=REASON_LENGTH)
    try:
        if not reason:
            raise InvalidInput(errors=[FieldError("/reason", "Say in a few words why: they get a letter.")])
        services().accounts.change(identity(), account_id, blocked=True, reason=reason)
    except InvalidInput as error:
        return _refused(account_id, error, "reason")
    return redirect(url_for("web.member", account_id=account_id, done="blocked"), 303)


@blueprint.post("/look-after/people/<uuid:account_id>/unblock")
@for_the_signed_in
def unblock(account_id: UUID) -> AnyResponse:
    """Let somebody in again."""
    services().accounts.change(identity(), account_id, blocked=False)
    return redirect(url_for("web.member", account_id=account_id, done="unblocked"), 303)


def _refused(account_id: UUID, error: InvalidInput | Forbidden, form: str, **typed: str) -> Response:
    return _page(
        account_id, status=CATALOGUE[error.code].status, refusals={form: beside_form(error)}, typed=typed
    )


def _page(
    account_id: UUID,
    *,
    status: int = 200,
    done: str = "",
    refusals: Mapping[str, str] | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    return page(
        "member.html",
        status=status,
        account=services().accounts.get_any(identity(), account_id),
        is_self=account_id == identity().account_id,
        role_names=ROLE_NAMES,
        state_names=STATE_NAMES,
        done=done,
        refusals=refusals or {},
        typed=typed or {},
        reason_length=REASON_LENGTH,
    )
