"""Search through the API, on a million resources and on what other servers have, against tantivy asked
directly in this process."""

from __future__ import annotations

import http.client
import json
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import tantivy
from tantivy import Occur, Query

from bench.filling import fill, fill_network
from bench.measuring import Bench, Row, Rule, compared, seconds
from bench.programs import Service, running_service
from bench.search_corpus import queries
from repo_service.domain.search import Facet
from repo_service.search import analysis, text_query
from repo_service.search.text_query import Clause, Phrase, Prefix, Word

_CLASSES = ("rare", "common", "broad", "phrase", "prefix")
_LIMIT = 20

Ask = Callable[[str], None]


def search(bench: Bench) -> Iterator[Row]:
    """Each class of queries, one after the other over one connection, with five facets and twenty hits."""
    count = 20_000 if bench.quick else 1_000_000
    folder = bench.folder / "search"
    with running_service(folder) as service:
        fill(bench, folder / "data", count)
        yield from _compared(bench, service, _RESOURCES, f"{count:,} resources")


def network_search(bench: Bench) -> Iterator[Row]:
    """The same in the index of other servers."""
    count = 5_000 if bench.quick else 200_000
    folder = bench.folder / "network-search"
    with running_service(folder) as service:
        bench.say(f"filling the index of the network with {count:,} entries")
        fill_network(folder / "data", count)
        service.repo("reindex")
        yield from _compared(bench, service, _NETWORK, f"{count:,} entries of other servers")


@dataclass(frozen=True, slots=True)
class _Searched:
    """What is searched: its name in the table, its path in the API, its index in the data folder."""

    name: str
    path: str
    index: str
    facets: tuple[Facet, ...]


_RESOURCES = _Searched(
    "search",
    "/api/v1/resources",
    "index",
    (Facet.TYPE, Facet.SUBJECT, Facet.LEVEL, Facet.LANGUAGE, Facet.LICENCE),
)
_NETWORK = _Searched(
    "network search",
    "/api/v1/network/search",
    "index-network",
    (Facet.HOST, Facet.SUBJECT, Facet.LEVEL, Facet.LANGUAGE, Facet.LICENCE),
)


def _compared(bench: Bench, service: Service, searched: _Searched, what: str) -> Iterator[Row]:
    through_api, direct = _through_api(service, searched), _direct(service.folder / "data", searched)
    for word_class in _CLASSES:
        bench.say(f"{searched.name}: {word_class}")
        texts = queries(word_class, 20 if bench.quick else 50)
        ours, floor = _Times(through_api, texts), _Times(direct, texts)
        sides = bench.interleaved(ours.p95, floor.p95)
        yield compared(
            f"{searched.name}, {word_class}, p95 / tantivy directly",
            "ms",
            sides,
            bar=15.0,
            rule=Rule.EXCESS_AT_MOST,
            note=f"p50 {ours.p50:.1f} against {floor.p50:.1f} ms; {what}, five facets",
        )


class _Times:
    """Asks the same questions again and again."""

    def __init__(self, ask: Ask, texts: list[str]) -> None:
        self._ask = ask
        self._texts = texts
        self._medians: list[float] = []

    def p95(self) -> float:
        """Ask all of them once: milliseconds."""
        times = [1000 * seconds(partial(self._ask, text)) for text in self._texts]
        self._medians.append(statistics.median(times))
        return statistics.quantiles(times, n=20)[-1]

    @property
    def p50(self) -> float:
        """Median of the medians, without the first time."""
        return statistics.median(self._medians[1:])


def _through_api(service: Service, searched: _Searched) -> Ask:
    """As a browser would: one connection, kept."""
    address = urlsplit(service.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)

    def ask(text: str) -> None:
        arguments = [("q", text), ("limit", _LIMIT), *(("facet", facet.value) for facet in searched.facets)]
        connection.request("GET", f"{searched.path}?{urlencode(arguments)}")
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200 or len(answer["facets"]) != len(searched.facets):
            raise RuntimeError(f"search for {text!r} answered {answer}")
        if len(answer["items"]) != min(_LIMIT, answer["total"]):
            raise RuntimeError(f"search for {text!r} gave {len(answer['items'])} of {answer['total']}")

    return ask


def _direct(data: Path, searched: _Searched) -> Ask:
    """The same words and facets, twenty hits by tantivy's own score: what its API gives without us."""
    folder = data / searched.index
    name = json.loads((folder / "CURRENT").read_text())["generation"]
    index = tantivy.Index.open(str(folder / name))
    index.reload()
    searcher = index.searcher()
    wanted = {
        facet.value: {"terms": {"field": f"facet_{facet.value}", "size": 400}} for facet in searched.facets
    }

    def ask(text: str) -> None:
        clauses = text_query.parse(text)
        query = Query.boolean_query([(Occur.Must, _query(index.schema, clause)) for clause in clauses or ()])
        hits = searcher.search(query, limit=_LIMIT).hits
        ids = [searcher.doc(address)["id"][0] for _, address in hits]
        counts = searcher.aggregate(query, wanted)
        if len(ids) != len(hits) or len(counts) != len(wanted):
            raise RuntimeError(f"tantivy answered {counts} for {text!r}")

    return ask


def _query(schema: tantivy.Schema, clause: Clause) -> Query:
    match clause:
        case Word():
            terms = [Query.term_query(schema, "all_terms", stem, "basic") for stem in clause.stems]
            return Query.boolean_query([(Occur.Should, term) for term in terms])
        case Prefix(form):
            return Query.term_query(schema, "all_terms", analysis.beginning(form), "basic")
        case Phrase(forms):
            return Query.phrase_query(schema, "all_forms", list(forms))
