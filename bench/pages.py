"""Pages: what a first visit takes, and how long one is made, against the API's answer about the same."""

from __future__ import annotations

import http.client
import itertools
import json
import re
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import httpx
from sqlalchemy import create_engine, update

from bench.courses import course
from bench.filling import fill
from bench.first_views import View, browser, first_view
from bench.measuring import MIB, Bench, Row, Rule, Runs, compared
from bench.programs import Service, running_service, running_worker
from bench.search_corpus import documents, queries
from repo_service.models import InspectionRecord
from repo_service.web.searching import FACETS, PAGE_SIZE
from tests.support.backups import ActivitySpec, backup, write_targz

_MOST_KB = 100
_MOST_REQUESTS = 10
_SOON_MS = 2500
"""Largest contentful paint that https://web.dev/articles/lcp calls good."""
_MOST_RATIO = 3.0
_COLLECTED = 20
_PAIRS = 150
"""Requests of each side in one run."""
_RELEASE_SECONDS = 120.0
_GLANCE = {
    "sections": 9,
    "activities": 37,
    "questions": 64,
    "files": 112,
    "moodle_release": "4.5",
    "modules": ["quiz", "page", "forum", "assign", "resource", "url"],
}
"""Of the generated resources, which have no file to look into: cards say what is inside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Catalogue:
    """What there is to look at: a course with 37 activities, one with 501, and a collection."""

    usual: UUID
    large: UUID
    collection: UUID
    words: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visitor:
    """Who asks: ``headers`` are those of the API, ``cookies`` those of the pages."""

    name: str
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)


def pages(bench: Bench) -> Iterator[Row]:
    """With a catalogue of two thousand resources, for anybody and for somebody who is signed in."""
    count = 200 if bench.quick else 2_000
    folder = bench.folder / "pages"
    # One process: both sides are answered by the same one.
    with running_service(folder, web_workers=1) as service:
        fill(bench, folder / "data", count)
        _give_glances(folder / "data" / "repo.db")
        with running_worker(service):
            catalogue = _catalogue(bench, service, folder)
            anybody, teacher = _Visitor(name="anybody"), _teacher(service)
            yield from _server_times(bench, service, catalogue, (anybody, teacher))
            yield from _first_views(bench, service, catalogue, anybody, teacher)


# How long the service takes


def _server_times(
    bench: Bench, service: Service, catalogue: _Catalogue, visitors: Sequence[_Visitor]
) -> Iterator[Row]:
    searches = [(("q", word), *(("facet", facet.value) for facet in FACETS)) for word in catalogue.words]
    subjects = {
        "search page": (
            [f"/?{urlencode([arguments[0]])}" for arguments in searches],
            [f"/api/v1/resources?{urlencode([*arguments, ('limit', PAGE_SIZE)])}" for arguments in searches],
        ),
        "page of a course with 37 activities": _addresses(catalogue.usual),
        "page of a course with 501 activities": _addresses(catalogue.large),
    }
    for (what, addresses), visitor in itertools.product(subjects.items(), visitors):
        bench.say(f"{what}, {visitor.name}")
        pair = _Pair(service, visitor, *addresses, count=20 if bench.quick else _PAIRS)
        ours, floor = pair.measured(bench)
        yield compared(
            f"{what}, {visitor.name} / the API's answer",
            "ms",
            (ours, floor),
            bar=_MOST_RATIO,
            rule=Rule.RATIO_AT_MOST,
            note=f"p95 {pair.p95(0):.1f} against {pair.p95(1):.1f} ms",
        )


def _addresses(resource: UUID) -> tuple[list[str], list[str]]:
    return [f"/resources/{resource}"], [f"/api/v1/resources/{resource}"]


class _Pair:
    """Asks for a page and for what the API says about the same, in turns, over one connection each."""

    def __init__(
        self, service: Service, visitor: _Visitor, pages: Sequence[str], answers: Sequence[str], *, count: int
    ) -> None:
        address = urlsplit(service.url)
        cookies = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
        as_browser = {"Accept-Encoding": "gzip", "Accept-Language": "en-GB,en;q=0.9"}
        self._headers = ({**as_browser, "Cookie": cookies} if cookies else as_browser, visitor.headers)
        self._connections = [
            http.client.HTTPConnection(address.hostname or "", address.port, timeout=60) for _ in range(2)
        ]
        self._addresses = pages, answers
        self._count = count
        self._times: tuple[list[list[float]], list[list[float]]] = ([], [])

    def measured(self, bench: Bench) -> tuple[Runs, Runs]:
        """The medians of each run, after one that does not count: milliseconds."""
        for _ in range(1 + bench.runs):
            times: tuple[list[float], list[float]] = ([], [])
            for turn in range(self._count):
                for side in (0, 1):
                    times[side].append(self._ask(side, turn))
            for side in (0, 1):
                self._times[side].append(times[side])
        return self._medians(0), self._medians(1)

    def p95(self, side: int) -> float:
        """Over all runs that count."""
        every = list(itertools.chain.from_iterable(self._times[side][1:]))
        return statistics.quantiles(every, n=20)[-1]

    def _medians(self, side: int) -> Runs:
        return Runs([statistics.median(times) for times in self._times[side][1:]])

    def _ask(self, side: int, turn: int) -> float:
        addresses, connection = self._addresses[side], self._connections[side]
        begin = time.perf_counter()
        connection.request("GET", addresses[turn % len(addresses)], headers=dict(self._headers[side]))
        response = connection.getresponse()
        body = response.read()
        taken = time.perf_counter() - begin
        if response.status != 200:
            raise RuntimeError(f"{addresses[turn % len(addresses)]} answered {response.status}: {body!r}")
        return 1000 * taken


# What a first visit takes


def _first_views(
    bench: Bench, service: Service, catalogue: _Catalogue, anybody: _Visitor, teacher: _Visitor
) -> Iterator[Row]:
    seen = {
        "home": ("/", anybody),
        "search results": (f"/?{urlencode({'q': catalogue.words[0]})}", anybody),
        "a course with 37 activities": (f"/resources/{catalogue.usual}", anybody),
        "a course with 501 activities": (f"/resources/{catalogue.large}", anybody),
        "a collection": (f"/collections/{catalogue.collection}", anybody),
        "share a file, signed in": ("/upload", teacher),
    }
    with browser() as chromium:
        for name, (path, visitor) in seen.items():
            bench.say(f"first view: {name}")
            views = [first_view(chromium, f"{service.url}{path}", visitor.cookies) for _ in range(bench.runs)]
            yield from _view_rows(name, views)


def _view_rows(name: str, views: Sequence[View]) -> Iterator[Row]:
    median = statistics.median
    sizes = [view.size / 1000 for view in views]
    counts = [float(len(view.requests)) for view in views]
    paints = [view.largest_paint for view in views]
    yield Row(
        name=f"first view, {name}: over the line",
        unit="KB",
        ours=median(sizes),
        bar=_MOST_KB,
        rule=Rule.AT_MOST,
        note=f"{median(view.elements for view in views):,.0f} elements",
        ours_runs=sizes,
    )
    yield Row(
        name=f"first view, {name}: requests",
        unit="requests",
        ours=median(counts),
        bar=_MOST_REQUESTS,
        rule=Rule.AT_MOST,
        ours_runs=counts,
    )
    yield Row(
        name=f"first view, {name}: largest paint",
        unit="ms",
        ours=median(paints),
        bar=_SOON_MS,
        rule=Rule.AT_MOST,
        note=(
            f"first paint {median(view.first_paint for view in views):,.0f} ms, "
            f"blocked {median(view.blocking for view in views):,.0f} ms, "
            f"layout shift {median(view.shift for view in views):.3f}"
        ),
        ours_runs=paints,
    )


# Something to look at


def _give_glances(database: Path) -> None:
    engine = create_engine(f"sqlite:///{database}")
    with engine.begin() as connection:
        connection.execute(update(InspectionRecord).values(glance=_GLANCE))
    engine.dispose()


def _catalogue(bench: Bench, service: Service, folder: Path) -> _Catalogue:
    bench.say("sharing two courses and a collection")
    large = write_targz(folder / "large.mbz", course(20 * MIB))
    catalogue = _Catalogue(
        usual=_released(service, _usual_course(folder / "usual.mbz"), "Ecology for beginners"),
        large=_released(service, large, "A year of ecology"),
        collection=_collection(service),
        words=queries("broad", 20) + queries("common", 20),
    )
    _wait_until_found(service, "ecology", 2)
    return catalogue


def _usual_course(path: Path) -> Path:
    """Nine sections; two in three activities have a file."""
    modules = ("page", "quiz", "forum", "assign", "resource", "url", "book", "h5pactivity")
    return backup(
        path,
        fullname="Ecology for beginners",
        section_titles=["", *(f"Week {week}: how living things share a place" for week in range(1, 9))],
        activities=[
            ActivitySpec(
                module=modules[number % len(modules)],
                title=f"What lives in a pond, part {number}",
                section=1 + number % 8,
                files=[(f"pond{number}.txt", b"grass, hare, fox\n" * number)] if number % 3 else [],
            )
            for number in range(37)
        ],
        questions={"multichoice": 40, "truefalse": 24},
    )


def _released(service: Service, path: Path, title: str) -> UUID:
    metadata = {
        "title": title,
        "summary": "<p>Who eats whom, and why it matters.</p>",
        "licence": "CC-BY-4.0",
        "languages": ["en"],
        "subjects": ["0521"],
        "levels": ["level3"],
        "types": ["course"],
        "authors": [{"name": "Ada Lovelace"}],
        "keywords": ["water", "food webs"],
        "release": True,
    }
    with path.open("rb") as file:
        made = service.api.post(
            "/api/v1/resources",
            data={"metadata": json.dumps(metadata)},
            files={"file": (path.name, file)},
        )
    resource = made.raise_for_status().json()
    deadline = time.monotonic() + _RELEASE_SECONDS
    while service.api.get(resource["api_url"]).raise_for_status().json()["visibility"] != "public":
        if time.monotonic() > deadline:
            raise RuntimeError(f"{path.name} was not released in time")
        time.sleep(0.2)
    return UUID(resource["id"])


def _wait_until_found(service: Service, word: str, count: int) -> None:
    deadline = time.monotonic() + _RELEASE_SECONDS
    while service.api.get("/api/v1/resources", params={"q": word}).json()["total"] < count:
        if time.monotonic() > deadline:
            raise RuntimeError("what was released is not found in time")
        time.sleep(0.2)


def _collection(service: Service) -> UUID:
    """Twenty of the generated resources, each with a note."""
    made = service.api.post(
        "/api/v1/collections",
        json={"title": "Ecology, week by week", "summary": "In this order.", "visibility": "public"},
    )
    collection: str = made.raise_for_status().json()["id"]
    for document in documents(_COLLECTED):
        item = {"resource": document.id, "note": "Read this before the excursion."}
        service.api.post(f"/api/v1/collections/{collection}/items", json=item).raise_for_status()
    return UUID(collection)


def _teacher(service: Service) -> _Visitor:
    """Somebody who owns nothing of it, signed in as operators do: by a token."""
    service.repo("account", "create", "teacher")
    token = service.repo("token", "create", "teacher").split()[-1]
    with httpx.Client(base_url=service.url) as client:
        form = client.get("/sign-in").raise_for_status().text
        found = re.search(r'name="csrf_token" value="([^"]+)"', form)
        if found is None:
            raise RuntimeError("the page to sign in has no form")
        client.post("/sign-in", data={"csrf_token": found[1], "token": token})
        cookies = dict(client.cookies)
        if "teacher" not in client.get("/account").raise_for_status().text:
            raise RuntimeError("the teacher is not signed in")
    return _Visitor(name="signed in", headers={"Authorization": f"Bearer {token}"}, cookies=cookies)
