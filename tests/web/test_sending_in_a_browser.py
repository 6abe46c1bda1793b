"""Files that the page sends in a real Chromium: what has arrived is kept, whatever breaks off."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, CDPSession, Page, Request, Route, expect

from tests.support.backups import backup
from tests.support.browser import LiveService, open_signed_in, running_service, sign_in_by_token
from tests.support.running import Running, running
from tests.web.accessibility import assert_accessible
from tests.web.reader import READERS, WITHOUT_SCRIPTS, Reader, read_by

MB = 1_000_000
SIZE = 300 * MB


@contextmanager
def _window(browser: Browser, url: str, token: str, *, reader: Reader = READERS[0]) -> Iterator[Page]:
    """A signed-in window on the page that shares."""
    with reader.window(browser, url, refusals=None) as page:
        open_signed_in(page, token, "/upload")
        expect(page.get_by_role("heading", name=reader.words("Share a file"))).to_be_visible()
        yield page


@contextmanager
def _slow_line(page: Page, *, bytes_a_second: int) -> Iterator[None]:
    devtools: CDPSession = page.context.new_cdp_session(page)
    devtools.send("Network.enable")

    def limit(upload: int) -> None:
        conditions = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": upload}
        devtools.send("Network.emulateNetworkConditions", conditions)

    limit(bytes_a_second)
    yield
    limit(-1)


def _arrived(service: Running) -> int:
    """Bytes of the one unfinished upload that are on disk."""
    staging = service.data / "store" / "staging"
    return max((path.stat().st_size for path in staging.rglob("*") if path.is_file()), default=0)


def _wait_for(page: Page, happened: Callable[[], bool]) -> None:
    """As ``wait_for``, while what the browser tells is heard."""
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        process.kill()
    psutil.wait_procs(processes, timeout=20)


def test_a_large_file_survives_a_killed_server_and_a_reload(chromium: Browser, tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(SIZE)
    offsets: list[int] = []

    def note(request: Request) -> None:
        if request.method == "PATCH":
            offsets.append(int(request.headers["upload-offset"]))

    with running(tmp_path, min_free_space="0") as first:
        url, token = str(first.client.base_url), first.token
        with _window(chromium, url, token) as page:
            page.on("request", note)
            with _slow_line(page, bytes_a_second=40 * MB):
                page.get_by_label("File", exact=True).set_input_files(large)
                page.get_by_role("button", name="Upload", exact=True).click()
                row = page.get_by_role("list", name="Files to send").get_by_role("listitem")
                expect(row).to_contain_text(re.compile(r"MB of 300.0 MB, .* a second, about .* left"))
                _wait_for(page, lambda: _arrived(first) > 40 * MB)
                _kill([*first.process.children(recursive=True), first.process])
                expect(row).to_contain_text("The connection broke. What has arrived is kept")
            kept = _arrived(first)
            with running(tmp_path, before=first, min_free_space="0") as second:
                with _slow_line(page, bytes_a_second=40 * MB):
                    _wait_for(page, lambda: _arrived(second) > kept + 20 * MB)  # by itself
                    assert offsets[-1] == kept
                    page.reload()
                expect(row).to_contain_text("arrived. Choose the same file again to go on with it.")
                kept = _arrived(second)
                page.get_by_label("File", exact=True).set_input_files(large)
                page.get_by_role("button", name="Upload", exact=True).click()
                page.wait_for_url("**/resources/*/finish")
                assert offsets[-1] >= kept > 60 * MB
                (made,) = second.client.get("/api/v1/me/resources").json()["items"]
                assert made["versions"][0]["sha256"] == hashlib.sha256(bytes(SIZE)).hexdigest()
                assert page.evaluate("localStorage.length") == 0


@pytest.fixture
def courses(tmp_path: Path) -> list[Path]:
    return [backup(tmp_path / f"{name}.mbz", fullname=name) for name in ("Rivers", "Lakes")]


@read_by(*READERS)
def test_several_files_are_dropped_and_sent_one_after_the_other(
    chromium: Browser, live_service: LiveService, courses: list[Path], reader: Reader
) -> None:
    words = reader.words
    with _window(chromium, live_service.url, live_service.token, reader=reader) as page:
        transfer = page.evaluate_handle("new DataTransfer()")
        for path in courses:
            page.evaluate(
                """([transfer, bytes, name]) =>
                    transfer.items.add(new File([new Uint8Array(bytes)], name, { lastModified: 1 }))""",
                [transfer, list(path.read_bytes()), path.name],
            )
        page.dispatch_event("main", "drop", {"dataTransfer": transfer})
        rows = page.get_by_role("list", name=words("Files to send")).get_by_role("listitem")
        expect(rows).to_have_count(2)
        reader.look(page, words("Share a file"))
        with _slow_line(page, bytes_a_second=2_000):
            page.get_by_role("button", name=words("Upload"), exact=True).click()
            expect(page.get_by_role("progressbar").first).to_be_visible()
            pause = page.get_by_role("button", name=words("Pause"))
            expect(pause).to_be_visible()
            reader.look(page, words("Share a file"))
        page.get_by_text(
            words("All files are here. My resources shows what is still to do for each.")
        ).wait_for()
        reader.look(page, words("Share a file"))
        page.get_by_role("link", name=f"{words('Finish and release')} Lakes.mbz").click()
        reader.look(page, words("Finish and release"))


def test_pausing_going_on_and_giving_up(chromium: Browser, live_service: LiveService, tmp_path: Path) -> None:
    large = tmp_path / "paused.bin"
    with large.open("wb") as file:
        file.truncate(100 * MB)
    with _window(chromium, live_service.url, live_service.token) as page:
        with _slow_line(page, bytes_a_second=10 * MB):
            page.get_by_label("File", exact=True).set_input_files(large)
            page.get_by_role("button", name="Upload", exact=True).click()
            row = page.get_by_role("list", name="Files to send").get_by_role("listitem")
            expect(row).to_contain_text("a second")
            page.get_by_role("button", name="Pause paused.bin").click()
            expect(row).to_contain_text("Paused: ")
            expect(page.get_by_role("button", name="Continue paused.bin")).to_be_focused()
            assert_accessible(page)
            page.keyboard.press("Enter")
            expect(row).to_contain_text("a second")
            with page.expect_response(lambda answer: answer.request.method == "DELETE") as given_up:
                page.get_by_role("button", name="Cancel paused.bin").click()
        assert given_up.value.status == 204
        expect(page.get_by_role("listitem").filter(has_text="paused.bin")).to_have_count(0)
        expect(page.get_by_role("status")).to_have_text("paused.bin: cancelled. Nothing was kept.")
        page.reload()
        expect(page.get_by_label("File", exact=True)).to_be_visible()
        expect(page.get_by_role("list", name="Files to send")).to_have_count(0)


def test_who_is_signed_out_on_the_way_goes_on_after_signing_in(
    chromium: Browser, live_service: LiveService, tmp_path: Path
) -> None:
    large = tmp_path / "out.bin"
    with large.open("wb") as file:
        file.truncate(60 * MB)
    with _window(chromium, live_service.url, live_service.token) as page:
        with _slow_line(page, bytes_a_second=10 * MB):
            page.get_by_label("File", exact=True).set_input_files(large)
            page.get_by_role("button", name="Upload", exact=True).click()
            row = page.get_by_role("list", name="Files to send").get_by_role("listitem")
            expect(row).to_contain_text("a second")
            page.get_by_role("button", name="Pause out.bin").click()
            page.context.clear_cookies()
            page.get_by_role("button", name="Continue out.bin").click()
            expect(page.get_by_role("alert")).to_contain_text("You are signed out")
            assert_accessible(page)
        page.get_by_role("main").get_by_role("link", name="Sign in").click()
        sign_in_by_token(page, live_service.token)
        expect(row).to_contain_text("arrived. Choose the same file again to go on with it.")
        with page.expect_request(lambda request: request.method == "PATCH") as going_on:
            page.get_by_label("File", exact=True).set_input_files(large)
            page.get_by_role("button", name="Upload", exact=True).click()
        assert int(going_on.value.headers["upload-offset"]) > 0
        page.wait_for_url("**/resources/*/finish")


def test_a_front_server_that_says_the_service_is_away_loses_nothing(
    chromium: Browser, live_service: LiveService, tmp_path: Path
) -> None:
    """It answers where a killed server would not: 502, 503. Nothing is begun anew because of that."""
    large = tmp_path / "away.bin"
    with large.open("wb") as file:
        file.truncate(60 * MB)
    begun: list[str] = []
    asked: list[str] = []

    def away(route: Route) -> None:
        asked.append(route.request.method)
        route.fulfill(status=503, headers={"Retry-After": "60"})

    with _window(chromium, live_service.url, live_service.token) as page:
        page.on("request", lambda sent: begun.append(sent.url) if sent.method == "POST" else None)
        with _slow_line(page, bytes_a_second=10 * MB):
            page.get_by_label("File", exact=True).set_input_files(large)
            page.get_by_role("button", name="Upload", exact=True).click()
            row = page.get_by_role("list", name="Files to send").get_by_role("listitem")
            expect(row).to_contain_text("a second")
            page.get_by_role("button", name="Pause away.bin").click()
            page.route("**/upload/tus/*", away, times=2)
            page.get_by_role("button", name="Continue away.bin").click()
            expect(row).to_contain_text("The connection broke. What has arrived is kept")
        page.wait_for_url("**/resources/*/finish")
        assert asked == ["HEAD", "HEAD"]
        assert len([url for url in begun if url.endswith("/upload/tus")]) == 1


def test_what_is_refused_says_why_and_the_others_go_on(
    chromium: Browser, live_service: LiveService, courses: list[Path]
) -> None:
    with _window(chromium, live_service.url, live_service.token) as page:
        page.route(
            "**/upload/tus",
            lambda route: route.fulfill(
                status=507,
                content_type="text/html",
                body='<main><p class="lead">There is no room <b>left</b>.</p></main>',
            ),
            times=1,
        )
        page.get_by_label("File", exact=True).set_input_files(courses)
        page.get_by_role("button", name="Upload", exact=True).click()
        expect(page.get_by_role("alert")).to_have_text("Rivers.mbz: There is no room left.")
        expect(page.get_by_role("link", name="Finish and release Lakes.mbz")).to_be_visible()
        assert_accessible(page)
        page.get_by_role("button", name="Cancel Rivers.mbz").click()
        expect(page.get_by_role("list", name="Files to send").get_by_role("listitem")).to_have_count(1)


def test_without_scripts_the_form_sends_one_file(
    chromium: Browser, live_service: LiveService, courses: list[Path]
) -> None:
    with _window(chromium, live_service.url, live_service.token, reader=WITHOUT_SCRIPTS) as page:
        expect(page.get_by_text("Or drop it here")).to_be_hidden()
        expect(page.get_by_label("File", exact=True)).not_to_have_attribute("multiple", "")
        page.get_by_label("File", exact=True).set_input_files(courses[0])
        page.get_by_role("button", name="Upload", exact=True).click()
        expect(page.get_by_role("heading", name="Finish and release")).to_be_visible()


def test_without_scripts_a_file_that_is_too_large_is_refused_with_a_page(
    chromium: Browser, tmp_path: Path
) -> None:
    """Before its bytes are read; the browser, which goes on sending them, shows the page all the same."""
    large = tmp_path / "large.mbz"
    large.touch()
    os.truncate(large, 30 * MB)
    with (
        running_service(tmp_path, REPO_MAX_UPLOAD_SIZE=str(MB)) as service,
        _window(chromium, service.url, service.token, reader=WITHOUT_SCRIPTS) as page,
    ):
        page.get_by_label("File", exact=True).set_input_files(large)
        page.get_by_role("button", name="Upload", exact=True).click()
        expect(page.get_by_role("heading", name="Too large")).to_be_visible()
        expect(page.get_by_role("main")).to_contain_text("At most 1.0 MB.")
