"""Invitations, for administrators."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from flask import Response, redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import FieldError, InvalidInput, NameTaken
from repo_service.domain.identity import Role
from repo_service.http.context import identity, services
from repo_service.http.problems import CATALOGUE
from repo_service.models.account import EMAIL_LENGTH
from repo_service.models.base import now
from repo_service.services.invitations import Invited
from repo_service.web.blueprint import blueprint
from repo_service.web.errors import beside_form
from repo_service.web.fields import line_field
from repo_service.web.rendering import page
from repo_service.web.roles import ROLE_NAMES
from repo_service.web.signing import for_the_signed_in


@blueprint.get("/invitations")
@for_the_signed_in
def invitations() -> AnyResponse:
    """Those there are, and the form for another."""
    return _page()


@blueprint.post("/invitations")
@for_the_signed_in
def invite() -> AnyResponse:
    """Send one, or show the link to pass on."""
    typed = {
        "email": line_field(request.form, "email", limit=EMAIL_LENGTH + 1),
        "role": request.form.get("role", Role.MEMBER.value),
    }
    by_letter = bool(typed["email"]) and request.form.get("how") != "link"
    try:
        if typed["role"] not in set(Role):
            raise InvalidInput(errors=[FieldError("/role", "Choose a role from the list.")])
        invited = services().invitations.invite(
            identity(), email=typed["email"] or None, role=Role(typed["role"]), send=by_letter
        )
    except (InvalidInput, NameTaken) as error:
        return _page(status=CATALOGUE[error.code].status, refusal=beside_form(error), typed=typed)
    return _page(invited=invited)


@blueprint.get("/invitations/<uuid:invitation_id>/revoke")
def back_to_invitations(invitation_id: UUID) -> AnyResponse:
    """After a refusal this stands in the address bar, and Enter there asks for it again."""
    return redirect(url_for("web.invitations"))


@blueprint.post("/invitations/<uuid:invitation_id>/revoke")
@for_the_signed_in
def take_back(invitation_id: UUID) -> AnyResponse:
    """Make an invitation worthless."""
    services().invitations.revoke(identity(), invitation_id)
    return redirect(url_for("web.invitations"), 303)


def _page(
    *,
    status: int = 200,
    invited: Invited | None = None,
    refusal: str = "",
    typed: Mapping[str, str] | None = None,
) -> Response:
    return page(
        "invitations.html",
        status=status,
        invitations=services().invitations.list(identity()),
        invited=invited,
        refusal=refusal,
        typed=typed or {},
        role_names=ROLE_NAMES,
        now=now(),
    )
