"""The order of an answer. It hangs on the document and the query alone, not on what else stands in the index:
so it is the same in every engine, and a page that is asked for after a re-index goes on where the last one
ended.

Documents that hold every word come before those that hold some of them only with typing mistakes. Then count
the *points*: two for each word in the title, one for each in the summary. Equal documents are ordered newest
first; where that is asked for (``Sort.NEWEST``), all of them are equal.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from repo_service.domain.search import SearchDocument

TITLE_POINTS = 2
SUMMARY_POINTS = 1

_LEVELS_OF_LONG_QUERIES = 6
_WORDS_OF_SHORT_QUERIES = _LEVELS_OF_LONG_QUERIES // TITLE_POINTS
_WITH_MISTAKES = -100

ANY_RANK = 0
"""Of every document where only its age counts."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a document stands in an answer; the first one is the smallest."""

    below_rank: int
    below_recency: int
    id: str

    @property
    def rank(self) -> int:
        return -self.below_rank

    @property
    def recency(self) -> int:
        return -self.below_recency


def place(*, rank: int, recency: int, document_id: str) -> Place:
    return Place(-rank, -recency, document_id)


def recency(document: SearchDocument) -> int:
    """Milliseconds of the release, then a scatter of the id: 63 bits, almost always distinct."""
    milliseconds = max(0, int(document.released_at.timestamp() * 1000))
    return min(milliseconds, 2**42 - 1) << 21 | scatter(document.id)


def scatter(document_id: str) -> int:
    """21 bits of the id."""
    return zlib.crc32(document_id.encode("utf-8", "surrogatepass")) & (2**21 - 1)


def top_level(words: int) -> int:
    """The highest level of a query of so many words."""
    return min(words, _WORDS_OF_SHORT_QUERIES) * TITLE_POINTS


def points_for_level(level: int, words: int) -> int:
    """The fewest points that reach a level. Queries of many words have as many levels as those of three."""
    if words <= _WORDS_OF_SHORT_QUERIES:
        return level
    return -(-level * words // _WORDS_OF_SHORT_QUERIES)


def level_of(points: int, words: int) -> int:
    return max(level for level in range(top_level(words) + 1) if points_for_level(level, words) <= points)


def rank_of(level: int, *, mistakes: bool) -> int:
    return level + _WITH_MISTAKES if mistakes else level


def score_of(rank: int) -> float:
    """A number to show: at least 1 for documents that hold every word, below 1 with typing mistakes."""
    if rank >= 0:
        return 1.0 + rank
    return (1.0 + rank - _WITH_MISTAKES) / (2.0 + _LEVELS_OF_LONG_QUERIES)
