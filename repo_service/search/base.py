"""The seam that every search engine fills. The index is derived: it can always be rebuilt from the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from repo_service.domain.search import Highlight, SearchDocument, SearchPage, SearchQuery


class SearchIndex(Protocol):
    """One index of released resources, opened for reading or for writing (one writer per index)."""

    def put(self, documents: Iterable[SearchDocument]) -> None:
        """Add or replace documents by id. Visible after ``commit``."""

    def delete(self, ids: Iterable[str]) -> None:
        """Remove documents; unknown ids are no error. Visible after ``commit``."""

    def commit(self, *, position: int) -> None:
        """Make all changes visible and durable, with the position in the changes they reach."""

    def position(self) -> int:
        """The position of the last commit; 0 for an empty or new index."""

    def rebuild(self, documents: Iterable[SearchDocument], *, position: int) -> None:
        """Replace the whole content in one step; readers see the old or the new index, never a part."""

    def query(self, query: SearchQuery) -> SearchPage:
        """Answer by relevance (newest first without text). Raises InvalidCursor.

        Never raises for odd text: what a person types is data, not syntax.
        """

    def highlight(self, text: str, fields: Mapping[str, str], *, length: int = 200) -> dict[str, Highlight]:
        """For each named piece of text the best fragment of about ``length`` characters with matches marked."""

    def close(self) -> None: ...
