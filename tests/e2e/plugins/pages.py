"""A person at the pages of our plugins, in a Moodle."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, Page, expect

from tests.e2e.moodle_pages import MoodlePages
from tests.e2e.repository import Repository

NAME = "Resources repository"
"""What the plugins call the repository."""

_ASKING = 60_000
"""Milliseconds for a page that asks the repository several times."""


class PluginPages(MoodlePages):
    """One person's window."""

    @property
    def main(self) -> Locator:
        """What the page is about."""
        return self.page.locator("#region-main")

    # Of administrators

    def set_address(self, address: str) -> None:
        """On the plugin's page of settings."""
        self.open_administration("Plugins", "Connection to the repository")
        self.main.get_by_role("link", name="Settings", exact=True).click()
        self.page.get_by_label("Address of the repository").fill(address)
        self.page.get_by_role("button", name="Save changes").click()

    def test_connection(self) -> Locator:
        """What the test says."""
        self.open_administration("Plugins", "Connection to the repository")
        self.main.get_by_role("button", name="Test connection").click()
        return self.page.locator("#user-notifications")

    def register(self) -> None:
        """Register the site."""
        self.open_administration("Plugins", "Connection to the repository")
        self.main.get_by_role("button", name="Register this site").click()
        expect(self.page.get_by_text("This site is registered. If the repository")).to_be_visible()

    # Of everybody

    def open_account(self) -> None:
        """Preferences → the account at the repository."""
        self.open("/user/preferences.php")
        self.main.get_by_role("link", name="My account at the resources repository").click()

    def connect(self, consent: Callable[[Page], None]) -> None:
        """To one's account. ``consent`` is what is done at the repository."""
        self.open_account()
        self.main.get_by_role("link", name="Connect my account").click()
        consent(self.page)
        expect(self.page.get_by_text(re.compile(r"^\s*Your account \(.+\) is connected"))).to_be_visible()

    # Of teachers: sharing

    def choose_to_share(self, courseid: int) -> None:
        """In a course."""
        self.open_course(courseid)
        self.choose_in_more("Share to the repository")
        expect(self.main.get_by_role("heading", name="Share to the repository")).to_be_visible()

    def survey(self) -> Locator:
        """The page that tells what would be shared."""
        expect(self.main.get_by_role("heading", name="What you should know before")).to_be_visible()
        return self.main

    def describe_and_share(self, *, licence: str, at_once: bool = False) -> None:
        """Fill in what is missing, and go on."""
        self.main.get_by_label("Licence", exact=True).select_option(licence)
        if at_once:
            self.main.locator("#id_release").check()
        self.main.locator("#id_checked").check()  # its label is another one in each version of Moodle
        self.main.get_by_role("button", name="Share", exact=True).click()
        expect(self.main.get_by_role("heading", name="Sharing “")).to_be_visible()

    # Of teachers: adding

    def find(self, courseid: int, title: str) -> None:
        """From a course to the page of a resource, nobody searched for yet: answers are kept."""
        self.open_course(courseid)
        self.choose_in_more("Add from the repository")
        self.main.get_by_label("Words to search for").fill(title)
        self.main.get_by_role("button", name="Search").click()
        self.main.get_by_role("link", name=title, exact=True).first.click()
        expect(self.main.get_by_role("heading", name=title)).to_be_visible(timeout=_ASKING)

    def add_all(self) -> None:
        """All of it to this course."""
        self._add(self.main.get_by_role("button", name=re.compile("^Add all of it to ")))

    def add_ticked(self, *titles: str) -> None:
        """Some of it."""
        for title in titles:
            self.main.get_by_label(title, exact=True).check()
        self._add(self.main.get_by_role("button", name="Add what is ticked"))

    def add_as_new_course(self) -> None:
        """All of it, to a course that is made."""
        self._add(self.main.get_by_role("button", name="Make a new course", exact=True))

    def _add(self, button: Locator) -> None:
        button.click()
        expect(self.main.get_by_role("heading", name="Adding “")).to_be_visible(timeout=_ASKING)

    # Of teachers: what goes on in the background

    def outcome(self) -> Locator:
        """What the page of what was begun says. It loads itself anew every five seconds."""
        said = self.main.locator(".alert")
        expect(said).to_be_visible()
        return said

    def go_on(self, label: str) -> None:
        """By a button or a link of that page."""
        self.main.get_by_role("button", name=label).or_(self.main.get_by_role("link", name=label)).click()


class As(Enum):
    """How a file comes out of the picker: the class of its radio button."""

    COPY = "fp-linktype-2"
    SHORTCUT = "fp-linktype-4"
    LINK = "fp-linktype-1"


class FilePicker:
    """Moodle's file picker, at the repository."""

    def __init__(self, page: Page, button: str) -> None:
        """``button`` is what opens it."""
        page.wait_for_load_state("networkidle")  # what the button does comes last
        page.get_by_role("button", name=button).or_(page.get_by_role("link", name=button)).first.click()
        self._page = page
        self.box = page.locator(".fp-generallayout:visible")
        self.box.locator(".fp-repo-area").get_by_text(NAME).click()
        self._wait()

    def enter(self, folder: str) -> None:
        """Into a folder."""
        self._item(folder).click()
        self._wait()

    def search(self, words: str) -> None:
        """For words."""
        field = self.box.get_by_placeholder("Search")
        field.fill(words)
        field.press("Enter")
        self._wait()

    def titles(self) -> list[str]:
        """What is offered."""
        return [title.strip() for title in self.box.locator(".fp-content .fp-filename").all_inner_texts()]

    def choose(self, title: str) -> Locator:
        """The box about a file."""
        self._item(title).click()
        box = self._page.locator(".fp-select:visible")
        expect(box.locator(".fp-select-confirm")).to_be_visible()
        return box

    def take(self, box: Locator, how: As | None = None) -> None:
        """What was chosen; ``how`` where there is a choice."""
        if how is not None:
            box.locator(f".{how.value} input").check()
        box.locator(".fp-select-confirm").click()
        expect(box).to_be_hidden(timeout=_ASKING)

    def start_again(self, box: Locator) -> None:
        """In the same folder after a file was refused. Not every Moodle has closed the box about it, and then
        shows nothing more in the folder."""
        if box.is_visible():
            self._page.locator(".moodle-dialogue", has=box).locator("button.closebutton").last.click()
        expect(box).to_be_hidden()
        self.box.locator(".fp-tb-refresh a").click()
        self._wait()

    def _item(self, title: str) -> Locator:
        return self.box.locator(".fp-content .fp-filename", has_text=title).first

    def _wait(self) -> None:
        expect(self.box.locator(".fp-content-loading")).to_have_count(0, timeout=_ASKING)
        self._page.wait_for_load_state("networkidle")


def id_in(link: Locator) -> int:
    """The id in the address that a link leads to."""
    return int(parse_qs(urlsplit(link.get_attribute("href") or "").query)["id"][0])


def approve(page: Page, repository: Repository, host: str) -> None:
    """As the repository's administrator, who is signed in."""
    page.goto(f"{repository.url}/")
    page.get_by_role("link", name="My resources").first.click()
    page.get_by_role("link", name="Sites that people can connect").click()
    page.get_by_role("button", name=f"Approve {host}").click()
