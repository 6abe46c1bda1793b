"""What a teacher reads when something goes wrong: what to do. And nothing half-done is in a course."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from playwright.sync_api import Locator, expect

from tests.e2e.conftest import School
from tests.e2e.crafting import Backup
from tests.e2e.plugins.conftest import PluginStage
from tests.e2e.plugins.pages import PluginPages
from tests.e2e.repository import Repository, repository_at, sign_in
from tests.e2e.site import Login

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

_TIME_OUT = 90_000
"""Milliseconds after which a page has given up waiting for the repository (``http::TIMEOUT``)."""


@pytest.fixture(scope="module")
def service(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """One that takes no large files, and that may be stopped."""
    folder = tmp_path_factory.mktemp("troubled")
    with repository_at(folder, authority, max_upload_size="3000000") as troubled:
        yield troubled


@pytest.fixture
def tess(stage: PluginStage) -> Login:
    """The teacher's account at the repository."""
    return stage.make_account()


def _begin_to_share(teacher: PluginPages, cmid: int) -> None:
    teacher.open_activity(cmid, "page")
    teacher.choose_in_more("Share to the repository")
    teacher.survey()


def _shared(stage: PluginStage, teacher: PluginPages, school: School) -> tuple[str, Path]:
    """The title of the school's course that was shared, and its file in the store."""
    teacher.choose_to_share(school.course)
    teacher.main.get_by_role("link", name="Share the whole course").click()
    title = f"Troubles of course {school.course}"
    teacher.main.get_by_label("Title").fill(title)
    teacher.describe_and_share(licence="CC-BY-4.0", at_once=True)
    stage.run_tasks()
    expect(teacher.outcome()).to_contain_text("It is public at the repository now.")
    return title, _blob(stage.repository, title)


def _blob(repository: Repository, title: str) -> Path:
    """The newest version of a resource, in the store."""
    found = repository.running.client.get("/api/v1/resources", params={"q": f'"{title}"'}).json()["items"]
    digest: str = found[0]["versions"][0]["sha256"]
    return repository.running.data / "store" / "blobs" / digest[:2] / digest[2:4] / digest


def test_the_repository_is_down(stage: PluginStage, school: School, tess: Login) -> None:
    teacher = stage.connected(school.teacher, tess)
    _begin_to_share(teacher, school.page)
    teacher.describe_and_share(licence="CC-BY-4.0")
    with stage.repository.stopped():
        stage.run_tasks()
        said = teacher.outcome()
        expect(said).to_contain_text("cannot be reached at the moment")
        expect(said).to_contain_text("It is tried again at")
        stage.look(teacher.page, "trouble-1-waiting")
        job = teacher.page.url
        for place in (f"share.php?whole={school.course}", f"find.php?course={school.course}"):
            teacher.open(f"/local/resourcerepo/{place}")
            expect(teacher.main).to_contain_text(
                "cannot be reached at the moment. Try again in a few minutes"
            )
            stage.look(teacher.page, f"trouble-2-{place.partition('.')[0]}")
    teacher.main.get_by_role("link", name="Try again").click()
    expect(teacher.main.get_by_text("Resources found: ")).to_be_visible()
    stage.run_tasks()  # by itself
    teacher.page.goto(job)
    expect(teacher.main).to_contain_text("It arrived as a draft.")


def test_the_repository_is_slow(stage: PluginStage, school: School, tess: Login) -> None:
    teacher = stage.connected(school.teacher, tess)
    teacher.page.set_default_timeout(_TIME_OUT)
    processes = stage.repository.running.web()
    for process in processes:
        process.suspend()
    try:
        teacher.page.set_default_navigation_timeout(_TIME_OUT)
        teacher.open(f"/local/resourcerepo/share.php?cmid={school.page}")
        expect(teacher.main).to_contain_text("took too long to answer. Try again in a few minutes.")
        stage.look(teacher.page, "trouble-3-slow")
    finally:
        for process in processes:
            process.resume()
    teacher.main.get_by_role("link", name="Try again").click()
    teacher.survey()


def test_no_space_left_for_the_account(stage: PluginStage, school: School) -> None:
    teacher = stage.connected(school.teacher, stage.make_account("--quota", "2000"))
    said = _refused(stage, teacher, school.page)
    expect(said).to_contain_text("The repository refused this.")
    expect(said).to_contain_text("quota")
    stage.look(teacher.page, "trouble-4-quota")
    expect(teacher.main.get_by_role("button", name="Try again")).to_be_visible()


def test_too_large_for_the_repository(
    stage: PluginStage, make_school: Callable[[int], School], tess: Login
) -> None:
    school = make_school(4)
    teacher = stage.connected(school.teacher, tess)
    teacher.open(f"/local/resourcerepo/share.php?whole={school.course}")
    teacher.describe_and_share(licence="CC-BY-4.0")
    stage.run_tasks()
    said = teacher.outcome()
    expect(said).to_contain_text("The repository refused this.")
    stage.look(teacher.page, "trouble-5-too-large")


def test_the_connection_is_ended_at_the_repository(stage: PluginStage, school: School, tess: Login) -> None:
    teacher = stage.connected(school.teacher, tess)
    _begin_to_share(teacher, school.page)
    teacher.describe_and_share(licence="CC-BY-4.0")
    ours = stage.open_window()
    ours.goto(f"{stage.repository.url}/sign-in")
    sign_in(ours, tess)
    ours.get_by_role("link", name="My account").click()
    ours.get_by_role("link", name="page of their own").click()
    ours.get_by_role("button", name="Disconnect").click()

    stage.run_tasks()
    expect(teacher.outcome()).to_contain_text("the permission was withdrawn or has run out")
    stage.look(teacher.page, "trouble-6-revoked")
    teacher.go_on("Connect my account")
    teacher.main.get_by_role("link", name="Connect my account").click()
    teacher.page.get_by_role("button", name="Allow", exact=True).click()
    # Back where they were.
    teacher.go_on("Try again")
    stage.run_tasks()
    expect(teacher.outcome()).to_contain_text("It arrived as a draft.")


def test_a_download_that_breaks_off(
    stage: PluginStage, make_school: Callable[[int], School], tess: Login
) -> None:
    """In the midst of the file, and nothing comes for a while after that. Then it works by itself."""
    school = make_school(1)
    teacher = stage.connected(school.teacher, tess)
    title, _ = _shared(stage, teacher, school)
    before = stage.contents(school.target)
    teacher.find(school.target, title)
    teacher.add_all()
    with stage.repository.cable.breaking(after=500_000):
        stage.run_tasks()
        said = teacher.outcome()
        expect(said).to_contain_text("broke off half-way, and trying again did not help. Nothing was kept.")
        expect(said).to_contain_text("It is tried again at")
        stage.look(teacher.page, "trouble-7-broken-off")
        assert stage.contents(school.target) == before
    stage.run_tasks()
    expect(teacher.outcome()).to_contain_text("It is in your course.")


def test_the_repository_has_lost_half_of_a_file(stage: PluginStage, school: School, tess: Login) -> None:
    """First it is tried again, then given up; and once the repository is whole again it works."""
    teacher = stage.connected(school.teacher, tess)
    title, blob = _shared(stage, teacher, school)
    before = stage.contents(school.target)
    whole = blob.read_bytes()
    teacher.find(school.target, title)
    teacher.add_all()
    try:
        blob.chmod(0o644)
        blob.write_bytes(whole[: len(whole) // 2])
        stage.run_tasks()
        expect(teacher.outcome()).to_contain_text("It is tried again at")
        stage.look(teacher.page, "trouble-8-broken")
        for _ in range(3):
            stage.run_tasks()
        expect(teacher.main.get_by_role("button", name="Try again")).to_be_visible()
        expect(teacher.outcome()).to_contain_text("has a problem. Try again in a few minutes")
        stage.look(teacher.page, "trouble-9-given-up")
        assert stage.contents(school.target) == before
    finally:
        blob.write_bytes(whole)
    stage.repository.repo("verify")
    teacher.go_on("Try again")
    stage.run_tasks()
    expect(teacher.outcome()).to_contain_text("It is in your course.")


def _crafted(
    stage: PluginStage, school: School, tess: Login, change: Callable[[Backup], Any], folder: Path
) -> str:
    """The title of a resource: the school's course with something wrong."""
    teacher = stage.connected(school.teacher, tess)
    title, blob = _shared(stage, teacher, school)
    backup = Backup(blob)
    change(backup)
    changed = f"{title}, changed"
    content = backup.write(folder / "changed.mbz").read_bytes()
    stage.repository.share(content, file_name="changed.mbz", title=changed, licence="CC-BY-4.0")
    return changed


def test_a_plugin_is_missing(stage: PluginStage, school: School, tess: Login, tmp_path: Path) -> None:
    title = _crafted(stage, school, tess, lambda backup: backup.rename_module("page", "nosuchmod"), tmp_path)
    teacher = stage.at_moodle(school.teacher)
    teacher.find(school.target, title)
    expect(teacher.main).to_contain_text("but something would be missing")
    expect(teacher.main).to_contain_text("(not on this site)")
    stage.look(teacher.page, "trouble-10-missing")
    teacher.add_all()
    stage.run_tasks()
    said = teacher.outcome()
    stage.look(teacher.page, "trouble-11-missing-done")
    expect(said).to_contain_text("It is in your course. Activities: 2")
    outline = [activities for _, activities in stage.contents(school.target)["outline"] if activities]
    assert outline == [["quiz: Pond quiz"], ["resource: Field guide"]]


def test_a_restore_that_fails_leaves_nothing(
    stage: PluginStage, school: School, tess: Login, tmp_path: Path
) -> None:
    """No number stands where the database wants one: Moodle sees it when the page is there already."""
    title = _crafted(
        stage,
        school,
        tess,
        lambda backup: backup.replace("<timelimit>0<", "<timelimit>never<", within="activities/"),
        tmp_path,
    )
    before = stage.contents(school.target)
    teacher = stage.at_moodle(school.teacher)
    teacher.find(school.target, title)
    teacher.add_all()
    stage.run_tasks()
    said: Locator = teacher.outcome()
    stage.look(teacher.page, "trouble-12-failed")
    expect(said).to_contain_text("Moodle could not restore this; what had been made of it was removed.")
    assert stage.contents(school.target) == before
    # And a part of it that is whole can be added.
    teacher.find(school.target, title)
    teacher.add_ticked("Field guide")
    stage.run_tasks()
    expect(teacher.outcome()).to_contain_text("It is in your course. Activities: 1")


def _refused(stage: PluginStage, teacher: PluginPages, cmid: int) -> Locator:
    _begin_to_share(teacher, cmid)
    teacher.describe_and_share(licence="CC-BY-4.0")
    stage.run_tasks()
    return teacher.outcome()
