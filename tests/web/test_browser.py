"""The main job in a real browser against a real service: sign in, share, look inside, find, download."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.backups import ActivitySpec, backup
from tests.support.browser import LiveService, sign_in_by_token
from tests.support.private import private_backup
from tests.support.services import free_port
from tests.web.accessibility import assert_accessible

DESKTOP = (1280, 900)
PHONE = (360, 740)
WORD = "Mycorrhiza"
"""Stands in the title of an activity and nowhere else."""


@contextmanager
def _visit(
    browser: Browser,
    service: LiveService,
    size: tuple[int, int],
    *,
    scripts: bool = True,
    refused: bool = False,
) -> Iterator[Page]:
    """A window of that size. Every error that the browser tells, refusals by the policy included, fails.

    ``refused``: a page with the status 409 is what the test is about.
    """
    context = browser.new_context(
        base_url=service.url,
        viewport={"width": size[0], "height": size[1]},
        locale="en-GB",
        java_script_enabled=scripts,
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    assert [error for error in errors if not (refused and "status of 409" in error)] == []


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup with long names in it, and a megabyte to see the progress of."""
    activities = [
        ActivitySpec(module="forum", title=f"{WORD} and other friends of trees", section=1),
        ActivitySpec(module="page", title="Unbreakable" * 20, files=[("a.bin", bytes(1_000_000))]),
        ActivitySpec(module="subsection", title="Deeper", holds_section="Deeper"),
    ]
    return backup(tmp_path_factory.mktemp("course") / "forest.mbz", fullname="Forests", activities=activities)


@pytest.fixture(scope="module")
def address(chromium: Browser, live_service: LiveService, course: Path) -> str:
    """Where the course is after it was shared through the form, released, and looked into."""
    with _visit(chromium, live_service, DESKTOP) as page:
        page.goto(f"/sign-in#token={live_service.token}")
        expect(page.get_by_label("API token")).to_have_value(live_service.token)
        assert live_service.token not in page.url
        page.get_by_role("button", name="Sign in with the token").click()
        page.wait_for_url("/")
        page.get_by_role("banner").get_by_role("link", name="Share a file").click()
        page.get_by_label("Licence").select_option("CC-BY-4.0")
        page.get_by_label("Release it").check()
        page.get_by_label("File", exact=True).set_input_files(course)
        page.get_by_role("button", name="Upload").click()
        page.wait_for_url("**/resources/*")
        expect(page.get_by_role("heading", name="What is inside")).to_be_visible()  # without a reload by hand
        expect(page.get_by_text(f"{WORD} and other friends of trees", exact=True)).to_be_visible()
        return page.url


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_course_is_found_by_an_activity_and_downloads_as_it_was(
    chromium: Browser, live_service: LiveService, course: Path, address: str, size: tuple[int, int]
) -> None:
    with _visit(chromium, live_service, size) as page:
        page.goto("/")
        page.get_by_label("Search words").fill(WORD)
        page.get_by_role("button", name="Search").click()
        page.get_by_role("link", name="Forests").click()
        assert page.url == address
        with page.expect_download() as download:
            page.get_by_role("link", name=re.compile("^Download [0-9]")).click()
        assert download.value.suggested_filename == "forest.mbz"
        got = hashlib.sha256(download.value.path().read_bytes()).hexdigest()
        assert got == hashlib.sha256(course.read_bytes()).hexdigest()
        expect(page.get_by_text(got)).to_be_visible()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_filters_are_at_hand_on_any_screen(
    chromium: Browser, live_service: LiveService, address: str, size: tuple[int, int]
) -> None:
    with _visit(chromium, live_service, size) as page:
        page.goto("/")
        if size == PHONE:
            expect(page.get_by_role("link", name="Forum")).to_be_hidden()
            page.get_by_text("Filters").click()
        page.get_by_role("link", name="Forum").click()
        expect(page.get_by_role("link", name="Remove filter: Forum").last).to_be_visible()
        expect(page.get_by_role("link", name="Forests")).to_be_visible()


def test_nothing_sticks_out_on_a_phone(chromium: Browser, live_service: LiveService, address: str) -> None:
    with _visit(chromium, live_service, PHONE) as page:
        page.goto(f"/sign-in#token={live_service.token}")
        page.get_by_role("button", name="Sign in with the token").click()
        page.wait_for_url("/")
        for url in (
            "/",
            "/?q=forests&module=forum",
            "/?q=nothingfits",
            address,
            f"{address}/edit",
            f"{address}/versions/new",
            "/upload",
            "/mine",
            "/sign-in",
            "/docs/errors",
        ):
            page.goto(url)
            assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0, url


def test_a_refused_upload_says_why_on_the_page(
    chromium: Browser, live_service: LiveService, address: str, course: Path
) -> None:
    with _visit(chromium, live_service, DESKTOP) as page:
        page.goto(f"/sign-in?next=/upload#token={live_service.token}")
        page.get_by_role("button", name="Sign in with the token").click()
        page.wait_for_url("/upload")
        page.get_by_label("File", exact=True).set_input_files(course)
        page.evaluate("document.querySelector('[type=file]').dataset.maxSize = 1000")
        page.get_by_role("button", name="Upload").click()
        expect(page.get_by_role("alert")).to_contain_text("At most 1.0 kB are taken.")
        expect(page.get_by_role("button", name="Upload")).to_be_enabled()


def test_everything_works_without_scripts(
    chromium: Browser, live_service: LiveService, course: Path, address: str
) -> None:
    with _visit(chromium, live_service, DESKTOP, scripts=False) as page:
        page.goto("/sign-in?next=/upload")
        sign_in_by_token(page, live_service.token)
        page.get_by_label("File", exact=True).set_input_files(course)
        page.get_by_role("button", name="Upload").click()
        expect(page.get_by_role("heading", name="Finish and release")).to_be_visible()
        page.get_by_role("link", name="Look at the draft").click()
        inside = page.get_by_text(f"{WORD} and other friends of trees", exact=True)
        deadline = time.monotonic() + 20
        while not inside.is_visible() and time.monotonic() < deadline:
            page.get_by_role("link", name="Look again").click()
        expect(inside).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("banner").get_by_role("link", name="Sign in")).to_be_visible()


@pytest.fixture(scope="module")
def with_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup with learners' data and keys."""
    return private_backup(tmp_path_factory.mktemp("private") / "eco.mbz")


def _share(page: Page, service: LiveService, file: Path) -> None:
    """Sign in and share ``file`` with a licence, not to be released."""
    page.goto("/sign-in?next=/upload")
    sign_in_by_token(page, service.token)
    page.get_by_label("Licence").select_option("CC-BY-4.0")
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url("**/resources/*/finish")
    page.get_by_role("link", name="Look at the draft").click()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_a_clean_copy_is_made_confirmed_and_released(
    chromium: Browser, live_service: LiveService, with_people: Path, size: tuple[int, int], colours: str
) -> None:
    with _visit(chromium, live_service, size, refused=True) as page:
        page.emulate_media(color_scheme="dark" if colours == "dark" else "light")
        _share(page, live_service, with_people)
        expect(page.get_by_role("heading", name="This file holds personal data")).to_be_visible()
        for summary in page.locator(".found summary").all():
            summary.click()
        expect(page.get_by_text("activities/quiz_101/quiz.xml").first).to_be_visible()
        assert_accessible(page)
        page.get_by_role("button", name="Release").click()
        expect(page.get_by_role("alert")).to_contain_text("Not released")
        assert_accessible(page)
        page.get_by_role("link", name="See what it is").click()
        page.keyboard.press("Tab")  # from the heading on
        expect(page.get_by_label("Release it as soon as it is there")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Make a clean copy")).to_be_focused()
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Go to the clean copy").click()  # without a reload by hand
        expect(page.get_by_role("heading", name="Clean copy of version 1")).to_be_visible()
        expect(page.get_by_role("heading", name="To confirm")).to_be_visible()
        assert_accessible(page)
        page.get_by_role("button", name="Confirm and release version 2").click()
        expect(page.get_by_text("Clean copy of version 1: what was taken out")).to_be_visible()
        assert_accessible(page)


def test_a_clean_copy_needs_no_scripts(
    chromium: Browser, live_service: LiveService, with_people: Path
) -> None:
    with _visit(chromium, live_service, DESKTOP, scripts=False) as page:
        _share(page, live_service, with_people)
        _look_until(page, "button", "Make a clean copy")
        page.get_by_role("button", name="Make a clean copy").click()
        _look_until(page, "link", "Go to the clean copy")
        page.get_by_role("link", name="Go to the clean copy").click()
        expect(page.get_by_role("heading", name="Clean copy of version 1")).to_be_visible()


def _look_until(page: Page, role: Literal["button", "link"], name: str) -> None:
    wanted = page.get_by_role(role, name=name)
    deadline = time.monotonic() + 20
    while not wanted.is_visible() and time.monotonic() < deadline:
        page.get_by_role("link", name="Look again").click()
    expect(wanted).to_be_visible()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_a_draft_with_keys_is_finished_and_released(
    chromium: Browser, live_service: LiveService, tmp_path: Path, size: tuple[int, int], colours: str
) -> None:
    keys = private_backup(tmp_path / "keys.mbz", users=False)
    with _visit(chromium, live_service, size, refused=True) as page:
        page.emulate_media(color_scheme="dark" if colours == "dark" else "light")
        page.goto("/sign-in?next=/upload")
        sign_in_by_token(page, live_service.token)
        page.get_by_label("File", exact=True).set_input_files(keys)
        page.get_by_role("button", name="Upload").click()
        page.wait_for_url("**/resources/*/finish")
        expect(page.get_by_role("heading", name="This file holds keys and contacts")).to_be_visible()
        for summary in page.locator("main summary").all():
            summary.click()
        assert_accessible(page)
        page.get_by_label("Licence").select_option("CC-BY-4.0")
        page.get_by_label("Language (optional)").select_option("en")
        page.get_by_role("button", name="Release a clean copy").click()
        page.wait_for_url(re.compile("/resources/[0-9a-f-]+$"))  # without a reload by hand
        expect(page.get_by_text("Clean copy of version 1: what was taken out")).to_be_visible()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_a_course_is_chosen_for_a_moodle_and_sent_there(
    chromium: Browser, live_service: LiveService, address: str, size: tuple[int, int], colours: str
) -> None:
    moodle = f"http://moodle.localhost:{free_port()}/lms"
    with _visit(chromium, live_service, size) as page:
        page.emulate_media(color_scheme="dark" if colours == "dark" else "light")
        page.goto(f"/lms/moodle/search?site={moodle}&course=7&section=2")
        expect(page.get_by_role("note")).to_contain_text("You are choosing for moodle.localhost")
        assert_accessible(page)
        page.goto(address)
        page.get_by_role("link", name="Send to my Moodle").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("moodle.localhost")
        page.get_by_text("Send it to another Moodle").click()
        assert_accessible(page)
        sent: list[str] = []
        page.context.route("**/admin/tool/moodlenet/import.php", lambda route: _take(route, sent))
        with page.context.expect_page() as opened:
            page.get_by_role("button", name=re.compile("^Send to moodle.localhost")).click()
        expect(opened.value.get_by_text("Arrived")).to_be_visible()
        fields = dict(parse_qsl(sent[0]))
        assert fields["resourceurl"].endswith("/forest.mbz")
        assert (fields["type"], fields["course"], fields["section"]) == ("file", "7", "2")
        page.get_by_role("button", name="Stop choosing for it").click()
        expect(page.get_by_label("Address of your Moodle")).to_be_visible()
        assert_accessible(page)


def _take(route: Route, sent: list[str]) -> None:
    """In the place of a Moodle."""
    sent.append(route.request.post_data or "")
    route.fulfill(status=200, content_type="text/html", body="<title>Moodle</title><h1>Arrived</h1>")
