"""A course of 600 MB by Moodle's own share: neither side holds it in memory."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import School, Stage
from tests.e2e.repository import sign_in
from tests.e2e.site import Login

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

_MEBIBYTES = 600
_MEMORY = 150
"""Mebibytes that no process of the service may need more while it takes the course and looks inside. What is
loaded when pages are shown for the first time is some 65 of it."""


def test_a_large_course_streams_through(
    stage: Stage, sharing_of_courses: None, administrator: Login, make_school: Callable[[int], School]
) -> None:
    """Moodle is not measured: PHP ends what needs more than its limit, which is less than the course."""
    set_up = stage.at_moodle(administrator)
    set_up.open("/admin/phpinfo.php")
    limit = set_up.page.get_by_role("row", name="memory_limit").get_by_role("cell").nth(1).inner_text()
    assert limit.endswith("M"), limit
    assert int(limit[:-1]) < _MEBIBYTES
    school = make_school(_MEBIBYTES)
    tess = stage.make_account()
    teacher = stage.at_moodle(school.teacher)
    teacher.open_course(school.course)

    def consent(popup: Page) -> None:
        sign_in(popup, tess)
        popup.get_by_role("button", name="Allow", exact=True).click()

    with stage.repository.running.within(mebibytes=_MEMORY, seconds=900):
        address = teacher.saved_at(teacher.share(consent), seconds=600)
        draft = stage.open_window()
        draft.goto(address)
        sign_in(draft, tess)
        expect(draft.get_by_role("button", name="Release a clean copy")).to_be_visible(timeout=240_000)
    stage.look(draft, "large-draft")
    (size,) = draft.get_by_text(re.compile(r"^\s*\d+(\.\d+)? MB\s*$")).all_inner_texts()
    assert float(size.split()[0]) > _MEBIBYTES
