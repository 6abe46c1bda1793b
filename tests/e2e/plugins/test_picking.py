"""The repository in Moodle's file picker: browse, search, copy, shortcut, link, and a backup to restore."""

from __future__ import annotations

import hashlib
import re

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import School
from tests.e2e.plugins.conftest import PluginStage
from tests.e2e.plugins.pages import As, FilePicker, PluginPages
from tests.e2e.repository import sign_in_and_allow
from tests.e2e.test_sharing import PDF

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def _share(stage: PluginStage, school: School) -> str:
    """The title of a file that nobody asked for yet: answers are kept for a while."""
    title = f"Amphibians of course {school.course}"
    stage.repository.share(
        PDF,
        file_name="amphibians.pdf",
        title=title,
        licence="CC-BY-NC-SA-4.0",
        subjects=["0511"],
        authors=[{"name": "Ada Lehrer"}, {"name": "Olena"}],
    )
    return title


def _open_form(teacher: PluginPages, module: str, courseid: int, name: str) -> None:
    """Of a new activity."""
    teacher.open(f"/course/modedit.php?add={module}&course={courseid}&section=1")
    teacher.page.get_by_role("textbox", name="Name", exact=True).fill(name)


def _save(teacher: PluginPages) -> None:
    teacher.page.get_by_role("button", name="Save and return to course").click()
    expect(teacher.page).to_have_url(re.compile(r"/course/view\.php"))


def test_a_copy_has_the_licence_and_the_authors(stage: PluginStage, school: School) -> None:
    title = _share(stage, school)
    teacher = stage.at_moodle(school.teacher)
    _open_form(teacher, "resource", school.target, "A copy")
    picker = FilePicker(teacher.page, "Add...")
    assert picker.titles() == ["Newest", "Subjects", "Levels", "Types", "My shares"]
    stage.look(teacher.page, "picker-1-folders")
    picker.enter("Newest")
    assert any(found.startswith(title) for found in picker.titles())
    picker.search(title)
    stage.look(teacher.page, "picker-2-found")
    box = picker.choose(title)
    expect(box.get_by_label("Author")).to_have_value("Ada Lehrer, Olena")
    expect(box.locator(".fp-setlicense select")).to_have_value("cc-nc-sa-4.0")
    stage.look(teacher.page, "picker-3-chosen")
    picker.take(box, As.COPY)
    _save(teacher)

    course = stage.contents(school.target)
    ((place, *told),) = course["files"]
    assert place == "mod_resource/content/amphibians.pdf"
    assert told == [hashlib.sha1(PDF).hexdigest(), "cc-nc-sa-4.0", "Ada Lehrer, Olena"]


def test_a_shortcut_shows_the_file(stage: PluginStage, school: School) -> None:
    title = _share(stage, school)
    teacher = stage.at_moodle(school.teacher)
    _open_form(teacher, "resource", school.target, "A shortcut")
    picker = FilePicker(teacher.page, "Add...")
    picker.search(title)
    picker.take(picker.choose(title), As.SHORTCUT)
    stage.look(teacher.page, "picker-4-shortcut")
    _save(teacher)

    link = teacher.page.get_by_role("main").get_by_role("link", name="A shortcut").first
    shown = teacher.page.request.get(f"{link.get_attribute('href')}&redirect=1")
    assert shown.body() == PDF
    ((_, *told),) = stage.contents(school.target)["files"]
    assert told == [hashlib.sha1(PDF).hexdigest(), "cc-nc-sa-4.0", "Ada Lehrer, Olena"]


def test_a_link_leads_to_the_page_of_the_resource(stage: PluginStage, school: School) -> None:
    title = _share(stage, school)
    teacher = stage.at_moodle(school.teacher)
    _open_form(teacher, "url", school.target, "A link")
    picker = FilePicker(teacher.page, "Choose a link...")
    picker.search(title)
    picker.take(picker.choose(title), As.LINK)
    address = teacher.page.get_by_label("External URL").input_value()
    assert re.fullmatch(rf"{stage.repository.url}/resources/[0-9a-f-]{{36}}", address)
    _save(teacher)
    page = stage.open_window()
    page.goto(address)
    expect(page.get_by_role("heading", name=title)).to_be_visible()


def test_ones_own_drafts(stage: PluginStage, school: School) -> None:
    """A window asks for the account; nothing that only its owner sees can be a shortcut."""
    tess = stage.make_account()
    sharing = stage.connected(school.teacher, tess)
    sharing.open_activity(school.page, "page")
    sharing.choose_in_more("Share to the repository")
    sharing.describe_and_share(licence="CC-BY-4.0")
    stage.run_tasks()
    sharing.open_account()
    sharing.main.get_by_role("button", name="Disconnect").click()

    teacher = stage.at_moodle(school.teacher)
    _open_form(teacher, "resource", school.target, "My draft")
    picker = FilePicker(teacher.page, "Add...")
    picker.enter("My shares")
    with teacher.page.expect_popup() as opened:
        picker.box.get_by_role("button", name="Log in to your account").click()
    sign_in_and_allow(opened.value, tess)
    picker.enter("My shares")
    stage.look(teacher.page, "picker-5-mine")
    title = "What lives in a pond"
    box = picker.choose(title)
    box.locator(f".{As.SHORTCUT.value} input").check()
    box.locator(".fp-select-confirm").click()
    refusal = teacher.page.locator(".moodle-dialogue").filter(has_text="so it cannot be linked to").last
    expect(refusal).to_be_visible()
    stage.look(teacher.page, "picker-6-refused")
    refusal.locator("button.closebutton").click()
    picker.start_again(box)
    picker.take(picker.choose(title), As.COPY)
    _save(teacher)
    ((place, *_),) = stage.contents(school.target)["files"]
    assert place == "mod_resource/content/What_lives_in_a_pond.mbz"


def test_a_backup_is_picked_and_restored(stage: PluginStage, school: School) -> None:
    """In the form of Moodle's own restore."""
    teacher = stage.connected(school.teacher, stage.make_account())
    teacher.open_activity(school.page, "page")
    teacher.choose_in_more("Share to the repository")
    title = f"A pond of course {school.course}"
    teacher.main.get_by_label("Title").fill(title)
    teacher.describe_and_share(licence="CC-BY-4.0", at_once=True)
    stage.run_tasks()
    expect(teacher.outcome()).to_contain_text("It is public at the repository now.")

    context = stage.contents(school.target)["context"]
    teacher.open(f"/backup/restorefile.php?contextid={context}")
    picker = FilePicker(teacher.page, "Choose a file...")
    picker.search(title)
    stage.look(teacher.page, "picker-7-backups")
    picker.take(picker.choose(title))
    teacher.page.get_by_role("button", name="Restore", exact=True).first.click()
    teacher.restore()
    stage.look(teacher.page, "picker-8-restored")
    source, restored = (stage.contents(id_) for id_ in (school.course, school.target))
    assert ["page: What lives in a pond"] in [activities for _, activities in restored["outline"]]
    assert restored["files"] == [file for file in source["files"] if file[0].startswith("mod_page")] != []
