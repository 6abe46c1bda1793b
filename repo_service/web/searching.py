"""The home page: search, narrow down, go on."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from flask import Response, jsonify, redirect, request, url_for
from werkzeug.sansio.response import Response as AnyResponse

from repo_service.domain.errors import InvalidCursor
from repo_service.domain.search import Facet, FacetCount, SearchQuery, Sort
from repo_service.domain.texts import text
from repo_service.federation.addresses import SERVICE
from repo_service.http.activity_streams import actor_answer
from repo_service.http.context import identity, services
from repo_service.http.negotiation import also_as
from repo_service.services.records import VersionRecord
from repo_service.web.blueprint import blueprint
from repo_service.web.labels import Label, facet_value, kind_name
from repo_service.web.metadata import activity_url_of
from repo_service.web.rendering import page

PAGE_SIZE = 20
SHOWN_AT_FIRST = 8
"""Values of a facet before the rest is folded away."""
SUGGESTED = 6

_MAX_TEXT = 500
_SAFE = "!$'()*,/:;?@"
"""What stands in queries as it is (URL Standard, as Werkzeug has it)."""
_MAX_VALUES = 50

FACETS = {
    Facet.SUBJECT: text("Subject"),
    Facet.LEVEL: text("Level"),
    Facet.LANGUAGE: text("Language"),
    Facet.FORMAT: text("Format"),
    Facet.MODULE: text("Activities"),
    Facet.TYPE: text("Type"),
    Facet.LICENCE: text("Licence"),
    Facet.MOODLE_RELEASE: text("Moodle release"),
}
_ORDERS = {Sort.BEST: text("Best match"), Sort.NEWEST: text("Newest first")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a visitor looks for, of ``endpoint``. All of it stands in the address, so it can be shared."""

    endpoint: str = "web.home"
    words: str = ""
    filters: Mapping[Facet, tuple[str, ...]] = field(default_factory=dict)
    sort: Sort = Sort.BEST

    @property
    def is_empty(self) -> bool:
        return not self.words and not self.filters

    @property
    def url(self) -> str:
        return self.page(None)

    def page(self, cursor: str | None) -> str:
        """The address of one page of the answer."""
        sort = None if self.sort is Sort.BEST else self.sort.value
        whole = [("q", self.words), ("sort", sort), ("cursor", cursor)]
        values = [(facet.value, value) for facet, values in self.filters.items() for value in values]
        query = urlencode([(name, value) for name, value in (*whole, *values) if value], safe=_SAFE)
        home = _address(self.endpoint, request.script_root)
        return f"{home}?{query}" if query else home

    def with_values(self, facet: Facet, values: tuple[str, ...]) -> Question:
        return replace(self, filters={**self.filters, facet: values})


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order of the results. ``url`` is the same search in it."""

    name: str
    chosen: bool
    url: str


def service_activity() -> AnyResponse:
    """The service as an actor."""
    return actor_answer(SERVICE)


@blueprint.get("/")
@also_as(activity=service_activity)
def home() -> AnyResponse:
    """Search the public resources."""
    question = asked()
    cursor = request.args.get("cursor") or None
    query = SearchQuery(
        text=question.words,
        filters=question.filters,
        facets=tuple(FACETS),
        sort=question.sort,
        limit=PAGE_SIZE,
        cursor=cursor,
    )
    try:
        found = services().search.search(identity(), query)
    except InvalidCursor:  # an address that was kept over a change of the index: the first page is right
        return redirect(question.url, 303)
    return page(
        "home.html",
        activity_url=activity_url_of(SERVICE),
        found=found,
        groups=groups_of(found.facets, FACETS, question),
        **results_of(question, cursor=cursor, next_cursor=found.next_cursor),
    )


@blueprint.get("/suggest")
def suggest() -> Response:
    """The first resources whose words begin like what was typed so far, for the search field."""
    words = request.args.get("q", "")[:_MAX_TEXT].strip()
    if not any(letter.isalnum() for letter in words):
        return jsonify(items=[])
    beginning = f"{words}*" if words[-1].isalnum() else words
    found = services().search.search(identity(), SearchQuery(text=beginning, limit=SUGGESTED))
    return jsonify(
        items=[
            {
                "title": hit.resource.title,
                "url": url_for("web.resource", resource_id=hit.resource.id),
                "kind": _kind(hit.resource.versions[0]) if hit.resource.versions else "",
                "language": next(iter(hit.resource.languages), ""),
            }
            for hit in found.items
        ]
    )


def _kind(version: VersionRecord) -> str:
    return kind_name(version.kind, version.format)


def asked(facets: Iterable[Facet] = FACETS, *, endpoint: str = "web.home") -> Question:
    """What the address asks for."""
    filters = {
        facet: tuple(dict.fromkeys(request.args.getlist(facet.value)))[:_MAX_VALUES] for facet in facets
    }
    sort = request.args.get("sort", "")
    return Question(
        endpoint=endpoint,
        words=request.args.get("q", "")[:_MAX_TEXT],
        filters={facet: values for facet, values in filters.items() if values},
        sort=Sort(sort) if sort in set(Sort) else Sort.BEST,
    )


@functools.cache
def _address(endpoint: str, _mounted_at: str) -> str:
    """Made once: a page of results leads to a hundred and fifty others."""
    return url_for(endpoint)


def results_of(question: Question, *, cursor: str | None, next_cursor: str | None) -> dict[str, Any]:
    """What a page of results shows of the question, and where it leads; ``cursor`` is that of this page."""
    return {
        "text": question.words,
        "filters": question.filters,
        "sort": question.sort,
        "chosen": chosen_of(question),
        "orders": orders_of(question),
        "is_first": cursor is None,
        "is_start": question.is_empty and cursor is None,
        "start_url": question.url,
        "clear_url": replace(question, filters={}).url,
        "next_url": question.page(next_cursor) if next_cursor else None,
    }


def groups_of(
    found: Mapping[Facet, Iterable[FacetCount]], titles: Mapping[Facet, str], question: Question
) -> list[FacetGroup]:
    """The facets that have any value, in the order of ``titles``."""
    groups = (_group(facet, title, found[facet], question) for facet, title in titles.items())
    return [group for group in groups if group]


def _group(facet: Facet, title: str, counts: Iterable[FacetCount], question: Question) -> FacetGroup | None:
    counted = {count.value: count.count for count in counts}
    # What was chosen stays there to be turned off, even where nothing is left to count.
    chosen = question.filters.get(facet, ())
    values = counted | {value: 0 for value in chosen if value not in counted}
    if not values:
        return None
    order = sorted(values, key=_release_key, reverse=True) if facet is Facet.MOODLE_RELEASE else list(values)
    choices = [_choice(facet, value, values[value], question) for value in order]
    choices.sort(key=lambda choice: not choice.chosen)
    return FacetGroup(
        name=facet.value,
        title=title,
        first=choices[:SHOWN_AT_FIRST],
        more=choices[SHOWN_AT_FIRST:],
    )


def _choice(facet: Facet, value: str, count: int, question: Question) -> Choice:
    now_chosen = question.filters.get(facet, ())
    chosen = value in now_chosen
    after = tuple(v for v in now_chosen if v != value) if chosen else (*now_chosen, value)
    url = question.with_values(facet, after).url
    return Choice(label=facet_value(facet, value), count=count, chosen=chosen, url=url)


def chosen_of(question: Question) -> list[Choice]:
    """The filters that are in force."""
    pairs = [(facet, value) for facet, values in question.filters.items() for value in values]
    return [_choice(facet, value, 0, question) for facet, value in pairs]


def orders_of(question: Question) -> list[Order]:
    """The orders that the answer can be in."""
    return [
        Order(name=name, chosen=sort is question.sort, url=replace(question, sort=sort).url)
        for sort, name in _ORDERS.items()
    ]


def _release_key(value: str) -> list[int]:
    return [int(number) for number in re.findall(r"[0-9]{1,9}", value)]
