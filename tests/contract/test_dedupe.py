"""The same content is stored once, and nobody learns from that what others have."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from repo_service.domain.identity import Role
from tests.contract.support import (
    DRAFT_BYTES,
    count,
    path_of,
    problem_of,
    publish,
    published,
    sha256,
    share,
)
from tests.support import copies
from tests.support.backups import backup
from tests.support.service import Service, json_of, send_file

_OWN = {"id", "url", "api_url", "owner", "owner_name", "created_at", "updated_at", "versions"}
_OWN_VERSION = {"created_at", "download_url", "inspection_url"}


def _shape(resource: dict[str, Any]) -> Any:
    """A resource without what names it and its owner."""
    versions = [
        {k: v for k, v in version.items() if k not in _OWN_VERSION} for version in resource["versions"]
    ]
    return {k: v for k, v in resource.items() if k not in _OWN} | {"versions": versions}


def _used(client: FlaskClient) -> int:
    used: int = json_of(client.get("/api/v1/me"))["used"]
    return used


def test_the_second_learns_nothing(any_service: Service, tmp_path: Path) -> None:
    """Same status, same headers, same members, no earlier answer: also when the first was inspected and
    released long ago."""
    content = backup(tmp_path / "c.mbz").read_bytes()
    first, second = any_service.member("first"), any_service.member("second")
    said: dict[str, Any] = {"title": "Ecology", "licence": "CC-BY-4.0", "release": True}
    one = send_file(first, content, **said)
    shared = json_of(one, 201)
    any_service.work()
    other = send_file(second, content, **said)
    assert other.status_code == one.status_code == 201
    assert _shape(json_of(other, 201)) == _shape(json_of(one, 201))
    assert json_of(other, 201)["versions"][0]["processing"]["state"] == "queued"
    assert set(dict(other.headers)) == set(dict(one.headers))
    resource = json_of(other, 201)
    url = f"/api/v1/resources/{resource['id']}/versions/1"
    problem_of(second.get(f"{url}/inspection"), "not-inspected")
    problem_of(second.post(f"{url}/release"), "not-inspected")

    any_service.work()
    # The file, its seek index, and what it contains.
    assert len(published(any_service.settings)) == 3
    assert count(any_service.services, "blobs") == 3
    ends = [
        json_of(client.get(path_of(made["api_url"])))
        for client, made in ((first, shared), (second, resource))
    ]
    for end in ends:
        assert end["released_at"] is not None
        end["released_at"] = end["versions"][0]["released_at"] = None
    assert _shape(ends[0]) == _shape(ends[1])


def test_the_first_learns_nothing_either(any_service: Service) -> None:
    """Neither the owner's nor the public's view changes when somebody else shares the same bytes."""
    first, second = any_service.member("first"), any_service.member("second")
    shown = publish(any_service, first)
    url = f"/api/v1/resources/{shown['id']}"

    def views() -> list[Any]:
        answers = [first.get(url), any_service.client().get(url)]
        return [(answer.json, answer.headers["ETag"]) for answer in answers]

    before = views(), _used(first)
    copy = share(second, licence="CC0-1.0", release=True)
    assert (views(), _used(first)) == before
    any_service.work()
    assert (views(), _used(first)) == before
    copied = f"/api/v1/resources/{copy['id']}"
    assert second.post(f"{copied}/versions/1/inspection").status_code == 202
    any_service.work()
    reason = {"reason": "Not mine."}
    assert second.post(f"{copied}/withdraw", json=reason).status_code == 204
    assert (views(), _used(first)) == before


def test_another_name_of_the_same_bytes_says_nothing_about_mine(service: Service) -> None:
    """The file's name takes part in what is found: a stranger cannot make my file unreadable by sharing its
    bytes under a misleading name, nor read mine."""
    first, second = service.member("first"), service.member("second")
    mine = publish(service, first, file_name="My secret diary.txt")
    other = share(second, file_name="harmless.mbz")
    service.work()
    url = f"/api/v1/resources/{other['id']}/versions/1/inspection"
    assert problem_of(second.get(url), "invalid-file")["reason"] == "not-a-backup"
    assert json_of(first.get(path_of(mine["versions"][0]["inspection_url"])))["kind"] == "file"
    shown = json_of(service.client().get(f"/api/v1/resources/{mine['id']}"))
    assert shown["title"] == "My secret diary"
    assert shown["versions"][0]["processing"]["state"] == "done"
    assert shown["versions"][0]["kind"] == "file"

    third = share(service.member("third"), file_name="notes.txt")
    service.work()
    moderator = service.client(service.token("moderator", role=Role.MODERATOR))
    found = json_of(moderator.get(f"/api/v1/resources/{third['id']}/versions/1/inspection"))
    assert "diary" not in str(found)
    assert json_of(moderator.get(f"/api/v1/resources/{third['id']}"))["title"] == "notes"


def test_both_pay_and_deleting_one_keeps_the_other(any_service: Service) -> None:
    """A blob goes when the last version that holds it goes, and not before."""
    service = any_service
    first, second = service.member("first"), service.member("second")
    one, other = publish(service, first), publish(service, second)
    assert _used(first) == _used(second) == len(DRAFT_BYTES)
    withdrawn = first.post(f"/api/v1/resources/{one['id']}/withdraw", json={"reason": "Old."})
    assert withdrawn.status_code == 204
    collected = service.services.garbage.collect(grace=timedelta(0))
    assert (collected.resources, collected.blobs, collected.strays) == (1, 0, 0)
    assert _used(first) == 0
    assert _used(second) == len(DRAFT_BYTES)
    got = service.client().get(path_of(other["versions"][0]["download_url"]))
    assert got.data == DRAFT_BYTES

    withdrawn = second.post(f"/api/v1/resources/{other['id']}/withdraw", json={"reason": "Old."})
    assert withdrawn.status_code == 204
    collected = service.services.garbage.collect(grace=timedelta(0))
    assert (collected.resources, collected.blobs, collected.bytes) == (1, 1, len(DRAFT_BYTES))
    assert published(service.settings) == []


def test_one_account_pays_once_for_the_same_content(service: Service) -> None:
    """Two resources of theirs, or two versions, share the bytes."""
    teacher = service.member()
    one = share(teacher)
    share(teacher, title="Again")
    json_of(send_file(teacher, DRAFT_BYTES, url=f"/api/v1/resources/{one['id']}/versions"), 201)
    assert _used(teacher) == len(DRAFT_BYTES)


def test_a_digest_is_no_key(service: Service) -> None:
    """Knowing what a file's digest is gives nothing: the bytes have to come, and to be paid for."""
    owner, thief = service.member("owner"), service.member("thief")
    share(owner)
    begun = json_of(
        thief.post(
            "/api/v1/uploads",
            json={"file_name": "mine.txt", "size": len(DRAFT_BYTES), "sha256": sha256(DRAFT_BYTES)},
        ),
        201,
    )
    assert begun["state"] == "open"
    assert begun["sha256"] is None
    problem_of(thief.post("/api/v1/resources", json={"upload": begun["id"]}), "conflict")
    wrong = bytes(len(DRAFT_BYTES))
    body = problem_of(thief.put(path_of(begun["url"]), data=wrong), "digest-mismatch")
    assert body["received"] == sha256(wrong)
    problem_of(thief.put(path_of(begun["url"]), data=b"short"), "size-mismatch")
    assert json_of(thief.get(path_of(begun["url"])))["state"] == "open"
    problem_of(
        thief.post("/api/v1/resources", json={"upload": begun["id"], "sha256": sha256(DRAFT_BYTES)}),
        "conflict",
    )


@pytest.mark.parametrize(
    "damage", [b"rot" * 100, DRAFT_BYTES[:-1] + b"?", b""], ids=["other", "bit", "empty"]
)
def test_bytes_that_came_are_not_dropped_for_a_copy_that_has_decayed(
    any_service: Service, damage: bytes
) -> None:
    """Nobody had noticed: whoever sends the same bytes again brings them back, for all who share them."""
    first, second = any_service.member("first"), any_service.member("second")
    shared = publish(any_service, first)
    store = any_service.services.stores.primary
    place = copies.locator(any_service.services, sha256(DRAFT_BYTES), store.name)
    copies.spoil(store, place, damage)
    again = share(second)
    for client, resource in ((first, shared), (second, again)):
        got = client.get(path_of(resource["versions"][0]["download_url"]))
        assert (got.status_code, got.data) == (200, DRAFT_BYTES)
