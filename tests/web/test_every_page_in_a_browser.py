"""Every page, with something on it and with nothing: axe finds nothing, nothing sticks out, the browser
has no complaint. On a desk and on a phone, light and dark, from left to right and from right to left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page
from werkzeug.exceptions import NotFound

from tests.support.service import Service
from tests.web.accessibility import problems_of
from tests.web.every_page import (
    DESKTOP,
    OTHERWISE,
    PHONE,
    SIGHTS,
    Colours,
    Language,
    Sight,
    Tour,
    show,
    touring,
)

_VIEWS: Sequence[tuple[Language, Sequence[tuple[tuple[int, int], Colours]]]] = (
    ("en", ((DESKTOP, "light"), (PHONE, "dark"))),
    ("ar", ((PHONE, "light"), (DESKTOP, "dark"))),
)


@pytest.fixture(scope="module")
def tour(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    with touring(chromium, tmp_path_factory.mktemp("tour")) as made:
        yield made


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("sight", SIGHTS, ids=lambda sight: sight.name)
def test_a_page(tour: Tour, sight: Sight, language: Language) -> None:
    complaints: list[str] = []
    found: list[str] = []
    with tour.window(sight, language) as page:
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type != "log" else None)
        response = tour.go(page, sight)
        assert (response.status, _endpoint(tour, sight, page)) == (sight.status, sight.endpoint)
        assert page.locator("html").get_attribute("dir") == ("rtl" if language == "ar" else "ltr")
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
        for size, colours in dict(_VIEWS)[language]:
            show(page, size, colours)
            found += [f"{size[0]} {colours}: {problem}" for problem in problems_of(page)]
    if sight.status >= 400:  # which the browser says, too
        complaints = [said for said in complaints if f"with a status of {sight.status}" not in said]
    assert (complaints, found) == ([], []), "\n".join([*complaints, *found])


def _endpoint(tour: Tour, sight: Sight, page: Page) -> str | None:
    """Whose page is open."""
    service = tour.service(sight)
    adapter = service.service.app.url_map.bind(urlsplit(service.url).netloc)
    try:
        endpoint: str = adapter.match(urlsplit(page.url).path)[0]
    except NotFound:
        return None
    return endpoint


def test_no_page_is_left_out(service: Service) -> None:
    """Who adds one says where there is something to see of it, or that it is none."""
    got = {
        rule.endpoint
        for rule in service.app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.rule.startswith("/api/v1/")
    }
    seen = {sight.endpoint for sight in SIGHTS if sight.endpoint is not None}
    assert not seen & set(OTHERWISE)
    assert got == seen | set(OTHERWISE)


def test_pictures_have_a_name_each() -> None:
    names = [sight.name for sight in SIGHTS]
    assert len(names) == len(set(names))
