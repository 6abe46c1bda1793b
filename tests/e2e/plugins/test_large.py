"""A course of 600 MB out and in by the plugin: neither side holds it in memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import School
from tests.e2e.plugins.conftest import PluginStage

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2400)]

_MEBIBYTES = 600
_MEMORY = 150
"""Mebibytes that no process of the service may need more meanwhile: as for the stock road."""
_MEMORY_OF_PHP = 150
"""Mebibytes that Moodle's task may hold in all, much less than the course. Moodle alone needs some 80."""
_SECONDS = 900


def test_a_large_course_goes_out_and_in(stage: PluginStage, make_school: Callable[[int], School]) -> None:
    school = make_school(_MEBIBYTES)
    teacher = stage.connected(school.teacher, stage.make_account())
    teacher.open(f"/local/resourcerepo/share.php?whole={school.course}")
    title = f"A large course {school.course}"
    teacher.main.get_by_label("Title").fill(title)
    teacher.describe_and_share(licence="CC-BY-4.0")
    with stage.repository.running.within(mebibytes=_MEMORY, seconds=_SECONDS):
        out = stage.run_tasks(seconds=_SECONDS)
    expect(teacher.outcome()).to_contain_text("It arrived as a draft.")
    stage.look(teacher.page, "large-1-shared")

    teacher.open_course(school.target)
    teacher.choose_in_more("Add from the repository")
    teacher.main.get_by_role("link", name="My own, with drafts").click()
    teacher.main.get_by_role("link", name=title).click()
    stage.look(teacher.page, "large-2-resource")
    teacher.add_all()
    with stage.repository.running.within(mebibytes=_MEMORY, seconds=_SECONDS):
        back = stage.run_tasks(seconds=_SECONDS)
    expect(teacher.outcome()).to_contain_text("It is in your course.")
    stage.look(teacher.page, "large-3-added")
    print(f"PHP held {out:.0f} MiB on the way out, {back:.0f} MiB on the way in")
    assert max(out, back) < _MEMORY_OF_PHP

    source, added = (stage.contents(id_) for id_ in (school.course, school.target))
    assert added["outline"] == source["outline"]
    recordings = [[file for file in course["files"] if "recording" in file[0]] for course in (source, added)]
    assert recordings[0] == recordings[1] != []
