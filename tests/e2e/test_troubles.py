"""What a teacher reads in a stock Moodle when a share cannot be taken: a sentence that says what to do.

Moodle shows the first 120 characters of the answer within an error of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import School, Stage
from tests.e2e.moodle_pages import MoodlePages
from tests.e2e.repository import sign_in
from tests.e2e.site import Login

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


class Sharing:
    """A teacher at the page of an activity, who shared it once already."""

    def __init__(self, pages: MoodlePages, school: School) -> None:
        self.pages = pages
        self.school = school

    def first(self, tess: Login) -> None:
        """Connect, and share."""
        self.again(lambda popup: self.connect(popup, tess))

    @staticmethod
    def connect(popup: Page, tess: Login) -> None:
        """Sign in and allow."""
        sign_in(popup, tess)
        popup.get_by_role("button", name="Allow", exact=True).click()

    def again(self, consent: Callable[[Page], None] | None = None) -> str:
        """Share once more, and arrive."""
        self.pages.open_activity(self.school.page, "page")
        return self.pages.saved_at(self.pages.share(consent))

    def refused(self) -> str:
        """Share once more, and do not arrive: what Moodle says."""
        self.pages.open_activity(self.school.page, "page")
        self.pages.share()
        return self.pages.refusal()


@pytest.fixture
def sharing(stage: Stage, school: School) -> Sharing:
    """The teacher."""
    return Sharing(stage.at_moodle(school.teacher), school)


def test_a_site_that_was_disconnected_is_connected_anew(stage: Stage, sharing: Sharing) -> None:
    tess = stage.make_account()
    sharing.first(tess)
    ours = stage.open_window()
    ours.goto(f"{stage.repository.url}/sign-in")
    sign_in(ours, tess)
    ours.get_by_role("link", name="My account").click()
    ours.get_by_role("link", name="page of their own").click()
    stage.look(ours, "trouble-1-connected")
    ours.get_by_role("button", name="Disconnect").click()
    assert (
        "You are logged out of the repository. Log out of Moodle, log in and share again."
        in sharing.refused()
    )
    stage.look(sharing.pages.page, "trouble-2-disconnected")
    # And that is what helps.
    sharing.pages.log_out()
    sharing.pages.log_in(sharing.school.teacher)
    sharing.again(lambda popup: popup.get_by_role("button", name="Allow", exact=True).click())


def test_an_account_that_is_blocked(stage: Stage, sharing: Sharing) -> None:
    tess = stage.make_account()
    sharing.first(tess)
    stage.repository.repo("account", "block", tess.username)
    said = sharing.refused()
    stage.look(sharing.pages.page, "trouble-3-blocked")
    assert "Your account or Moodle is blocked here. Ask the people who run the repository." in said


def test_no_space_left_for_the_account(stage: Stage, sharing: Sharing) -> None:
    tess = stage.make_account("--quota", "5000")  # for one page, and not for two
    sharing.first(tess)
    said = sharing.refused()
    stage.look(sharing.pages.page, "trouble-4-quota")
    assert "Your space in the repository is full. Withdraw something there, then share again." in said


def test_the_service_is_down(stage: Stage, sharing: Sharing) -> None:
    """What stands before it is there: that tells it, and once it is up again a share arrives."""
    tess = stage.make_account()
    sharing.first(tess)
    with stage.repository.stopped():
        said = sharing.refused()
        stage.look(sharing.pages.page, "trouble-5-down")
    assert "The repository is not there at the moment. Try again in a few minutes." in said
    sharing.again()
