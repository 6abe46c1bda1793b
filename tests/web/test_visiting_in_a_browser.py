"""Find, and look inside, as anybody does in a real browser: in two languages, on a desk and on a phone."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from repo_service.domain.resources import JobKind
from tests.support.backups import ActivitySpec, backup
from tests.support.running import Running, running, wait_for
from tests.web.lived_in import brand_new
from tests.web.reader import PHONE, READERS, WITHOUT_SCRIPTS, Reader, read_by
from tests.web.shared import Shared

TITLE = "Forests of the north"
_QUIZ = ActivitySpec(module="quiz", title="Who eats whom", files=[("web.txt", b"A food web\n")])
_PAGE = ActivitySpec(module="page", title="Unbreakable" * 20)
_DEEPER = ActivitySpec(module="subsection", title="Deeper", holds_section="Deeper")
_PLUGIN = ActivitySpec(module="hvp", title="Mycorrhiza and other friends of trees")


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """A service with what it shows to everybody. ``course`` is the path of a course, whose newest version is
    ``file``; an older one needs a plugin."""

    url: str
    course: str
    file: Path


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    folder = tmp_path_factory.mktemp("catalogue")
    described = {"licence": "CC-BY-4.0", "release": True, "languages": ["en"], "levels": ["level3"]}
    with running(folder) as service:
        forests = backup(
            folder / "forests.mbz", fullname=TITLE, activities=[_QUIZ, _PAGE, _DEEPER, _PLUGIN], tags=()
        )
        made = _shared(service, forests, **described, subjects=["0521"])
        newer = backup(
            folder / "newer.mbz",
            fullname=TITLE,
            activities=[_QUIZ, _PAGE, _DEEPER],
            questions={"multichoice": 12, "essay": 2},
        )
        with newer.open("rb") as file:
            service.client.post(
                f"{made['api_url']}/versions",
                files={"file": (newer.name, file)},
                data={"metadata": json.dumps({"change_note": "Needs no plugin now.", "release": True})},
            ).raise_for_status()
        service.settled(made)
        wait_for(lambda: service.client.get(f"{made['api_url']}/versions/2/licences").is_success, "its parts")
        lakes = backup(folder / "lakes.mbz", fullname="Lakes of the north")
        _shared(service, lakes, **described | {"licence": "CC0-1.0"}, subjects=["0215"])
        collection = service.client.post(
            "/api/v1/collections", json={"title": "The north", "visibility": "public"}
        ).raise_for_status()
        service.client.post(
            f"/api/v1/collections/{collection.json()['id']}/items", json={"resource": made["id"]}
        ).raise_for_status()
        wait_for(lambda: service.client.get("/suggest?q=lakes").json()["items"], "the index")
        yield Catalogue(
            url=str(service.client.base_url).rstrip("/"), course=f"/resources/{made['id']}", file=newer
        )


def _shared(service: Running, path: Path, **metadata: Any) -> dict[str, Any]:
    made: dict[str, Any] = service.send(path, metadata=json.dumps(metadata)).raise_for_status().json()
    return service.settled(made)


def _search(page: Page, reader: Reader, text: str) -> None:
    page.get_by_label(reader.words("Search words"), exact=True).fill(text)
    page.get_by_role("button", name=reader.words("Search"), exact=True).click()


def _results(page: Page, heading: str) -> None:
    expect(page.get_by_role("heading", level=2, name=heading, exact=True)).to_be_visible()


@read_by(*READERS, WITHOUT_SCRIPTS)
def test_a_course_is_found(chromium: Browser, catalogue: Catalogue, reader: Reader) -> None:
    words = reader.words
    start = words("Find a course to teach with")
    one, two = (words.counted("%(count)s resource", "%(count)s resources", count) for count in (1, 2))
    with reader.window(chromium, catalogue.url) as page:
        page.goto("/")
        reader.look(page, start)
        if reader.scripts:
            field = page.get_by_role("combobox", name=words("Search words"))
            field.press_sequentially("fores")
            suggestion = page.get_by_role("option", name=TITLE)
            expect(suggestion).to_be_visible()
            expect(page.get_by_role("status")).to_have_text(words("Suggestions: %(count)s", count="1"))
            reader.look(page, start)
            field.press("ArrowDown")
            expect(suggestion).to_have_attribute("aria-selected", "true")
            field.press("Enter")
            reader.look(page, TITLE)
            page.go_back()
        _search(page, reader, "north")
        _results(page, words("%(count)s for “%(text)s”", count=two, text="north"))
        reader.look(page, start)
        page.get_by_role("link", name=words("Newest first"), exact=True).click()
        page.wait_for_url("**sort=newest**")
        expect(page.get_by_role("article").get_by_role("link", name=re.compile("north$")).first).to_have_text(
            "Lakes of the north"
        )
        forum = page.locator("a[href*='module=quiz']")
        if reader.size == PHONE:
            expect(forum).to_be_hidden()
            page.get_by_text(words("Filters")).click()
        licence = page.locator("a[href*='licence=CC0-1.0']")
        licence.click()
        _results(page, words("%(count)s for “%(text)s”", count=one, text="north"))
        expect(page.get_by_role("link", name=TITLE)).to_have_count(0)
        reader.look(page, start)
        page.get_by_role("list", name=words("Filters in force")).get_by_role(
            "link", name=words("Remove filter:")
        ).click()
        _results(page, words("%(count)s for “%(text)s”", count=two, text="north"))
        _search(page, reader, "nothingfitsthis")
        _results(page, words("Nothing fits"))
        reader.look(page, start)
        page.get_by_role("link", name=words("See everything, newest first")).click()
        _results(
            page,
            words.counted("Newest first: %(count)s resource", "Newest first: %(count)s resources", 2),
        )


@read_by(*READERS)
def test_what_there_is_stands_on_shelves(chromium: Browser, catalogue: Catalogue, reader: Reader) -> None:
    words = reader.words
    start = words("Find a course to teach with")
    with reader.window(chromium, catalogue.url) as page:

        def browse() -> None:
            banner = page.get_by_role("banner")
            banner.get_by_role("link", name=words("Browse"), exact=True).click()
            expect(page.get_by_role("heading", level=1, name=words("Browse"), exact=True)).to_be_visible()

        page.goto("/")
        page.get_by_role("link", name=words("Browse by subject, level, collection or person")).click()
        reader.look(page, words("Browse"))
        for shelf in ("a[href$='subject=0521']", "a[href$='level=level3']"):
            page.locator(shelf).click()
            reader.look(page, start)
            expect(page.get_by_role("link", name=TITLE)).to_be_visible()
            browse()
        page.get_by_role("region", name=words("Collections")).get_by_role("link", name="The north").click()
        reader.look(page, "The north")
        expect(page.get_by_role("link", name=TITLE)).to_be_visible()
        browse()
        page.get_by_role("link", name=words("All collections")).click()
        reader.look(page, words("Collections"))
        browse()
        page.get_by_role("region", name=words("People who shared lately")).get_by_role("link").click()
        reader.look(page, re.compile("admin", re.IGNORECASE))
        expect(page.get_by_role("link", name=TITLE)).to_be_visible()


@read_by(*READERS, WITHOUT_SCRIPTS)
def test_a_course_is_looked_into(chromium: Browser, catalogue: Catalogue, reader: Reader) -> None:
    words = reader.words
    sha256 = hashlib.sha256(catalogue.file.read_bytes()).hexdigest()
    with reader.window(chromium, catalogue.url) as page:
        page.goto(catalogue.course)
        inside = page.get_by_role("region", name=words("What is inside"))
        expect(inside.get_by_text(_QUIZ.title, exact=True)).to_be_visible()
        questions = page.get_by_role("region", name=words("Questions"), exact=True)
        expect(questions.get_by_role("listitem")).to_contain_text(["12", "2"])
        for summary in page.locator("main summary").all():
            if summary.locator("..").get_attribute("open") is None:
                summary.click()
        reader.look(page, TITLE)

        taken = page.get_by_role("link", name=words("Download only “%(title)s”", title=_QUIZ.title))
        with page.expect_download() as download:
            taken.click()
        with zipfile.ZipFile(download.value.path()) as part:
            assert any("/quiz_" in name for name in part.namelist())
            assert not any("/page_" in name for name in part.namelist())
        with page.expect_download() as download:
            page.get_by_role("link", name=re.compile(rf"^{words('Download')} [0-9]")).click()
        assert hashlib.sha256(download.value.path().read_bytes()).hexdigest() == sha256
        expect(page.get_by_text(sha256)).to_be_visible()
        copies = page.get_by_role("region", name=words("Where the copy is"))
        expect(copies.get_by_role("listitem")).to_have_count(1)

        naming = page.get_by_role("region", name=words("Name the authors"))
        expect(naming.locator(".credit")).to_contain_text(f"{catalogue.url}{catalogue.course}")
        code = naming.get_by_label(words("Paste this into the page")).input_value()
        address = re.search(r'src="([^"]+)"', code)
        assert address is not None

        page.get_by_label(words("Release of your Moodle"), exact=True).fill("4.5.6")
        page.get_by_role("button", name=words("Check"), exact=True).click()
        verdict = page.get_by_role("status")
        expect(verdict).to_contain_text("Moodle 4.5.6")
        expect(verdict).not_to_contain_text("mod_hvp")
        reader.look(page, words("Will it restore on my Moodle?"))
        page.get_by_role("link", name=TITLE).click()

        page.get_by_role("link", name=words("All files and licences")).click()
        reader.look(page, words("Files and licences"))
        expect(page.get_by_role("link", name="web.txt")).to_be_visible()
        page.get_by_role("link", name=TITLE).click()

        versions = page.get_by_role("region", name=words("Versions"))
        versions.get_by_role("link", name=words("What changed")).click()
        reader.look(page, words("What changed"))
        expect(page.locator(".changed-removed").first).to_contain_text(_PLUGIN.title)
        page.get_by_role("link", name=TITLE).click()
        versions.get_by_role("link", name=words("Version %(number)s", number=1), exact=True).click()
        page.get_by_label(words("Release of your Moodle"), exact=True).fill("4.5.6")
        page.get_by_role("button", name=words("Check"), exact=True).click()
        expect(verdict).to_contain_text("mod_hvp")
        reader.look(page, words("Will it restore on my Moodle?"))

        page.goto(address[1])
        reader.look(page, TITLE)


@read_by(*READERS)
def test_what_is_not_there_says_so(chromium: Browser, catalogue: Catalogue, reader: Reader) -> None:
    with reader.window(chromium, catalogue.url, refusals=(404, 422)) as page:
        page.goto("/resources/00000000-0000-0000-0000-000000000000")
        reader.look(page, reader.words("Not found"))
        page.goto("/lms/moodle/search?site=nowhere")
        reader.look(page, reader.words("This link cannot be used"))
        page.goto("/docs/errors")
        reader.look(page, reader.words("Errors explained"))


def test_the_page_offers_parts_by_itself_once_they_are_ready(chromium: Browser, tmp_path: Path) -> None:
    """Not while somebody types: a page that is opened anew would forget it."""
    with brand_new(tmp_path) as here, READERS[0].window(chromium, here.url) as page:
        path = backup(tmp_path / "course.mbz", activities=[_QUIZ])
        shared = Shared(here.service, path, title=TITLE, licence="CC-BY-4.0", release=True)
        here.service.work(but=(JobKind.INDEX,))
        page.goto(shared.url)
        expect(page.get_by_text("The file is being prepared")).to_be_visible()
        READERS[0].look(page, TITLE)
        page.get_by_label("Release of your Moodle").fill("4.5")
        here.service.work()
        with page.expect_response("**/preparing") as asked:
            pass
        assert asked.value.json() == {"finished": True}
        expect(page.get_by_text("The file is being prepared")).to_be_visible()
        page.locator("h1").click()
        expect(page.get_by_role("link", name="Download only “Who eats whom”")).to_be_visible()
        expect(page.get_by_text("The file is being prepared")).to_be_hidden()
