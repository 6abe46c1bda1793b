"""The seam that every search engine fills. The index is derived: it can always be rebuilt from the catalogue.

What text becomes, what matches, and in which order, is the same for all of them: ``docs/search.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from repo_service.domain.search import Highlight, SearchDocument, SearchPage, SearchQuery

MAX_FACET_VALUES = 200
"""How many values of a facet are counted at most, the most frequent first, equals by value."""


class SearchIndex(Protocol):
    """One index of released resources, opened for reading or for writing (one writer per index).

    Writing to an index that is open for reading raises IndexReadOnly; anything but ``rebuild`` and ``close``
    raises IndexUnusable when the index is damaged or was written by another version. An index that nobody has
    written yet is empty. Safe to query from several threads; written by one.
    """

    def put(self, documents: Iterable[SearchDocument]) -> None:
        """Add or replace documents by id. Visible after ``commit``."""

    def delete(self, ids: Iterable[str]) -> None:
        """Remove documents; unknown ids are no error. Visible after ``commit``."""

    def commit(self, *, position: int) -> None:
        """Make all changes visible and durable, with the position in the changes they reach."""

    def position(self) -> int:
        """The position of the last commit; 0 for an empty or new index."""

    def rebuild(self, documents: Iterable[SearchDocument], *, position: int) -> None:
        """Replace the whole content in one step; readers see the old or the new index, never a part.

        ``documents`` holds each id once. What was not committed is forgotten. When it fails, the old index
        stays.
        """

    def query(self, query: SearchQuery) -> SearchPage:
        """Answer by relevance (newest first without text). Raises InvalidCursor.

        Never raises for odd text: what a person types is data, not syntax. A facet is counted over all
        matches as if it was not filtered itself, so that one can widen the choice; the total obeys every
        filter. A document that stays as it is while others come, go or are re-indexed is on exactly one page
        of a walk by cursor.
        """

    def highlight(self, text: str, fields: Mapping[str, str], *, length: int = 200) -> dict[str, Highlight]:
        """For each named text the best fragment of about ``length`` characters with matches marked.

        Works on any text, whether indexed or not.
        """

    def close(self) -> None: ...
