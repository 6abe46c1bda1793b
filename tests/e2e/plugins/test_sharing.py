"""*Share to the repository*: a course, a section, an activity, by the pages of a teacher."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import School
from tests.e2e.plugins.conftest import PluginStage
from tests.e2e.plugins.pages import PluginPages
from tests.e2e.repository import sign_in_and_allow
from tests.support.running import wait_for
from tests.web.accessibility import assert_accessible

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_a_course_with_keys_is_a_draft_until_a_clean_copy_is_made(stage: PluginStage, school: School) -> None:
    tess = stage.make_account()
    teacher = stage.at_moodle(school.teacher)
    teacher.choose_to_share(school.course)
    stage.look(teacher.page, "share-course-1-choose")
    teacher.main.get_by_role("link", name="Share the whole course").click()
    # Whose account is not connected yet is led there, and back.
    teacher.main.get_by_role("link", name="Connect my account").click()
    stage.look(teacher.page, "share-course-2-connect")
    teacher.main.get_by_role("link", name="Connect my account").click()
    sign_in_and_allow(teacher.page, tess)

    survey = teacher.survey()
    expect(survey).to_contain_text("Nothing of people is packed")
    expect(survey).to_contain_text("Moodle packs keys and passwords even so, here of: ")
    expect(survey).to_contain_text("Pond quiz")
    expect(survey).to_contain_text("These people are named as authors of files, and stay named: Tess Teacher")
    expect(teacher.main.get_by_label("Title")).to_have_value("Ponds and streams")
    stage.look(teacher.page, "share-course-3-survey")
    teacher.describe_and_share(licence="CC-BY-4.0")
    expect(teacher.main).to_contain_text("Waiting to begin")
    stage.look(teacher.page, "share-course-4-waiting")

    stage.run_tasks()
    expect(teacher.outcome()).to_contain_text("“Make a clean copy”")
    stage.look(teacher.page, "share-course-5-done")
    _told(teacher, "“Ponds and streams” is at the repository")

    teacher.open(teacher.page.url.removeprefix(stage.moodle.url))
    teacher.go_on("Open the draft at the repository")
    draft = teacher.page
    stage.look(draft, "share-course-6-draft")
    draft.get_by_role("button", name="Make a clean copy").click()
    way = draft.get_by_role("link", name="Go to the clean copy")
    wait_for(lambda: draft.reload() and way.is_visible(), "the clean copy", 60)
    way.click()
    button = draft.get_by_role("button", name=re.compile("^Confirm and release"))
    expect(button).to_be_visible()
    assert_accessible(draft)
    stage.look(draft, "share-course-7-clean")
    button.click()
    shared = _released(stage, draft)
    assert shared["title"] == "Ponds and streams"
    assert [author["name"] for author in shared["authors"]] == ["Tess Teacher"]


def test_a_section_is_public_at_once(stage: PluginStage, school: School) -> None:
    """Nothing stands against it: the quiz with the password is in another one."""
    teacher = stage.connected(school.teacher, stage.make_account())
    teacher.choose_to_share(school.course)
    section = teacher.main.get_by_role("listitem").filter(has_text="Field guide").first
    section.get_by_role("link", name="Share “").click()
    survey = teacher.survey()
    expect(survey).not_to_contain_text("Moodle packs keys")
    title = teacher.main.get_by_label("Title")
    title.fill("Running water")
    stage.look(teacher.page, "share-section-1-survey")
    teacher.describe_and_share(licence="CC-BY-SA-4.0", at_once=True)
    stage.run_tasks()
    expect(teacher.outcome()).to_contain_text("It is public at the repository now.")
    stage.look(teacher.page, "share-section-2-done")
    teacher.go_on("Its page at the repository")
    expect(teacher.page.get_by_role("heading", name="Running water")).to_be_visible()
    assert _released(stage, teacher.page)["licence"] == "CC-BY-SA-4.0"


def test_an_activity_from_its_own_page(stage: PluginStage, school: School) -> None:
    teacher = stage.connected(school.teacher, stage.make_account())
    teacher.open_activity(school.page, "page")
    teacher.choose_in_more("Share to the repository")
    teacher.survey()
    # All files inside have this one.
    expect(teacher.main.get_by_label("Licence", exact=True)).to_have_value("CC-BY-4.0")
    teacher.main.get_by_role("button", name="Share", exact=True).click()
    expect(teacher.main).to_contain_text("Confirm that you may share this.")
    stage.look(teacher.page, "share-activity-1-survey")
    teacher.describe_and_share(licence="CC-BY-4.0")
    stage.run_tasks()
    expect(teacher.outcome()).to_contain_text("open the draft, confirm them and release it")
    stage.look(teacher.page, "share-activity-2-done")
    teacher.go_on("Open the draft at the repository")
    teacher.page.get_by_role("button", name="Confirm and release").click()
    shared = _released(stage, teacher.page)
    stage.look(teacher.page, "share-activity-3-released")
    assert shared["title"] == "What lives in a pond"


def _told(teacher: PluginPages, subject: str) -> None:
    """By Moodle's own notification."""
    place = teacher.page.url
    teacher.open("/message/output/popup/notifications.php")
    expect(teacher.page.get_by_text(subject).first).to_be_visible()
    teacher.page.goto(place)


def _released(stage: PluginStage, page: Page) -> dict[str, Any]:
    """What everybody sees of the resource whose page it is."""
    expect(page.get_by_text("Only you see this version")).to_have_count(0, timeout=60_000)
    found = re.search(r"/resources/[0-9a-f-]{36}", page.url)
    assert found is not None
    answer = httpx.get(f"{stage.repository.url}/api/v1{found[0]}", verify=False)
    shared: dict[str, Any] = answer.raise_for_status().json()
    return shared
