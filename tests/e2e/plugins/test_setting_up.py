"""From nothing to a connected account, as ``docs/moodle-plugins.md`` tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
import trustme
from playwright.sync_api import Page, expect

from tests.e2e.conftest import School, Stage
from tests.e2e.plugins.conftest import PluginStage
from tests.e2e.plugins.pages import approve
from tests.e2e.repository import Repository, repository_at, sign_in
from tests.e2e.site import Login, MoodleSite
from tests.web.accessibility import assert_accessible

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def service(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """One that lets no site in without its administrators."""
    folder = tmp_path_factory.mktemp("careful")
    with repository_at(folder, authority, client_approval="administrator") as careful:
        yield careful


@pytest.fixture
def stage(
    before: None,
    with_plugins: MoodleSite,
    service: Repository,
    window: Callable[[], Page],
    look: Callable[[Page, str], None],
) -> PluginStage:
    """Where nothing is set up yet."""
    return PluginStage(with_plugins, service, window, look)


def test_an_administrator_sets_it_up_and_a_teacher_connects(
    stage: PluginStage, administrator: Login, school: School
) -> None:
    pages = stage.at_moodle(administrator)
    page = pages.page

    pages.allow_loopback(443)  # and not the service's port
    pages.set_address("http://resources.example.org")
    expect(page.get_by_text("Enter an address that begins with https://")).to_be_visible()
    pages.set_address(stage.repository.url)
    expect(page.get_by_text("Changes saved")).to_be_visible()
    stage.look(page, "setup-1-settings")

    expect(pages.test_connection()).to_contain_text("its cURL security blocks the host or the port")
    stage.look(page, "setup-2-blocked")
    pages.allow_loopback(stage.repository.port)
    said = pages.test_connection()
    expect(said).to_contain_text(f"The repository answers at {stage.repository.url}")
    expect(said).to_contain_text("This site is not registered yet")
    pages.register()
    stage.look(page, "setup-3-registered")
    expect(pages.test_connection()).to_contain_text("This site is registered there")

    tess = stage.make_account()
    teacher = stage.at_moodle(school.teacher)
    teacher.open_account()
    stage.look(teacher.page, "setup-4-account")
    teacher.main.get_by_role("link", name="Connect my account").click()
    sign_in(teacher.page, tess)
    expect(teacher.page.get_by_role("heading", name="Not approved yet")).to_be_visible()
    stage.look(teacher.page, "setup-5-not-approved")

    _approve(stage)
    teacher.open_account()
    teacher.main.get_by_role("link", name="Connect my account").click()
    teacher.page.get_by_role("button", name="Do not allow").click()
    expect(teacher.main).to_contain_text("You did not allow this site to use your account")
    stage.look(teacher.page, "setup-6-refused")

    def consent(asked: Page) -> None:
        expect(asked.get_by_role("heading", name="Connect this site?")).to_be_visible()
        assert_accessible(asked)
        stage.look(asked, "setup-7-question")
        asked.get_by_role("button", name="Allow", exact=True).click()

    teacher.connect(consent)
    stage.look(teacher.page, "setup-8-connected")
    expect(teacher.main).to_contain_text("You are connected to 127.0.0.1 as Tess Teacher")
    teacher.main.get_by_role("button", name="Disconnect").click()
    expect(teacher.page.get_by_text("Your account is not connected any more")).to_be_visible()


def _approve(stage: Stage) -> None:
    """By an administrator of the repository, in a browser of their own."""
    window = stage.open_window()
    stage.repository.make_account(window, "head", "--role", "administrator")
    approve(window, stage.repository, urlsplit(stage.moodle.url).hostname or "")
    stage.look(window, "setup-5b-approved")
