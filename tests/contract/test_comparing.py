"""Licences and changes over HTTP: what they say, who may read them, and what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.backups.test_h5p import packed
from tests.backups.test_licences import folder_with
from tests.contract.support import problem_of, share
from tests.support.backups import ActivitySpec, Container, backup, moodle1_backup, write_zip
from tests.support.oer import h5p
from tests.support.service import Service, json_of, send_file


def _url(resource: dict[str, Any], what: str, number: int = 1) -> str:
    return f"/api/v1/resources/{resource['id']}/versions/{number}/{what}"


def _file(content: bytes, name: str, licence: str) -> tuple[bytes, dict[str, Any]]:
    return content, {
        "contenthash": hashlib.sha1(content).hexdigest(), "contextid": 900, "component": "mod_folder",
        "filearea": "content", "itemid": 0, "filepath": "/", "filename": name, "filesize": len(content),
        "mimetype": "text/plain", "author": "Ada", "license": licence,
    }  # fmt: skip


def _licensed(tmp_path: Path) -> bytes:
    """A course with three files and an H5P package."""
    package = packed(
        {"title": "Fruits", "license": "CC BY-SA", "licenseVersion": "4.0", "authors": [{"name": "Bob"}]}
    )
    made = folder_with(
        _file(b"one\n", "one.txt", "cc-4.0"),
        _file(b"two\n", "two.txt", "allrightsreserved"),
        _file(b"three\n", "three.txt", "$@NULL@$"),
        _file(package, "fruits.h5p", "$@NULL@$"),
    )
    return write_zip(tmp_path / "licensed.mbz", made).read_bytes()


def test_licences_are_told_and_conflicts_with_their_places(any_service: Service, tmp_path: Path) -> None:
    service, teacher = any_service, any_service.member()
    metadata = {"licence": "CC-BY-4.0", "authors": [{"name": "Ada Lehrer"}], "release": True}
    resource = share(teacher, _licensed(tmp_path), file_name="eco.mbz", **metadata)
    service.work()
    told = json_of(service.client().get(_url(resource, "licences")))
    assert told["licence"] | {"given": ""} == {
        "code": "CC-BY-4.0", "label": "CC BY 4.0", "kind": "licensed", "given": "", "spdx": "CC-BY-4.0",
        "url": "https://creativecommons.org/licenses/by/4.0/", "moodle": "cc-4.0", "terms": ["attribution"],
    }  # fmt: skip
    assert told["authors"] == [{"name": "Ada Lehrer", "url": ""}]
    assert {used["licence"]["code"]: used["count"] for used in told["licences"]} == {
        "CC-BY-4.0": 1, "all-rights-reserved": 1, "unknown": 1, "CC-BY-SA-4.0": 1,
    }  # fmt: skip
    assert [(f["code"], f["severity"], f["count"]) for f in told["findings"]] == [
        ("all-rights-reserved", "conflict", 1),
        ("share-alike", "conflict", 1),
        ("no-licence", "notice", 1),
    ]
    conflict = told["findings"][0]
    assert conflict["message"] == "This resource says CC BY 4.0, 1 file says all rights reserved."
    assert (conflict["files"][0]["name"], conflict["files"][0]["place"]["title"]) == ("two.txt", "Papers")
    (package,) = told["packages"]
    assert package["package"]["title"] == "Fruits"
    assert package["package"]["authors"] == [{"name": "Bob", "role": ""}]
    assert (told["files_count"], told["packages_count"], told["next_cursor"]) == (4, 1, None)


def test_a_file_that_licences_list_can_be_downloaded_by_what_they_say(
    service: Service, tmp_path: Path
) -> None:
    teacher = service.member()
    resource = share(teacher, _licensed(tmp_path), file_name="eco.mbz")
    service.work()
    for file in json_of(teacher.get(_url(resource, "licences")))["files"]:
        got = teacher.get(_url(resource, f"files/{file['sha1']}/{file['name']}"))
        assert (got.status_code, len(got.data)) == (200, file["size"])
        assert hashlib.sha1(got.data).hexdigest() == file["sha1"]


def test_files_come_in_pages(service: Service, tmp_path: Path) -> None:
    teacher = service.member()
    resource = share(teacher, _licensed(tmp_path), file_name="eco.mbz")
    service.work()
    names: list[str] = []
    url: str | None = _url(resource, "licences?limit=3")
    while url is not None:
        page = json_of(teacher.get(url))
        names += [file["name"] for file in page["files"]]
        cursor = page["next_cursor"]
        url = cursor and _url(resource, f"licences?limit=3&cursor={cursor}")
    assert names == ["one.txt", "two.txt", "three.txt", "fruits.h5p"]
    assert page["licence"] is None
    assert page["findings"][0]["code"] == "resource-without-licence"
    problem_of(teacher.get(_url(resource, "licences?cursor=x!")), "invalid-cursor")
    problem_of(teacher.get(_url(resource, "licences?limit=0")), "invalid-input")


def _add_version(teacher: FlaskClient, resource: dict[str, Any], content: bytes) -> None:
    url = f"/api/v1/resources/{resource['id']}/versions"
    json_of(send_file(teacher, content, url=url, file_name="eco.mbz"), 201)


def _edition(tmp_path: Path, *titles: str, container: Container = "tgz") -> bytes:
    activities = [ActivitySpec(title=title, files=[(f"{title}.txt", title.encode())]) for title in titles]
    path = backup(tmp_path / "edition.mbz", activities=activities, container=container)
    return path.read_bytes()


def test_what_changed_between_versions(any_service: Service, tmp_path: Path) -> None:
    service, teacher = any_service, any_service.member()
    first = _edition(tmp_path, "Rivers", "Lakes")
    resource = share(teacher, first, licence="CC-BY-4.0", release=True, file_name="eco.mbz")
    _add_version(teacher, resource, _edition(tmp_path, "Rivers", "Seas", container="zip"))
    _add_version(teacher, resource, _edition(tmp_path, "Rivers", "Seas", "Ice"))
    service.work()
    url = _url(resource, "changes", 3)
    told = json_of(teacher.get(url))
    assert (told["since"], told["version"], told["same_course"], told["course"]) == (2, 3, True, [])
    assert [part["title"] for part in told["activities"]["added"]] == ["Ice"]
    assert (told["activities"]["removed_count"], told["activities"]["unchanged_count"]) == (0, 2)
    assert [part["title"] for part in told["files"]["added"]] == ["Ice.txt"]

    told = json_of(teacher.get(f"{url}?since=1"))
    (renamed,) = told["activities"]["changed"]
    assert (renamed["title"], renamed["title_before"], renamed["id"]) == ("Seas", "Lakes", 101)
    assert renamed["what"] == ["title", "files"]
    assert json_of(teacher.get(_url(resource, "changes?since=3")))["activities"]["removed_count"] == 1

    public = service.client()
    problem_of(public.get(url), "not-found")
    json_of(teacher.post(f"/api/v1/resources/{resource['id']}/versions/3/release"))
    told = json_of(public.get(url))
    assert told["since"] == 1  # the second was never released
    problem_of(public.get(f"{url}?since=2"), "not-found")


def test_the_first_version_has_none_before_it(service: Service, tmp_path: Path) -> None:
    teacher = service.member()
    resource = share(teacher, _edition(tmp_path, "Rivers"), file_name="eco.mbz")
    service.work()
    problem = problem_of(teacher.get(_url(resource, "changes")), "not-found")
    assert problem["detail"] == "There is no version before version 1."
    for since in ("0", "x", "-1"):
        problem_of(teacher.get(_url(resource, f"changes?since={since}")), "invalid-input")
    problem_of(teacher.get(_url(resource, "changes?since=9")), "not-found")


@pytest.mark.parametrize("what", ["licences", "changes?since=1"])
def test_only_who_may_read_a_version_is_told(what: str, service: Service, tmp_path: Path) -> None:
    teacher, other, public = service.member(), service.member("other"), service.client()
    content = _edition(tmp_path, "Rivers")
    resource = share(teacher, content, licence="CC-BY-4.0", file_name="eco.mbz")
    problem_of(teacher.get(_url(resource, what)), "not-inspected")
    service.work()
    for somebody in (public, other):
        problem_of(somebody.get(_url(resource, what)), "not-found")
    json_of(teacher.get(_url(resource, what)))
    problem_of(teacher.get(_url(resource, what, 7)), "not-found")
    json_of(teacher.post(f"/api/v1/resources/{resource['id']}/versions/1/release"))
    json_of(public.get(_url(resource, what)))
    withdrawn = teacher.post(f"/api/v1/resources/{resource['id']}/withdraw", json={"reason": "mine no more"})
    assert withdrawn.status_code == 204
    problem_of(public.get(_url(resource, what)), "gone")


@pytest.mark.parametrize("what", ["licences", "changes?since=1"])
def test_what_is_no_backup_of_moodle_2_is_refused(what: str, service: Service, tmp_path: Path) -> None:
    teacher = service.member()
    notes = share(teacher)
    old = share(teacher, moodle1_backup(tmp_path / "old.mbz").read_bytes(), file_name="old.mbz")
    broken = share(teacher, b"no backup", file_name="broken.mbz")
    service.work()
    if what == "licences":  # a file that is no backup may say its licence, too
        assert json_of(teacher.get(_url(notes, what)))["licences"][0]["licence"]["code"] == "unknown"
    for file in (old,) if what == "licences" else (notes, old):
        problem = problem_of(teacher.get(_url(file, what)), "conflict")
        assert problem["detail"] == (
            "Only backups of Moodle 2.0 or later can be looked into: version 1 is none."
        )
    problem_of(teacher.get(_url(broken, what)), "invalid-file")


def test_nothing_is_left_on_disk(service: Service, tmp_path: Path) -> None:
    teacher = service.member()
    resource = share(teacher, _edition(tmp_path, "Rivers"), file_name="eco.mbz")
    service.work()
    before = sorted(path.name for path in service.settings.data_dir.iterdir())
    json_of(teacher.get(_url(resource, "licences")))
    json_of(teacher.get(_url(resource, "changes?since=1")))
    assert sorted(path.name for path in service.settings.data_dir.iterdir()) == before


def test_media_within_packages_within_backups(service: Service, tmp_path: Path) -> None:
    teacher = service.member()
    made = folder_with(_file(h5p(), "leaves.h5p", "cc-sa-4.0"))
    content = write_zip(tmp_path / "course.mbz", made).read_bytes()
    resource = share(teacher, content, file_name="course.mbz", licence="CC-BY-SA-4.0")
    service.work()
    told = json_of(teacher.get(_url(resource, "licences")))
    rows = [(file["name"], file["path"], file["licence"]["code"], file["author"]) for file in told["files"]]
    assert rows == [
        ("leaves.h5p", "/", "CC-BY-SA-4.0", "Ada"),
        ("A leaf", "leaves.h5p/content/images/leaf.png", "CC-BY-NC-3.0", "Eve"),
        ("Sky", "leaves.h5p/content/images/sky.png", "public-domain", "Nobody"),
    ]
    assert ("non-commercial", 1) in [(finding["code"], finding["count"]) for finding in told["findings"]]
    assert told["packages_count"] == 1
