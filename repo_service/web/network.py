"""What other servers have in public: searched by everybody, and what moderators hid of it."""

from __future__ import annotations

from uuid import UUID

from flask import Response, redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import FieldError, InvalidCursor, InvalidInput
from repo_service.domain.search import Facet, SearchQuery
from repo_service.domain.texts import text
from repo_service.http.context import identity, services
from repo_service.http.problems import CATALOGUE
from repo_service.services.instances import REASON_LENGTH
from repo_service.web.blueprint import blueprint
from repo_service.web.errors import beside_form
from repo_service.web.fields import line_field
from repo_service.web.rendering import page
from repo_service.web.searching import FACETS, PAGE_SIZE, asked, groups_of, results_of
from repo_service.web.signing import for_the_signed_in

_A_PAGE = 25

_FACETS = {
    Facet.KIND: text("Kind"),
    Facet.HOST: text("Server"),
    **{
        facet: FACETS[facet]
        for facet in (Facet.SUBJECT, Facet.LEVEL, Facet.LANGUAGE, Facet.TYPE, Facet.LICENCE)
    },
}
_DONE = {
    "hide": text("Nobody sees it here any more, whatever its server says of it."),
    "show": text("It can be found again."),
}
"""What was just done, by the word that follows ``done=`` in the address."""


@blueprint.get("/network")
def network() -> AnyResponse:
    """Search what approved servers have: communities, collections, resources and people."""
    question = asked(_FACETS, endpoint="web.network")
    cursor = request.args.get("cursor") or None
    query = SearchQuery(
        text=question.words,
        filters=question.filters,
        facets=tuple(_FACETS),
        sort=question.sort,
        limit=PAGE_SIZE,
        cursor=cursor,
    )
    try:
        found = services().network.search(query)
    except InvalidCursor:  # as on the home page
        return redirect(question.url, 303)
    return page(
        "network.html",
        found=found,
        groups=groups_of(found.facets, _FACETS, question),
        **results_of(question, cursor=cursor, next_cursor=found.next_cursor),
        reason_length=REASON_LENGTH,
    )


@blueprint.get("/look-after/network")
@for_the_signed_in
def hidden_entries() -> Response:
    """Entries that moderators hid, and why."""
    return _hidden(done=_DONE.get(request.args.get("done", ""), ""))


@blueprint.post("/look-after/network")
@for_the_signed_in
def decide_entry() -> AnyResponse:
    """Hide one with a reason, or bring it back."""
    deed = request.form.get("do", "")
    try:
        entry_id = _entry_id()
        match deed:
            case "hide":
                reason = line_field(request.form, "reason", limit=REASON_LENGTH)
                services().network.hide(identity(), entry_id, reason=reason)
            case "show":
                services().network.show(identity(), entry_id)
            case _:
                raise InvalidInput(errors=[FieldError("/do", "Choose one of the buttons.")])
    except InvalidInput as error:
        return _hidden(status=CATALOGUE[error.code].status, refusal=beside_form(error))
    return redirect(url_for("web.hidden_entries", done=deed), 303)


def _entry_id() -> UUID:
    try:
        return UUID(request.form.get("entry", ""))
    except ValueError as error:
        raise InvalidInput(errors=[FieldError("/entry", "Reload the page and decide again.")]) from error


def _hidden(*, status: int = 200, done: str = "", refusal: str = "") -> Response:
    cursor = request.args.get("cursor") or None
    return page(
        "hidden_entries.html",
        status=status,
        listed=services().network.hidden(identity(), limit=_A_PAGE, cursor=cursor),
        is_first=cursor is None,
        done=done,
        refusal=refusal,
    )
