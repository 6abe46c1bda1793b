"""One activity, one section, one file out of a backup, over HTTP."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from repo_service.domain.resources import JobKind
from repo_service.models import Rendition
from tests.backups.test_cleaning import content_of
from tests.contract.support import problem_of, publish, share
from tests.inspection.support import inspect_backup
from tests.support.backups import Container, moodle1_backup
from tests.support.copies import flip, lose
from tests.support.private import private_backup
from tests.support.service import Service

_TEXT = b"grass, hare, fox\n"
_HASH = hashlib.sha1(_TEXT).hexdigest()


def _path(resource: dict[str, Any], what: str, number: int = 1) -> str:
    return f"/api/v1/resources/{resource['id']}/versions/{number}/{what}"


@pytest.fixture(params=["tgz", "zip"])
def package(request: pytest.FixtureRequest, tmp_path: Path) -> bytes:
    """A course without anything that stops a release."""
    container: Container = request.param
    return private_backup(
        tmp_path / "package.mbz", container=container, users=False, secrets=False
    ).read_bytes()


def test_parts_of_a_public_course_are_for_everybody(
    any_service: Service, package: bytes, tmp_path: Path
) -> None:
    resource = publish(any_service, any_service.member(), package, file_name="eco.mbz")
    public = any_service.client()
    for what, kind, title in (
        ("activities/100.mbz", "activity", "Food webs"),
        ("sections/21.mbz", "section", "Week one"),
    ):
        got = public.get(_path(resource, what))
        assert got.status_code == 200
        assert got.headers["Content-Length"] == str(len(got.data))
        assert got.mimetype == "application/vnd.moodle.backup"
        assert f'filename="{title}.mbz"' in got.headers["Content-Disposition"]
        assert got.headers["X-Content-Type-Options"] == "nosniff"
        path = tmp_path / "part.mbz"
        path.write_bytes(got.data)
        found = inspect_backup(path)
        assert (found.kind, found.title, found.files) == (kind, title, 1)
        assert content_of(path)[f"files/{_HASH[:2]}/{_HASH}"] == _TEXT

    got = public.get(_path(resource, f"files/{_HASH}/foodweb.txt"))
    assert (got.data, got.mimetype) == (_TEXT, "text/plain")
    assert got.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in got.headers["Content-Security-Policy"]


def test_ranges_and_conditions_are_answered(service: Service, package: bytes) -> None:
    resource = publish(service, service.member(), package, file_name="eco.mbz")
    public = service.client()
    for what in ("activities/100.mbz", f"files/{_HASH}/foodweb.txt"):
        path = _path(resource, what)
        whole = public.get(path)
        part = public.get(path, headers={"Range": "bytes=7-11"})
        assert (part.status_code, part.data) == (206, whole.data[7:12])
        last = public.get(path, headers={"Range": "bytes=-5"})
        assert last.data == whole.data[-5:]
        problem_of(public.get(path, headers={"Range": "bytes=999999999-"}), "invalid-range")
        etag = whole.headers["ETag"]
        assert public.get(path, headers={"If-None-Match": etag}).status_code == 304
        problem_of(public.get(path, headers={"If-Match": '"other"'}), "precondition-failed")
        head = public.head(path)
        assert (head.status_code, head.data) == (200, b"")
        assert head.headers["Content-Length"] == str(len(whole.data))


def test_parts_of_a_draft_are_its_owners(service: Service, package: bytes) -> None:
    teacher = service.member()
    resource = share(teacher, package, file_name="eco.mbz")
    parts = ("activities/100.mbz", "sections/21.mbz", f"files/{_HASH}/foodweb.txt")
    for what in parts:
        problem_of(teacher.get(_path(resource, what)), "not-inspected")
    service.work()
    other = service.member("other")
    for what in parts:
        assert teacher.get(_path(resource, what)).status_code == 200
        for somebody in (other, service.client()):
            problem_of(somebody.get(_path(resource, what)), "not-found")


def test_what_is_not_there_is_not_found(service: Service, package: bytes) -> None:
    resource = publish(service, service.member(), package, file_name="eco.mbz")
    public = service.client()
    for what in (
        "activities/9999.mbz",
        "sections/9999.mbz",
        f"files/{_HASH}/other.txt",
        f"files/{'0' * 40}/foodweb.txt",
        "files/moodle_backup.xml/moodle_backup.xml",
        f"files/{_HASH.upper()}/foodweb.txt",
    ):
        problem_of(public.get(_path(resource, what)), "not-found")
    problem_of(public.get(_path(resource, "activities/100.mbz", 7)), "not-found")


@pytest.mark.parametrize(
    ("what", "detail"),
    [
        ("activities/9.mbz", "This backup has no activity 9: the outline of its inspection has their ids."),
        ("sections/9.mbz", "This backup has no section 9: the outline of its inspection has their ids."),
        (
            f"files/{_HASH}/other.txt",
            "This backup has no such file: its licences list the SHA-1 and the name of each.",
        ),
    ],
)
def test_who_asks_for_what_is_not_there_is_told_where_to_look(
    what: str, detail: str, service: Service, package: bytes
) -> None:
    resource = publish(service, service.member(), package, file_name="eco.mbz")
    assert problem_of(service.client().get(_path(resource, what)), "not-found")["detail"] == detail


def test_what_holds_learners_or_keys_is_not_cut_up(service: Service, tmp_path: Path) -> None:
    teacher = service.member()
    for users in (True, False):
        path = private_backup(tmp_path / "private.mbz", users=users)
        resource = share(teacher, path.read_bytes(), file_name="eco.mbz")
        service.work()
        for what in ("activities/101.mbz", "sections/21.mbz", f"files/{_HASH}/foodweb.txt"):
            problem_of(teacher.get(_path(resource, what)), "blocking-findings")


def test_other_files_have_no_parts(service: Service, tmp_path: Path) -> None:
    teacher = service.member()
    notes = share(teacher)
    old = share(teacher, moodle1_backup(tmp_path / "old.mbz").read_bytes(), file_name="old.mbz")
    broken = share(teacher, b"no backup", file_name="broken.mbz")
    service.work()
    for file, code in ((notes, "conflict"), (old, "conflict"), (broken, "invalid-file")):
        problem_of(teacher.get(_path(file, "activities/1.mbz")), code)


def test_a_withdrawn_course_gives_no_parts(service: Service, package: bytes) -> None:
    teacher = service.member()
    resource = publish(service, teacher, package, file_name="eco.mbz")
    teacher.post(f"/api/v1/resources/{resource['id']}/withdraw", json={"reason": "Old."})
    problem_of(service.client().get(_path(resource, "activities/100.mbz")), "gone")


def test_parts_that_are_not_ready_yet_say_when_to_ask_again(service: Service, package: bytes) -> None:
    """Right after a release; asking once more after the job is done gives them."""
    teacher = service.member()
    resource = share(teacher, package, file_name="eco.mbz", licence="CC-BY-4.0", release=True)
    service.work(but=(JobKind.INDEX,))
    public = service.client()
    paths = [
        _path(resource, what)
        for what in ("activities/100.mbz", "sections/21.mbz", f"files/{_HASH}/foodweb.txt")
    ]
    for path in paths:
        answer = public.get(path)
        assert answer.status_code == 503
        problem = problem_of(answer, "not-indexed")
        assert answer.headers["Retry-After"] == str(problem["retry_after"])
        assert "try again" in problem["detail"]
        assert "Retry-After" in problem["advice"]
    service.work()
    assert [public.get(path).status_code for path in paths] == [200, 200, 200]


@pytest.mark.parametrize("kind", ["contents", "seek-index"])
@pytest.mark.parametrize("spoil", [lose, flip])
def test_renditions_that_are_lost_are_made_again(
    kind: str, spoil: Any, any_service: Service, tmp_path: Path
) -> None:
    """Until then the answer is to ask again."""
    package = private_backup(tmp_path / "p.mbz", users=False, secrets=False).read_bytes()
    resource = publish(any_service, any_service.member(), package, file_name="eco.mbz")
    with any_service.services.database.read() as session:
        made = session.scalars(select(Rendition.digest).where(Rendition.kind == kind)).one()
    before = any_service.client().get(_path(resource, "activities/100.mbz"))
    spoil(any_service.services, made, any_service.services.stores.primary.name)
    problem = any_service.client().get(_path(resource, "activities/100.mbz"))
    problem_of(problem, "not-indexed")
    assert int(problem.headers["Retry-After"]) > 0
    any_service.work()
    after = any_service.client().get(_path(resource, "activities/100.mbz"))
    assert after.data == before.data
