"""Collections, one's data and signing in elsewhere in a real browser: on a desk and on a phone, in two
colours, and from right to left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import LiveService, running_service, sign_in_by_token
from tests.support.provider import CLIENT_ID, CLIENT_SECRET, Provider
from tests.web.accessibility import assert_accessible

DESKTOP, PHONE = (1280, 900), (390, 844)


@pytest.fixture
def live(tmp_path: Path, provider: Provider) -> Iterator[LiveService]:
    """A service where people can sign in with the provider, too."""
    settings = {
        "REPO_REGISTRATION": "open",
        "REPO_OIDC_ISSUER": provider.issuer,
        "REPO_OIDC_CLIENT_ID": CLIENT_ID,
        "REPO_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "REPO_OIDC_NAME": "School account",
    }
    with running_service(tmp_path, **settings) as service:
        provider.back = f"{service.url}/sign-in/elsewhere/back"
        yield service


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def scripts(request: pytest.FixtureRequest) -> bool:
    """Whether the window runs scripts."""
    return bool(request.param)


@pytest.fixture
def page(scripts: bool, chromium: Browser, live: LiveService) -> Iterator[Page]:
    """A window; every error that the browser tells fails."""
    context = chromium.new_context(
        base_url=live.url,
        locale="en-GB",
        java_script_enabled=scripts,
        reduced_motion="reduce",  # colours change at once
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    assert errors == []


def _look(page: Page) -> None:
    for colours in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if colours == "dark" else "light")
        for width, height in (DESKTOP, PHONE):
            page.set_viewport_size({"width": width, "height": height})
            assert_accessible(page)


def _share(live: LiveService, title: str) -> str:
    metadata = {"title": title, "licence": "CC-BY-4.0", "release": True}
    answer = httpx.post(
        f"{live.url}/api/v1/resources",
        headers={"Authorization": f"Bearer {live.token}"},
        data={"metadata": json.dumps(metadata)},
        files={"file": ("notes.txt", title.encode())},
    )
    return str(answer.raise_for_status().json()["id"])


def test_a_collection_from_beginning_to_end(live: LiveService, page: Page, scripts: bool) -> None:
    rivers, lakes = _share(live, "Rivers"), _share(live, "Lakes")
    page.goto(f"/sign-in?next=/resources/{rivers}")
    sign_in_by_token(page, live.token)
    page.get_by_role("link", name="Add to a collection").click()
    expect(page.get_by_label("Note")).to_be_visible()
    _look(page)
    page.get_by_label("Title of the new collection").fill("Water")
    page.get_by_label("Note").fill("Begin here.")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Water")
    page.goto(f"/resources/{lakes}/collect")
    page.get_by_label("Water").check()
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("link", name="Lakes")).to_be_visible()
    _look(page)
    page.get_by_role("link", name="Arrange").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Arrange the collection")
    _look(page)
    page.get_by_role("button", name="Up").click()
    expect(page.locator(".arranging-title a").first).to_have_text("Lakes")
    if scripts:
        handles = page.locator(".arranging-handle")
        handles.first.drag_to(page.locator(".arranging > li").last)
        expect(page.locator(".arranging-title a").first).to_have_text("Rivers")
        handles.last.drag_to(page.locator(".arranging > li").first)
        expect(page.locator(".arranging-title a").first).to_have_text("Lakes")
    page.get_by_role("link", name="Done").click()
    page.get_by_role("link", name="Edit the description").click()
    page.get_by_label("Everybody").check()
    _look(page)
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".collected h3").first).to_have_text("Lakes")
    for path in ("/collections", "/collections/mine", "/people/admin", "/browse"):
        page.goto(path)
        expect(page.get_by_role("link", name="Water")).to_be_visible()
        _look(page)
        page.goto(f"{path}?lang=ar")
        expect(page.locator("html")).to_have_attribute("dir", "rtl")
        _look(page)
        page.goto(f"{path}?lang=en")


def test_in_with_a_provider_and_out_for_good(live: LiveService, page: Page) -> None:
    page.goto("/sign-in")
    _look(page)
    page.get_by_role("link", name="Sign in with School account").click()
    page.wait_for_url("**/sign-up/elsewhere")
    _look(page)
    page.get_by_label("User name").fill("ada")
    page.get_by_role("button", name="Make the account").click()
    page.get_by_role("link", name="Go on").click()
    page.goto("/account")
    _look(page)
    expect(page.get_by_role("heading", name="Signing in with School account")).to_be_visible()
    page.get_by_role("link", name="Download everything").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the zip").click()
    assert download.value.suggested_filename.startswith("ada-")
    page.get_by_text("Erase my account").click()
    _look(page)
    page.get_by_label("It is withdrawn").check()
    page.get_by_label("Type the user name").fill("ada")
    page.get_by_role("button", name="Erase it for good").click()
    expect(page.get_by_role("heading", name="The account is erased")).to_be_visible()
    _look(page)
    expect(page.get_by_role("link", name="Sign in", exact=True)).to_be_visible()
