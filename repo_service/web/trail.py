"""The audit trail, for moderators: by person, deed, thing and time."""

from __future__ import annotations

from datetime import date

from flask import Response, request

from repo_service.domain.errors import InvalidInput
from repo_service.domain.resources import Noun
from repo_service.domain.texts import text
from repo_service.http.context import identity, services
from repo_service.web.blueprint import blueprint
from repo_service.web.deeds import details_of
from repo_service.web.fields import line_field
from repo_service.web.rendering import page
from repo_service.web.signing import for_the_signed_in

_A_PAGE = 50
_ASKED = ("by", "action", "noun", "noun_id", "since", "until")

NOUNS = {
    Noun.RESOURCE: text("Resource"),
    Noun.VERSION: text("Version"),
    Noun.BLOB: text("File"),
    Noun.UPLOAD: text("Upload"),
    Noun.ACCOUNT: text("Account"),
    Noun.CLIENT: text("Site or app"),
    Noun.CREDENTIAL: text("Token or session"),
    Noun.INVITATION: text("Invitation"),
    Noun.GRANT: text("Consent"),
    Noun.INSTANCE: text("Another server"),
    Noun.NETWORK_ENTRY: text("Entry of the network index"),
    Noun.REPORT: text("Report"),
    Noun.WEBHOOK: text("Webhook"),
    Noun.SNAPSHOT: text("Snapshot"),
    Noun.JOB: text("Job"),
    Noun.COLLECTION: text("Collection"),
}
"""What things are called."""


@blueprint.get("/look-after/audit")
@for_the_signed_in
def audit() -> Response:
    """Who did what, newest first."""
    asked = {name: line_field(request.args, name, limit=64) for name in _ASKED}
    cursor = request.args.get("cursor") or None
    trail = services().audit_trail
    return page(
        "audit.html",
        listed=trail.search(
            identity(),
            limit=_A_PAGE,
            cursor=cursor,
            by=asked["by"] or None,
            action=asked["action"] or None,
            noun=Noun(asked["noun"]) if asked["noun"] in set(Noun) else None,
            noun_id=asked["noun_id"] or None,
            since=_day(asked["since"], "/since"),
            until=_day(asked["until"], "/until"),
        ),
        actions=trail.actions(identity()),
        asked=asked,
        nouns=NOUNS,
        details_of=details_of,
        is_first=cursor is None,
    )


def _day(typed: str, pointer: str) -> date | None:
    try:
        return date.fromisoformat(typed) if typed else None
    except ValueError as error:
        raise InvalidInput(errors=[(pointer, text("Type a day like 2026-01-31."))]) from error
