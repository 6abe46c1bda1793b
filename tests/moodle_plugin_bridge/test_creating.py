"""Shares as a stock Moodle sends them become drafts, whatever is in them; the refusals that cannot be avoided
are told in words for a teacher."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from moodle_plugin_bridge import creating
from repo_service.domain.identity import SCOPES_OF_ROLE, ClientKind, Role, Scope
from repo_service.domain.resources import Noun
from repo_service.http.problems import CATALOGUE
from repo_service.models.base import now
from tests.contract.support import nothing_changes, problem_of, rows
from tests.moodle_plugin_bridge.moodle import CREATE, Share
from tests.support.backups import ActivitySpec, backup
from tests.support.service import OPERATOR, MakeService, Service, json_of
from tests.web.visitor import Visitor

SHOWN = 100
"""Bytes of a body within which a teacher has to be told what to do."""


@pytest.fixture
def package(tmp_path: Path) -> bytes:
    """As Moodle packs an activity: a tar.gz."""
    activities = [ActivitySpec(module="page", title="What is an ecosystem?")]
    return backup(tmp_path / "page_backup.mbz", fullname="Ecology", activities=activities).read_bytes()


def _token(service: Service, *scopes: Scope, username: str = "teacher") -> str:
    account = service.services.accounts.create(OPERATOR, username=username)
    issued = service.services.accounts.issue_token(
        OPERATOR, name="a Moodle", scopes=frozenset(scopes), account_id=account.id
    )
    return issued.secret


@pytest.fixture
def moodle(service: Service) -> FlaskClient:
    """A Moodle with a teacher's token, good for sharing and nothing else."""
    return service.client(_token(service, Scope.SHARE))


def _draft(service: Service, made: TestResponse) -> Any:
    """What the owner sees of it."""
    account = service.services.accounts.find(OPERATOR, "teacher")
    issued = service.services.accounts.issue_token(
        OPERATOR, name="test", scopes=SCOPES_OF_ROLE[Role.MEMBER], account_id=account.id
    )
    assert made.json is not None
    return json_of(service.client(issued.secret).get(f"/api/v1/resources/{made.json['id']}"))


def test_a_share_is_a_draft_with_an_address_to_finish_it(
    service: Service, moodle: FlaskClient, package: bytes
) -> None:
    made = Share.of(package, "What is an ecosystem?", "All about ponds").send(moodle)
    assert made.status_code == 201
    assert made.mimetype == "application/json"
    answer = made.json
    assert answer is not None
    id_ = answer["id"]
    assert answer == {
        "_key": id_,
        "id": id_,
        "name": "What is an ecosystem?",
        "description": "All about ponds",
        "homepage": f"{service.settings.base_url}/resources/{id_}/finish",
        "url": f"{service.settings.base_url}/files/{id_}/1/page_backup.mbz",
    }
    assert made.location == answer["homepage"]
    draft = _draft(service, made)
    assert (draft["visibility"], draft["owner"]) == ("draft", "teacher")
    assert draft["versions"][0]["file_name"] == "page_backup.mbz"
    assert draft["versions"][0]["size"] == len(package)
    service.work()
    draft = _draft(service, made)
    assert draft["versions"][0]["processing"]["state"] == "done"
    assert draft["title"] == "What is an ecosystem?"


def test_homepage_leads_through_the_sign_in_and_back(
    service: Service, moodle: FlaskClient, package: bytes
) -> None:
    made = Share.of(package, "Ponds", "").send(moodle)
    path = made.json["homepage"].removeprefix(service.settings.base_url)  # type: ignore[index]
    asked = Visitor(service).client.get(path)
    assert (asked.status_code, asked.location) == (303, f"/sign-in?next={path}")
    account = service.services.accounts.find(OPERATOR, "teacher")
    token = service.services.accounts.issue_token(
        OPERATOR, name="x", scopes=SCOPES_OF_ROLE[Role.MEMBER], account_id=account.id
    ).secret
    visitor = Visitor(service)
    signed_in = visitor.send(asked.location, "/sign-in", token=token)
    assert signed_in.location == path
    assert "Ponds" in visitor.get(path).text


def test_the_draft_says_from_which_moodle_it_came(service: Service, package: bytes) -> None:
    token = service.token("teacher")
    account = service.services.accounts.find(OPERATOR, "teacher")
    registered = service.services.accounts.register_client(
        OPERATOR, name="School <b>Moodle</b>", kind=ClientKind.MOODLE, account_id=account.id
    )
    issued = service.services.accounts.issue_token(
        OPERATOR,
        name="a Moodle",
        scopes=frozenset({Scope.SHARE}),
        account_id=account.id,
        client_id=registered.id,
    )
    made = json_of(Share.of(package, "Ponds", "").send(service.client(issued.secret)), 201)
    page = Visitor(service, token).get(f"/resources/{made['id']}/finish")
    assert "Sent by School <b>Moodle</b>" in page.text
    entries = service.services.audit_trail.search(OPERATOR, limit=1, noun=Noun.RESOURCE, noun_id=made["id"])
    assert (entries.items[0].action, entries.items[0].account_id) == ("create", account.id)


def test_a_token_that_may_write_may_share(service: Service, package: bytes) -> None:
    client = service.client(_token(service, Scope.WRITE))
    assert Share.of(package, "Ponds", "").send(client).status_code == 201


def test_a_token_for_sharing_may_do_nothing_else(moodle: FlaskClient, package: bytes) -> None:
    made = json_of(Share.of(package, "Ponds", "").send(moodle), 201)
    own = f"/api/v1/resources/{made['id']}"
    assert problem_of(moodle.get("/api/v1/me"), "insufficient-scope")
    assert problem_of(moodle.get(own), "insufficient-scope")
    assert problem_of(moodle.post(f"{own}/versions/1/release"), "insufficient-scope")
    assert problem_of(
        moodle.post("/api/v1/uploads", json={"file_name": "a", "size": 1}), "insufficient-scope"
    )
    assert problem_of(
        moodle.get(f"/{made['url'].partition('://')[2].partition('/')[2]}"), "insufficient-scope"
    )


@pytest.mark.parametrize(
    "said",
    [
        None,
        "",
        "nonsense",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"name": 7, "description": ["x"]}',
        '{"name": null, "description": null}',
        '{"name": "\\u200b ", "description": " \\n "}',
        '{"name": "' + "[" * 5000,
        "[" * 100_000,
    ],
)
def test_what_the_first_part_does_not_say_is_found_in_the_file(
    service: Service, moodle: FlaskClient, package: bytes, said: str | None
) -> None:
    made = Share(content=package, said=said).send(moodle)
    assert made.status_code == 201, made.text
    assert made.json is not None
    assert made.json["name"] == "page backup"
    service.work()
    assert _draft(service, made)["title"] == "Ecology"


def test_a_wrapped_description_is_put_together(service: Service, moodle: FlaskClient, package: bytes) -> None:
    wrapped = (
        "A twelve-week survey of ecosystems, climate and human impact. CC BY 4.0,\nAda Lehrer.\n\n"
        "For year 9:\nall."
    )
    made = Share.of(package, "Ecology", wrapped).send(moodle)
    assert _draft(service, made)["summary"] == (
        "A twelve-week survey of ecosystems, climate and human impact. CC BY 4.0, Ada Lehrer.<br><br>"
        "For year 9:<br>all."
    )


def test_markup_in_names_is_text(service: Service, moodle: FlaskClient, package: bytes) -> None:
    name = 'Edge cases: "quotes" & <b>tags</b> 日本の古典文学 😀' + " very long title" * 60
    made = Share.of(package, name, "<script>alert(1)</script> a < b").send(moodle)
    draft = _draft(service, made)
    assert draft["title"] == name[:500].strip()
    assert draft["summary"] == "&lt;script&gt;alert(1)&lt;/script&gt; a &lt; b"


@pytest.mark.parametrize("content", [b"", b"no backup at all", b"PK\x03\x04broken", b"\x1f\x8b\x08broken"])
def test_a_file_that_is_no_backup_is_a_draft_and_its_page_tells(
    service: Service, moodle: FlaskClient, content: bytes
) -> None:
    made = Share.of(content, "Broken", "").send(moodle)
    assert made.status_code == 201, made.text
    service.work()
    draft = _draft(service, made)
    assert draft["visibility"] == "draft"
    assert draft["versions"][0]["processing"]["state"] == "failed"
    assert draft["versions"][0]["processing"]["reason"]


def test_the_same_package_again_is_a_second_draft(
    service: Service, moodle: FlaskClient, package: bytes
) -> None:
    share = Share.of(package, "Ponds", "")
    first, second = (json_of(share.send(moodle), 201) for _ in range(2))
    assert first["homepage"] != second["homepage"]


def _assert_told(answer: TestResponse, code: str) -> None:
    """A problem whose first bytes are a sentence with what to do, in ASCII."""
    problem = problem_of(answer, code)
    shown = answer.data[:SHOWN]
    assert shown.startswith(b'{"detail":"')
    assert problem["detail"].encode() + b'"' in shown
    assert shown.isascii()
    assert answer.data[:120].isascii()


@pytest.mark.parametrize("token", ["", "mrr_wrong"])
def test_without_a_token_that_is_known(service: Service, package: bytes, token: str) -> None:
    share = Share.of(package, "Ponds", "")
    with nothing_changes(service):
        answer = share.send(service.client(token or None))
    _assert_told(answer, "unauthorised")
    wanted = 'Bearer error="invalid_token"' if token else "Bearer"
    assert answer.headers["WWW-Authenticate"] == wanted


def test_a_token_of_yesterday(service: Service, package: bytes) -> None:
    account = service.services.accounts.create(OPERATOR, username="teacher")
    issued = service.services.accounts.issue_token(
        OPERATOR,
        name="a Moodle",
        scopes=frozenset({Scope.SHARE}),
        account_id=account.id,
        expires_at=now() - timedelta(days=1),
    )
    with nothing_changes(service):
        answer = Share.of(package, "Ponds", "").send(service.client(issued.secret))
    _assert_told(answer, "unauthorised")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_one_who_was_blocked(service: Service, moodle: FlaskClient, package: bytes) -> None:
    account = service.services.accounts.find(OPERATOR, "teacher")
    service.services.accounts.change(OPERATOR, account.id, blocked=True)
    answer = Share.of(package, "Ponds", "").send(moodle)
    _assert_told(answer, "unauthorised")
    assert "blocked" in answer.text[:SHOWN]


def test_without_the_scope(service: Service, package: bytes) -> None:
    client = service.client(_token(service, Scope.READ))
    with nothing_changes(service):
        answer = Share.of(package, "Ponds", "").send(client)
    _assert_told(answer, "insufficient-scope")
    assert answer.headers["WWW-Authenticate"] == f'Bearer error="insufficient_scope", scope="{Scope.SHARE}"'


def test_too_large(make_service: MakeService, package: bytes) -> None:
    service = make_service(max_upload_size=1000)
    client = service.client(_token(service, Scope.SHARE))
    with nothing_changes(service):
        answer = Share.of(package + bytes(2_000_000), "Ponds", "").send(client)
    _assert_told(answer, "payload-too-large")


def test_no_space_left_for_the_account(make_service: MakeService, package: bytes) -> None:
    service = make_service(quota=1000)
    client = service.client(_token(service, Scope.SHARE))
    before = rows(service.services)["resources"]
    _assert_told(Share.of(package, "Ponds", "").send(client), "quota-exceeded")
    assert rows(service.services)["resources"] == before


def test_a_mirror_takes_nothing(
    make_service: MakeService, service: Service, moodle: FlaskClient, package: bytes
) -> None:
    assert Share.of(package, "Ponds", "").send(moodle).status_code == 201
    mirror = make_service(read_only=True, database_url=service.settings.database_url)
    client = mirror.client(moodle.environ_base["HTTP_AUTHORIZATION"].partition(" ")[2])
    _assert_told(Share.of(package, "Ponds", "").send(client), "read-only")


def _without_file(share: Share) -> tuple[bytes, str]:
    return share.head().rpartition(f"--{share.boundary}".encode())[0] + share.tail.lstrip(), ""


def _broken_off(share: Share) -> tuple[bytes, str]:
    return share.head() + share.content, ""


def _two_files(share: Share) -> tuple[bytes, str]:
    other = replace(share, said=None)
    return share.head() + share.content + b"\r\n" + other.body, ""


def _not_a_form(share: Share) -> tuple[bytes, str]:
    return share.body, "application/octet-stream"


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (_without_file, "invalid-input"),
        (_broken_off, "malformed-request"),
        (_two_files, "malformed-request"),
        (_not_a_form, "unsupported-media-type"),
    ],
)
def test_what_is_no_share(
    service: Service,
    moodle: FlaskClient,
    package: bytes,
    made: Callable[[Share], tuple[bytes, str]],
    code: str,
) -> None:
    share = Share.of(package, "Ponds", "")
    body, media_type = made(share)
    headers = share.headers | ({"Content-Type": media_type} if media_type else {})
    with nothing_changes(service):
        answer = moodle.post(CREATE, data=body, headers=headers)
    _assert_told(answer, code)


def test_nothing_is_taken_by_a_browser_in_its_owners_name(service: Service, package: bytes) -> None:
    """The session of a signed-in person is of no use here: another site's form can send it along."""
    visitor = Visitor(service, service.token("teacher"))
    share = Share.of(package, "Ponds", "")
    answer = visitor.client.post(CREATE, data=share.body, headers=share.headers | visitor.headers)
    _assert_told(answer, "unauthorised")


def test_every_refusal_has_words_for_a_teacher() -> None:
    for code in CATALOGUE:
        fields = {"limit": 1_070_000_000, "reason": "invalid"}
        words = creating._words(code, fields)
        if words is not None:
            assert words.isascii()
            assert len(json.dumps({"detail": words}, separators=(",", ":"))) - 1 <= SHOWN, words


def test_only_posts_are_taken(moodle: FlaskClient) -> None:
    problem_of(moodle.get(CREATE), "method-not-allowed")
