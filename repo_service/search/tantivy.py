"""The embedded search engine: tantivy, in a directory. The only importer of ``tantivy``.

The directory holds one *generation* of the index at a time, and ``CURRENT``, a small file that names it. A
rebuild writes a new generation beside the old one and then replaces ``CURRENT``: that is the one step in
which readers of every process change over. The writer holds ``writer.lock`` as long as it is open. The
position of a commit is a document of its own within the index, so that it becomes visible and durable with
what it speaks of.

Text is analysed by us and handed over as terms; scores of the engine are not used (see ``ordering``). An
answer is put together from the top level down: each level is one unscored boolean query, sorted by the
``recency`` field.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

import tantivy
from tantivy import Document, Index, Occur, Order, Query, Searcher

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
from repo_service.search.errors import (
    IndexFull,
    IndexInterrupted,
    IndexLocked,
    IndexReadOnly,
    IndexUnusable,
)
from repo_service.search.ordering import Place
from repo_service.search.text_query import Clause, Phrase, Prefix, Word

_SCHEMA_VERSION = 1
_VERSION = f"{_SCHEMA_VERSION}/{','.join(Facet)}/{analysis.version()}"

_HEAP = 128_000_000
_OFTEN = 1_000
_CURRENT = "CURRENT"
_LOCK = "writer.lock"
_GENERATION = "generation-"
_FULL = (
    *("StorageFull", "QuotaExceeded", "FileTooLarge"),
    *(f"os error {number})" for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)),
)
"""How the engine's messages tell that there is no room."""
_KILLED = "index writer was killed"
"""What it says when its own thread met the error, and was faster than whoever asked."""

_ID = "id"
_RECENCY = "recency"
_MARKER = "marker"
_POSITION = "position"

# Each zone of a document holds those before it. Of each are indexed the forms in order, for phrases, long
# prefixes and typing mistakes; and the set of all other terms.
_TITLE, _LEAD, _ALL = "title", "lead", "all"
_ZONES = (_TITLE, _LEAD, _ALL)


def _forms(zone: str) -> str:
    return f"{zone}_forms"


def _terms(zone: str) -> str:
    return f"{zone}_terms"


def _facet(facet: Facet) -> str:
    return f"facet_{facet.value}"


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field(_ID, stored=True, tokenizer_name="raw", index_option="basic")
    for zone in _ZONES:
        builder.add_text_field(_forms(zone), tokenizer_name="whitespace", index_option="position")
        builder.add_text_field(_terms(zone), tokenizer_name="whitespace", index_option="basic")
    for facet in Facet:
        builder.add_text_field(_facet(facet), fast=True, tokenizer_name="raw", index_option="basic")
    builder.add_integer_field(_RECENCY, indexed=True, fast=True)
    builder.add_text_field(_MARKER, tokenizer_name="raw", index_option="basic")
    builder.add_integer_field(_POSITION, stored=True)
    return builder.build()


_SCHEMA = _schema()


class TantivyIndex:
    """The index in the directory ``path``, which is made when a writer opens it."""

    def __init__(self, path: Path, *, writer: bool) -> None:
        self._path = path
        self._lock: IO[bytes] | None = None
        self._writer: tantivy.IndexWriter | None = None
        self._was_interrupted = False
        self._generation: _Generation | None = None
        self._seen: tuple[int, ...] | None = None
        self._refreshing = threading.Lock()
        if writer:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(path / _LOCK)
            self._remove_leftovers()

    def put(self, documents: Iterable[SearchDocument]) -> None:
        for document in documents:
            prepared = _prepared(document)
            with self._writing() as writer:
                writer.delete_documents_by_term(_ID, document.id)
                writer.add_document(prepared)

    def delete(self, ids: Iterable[str]) -> None:
        for document_id in ids:
            with self._writing() as writer:
                writer.delete_documents_by_term(_ID, document_id)

    def commit(self, *, position: int) -> None:
        with self._writing() as writer:
            writer.delete_documents_by_term(_MARKER, _POSITION)
            writer.add_document(_position_document(position))
            writer.commit()
        self._was_interrupted = False

    def position(self) -> int:
        generation = self._current()
        return 0 if generation is None else generation.position()

    def rebuild(self, documents: Iterable[SearchDocument], *, position: int) -> None:
        self._check_writer()
        name = f"{_GENERATION}{uuid.uuid4().hex}"
        folder = self._path / name
        folder.mkdir()
        try:
            with _translated():
                writer = _new_index(folder).writer(_HEAP, 1)
            for document in documents:
                prepared = _prepared(document)
                with _translated():
                    writer.add_document(prepared)
            with _translated():
                writer.add_document(_position_document(position))
                writer.commit()
                writer.wait_merging_threads()
            _replace_file(
                self._path / _CURRENT, json.dumps({"version": _VERSION, "generation": name}).encode()
            )
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._writer = None
        self._remove_leftovers()

    def query(self, query: SearchQuery) -> SearchPage:
        after = cursor.decode(query)
        clauses = text_query.parse(query.text)
        generation = self._current()
        if generation is None or clauses == ():
            return SearchPage(hits=(), total=0, facets=dict.fromkeys(query.facets, ()), next_cursor=None)
        with _translated():
            return _Answer(generation.searcher(), query, clauses or ()).page(after)

    def highlight(self, text: str, fields: Mapping[str, str], *, length: int = 200) -> dict[str, Highlight]:
        return highlighting.highlight(text, fields, length=length)

    def close(self) -> None:
        self._writer = None
        self._generation = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _check_writer(self) -> None:
        if self._lock is None:
            raise IndexReadOnly(f"the index {self._path} is open for reading")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[tantivy.IndexWriter]:
        """The writer, given up when it fails: it would take what comes, and forget it without a word."""
        writer = self._open_writer()
        try:
            with _translated():
                yield writer
        except IndexInterrupted as error:
            self._writer = None
            if self._was_interrupted:  # no commit has come through since: it may be damaged
                raise IndexUnusable(str(error)) from error
            self._was_interrupted = True
            raise
        except BaseException:
            self._writer = None
            raise

    def _open_writer(self) -> tantivy.IndexWriter:
        self._check_writer()
        if self._writer is None:
            if self._current() is None:
                self.rebuild((), position=0)
            generation = self._current()
            if generation is None:
                raise IndexUnusable(f"the index {self._path} has gone")
            with _translated():
                self._writer = generation.index.writer(_HEAP, 1)
        return self._writer

    def _current(self) -> _Generation | None:
        """The generation that ``CURRENT`` names, with its last commit; None when nothing was ever written."""
        with self._refreshing:
            # A rebuild elsewhere may remove a generation just before it is opened: then CURRENT names
            # another.
            for last_try in (False, False, True):
                seen = _fingerprint(self._path / _CURRENT)
                if seen is None:
                    self._generation = None
                    return None
                try:
                    if self._generation is None or seen != self._seen:
                        self._generation = _Generation(self._named())
                        self._seen = seen
                    self._generation.refresh()
                except IndexUnusable:
                    self._generation = None
                    if last_try or seen == _fingerprint(self._path / _CURRENT):
                        raise
                else:
                    return self._generation
        raise AssertionError("unreachable")

    def _named(self) -> Path:
        try:
            current = json.loads((self._path / _CURRENT).read_bytes())
            version, name = current["version"], current["generation"]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise IndexUnusable(f"{self._path / _CURRENT} cannot be read") from error
        if version != _VERSION:
            raise IndexUnusable(f"the index {self._path} has version {version}, not {_VERSION}")
        if not isinstance(name, str) or not re.fullmatch(rf"{_GENERATION}[0-9a-f]+", name):
            raise IndexUnusable(f"{self._path / _CURRENT} names no generation")
        return self._path / name

    def _remove_leftovers(self) -> None:
        """Remove every generation but the current one: old ones, and those of a rebuild that did not end.

        Readers that still have one open keep it, for its files are mapped into their memory.
        """
        try:
            keep = self._named()
        except IndexUnusable:
            return  # nothing here can be told from a leftover, and somebody may still read it
        for folder in self._path.glob(f"{_GENERATION}*"):
            if folder != keep:
                shutil.rmtree(folder, ignore_errors=True)


class _Generation:
    """One complete tantivy index, open."""

    def __init__(self, folder: Path) -> None:
        self._meta = folder / "meta.json"
        self._seen = _fingerprint(self._meta)
        if self._seen is None:
            raise IndexUnusable(f"there is no index in {folder}")
        with _translated():
            if not Index.is_compatible(str(folder)):
                raise IndexUnusable(f"the index in {folder} was written by another version of tantivy")
            self.index = Index.open(str(folder))
            self.index.config_reader("manual")
            self.index.reload()

    def refresh(self) -> None:
        """Go on to the last commit. Readers of other processes learn of it by the file that each commit
        replaces."""
        seen = _fingerprint(self._meta)
        if seen != self._seen:
            with _translated():
                self.index.reload()
            self._seen = seen

    def searcher(self) -> Searcher:
        return self.index.searcher()

    def position(self) -> int:
        with _translated():
            searcher = self.searcher()
            hits = searcher.search(_term(_MARKER, _POSITION), limit=1, count=False).hits
            return int(_stored(searcher, hits[0][1], _POSITION)) if hits else 0


# ---- Writing -----------------------------------------------------------------------------------------------


def _prepared(document: SearchDocument) -> Document:
    stemmer = analysis.stemmer_of(document.languages[0]) if document.languages else None
    prepared = Document()
    prepared.add_text(_ID, document.id)
    terms: set[str] = set()
    forms: list[str] = []
    for zone, text in zip(_ZONES, (document.title, document.summary, document.body), strict=True):
        piece, found = analysis.forms_and_terms(analysis.normalised(text), stemmer)
        forms.append(" ".join(piece))
        terms |= found
        # Each piece is a value of its own: phrases do not reach from one into the next.
        for value in forms:
            prepared.add_text(_forms(zone), value)
        prepared.add_text(_terms(zone), " ".join(terms))
    for facet, values in document.facets.items():
        for value in values:
            prepared.add_text(_facet(facet), value)
    prepared.add_integer(_RECENCY, ordering.recency(document))
    return prepared


def _position_document(position: int) -> Document:
    document = Document()
    document.add_text(_MARKER, _POSITION)
    document.add_integer(_POSITION, position)
    return document


def _new_index(folder: Path) -> Index:
    return Index(_SCHEMA, str(folder))


# ---- Answering ---------------------------------------------------------------------------------------------


class _Answer:
    """One question to one state of the index."""

    def __init__(self, searcher: Searcher, query: SearchQuery, clauses: tuple[Clause, ...]) -> None:
        self._searcher = searcher
        self._query = query
        self._clauses = clauses
        self._scarce = frozenset(clause for clause in clauses if self._is_scarce(clause))

    def page(self, after: Place | None) -> SearchPage:
        total, facets = self._counted()
        places = self._places(after, self._query.limit + 1) if total and self._query.limit > 0 else []
        page = places[: self._query.limit]
        return SearchPage(
            hits=tuple(SearchHit(id=place.id, score=ordering.score_of(place.rank)) for place in page),
            total=total,
            facets=facets,
            next_cursor=cursor.encode(self._query, page[-1]) if len(places) > len(page) else None,
        )

    # Counting

    def _counted(self) -> tuple[int, dict[Facet, tuple[FacetCount, ...]]]:
        """The total, and the counts of the facets that were asked for. Facets that are filtered themselves
        are counted without their own filter, each by a query of its own."""
        asked = self._query.facets
        filtered = {facet for facet in asked if self._query.filters.get(facet)}
        counted = self._aggregate(self._matching(), [facet for facet in asked if facet not in filtered])
        facets = {facet: counted[facet] for facet in asked if facet not in filtered}
        for facet in filtered:
            facets[facet] = self._aggregate(self._matching(without=facet), [facet])[facet]
        return counted["total"], {facet: facets[facet] for facet in asked}

    def _aggregate(self, query: Query, facets: Sequence[Facet]) -> dict[Any, Any]:
        # More than are given out, so that equals at the end of the list are ordered by value.
        wanted: dict[str, Any] = {
            facet.value: {"terms": {"field": _facet(facet), "size": 2 * MAX_FACET_VALUES}} for facet in facets
        }
        result = self._searcher.aggregate(query, {"total": {"value_count": {"field": _RECENCY}}, **wanted})
        counts: dict[Any, Any] = {"total": int(result["total"]["value"])}
        for facet in facets:
            buckets = [(bucket["key"], bucket["doc_count"]) for bucket in result[facet.value]["buckets"]]
            buckets.sort(key=lambda bucket: (-bucket[1], bucket[0]))
            counts[facet] = tuple(
                FacetCount(value=value, count=count) for value, count in buckets[:MAX_FACET_VALUES]
            )
        return counts

    def _matching(self, *, without: Facet | None = None) -> Query:
        """Every document that matches, with or without typing mistakes."""
        return _all_of(
            [*(self._in(_ALL, clause, mistakes=True) for clause in self._clauses), *self._filters(without)]
        )

    def _filters(self, without: Facet | None = None) -> Iterator[Query]:
        for facet, values in self._query.filters.items():
            if values and facet is not without:
                yield _any_of([_term(_facet(facet), analysis.normalised(value)) for value in values])

    # Hits

    def _places(self, after: Place | None, limit: int) -> list[Place]:
        """The next ``limit`` hits after a place, level by level."""
        if self._query.sort is Sort.NEWEST:
            return self._newest(self._matching(), ordering.ANY_RANK, after, limit)
        places: list[Place] = []
        for mistakes in (False, True) if self._scarce else (False,):
            for level in range(ordering.top_level(len(self._clauses)), -1, -1):
                rank = ordering.rank_of(level, mistakes=mistakes)
                if after is not None and rank > after.rank:
                    continue
                tier = self._tier(level, mistakes=mistakes)
                begin = after if after is not None and rank == after.rank else None
                places.extend(self._newest(tier, rank, begin, limit - len(places)))
                if len(places) >= limit:
                    return places
        return places

    def _tier(self, level: int, *, mistakes: bool) -> Query:
        """The documents of one level: those with so many points, and not with more."""
        clauses = self._clauses
        must = [self._in(_ALL, clause, mistakes=mistakes) for clause in clauses]
        must.extend(self._filters())
        must_not: list[Query] = []
        if mistakes:
            must_not.append(_all_of([self._in(_ALL, clause, mistakes=False) for clause in clauses]))
        if clauses:
            # A word in the title is in the lead too: that makes its two points.
            def points() -> list[Query]:
                return [
                    self._in(zone, clause, mistakes=mistakes)
                    for zone in (_TITLE, _LEAD)
                    for clause in clauses
                ]

            if level == ordering.top_level(len(clauses)):
                must = [
                    *(self._in(_TITLE, clause, mistakes=mistakes) for clause in clauses),
                    *self._filters(),
                ]
            else:
                too_many = ordering.points_for_level(level + 1, len(clauses))
                must_not.append(_at_least(too_many, points()))
                if level > 0:
                    must.append(_at_least(ordering.points_for_level(level, len(clauses)), points()))
        return _all_of(must, none_of=must_not)

    def _newest(self, tier: Query, rank: int, after: Place | None, limit: int) -> list[Place]:
        """The first hits of a level, newest first; equally new ones by id."""
        if after is not None:
            upper = Query.range_query(
                _SCHEMA, _RECENCY, tantivy.FieldType.Integer, upper_bound=after.recency, include_upper=True
            )
            tier = _all_of([tier, upper])
        ask = limit + 2
        while True:
            hits = self._searcher.search(
                tier, limit=ask, count=False, order_by_field=_RECENCY, order=Order.Desc
            ).hits
            whole = len(hits) < ask
            if not whole:
                # Equally new hits come in no order, and there may be more of the last ones.
                last = hits[-1][0]
                hits = [hit for hit in hits if hit[0] != last]
            places = sorted(
                ordering.place(rank=rank, recency=recency, document_id=_stored(self._searcher, address, _ID))
                for recency, address in hits
            )
            places = [place for place in places if after is None or place > after]
            if whole or len(places) >= limit:
                return places[:limit]
            ask *= 4

    # Clauses

    def _in(self, zone: str, clause: Clause, *, mistakes: bool) -> Query:
        """The documents that hold ``clause`` in a zone."""
        match clause:
            case Word():
                ways = _stem_terms(zone, clause)
                if mistakes and clause in self._scarce:
                    ways.append(
                        Query.fuzzy_term_query(_SCHEMA, _forms(zone), clause.form, distance=clause.mistakes)
                    )
                return _any_of(ways)
            case Prefix(form) if len(form) <= analysis.BEGINNINGS:
                return _term(_terms(zone), analysis.beginning(form))
            case Prefix(form):
                pattern = "".join(c if c.isalnum() else f"\\{c}" if c.isascii() else c for c in form)
                return Query.regex_query(_SCHEMA, _forms(zone), f"{pattern}.*")
            case Phrase((form,)):
                return _term(_forms(zone), form)
            case Phrase(forms):
                return Query.phrase_query(_SCHEMA, _forms(zone), list(forms))

    def _is_scarce(self, clause: Clause) -> bool:
        """Whether a word is so rare that typing mistakes are looked for."""
        if not isinstance(clause, Word) or not clause.mistakes:
            return False
        # The quick count knows deleted documents still; where it is high, enough others are left.
        if sum(self._searcher.doc_freq(_terms(_ALL), stem) for stem in clause.stems) >= _OFTEN:
            return False
        return int(self._aggregate(_any_of(_stem_terms(_ALL, clause)), [])["total"]) < text_query.FUZZY_BELOW


def _stem_terms(zone: str, word: Word) -> list[Query]:
    return [_term(_terms(zone), stem) for stem in word.stems]


def _stored(searcher: Searcher, address: tantivy.DocAddress, field: str) -> Any:
    value = searcher.doc(address).get_first(field)
    if value is None:
        raise IndexUnusable(f"a document of the index has lost its {field}")
    return value


def _term(field: str, value: str) -> Query:
    return Query.term_query(_SCHEMA, field, value, "basic")


def _any_of(queries: Sequence[Query]) -> Query:
    return (
        queries[0] if len(queries) == 1 else Query.boolean_query([(Occur.Should, query) for query in queries])
    )


def _at_least(count: int, queries: Sequence[Query]) -> Query:
    return Query.boolean_query(
        [(Occur.Should, query) for query in queries], minimum_number_should_match=count
    )


def _all_of(queries: Sequence[Query], *, none_of: Sequence[Query] = ()) -> Query:
    """All of ``queries`` and none of the others. No query at all stands for every document, save the one that
    keeps the position."""
    if not queries:
        queries, none_of = [Query.all_query()], [*none_of, _term(_MARKER, _POSITION)]
    if len(queries) == 1 and not none_of:
        return queries[0]
    return Query.boolean_query(
        [(Occur.Must, query) for query in queries] + [(Occur.MustNot, query) for query in none_of]
    )


# ---- Files and errors --------------------------------------------------------------------------------------


def _fingerprint(path: Path) -> tuple[int, ...] | None:
    """Changes whenever the file is replaced; None when there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _lock(path: Path) -> IO[bytes]:
    """Hold a lock until the file is closed, at the latest when the process ends."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise IndexLocked(f"another process has the index {path.parent} open for writing") from error
    except BaseException:
        file.close()
        raise
    return file


def _replace_file(path: Path, content: bytes) -> None:
    """Put ``content`` in place of the file, durably and in one step."""
    new = path.with_suffix(".new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn what the engine raises into our errors."""
    try:
        yield
    except (ValueError, OSError) as error:
        if "LockBusy" in str(error):
            raise IndexLocked("another process has the index open for writing") from error
        if any(words in str(error) for words in _FULL):
            raise IndexFull(f"the disk has no room for the index: {error}") from error
        if _KILLED in str(error):
            raise IndexInterrupted(f"writing to the index broke off: {error}") from error
        raise IndexUnusable(f"the search engine failed: {error}") from error
    except BaseException as error:
        # A panic of the engine's code, which meets broken files without an error of its own.
        if type(error).__name__ == "PanicException":
            raise IndexUnusable("the search engine broke off") from error
        raise
