"""Reporting a resource: for everybody, signed in or not."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from flask import Response, redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import FieldError, InvalidInput
from repo_service.domain.identity import PUBLIC
from repo_service.domain.reports import ReportReason
from repo_service.http.context import identity, services
from repo_service.http.problems import CATALOGUE
from repo_service.http.read_only import require_writable
from repo_service.models.account import EMAIL_LENGTH
from repo_service.services.reporting import WORDS_LENGTH
from repo_service.services.throttling import address_block
from repo_service.web.blueprint import blueprint
from repo_service.web.fields import line_field, text_field
from repo_service.web.reasons import REASONS
from repo_service.web.rendering import page
from repo_service.web.speaking import spoken


@blueprint.get("/resources/<uuid:resource_id>/report")
def report_form(resource_id: UUID) -> Response:
    """The form that asks what is wrong."""
    require_writable()
    services().reporting.require_reportable(identity(), resource_id)
    return _form(resource_id, {})


@blueprint.post("/resources/<uuid:resource_id>/report")
def report(resource_id: UUID) -> AnyResponse:
    """Tell the moderators."""
    values = {
        "reason": request.form.get("reason", ""),
        "words": text_field(request.form, "words", limit=WORDS_LENGTH),
        "email": line_field(request.form, "email", limit=EMAIL_LENGTH + 1),
    }
    try:
        if values["reason"] not in set(ReportReason):
            raise InvalidInput(errors=[FieldError("/reason", "Choose what fits best.")])
        services().reporting.report(
            identity(),
            resource_id,
            reason=ReportReason(values["reason"]),
            words=values["words"],
            email=values["email"] or None,
            language=spoken().tag,
            address=address_block(request.remote_addr),
        )
    except InvalidInput as error:
        messages = {item.pointer.lstrip("/"): item.detail for item in error.errors}
        return _form(resource_id, values, messages=messages, status=CATALOGUE[error.code].status)
    return redirect(url_for("web.reported", resource_id=resource_id), 303)


@blueprint.get("/resources/<uuid:resource_id>/reported")
def reported(resource_id: UUID) -> Response:
    """That it was received."""
    require_writable()
    return page("reported.html", resource=services().resources.get(identity(), resource_id))


def _form(
    resource_id: UUID,
    values: Mapping[str, str],
    *,
    messages: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    who = identity()
    own = None if who.account_id is None else services().accounts.own(who)
    return page(
        "report.html",
        status=status,
        resource=services().resources.get(PUBLIC, resource_id),
        reasons=REASONS,
        values=values,
        messages=messages or {},
        own_email=None if own is None else own.email,
        words_length=WORDS_LENGTH,
    )
