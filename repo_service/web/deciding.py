"""What was reported, for moderators: the queue, and the decision about each resource."""

from __future__ import annotations

from uuid import UUID

from flask import Response, redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import Conflict, FieldError, InvalidInput
from repo_service.domain.reports import Decision
from repo_service.domain.texts import text
from repo_service.http.context import identity, services
from repo_service.http.problems import CATALOGUE
from repo_service.services.reporting import NOTE_LENGTH, SHOWN
from repo_service.web.blueprint import blueprint
from repo_service.web.errors import beside_form
from repo_service.web.fields import text_field
from repo_service.web.reasons import REASONS
from repo_service.web.rendering import page
from repo_service.web.signing import for_the_signed_in

_A_PAGE = 25

_DONE = {
    Decision.HIDDEN.value: text("Nobody sees it any more. Its owner is told by letter."),
    Decision.DISMISSED.value: text("It stays as it is. Its owner is told by letter."),
}
"""What was just decided, by the word that follows ``done=`` in the address."""


@blueprint.get("/look-after/reports")
@for_the_signed_in
def reports() -> Response:
    """Resources that were reported: those that wait, or those that were decided."""
    decided = request.args.get("state") == "decided"
    cursor = request.args.get("cursor") or None
    return page(
        "reports.html",
        listed=services().reporting.list(identity(), decided=decided, limit=_A_PAGE, cursor=cursor),
        decided=decided,
        is_first=cursor is None,
        reasons=REASONS,
        done=_DONE.get(request.args.get("done", ""), ""),
    )


@blueprint.get("/look-after/reports/<uuid:resource_id>")
@for_the_signed_in
def reports_of(resource_id: UUID) -> Response:
    """Everything that was reported about one resource."""
    return _page(resource_id)


@blueprint.post("/look-after/reports/<uuid:resource_id>")
@for_the_signed_in
def decide_reports(resource_id: UUID) -> AnyResponse:
    """Hide it, or dismiss what was reported."""
    note = text_field(request.form, "note", limit=NOTE_LENGTH)
    decision = request.form.get("decision", "")
    try:
        if decision not in set(Decision):
            raise InvalidInput(errors=[FieldError("/decision", "Choose one of the buttons.")])
        services().reporting.decide(
            identity(), resource_id, Decision(decision), note=note, until=_read_until()
        )
    except (InvalidInput, Conflict) as error:
        return _page(resource_id, status=CATALOGUE[error.code].status, refusal=beside_form(error), note=note)
    return redirect(url_for("web.reports", done=decision), 303)


def _read_until() -> UUID | None:
    """The newest report that stood on the page."""
    given = request.form.get("until", "")
    try:
        return UUID(given) if given else None
    except ValueError as error:
        raise InvalidInput(errors=[FieldError("/until", "Reload the page and decide again.")]) from error


def _page(resource_id: UUID, *, status: int = 200, refusal: str = "", note: str = "") -> Response:
    return page(
        "reports_of.html",
        status=status,
        reported=services().reporting.get(identity(), resource_id),
        reasons=REASONS,
        refusal=refusal,
        note=note,
        shown=SHOWN,
        note_length=NOTE_LENGTH,
    )
