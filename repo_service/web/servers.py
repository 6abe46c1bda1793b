"""Other servers, for administrators: which there are, what was decided about them, and about their actors."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Response, redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import FieldError, InvalidInput
from repo_service.domain.network import Standing
from repo_service.domain.texts import text
from repo_service.federation.incoming import LONGEST_ID
from repo_service.http.context import identity, services
from repo_service.http.problems import CATALOGUE
from repo_service.models.instance import HOST_LENGTH
from repo_service.services.instances import REASON_LENGTH
from repo_service.web.blueprint import blueprint
from repo_service.web.errors import beside_form
from repo_service.web.fields import line_field
from repo_service.web.rendering import page
from repo_service.web.signing import for_the_signed_in

_A_PAGE = 25

_STANDINGS = {
    Standing.APPROVED: text("Approved"),
    Standing.KNOWN: text("Not decided"),
    Standing.BLOCKED: text("Blocked"),
}
_DONE = {
    Standing.APPROVED.value: text("It is approved: what it has in public is read now."),
    Standing.KNOWN.value: text("That is taken back. Its people may follow, and nothing of it is found here."),
    Standing.BLOCKED.value: text("It is blocked: nothing is sent there, and nothing of it is taken."),
}
_DONE_WITH_ACTOR = {
    "block": text("The actor is blocked: nothing is sent there, and nothing of theirs is taken."),
    "unblock": text("The actor is not blocked any more."),
}
"""What was just done, by the word that follows ``done=`` in the address."""


@blueprint.get("/look-after/servers")
@for_the_signed_in
def servers() -> Response:
    """Every server that was heard of, or those that stand as is asked for."""
    return _servers(done=_DONE.get(request.args.get("done", ""), ""))


@blueprint.post("/look-after/servers")
@for_the_signed_in
def decide_server() -> AnyResponse:
    """Approve one, block it with a reason, or take that back."""
    typed = {"host": line_field(request.form, "host", limit=HOST_LENGTH), "reason": _reason()}
    standing = request.form.get("standing", "")
    try:
        if standing not in set(Standing):
            raise InvalidInput(errors=[FieldError("/standing", "Choose one of the buttons.")])
        if standing == Standing.BLOCKED:
            _require_reason(typed)
        services().instances.decide(identity(), typed["host"], Standing(standing), reason=typed["reason"])
    except InvalidInput as error:
        return _servers(status=CATALOGUE[error.code].status, refusal=beside_form(error), typed=typed)
    return redirect(url_for("web.servers", done=standing), 303)


@blueprint.get("/look-after/servers/actors")
@for_the_signed_in
def blocked_actors() -> Response:
    """Single actors elsewhere that are not spoken with."""
    return _actors(done=_DONE_WITH_ACTOR.get(request.args.get("done", ""), ""))


@blueprint.post("/look-after/servers/actors")
@for_the_signed_in
def decide_actor() -> AnyResponse:
    """Block one with a reason, or take that back."""
    typed = {"actor": line_field(request.form, "actor", limit=LONGEST_ID + 1), "reason": _reason()}
    instances, deed = services().instances, request.form.get("do", "")
    try:
        match deed:
            case "block":
                _require_reason(typed)
                instances.block(identity(), typed["actor"], reason=typed["reason"])
            case "unblock":
                instances.unblock(identity(), typed["actor"])
            case _:
                raise InvalidInput(errors=[FieldError("/do", "Choose one of the buttons.")])
    except InvalidInput as error:
        return _actors(status=CATALOGUE[error.code].status, refusal=beside_form(error), typed=typed)
    return redirect(url_for("web.blocked_actors", done=deed), 303)


def _reason() -> str:
    return line_field(request.form, "reason", limit=REASON_LENGTH)


def _require_reason(typed: Mapping[str, str]) -> None:
    if not typed["reason"]:
        raise InvalidInput(errors=[FieldError("/reason", "Say in a few words why.")])


def _servers(
    *, status: int = 200, done: str = "", refusal: str = "", typed: Mapping[str, str] | None = None
) -> Response:
    asked = request.args.get("standing", "")
    standing = Standing(asked) if asked in set(Standing) else None
    cursor = request.args.get("cursor") or None
    return page(
        "servers.html",
        status=status,
        listed=services().instances.list(identity(), standing=standing, limit=_A_PAGE, cursor=cursor),
        standing=standing,
        standings=_STANDINGS,
        is_first=cursor is None,
        done=done,
        refusal=refusal,
        typed=typed or {},
        host_length=HOST_LENGTH,
        reason_length=REASON_LENGTH,
    )


def _actors(
    *, status: int = 200, done: str = "", refusal: str = "", typed: Mapping[str, str] | None = None
) -> Response:
    cursor = request.args.get("cursor") or None
    return page(
        "blocked_actors.html",
        status=status,
        listed=services().instances.blocked_actors(identity(), limit=_A_PAGE, cursor=cursor),
        is_first=cursor is None,
        done=done,
        refusal=refusal,
        typed=typed or {},
        id_length=LONGEST_ID,
        reason_length=REASON_LENGTH,
    )
