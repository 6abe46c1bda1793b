"""Vocabularies to choose from, in a real Chromium: filtered, by the keyboard, and without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import LiveService, sign_in_by_token
from tests.web.accessibility import assert_accessible


@pytest.fixture(scope="module")
def draft(live_service: LiveService) -> str:
    """The page that finishes a file that says nothing of itself."""
    answer = httpx.post(
        f"{live_service.url}/api/v1/resources",
        files={"file": ("handout.txt", b"Read this.")},
        headers={"Authorization": f"Bearer {live_service.token}"},
    )
    return f"/resources/{answer.raise_for_status().json()['id']}/finish"


@contextmanager
def _window(
    browser: Browser, service: LiveService, path: str, *, width: int = 1280, scripts: bool = True
) -> Iterator[Page]:
    context = browser.new_context(
        base_url=service.url,
        viewport={"width": width, "height": 900},
        locale="en-GB",
        java_script_enabled=scripts,
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto(f"/sign-in?next={path}")
    sign_in_by_token(page, service.token)
    while page.get_by_role("link", name="Look again").is_visible():
        page.get_by_role("link", name="Look again").click()
    expect(page.get_by_role("group", name="Subject")).to_be_visible()
    yield page
    context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_subject_is_found_by_a_part_of_its_name(
    chromium: Browser, live_service: LiveService, draft: str, width: int
) -> None:
    with _window(chromium, live_service, draft, width=width) as page:
        group = page.get_by_role("group", name="Subject")
        biology = group.get_by_role("checkbox", name="Biology", exact=True)
        expect(biology).to_be_hidden()
        group.get_by_role("searchbox").fill("BIÓLOG")
        expect(biology).to_be_visible()
        expect(group.get_by_role("checkbox", name="Law", exact=True)).to_be_hidden()
        expect(group.get_by_role("status")).to_contain_text("Found: ")
        assert_accessible(page)
        page.keyboard.press("Enter")  # sends nothing
        expect(page.get_by_role("heading", name="Finish and release")).to_be_visible()
        biology.focus()
        page.keyboard.press("Space")
        expect(group.get_by_text("Chosen: Biology")).to_be_visible()
        group.get_by_role("searchbox").fill("no such thing")
        expect(group.get_by_role("checkbox")).to_have_count(0)  # none that is shown
        expect(group.get_by_role("status")).to_have_text("Found: 0")
        group.get_by_role("searchbox").fill("")
        expect(group.get_by_role("checkbox", name="Agriculture", exact=False).first).to_be_visible()
        expect(biology).to_be_hidden()  # as it was before, with what was chosen
        expect(group.get_by_text("Chosen: Biology")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0


def test_without_scripts_it_is_a_tree_to_open(
    chromium: Browser, live_service: LiveService, draft: str
) -> None:
    with _window(chromium, live_service, draft, scripts=False) as page:
        group = page.get_by_role("group", name="Subject")
        expect(group.get_by_role("searchbox")).to_have_count(0)
        group.get_by_text("More exactly: Natural sciences, mathematics and statistics").first.click()
        group.get_by_text("More exactly: Biological and related sciences").click()
        group.get_by_role("checkbox", name="Biology", exact=True).check()
        page.get_by_label("Licence").select_option("CC0-1.0")
        page.get_by_role("button", name="Release").click()
        expect(page.get_by_role("heading", name="It is public now")).to_be_visible()
        address = page.get_by_role("status").get_by_role("link")
        expect(address).to_have_attribute("href", page.url)
