"""From a stock Moodle and back, as people go: by its own pages and ours in a real browser.

``make e2e`` with a site to use (CONTRIBUTING.md). Pictures of each step are in ``build/e2e``.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import School
from tests.e2e.moodle_pages import MoodlePages
from tests.e2e.repository import Repository, sign_in
from tests.e2e.site import MoodleSite

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

Look = Callable[[Page, str], None]


def test_walk(
    window: Callable[[], Page], moodle: MoodleSite, connected: Repository, school: School, look: Look
) -> None:
    tess = connected.make_account(window(), "tess", "--name", "Tess Teacher")
    teacher = MoodlePages(moodle, window())
    teacher.log_in(school.teacher)
    teacher.open_activity(school.page, "page")

    def consent(popup: Page) -> None:
        look(popup, "popup-1-sign-in")
        sign_in(popup, tess)
        look(popup, "popup-2-consent")
        popup.get_by_role("button", name="Allow", exact=True).click()

    dialog = teacher.share(consent)
    address = teacher.saved_at(dialog)
    look(teacher.page, "share-1-saved")
    with teacher.page.expect_popup() as opened:
        dialog.get_by_role("link", name="Go to MoodleNet drafts").click()
    draft = opened.value
    expect(draft).to_have_url(address)
    look(draft, "draft-1")
