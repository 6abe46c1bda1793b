"""The instances of the federation: services of their own that can be killed and started again."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import psutil

from repo_service.app import create_app, engine_of, services_of
from repo_service.domain.identity import SCOPES_OF_ROLE, Role
from repo_service.settings import Settings
from tests.support.running import Running, running
from tests.support.service import OPERATOR

_SETTINGS = {"web_workers": "1", "min_free_space": "0", "job_lease": "PT40S"}
"""The last one: what a worker was at that is killed waits for no longer than that."""


class Site:
    """One instance in a folder of its own. ``settings`` are environment variables without their REPO_."""

    def __init__(self, name: str, folder: Path, **settings: str) -> None:
        self.name = name
        self._folder = folder
        self._settings = {**_SETTINGS, "site_name": name, **settings}
        self._stack = ExitStack()
        self._running: Running | None = None
        folder.mkdir()

    def start(self) -> None:
        """Wait until it answers. After a kill it is where it was, with all that it had."""
        self._running = self._stack.enter_context(
            running(self._folder, before=self._running, **self._settings)
        )

    def kill(self) -> None:
        """All of its processes at once, as a power cut would."""
        supervisor = self.running.process
        family = [*supervisor.children(recursive=True), supervisor]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=30)
        self.close()

    def close(self) -> None:
        """Stop it."""
        self.__dict__.pop("client", None)
        self._stack.close()

    @property
    def running(self) -> Running:
        assert self._running is not None
        return self._running

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.running.port}"

    @property
    def host(self) -> str:
        """As other servers name it."""
        return f"127.0.0.1:{self.running.port}"

    @cached_property
    def client(self) -> httpx.Client:
        """Anybody's. One for all: to make one takes longer than to ask."""
        return self._stack.enter_context(httpx.Client(base_url=self.url, timeout=120))

    def approve(self, other: Site) -> None:
        """Take what another one has in public into the index."""
        answered = self.running.client.put(
            f"/api/v1/network/instances/{other.host}", json={"standing": "approved"}
        )
        answered.raise_for_status()

    def search(self, query: str) -> dict[str, Any]:
        """What anybody finds in the index of the network."""
        answered = self.client.get(f"/api/v1/network/search?{query}")
        found: dict[str, Any] = answered.raise_for_status().json()
        return found

    def entries(self, kind: str) -> Iterator[dict[str, Any]]:
        """Everything of a kind in the index of the network, page by page."""
        cursor: str | None = ""
        while cursor is not None:
            page = self.search(f"kind={kind}&limit=100" + (f"&cursor={cursor}" if cursor else ""))
            yield from page["items"]
            cursor = page["next_cursor"]

    def count(self, query: str) -> int:
        """What a query of its database counts."""
        with closing(sqlite3.connect(f"file:{self.running.data / 'repo.db'}?mode=ro", uri=True)) as database:
            counted: int = database.execute(query).fetchone()[0]
            return counted

    def enlist(self, usernames: list[str]) -> list[Person]:
        """New people, each with a token."""
        data = self.running.data
        app = create_app(Settings(data_dir=data, base_url=self.url))
        services = services_of(app)
        try:
            people = []
            for username in usernames:
                account = services.accounts.create(OPERATOR, username=username)
                issued = services.accounts.issue_token(
                    OPERATOR, name="run", scopes=SCOPES_OF_ROLE[Role.MEMBER], account_id=account.id
                )
                people.append(Person(self, username, issued.secret))
            return people
        finally:
            services.close()
            engine_of(app).dispose()


@dataclass(frozen=True)
class Person:
    """Somebody with an account at a school."""

    site: Site
    username: str
    token: str

    def share(self, title: str, content: bytes, *, release: bool) -> str:
        """Upload a file; the ActivityPub id of its resource."""
        metadata = {"title": title, "licence": "CC-BY-4.0", "languages": ["en"], "release": release}
        answered = self._send(
            "POST",
            "/api/v1/resources",
            files={"file": ("notes.txt", content)},
            data={"metadata": json.dumps(metadata)},
        )
        return f"{self.site.url}/ap/resources/{answered.json()['id']}"

    def rename(self, uri: str, title: str) -> None:
        """Give a resource another title."""
        self._send("PATCH", _path(uri), json={"title": title})

    def withdraw(self, uri: str) -> None:
        """Take a resource back."""
        self._send("POST", f"{_path(uri)}/withdraw", json={"reason": "It is old."})

    def collect(self, title: str, uris: list[str], *, visibility: str) -> str:
        """Make a collection; its ActivityPub id."""
        made = self._send("POST", "/api/v1/collections", json={"title": title, "visibility": visibility})
        collection = made.json()["id"]
        for uri in uris:
            item = {"resource": uri.rpartition("/")[2]}
            self._send("POST", f"/api/v1/collections/{collection}/items", json=item)
        return f"{self.site.url}/ap/collections/{collection}"

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        answered = self.site.client.request(method, path, headers=headers, **request)
        assert answered.is_success, f"{method} {path}: {answered.text}"
        return answered


@dataclass(frozen=True)
class World:
    """All instances."""

    hq: Site
    mirror: Site
    schools: list[Site]


@contextmanager
def world(folder: Path, *, schools: int = 3) -> Iterator[World]:
    """HQ, its mirror, and schools that HQ has approved."""
    hq = Site("hq", folder / "hq", federation_loopback="true")
    names = [f"school{number}" for number in range(1, schools + 1)]
    made = [Site(name, folder / name, federation_loopback="true") for name in names]
    with ThreadPoolExecutor(schools + 2) as pool:
        try:
            hq.start()
            mirror = Site("mirror", folder / "mirror", read_only="true", network_home=hq.url)
            made.append(mirror)
            list(pool.map(Site.start, made))
            for school in made[:schools]:
                hq.approve(school)
            yield World(hq, mirror, made[:schools])
        finally:
            list(pool.map(Site.close, [hq, *made]))


def wait_until(holds: Any, seconds: float, every: float = 0.5) -> float:
    """How many seconds it took; AssertionError with what ``holds`` says last when it takes longer. It returns
    None once it holds, and what is missing before."""
    begun = time.monotonic()
    while (missing := holds()) is not None:
        assert time.monotonic() < begun + seconds, f"after {seconds:.0f} s: {missing}"
        time.sleep(every)
    return time.monotonic() - begun


def _path(uri: str) -> str:
    return f"/api/v1/resources/{uri.rpartition('/')[2]}"
