"""From the link of the first start to a confirmed address, in a real browser: in two languages, on a desk and
on a phone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import LiveService, open_signed_in, running_service
from tests.web.person import PASSWORD
from tests.web.reader import READERS, WITHOUT_SCRIPTS, Reader, read_by

_WRONG = (
    "The name or the password is not right. As long as your e-mail address is not confirmed, sign in with "
    "your user name."
)


@pytest.fixture(scope="module")
def open_live_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """A service where everybody may sign up, and whose letters are in its log."""
    with running_service(tmp_path_factory.mktemp("live"), REPO_REGISTRATION="open") as service:
        yield service


def _link(service: LiveService, page_name: str, to: str) -> str:
    """The link in the newest letter to that address, in the log."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = re.findall(rf'"to": "{to}".*?(http[^"\\]+/{page_name}\?link=[\w-]+)', service.log.read_text())
        if found:
            return str(found[-1])
        time.sleep(0.1)
    raise AssertionError(service.log.read_text())


@pytest.fixture(scope="module")
def administrator(chromium: Browser, open_live_service: LiveService) -> LiveService:
    """The service once its administrator has a password, by the link of the first start."""
    reader = READERS[0]
    with reader.window(chromium, open_live_service.url) as page:
        page.goto(open_live_service.link)
        reader.look(page, "Choose a password")
        page.get_by_label("New password").fill(PASSWORD)
        page.get_by_role("button", name="Save and sign in").click()
        saved = "Your password is saved. Every other browser was signed out."
        expect(page.get_by_role("status")).to_have_text(saved)
        reader.look(page, "My account")
    return open_live_service


@read_by(*READERS)
def test_an_administrator_makes_a_token_and_invites(
    chromium: Browser, administrator: LiveService, reader: Reader
) -> None:
    words = reader.words
    invited = f"{re.sub(r'[^a-z]', '', reader.name.lower())}@example.org"
    with reader.window(chromium, administrator.url) as page:
        open_signed_in(page, administrator.token, "/account")
        page.get_by_text(words("Make a token"), exact=True).click()
        tokens = page.get_by_role("region", name=words("API tokens"))
        tokens.get_by_label(words("What it is for")).fill("Backups of mine")
        tokens.get_by_label(words("Present password")).fill(PASSWORD)
        reader.look(page, words("My account"))
        tokens.get_by_role("button", name=words("Make the token")).click()
        expect(page.get_by_role("status")).to_contain_text("mrr_")
        reader.look(page, words("My account"))
        tokens.get_by_role("button", name=words.like("Revoke %(name)s", name="Backups of mine")).click()
        expect(tokens.get_by_text("Backups of mine")).to_have_count(0)

        page.get_by_role("link", name=words("Invite people")).click()
        page.get_by_label(words("E-mail"), exact=True).fill(invited)
        page.get_by_role("button", name=words("Invite"), exact=True).click()
        expect(page.get_by_role("status")).to_contain_text(invited)
        page.get_by_label(words("Send no letter: show me the link")).check()
        page.get_by_role("button", name=words("Invite"), exact=True).click()
        expect(page.get_by_role("status")).to_contain_text("/sign-up?link=")
        reader.look(page, words("Invitations"))
        page.get_by_role("button", name=words("Sign out")).click()
        page.goto(_link(administrator, "sign-up", invited))
        expect(page.get_by_label(words("E-mail"), exact=True)).to_have_value(invited)
        reader.look(page, words("Make an account"))


@read_by(*READERS, WITHOUT_SCRIPTS)
def test_signing_up_and_in_and_forgetting(
    chromium: Browser, open_live_service: LiveService, reader: Reader
) -> None:
    words = reader.words
    name = "ada" + re.sub(r"\W", "", reader.name).lower()
    address = f"{name}@example.org"
    with reader.window(chromium, open_live_service.url, refusals=range(400, 500)) as page:
        page.goto("/upload")
        reader.look(page, words("Sign in"))
        page.get_by_label(words("User name or e-mail")).fill(name)
        page.get_by_label(words("Password"), exact=True).fill("not the password")
        page.get_by_role("button", name=words("Sign in"), exact=True).click()
        expect(page.get_by_role("alert")).to_have_text(words(_WRONG))
        reader.look(page, words("Sign in"))
        page.locator("a[href^='/sign-up']").click()
        reader.look(page, words("Make an account"))
        page.get_by_label(words("User name"), exact=True).fill(name)
        page.get_by_label(words("E-mail"), exact=True).fill(address)
        page.get_by_label(words("Password"), exact=True).fill("password1234")
        page.get_by_role("button", name=words("Make the account")).click()
        common = words("Choose another password: this is one of those that are tried first.")
        expect(page.get_by_role("alert")).to_contain_text(common)
        reader.look(page, words("Make an account"))
        page.get_by_label(words("Password"), exact=True).fill(PASSWORD)
        page.get_by_role("button", name=words("Make the account")).click()
        reader.look(page, words.like("Welcome, %(name)s"))
        page.get_by_role("link", name=words("Go on"), exact=True).click()
        reader.look(page, words("Share a file"))
        page.goto("/account")
        reader.look(page, words("My account"))
        page.goto(_link(open_live_service, "confirm", address))
        reader.look(page, words("Confirm your e-mail address"))
        page.get_by_role("button", name=words("Yes, this is my address")).click()
        reader.look(page, words("Thank you"))
        page.get_by_role("button", name=words("Sign out")).click()
        page.goto("/forgotten-password")
        reader.look(page, words("Forgotten your password?"))
        page.get_by_label(words("User name or e-mail")).fill(address)
        page.get_by_role("button", name=words("Send the letter"), exact=True).click()
        reader.look(page, words("Look into your mail"))
        link = _link(open_live_service, "new-password", address)
        page.goto(link)
        reader.look(page, words("Choose a password"))
        page.get_by_label(words("New password")).fill(PASSWORD + "es")
        page.get_by_role("button", name=words("Save and sign in")).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(words("My account"))
        page.goto(link)
        reader.look(page, words("Link does not work"))
