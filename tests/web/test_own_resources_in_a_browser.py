"""My resources, and a draft that becomes a version, in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.backups import ActivitySpec, backup
from tests.support.browser import open_signed_in
from tests.support.private import private_backup
from tests.support.running import Running, running
from tests.web.reader import READERS, WITHOUT_SCRIPTS, Reader, read_by


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
def _window(browser: Browser, service: Running, reader: Reader) -> Iterator[Page]:
    with reader.window(browser, str(service.client.base_url)) as page:
        open_signed_in(page, service.token, "/mine")
        yield page


@read_by(*READERS)
def test_what_wants_its_owner_is_found(chromium: Browser, shared: Running, reader: Reader) -> None:
    words = reader.words
    with _window(chromium, shared, reader) as page:
        expect(page.get_by_role("article")).to_have_count(3)
        reader.look(page, words("My resources"))
        attention = page.get_by_role("link", name=f"{words('Needs attention')} 1")
        attention.click()
        expect(page.get_by_role("article")).to_have_count(1)
        reason = words("It holds personal data or keys, so it cannot be released as it is.")
        expect(page.get_by_role("article")).to_contain_text(reason)
        reader.look(page, words("My resources"))
        page.get_by_role("link", name=words("Last changed first")).click()
        page.wait_for_url("**sort=**")
        expect(attention).to_have_attribute("aria-current", "true")
        page.get_by_role("link", name=words("Finish and release")).click()
        reader.look(page, words("Finish and release"))


def test_a_draft_becomes_a_version_without_scripts(chromium: Browser, shared: Running) -> None:
    with _window(chromium, shared, WITHOUT_SCRIPTS) as page:
        page.get_by_role("link", name="Finish and release Introduction to Ecology").click()
        page.get_by_label("What is new?").fill("Newer texts")
        page.get_by_role("button", name="Make it a new version of Introduction to Ecology").click()
        page.get_by_role("button", name="Release", exact=True).click()
        expect(page.get_by_role("heading", name="It is public now")).to_be_visible()
        expect(page.get_by_text("Newer texts")).to_be_visible()
