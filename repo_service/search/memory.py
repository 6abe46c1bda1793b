"""A search index in the memory of one process: the rules of ``docs/search.md`` in their plainest form.

Every question looks at every document. For tests, for trying things out, and to read what the other engines
do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from repo_service.domain.search import (
    Facet,
    FacetCount,
    Highlight,
    SearchDocument,
    SearchHit,
    SearchPage,
    SearchQuery,
    Sort,
)
from repo_service.search import analysis, cursor, highlighting, ordering, text_query
from repo_service.search.base import MAX_FACET_VALUES
from repo_service.search.errors import IndexLocked, IndexReadOnly
from repo_service.search.ordering import Place
from repo_service.search.text_query import Clause, Phrase, Prefix, Word


@dataclass(slots=True)
class _State:
    documents: dict[str, _Document] = field(default_factory=dict)
    position: int = 0


@dataclass(slots=True)
class _Store:
    """What the handles of one index share."""

    committed: _State = field(default_factory=_State)
    locked: bool = False


_stores: dict[str, _Store] = {}


class MemoryIndex:
    """One handle of the index ``name`` of this process."""

    def __init__(self, name: str, *, writer: bool) -> None:
        self._store = _stores.setdefault(name, _Store())
        self._writer = writer
        if writer:
            if self._store.locked:
                raise IndexLocked(f"memory index {name!r} is already open for writing")
            self._store.locked = True
        self._pending: dict[str, _Document | None] = {}

    def put(self, documents: Iterable[SearchDocument]) -> None:
        self._check_writer()
        for document in documents:
            self._pending[document.id] = _Document.of(document)

    def delete(self, ids: Iterable[str]) -> None:
        self._check_writer()
        self._pending.update(dict.fromkeys(ids))

    def commit(self, *, position: int) -> None:
        self._check_writer()
        merged = {**self._store.committed.documents, **self._pending}
        present = {id_: document for id_, document in merged.items() if document is not None}
        self._store.committed = _State(present, position)
        self._pending = {}

    def position(self) -> int:
        return self._store.committed.position

    def rebuild(self, documents: Iterable[SearchDocument], *, position: int) -> None:
        self._check_writer()
        rebuilt = {document.id: _Document.of(document) for document in documents}
        self._store.committed = _State(rebuilt, position)
        self._pending = {}

    def query(self, query: SearchQuery) -> SearchPage:
        after = cursor.decode(query)
        clauses = text_query.parse(query.text)
        documents = self._store.committed.documents.values()
        ranks = {} if clauses == () else _ranks(documents, clauses or ())
        if query.sort is Sort.NEWEST:
            ranks = dict.fromkeys(ranks, ordering.ANY_RANK)
        found = [document for document in documents if document.id in ranks]
        matches = [document for document in found if document.passes(query.filters)]

        places = sorted(document.place(ranks[document.id]) for document in matches)
        rest = [place for place in places if after is None or place > after]
        page = rest[: query.limit]
        return SearchPage(
            hits=tuple(SearchHit(id=place.id, score=ordering.score_of(place.rank)) for place in page),
            total=len(matches),
            facets={facet: _counts(found, facet, query.filters) for facet in query.facets},
            next_cursor=cursor.encode(query, page[-1]) if len(rest) > len(page) > 0 else None,
        )

    def highlight(self, text: str, fields: Mapping[str, str], *, length: int = 200) -> dict[str, Highlight]:
        return highlighting.highlight(text, fields, length=length)

    def close(self) -> None:
        if self._writer:
            self._store.locked = False
            self._writer = False
        self._pending = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _check_writer(self) -> None:
        if not self._writer:
            raise IndexReadOnly("this index is open for reading")


@dataclass(frozen=True, slots=True)
class _Zone:
    """A part of a document: the forms of its pieces in order (a phrase stays within one piece), and its
    terms."""

    pieces: tuple[tuple[str, ...], ...]
    terms: frozenset[str]

    @classmethod
    def of(cls, texts: Iterable[str], stemmer: str | None) -> Self:
        analysed = [analysis.forms_and_terms(analysis.normalised(text), stemmer) for text in texts]
        terms = (term for _, words in analysed for word in words for term in word.split())
        return cls(tuple(tuple(forms) for forms, _ in analysed), frozenset(terms))

    def holds(self, clause: Clause) -> bool:
        match clause:
            case Word():
                return not self.terms.isdisjoint(clause.stems)
            case Prefix(form):
                return any(word.startswith(form) for piece in self.pieces for word in piece)
            case Phrase(forms):
                return any(
                    piece[start : start + len(forms)] == forms
                    for piece in self.pieces
                    for start in range(len(piece) - len(forms) + 1)
                )

    def nearly_holds(self, clause: Clause) -> bool:
        """Whether a word of it is ``clause`` with typing mistakes."""
        return isinstance(clause, Word) and any(
            text_query.mistakes(clause.form, word, at_most=clause.mistakes) is not None
            for piece in self.pieces
            for word in piece
        )


@dataclass(frozen=True, slots=True)
class _Document:
    id: str
    recency: int
    facets: Mapping[Facet, frozenset[str]]
    title: _Zone
    summary: _Zone
    everything: _Zone

    @classmethod
    def of(cls, document: SearchDocument) -> Self:
        stemmer = analysis.stemmer_of(document.languages[0]) if document.languages else None
        return cls(
            id=document.id,
            recency=ordering.recency(document),
            facets={facet: frozenset(values) for facet, values in document.facets.items()},
            title=_Zone.of([document.title], stemmer),
            summary=_Zone.of([document.summary], stemmer),
            everything=_Zone.of([document.title, document.summary, document.body], stemmer),
        )

    def place(self, rank: int) -> Place:
        return ordering.place(rank=rank, recency=self.recency, document_id=self.id)

    def passes(self, filters: Mapping[Facet, tuple[str, ...]]) -> bool:
        return all(
            not wanted or not self.facets.get(facet, frozenset()).isdisjoint(wanted)
            for facet, wanted in filters.items()
        )


def _ranks(documents: Iterable[_Document], clauses: tuple[Clause, ...]) -> dict[str, int]:
    """The ranks of the documents that match, by id."""
    documents = list(documents)
    scarce = {
        clause
        for clause in clauses
        if sum(document.everything.holds(clause) for document in documents) < text_query.FUZZY_BELOW
    }

    def found(zone: _Zone, clause: Clause, *, mistakes: bool) -> bool:
        return zone.holds(clause) or (mistakes and clause in scarce and zone.nearly_holds(clause))

    ranks: dict[str, int] = {}
    for document in documents:
        for mistakes in (False, True):
            if document.id not in ranks and all(
                found(document.everything, clause, mistakes=mistakes) for clause in clauses
            ):
                points = sum(
                    ordering.TITLE_POINTS
                    if found(document.title, clause, mistakes=mistakes)
                    else ordering.SUMMARY_POINTS * found(document.summary, clause, mistakes=mistakes)
                    for clause in clauses
                )
                level = ordering.level_of(points, len(clauses))
                ranks[document.id] = ordering.rank_of(level, mistakes=mistakes)
    return ranks


def _counts(
    found: Iterable[_Document], facet: Facet, filters: Mapping[Facet, tuple[str, ...]]
) -> tuple[FacetCount, ...]:
    """The values of one facet among the documents that pass the other filters, most frequent first."""
    others = {other: values for other, values in filters.items() if other is not facet}
    counter = Counter(
        value for document in found if document.passes(others) for value in document.facets.get(facet, ())
    )
    ordered = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    return tuple(FacetCount(value=value, count=count) for value, count in ordered[:MAX_FACET_VALUES])
