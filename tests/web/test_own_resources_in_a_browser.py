"""My resources, and a draft that becomes a version, in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.backups import ActivitySpec, backup
from tests.support.browser import sign_in_by_token
from tests.support.private import private_backup
from tests.support.running import Running, running
from tests.web.accessibility import assert_accessible


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service whose administrator has a public course, a draft of the same name, and one with people."""
    folder = tmp_path_factory.mktemp("mine")
    with running(folder) as service:
        public = '{"licence": "CC-BY-4.0", "release": true}'
        service.settled(service.send(backup(folder / "first.mbz"), metadata=public).json())
        newer = backup(folder / "second.mbz", activities=[ActivitySpec(title="Newer")])
        service.settled(service.send(newer).json())
        people = '{"title": "With people, and a title that is rather long for a phone"}'
        service.settled(service.send(private_backup(folder / "people.mbz"), metadata=people).json())
        yield service


@contextmanager
def _window(
    browser: Browser, service: Running, *, width: int = 1280, dark: bool = False, scripts: bool = True
) -> Iterator[Page]:
    context = browser.new_context(
        base_url=str(service.client.base_url),
        viewport={"width": width, "height": 900},
        locale="en-GB",
        color_scheme="dark" if dark else "light",
        java_script_enabled=scripts,
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto("/sign-in?next=/mine")
    sign_in_by_token(page, service.token)
    expect(page.get_by_role("heading", name="My resources")).to_be_visible()
    yield page
    context.close()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_what_wants_its_owner_is_found(chromium: Browser, shared: Running, width: int, dark: bool) -> None:
    with _window(chromium, shared, width=width, dark=dark) as page:
        expect(page.get_by_role("article")).to_have_count(3)
        assert_accessible(page)
        page.get_by_role("link", name="Needs attention 1").click()
        expect(page.get_by_role("article")).to_have_count(1)
        expect(page.get_by_role("article")).to_contain_text("It holds personal data or keys")
        assert_accessible(page)
        page.get_by_role("link", name="Last changed first").click()
        expect(page.get_by_role("link", name="Needs attention 1")).to_have_attribute("aria-current", "true")
        page.get_by_role("link", name="Finish and release With people").click()
        expect(page.get_by_role("heading", name="Finish and release")).to_be_visible()


def test_a_draft_becomes_a_version_without_scripts(chromium: Browser, shared: Running) -> None:
    with _window(chromium, shared, scripts=False) as page:
        page.get_by_role("link", name="Finish and release Introduction to Ecology").click()
        page.get_by_label("What is new?").fill("Newer texts")
        page.get_by_role("button", name="Make it a new version of Introduction to Ecology").click()
        page.get_by_role("button", name="Release", exact=True).click()
        expect(page.get_by_role("heading", name="It is public now")).to_be_visible()
        expect(page.get_by_text("Newer texts")).to_be_visible()
