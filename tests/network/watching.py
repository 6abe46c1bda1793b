"""Who looks on while things happen: at what arrives in HQ's index, and whether the mirror answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.network.sites import Site


@dataclass
class Arrivals:
    """Follows the changes of an index as any program could. ``entries`` is what it knows by now, ``first``
    when it heard of each thing first (seconds, monotonic)."""

    site: Site
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    first: dict[str, float] = field(default_factory=dict)
    _cursor: str | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look again and again in the background, and once more at the end."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.3):
                try:
                    self.catch_up()
                except httpx.HTTPError:
                    continue  # it is away

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        self.catch_up()

    def catch_up(self) -> None:
        """Hear everything that is new."""
        more = True
        while more:
            query = {"limit": "1000"} | ({"since": self._cursor} if self._cursor else {})
            answered = httpx.get(f"{self.site.url}/api/v1/network/changes", params=query, timeout=30)
            page = answered.raise_for_status().json()
            for change in page["items"]:
                if change["entry"] is not None:
                    self.entries[change["uri"]] = change["entry"]
                    self.first.setdefault(change["uri"], time.monotonic())
                elif change["uri"] is not None:
                    self.entries.pop(change["uri"], None)
                else:
                    self._heed(change["host"], change["origin"])
            self._cursor, more = page["cursor"], page["has_more"]

    def _heed(self, host: str, origin: dict[str, Any] | None) -> None:
        theirs = {uri: entry for uri, entry in self.entries.items() if entry["host"] == host}
        for uri, entry in theirs.items():
            if origin is None:
                del self.entries[uri]
            else:
                self.entries[uri] = {**entry, **origin}


@dataclass
class Searches:
    """Searches that were made, one after the other: seconds each took, and how many were not answered."""

    took: list[float] = field(default_factory=list)
    failed: int = 0
    least: int | None = None
    """The fewest that one of them found."""


@contextmanager
def searching(site: Site, query: str) -> Iterator[Searches]:
    """Search again and again in the background."""
    made = Searches()
    over = threading.Event()

    def search() -> None:
        while not over.wait(0.05):
            begun = time.monotonic()
            try:
                total = site.search(query)["total"]
            except httpx.HTTPError:
                made.failed += 1
                continue
            made.took.append(time.monotonic() - begun)
            made.least = total if made.least is None else min(made.least, total)

    thread = threading.Thread(target=search, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        over.set()
        thread.join()
