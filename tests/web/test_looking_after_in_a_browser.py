"""Reporting a resource, and looking after everything, in a real browser, on a desk and on a phone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import APIRequestContext, Browser, Page, expect

from tests.support.browser import LiveService, running_service, sign_in_by_token
from tests.web.accessibility import assert_accessible

SIZES = ((1280, 900), (390, 844))
WORDS = "The picture in section 3 is mine."
TITLES = {True: "Rivers and lakes", False: "Forests and meadows"}
"""What each window is about: with scripts, and without."""


@dataclass(frozen=True, kw_only=True)
class Shared:
    """A running service with public resources of somebody who is no administrator, by their titles."""

    service: LiveService
    urls: Mapping[str, str]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Shared]:
    folder = tmp_path_factory.mktemp("desk")
    with running_service(folder) as service:
        _repo(folder, "account", "create", "ada", "--name", "Ada Lovelace", "--email", "ada@example.org")
        found = re.search(r"mrr_[\w-]+", _repo(folder, "token", "create", "ada"))
        assert found is not None
        context = chromium.new_context(base_url=service.url)
        urls = {title: _share(context.request, title, token=found[0]) for title in TITLES.values()}
        context.close()
        yield Shared(service=service, urls=urls)


def _share(api: APIRequestContext, title: str, *, token: str) -> str:
    """The path of a new public resource."""
    made = api.post(
        "/api/v1/resources",
        headers={"Authorization": f"Bearer {token}"},
        multipart={
            "metadata": json.dumps({"title": title, "licence": "CC-BY-4.0", "release": True}),
            "file": {"name": "rivers.txt", "mimeType": "text/plain", "buffer": title.encode()},
        },
    )
    assert made.status == 201, made.text()
    url = f"/resources/{made.json()['id']}"
    _wait_until(lambda: api.get(f"/api/v1{url}").status == 200)  # the worker releases it
    return url


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _repo(folder: Path, *words: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("REPO_")}
    program = Path(sys.executable).parent / "repo"
    done = subprocess.run(
        [program, *words],
        env={**env, "REPO_DATA_DIR": str(folder / "var")},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def scripts(request: pytest.FixtureRequest) -> bool:
    runs: bool = request.param
    return runs


@pytest.fixture
def page(scripts: bool, chromium: Browser, shared: Shared) -> Iterator[Page]:
    """A window; every error that the browser tells fails, but for answers that are refusals."""
    context = chromium.new_context(base_url=shared.service.url, locale="en-GB", java_script_enabled=scripts)
    context.set_default_timeout(20_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    assert [error for error in errors if "the server responded with a status of 4" not in error] == []


def _look(page: Page, at: str | None = None) -> None:
    """Look at the page whose address has ``at`` in it, once it is there."""
    if at is not None:
        expect(page).to_have_url(re.compile(re.escape(at)))
    page.wait_for_load_state()
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        if page.evaluate("true"):
            assert_accessible(page)


def test_reporting(page: Page, shared: Shared, scripts: bool) -> None:
    page.goto(shared.urls[TITLES[scripts]])
    page.get_by_role("link", name="Report this resource").click()
    _look(page, "/report")
    page.get_by_label("It belongs to somebody").check()
    page.get_by_label("In your own words").fill(WORDS)
    page.get_by_label("E-mail").fill("a..b@example.org")  # which browsers take
    page.get_by_role("button", name="Send the report").click()
    expect(page.get_by_role("alert")).to_contain_text("not sent yet")
    expect(page.get_by_label("In your own words")).to_have_value(WORDS)
    _look(page)
    page.get_by_label("E-mail").fill("reader@example.org")
    page.get_by_role("button", name="Send the report").click()
    expect(page.get_by_role("status")).to_contain_text("have your report")
    _look(page)


def test_everything_is_looked_after(page: Page, shared: Shared, scripts: bool) -> None:
    """Each page at both sizes; what was reported is dismissed, and its owner blocked and let in again."""
    title = TITLES[scripts]
    reported = page.request.post(
        f"/api/v1{shared.urls[title]}/reports", data={"reason": "broken", "words": "It is empty."}
    )
    assert reported.status == 201, reported.text()
    page.goto("/sign-in")
    sign_in_by_token(page, shared.service.token)
    page.get_by_role("link", name="Look after").click()
    _look(page, "/look-after")
    desk = page.get_by_role("navigation", name="Look after")
    desk.get_by_role("link", name="Reports").click()
    _look(page, "/look-after/reports")
    page.get_by_role("link", name=title).click()
    _look(page, "/look-after/reports/")
    page.get_by_role("link", name="What was done with it").click()
    expect(page.get_by_role("table")).to_contain_text("report")
    _look(page)
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_contain_text(title)
    page.get_by_label("Why?").fill("It is theirs.")
    page.get_by_role("button", name="Leave it as it is").click()
    expect(page.get_by_role("status")).to_contain_text("It stays as it is")
    desk.get_by_role("link", name="People").click()
    page.get_by_label("Name or address").fill("lovelace")
    page.get_by_role("button", name="Look for").click()
    _look(page, "q=lovelace")
    page.get_by_role("link", name="Ada Lovelace").click()
    _look(page, "/look-after/people/")
    page.get_by_label("Why?").fill("Shared what was not theirs.")
    page.get_by_role("button", name="Block this account").click()
    expect(page.get_by_role("status")).to_contain_text("blocked")
    _look(page)
    page.get_by_role("button", name="Let in again").click()
    expect(page.get_by_role("status")).to_contain_text("works again")
    page.get_by_label("How much they may keep").fill("much")
    page.get_by_role("button", name="Change the quota").click()
    expect(page.get_by_role("alert")).to_contain_text("Type a size")
    _look(page)
    for name in ("Sites", "Jobs", "Storage", "Audit", "Usage"):
        desk.get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(name)
        _look(page)
    page.get_by_text("By week, as a table").click()
    _look(page)
    for path in ("", "/reports", "/people", "/jobs?state=done", "/storage", "/audit", "/usage"):
        page.goto(f"/look-after{path}{'&' if '?' in path else '?'}lang=ar")
        expect(page.locator("html")).to_have_attribute("dir", "rtl")
        _look(page)
    page.goto("/look-after?lang=en")
