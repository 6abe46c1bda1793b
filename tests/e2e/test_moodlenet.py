"""Sharing from a real Moodle, and sending back to it through its own pages in a real browser.

``make e2e`` with a site that may reach services on this machine: ``curlsecurityblockedhosts`` and
``curlsecurityallowedport`` empty. Screenshots are in ``build/moodlenet``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.site import MoodleSite
from tests.support.browser import LiveService
from tests.support.private import private_backup
from tests.support.running import wait_for

pytestmark = pytest.mark.e2e

_PASSWORD = "Tess-1234!"
_SHOTS = Path("build/moodlenet")


@dataclass(frozen=True)
class Course:
    """A course of this test's own, and its teacher."""

    site: MoodleSite
    id: int
    username: str

    def look(self) -> dict[str, Any]:
        """Its activities and their introductions."""
        found: dict[str, Any] = self.site.run("trial_course.php", "look", str(self.id))
        return found


@pytest.fixture
def course(moodle: MoodleSite) -> Iterator[Course]:
    """Deleted at the end."""
    if not moodle.url:
        pytest.skip("set MOODLE_URL to the address of the site")
    made = moodle.run("trial_course.php", "make", _PASSWORD)
    yield Course(moodle, made["course"], made["username"])
    moodle.run("trial_course.php", "delete", str(made["course"]))


def _share(moodle: MoodleSite, service: LiveService, path: Path, token: str | None = None) -> dict[str, Any]:
    name, description = "Ponds and lakes", "What lives there"
    told: dict[str, Any] = moodle.run(
        "share.php", path, service.url, token or service.token, name, description
    )
    return told


def _released(service: LiveService, resource_id: str) -> None:
    with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {service.token}"}) as client:
        own = f"/api/v1/resources/{resource_id}"
        client.patch(
            own, json={"licence": "CC-BY-4.0", "authors": [{"name": "Ada Lehrer"}]}
        ).raise_for_status()

        def inspected() -> bool:
            return bool(client.get(own).json()["versions"][0]["processing"]["state"] == "done")

        wait_for(inspected, "the inspection")
        client.post(f"{own}/versions/1/release").raise_for_status()


def test_moodles_own_code_shares(moodle: MoodleSite, live_service: LiveService, tmp_path: Path) -> None:
    """Small, and large enough to be asked for first; the refusal is what a teacher would read."""
    for path in (private_backup(tmp_path / "page_backup.mbz", users=False), _large(tmp_path)):
        told = _share(moodle, live_service, path)
        assert (told["status"], told["error"]) == (201, "")
        assert told["body"]["homepage"].startswith(f"{live_service.url}/resources/")
        assert told["body"]["name"] == "Ponds and lakes"
        refused = _share(moodle, live_service, path, token="mrr_wrong")
        assert "Log out of Moodle, log in and share again." in refused["error"]


def test_a_course_goes_back_to_moodle_and_is_restored(
    course: Course, live_service: LiveService, chromium: Browser, corpus: Path
) -> None:
    package = corpus / "sent-by-moodle" / "m456-share-course-ZH101.mbz"
    made = _share(course.site, live_service, package)["body"]
    _released(live_service, made["id"])
    with _sent(chromium, course, live_service, made["id"]) as page:
        page.get_by_role("button", name="Confirm").click()
        page.wait_for_url("**/backup/restore.php*")
        page.screenshot(path=_SHOTS / "restore.png", full_page=True)
        page.get_by_role("button", name="Continue").first.click()
        merge = page.locator("form", has=page.locator("input[name=target][value='1']")).first
        merge.locator("input[name=target][value='1']").check()
        merge.get_by_role("button", name="Continue").click()
        for _ in range(2):
            page.get_by_role("button", name="Next").click()
        page.get_by_role("button", name="Perform restore").click()
        page.get_by_role("button", name="Continue").click()
        page.screenshot(path=_SHOTS / "course.png", full_page=True)
    activities = course.look()["activities"]
    for module, name in (("book", "课本"), ("glossary", "生词表"), ("resource", "录音")):
        assert [module, name] in activities


def test_a_file_becomes_an_activity_that_names_whom_it_is_by(
    course: Course, live_service: LiveService, chromium: Browser, tmp_path: Path
) -> None:
    path = tmp_path / "Notes 1.txt"
    path.write_text("Grass, hare, fox <1 & 2>\n")
    made = _share(course.site, live_service, path)["body"]
    _released(live_service, made["id"])
    with _sent(chromium, course, live_service, made["id"]) as page:
        page.get_by_role("button", name="Confirm").click()
        page.get_by_role("button", name="Continue").click()
        page.wait_for_url("**/course/view.php*")
        page.screenshot(path=_SHOTS / "file.png", full_page=True)
    found = course.look()
    assert ["resource", "Ponds and lakes"] in found["activities"]
    (introduction,) = [text for text in found["introductions"] if "Ada Lehrer" in text]
    assert "CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/)" in introduction
    assert f"{live_service.url}/resources/{made['id']}" in introduction


@contextmanager
def _sent(browser: Browser, course: Course, service: LiveService, resource_id: str) -> Iterator[Page]:
    """The page of Moodle on which its teacher confirms what was sent from here."""
    _SHOTS.mkdir(parents=True, exist_ok=True)
    moodle = course.site.url
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
    context.set_default_timeout(40_000)
    page = context.new_page()
    page.goto(f"{moodle}/login/index.php")
    _log_in(page, course)
    query = urlencode({"site": moodle, "course": course.id, "section": 1})
    page.goto(f"{service.url}/lms/moodle/search?{query}")
    page.goto(f"{service.url}/resources/{resource_id}")
    page.get_by_role("link", name="Send to my Moodle").click()
    page.screenshot(path=_SHOTS / "send.png", full_page=True)
    with context.expect_page() as opened:
        page.get_by_role("button", name="Send to").click()
    if "/login/" in opened.value.url:  # browsers send Moodle's cookie along over https only
        _log_in(opened.value, course)
    opened.value.screenshot(path=_SHOTS / "confirm.png", full_page=True)
    yield opened.value
    context.close()


def _log_in(page: Page, course: Course) -> None:
    page.locator("#username").fill(course.username)
    page.locator("#password").fill(_PASSWORD)
    page.locator("#loginbtn").click()
    page.wait_for_url(lambda url: "/login/" not in url)


def _large(folder: Path) -> Path:
    path = folder / "LARGE_backup.mbz"
    path.write_bytes(bytes(range(256)) * 8192)
    return path
