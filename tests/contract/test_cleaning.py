"""Clean copies over HTTP: what they hold, who may have them made, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from repo_service.domain.resources import JobKind
from repo_service.models import Job
from tests.backups.test_cleaning import content_of
from tests.contract.support import path_of, problem_of, share
from tests.support.backups import Container, backup, moodle1_backup, write_zip
from tests.support.private import LEARNERS, SECRETS, private_backup, private_members
from tests.support.service import MakeService, Service, json_of

_PRIVATE = (*LEARNERS, *SECRETS)


def _clean(resource: dict[str, Any], number: int = 1) -> str:
    return f"/api/v1/resources/{resource['id']}/versions/{number}/clean"


def _downloaded(service: Service, version: dict[str, Any], tmp_path: Path) -> bytes:
    """The content of a version's archive, as anybody gets it."""
    answer = service.client().get(path_of(version["download_url"]))
    assert answer.status_code == 200
    path = tmp_path / "downloaded.mbz"
    path.write_bytes(answer.data)
    return b"".join(content_of(path).values())


@pytest.mark.parametrize("container", ["tgz", "zip"])
def test_a_package_with_keys_is_cleaned_before_it_is_released(
    container: Container, any_service: Service, tmp_path: Path
) -> None:
    service, teacher = any_service, any_service.member()
    package = private_backup(tmp_path / "package.mbz", container=container, users=False).read_bytes()
    resource = share(teacher, package, licence="CC-BY-4.0", release=True, file_name="eco.mbz")
    service.work()

    shown = json_of(service.client().get(f"/api/v1/resources/{resource['id']}"))
    (version,) = shown["versions"]
    assert (version["number"], version["cleaned_from"], version["cleaning"]) == (2, 1, None)
    assert version["file_name"] == "eco.mbz"
    content = _downloaded(service, version, tmp_path)
    assert not [text for text in SECRETS if text in content]
    source = f"/files/{resource['id']}/1/eco.mbz"
    problem_of(service.client().get(source), "not-found")
    problem_of(service.client().get(f"/api/v1/resources/{resource['id']}/versions/1/inspection"), "not-found")

    own = json_of(teacher.get(f"/api/v1/resources/{resource['id']}"))
    clean, original = own["versions"]
    assert original["released_at"] is None
    assert not original["release_requested"]
    removed = {item["code"]: item["count"] for item in clean["cleaning"]["removed"]}
    assert removed["enrolment-key"] == removed["guest-password"] == removed["quiz-password"] == 1
    assert "users" not in removed
    assert {item["code"] for item in clean["cleaning"]["left"]} == {"file-authors", "name-in-text"}


def test_what_learners_left_is_cleaned_when_the_owner_asks(service: Service, tmp_path: Path) -> None:
    teacher = service.member()
    source = private_backup(tmp_path / "course.mbz").read_bytes()
    resource = share(teacher, source, licence="CC-BY-4.0", release=True, file_name="eco.mbz")
    service.work()
    own = json_of(teacher.get(f"/api/v1/resources/{resource['id']}"))
    (version,) = own["versions"]
    assert version["release_refused"]["code"] == "blocking-findings"
    assert "1 user account" in version["release_refused"]["detail"]
    release = f"/api/v1/resources/{resource['id']}/versions/{{}}/release"
    refused = problem_of(teacher.post(release.format(1)), "blocking-findings")
    assert {"users", "submissions", "enrolment-key"} <= set(refused["findings"])
    assert json_of(teacher.get(_clean(resource)))["state"] is None

    asked = teacher.post(_clean(resource))
    assert json_of(asked, 202)["state"] == "queued"
    assert path_of(asked.headers["Location"]) == _clean(resource)
    assert json_of(teacher.post(_clean(resource)), 202)["state"] == "queued"
    service.work()
    done = json_of(teacher.get(_clean(resource)))
    assert (done["state"], done["progress"], done["version"]) == ("done", 1.0, 2)
    assert json_of(teacher.post(_clean(resource)), 202)["version"] == 2

    own = json_of(teacher.get(f"/api/v1/resources/{resource['id']}"))
    assert [v["number"] for v in own["versions"]] == [2, 1]
    assert own["visibility"] == "draft"
    json_of(teacher.post(release.format(2)))
    shown = json_of(service.client().get(f"/api/v1/resources/{resource['id']}"))
    content = _downloaded(service, shown["versions"][0], tmp_path)
    assert not [text for text in _PRIVATE if text in content]
    problem_of(teacher.post(release.format(1)), "blocking-findings")


def test_a_clean_copy_is_released_when_that_was_asked(service: Service, tmp_path: Path) -> None:
    teacher = service.member()
    source = private_backup(tmp_path / "course.mbz").read_bytes()
    resource = share(teacher, source, licence="CC-BY-4.0", file_name="eco.mbz")
    service.work()
    json_of(teacher.post(_clean(resource), json={"release": True}), 202)
    service.work()
    shown = json_of(service.client().get(f"/api/v1/resources/{resource['id']}"))
    assert [version["number"] for version in shown["versions"]] == [2]


def test_a_backup_that_only_says_it_has_users_is_refused_in_words_and_cleaned(
    service: Service, tmp_path: Path
) -> None:
    teacher = service.member()
    content = content_of(backup(tmp_path / "plain.mbz"))
    manifest = content["moodle_backup.xml"]
    claiming = manifest.replace(b"<name>users</name><value>0<", b"<name>users</name><value>1<")
    assert claiming != manifest
    write_zip(tmp_path / "claims.mbz", {**content, "moodle_backup.xml": claiming})
    source = (tmp_path / "claims.mbz").read_bytes()
    resource = share(teacher, source, licence="CC-BY-4.0", file_name="eco.mbz")
    service.work()
    url = f"/api/v1/resources/{resource['id']}"
    problem = problem_of(teacher.post(f"{url}/versions/1/release"), "blocking-findings")
    assert problem["detail"] == (
        "This file cannot be released: it holds a mark that it was made with user data."
    )
    json_of(teacher.post(_clean(resource), json={"release": True}), 202)
    service.work()
    assert [version["number"] for version in json_of(service.client().get(url))["versions"]] == [2]


def test_the_job_done_twice_makes_one_version(service: Service, tmp_path: Path) -> None:
    teacher = service.member()
    resource = share(teacher, private_backup(tmp_path / "c.mbz").read_bytes(), file_name="eco.mbz")
    service.work()
    json_of(teacher.post(_clean(resource)), 202)
    service.work()
    with service.services.database.read() as session:
        (key,) = session.scalars(select(Job.key).where(Job.kind == JobKind.CLEAN.value))
    service.services.cleaning.run(key, lambda done: None)
    own = json_of(teacher.get(f"/api/v1/resources/{resource['id']}"))
    assert [version["number"] for version in own["versions"]] == [2, 1]


def test_only_the_owner_may_ask(service: Service, tmp_path: Path) -> None:
    teacher, other, public = service.member(), service.member("other"), service.client()
    resource = share(teacher, private_backup(tmp_path / "c.mbz").read_bytes(), file_name="eco.mbz")
    service.work()
    for method in ("get", "post"):
        problem_of(getattr(public, method)(_clean(resource)), "unauthorised")
        problem_of(getattr(other, method)(_clean(resource)), "not-found")
        problem_of(getattr(teacher, method)(_clean(resource, 7)), "not-found")
    json_of(teacher.post(_clean(resource), json={"release": False}), 202)
    service.work()
    shared = share(teacher, licence="CC-BY-4.0", release=True)
    service.work()
    problem_of(other.post(_clean(shared)), "forbidden")
    problem_of(other.get(_clean(shared)), "forbidden")


def test_what_cannot_be_cleaned_is_refused(service: Service, tmp_path: Path) -> None:
    teacher = service.member()
    resource = share(teacher, private_backup(tmp_path / "c.mbz").read_bytes(), file_name="eco.mbz")
    problem_of(teacher.post(_clean(resource)), "not-inspected")
    notes = share(teacher)
    old = share(teacher, moodle1_backup(tmp_path / "old.mbz", users=2).read_bytes(), file_name="old.mbz")
    broken = share(teacher, b"no backup", file_name="broken.mbz")
    made = private_members()
    made["activities/hvp_150/hvp.xml"] = b"<activity><hvp><played><by>7</by></played></hvp></activity>"
    plugin = share(teacher, write_zip(tmp_path / "p.mbz", made).read_bytes(), file_name="p.mbz")
    service.work()
    for file in (notes, old):
        problem_of(teacher.post(_clean(file)), "conflict")
    problem_of(teacher.post(_clean(broken)), "invalid-file")
    problem = problem_of(teacher.post(_clean(plugin)), "uncleanable")
    assert problem["places"] == ["mod_hvp"]
    assert "mod_hvp" in problem["detail"]
    for body, code in (({"release": "perhaps"}, "invalid-input"), ({"x": 1}, "invalid-input")):
        problem_of(teacher.post(_clean(resource), json=body), code)
    problem_of(teacher.post(_clean(resource), data="release=1"), "unsupported-media-type")
    assert json_of(teacher.get(_clean(resource)))["state"] is None


def test_a_clean_copy_counts_for_the_owners_quota(make_service: MakeService, tmp_path: Path) -> None:
    package = private_backup(tmp_path / "c.mbz", users=False).read_bytes()
    service = make_service(quota=len(package) + 1000)
    teacher = service.member()
    resource = share(teacher, package, licence="CC-BY-4.0", release=True, file_name="eco.mbz")
    service.work()
    own = json_of(teacher.get(f"/api/v1/resources/{resource['id']}"))
    (version,) = own["versions"]
    assert version["release_refused"]["code"] == "quota-exceeded"
    state = json_of(teacher.get(_clean(resource)))
    assert (state["state"], state["version"]) == ("failed", None)
    assert state["reason"] == version["release_refused"]["detail"]


def test_a_resource_that_is_withdrawn_meanwhile_gets_no_version(service: Service, tmp_path: Path) -> None:
    teacher = service.member()
    resource = share(teacher, private_backup(tmp_path / "c.mbz").read_bytes(), file_name="eco.mbz")
    service.work()
    json_of(teacher.post(_clean(resource)), 202)
    assert (
        teacher.post(f"/api/v1/resources/{resource['id']}/withdraw", json={"reason": "no"}).status_code == 204
    )
    service.work()
    problem_of(teacher.get(_clean(resource)), "gone")
    json_of(teacher.post(f"/api/v1/resources/{resource['id']}/restore"))
    assert json_of(teacher.get(_clean(resource)))["state"] == "failed"
    own = json_of(teacher.get(f"/api/v1/resources/{resource['id']}"))
    assert [version["number"] for version in own["versions"]] == [1]


def test_others_are_not_told_where_names_stand(service: Service, tmp_path: Path) -> None:
    """They see the authors of files; the owner sees all."""
    teacher = service.member()
    package = private_backup(tmp_path / "c.mbz", users=False, secrets=False).read_bytes()
    resource = share(teacher, package, licence="CC-BY-4.0", release=True, file_name="eco.mbz")
    service.work()
    url = path_of(
        json_of(teacher.get(f"/api/v1/resources/{resource['id']}"))["versions"][0]["inspection_url"]
    )
    own = {finding["code"] for finding in json_of(teacher.get(url))["findings"]}
    assert {"file-authors", "name-in-text", "user-ids"} <= own
    for somebody in (service.client(), service.member("other")):
        assert {finding["code"] for finding in json_of(somebody.get(url))["findings"]} == {"file-authors"}
