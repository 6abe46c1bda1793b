"""A draft that was meant to be a version of an earlier resource becomes one."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from repo_service.domain.identity import Role, Scope
from repo_service.domain.resources import JobKind
from repo_service.models import AuditEntry, Resource, Version
from repo_service.services import versions
from tests.support.backups import ActivitySpec, backup
from tests.support.private import private_backup
from tests.support.service import OPERATOR, Service, json_of, send_file


def _shared(service: Service, client: FlaskClient, path: Path, **metadata: Any) -> str:
    made = json_of(send_file(client, path, **metadata), 201)
    service.work()
    return str(made["id"])


def _become(client: FlaskClient, draft: str, of: str, **more: Any) -> TestResponse:
    return client.post(f"/api/v1/resources/{draft}/become-version", json={"of": of, **more})


def _got(client: FlaskClient, resource_id: str) -> Any:
    return json_of(client.get(f"/api/v1/resources/{resource_id}"))


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return backup(tmp_path / "first.mbz")


@pytest.fixture
def second(tmp_path: Path) -> Path:
    return backup(tmp_path / "second.mbz", activities=[ActivitySpec(title="Newer")])


def test_it_is_the_newest_version_and_the_draft_is_gone(
    any_service: Service, first: Path, second: Path
) -> None:
    service, client = any_service, any_service.member()
    earlier = _shared(service, client, first, licence="CC0-1.0", title="Ecology", release=True)
    draft = _shared(service, client, second, licence="CC-BY-4.0", title="Another")
    answer = _become(client, draft, earlier, change_note="Newer texts")
    made = json_of(answer)
    assert answer.headers["Content-Location"].endswith(f"/api/v1/resources/{earlier}")
    assert (made["id"], made["title"], made["licence"]) == (earlier, "Ecology", "CC0-1.0")
    newest, before = made["versions"]
    assert (newest["number"], newest["change_note"], newest["released_at"]) == (2, "Newer texts", None)
    assert (newest["file_name"], newest["kind"]) == ("course.mbz", "course")  # nothing is inspected anew
    assert before["released_at"] is not None
    assert client.get(f"/api/v1/resources/{draft}").status_code == 404
    assert [item["id"] for item in json_of(client.get("/api/v1/me/resources"))["items"]] == [earlier]
    assert len(_got(service.client(), earlier)["versions"]) == 1  # the public goes on reading the first
    client.post(f"/api/v1/resources/{earlier}/versions/2/release")
    service.work()
    assert _got(service.client(), earlier)["versions"][0]["number"] == 2
    with service.services.database.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "become version")).one()
        assert (entry.noun_id, entry.details) == (draft, {"of": earlier, "numbers": [2]})


def test_it_stands_in_the_place_of_the_draft_in_collections(
    any_service: Service, first: Path, second: Path
) -> None:
    service, client = any_service, any_service.member()
    earlier, draft = _shared(service, client, first), _shared(service, client, second)
    held = {"only the draft": [draft], "both": [draft, earlier]}
    paths = {}
    for title, ids in held.items():
        made = json_of(client.post("/api/v1/collections", json={"title": title}), 201)
        paths[title] = urlsplit(made["api_url"]).path
        for id_ in ids:
            given = {"resource": id_, "note": f"note of {id_}"}
            json_of(client.post(f"{paths[title]}/items", json=given), 201)
    assert _become(client, draft, earlier).status_code == 200
    for title, note in (("only the draft", draft), ("both", earlier)):
        (item,) = json_of(client.get(paths[title]))["items"]
        assert (item["resource"]["id"], item["position"]) == (earlier, 1)
        assert item["note"] == f"note of {note}"


def test_a_clean_copy_comes_along(service: Service, first: Path, tmp_path: Path) -> None:
    client = service.member()
    earlier = _shared(service, client, first)
    draft = _shared(service, client, private_backup(tmp_path / "keys.mbz", users=False))
    client.post(f"/api/v1/resources/{draft}/versions/1/clean", json={})
    service.work()
    made = json_of(_become(client, draft, earlier))
    copy, source, _ = made["versions"]
    assert (source["number"], copy["number"], copy["cleaned_from"]) == (2, 3, 2)
    assert copy["change_note"] == "Clean copy of version 2"


def test_what_is_under_way_ends_there(service: Service, first: Path, tmp_path: Path) -> None:
    """Before its file was looked into, and while a clean copy of it is made."""
    client = service.member()
    earlier = _shared(service, client, first, licence="CC0-1.0")
    draft = json_of(send_file(client, private_backup(tmp_path / "keys.mbz", users=False)), 201)["id"]
    assert _become(client, draft, earlier).status_code == 200
    service.work()
    assert _got(client, earlier)["versions"][0]["kind"] == "course"
    other = _shared(service, client, private_backup(tmp_path / "more.mbz", users=False))
    client.post(f"/api/v1/resources/{other}/versions/1/clean", json={})
    assert _become(client, other, earlier).status_code == 200
    service.work()
    copy = _got(client, earlier)["versions"][0]
    assert (copy["number"], copy["cleaned_from"]) == (4, 3)


def test_a_copy_that_was_begun_before_is_put_there(
    service: Service, first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = service.member()
    earlier = _shared(service, client, first)
    draft = _shared(service, client, private_backup(tmp_path / "keys.mbz", users=False))
    client.post(f"/api/v1/resources/{draft}/versions/1/clean", json={})
    cleaning = service.services.cleaning
    make = cleaning._make

    def meanwhile(*arguments: Any) -> Any:
        made = make(*arguments)
        assert _become(client, draft, earlier).status_code == 200
        return made

    monkeypatch.setattr(cleaning, "_make", meanwhile)
    service.work()
    copy = _got(client, earlier)["versions"][0]
    assert (copy["number"], copy["cleaned_from"]) == (3, 2)


# What is refused


def test_not_into_itself_and_not_twice(service: Service, first: Path, second: Path) -> None:
    client = service.member()
    earlier, draft = _shared(service, client, first), _shared(service, client, second)
    assert json_of(_become(client, draft, draft), 409)["code"] == "conflict"
    assert _become(client, draft, earlier).status_code == 200
    assert json_of(_become(client, draft, earlier), 404)["code"] == "not-found"


@pytest.mark.parametrize("is_withdrawn", [False, True])
def test_what_was_public_keeps_its_address(
    service: Service, first: Path, second: Path, is_withdrawn: bool
) -> None:
    client = service.member()
    earlier = _shared(service, client, first)
    public = _shared(service, client, second, licence="CC0-1.0", release=True)
    if is_withdrawn:
        client.post(f"/api/v1/resources/{public}/withdraw", json={"reason": "Old"})
    answer = _become(client, public, earlier)
    assert answer.status_code == (410 if is_withdrawn else 409)
    assert len(_got(client, earlier)["versions"]) == 1


def test_not_into_what_is_withdrawn(service: Service, first: Path, second: Path) -> None:
    client = service.member()
    earlier, draft = _shared(service, client, first), _shared(service, client, second)
    client.post(f"/api/v1/resources/{earlier}/withdraw", json={"reason": "Old"})
    assert _become(client, draft, earlier).status_code == 410
    assert _got(client, draft)["visibility"] == "draft"


def test_other_peoples(service: Service, first: Path, second: Path) -> None:
    """Neither into what others have, nor what others have; moderators neither."""
    mine, other = service.member(), service.member("other")
    moderator = service.client(service.token("moderator", Role.MODERATOR))
    draft = _shared(service, mine, first)
    theirs = _shared(service, other, second, licence="CC0-1.0", release=True)
    hidden = _shared(service, other, second)
    assert _become(mine, draft, theirs).status_code == 403
    assert _become(mine, draft, hidden).status_code == 404
    assert _become(other, draft, theirs).status_code == 404
    assert _become(moderator, draft, theirs).status_code == 403
    assert _become(service.client(), draft, theirs).status_code == 401
    assert _got(mine, draft)["visibility"] == "draft"
    assert len(_got(other, theirs)["versions"]) == 1


def test_a_token_that_may_only_read(service: Service, first: Path, second: Path) -> None:
    client = service.member()
    earlier, draft = _shared(service, client, first), _shared(service, client, second)
    with service.services.database.read() as session:
        owner = session.scalars(select(Resource.owner_id)).first()
    issued = service.services.accounts.issue_token(
        OPERATOR, name="reads", scopes=frozenset({Scope.READ}), account_id=owner
    )
    answer = _become(service.client(issued.secret), draft, earlier)
    assert json_of(answer, 403)["code"] == "insufficient-scope"


@pytest.mark.parametrize("body", [{}, {"of": "x"}, {"of": None}, {"of": str(uuid4()), "more": 1}])
def test_what_is_sent_is_checked(service: Service, first: Path, body: dict[str, Any]) -> None:
    client = service.member()
    draft = _shared(service, client, first)
    answer = client.post(f"/api/v1/resources/{draft}/become-version", json=body)
    assert json_of(answer, 422)["code"] == "invalid-input"


def test_too_many_versions(
    service: Service, first: Path, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = service.member()
    earlier, draft = _shared(service, client, first), _shared(service, client, second)
    monkeypatch.setattr(versions, "MAX_VERSIONS", 1)
    assert json_of(_become(client, draft, earlier), 409)["code"] == "conflict"
    with service.services.database.read() as session:
        assert len(session.scalars(select(Version)).all()) == 2
    assert service.services.jobs.find(JobKind.INSPECT, draft) is None
