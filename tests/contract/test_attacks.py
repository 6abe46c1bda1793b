"""What a hostile member or the anonymous public tried once, and must be refused."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from repo_service.domain.identity import Role
from tests.support.backups import backup
from tests.support.service import Service, json_of, send_file

PLAIN = b"Leaves are green. " * 50


def _finished_upload(client: FlaskClient, content: bytes, name: str = "notes.txt") -> dict[str, Any]:
    upload = json_of(client.post("/api/v1/uploads", json={"file_name": name, "size": len(content)}), 201)
    finished: dict[str, Any] = json_of(client.put(f"/api/v1/uploads/{upload['id']}", data=content))
    return finished


def _without_own_names(answer: dict[str, Any]) -> str:
    """An answer about a new resource without what is each one's own."""
    text = json.dumps({**answer, "owner": "", "owner_name": "", "created_at": "", "updated_at": ""})
    for version in answer["versions"]:
        text = text.replace(version["created_at"], "")
    return text.replace(answer["id"], "")


def test_the_same_bytes_twice_are_stored_once_and_nobody_can_tell(any_service: Service) -> None:
    """The second owner gets the same answer as the first one did, at once and after the inspection."""
    service = any_service
    alice, bob = service.member("alice"), service.member("bob")
    first = json_of(send_file(alice, PLAIN, file_name="Dismissal of Mr Smith.txt"), 201)
    service.work()
    inspected = json_of(alice.get(first["api_url"]))

    second = json_of(send_file(bob, PLAIN, file_name="Dismissal of Mr Smith.txt"), 201)
    assert _without_own_names(second) == _without_own_names(first)
    assert second["versions"][0]["processing"]["state"] == "queued"
    assert bob.get(second["versions"][0]["inspection_url"]).json["code"] == "not-inspected"  # type: ignore[index]
    again = json_of(alice.get(first["api_url"]))
    assert again == inspected, "what bob does changes nothing of alice's"

    named = json_of(send_file(bob, PLAIN, file_name="unknown.txt"), 201)
    service.work()
    assert json_of(bob.get(named["api_url"]))["title"] == "unknown"
    assert len(list(service.services.uploads._store.iter())) == 1
    for client in (alice, bob):
        assert json_of(client.get("/api/v1/me"))["used"] == len(PLAIN)


def test_a_name_given_by_one_spoils_nothing_for_another(service: Service) -> None:
    """The rule that a .mbz must be a backup looks at each one's own name."""
    alice, bob = service.member("alice"), service.member("bob")
    junk = json_of(send_file(alice, PLAIN, file_name="junk.mbz", licence="CC-BY-4.0", release=True), 201)
    good = json_of(send_file(bob, PLAIN, file_name="leaves.txt", licence="CC-BY-4.0", release=True), 201)
    more = json_of(send_file(bob, PLAIN, file_name="late.mbz", licence="CC-BY-4.0", release=True), 201)
    service.work()
    assert json_of(bob.get(good["api_url"]))["visibility"] == "public"
    for client, resource in ((alice, junk), (bob, more)):
        shown = json_of(client.get(resource["api_url"]))
        assert shown["visibility"] == "draft"
        assert shown["versions"][0]["processing"]["state"] == "failed"
        problem = client.post(f"{resource['api_url']}/versions/1/release").json
        assert problem is not None
        assert (problem["code"], problem["reason"]) == ("invalid-file", "not-a-backup")


def test_a_draft_version_tells_the_public_nothing(service: Service, tmp_path: Path) -> None:
    """The description of a public resource comes from released versions."""
    teacher = service.member()
    resource = json_of(
        send_file(teacher, PLAIN, licence="CC-BY-4.0", release=True, file_name="First.txt"), 201
    )
    service.work()
    secret = backup(tmp_path / "s.mbz", fullname="Secret plans", summary="<p>Fire them.</p>", tags=["secret"])
    json_of(send_file(teacher, secret, url=f"{resource['api_url']}/versions"), 201)
    service.work()
    public = service.client().get(resource["api_url"])
    assert "ecret" not in public.text
    assert "Fire" not in public.text
    assert len(json_of(public)["versions"]) == 1
    assert json_of(teacher.post(f"{resource['api_url']}/versions/2/release"))["title"] == "Secret plans"


def test_a_refused_release_is_not_done_later_by_somebody_elses_upload(service: Service) -> None:
    """The owner decides anew after a refusal."""
    alice, bob = service.member("alice"), service.member("bob")
    draft = json_of(send_file(alice, PLAIN, file_name="a.txt", release=True), 201)
    service.work()
    json_of(alice.patch(draft["api_url"], json={"licence": "CC-BY-4.0"}))
    other = json_of(send_file(bob, PLAIN, file_name="b.txt"), 201)
    service.work()
    json_of(bob.post(f"{other['api_url']}/versions/1/inspection"), 202)
    service.work()
    assert json_of(alice.get(draft["api_url"]))["visibility"] == "draft"


def test_an_upload_takes_one_file_only(service: Service) -> None:
    """Two senders into one upload: the one that ends second is refused, and the quota holds."""
    bob = service.client(service.token("bob", quota=3000))
    identity = service.services.accounts.authenticate(bob.environ_base["HTTP_AUTHORIZATION"].split()[1])
    uploads = service.services.uploads
    upload = uploads.begin(identity, file_name="x.bin", size=1000)
    with uploads.receive(identity, upload.id) as one, uploads.receive(identity, upload.id) as two:
        one.write(b"1" * 1000)
        two.write(b"2" * 1000)
        one.finish()
        with pytest.raises(Exception, match="begin a new one"):
            two.finish()
    assert bob.put(f"/api/v1/uploads/{upload.id}", data=b"3" * 1000).json["code"] == "conflict"  # type: ignore[index]
    assert json_of(bob.post("/api/v1/resources", json={"upload": str(upload.id)}), 201)
    refused = bob.post("/api/v1/resources", json={"upload": str(upload.id)})
    assert (refused.status_code, refused.json["code"]) == (409, "conflict")  # type: ignore[index]


def test_uploading_and_cancelling_in_a_circle_fills_no_disk(service: Service) -> None:
    """Kept bytes count until they are collected, and that happens at the next collection."""
    bob = service.client(service.token("bob", quota=2500))
    first = _finished_upload(bob, b"1" * 1000)
    assert bob.delete(f"/api/v1/uploads/{first['id']}").status_code == 204
    second = _finished_upload(bob, b"2" * 1000)
    assert bob.delete(f"/api/v1/uploads/{second['id']}").status_code == 204
    full = bob.post("/api/v1/uploads", json={"file_name": "n", "size": 1000})
    assert (full.status_code, full.json["code"]) == (413, "quota-exceeded")  # type: ignore[index]
    service.services.garbage.collect()
    assert not list(service.services.uploads._store.iter())
    assert json_of(bob.get("/api/v1/me"))["used"] == 0


def test_a_refused_share_gives_its_room_back(service: Service) -> None:
    """Nothing stays of a form whose description or target is refused."""
    alice, bob = service.member("alice"), service.member("bob")
    public = json_of(send_file(alice, b"a", licence="CC-BY-4.0", release=True, file_name="a.txt"), 201)
    service.work()
    wrong = send_file(bob, PLAIN, subjects=["nope"])
    assert wrong.status_code == 422
    assert wrong.json["errors"][0]["pointer"] == "/metadata/subjects/0"  # type: ignore[index]
    foreign = send_file(bob, PLAIN, url=f"{public['api_url']}/versions")
    assert (foreign.status_code, foreign.json["code"]) == (403, "forbidden")  # type: ignore[index]
    assert json_of(bob.get("/api/v1/me"))["used"] == 0
    assert len(list(service.services.uploads._store.iter())) == 1


def test_a_lost_copy_is_replaced_by_the_next_upload_of_the_same_bytes(service: Service) -> None:
    """The row of a copy that is gone does not swallow good bytes."""
    teacher = service.member()
    json_of(send_file(teacher, PLAIN, file_name="a.txt"), 201)
    store = service.services.uploads._store
    (stored,) = store.iter()
    store.delete(stored.locator)
    again = json_of(send_file(teacher, PLAIN, file_name="b.txt"), 201)
    assert teacher.get(again["versions"][0]["download_url"]).data == PLAIN


def test_a_clients_token_cannot_outlive_its_client(service: Service) -> None:
    """It makes tokens of its own client only, and none that lives longer."""
    teacher = service.member()
    client = json_of(teacher.post("/api/v1/me/clients", json={"name": "Our Moodle", "kind": "moodle"}), 201)
    wanted = {"name": "t", "scopes": ["resources:read", "resources:write"], "client": client["id"]}
    own = service.client(json_of(teacher.post("/api/v1/me/tokens", json=wanted), 201)["secret"])
    made = json_of(own.post("/api/v1/me/tokens", json={"name": "e", "scopes": ["resources:read"]}), 201)
    assert made["client_id"] == client["id"]
    child = service.client(made["secret"])
    assert child.delete(f"/api/v1/me/tokens/{made['id']}").status_code == 204
    child = service.client(
        json_of(own.post("/api/v1/me/tokens", json={**wanted, "name": "f"}), 201)["secret"]
    )
    json_of(child.get("/api/v1/me"))
    assert teacher.delete(f"/api/v1/me/clients/{client['id']}").status_code == 204
    for shut_out in (own, child):
        assert shut_out.get("/api/v1/me").status_code == 401
    late = teacher.post("/api/v1/me/tokens", json=wanted)
    assert (late.status_code, late.json["code"]) == (404, "not-found")  # type: ignore[index]


def test_a_token_that_may_read_revokes_itself_only(service: Service) -> None:
    """Reading is no power over other tokens."""
    teacher = service.member()
    first, reader = (
        json_of(teacher.post("/api/v1/me/tokens", json={"name": "t", "scopes": ["resources:read"]}), 201)
        for _ in range(2)
    )
    weak = service.client(reader["secret"])
    refused = weak.delete(f"/api/v1/me/tokens/{first['id']}")
    assert (refused.status_code, refused.json["code"]) == (403, "insufficient-scope")  # type: ignore[index]
    assert weak.delete(f"/api/v1/me/tokens/{reader['id']}").status_code == 204
    assert weak.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize("key", ["", "short"])
def test_a_guessable_signing_key_is_not_taken(make_service: Any, key: str) -> None:
    """An empty setting means a key of the service's own; a short one is an error."""
    if not key:
        made = make_service(secret_key=key)
        assert len(made.settings.signing_key()) >= 32
        return
    with pytest.raises(ValueError, match="at least 32 characters"):
        make_service(secret_key=key)


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"title": ' + b"1" * 5000 + b"}", b"{", b"\xff"])
def test_json_that_the_parser_cannot_take_is_malformed(service: Service, body: bytes) -> None:
    """Nesting, numbers, endings, encodings: one answer, in bodies and in the field of a form."""
    teacher = service.member()
    for answer in (
        teacher.post("/api/v1/resources", data=body, content_type="application/json"),
        teacher.post("/api/v1/me/tokens", data=body, content_type="application/json"),
        teacher.post(
            "/api/v1/resources", data={"metadata": (BytesIO(body), ""), "file": (BytesIO(b"x"), "x")}
        ),
    ):
        assert (answer.status_code, answer.json["code"]) in {  # type: ignore[index]
            (400, "malformed-request"),
            (422, "invalid-input"),
        }, answer.text
    assert json_of(teacher.get("/api/v1/me"))["used"] == 0


def test_nobody_who_is_not_signed_in_is_read(service: Service) -> None:
    """A body from the public is refused by its headers; a whole body is bounded for everybody."""
    anonymous = service.client()
    for method, path in (
        ("POST", "/api/v1/resources"),
        ("PATCH", "/api/v1/resources/x"),
        ("PUT", "/files/x"),
    ):
        answer = anonymous.open(path, method=method, data=b"{}", content_type="application/json")
        assert (answer.status_code, answer.json["code"]) == (401, "unauthorised")  # type: ignore[index]
    big = service.member().post("/api/v1/resources", data=b" " * 3_000_000, content_type="application/json")
    assert (big.status_code, big.json["code"]) == (413, "payload-too-large")  # type: ignore[index]


@pytest.mark.parametrize(
    "moment", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2001-01-01T00:00:00Z"]
)
def test_a_token_ends_in_the_future_and_within_reason(service: Service, moment: str) -> None:
    """Moments beyond the calendar, in the past or in another century are told, not stumbled over."""
    wanted = {"name": "t", "scopes": ["resources:read"], "expires_at": moment}
    answer = service.member().post("/api/v1/me/tokens", json=wanted)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid-input")  # type: ignore[index]


def test_the_public_sees_no_reason_and_the_owner_no_inside(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the service's own is told in the log, and by one plain sentence to the owner."""
    teacher = service.member()
    resource = json_of(send_file(teacher, PLAIN, file_name="a.txt", licence="CC-BY-4.0", release=True), 201)
    service.work()
    (stored,) = service.services.uploads._store.iter()
    service.services.uploads._store.delete(stored.locator)
    json_of(teacher.post(f"{resource['api_url']}/versions/1/inspection"), 202)
    service.work()
    own = json_of(teacher.get(resource["api_url"]))["versions"][0]["processing"]
    assert (own["state"], own["reason"]) == (
        "failed",
        "No store has the bytes of this file: an operator must look.",
    )
    public = json_of(service.client().get(resource["api_url"]))["versions"][0]["processing"]
    assert public == {"state": "done", "progress": 1.0, "attempts": 1, "reason": None}


def test_a_moderators_withdrawal_holds_against_the_owner(service: Service) -> None:
    """Also when the owner withdrew first."""
    teacher = service.member()
    moderator = service.client(service.token("mod", Role.MODERATOR))
    resource = json_of(send_file(teacher, PLAIN, file_name="a.txt", licence="CC-BY-4.0", release=True), 201)
    service.work()
    assert teacher.post(f"{resource['api_url']}/withdraw", json={"reason": "mine"}).status_code == 204
    assert moderator.post(f"{resource['api_url']}/withdraw", json={"reason": "bad"}).status_code == 204
    refused = teacher.post(f"{resource['api_url']}/restore")
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")  # type: ignore[index]
    assert service.client().get(resource["api_url"]).status_code == 410
    assert json_of(moderator.post(f"{resource['api_url']}/restore"))["visibility"] == "public"


@pytest.mark.parametrize("tag", ['W/"1-o"', '"999-o"', '"x", "y"'])
def test_a_stale_or_weak_tag_changes_nothing(service: Service, tag: str) -> None:
    """If-Match compares strongly (RFC 9110, section 13.1.1)."""
    teacher = service.member()
    resource = json_of(send_file(teacher, PLAIN, file_name="a.txt"), 201)
    answer = teacher.patch(resource["api_url"], json={"title": "New"}, headers={"If-Match": tag})
    assert (answer.status_code, answer.json["code"]) == (412, "precondition-failed")  # type: ignore[index]
    assert json_of(teacher.get(resource["api_url"]))["title"] == "a"


def test_no_redirect_names_the_host_that_was_claimed(service: Service) -> None:
    """The Host header is the client's word."""
    for path in ("/vocabularies", "//vocabularies/", "/api/docs"):
        answer = service.client().get(path, headers={"Host": "evil.example"})
        assert "evil.example" not in answer.headers.get("Location", "")


def test_hits_do_not_grow_with_the_history_of_a_resource(service: Service) -> None:
    """A search shows the newest version only."""
    teacher = service.member()
    resource = json_of(send_file(teacher, PLAIN, file_name="a.txt", licence="CC-BY-4.0", release=True), 201)
    for number in range(3):
        body = PLAIN + bytes([number])
        json_of(
            send_file(teacher, body, file_name="a.txt", url=f"{resource['api_url']}/versions", release=True),
            201,
        )
    service.work()
    (hit,) = json_of(service.client().get("/api/v1/resources"))["items"]
    assert [version["number"] for version in hit["versions"]] == [4]
    assert len(json_of(service.client().get(resource["api_url"]))["versions"]) == 4


def test_a_retry_touches_nobody_elses_resource(service: Service) -> None:
    """Jobs are keyed by version: nobody's retry touches another's."""
    alice, bob = service.member("alice"), service.member("bob")
    one = json_of(send_file(alice, PLAIN, file_name="a.txt"), 201)
    two = json_of(send_file(bob, PLAIN, file_name="a.txt"), 201)
    service.work()
    before = alice.get(one["api_url"]).headers["ETag"]
    json_of(bob.post(f"{two['api_url']}/versions/1/inspection"), 202)
    service.work()
    assert alice.get(one["api_url"]).headers["ETag"] == before
