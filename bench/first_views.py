"""What a browser takes to show a page that it has never seen, as Lighthouse looks at it: bytes, requests, and
when which part is there. On a phone, with the slow line and the slow processor that Lighthouse makes up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from bench.programs import program
from tests.support.browser import ARGUMENTS

_WIDTH, _HEIGHT = 412, 823
_DENSITY = 1.75
_CPU_SLOWDOWN = 4
_KBIT = 1024 / 8
_LINE = {
    "offline": False,
    "latency": 150 * 3.75,
    "downloadThroughput": 1.6 * 1024 * 0.9 * _KBIT,
    "uploadThroughput": 750 * 0.9 * _KBIT,
}
"""Lighthouse's slow phone (``core/config/constants.js``: ``mobileSlow4G`` as it asks the browser for it):
milliseconds a request, bytes a second."""

_SETTLED_MS = 500
"""After the last byte: for what is painted or moved late."""

_WATCH = """
(() => {
  const seen = window.__seen = { fcp: 0, lcp: 0, cls: 0, long: [] };
  const watch = (type, each) =>
    new PerformanceObserver(list => list.getEntries().forEach(each)).observe({ type, buffered: true });
  watch("paint", entry => { if (entry.name === "first-contentful-paint") seen.fcp = entry.startTime; });
  watch("largest-contentful-paint", entry => { seen.lcp = entry.startTime; });
  watch("layout-shift", entry => { if (!entry.hadRecentInput) seen.cls += entry.value; });
  watch("longtask", entry => { seen.long.push([entry.startTime, entry.duration]); });
})();
"""
_SEEN = """
() => {
  const { fcp, lcp, cls, long } = window.__seen;
  const blocking = long.filter(([start]) => start >= fcp).reduce((sum, [, d]) => sum + d - 50, 0);
  return { fcp, lcp, cls, blocking, elements: document.querySelectorAll("*").length };
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One first view. ``size`` are the bytes that came over the line, headers and compression as they were;
    ``requests`` the addresses that they came from. Times are milliseconds from the click: the first and the
    largest contentful paint, and for how long the page could not have answered a touch (total blocking time).
    ``shift`` is the cumulative layout shift, ``elements`` the size of the DOM."""

    size: int
    requests: Sequence[str]
    first_paint: float
    largest_paint: float
    blocking: float
    shift: float
    elements: int


@contextmanager
def browser() -> Iterator[Browser]:
    """The system's Chromium. Raises Missing."""
    path = program("chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


def first_view(chromium: Browser, url: str, cookies: Mapping[str, str]) -> View:
    """Open a page with nothing in the cache. Raises RuntimeError when any part of it is not answered well."""
    context = chromium.new_context(
        viewport={"width": _WIDTH, "height": _HEIGHT},
        device_scale_factor=_DENSITY,
        is_mobile=True,
        has_touch=True,
        locale="en-GB",
    )
    context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
    page = context.new_page()
    page.add_init_script(_WATCH)
    line = _Line(context.new_cdp_session(page))
    answer = page.goto(url, wait_until="networkidle")
    if answer is None or answer.status != 200 or page.url != url:
        raise RuntimeError(f"{url} was answered with {answer and answer.status} at {page.url}")
    page.wait_for_timeout(_SETTLED_MS)
    view = _view(page, line)
    context.close()
    return view


def _view(page: Page, line: _Line) -> View:
    if line.failed:
        raise RuntimeError(f"parts of {page.url} are missing: {line.failed}")
    seen = page.evaluate(_SEEN)
    return View(
        size=sum(line.sizes.values()),
        requests=list(line.asked.values()),
        first_paint=seen["fcp"],
        largest_paint=seen["lcp"],
        blocking=seen["blocking"],
        shift=seen["cls"],
        elements=seen["elements"],
    )


class _Line:
    """Listens to what goes over the line, by the DevTools protocol, and slows it down."""

    def __init__(self, session: CDPSession) -> None:
        self.asked: dict[str, str] = {}
        self.sizes: dict[str, int] = {}
        self.failed: list[str] = []
        session.on("Network.requestWillBeSent", self._ask)
        session.on("Network.requestServedFromCache", self._remembered)
        session.on("Network.responseReceived", self._answer)
        session.on("Network.loadingFinished", self._finish)
        session.on("Network.loadingFailed", self._fail)
        session.send("Network.enable")
        session.send("Network.emulateNetworkConditions", _LINE)
        session.send("Emulation.setCPUThrottlingRate", {"rate": _CPU_SLOWDOWN})

    def _ask(self, event: Mapping[str, Any]) -> None:
        if not event["request"]["url"].startswith("data:"):
            self.asked[event["requestId"]] = event["request"]["url"]

    def _remembered(self, event: Mapping[str, Any]) -> None:
        """It is on this very page already."""
        self.asked.pop(event["requestId"], None)

    def _answer(self, event: Mapping[str, Any]) -> None:
        if event["response"]["status"] >= 400:
            self.failed.append(event["response"]["url"])

    def _finish(self, event: Mapping[str, Any]) -> None:
        if event["requestId"] in self.asked:
            self.sizes[event["requestId"]] = int(event["encodedDataLength"])

    def _fail(self, event: Mapping[str, Any]) -> None:
        self.failed.append(self.asked.get(event["requestId"], "?"))
