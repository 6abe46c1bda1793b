"""From the link of the first start to a confirmed address, in a real browser, on a desk and on a phone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import LiveService, running_service
from tests.web.accessibility import assert_accessible
from tests.web.person import PASSWORD

SIZES = ((1280, 900), (390, 844))


@pytest.fixture(scope="module")
def open_live_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """A service where everybody may sign up, and whose letters are in its log."""
    with running_service(tmp_path_factory.mktemp("live"), REPO_REGISTRATION="open") as service:
        yield service


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def page(request: pytest.FixtureRequest, chromium: Browser, open_live_service: LiveService) -> Iterator[Page]:
    """A window; every error that the browser tells fails, but for answers that are refusals."""
    context = chromium.new_context(
        base_url=open_live_service.url, locale="en-GB", java_script_enabled=request.param
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    assert [error for error in errors if "the server responded with a status of 4" not in error] == []


def _look(page: Page) -> None:
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        if page.evaluate("true"):
            assert_accessible(page)


def _link(service: LiveService, page_name: str, to: str) -> str:
    """The link in the newest letter to that address, in the log."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = re.findall(rf'"to": "{to}".*?(http[^"\\]+/{page_name}\?link=[\w-]+)', service.log.read_text())
        if found:
            return str(found[-1])
        time.sleep(0.1)
    raise AssertionError(service.log.read_text())


def test_the_first_link_makes_an_administrator_who_invites(
    chromium: Browser, open_live_service: LiveService
) -> None:
    context = chromium.new_context(base_url=open_live_service.url)
    page = context.new_page()
    page.goto(open_live_service.link)
    _look(page)
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Save and sign in").click()
    expect(page.get_by_role("status")).to_contain_text("Your password is saved")
    _look(page)
    page.get_by_text("Make a token").click()
    _look(page)
    page.get_by_role("link", name="Invite people").click()
    page.get_by_label("E-mail").fill("bea@example.org")
    page.get_by_role("button", name="Invite", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("The letter to bea@example.org goes to the log")
    page.get_by_label("Send no letter").check()
    page.get_by_role("button", name="Invite", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("/sign-up?link=")
    _look(page)
    page.get_by_role("button", name="Sign out").click()
    page.goto(_link(open_live_service, "sign-up", "bea@example.org"))
    expect(page.get_by_label("E-mail")).to_have_value("bea@example.org")
    _look(page)
    context.close()


def test_signing_up_and_in_and_forgetting(
    page: Page, open_live_service: LiveService, request: pytest.FixtureRequest
) -> None:
    name = "ada" + re.sub(r"\W", "", request.node.callspec.id)
    address = f"{name}@example.org"
    page.goto("/upload")
    _look(page)
    page.get_by_label("User name or e-mail").fill(name)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("not right")
    _look(page)
    page.get_by_role("link", name="Make one").click()
    _look(page)
    page.get_by_label("User name").fill(name)
    page.get_by_label("E-mail").fill(address)
    page.get_by_label("Password").fill("password1234")
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_role("alert")).to_contain_text("tried first")
    _look(page)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Welcome")
    _look(page)
    page.get_by_role("link", name="Go on").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Share")
    page.goto("/account")
    _look(page)
    page.goto(_link(open_live_service, "confirm", address))
    _look(page)
    page.get_by_role("button", name="Yes, this is my address").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Thank you")
    _look(page)
    page.get_by_role("button", name="Sign out").click()
    page.goto("/forgotten-password")
    _look(page)
    page.get_by_label("User name or e-mail").fill(address)
    page.get_by_role("button", name="Send the letter").click()
    _look(page)
    link = _link(open_live_service, "new-password", address)
    page.goto(link)
    page.get_by_label("New password").fill(PASSWORD + "es")
    page.get_by_role("button", name="Save and sign in").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("My account")
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Link does not work")
    _look(page)
