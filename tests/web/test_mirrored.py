"""Pages in a language that is written from right to left are mirrored; looked at in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import translations
from tests.support.backups import ActivitySpec, backup
from tests.support.browser import LiveService, open_signed_in
from tests.web.reader import DESKTOP, Reader

_STYLES = sorted((translations.ROOT / "repo_service" / "web" / "static").glob("*.css"))
_SIDES = re.compile(
    r"^\s*(?:[a-z-]*-)?(?:left|right)(?:-[a-z-]+)?:|^\s*[a-z-]+:\s*(?:left|right)\s*;", re.MULTILINE
)
_FOUR_SIDES = re.compile(r"(?:margin|padding): \S+ (\S+) \S+ (\S+);")


@contextmanager
def _visit(browser: Browser, service: LiveService, language: str) -> Iterator[Page]:
    """A window of somebody who is signed in and reads that language."""
    reader = Reader(name=language, language=language, size=DESKTOP)
    with reader.window(browser, service.url, refusals=None) as page:
        open_signed_in(page, service.token, "/")
        yield page


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    activities = [ActivitySpec(module="forum", title="Trees", section=1)]
    return backup(tmp_path_factory.mktemp("course") / "forest.mbz", fullname="Forests", activities=activities)


@pytest.fixture(scope="module")
def draft(chromium: Browser, live_service: LiveService, course: Path) -> str:
    """The page on which a shared course waits for its release."""
    with _visit(chromium, live_service, "en") as page:
        page.goto("/upload")
        page.locator("#file").set_input_files(course)
        page.get_by_role("button", name="Upload").click()
        page.wait_for_url("**/finish")
        expect(page.get_by_role("heading", name="What is inside")).to_be_visible()
        return page.url


@pytest.mark.parametrize("sheet", _STYLES, ids=lambda path: path.name)
def test_style_sheets_know_no_left_and_no_right(sheet: Path) -> None:
    """But for pictures in a background, which have no other names for their places."""
    source = sheet.read_text()
    assert _SIDES.findall(source) == []
    assert [found[0] for found in _FOUR_SIDES.finditer(source) if found[1] != found[2]] == []


def test_everything_begins_on_the_right(chromium: Browser, live_service: LiveService, draft: str) -> None:
    with _visit(chromium, live_service, "ar") as page:
        page.keyboard.press("Tab")
        assert _side_of(page, ".skip-link") == "right"
        page.goto("/upload")
        assert _side_of(page, ".form-check-input") == "right"
        assert _style(page, ".form-check-input", "float") == "inline-start"
        assert _style(page, ".form-select", "backgroundPositionX").startswith("12px")  # from the left
        page.goto(draft)
        assert _style(page, ".activity", "borderRightWidth") == "4px"
        assert _style(page, ".activity", "borderLeftWidth") == "0px"
        page.goto(draft.removesuffix("/finish"))
        # A title of another direction begins where all others begin.
        assert _style(page, "h1", "direction") == "ltr"
        assert _style(page, "h1", "textAlign") == "right"


def test_what_the_script_says_has_the_numbers_of_the_page(
    chromium: Browser, live_service: LiveService, course: Path
) -> None:
    with _visit(chromium, live_service, "de") as page:
        page.goto("/upload")
        page.locator("#file").set_input_files(course)
        page.evaluate("document.querySelector('[type=file]').dataset.maxSize = 1000")
        page.locator("[data-upload] [type=submit]").click()
        expect(page.locator("[data-error]")).to_contain_text("1,0 kB")
        expect(page.locator("[data-error]")).not_to_contain_text("{")


def test_a_refusal_of_the_server_is_said_in_the_words_of_its_page(
    chromium: Browser, live_service: LiveService, course: Path
) -> None:
    with _visit(chromium, live_service, "de") as page:
        page.goto("/upload")
        page.locator("#file").set_input_files(course)
        page.evaluate("document.querySelector('[data-upload] [name=csrf_token]').value = 'x'")
        with page.expect_response("**/upload/tus") as refused:
            page.locator("[data-upload] [type=submit]").click()
        assert refused.value.status == 400
        assert refused.value.headers["content-type"].startswith("text/html")
        said = page.locator("[data-error]")
        expect(said).to_be_visible()
        reason = (said.text_content() or "").partition(": ")[2]
        assert f">{reason}<" in refused.value.text()


def test_a_front_servers_refusal_is_no_page_of_ours(
    chromium: Browser, live_service: LiveService, course: Path
) -> None:
    with _visit(chromium, live_service, "en") as page:
        page.goto("/upload")
        page.route(
            "**/upload/tus",
            lambda route: route.fulfill(status=413, content_type="text/html", body="<h1>Bad</h1>"),
        )
        page.locator("#file").set_input_files(course)
        page.locator("[data-upload] [type=submit]").click()
        expect(page.locator("[data-error]")).to_contain_text("The server answered 413. Try again in a while.")


def _side_of(page: Page, selector: str) -> str:
    box = page.locator(selector).first.bounding_box()
    width = page.viewport_size
    assert box is not None
    assert width is not None
    return "right" if box["x"] + box["width"] / 2 > width["width"] / 2 else "left"


def _style(page: Page, selector: str, name: str) -> Any:
    return page.locator(selector).first.evaluate(f"element => getComputedStyle(element).{name}")
