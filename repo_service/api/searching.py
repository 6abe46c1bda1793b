"""What searches of the catalogue and of the network have in common: how they are asked and answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from repo_service.api.network_schemas import NetworkQueryIn
from repo_service.api.schemas import FacetCountOut, SearchQueryIn
from repo_service.domain.search import Facet, FacetCount, SearchQuery


def search_query(query: SearchQueryIn | NetworkQueryIn, facets: Iterable[Facet]) -> SearchQuery:
    """What is asked for, where ``facets`` can be filtered by."""
    filters = {facet: tuple(map(str, getattr(query, facet.value))) for facet in facets}
    return SearchQuery(
        text=query.q,
        filters={facet: values for facet, values in filters.items() if values},
        facets=tuple(query.facet),
        sort=query.sort,
        limit=query.limit,
        cursor=query.cursor,
    )


def facet_counts(facets: Mapping[Facet, Iterable[FacetCount]]) -> dict[str, list[FacetCountOut]]:
    """How many there are of each value of each facet."""
    return {
        facet.value: [FacetCountOut.model_validate(count) for count in counts]
        for facet, counts in facets.items()
    }
