"""Whether a version restores on a site, asked over HTTP; and the profiles of sites that people keep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from repo_service.domain.identity import Scope
from repo_service.models import InspectionRecord
from repo_service.services.site_profiles import MAX_PROFILES
from tests.contract.support import nothing_changes, path_of, pointers, problem_of, publish, share
from tests.support.backups import ActivitySpec, backup
from tests.support.service import Service, json_of

_PROFILES = "/api/v1/me/site-profiles"
_SCHOOL = {
    "name": "Our school",
    "moodle": "4.5.6",
    "plugins": {"mod_hvp": "2023122500", "qtype_stack": None},
    "without": ["mod_survey"],
    "disabled": ["mod_chat"],
    "roles": [{"shortname": "teacher", "archetype": "teacher"}],
    "restorer": "manager",
}


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    """A course with two activities that no Moodle brings."""
    specs = [ActivitySpec(module="hvp"), ActivitySpec(module="hvp"), ActivitySpec(module="quiz")]
    return backup(tmp_path / "course.mbz", activities=specs).read_bytes()


def _published(service: Service, client: FlaskClient, content: bytes) -> str:
    resource = publish(service, client, content)
    return f"{path_of(resource['api_url'])}/versions/1/compatibility"


def test_anybody_may_ask_about_what_is_released(any_service: Service, content: bytes) -> None:
    url = _published(any_service, any_service.member(), content)
    public = any_service.client()
    judged = json_of(public.get(f"{url}?moodle=4.5.6"))
    assert judged == {
        "verdict": "partial",
        "sentence": "It restores on Moodle 4.5.6, but not whole. 2 activities “hvp” would be missing.",
        "errors": [],
        "warnings": [],
        "losses": [
            {
                "code": "missing-module",
                "message": "2 activities “hvp” would be missing.",
                "component": "mod_hvp",
                "name": "",
                "count": 2,
                "moodle_string": "",
            }
        ],
        "notes": [],
    }
    plugins = "plugins=qtype_stack,mod_hvp:2024100700"
    assert json_of(public.get(f"{url}?moodle=2024100706&{plugins}"))["verdict"] == "complete"
    assert json_of(public.get(f"{url}?moodle=4.5&plugins=qtype_stack&plugins=mod_hvp"))["losses"] == []
    older = json_of(public.get(f"{url}?moodle=4.5.6&plugins=mod_hvp:2023122500"))
    assert [note["code"] for note in older["notes"]] == ["newer-plugin"]
    removed = json_of(public.get(f"{url}?moodle=4.5.6&plugins=mod_hvp&without=mod_quiz"))
    assert [loss["component"] for loss in removed["losses"]] == ["mod_quiz"]
    newer = json_of(public.get(f"{url}?moodle=4.4%2B&plugins=mod_hvp"))
    assert [warning["moodle_string"] for warning in newer["warnings"]] == ["core/noticenewerbackup"]


def test_a_draft_is_its_owners(any_service: Service, content: bytes) -> None:
    owner, other, public = any_service.member("owner"), any_service.member("other"), any_service.client()
    resource = share(owner, content, file_name="course.mbz", licence="CC-BY-4.0")
    url = f"{path_of(resource['api_url'])}/versions/1/compatibility?moodle=4.5.6"
    with nothing_changes(any_service):
        assert problem_of(owner.get(url), "not-inspected")["state"] == "queued"
        problem_of(other.get(url), "not-found")
    any_service.work()
    assert json_of(owner.get(url))["verdict"] == "partial"
    problem_of(other.get(url), "not-found")
    problem_of(public.get(url), "not-found")
    problem_of(owner.get(url.replace("/1/", "/2/")), "not-found")
    json_of(owner.post(f"{path_of(resource['api_url'])}/versions/1/release"))
    assert json_of(public.get(url))["verdict"] == "partial"
    owner.post(f"{path_of(resource['api_url'])}/withdraw", json={"reason": "Old."})
    problem_of(public.get(url), "gone")


def test_files_that_are_no_backups(service: Service, content: bytes) -> None:
    owner = service.member()
    notes = share(owner)
    broken = share(owner, b"no backup at all", file_name="course.mbz")
    service.work()
    url = f"{path_of(notes['api_url'])}/versions/1/compatibility?moodle=4.5.6"
    assert problem_of(owner.get(url), "not-a-backup")["kind"] == "file"
    url = f"{path_of(broken['api_url'])}/versions/1/compatibility?moodle=4.5.6"
    assert problem_of(owner.get(url), "invalid-file")["reason"] == "not-a-backup"


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("", ""),
        ("moodle=", "/moodle"),
        ("moodle=1.9", "/moodle"),
        ("moodle=4.6", "/moodle"),
        ("moodle=latest", "/moodle"),
        ("moodle=" + "4" * 50, "/moodle"),
        ("moodle=4.5&plugins=hvp", "/plugins/0"),
        ("moodle=4.5&plugins=mod_hvp&plugins=mod_x:new", "/plugins/1"),
        ("moodle=4.5&plugins=" + "a" * 20_001, "/plugins/0"),
        ("moodle=4.5&without=Chat", "/without/0"),
        ("moodle=4.5&restorer=pupil", "/restorer"),
        ("site=mine", "/site"),
        ("moodle=4.5&site=00000000-0000-7000-8000-000000000000", ""),
        ("site=00000000-0000-7000-8000-000000000000&plugins=mod_hvp", ""),
        ("moodle=4.5&plugins=" + ",".join(f"mod_a{n}" for n in range(2001)), ""),
    ],
)
def test_what_is_no_question(query: str, pointer: str, service: Service, content: bytes) -> None:
    url = _published(service, service.member(), content)
    problem = problem_of(service.client().get(f"{url}?{query}"), "invalid-input")
    assert pointers(problem) == [pointer]
    assert {error["location"] for error in problem["errors"]} == {"query"}


def test_what_was_inspected_before_is_judged_by_what_is_known(service: Service, content: bytes) -> None:
    url = _published(service, service.member(), content)
    with service.services.database.write() as session:
        for record in session.scalars(select(InspectionRecord)):
            new = ("components", "roles", "question_banks", "remote_users")
            record.document = {name: value for name, value in record.document.items() if name not in new}
    judged = json_of(service.client().get(f"{url}?moodle=4.5.6"))
    assert [loss["component"] for loss in judged["losses"]] == ["mod_hvp"]
    assert [note["code"] for note in judged["notes"]] == ["inspected-before"]


# Profiles


def test_a_profile_over_its_life(any_service: Service, content: bytes) -> None:
    owner = any_service.member()
    url = _published(any_service, owner, content)
    made = owner.post(_PROFILES, json=_SCHOOL)
    profile = json_of(made, 201)
    assert made.headers["Location"].endswith(f"{_PROFILES}/{profile['id']}")
    assert {name: profile[name] for name in _SCHOOL} == _SCHOOL
    assert json_of(owner.get(_PROFILES)) == {"items": [profile]}
    assert json_of(owner.get(f"{_PROFILES}/{profile['id']}")) == profile
    asked = f"{url}?site={profile['id']}"
    assert json_of(owner.get(asked))["verdict"] == "complete"

    smaller = json_of(
        owner.put(f"{_PROFILES}/{profile['id']}", json={"name": "Ours", "moodle": "2023100900"})
    )
    assert (smaller["name"], smaller["plugins"], smaller["roles"]) == ("Ours", {}, None)
    assert smaller["updated_at"] > profile["updated_at"]
    judged = json_of(owner.get(asked))
    assert (judged["losses"][0]["component"], judged["warnings"][0]["code"]) == ("mod_hvp", "newer-than-site")
    assert json_of(owner.get(f"{asked}&restorer=manager"))["verdict"] == "partial"

    assert owner.delete(f"{_PROFILES}/{profile['id']}").status_code == 204
    problem_of(owner.get(f"{_PROFILES}/{profile['id']}"), "not-found")
    problem_of(owner.get(asked), "not-found")


def test_a_profile_is_its_owners(any_service: Service, content: bytes) -> None:
    """For everybody else it does not exist, moderators included; the public is asked who they are."""
    owner, other, public = any_service.member("owner"), any_service.member("other"), any_service.client()
    url = _published(any_service, owner, content)
    profile = json_of(owner.post(_PROFILES, json=_SCHOOL), 201)
    its = f"{_PROFILES}/{profile['id']}"
    with nothing_changes(any_service):
        for response in (
            other.get(its),
            other.put(its, json=_SCHOOL),
            other.delete(its),
            other.get(f"{url}?site={profile['id']}"),
        ):
            problem_of(response, "not-found")
        for response in (
            public.get(its),
            public.get(_PROFILES),
            public.post(_PROFILES, json=_SCHOOL),
            public.put(its, json=_SCHOOL),
            public.delete(its),
            public.get(f"{url}?site={profile['id']}"),
        ):
            problem_of(response, "unauthorised")
    assert json_of(other.get(_PROFILES)) == {"items": []}
    assert json_of(owner.get(its)) == profile


def test_a_token_that_only_reads(service: Service) -> None:
    owner = service.member()
    profile = json_of(owner.post(_PROFILES, json=_SCHOOL), 201)
    reading = json_of(owner.post("/api/v1/me/tokens", json={"name": "r", "scopes": [Scope.READ.value]}), 201)
    reader = service.client(reading["secret"])
    assert json_of(reader.get(f"{_PROFILES}/{profile['id']}")) == profile
    with nothing_changes(service):
        problem_of(reader.post(_PROFILES, json=_SCHOOL), "insufficient-scope")
        problem_of(reader.put(f"{_PROFILES}/{profile['id']}", json=_SCHOOL), "insufficient-scope")
        problem_of(reader.delete(f"{_PROFILES}/{profile['id']}"), "insufficient-scope")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"name": "a\u0000"}, "/name"),
        ({"moodle": "1.9"}, "/moodle"),
        ({"moodle": None}, "/moodle"),
        ({"plugins": {"hvp": None}}, "/plugins/hvp/[key]"),
        ({"plugins": {"mod_hvp": "new"}}, "/plugins/mod_hvp"),
        ({"plugins": {f"mod_a{n}": None for n in range(2001)}}, "/plugins"),
        ({"without": ["chat"]}, "/without/0"),
        ({"without": ["mod_chat"] * 2001}, "/without"),
        ({"disabled": "mod_chat"}, "/disabled"),
        ({"roles": [{"shortname": ""}]}, "/roles/0/shortname"),
        ({"roles": [{"shortname": "x", "archetype": "Big One"}]}, "/roles/0/archetype"),
        ({"roles": [{"shortname": "x"}] * 201}, "/roles"),
        ({"restorer": "pupil"}, "/restorer"),
        ({"wwwroot": "https://moodle.example.org"}, "/wwwroot"),
    ],
)
def test_what_is_no_profile(change: dict[str, Any], pointer: str, service: Service) -> None:
    owner = service.member()
    kept = json_of(owner.post(_PROFILES, json=_SCHOOL), 201)
    with nothing_changes(service):
        for response in (
            owner.post(_PROFILES, json={**_SCHOOL, **change}),
            owner.put(f"{_PROFILES}/{kept['id']}", json={**_SCHOOL, **change}),
        ):
            assert pointers(problem_of(response, "invalid-input")) == [pointer]


def test_there_may_be_so_many(service: Service) -> None:
    owner = service.member()
    for _ in range(MAX_PROFILES):
        json_of(owner.post(_PROFILES, json=_SCHOOL), 201)
    with nothing_changes(service):
        problem_of(owner.post(_PROFILES, json=_SCHOOL), "conflict")
    json_of(service.member("other").post(_PROFILES, json=_SCHOOL), 201)
