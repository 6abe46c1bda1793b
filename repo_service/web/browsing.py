"""The home page: search, narrow down, go on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import InvalidCursor
from repo_service.domain.search import Facet, FacetCount, SearchQuery
from repo_service.domain.texts import text
from repo_service.http.context import identity, services
from repo_service.web.blueprint import blueprint
from repo_service.web.labels import Label, facet_value
from repo_service.web.rendering import page

PAGE_SIZE = 20
SHOWN_AT_FIRST = 8
"""Values of a facet before the rest is folded away."""

_MAX_TEXT = 500
_MAX_VALUES = 50

FACETS = {
    Facet.SUBJECT: text("Subject"),
    Facet.LEVEL: text("Level"),
    Facet.LANGUAGE: text("Language"),
    Facet.MODULE: text("Activities"),
    Facet.TYPE: text("Type"),
    Facet.LICENCE: text("Licence"),
    Facet.MOODLE_RELEASE: text("Moodle release"),
}

Filters = Mapping[Facet, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One value of a facet. ``url`` is the search with it turned on, or off when it is chosen."""

    label: Label
    count: int
    chosen: bool
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetGroup:
    """A facet with its values; ``more`` are folded away."""

    name: str
    title: str
    first: Sequence[Choice]
    more: Sequence[Choice]


@blueprint.get("/")
def home() -> AnyResponse:
    """Search the public resources. Everything is in the address, so it can be shared."""
    words = request.args.get("q", "")[:_MAX_TEXT]
    filters = _filters()
    cursor = request.args.get("cursor") or None
    query = SearchQuery(text=words, filters=filters, facets=tuple(FACETS), limit=PAGE_SIZE, cursor=cursor)
    try:
        found = services().search.search(identity(), query)
    except InvalidCursor:  # an address that was kept over a change of the index: the first page is right
        return redirect(_url(words, filters), 303)
    return page(
        "home.html",
        text=words,
        filters=filters,
        found=found,
        groups=[group for facet in FACETS if (group := _group(facet, found.facets[facet], words, filters))],
        chosen=_chosen(words, filters),
        is_first=cursor is None,
        is_start=not words and not filters and cursor is None,
        start_url=_url(words, filters),
        clear_url=_url(words, {}),
        next_url=_url(words, filters, found.next_cursor) if found.next_cursor else None,
    )


def _group(facet: Facet, counts: Iterable[FacetCount], words: str, filters: Filters) -> FacetGroup | None:
    counted = {count.value: count.count for count in counts}
    # What was chosen stays there to be turned off, even where nothing is left to count.
    values = counted | {value: 0 for value in filters.get(facet, ()) if value not in counted}
    if not values:
        return None
    order = sorted(values, key=_release_key, reverse=True) if facet is Facet.MOODLE_RELEASE else list(values)
    choices = [_choice(facet, value, values[value], words, filters) for value in order]
    choices.sort(key=lambda choice: not choice.chosen)
    return FacetGroup(
        name=facet.value,
        title=FACETS[facet],
        first=choices[:SHOWN_AT_FIRST],
        more=choices[SHOWN_AT_FIRST:],
    )


def _choice(facet: Facet, value: str, count: int, words: str, filters: Filters) -> Choice:
    now_chosen = filters.get(facet, ())
    chosen = value in now_chosen
    after = tuple(v for v in now_chosen if v != value) if chosen else (*now_chosen, value)
    return Choice(
        label=facet_value(facet, value),
        count=count,
        chosen=chosen,
        url=_url(words, {**filters, facet: after}),
    )


def _chosen(words: str, filters: Filters) -> list[Choice]:
    return [_choice(facet, value, 0, words, filters) for facet, values in filters.items() for value in values]


def _release_key(value: str) -> list[int]:
    return [int(number) for number in re.findall(r"[0-9]{1,9}", value)]


def _filters() -> Filters:
    chosen = {
        facet: tuple(dict.fromkeys(request.args.getlist(facet.value)))[:_MAX_VALUES] for facet in FACETS
    }
    return {facet: values for facet, values in chosen.items() if values}


def _url(words: str, filters: Filters, cursor: str | None = None) -> str:
    arguments: dict[str, Any] = {facet.value: values for facet, values in filters.items() if values}
    return url_for("web.home", q=words or None, cursor=cursor, **arguments)
