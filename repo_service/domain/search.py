"""What goes into a search index and what comes out: plain values that every engine shares."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final


class Facet(enum.StrEnum):
    """The filters of a search; each is also counted. A document has any number of values in each.

    Every index has all of them; which are of use depends on what is in it.
    """

    TYPE = "type"
    SUBJECT = "subject"
    LEVEL = "level"
    LANGUAGE = "language"
    LICENCE = "licence"
    MOODLE_RELEASE = "moodle_release"
    MODULE = "module"
    FILE_TYPE = "file_type"
    FORMAT = "format"
    KIND = "kind"
    HOST = "host"


OF_NETWORK: Final = (
    Facet.KIND,
    Facet.HOST,
    Facet.TYPE,
    Facet.SUBJECT,
    Facet.LEVEL,
    Facet.LANGUAGE,
    Facet.LICENCE,
)
"""Of what other servers have."""
OF_RESOURCES: Final = tuple(facet for facet in Facet if facet not in (Facet.KIND, Facet.HOST))
"""Of what is here."""


class Sort(enum.StrEnum):
    """The order of an answer."""

    BEST = "best"
    """What fits best first; without words, and among what fits as well, the newest."""
    NEWEST = "newest"
    """The newest first, however well it fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchDocument:
    """One released resource as the index sees it. ``body`` is everything else worth finding, in plain text:
    titles of sections and activities, authors, tags. ``languages`` are BCP 47 tags; the first decides the
    stemmer.
    """

    id: str
    title: str
    summary: str = ""
    body: str = ""
    languages: tuple[str, ...] = ()
    facets: Mapping[Facet, tuple[str, ...]] = field(default_factory=dict)
    released_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """What is asked. ``text`` as a person types it: words (all wanted), ``"a phrase"``, ``prefix*``.

    Values of one filter are alternatives; different filters must all hold. An empty filter filters nothing.
    """

    text: str = ""
    filters: Mapping[Facet, tuple[str, ...]] = field(default_factory=dict)
    facets: tuple[Facet, ...] = ()
    sort: Sort = Sort.BEST
    limit: int = 20
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """One found document and how well it fits (greater is better)."""

    id: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetCount:
    """How many of the matching documents carry this value."""

    value: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """One page of an answer. ``total`` counts every match; ``next_cursor`` is None on the last page."""

    hits: tuple[SearchHit, ...]
    total: int
    facets: Mapping[Facet, tuple[FacetCount, ...]]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Highlight:
    """A piece of text and the spans in it that matched, as (start, end) offsets in characters."""

    text: str
    spans: tuple[tuple[int, int], ...]
