"""Fixtures of the tests that need a running Moodle."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from tests.e2e.moodle_pages import MoodlePages
from tests.e2e.repository import Repository, repository_at
from tests.e2e.site import Login, MoodleSite

NETWORK = "Resources of our network"
"""What the administrator calls the service."""

SIZE: ViewportSize = {"width": 1280, "height": 900}
PICTURES = Path("build/e2e")
expect.set_options(timeout=30_000)  # Moodle is slow where it runs for tests
_CONTEXTS = pytest.StashKey[list[BrowserContext]]()


@pytest.fixture(scope="session")
def moodle() -> MoodleSite:
    """The site to test against."""
    site = MoodleSite.from_environment()
    if site is None:
        pytest.skip("no Moodle to test against: set MOODLE_DIR to the folder of one, and MOODLE_URL")
    return site


@pytest.fixture(scope="session")
def administrator(moodle: MoodleSite) -> Login:
    """Somebody who may set up the site."""
    if moodle.administrator is None or not moodle.url:
        pytest.skip("walking through Moodle's pages needs MOODLE_URL, and MOODLE_ADMIN=user:password")
    return moodle.administrator


@pytest.fixture(scope="session")
def authority(moodle: MoodleSite) -> trustme.CA:
    """Who vouches for the service before the site."""
    if moodle.authority is None:
        pytest.skip("Moodle talks TLS only: set MOODLE_CA and MOODLE_CA_KEY to a CA that its PHP trusts")
    return moodle.authority


_SHARES_COURSES = 2023100900
"""Version of Moodle 4.3, the first whose own sharing knows courses and remembers what was shared."""
_OF_THE_BACKUPS = 2024100700
"""Version of Moodle 4.5, which made most backups of the corpus."""


@pytest.fixture(scope="session")
def release(moodle: MoodleSite) -> float:
    """The site's version, as in its version.php."""
    return float(moodle.run("plugins.php")["version"])


@pytest.fixture(scope="session")
def sharing_of_courses(release: float) -> None:
    """Skips what older Moodles do not have."""
    if release < _SHARES_COURSES:
        pytest.skip("Moodle itself shares courses, and lists what was shared, since 4.3")


@pytest.fixture(scope="session")
def as_new_as_the_backups(release: float) -> None:
    """Skips where Moodle would remark on that alone, and does not have all that they hold."""
    if release < _OF_THE_BACKUPS:
        pytest.skip("the backups are of Moodle 4.5, and the site is older")


@dataclass(frozen=True)
class School:
    """What ``php/school.php`` made: a teacher who may edit ``course``, which is full, and ``target``. Of
    ``courses`` all are deleted at the end."""

    teacher: Login
    course: int
    target: int
    courses: list[int]
    page: int
    quiz: int
    file: int


@pytest.fixture
def make_school(moodle: MoodleSite) -> Iterator[Callable[[int], School]]:
    """Makes one that holds so many mebibytes; all are gone after the test."""
    made = []

    def make(mebibytes: int) -> School:
        found = moodle.run("school.php", "make", str(mebibytes))
        made.append(found)
        teacher = Login(found["teacher"]["username"], found["teacher"]["password"])
        return School(teacher, found["course"], found["target"], found["courses"], **found["cmids"])

    yield make
    for found in made:
        moodle.run("school.php", "remove", json.dumps(found))


@pytest.fixture
def school(make_school: Callable[[int], School]) -> School:
    """A small one."""
    return make_school(0)


@pytest.fixture(scope="session")
def repository(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """The service that all tests share; each has accounts of its own."""
    with repository_at(tmp_path_factory.mktemp("repository"), authority) as service:
        yield service


@pytest.fixture
def watch() -> Callable[[BrowserContext], None]:
    """What is looked at in each browser beside what a test asks for: nothing."""
    return lambda context: None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Takes a picture of every page that is open where a test failed."""
    report = yield
    if report.failed and report.when != "teardown":
        pages = [page for context in item.stash.get(_CONTEXTS, []) for page in context.pages]
        for number, page in enumerate(pages):
            page.screenshot(path=PICTURES / f"failed-{item.name}-{number}.png", full_page=True)
    return report


@pytest.fixture
def window(
    request: pytest.FixtureRequest, chromium: Browser, watch: Callable[[BrowserContext], None]
) -> Iterator[Callable[[], Page]]:
    """Opens the browser of one more person."""
    contexts = request.node.stash[_CONTEXTS] = list[BrowserContext]()

    def open_window() -> Page:
        # The browser trusts none of the test's authorities; that Moodle does is what is tested.
        context = chromium.new_context(viewport=SIZE, locale="en-GB", ignore_https_errors=True)
        context.set_default_timeout(30_000)
        contexts.append(context)
        watch(context)
        return context.new_page()

    yield open_window
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def look() -> Callable[[Page, str], None]:
    """Takes a picture of what a person sees, into ``build/e2e``."""
    PICTURES.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> None:
        page.wait_for_load_state()
        page.bring_to_front()  # what stands behind another is not drawn
        page.screenshot(path=PICTURES / f"{name}.png")

    return take


@pytest.fixture(scope="session")
def connected(
    administrator: Login,
    repository: Repository,
    chromium: Browser,
    moodle: MoodleSite,
    look: Callable[[Page, str], None],
) -> Iterator[Repository]:
    """The service, set up on the site by an administrator through Moodle's own pages; put back at the end."""
    before = moodle.run("settings.php", "read")
    moodle.run("settings.php", "write", with_core(before, **AT_ONCE))
    context = chromium.new_context(viewport=SIZE, locale="en-GB", ignore_https_errors=True)
    context.set_default_timeout(30_000)
    try:
        set_up(MoodlePages(moodle, context.new_page()), administrator, repository, look)
        yield repository
    finally:
        context.close()
        moodle.run("settings.php", "write", json.dumps(before))


AT_ONCE = {"enableasyncbackup": "0"}
"""Moodle's own restore shows its end, and leaves nothing to cron."""


def with_core(settings: dict[str, Any], **core: str) -> str:
    """What ``php/settings.php`` read, with other values of Moodle's own settings, for it to write."""
    values = {**settings["values"], "core": {**settings["values"]["core"], **core}}
    return json.dumps({**settings, "values": values})


@dataclass(frozen=True)
class Stage:
    """A Moodle that the service is set up on, and people's browsers."""

    moodle: MoodleSite
    repository: Repository
    open_window: Callable[[], Page]
    look: Callable[[Page, str], None]

    def at_moodle(self, who: Login) -> MoodlePages:
        """A person who logged in there, in a browser of their own."""
        pages = MoodlePages(self.moodle, self.open_window())
        pages.log_in(who)
        return pages

    def contents(self, courseid: int) -> dict[str, Any]:
        """What a course holds: see ``php/course.php``."""
        found: dict[str, Any] = self.moodle.run("course.php", str(courseid))
        return found

    def make_account(self, *options: str) -> Login:
        """A person's account at the service; ``options`` are those of ``repo account create``."""
        username = f"tess-{secrets.token_hex(4)}"
        return self.repository.make_account(self.open_window(), username, "--name", "Tess Teacher", *options)


@pytest.fixture
def stage(
    moodle: MoodleSite,
    connected: Repository,
    window: Callable[[], Page],
    look: Callable[[Page, str], None],
) -> Stage:
    """Where all of it is walked."""
    return Stage(moodle, connected, window, look)


def set_up(
    pages: MoodlePages, administrator: Login, repository: Repository, look: Callable[[Page, str], None]
) -> None:
    """The road of ``docs/moodle.md``, page by page."""
    page = pages.page
    pages.log_in(administrator)

    pages.allow_loopback(repository.port)

    pages.open_administration("Development", "Experimental")
    page.get_by_label("Enable sharing to MoodleNet").check()
    pages.save_settings()

    pages.open_administration("Server", "OAuth 2 services")
    page.get_by_role("button", name="MoodleNet").click()
    page.get_by_role("textbox", name="Name", exact=True).fill(NETWORK)
    page.get_by_role("textbox", name="Service base URL").fill(repository.url)
    look(page, "admin-1-service")
    pages.save_settings()
    look(page, "admin-2-services")

    pages.open_administration("General", "MoodleNet outbound settings")
    page.get_by_label("OAuth 2 service").select_option(label=NETWORK)
    look(page, "admin-3-outbound")
    pages.save_settings()

    pages.open_administration("General", "MoodleNet inbound settings")
    page.get_by_role("textbox", name="MoodleNet URL").fill(repository.url)
    page.get_by_role("textbox", name="MoodleNet instance name").fill(NETWORK)
    look(page, "admin-4-inbound")
    pages.save_settings()

    pages.open_administration("Courses", "Activity chooser settings")
    page.get_by_label("Activity chooser footer").select_option(label="MoodleNet")
    pages.save_settings()
