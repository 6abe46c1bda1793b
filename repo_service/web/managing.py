"""What an owner does to a resource by one button each: release, clean, inspect again, withdraw, restore."""

from __future__ import annotations

from uuid import UUID

from flask import Response, jsonify, redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import (
    BlockingFindings,
    Conflict,
    EmailUnconfirmed,
    Incomplete,
    InvalidFile,
    InvalidInput,
    NotInspected,
    Uncleanable,
)
from repo_service.domain.texts import text
from repo_service.http.context import identity, services
from repo_service.http.problems import CATALOGUE
from repo_service.web.blueprint import NUMBER, blueprint
from repo_service.web.fields import text_field
from repo_service.web.showing import UNFINISHED, resource_page, tell_released
from repo_service.web.signing import for_the_signed_in

_MAX_REASON = 1000
_MAX_NOTE = 5000


@blueprint.get(f"/resources/<uuid:resource_id>/versions/{NUMBER}/release")
@blueprint.get(f"/resources/<uuid:resource_id>/versions/{NUMBER}/inspect")
@blueprint.get(f"/resources/<uuid:resource_id>/versions/{NUMBER}/clean")
def back_to_version(resource_id: UUID, number: int) -> AnyResponse:
    """After a refusal this stands in the address bar, and Enter there asks for it again."""
    return redirect(url_for("web.version", resource_id=resource_id, number=number))


@blueprint.get("/resources/<uuid:resource_id>/withdraw")
@blueprint.get("/resources/<uuid:resource_id>/restore")
@blueprint.get("/resources/<uuid:resource_id>/become-version")
def back_to_resource(resource_id: UUID) -> AnyResponse:
    """As ``back_to_version``."""
    return redirect(url_for("web.resource", resource_id=resource_id))


@blueprint.post(f"/resources/<uuid:resource_id>/versions/{NUMBER}/release")
@for_the_signed_in
def release(resource_id: UUID, number: int) -> AnyResponse:
    """Let everybody read a version, or say why not."""
    try:
        services().resources.release(identity(), resource_id, number)
    except (NotInspected, InvalidFile, BlockingFindings, Incomplete, EmailUnconfirmed) as error:
        record = services().resources.get(identity(), resource_id)
        return resource_page(record, number, status=CATALOGUE[error.code].status, refusal=error)
    tell_released(resource_id)
    return redirect(url_for("web.resource", resource_id=resource_id), 303)


@blueprint.post(f"/resources/<uuid:resource_id>/versions/{NUMBER}/clean")
@for_the_signed_in
def clean(resource_id: UUID, number: int) -> AnyResponse:
    """Have a clean copy of a version made, or say why there can be none."""
    release_it = bool(request.form.get("release"))
    try:
        services().cleaning.ask(identity(), resource_id, number, release=release_it)
    except (NotInspected, InvalidFile, Conflict, Uncleanable) as error:
        record = services().resources.get(identity(), resource_id)
        status = CATALOGUE[error.code].status
        return resource_page(record, number, status=status, refusal=error, refused=text("No clean copy"))
    return redirect(url_for("web.version", resource_id=resource_id, number=number), 303)


@blueprint.get(f"/resources/<uuid:resource_id>/versions/{NUMBER}/cleaning")
@for_the_signed_in
def cleaning(resource_id: UUID, number: int) -> Response:
    """How far the clean copy of a version is, for the page that shows it."""
    record = services().cleaning.get(identity(), resource_id, number)
    response = jsonify(state=record.state, progress=record.progress, finished=record.state not in UNFINISHED)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post(f"/resources/<uuid:resource_id>/versions/{NUMBER}/inspect")
@for_the_signed_in
def inspect_again(resource_id: UUID, number: int) -> AnyResponse:
    """Have the file looked at again."""
    services().resources.retry(identity(), resource_id, number)
    return redirect(url_for("web.version", resource_id=resource_id, number=number), 303)


@blueprint.post("/resources/<uuid:resource_id>/withdraw")
@for_the_signed_in
def withdraw(resource_id: UUID) -> AnyResponse:
    """Hide a resource from everybody, with a reason that everybody may read."""
    reason = text_field(request.form, "reason", limit=_MAX_REASON)
    if not reason:
        raise InvalidInput(errors=[("/reason", text("Say in a few words why it goes."))])
    services().resources.withdraw(identity(), resource_id, reason=reason)
    return redirect(url_for("web.mine"), 303)


@blueprint.post("/resources/<uuid:resource_id>/become-version")
@for_the_signed_in
def become_version(resource_id: UUID) -> AnyResponse:
    """Make a draft the newest version of another resource, and go on there."""
    try:
        of = UUID(request.form.get("of", ""))
    except ValueError as error:
        raise InvalidInput(errors=[("/of", text("Choose one of your resources."))]) from error
    note = text_field(request.form, "change_note", limit=_MAX_NOTE)
    record = services().resources.become_version(identity(), resource_id, of=of, change_note=note)
    return redirect(url_for("web.finish", resource_id=record.id), 303)


@blueprint.post("/resources/<uuid:resource_id>/restore")
@for_the_signed_in
def restore(resource_id: UUID) -> AnyResponse:
    """Take a withdrawal back."""
    services().resources.restore(identity(), resource_id)
    return redirect(url_for("web.resource", resource_id=resource_id), 303)
