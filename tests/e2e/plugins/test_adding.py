"""*Add from the repository*: a course, a new course, parts of one and a file, by the pages of a teacher."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import School
from tests.e2e.plugins.conftest import PluginStage
from tests.e2e.plugins.pages import id_in
from tests.e2e.site import Login, MoodleSite
from tests.e2e.test_sharing import PDF

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

_KEYS = {"SELF-KEY-oak-7731", "QUIZ-KEY-elm-4410"}


@pytest.fixture
def shared(stage: PluginStage, school: School) -> str:
    """The title of the school's course at the repository: shared at once, which leaves the keys out."""
    teacher = stage.connected(school.teacher, stage.make_account())
    teacher.choose_to_share(school.course)
    teacher.main.get_by_role("link", name="Share the whole course").click()
    title = f"Ponds of course {school.course}"
    teacher.main.get_by_label("Title").fill(title)
    teacher.describe_and_share(licence="CC-BY-4.0", at_once=True)
    stage.run_tasks()
    expect(teacher.outcome()).to_contain_text("It is public at the repository now.")
    return title


def test_all_of_a_course(stage: PluginStage, school: School, shared: str) -> None:
    teacher = stage.at_moodle(school.teacher)  # in a browser that has no account at the repository
    teacher.find(school.target, shared)
    expect(teacher.main).to_contain_text("It can be restored on this site")
    expect(teacher.main).to_contain_text("Sections: 4, activities: 3, questions: 3")
    stage.look(teacher.page, "add-course-1-resource")
    teacher.add_all()
    stage.look(teacher.page, "add-course-2-waiting")
    stage.run_tasks()
    expect(teacher.outcome()).to_contain_text("It is in your course. Activities: 3")
    stage.look(teacher.page, "add-course-3-done")
    teacher.go_on("Look at what was added")
    stage.look(teacher.page, "add-course-4-added")

    source, added = (stage.contents(id_) for id_ in (school.course, school.target))
    assert _same(added) == _same(source)
    assert sum(map(len, added["quizzes"].values())) == 3
    assert added["broken_images"] == []
    assert set(source["keys"].values()) == _KEYS
    assert added["keys"] == {}


def test_a_new_course(stage: PluginStage, administrator: Login, school: School, shared: str) -> None:
    """By somebody who may make courses."""
    pages = stage.at_moodle(administrator)
    pages.find(school.target, shared)
    pages.add_as_new_course()
    stage.run_tasks()
    expect(pages.outcome()).to_contain_text("Learners do not see it before you show it.")
    stage.look(pages.page, "add-new-1-done")
    made = id_in(pages.main.get_by_role("link", name="Look at what was added"))
    school.courses.append(made)
    pages.go_on("Look at what was added")
    stage.look(pages.page, "add-new-2-added")

    assert _same(stage.contents(made)) == _same(stage.contents(school.course))
    assert stage.contents(school.target)["files"] == []


def test_a_section_and_an_activity_of_another(stage: PluginStage, school: School, shared: str) -> None:
    teacher = stage.at_moodle(school.teacher)
    teacher.find(school.target, shared)
    teacher.add_ticked("Still water", "Field guide")
    stage.run_tasks()
    expect(teacher.outcome()).to_contain_text("It is in your course. Activities: 3, new sections: 1.")
    stage.look(teacher.page, "add-parts-1-done")

    source, added = (stage.contents(id_) for id_ in (school.course, school.target))
    assert added["outline"][-1] == ["Still water", ["page: What lives in a pond", "quiz: Pond quiz"]]
    assert [activities for _, activities in added["outline"][:-1] if activities] == [
        ["resource: Field guide"]
    ]
    assert added["quizzes"] == source["quizzes"]
    assert _of_activities(added) == _of_activities(source) != []


def test_a_file_keeps_its_licence_and_authors(stage: PluginStage, school: School) -> None:
    title = f"Newts of course {school.course}"
    stage.repository.share(
        PDF,
        file_name="newts.pdf",
        title=title,
        licence="CC-BY-SA-4.0",
        authors=[{"name": "Ada Lehrer"}, {"name": "Олена Коваль"}],
    )
    teacher = stage.at_moodle(school.teacher)
    teacher.find(school.target, title)
    stage.look(teacher.page, "add-file-1-resource")
    teacher.add_all()
    stage.run_tasks()
    expect(teacher.outcome()).to_contain_text("The file is in your course.")
    teacher.go_on("Look at what was added")
    stage.look(teacher.page, "add-file-2-added")

    added = stage.contents(school.target)
    assert [activities for _, activities in added["outline"] if activities] == [[f"resource: {title}"]]
    (file,) = _of_activities(added)
    assert file[1:] == [hashlib.sha1(PDF).hexdigest(), "cc-sa-4.0", "Ada Lehrer, Олена Коваль"]


@pytest.fixture
def german(moodle: MoodleSite) -> Iterator[Callable[[Login], None]]:
    """Makes somebody's pages German."""
    yield lambda who: moodle.run("german.php", "give", who.username)
    moodle.run("german.php", "take")


def test_in_german(stage: PluginStage, school: School, shared: str, german: Callable[[Login], None]) -> None:
    """The plugin's own words; Moodle's are German where the site has its language pack."""
    german(school.teacher)
    teacher = stage.at_moodle(school.teacher)
    teacher.open_course(school.target)
    teacher.page.locator(".secondary-navigation .dropdownmoremenu > a").click()
    teacher.page.get_by_role("menuitem", name="Aus dem Repositorium hinzufügen").click()
    teacher.main.get_by_label("Suchwörter").fill(shared)
    teacher.main.locator("form button").click()
    stage.look(teacher.page, "german-1-find")
    teacher.main.get_by_role("link", name=shared).click()
    stage.look(teacher.page, "german-2-resource")
    teacher.main.get_by_role("button", name="Alles zu").click()
    stage.look(teacher.page, "german-3-waiting")
    stage.run_tasks()
    expect(teacher.outcome()).to_contain_text("Es ist in Ihrem Kurs.")
    stage.look(teacher.page, "german-4-done")


def _same(course: dict[str, Any]) -> dict[str, Any]:
    """What has to arrive; the summaries of sections have no files here."""
    return {
        "outline": course["outline"],
        "quizzes": course["quizzes"],
        "files": _of_activities(course),
    }


def _of_activities(course: dict[str, Any]) -> list[list[str]]:
    return [file for file in course["files"] if file[0].startswith("mod_")]
