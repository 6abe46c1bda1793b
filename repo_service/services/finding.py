"""Searching: the index proposes, the catalogue has the last word on who may see what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from repo_service.domain.errors import Busy
from repo_service.domain.identity import Identity
from repo_service.domain.search import Facet, FacetCount, Highlight, SearchQuery
from repo_service.search.base import SearchIndex
from repo_service.search.errors import IndexUnusable
from repo_service.services.records import ResourceRecord
from repo_service.services.resources import Resources

_INSIDE = "inside"
_MAX_INSIDE = 20_000
"""Characters of the names within one file that are looked through for a page of hits."""
_LINES_INSIDE = 3
_BETWEEN = " · "


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One resource that fits, and where its words stand: ``title``, ``summary``, or where neither has them
    ``inside``, some names within the file."""

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
            items=self._found(query.text, shown),
            total=page.total - hidden,
            facets=page.facets,
            next_cursor=page.next_cursor,
        )

    def _found(self, text: str, records: Sequence[ResourceRecord]) -> tuple[Found, ...]:
        if not text.strip():
            return tuple(Found(resource=record, highlights={}) for record in records)
        marked = {
            record.id: self._index.highlight(text, {"title": record.title, "summary": record.summary_text})
            for record in records
        }
        # What neither shows was found inside the file: in the title of an activity, say.
        elsewhere = [
            record
            for record in records
            if record.versions and not any(highlight.spans for highlight in marked[record.id].values())
        ]
        if elsewhere:
            digests = {record.versions[0].digest or "" for record in elsewhere}
            inside = self._resources.texts_inside(digests)
            for record in elsewhere:
                lines = inside.get(record.versions[0].digest or "", "")[:_MAX_INSIDE].splitlines()
                highlight = self._inside(text, lines)
                if highlight is not None:
                    marked[record.id][_INSIDE] = highlight
        return tuple(Found(resource=record, highlights=marked[record.id]) for record in records)

    def _inside(self, text: str, lines: Sequence[str]) -> Highlight | None:
        """The first lines in which something matches, as one text."""
        marked = self._index.highlight(text, {str(number): line for number, line in enumerate(lines)})
        matching = [highlight for highlight in marked.values() if highlight.spans][:_LINES_INSIDE]
        shown, spans = "", []
        for highlight in matching:
            shown += _BETWEEN if shown else ""
            spans += [(start + len(shown), end + len(shown)) for start, end in highlight.spans]
            shown += highlight.text
        return Highlight(text=shown, spans=tuple(spans)) if shown else None
