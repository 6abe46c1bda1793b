"""Sharing in a real browser: a file goes in, is finished, cleaned, released, improved, sent to a Moodle, and
withdrawn; in two languages, on a desk and on a phone."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.backups import ActivitySpec, backup
from tests.support.browser import LiveService, open_signed_in
from tests.support.private import private_backup
from tests.support.running import wait_for
from tests.support.services import free_port
from tests.web.reader import READERS, WITHOUT_SCRIPTS, Reader, read_by

_INSIDE = "Mycorrhiza and other friends of trees"
"""The title of an activity."""


def _course(path: Path, title: str, *more: ActivitySpec) -> Path:
    """A backup with long names in it, and a megabyte to see the progress of."""
    activities = [
        ActivitySpec(module="forum", title=_INSIDE, section=1),
        ActivitySpec(module="page", title="Unbreakable" * 20, files=[("a.bin", bytes(1_000_000))]),
        ActivitySpec(module="subsection", title="Deeper", holds_section="Deeper"),
        *more,
    ]
    return backup(path, fullname=title, activities=activities)


def _upload(page: Page, reader: Reader, file: Path) -> None:
    page.get_by_label(reader.words("File"), exact=True).set_input_files(file)
    page.get_by_role("button", name=reader.words("Upload"), exact=True).click()


@read_by(*READERS)
def test_a_course_is_shared_found_improved_and_withdrawn(
    chromium: Browser, live_service: LiveService, tmp_path: Path, reader: Reader
) -> None:
    words, title = reader.words, f"Forests, {reader.name}"
    first = _course(tmp_path / "forest.mbz", title)
    second = _course(tmp_path / "newer.mbz", title, ActivitySpec(module="quiz", title="Which tree is it?"))
    release_it = words("Release it as soon as nothing stands against it")
    inside = words("What is inside")
    with reader.window(chromium, live_service.url, refusals=(503,)) as page:  # what changed waits for its job
        page.goto(f"/sign-in#token={live_service.token}")
        expect(page.get_by_label(words("API token"), exact=True)).to_have_value(live_service.token)
        assert live_service.token not in page.url
        reader.look(page, words("Sign in"))
        page.get_by_role("button", name=words("Sign in with the token")).click()
        page.wait_for_url("/")
        page.get_by_role("banner").get_by_role("link", name=words("Share a file"), exact=True).click()
        reader.look(page, words("Share a file"))
        page.get_by_label(words("Licence"), exact=True).select_option("CC-BY-4.0")
        page.get_by_label(release_it).check()
        _upload(page, reader, first)
        expect(page.get_by_role("heading", name=inside)).to_be_visible()  # without a reload by hand
        expect(page.get_by_text(_INSIDE, exact=True)).to_be_visible()
        reader.look(page, title)
        address = page.url

        wait_for(lambda: title in page.request.get("/suggest?q=mycorrhiza").text(), "the index")
        page.goto("/?q=mycorrhiza")
        page.get_by_role("link", name=title).click()
        assert page.url == address
        with page.expect_download() as download:
            page.get_by_role("link", name=re.compile(rf"^{words('Download')} [0-9]")).click()
        assert download.value.suggested_filename == "forest.mbz"
        got = hashlib.sha256(download.value.path().read_bytes()).hexdigest()
        assert got == hashlib.sha256(first.read_bytes()).hexdigest()

        page.get_by_role("link", name=words("Edit description"), exact=True).click()
        reader.look(page, words("Edit description"))
        page.get_by_label(words("Keywords"), exact=True).fill("trees, fungi")
        page.get_by_role("button", name=words("Save"), exact=True).click()
        expect(page.get_by_role("link", name="fungi")).to_be_visible()

        page.get_by_role("link", name=words("Add a version"), exact=True).click()
        reader.look(page, words("Add a version"))
        page.get_by_label(words("What is new?")).fill("A quiz")
        page.get_by_label(release_it).check()
        _upload(page, reader, second)
        versions = page.get_by_role("region", name=words("Versions"))
        expect(versions.get_by_text("A quiz")).to_be_visible()
        expect(page.get_by_role("heading", name=inside)).to_be_visible()
        versions.get_by_role("link", name=words("What changed")).click()
        reader.look(page, words("What changed"))
        expect(page.locator(".changed-added").first).to_contain_text("Which tree is it?")
        page.get_by_role("link", name=title).click()

        page.get_by_text(words("Withdraw"), exact=True).click()
        page.get_by_label(words("Why does it go? Everybody who asks for it reads this.")).fill("Out of date")
        reader.look(page, title)
        page.get_by_role("button", name=words("Withdraw from everybody")).click()
        reader.look(page, words("My resources"))
        assert page.request.get(address).status == 410
        page.get_by_role("button", name=words.like("Restore %(title)s", title=title)).click()
        reader.look(page, title)
        assert page.request.get(address).status == 200


def test_a_refused_upload_says_why_on_the_page(
    chromium: Browser, live_service: LiveService, tmp_path: Path
) -> None:
    reader = READERS[0]
    with reader.window(chromium, live_service.url) as page:
        open_signed_in(page, live_service.token, "/upload")
        page.evaluate("document.querySelector('[type=file]').dataset.maxSize = 1000")
        _upload(page, reader, _course(tmp_path / "forest.mbz", "Forests"))
        expect(page.get_by_role("alert")).to_contain_text("At most 1.0 kB are taken.")
        expect(page.get_by_role("button", name="Upload")).to_be_enabled()


def test_everything_works_without_scripts(
    chromium: Browser, live_service: LiveService, tmp_path: Path
) -> None:
    reader = WITHOUT_SCRIPTS
    with reader.window(chromium, live_service.url) as page:
        open_signed_in(page, live_service.token, "/upload")
        reader.look(page, "Share a file")
        _upload(page, reader, _course(tmp_path / "forest.mbz", "Forests"))
        reader.look(page, "Finish and release")
        page.get_by_role("link", name="Look at the draft").click()
        reader.look_again(page, page.get_by_text(_INSIDE, exact=True))
        reader.look(page, "Forests")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("banner").get_by_role("link", name="Sign in")).to_be_visible()


@pytest.fixture(scope="module")
def with_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup with learners' data and keys."""
    return private_backup(tmp_path_factory.mktemp("private") / "eco.mbz")


_TITLE = "Introduction to Ecology"
"""Of the course in there."""


def _share(page: Page, reader: Reader, service: LiveService, file: Path) -> None:
    """Sign in and share ``file`` with a licence, not to be released."""
    open_signed_in(page, service.token, "/upload")
    page.get_by_label(reader.words("Licence"), exact=True).select_option("CC-BY-4.0")
    _upload(page, reader, file)
    page.wait_for_url("**/resources/*/finish")
    page.get_by_role("link", name=reader.words("Look at the draft")).click()


@read_by(*READERS)
def test_a_clean_copy_is_made_confirmed_and_released(
    chromium: Browser, live_service: LiveService, with_people: Path, reader: Reader
) -> None:
    words = reader.words
    with reader.window(chromium, live_service.url, refusals=(409,)) as page:
        _share(page, reader, live_service, with_people)
        expect(page.get_by_role("heading", name=words("This file holds personal data"))).to_be_visible()
        for summary in page.locator(".found summary").all():
            summary.click()
        expect(page.get_by_text("activities/quiz_101/quiz.xml").first).to_be_visible()
        reader.look(page, _TITLE)
        page.get_by_role("button", name=words("Release"), exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text(words("Not released"))
        reader.look(page, _TITLE)
        page.get_by_role("link", name=words("See what it is, and what you can do")).click()
        page.keyboard.press("Tab")  # from the heading on
        expect(page.get_by_label(words("Release it as soon as it is there"))).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name=words("Make a clean copy"))).to_be_focused()
        page.keyboard.press("Enter")
        page.get_by_role("link", name=words("Go to the clean copy")).click()  # without a reload by hand
        copied = words("Clean copy of version %(number)s", number=1)
        expect(page.get_by_role("heading", name=copied)).to_be_visible()
        expect(page.get_by_role("heading", name=words("To confirm"))).to_be_visible()
        reader.look(page, _TITLE)
        page.get_by_role("button", name=words("Confirm and release version %(number)s", number=2)).click()
        kept = words("Clean copy of version %(number)s: what was taken out, and what stays", number=1)
        expect(page.get_by_text(kept)).to_be_visible()
        reader.look(page, _TITLE)


def test_a_clean_copy_needs_no_scripts(
    chromium: Browser, live_service: LiveService, with_people: Path
) -> None:
    reader = WITHOUT_SCRIPTS
    with reader.window(chromium, live_service.url) as page:
        _share(page, reader, live_service, with_people)
        make = page.get_by_role("button", name="Make a clean copy")
        reader.look_again(page, make)
        make.click()
        made = page.get_by_role("link", name="Go to the clean copy")
        reader.look_again(page, made)
        made.click()
        expect(page.get_by_role("heading", name="Clean copy of version 1")).to_be_visible()


@read_by(*READERS)
def test_a_draft_with_keys_is_finished_and_released(
    chromium: Browser, live_service: LiveService, tmp_path: Path, reader: Reader
) -> None:
    words = reader.words
    keys = private_backup(tmp_path / "keys.mbz", users=False)
    with reader.window(chromium, live_service.url) as page:
        open_signed_in(page, live_service.token, "/upload")
        _upload(page, reader, keys)
        page.wait_for_url("**/resources/*/finish")
        expect(page.get_by_role("heading", name=words("This file holds keys and contacts"))).to_be_visible()
        for summary in page.locator("main summary").all():
            summary.click()
        reader.look(page, words("Finish and release"))
        page.get_by_label(words("Licence"), exact=True).select_option("CC-BY-4.0")
        page.get_by_label(f"{words('Language')} {words('(optional)')}", exact=True).select_option("en")
        page.get_by_role("button", name=words("Release a clean copy")).click()
        page.wait_for_url(re.compile("/resources/[0-9a-f-]+$"))  # without a reload by hand
        kept = words("Clean copy of version %(number)s: what was taken out, and what stays", number=1)
        expect(page.get_by_text(kept)).to_be_visible()


@pytest.fixture(scope="module")
def address(live_service: LiveService, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of a public course."""
    file = _course(tmp_path_factory.mktemp("course") / "forest.mbz", "Forests")
    return live_service.share(file.name, file.read_bytes(), licence="CC-BY-4.0", release=True)


@read_by(*READERS)
def test_a_course_is_chosen_for_a_moodle_and_sent_there(
    chromium: Browser, live_service: LiveService, address: str, reader: Reader
) -> None:
    words = reader.words
    moodle = f"http://moodle.localhost:{free_port()}/lms"
    with reader.window(chromium, live_service.url) as page:
        page.goto(f"/lms/moodle/search?site={moodle}&course=7&section=2")
        choosing = words.like(
            "You are choosing for %(host)s, for the course that you came from."
            " Open a resource and send it there."
        )
        expect(page.get_by_role("note").get_by_role("paragraph")).to_have_text(choosing)
        expect(page.get_by_role("note")).to_contain_text("moodle.localhost")
        reader.look(page, words("Find a course to teach with"))
        page.goto(address)
        page.get_by_role("link", name=words("Send to my Moodle")).click()
        page.get_by_text(words("Send it to another Moodle")).click()
        reader.look(page, words.like("Send to %(host)s?"))
        expect(page.get_by_role("heading", level=1)).to_contain_text("moodle.localhost")
        sent: list[str] = []
        page.context.route("**/admin/tool/moodlenet/import.php", lambda route: _take(route, sent))
        with page.context.expect_page() as opened:
            page.get_by_role("button", name=words.like("Send to %(host)s")).click()
        expect(opened.value.get_by_text("Arrived")).to_be_visible()
        fields = dict(parse_qsl(sent[0]))
        assert fields["resourceurl"].endswith("/forest.mbz")
        assert (fields["type"], fields["course"], fields["section"]) == ("file", "7", "2")
        page.get_by_role("button", name=words("Stop choosing for it")).click()
        expect(page.get_by_label(words("Address of your Moodle"))).to_be_visible()
        reader.look(page, words("Send to my Moodle"))


def _take(route: Route, sent: list[str]) -> None:
    """In the place of a Moodle."""
    sent.append(route.request.post_data or "")
    route.fulfill(status=200, content_type="text/html", body="<title>Moodle</title><h1>Arrived</h1>")
