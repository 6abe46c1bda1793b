"""Searching: the index proposes, the catalogue has the last word on who may see what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from repo_service.domain.errors import Busy
from repo_service.domain.identity import Identity
from repo_service.domain.search import Facet, FacetCount, Highlight, SearchQuery
from repo_service.search.base import SearchIndex
from repo_service.search.errors import IndexUnusable
from repo_service.services.records import ResourceRecord
from repo_service.services.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One resource that fits, and where its words stand."""

    resource: ResourceRecord
    highlights: Mapping[str, Highlight]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """One page. ``total`` and ``facets`` count what the index holds, which may lag a moment behind."""

    items: tuple[Found, ...]
    total: int
    facets: Mapping[Facet, tuple[FacetCount, ...]]
    next_cursor: str | None


class Search:
    """Use case: find public resources."""

    def __init__(self, index: SearchIndex, resources: Resources) -> None:
        self._index = index
        self._resources = resources

    def close(self) -> None:
        """Let go of the index."""
        self._index.close()

    def search(self, identity: Identity, query: SearchQuery) -> SearchResult:
        """A page of what fits. A withdrawn resource is never shown, even while the index still has it.

        Raises InvalidCursor, Busy.
        """
        try:
            page = self._index.query(query)
        except IndexUnusable as error:
            raise Busy(
                "The search index is being made anew: try again in a minute.", retry_after=60
            ) from error
        visible = self._resources.visible_of(identity, [UUID(hit.id) for hit in page.hits])
        shown = [visible[UUID(hit.id)] for hit in page.hits if UUID(hit.id) in visible]
        hidden = len(page.hits) - len(shown)
        return SearchResult(
            items=tuple(
                Found(resource=record, highlights=self._highlights(query.text, record)) for record in shown
            ),
            total=page.total - hidden,
            facets=page.facets,
            next_cursor=page.next_cursor,
        )

    def _highlights(self, text: str, record: ResourceRecord) -> Mapping[str, Highlight]:
        if not text.strip():
            return {}
        return self._index.highlight(text, {"title": record.title, "summary": record.summary_text})
