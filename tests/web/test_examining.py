"""Deeper into one version: will it restore there, what changed, its files and licences, one part of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from repo_service.domain.errors import InvalidFile
from repo_service.domain.resources import JobKind
from repo_service.services import renditions
from tests.support.backups import ActivitySpec, backup
from tests.support.service import Service, json_of, send_file
from tests.web.shared import Shared

_QUIZ = ActivitySpec(module="quiz", title="Food chains", files=[("web.txt", b"A food web")])
_PLUGIN = ActivitySpec(module="hvp", title="Interactive")


@pytest.fixture
def course(service: Service, tmp_path: Path) -> Shared:
    """A public course with a quiz and an activity of a plugin, and a second version without that."""
    shared = Shared(
        service,
        backup(tmp_path / "course.mbz", fullname="Ecology", activities=[_QUIZ, _PLUGIN]),
        licence="CC-BY-4.0",
        release=True,
    )
    service.work()
    client = service.client(shared.token)
    second = backup(tmp_path / "second.mbz", fullname="Ecology", activities=[_QUIZ])
    json_of(send_file(client, second, url=f"/api/v1/resources/{shared.id}/versions", release=True), 201)
    service.work()
    return shared


def test_will_it_restore(course: Shared) -> None:
    page = course.public.get(course.url)
    form = page.form("/restoring")
    assert form.action == f"{course.url}/versions/2/restoring"
    answered = course.public.get(f"{form.action}?moodle=4.5.6")
    assert "It restores on Moodle 4.5.6" in answered.text
    before = course.public.get(f"{course.url}/versions/1/restoring?moodle=4.5.6")
    assert "mod_hvp" in before.one("//*[@role='status']").text_content()
    assert before.form("/restoring").fields["moodle"] == "4.5.6"
    with_plugin = course.public.get(f"{course.url}/versions/1/restoring?moodle=4.5.6&plugins=mod_hvp")
    assert "mod_hvp" not in with_plugin.one("//*[@role='status']").text_content()


def test_nothing_is_judged_before_it_is_asked(course: Shared) -> None:
    assert not course.public.get(f"{course.url}/versions/2/restoring").all("//*[@role='status']")


@pytest.mark.parametrize(
    "query", ["moodle=99.9", "moodle=four", "moodle=4.5&plugins=%3Cscript%3E", "site=not-mine"]
)
def test_a_moodle_that_there_is_not(course: Shared, query: str) -> None:
    page = course.public.get(f"{course.url}/versions/1/restoring?{query}", 422)
    assert page.one("//*[@role='alert']").text_content().strip()
    assert not page.all("//script[not(@src)]")


def test_ones_own_sites_can_be_chosen(course: Shared) -> None:
    client = course.service.client(course.token)
    given = {"name": "Our school", "moodle": "3.9", "plugins": {"mod_hvp": None}}
    site = json_of(client.post("/api/v1/me/site-profiles", json=given), 201)
    page = course.owner.get(f"{course.url}/versions/1/restoring?site={site['id']}")
    assert "Moodle 3.9" in page.one("//*[@role='status']").text_content()
    course.public.get(f"{course.url}/versions/1/restoring?site={site['id']}", 422)


def test_what_changed(course: Shared) -> None:
    page = course.public.get(course.url)
    changed = course.public.get(page.links()["What changed: version 2"])
    assert "from version 1 to version 2" in changed.text
    removed = changed.one("//section[@aria-labelledby='activities']//details[contains(@class, 'removed')]")
    assert "Interactive" in removed.text_content()
    assert "Food chains" not in removed.text_content()
    back = course.public.get(f"{course.url}/versions/1/changes?since=2")
    assert "Interactive" in back.one("//details[contains(@class, 'changed-added')]").text_content()


@pytest.mark.parametrize("path", ["1/changes", "2/changes?since=9", "9/changes", "9/licences", "9/restoring"])
def test_versions_that_there_are_not(course: Shared, path: str) -> None:
    course.public.get(f"{course.url}/versions/{path}", 404)


def test_files_and_licences(course: Shared) -> None:
    page = course.public.get(course.public.get(course.url).links()["All files and licences"])
    rows = page.all("//table/tbody/tr")
    assert rows
    address = rows[0].xpath(".//a[@download]/@href")[0]
    assert course.public.client.get(address).status_code == 200


@pytest.mark.parametrize(("count", "folded", "more"), [(5, 0, 0), (6, 6, 0), (25, 20, 5)])
def test_long_lists_of_files_are_folded(
    service: Service, tmp_path: Path, count: int, folded: int, more: int
) -> None:
    """Into what works without a script, and says how many there are."""
    files = [(f"{number}.txt", f"{number}".encode()) for number in range(count)]
    path = backup(tmp_path / "course.mbz", activities=[ActivitySpec(module="folder", files=files)])
    shared = Shared(service, path, licence="CC-BY-4.0", release=True)
    service.work()
    page = shared.public.get(f"{shared.url}/versions/1/licences")
    notice = page.one("//div[contains(@class, 'notice')]")
    assert len(notice.xpath(".//li")) == min(count, 20)
    assert notice.xpath("./details/summary/text()") == ([f"Show {folded} files"] if folded else [])
    assert not notice.xpath("./details[@open]")
    assert (f"And {more} more, which are in the table below." in page.text) == bool(more)


def test_the_page_waits_for_the_index_of_a_file(service: Service, tmp_path: Path) -> None:
    shared = Shared(service, backup(tmp_path / "course.mbz"), licence="CC-BY-4.0", release=True)
    service.work(but=(JobKind.INDEX,))
    page = shared.public.get(f"{shared.url}/versions/1/licences", 503)
    assert page.response.headers["Refresh"] == "5"
    assert "looks again by itself" in page.text
    service.work()
    shared.public.get(f"{shared.url}/versions/1/licences")


def test_one_activity_and_one_section_can_be_had(course: Shared) -> None:
    links = course.public.get(course.url).links()
    for name in (
        "Download only “Food chains”",
        *[link for link in links if link.startswith("Only this section")][:1],
    ):
        got = course.public.client.get(links[name])
        assert got.status_code == 200, name
        assert got.data[:2] in (b"PK", b"\x1f\x8b")


def test_parts_are_offered_once_they_are_ready(service: Service, tmp_path: Path) -> None:
    """Until then the page says what it waits for, and has no link that would be refused."""
    path = backup(tmp_path / "course.mbz", activities=[_QUIZ])
    shared = Shared(service, path, licence="CC-BY-4.0", release=True)
    service.work(but=(JobKind.INDEX,))
    for visitor in (shared.public, shared.public, shared.owner):
        page = visitor.get(shared.url)
        assert "is being prepared" in page.text
        assert "Food chains" in page.text
        assert not page.all("//a[@download and contains(@href, '/activities/')]")
        assert not [name for name in page.links() if name.startswith(("Only this section", "Download only"))]
        waits = page.one("//*[@data-processing]").attrib["data-processing"]
        assert visitor.client.get(waits).json == {"finished": False}
    service.work()
    assert shared.public.client.get(waits).json == {"finished": True}
    page = shared.public.get(shared.url)
    assert "is being prepared" not in page.text
    assert not page.all("//*[@data-processing]")
    assert shared.public.client.get(page.links()["Download only “Food chains”"]).status_code == 200


def test_parts_that_cannot_be_made_ready_are_not_offered(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = Shared(service, backup(tmp_path / "course.mbz"), licence="CC-BY-4.0", release=True)

    def fail(*_: object, **__: object) -> None:
        raise InvalidFile("It has too many members.", reason="too-many-entries")

    monkeypatch.setattr(renditions, "build_seek_index", fail)
    service.work()
    page = shared.public.get(shared.url)
    assert "cannot be downloaded: It has too many members." in page.text
    assert not page.all("//a[@download and contains(@href, '/activities/')]")


def test_what_waits_for_a_draft_is_told_to_its_owner_only(service: Service, tmp_path: Path) -> None:
    shared = Shared(service, backup(tmp_path / "course.mbz"))
    service.work(but=(JobKind.INDEX,))
    assert shared.owner.client.get(f"{shared.url}/versions/1/preparing").status_code == 200
    shared.public.get(f"{shared.url}/versions/1/preparing", 404)


def test_whom_to_name(course: Shared) -> None:
    credit = course.public.get(course.url).one("//p[@class='credit']").text_content()
    assert credit.startswith("“Ecology” by teacher, licence: CC BY 4.0 (https://creativecommons.org/")
    assert credit.endswith(f"/resources/{course.id}")
