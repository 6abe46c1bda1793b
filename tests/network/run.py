"""The story: schools publish, HQ is killed in the middle and started again, and everything is where it
belongs in the end. What does not hold is an AssertionError."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

from tests.network.sites import Person, Site, World, wait_until, world
from tests.network.watching import Arrivals, searching

_SECRET = "Geheimnis"
"""A word of all that is private."""
_AT_ONCE = 6
_SETTLE_SECONDS = 600.0

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much. ``away`` is for how many seconds HQ is not there."""

    resources: int
    people: int
    away: float = 5.0


@dataclass
class Figures:
    """What was measured, in order: a name, and how it reads."""

    rows: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, value: str) -> None:
        self.rows.append((name, value))

    def markdown(self) -> str:
        """As a table."""
        width = max(len(name) for name, _ in self.rows)
        lines = [f"| {name.ljust(width)} | {value} |" for name, value in self.rows]
        return "\n".join([f"| {'what'.ljust(width)} | figure |", f"|{'-' * (width + 2)}|---|", *lines]) + "\n"


def run(folder: Path, plan: Plan, tell: Tell = lambda said: None) -> Figures:
    """Do all of it, in ``folder``."""
    tell("starting HQ, a mirror and three schools")
    with world(folder) as instances:
        return _Run(instances, plan, tell).done()


class _Run:
    def __init__(self, instances: World, plan: Plan, tell: Tell) -> None:
        self._hq, self._mirror = instances.hq, instances.mirror
        self._schools = instances.schools
        self._plan = plan
        self._tell = tell
        self._figures = Figures()
        self._arrivals = Arrivals(instances.hq)
        self._published: dict[str, Person] = {}
        self._killed_at = math.inf
        self._sent_at: dict[str, float] = {}
        self._collections: set[str] = set()

    def done(self) -> Figures:
        people = self._people()
        with self._arrivals.watching():
            self._publish(people)
            self._await_all()
        self._check("after HQ was killed and started again")
        self._change()
        self._check("after changes and withdrawals")
        return self._figures

    def _people(self) -> list[Person]:
        share = math.ceil(self._plan.people / len(self._schools))
        self._tell(f"{self._plan.people} people get accounts")
        lists = [
            school.enlist([f"{school.name}-{number}" for number in range(share)]) for school in self._schools
        ]
        # One of each school in turn, so that all are busy at all times.
        in_turn = [person for turn in zip(*lists, strict=True) for person in turn][: self._plan.people]
        for school in self._schools:
            (hermit,) = school.enlist([f"{_SECRET.lower()}-{school.name}"])  # shows nothing to anybody
            hermit.share(f"{_SECRET} of a hermit", _content(-1), release=False)
        return in_turn

    def _publish(self, people: Sequence[Person]) -> None:
        """Half of it; HQ is killed while the second half is published, and comes back before its end."""
        jobs = list(enumerate(islice(cycle(people), self._plan.resources)))
        half = len(jobs) // 2
        begun = time.monotonic()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            self._tell("publishing the first half")
            list(pool.map(self._share, jobs[:half]))
            self._await_something_in_the_mirror()
            rest = [pool.submit(self._share, job) for job in jobs[half:]]
            started = half + len(rest) // 4
            wait_until(
                lambda: None if len(self._published) >= started else "too little", self._patience, every=0.05
            )
            self._kill_hq()  # while it is told of what was just published
            for future in rest:
                future.result()
        seconds = time.monotonic() - begun
        private = self._plan.resources // 20 + 1
        self._figures.add("resources published, by people", f"{len(jobs)}, {len(people)}")
        self._figures.add("things that are private, besides", str(2 * private + 2 * len(self._schools)))
        self._figures.add(
            "publishing, with HQ's absence", f"{seconds:.0f} s, {len(jobs) / seconds:.1f} a second"
        )
        theirs: dict[str, list[str]] = {person.username: [] for person in people}
        for uri, person in self._published.items():
            theirs[person.username].append(uri)
        for number, person in enumerate(islice(cycle(people), private)):
            person.share(f"{_SECRET} number {number}", _content(-number), release=False)
            public = theirs[person.username][:1]
            person.collect(f"{_SECRET} collection {number}", public, visibility="private")
        for school in self._schools:
            owner = next(person for person in people if person.site is school)
            best = theirs[owner.username][:3]
            self._collections.add(owner.collect(f"Best of {school.name}", best, visibility="public"))

    def _share(self, job: tuple[int, Person]) -> None:
        number, person = job
        uri = person.share(f"Lesson {number} on rivers", _content(number), release=True)
        self._sent_at[uri] = time.monotonic()
        self._published[uri] = person

    def _await_something_in_the_mirror(self) -> None:
        def missing() -> str | None:
            return None if self._mirror.search("kind=resource")["total"] else "nothing is in the mirror"

        wait_until(missing, _SETTLE_SECONDS)

    def _kill_hq(self) -> None:
        """Without a warning; it comes back with what it had."""
        before = self._mirror.search("kind=resource")["total"]
        at_kill = self._hq.count("SELECT count(*) FROM network_entries WHERE deleted_at IS NULL")
        self._tell(f"HQ is killed with {at_kill} entries")
        begun = self._killed_at = time.monotonic()
        with searching(self._mirror, "q=rivers&kind=resource&facet=host") as made:
            self._hq.kill()
            time.sleep(self._plan.away)
            self._hq.start()
        away = time.monotonic() - begun
        self._tell(f"HQ is back after {away:.0f} s")
        assert made.failed == 0, f"the mirror left {made.failed} searches unanswered"
        assert made.least is not None, "nobody searched"
        assert made.least >= before, "the mirror forgot something"
        self._figures.add("entries at HQ when it was killed", str(at_kill))
        self._figures.add("HQ was away for", f"{away:.1f} s")
        self._figures.add(
            "searches that the mirror answered meanwhile",
            f"{len(made.took)} of {len(made.took)}, p95 {_p95(made.took) * 1000:.0f} ms",
        )

    def _await_all(self) -> None:
        """HQ has all of it by itself, then the mirror has."""
        self._tell("waiting for HQ to have all of it")

        def at_hq() -> str | None:
            here = self._hq.search("kind=resource")["total"]
            people, groups = (self._hq.search(f"kind={kind}")["total"] for kind in ("user", "collection"))
            wanted = len(self._published), self._plan.people, len(self._schools)
            return None if (here, people, groups) == wanted else f"{(here, people, groups)} of {wanted}"

        self._figures.add("then, until HQ had all of it", f"{wait_until(at_hq, self._patience):.1f} s")
        self._figures.add("then, until the mirror had all of it", f"{self._await_mirror():.1f} s")
        self._arrivals.catch_up()
        arrived = {uri: at for uri, at in self._arrivals.first.items() if uri in self._sent_at}
        for which, wanted in (("before it was killed", True), ("for all that came later", False)):
            lags = [
                at - self._sent_at[uri] for uri, at in arrived.items() if (at < self._killed_at) is wanted
            ]
            assert lags, f"nothing arrived {which}"
            self._figures.add(f"from upload to HQ's index, {which}", _spread(lags))

    @property
    def _patience(self) -> float:
        return _SETTLE_SECONDS + self._plan.resources / 5

    def _await_mirror(self) -> float:
        def missing() -> str | None:
            here, there = (
                {kind: site.search(f"kind={kind}")["total"] for kind in ("resource", "user", "collection")}
                for site in (self._mirror, self._hq)
            )
            return None if here == there else f"{here} of {there}"

        return wait_until(missing, _SETTLE_SECONDS)

    def _check(self, when: str) -> None:
        """Everything that is public, once, with its home; and nothing else."""
        self._tell(f"checking, {when}")
        hq = self._hq
        homes = {f"{uri.replace('/ap/', '/')}": uri for uri in self._published}
        for site in (hq, self._mirror):
            resources = list(site.entries("resource"))
            uris = [entry["uri"] for entry in resources]
            assert len(set(uris)) == len(uris), f"{site.name} has something twice"
            lost, strange = set(self._published) - set(uris), set(uris) - set(self._published)
            assert not lost, f"{site.name} lacks {len(lost)}, such as {min(lost)}"
            assert not strange, f"{site.name} has {len(strange)} besides, such as {min(strange)}"
            assert {entry["url"] for entry in resources} == set(homes), f"{site.name} does not lead home"
            users = sorted((entry["host"], entry["name"]) for entry in site.entries("user"))
            wanted = {(person.site.host, person.username) for person in self._published.values()}
            assert users == sorted(wanted), f"{site.name} has {len(users)} users of {len(wanted)}"
            assert {entry["uri"] for entry in site.entries("collection")} == self._collections
            assert site.search(f"q={_SECRET}")["total"] == 0, f"{site.name} finds what is private"
        assert {uri for uri, entry in self._arrivals.entries.items() if entry["kind"] == "resource"} == set(
            self._published
        ), "who followed the changes knows something else"
        private = f"LIKE '%{_SECRET}%'"
        assert hq.count(f"SELECT count(*) FROM network_entries WHERE name {private}") == 0
        assert hq.count(f"SELECT count(*) FROM received_activities WHERE document {private}") == 0
        twice = hq.count("SELECT count(*) - count(DISTINCT uri) FROM received_activities")
        assert twice == 0, f"{twice} activities were taken twice"
        for school in self._schools:
            assert school.count("SELECT count(*) FROM deliveries") == 0, f"{school.name} still has to send"
        found = hq.search("facet=kind&facet=host")["facets"]
        counts = {one["value"]: one["count"] for one in found["kind"]}
        self._figures.add(
            f"{when}: at HQ and the mirror, each once",
            ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())),
        )

    def _change(self) -> None:
        """Some are renamed, some withdrawn; a person who has nothing left is nobody."""
        some = max(1, len(self._published) // 100)
        uris = sorted(self._published)
        renamed, withdrawn = uris[:some], uris[-some:]
        self._tell(f"{some} are renamed and {some} withdrawn")
        for uri in renamed:
            self._published[uri].rename(uri, f"Better lesson on lakes, {uri.rpartition('/')[2]}")
        for uri in withdrawn:
            self._published.pop(uri).withdraw(uri)

        def missing(site: Site) -> Callable[[], str | None]:
            def look() -> str | None:
                here = site.search("kind=resource")["total"], site.search("q=lakes&kind=resource")["total"]
                wanted = len(self._published), len(renamed)
                return None if here == wanted else f"{site.name}: {here} of {wanted}"

            return look

        seconds = wait_until(missing(self._hq), self._patience)
        self._figures.add(f"{some} changes and {some} withdrawals, until HQ had them", f"{seconds:.1f} s")
        seconds = wait_until(missing(self._mirror), _SETTLE_SECONDS)
        self._figures.add("then, until the mirror had them", f"{seconds:.1f} s")
        self._await_mirror()
        self._arrivals.catch_up()


def _content(number: int) -> bytes:
    return f"What rivers do, part {number}.\n".encode()


def _spread(values: Sequence[float]) -> str:
    return f"p50 {sorted(values)[len(values) // 2]:.1f} s, p95 {_p95(values):.1f} s"


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[math.ceil(len(values) * 0.95) - 1]
