"""Vocabularies to choose from, in a real Chromium: filtered, by the keyboard, and without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import LiveService, open_signed_in
from tests.web.reader import READERS, WITHOUT_SCRIPTS, Reader, read_by

_BIOLOGY, _LAW = "0511", "0421"
_NAMES = {"en": ("Biology", "BIÓLOG"), "ar": ("علم الأحياء", "الاحياء")}
"""What the vocabulary calls biology, and a part of that as somebody types it."""


@pytest.fixture(scope="module")
def draft(live_service: LiveService) -> str:
    """The page that finishes a file that says nothing of itself."""
    return f"{live_service.share('handout.txt', b'Read this.')}/finish"


@contextmanager
def _window(browser: Browser, service: LiveService, path: str, reader: Reader) -> Iterator[Page]:
    with reader.window(browser, service.url) as page:
        open_signed_in(page, service.token, path)
        group = page.get_by_role("group", name=reader.words("Subject"))
        if not reader.scripts:
            reader.look_again(page, group)
        expect(group).to_be_visible()
        yield page


@read_by(*READERS)
def test_a_subject_is_found_by_a_part_of_its_name(
    chromium: Browser, live_service: LiveService, draft: str, reader: Reader
) -> None:
    words, (name, typed) = reader.words, _NAMES[reader.language]
    chosen = words("Chosen: %(names)s", names=name)
    with _window(chromium, live_service, draft, reader) as page:
        group = page.get_by_role("group", name=words("Subject"))
        biology = group.locator(f"input[value='{_BIOLOGY}']")
        expect(biology).to_be_hidden()
        group.get_by_role("searchbox").fill(typed)
        expect(biology).to_be_visible()
        expect(group.locator(f"input[value='{_LAW}']")).to_be_hidden()
        expect(group.get_by_role("status")).to_have_text(words.like("Found: %(count)s"))
        reader.look(page, words("Finish and release"))
        page.keyboard.press("Enter")  # sends nothing
        expect(page.get_by_role("heading", name=words("Finish and release"))).to_be_visible()
        biology.focus()
        page.keyboard.press("Space")
        expect(group.get_by_text(chosen)).to_be_visible()
        group.get_by_role("searchbox").fill("no such thing")
        expect(group.get_by_role("checkbox")).to_have_count(0)  # none that is shown
        expect(group.get_by_role("status")).to_have_text(words("Found: %(count)s", count=0))
        group.get_by_role("searchbox").fill("")
        expect(group.get_by_role("checkbox").first).to_be_visible()
        expect(biology).to_be_hidden()  # as it was before, with what was chosen
        expect(group.get_by_text(chosen)).to_be_visible()


def test_without_scripts_it_is_a_tree_to_open(
    chromium: Browser, live_service: LiveService, draft: str
) -> None:
    with _window(chromium, live_service, draft, WITHOUT_SCRIPTS) as page:
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
