"""From a stock Moodle and back, as people go: by its own pages and ours in a real browser.

``make e2e`` with a site to use (CONTRIBUTING.md). Pictures of each step are in ``build/e2e``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import NETWORK, School, Stage
from tests.e2e.moodle_pages import MoodlePages
from tests.e2e.repository import sign_in
from tests.e2e.site import Login
from tests.web.accessibility import assert_accessible

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Count 0>>endobj\n%%EOF\n"

Look = Callable[[Page, str], None]


def _consent(tess: Login, look: Look) -> Callable[[Page], None]:
    """Sign in and allow, in the window that Moodle opens."""

    def walk(popup: Page) -> None:
        expect(popup.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
        look(popup, "consent-1-sign-in")
        sign_in(popup, tess)
        expect(popup.get_by_role("heading", name="Connect this site?")).to_be_visible()
        assert_accessible(popup)
        look(popup, "consent-2-question")
        popup.get_by_role("button", name="Allow", exact=True).click()

    return walk


def _open_draft(teacher: MoodlePages, consent: Callable[[Page], None], look: Look, name: str) -> Page:
    """Share what is open, and follow the button that Moodle shows then."""
    dialog = teacher.share(consent)
    address = teacher.saved_at(dialog)
    look(teacher.page, f"{name}-1-saved")
    with teacher.page.expect_popup() as opened:
        dialog.get_by_role("link", name="Go to MoodleNet drafts").click()
    expect(opened.value).to_have_url(address)
    return opened.value


def _release(draft: Page, button: str, look: Look, name: str) -> None:
    """Answer what is asked and let it go."""
    expect(draft.get_by_role("button", name=button, exact=True)).to_be_visible(timeout=60_000)
    assert_accessible(draft)
    # All files inside say so, and the page proposes it.
    expect(draft.get_by_label("Licence")).to_have_value("CC-BY-4.0")
    draft.get_by_role("combobox", name="Language").select_option("en")
    look(draft, f"{name}-2-draft")
    draft.get_by_role("button", name=button, exact=True).click()
    expect(draft).to_have_url(re.compile(r"/resources/[0-9a-f-]{36}$"), timeout=60_000)
    look(draft, f"{name}-3-released")


def _without_ids(files: list[list[str]]) -> list[list[str]]:
    """Files of activities; a course has some more that a restore into another leaves out."""
    return [file for file in files if file[0].startswith("mod_")]


def _send_back(teacher: MoodlePages, stage: Stage, school: School, title: str) -> None:
    """From the activity chooser of another course, through the search and Moodle's own restore, into it."""
    found = teacher.browse(school.target, NETWORK)
    expect(found.get_by_role("note")).to_contain_text("You are choosing for")
    stage.look(found, "back-1-found")
    found.get_by_role("link", name=title).first.click()
    stage.look(found, "back-2-resource")
    found.get_by_role("link", name="Send to my Moodle").click()
    assert_accessible(found)
    stage.look(found, "back-3-send")
    with found.expect_popup() as opened:
        found.get_by_role("button", name=re.compile("^Send to ")).click()
    restoring = MoodlePages(stage.moodle, opened.value)
    expect(restoring.page.get_by_text(f'import the content "{title}')).to_be_visible()
    stage.look(restoring.page, "back-4-confirm")
    restoring.confirm_import(school.teacher)
    restoring.restore()
    stage.look(restoring.page, "back-5-restored")


def test_a_course_goes_out_without_its_keys_and_into_another(
    stage: Stage, sharing_of_courses: None, school: School
) -> None:
    teacher = stage.at_moodle(school.teacher)
    teacher.open_course(school.course)
    draft = _open_draft(teacher, _consent(stage.make_account(), stage.look), stage.look, "course")
    expect(draft.get_by_role("heading", name="This file holds keys and contacts")).to_be_visible(
        timeout=60_000
    )
    _release(draft, "Release a clean copy", stage.look, "course")
    draft.close()

    _send_back(teacher, stage, school, "Ponds and streams")

    source, restored = (stage.contents(id_) for id_ in (school.course, school.target))
    assert restored["outline"] == source["outline"]
    assert restored["quizzes"] == source["quizzes"] != {}
    assert sum(map(len, restored["quizzes"].values())) == 3
    assert _without_ids(restored["files"]) == _without_ids(source["files"]) != []
    assert restored["broken_images"] == []
    assert set(source["keys"].values()) == {"SELF-KEY-oak-7731", "QUIZ-KEY-elm-4410"}
    assert restored["keys"] == {}


def test_an_activity_goes_out_once_it_is_allowed_and_comes_back(stage: Stage, school: School) -> None:
    tess = stage.make_account()
    teacher = stage.at_moodle(school.teacher)
    teacher.open_activity(school.page, "page")

    def refuse(popup: Page) -> None:
        sign_in(popup, tess)
        popup.get_by_role("button", name="Do not allow").click()
        popup.wait_for_event("close")

    dialog = teacher.share(refuse)
    # Moodle says nothing then, and leaves the question as it was.
    button = dialog.get_by_role("button", name="Share", exact=True)
    expect(button).to_be_visible()

    def allow(popup: Page) -> None:
        popup.get_by_role("button", name="Allow", exact=True).click()

    with teacher.page.expect_popup() as opened:
        button.click()
    allow(opened.value)
    teacher.page.bring_to_front()
    address = teacher.saved_at(dialog)
    draft = stage.open_window()
    draft.goto(address)
    sign_in(draft, tess)  # in another browser, and then straight to the draft
    expect(draft).to_have_url(address)
    _release(draft, "Release", stage.look, "activity")

    _send_back(teacher, stage, school, "What lives in a pond")
    source, restored = (stage.contents(id_) for id_ in (school.course, school.target))
    assert ["page: What lives in a pond"] in [activities for _, activities in restored["outline"]]
    (picture,) = _without_ids(restored["files"])
    assert picture in source["files"]
    assert restored["broken_images"] == []


def test_what_was_shared_is_listed(stage: Stage, sharing_of_courses: None, school: School) -> None:
    teacher = stage.at_moodle(school.teacher)
    teacher.open_activity(school.page, "page")
    address = teacher.saved_at(teacher.share(_consent(stage.make_account(), stage.look)))
    teacher.open("/moodlenet/shareprogress.php")
    link = teacher.page.get_by_role("link", name="What lives in a pond")
    assert link.get_attribute("href") == address
    stage.look(teacher.page, "listed-1-progress")


def test_a_file_that_is_no_backup_becomes_a_file_of_the_course(stage: Stage, school: School) -> None:
    """From the repository's own pages, by the address of the Moodle."""
    made = stage.repository.share(
        PDF,
        file_name="newts.pdf",
        title="Newts",
        summary="Newts, 1 < 2 & more",
        licence="CC-BY-SA-4.0",
        authors=[{"name": "Ada Lehrer"}],
    )
    teacher = stage.at_moodle(school.teacher)
    page = teacher.page.context.new_page()
    page.goto(f"{stage.repository.url}/resources/{made}")
    page.get_by_role("link", name="Send to my Moodle").click()
    page.get_by_label("Address of your Moodle").fill(stage.moodle.url)
    page.get_by_role("button", name="Go on").click()
    stage.look(page, "file-1-send")
    with page.expect_popup() as opened:
        page.get_by_role("button", name=re.compile("^Send to ")).click()
    importing = MoodlePages(stage.moodle, opened.value)
    importing.confirm_import(school.teacher)
    stage.look(importing.page, "file-2-course")
    importing.choose_course("My new course")
    stage.look(importing.page, "file-3-kind")
    importing.page.get_by_role("button", name="Continue").click()
    expect(importing.page.get_by_role("main").get_by_role("link", name="Newts")).to_be_visible()
    stage.look(importing.page, "file-4-added")

    found = stage.contents(school.target)
    assert found["outline"][0][1] == ["resource: Newts"]
    ((_, digest, *_),) = _without_ids(found["files"])
    assert digest == hashlib.sha1(PDF).hexdigest()
    (introduction,) = found["introductions"].values()
    # Moodle keeps neither on this road, so that they stand in the text.
    assert "Ada Lehrer" in introduction
    assert "CC BY-SA 4.0 (https://creativecommons.org/licenses/by-sa/4.0/)" in introduction
    assert f"{stage.repository.url}/resources/{made}" in introduction
