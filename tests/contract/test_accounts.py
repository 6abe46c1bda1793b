"""Accounts, tokens and clients: who may come in, what each may do, and what is kept of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text, update

from repo_service.domain.identity import SCOPES_OF_ROLE, Role, Scope
from repo_service.models import Account, Base, Token
from repo_service.models.base import now
from tests.contract.support import count, nothing_changes, path_of, problem_of, rows, share
from tests.support.service import OPERATOR, Service, json_of

_ALL = sorted(scope.value for scope in SCOPES_OF_ROLE[Role.MEMBER])


def _administrator(service: Service) -> FlaskClient:
    return service.client(service.token("chief", role=Role.ADMINISTRATOR))


def _issue(asker: FlaskClient, /, **given: Any) -> Any:
    return json_of(asker.post("/api/v1/me/tokens", json={"name": "t", "scopes": _ALL, **given}), 201)


def test_the_secret_is_nowhere_in_the_database(any_service: Service) -> None:
    """Shown once, kept as a hash: not in the tokens, not in the audit trail, not in any other table."""
    teacher = any_service.member()
    issued = _issue(teacher)
    secret = issued["secret"]
    assert secret.startswith("mrr_")
    assert len(secret) > 40
    assert secret not in str(rows(any_service.services))
    with any_service.services.database.read() as session:
        for table in Base.metadata.sorted_tables:
            everything = session.execute(text(f"SELECT * FROM {table.name}")).all()
            assert secret not in str(everything)
            assert secret.removeprefix("mrr_") not in str(everything)
    listed = json_of(teacher.get("/api/v1/me/tokens"))
    assert "secret" not in str(listed)
    assert secret not in str(listed)
    assert json_of(any_service.client(secret).get("/api/v1/me"))["username"] == "teacher"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Bearer mrr_nonsense", "invalid"),
        ("Bearer ", "invalid"),
        ("bearer", "invalid"),
        ("Basic dGVhY2hlcjp4", "invalid"),
        ("Bearer \u00e9\u00e8", "invalid"),
        ("Bearer " + "x" * 5000, "invalid"),
    ],
)
def test_a_bad_token_is_refused_even_where_none_is_needed(service: Service, header: str, reason: str) -> None:
    """Somebody who means to be somebody is not answered as the public."""
    for path in ("/api/v1/resources", "/api/v1/me", "/healthz"):
        response = service.client().get(path, headers={"Authorization": header})
        assert problem_of(response, "unauthorised")["reason"] == reason
        assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_nobody_is_asked_to_sign_in(service: Service) -> None:
    """Where somebody must be."""
    response = service.client().get("/api/v1/me")
    assert problem_of(response, "unauthorised")["reason"] == "missing"
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_revoked_expired_blocked_and_disabled_are_refused_at_the_next_request(any_service: Service) -> None:
    """Nothing is remembered of who was let in before."""
    service = any_service
    chief, teacher = _administrator(service), service.member()
    me = json_of(teacher.get("/api/v1/me"))
    client = json_of(teacher.post("/api/v1/me/clients", json={"name": "School", "kind": "moodle"}), 201)

    revoked = _issue(teacher)
    session = service.client(revoked["secret"])
    json_of(session.get("/api/v1/me"))
    assert teacher.delete(f"/api/v1/me/tokens/{revoked['id']}").status_code == 204
    problem_of(session.get("/api/v1/me"), "unauthorised")
    assert teacher.delete(f"/api/v1/me/tokens/{revoked['id']}").status_code == 204, "it stays revoked"

    expiring = _issue(teacher, expires_at=(now() + timedelta(minutes=5)).isoformat())
    session = service.client(expiring["secret"])
    json_of(session.get("/api/v1/me"))
    with service.services.database.write() as database:
        database.execute(
            update(Token).where(Token.name == "t").values(expires_at=now() - timedelta(seconds=1))
        )
    problem_of(session.get("/api/v1/me"), "unauthorised")

    of_client = service.client(_issue(teacher, client=client["id"])["secret"])
    json_of(of_client.get("/api/v1/me"))
    assert teacher.delete(f"/api/v1/me/clients/{client['id']}").status_code == 204
    problem_of(of_client.get("/api/v1/me"), "unauthorised")
    json_of(teacher.get("/api/v1/me"))

    blocked = json_of(chief.patch(f"/api/v1/accounts/{me['id']}", json={"blocked": True}))
    assert blocked["blocked_at"] is not None
    problem_of(teacher.get("/api/v1/resources"), "unauthorised")
    json_of(chief.patch(f"/api/v1/accounts/{me['id']}", json={"blocked": False}))
    json_of(teacher.get("/api/v1/me"))


def test_a_role_taken_away_is_gone_at_the_next_request(service: Service) -> None:
    """Whatever the token says."""
    chief = _administrator(service)
    moderator = service.client(service.token("moderator", role=Role.MODERATOR))
    json_of(moderator.get("/api/v1/audit"))
    me = json_of(moderator.get("/api/v1/me"))
    json_of(chief.patch(f"/api/v1/accounts/{me['id']}", json={"role": "member"}))
    problem_of(moderator.get("/api/v1/audit"), "forbidden")
    json_of(moderator.get("/api/v1/me"))


_WRITE = "resources:write"
_READ = "resources:read"
_NOWHERE = "00000000-0000-7000-8000-000000000000"
_NEEDS: list[tuple[str, str, Any, str]] = [
    ("GET", "/api/v1/me", None, _READ),
    ("GET", "/api/v1/me/resources", None, _READ),
    ("GET", "/api/v1/me/tokens", None, _READ),
    ("POST", "/api/v1/me/tokens", {"name": "t", "scopes": [_READ]}, _READ),
    ("DELETE", f"/api/v1/me/tokens/{_NOWHERE}", None, _WRITE),
    ("GET", "/api/v1/me/clients", None, _READ),
    ("POST", "/api/v1/me/clients", {"name": "c"}, _WRITE),
    ("DELETE", f"/api/v1/me/clients/{_NOWHERE}", None, _WRITE),
    ("POST", "/api/v1/uploads", {"file_name": "a", "size": 1}, _WRITE),
    ("GET", f"/api/v1/uploads/{_NOWHERE}", None, _WRITE),
    ("PUT", f"/api/v1/uploads/{_NOWHERE}", None, _WRITE),
    ("DELETE", f"/api/v1/uploads/{_NOWHERE}", None, _WRITE),
    ("POST", "/api/v1/resources", {"upload": _NOWHERE}, _WRITE),
    ("PATCH", "{own}", {"title": "x"}, _WRITE),
    ("POST", "{own}/withdraw", {"reason": "x"}, _WRITE),
    ("POST", "{own}/restore", None, _WRITE),
    ("POST", "{own}/versions", {"upload": _NOWHERE}, _WRITE),
    ("POST", "{own}/versions/1/release", None, _WRITE),
    ("POST", "{own}/versions/1/inspection", None, _WRITE),
    ("GET", "/api/v1/accounts", None, "administration"),
    ("POST", "/api/v1/accounts", {"username": "x"}, "administration"),
    ("GET", f"/api/v1/accounts/{_NOWHERE}", None, "administration"),
    ("PATCH", f"/api/v1/accounts/{_NOWHERE}", {"role": "member"}, "administration"),
    ("GET", "/api/v1/audit", None, "moderation"),
    ("GET", "/api/v1/reports", None, "moderation"),
    ("GET", "/api/v1/usage", None, "moderation"),
    ("GET", "/api/v1/jobs", None, "administration"),
    ("POST", f"/api/v1/jobs/{_NOWHERE}/retry", None, "administration"),
    ("GET", "/api/v1/stores", None, "administration"),
    ("GET", f"/api/v1/resources/{_NOWHERE}/reports", None, "moderation"),
    (
        "POST",
        f"/api/v1/resources/{_NOWHERE}/reports/decision",
        {"decision": "hidden", "note": "x"},
        "moderation",
    ),
]


def test_scopes_are_enforced_at_each_endpoint(service: Service) -> None:
    """The public is asked to sign in, a role that lacks the scope is forbidden, a token that lacks it is told
    which; and none of the three changes anything. A read of one's own draft needs the scope to read."""
    teacher = service.member()
    resource = share(teacher)
    service.work()
    own = path_of(resource["api_url"])
    account = service.services.accounts.find(OPERATOR, "teacher")
    with service.services.database.write() as session:
        session.execute(update(Account).values(role=Role.ADMINISTRATOR.value))

    def with_scopes(*scopes: str) -> FlaskClient:
        issued = service.services.accounts.issue_token(
            OPERATOR, name="few", scopes=frozenset(map(Scope, scopes)), account_id=account.id
        )
        return service.client(issued.secret)

    everything = {scope.value for scope in Scope}
    lacking = {scope: with_scopes(*(everything - {scope})) for scope in everything}
    member = service.member("member")
    with nothing_changes(service):
        for method, template, body, needed in _NEEDS:
            path = template.replace("{own}", own)
            problem_of(service.client().open(path, method=method, json=body), "unauthorised")
            response = lacking[needed].open(path, method=method, json=body)
            problem = problem_of(response, "insufficient-scope")
            assert problem["scope"] == needed, (method, path)
            challenge = f'Bearer error="insufficient_scope", scope="{needed}"'
            assert response.headers["WWW-Authenticate"] == challenge
            if needed not in _ALL:
                problem_of(member.open(path, method=method, json=body), "forbidden")
        problem_of(with_scopes_less_reading(lacking).get(own), "not-found")


def with_scopes_less_reading(lacking: dict[str, FlaskClient]) -> FlaskClient:
    """One's own token that may neither read drafts nor moderate others'."""
    return lacking[_READ]


def test_a_token_never_carries_more_than_its_maker_or_role(service: Service) -> None:
    """Nor does it outlive the token it was made with, nor leave the client it was made by."""
    teacher = service.member()
    reader = service.client(_issue(teacher, scopes=[_READ])["secret"])
    with nothing_changes(service):
        problem_of(
            teacher.post("/api/v1/me/tokens", json={"name": "t", "scopes": ["moderation"]}), "forbidden"
        )
        problem = problem_of(
            reader.post("/api/v1/me/tokens", json={"name": "t", "scopes": [_READ, _WRITE]}),
            "insufficient-scope",
        )
        assert problem["scope"] == _WRITE

    end = now() + timedelta(hours=1)
    short = service.client(_issue(teacher, expires_at=end.isoformat())["secret"])
    assert _issue(short)["expires_at"] == _issue(teacher, expires_at=end.isoformat())["expires_at"]

    moodle = json_of(teacher.post("/api/v1/me/clients", json={"name": "School", "kind": "moodle"}), 201)
    other = json_of(teacher.post("/api/v1/me/clients", json={"name": "Other"}), 201)
    of_client = service.client(_issue(teacher, client=moodle["id"])["secret"])
    child = _issue(of_client)
    assert child["client_id"] == moodle["id"]
    problem_of(
        of_client.post("/api/v1/me/tokens", json={"name": "t", "scopes": _ALL, "client": other["id"]}),
        "forbidden",
    )
    assert teacher.delete(f"/api/v1/me/clients/{moodle['id']}").status_code == 204
    problem_of(service.client(child["secret"]).get("/api/v1/me"), "unauthorised")


def test_other_peoples_tokens_and_clients_are_not_there(service: Service) -> None:
    """They cannot be listed, revoked, disabled or used to make tokens."""
    teacher, stranger = service.member("teacher"), service.member("stranger")
    token = _issue(teacher)
    client = json_of(teacher.post("/api/v1/me/clients", json={"name": "School"}), 201)
    with nothing_changes(service):
        problem_of(stranger.delete(f"/api/v1/me/tokens/{token['id']}"), "not-found")
        problem_of(stranger.delete(f"/api/v1/me/clients/{client['id']}"), "not-found")
        problem_of(
            stranger.post("/api/v1/me/tokens", json={"name": "t", "scopes": _ALL, "client": client["id"]}),
            "not-found",
        )
        listed = json_of(stranger.get("/api/v1/me/tokens"))["items"]
        assert token["id"] not in {item["id"] for item in listed}
        assert json_of(stranger.get("/api/v1/me/clients"))["items"] == []
    assert service.client(token["secret"]).get("/api/v1/me").status_code == 200
    assert _administrator(service).delete(f"/api/v1/me/tokens/{token['id']}").status_code == 204


@pytest.mark.parametrize(
    "expires_at", ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "2027-01-01T00:00:00"]
)
def test_an_expiry_that_is_none_is_refused(service: Service, expires_at: str) -> None:
    """In the past, beyond reason, or without a zone."""
    teacher = service.member()
    given = {"name": "t", "scopes": _ALL, "expires_at": expires_at}
    with nothing_changes(service):
        problem = problem_of(teacher.post("/api/v1/me/tokens", json=given), "invalid-input")
    assert [error["pointer"] for error in problem["errors"]] == ["/expires_at"]


def test_last_use_is_noted(any_service: Service) -> None:
    """To the hour: a write with every request would be too much."""
    teacher = any_service.member()
    issued = _issue(teacher)
    assert issued["last_used_at"] is None
    session = any_service.client(issued["secret"])

    def last_used() -> Any:
        listed = json_of(teacher.get("/api/v1/me/tokens"))["items"]
        return next(item["last_used_at"] for item in listed if item["id"] == issued["id"])

    json_of(session.get("/api/v1/me"))
    first = last_used()
    assert first is not None
    json_of(session.get("/api/v1/me"))
    assert last_used() == first
    with any_service.services.database.write() as database:
        database.execute(update(Token).values(last_used_at=now() - timedelta(hours=2)))
    json_of(session.get("/api/v1/me"))
    assert last_used() > first


def test_nobody_blocks_or_demotes_themselves(any_service: Service) -> None:
    """So there is always an administrator left."""
    chief = _administrator(any_service)
    url = f"/api/v1/accounts/{json_of(chief.get('/api/v1/me'))['id']}"
    with nothing_changes(any_service):
        problem_of(chief.patch(url, json={"blocked": True}), "forbidden")
        problem_of(chief.patch(url, json={"role": "member"}), "forbidden")
    changed = json_of(chief.patch(url, json={"display_name": "Chief", "role": "administrator"}))
    assert changed["display_name"] == "Chief"


def test_accounts_are_made_and_changed_by_administrators(any_service: Service) -> None:
    """Names are unique; unknown members and wrong values are named."""
    chief = _administrator(any_service)
    made = json_of(chief.post("/api/v1/accounts", json={"username": "anna", "quota": 1000}), 201)
    assert (made["role"], made["quota"], made["used"], made["blocked_at"]) == ("member", 1000, 0, None)
    with nothing_changes(any_service):
        problem = problem_of(chief.post("/api/v1/accounts", json={"username": "anna"}), "name-taken")
        assert problem["name"] == "anna"
        for username in ("Anna", "an na", "", "a" * 65, "../x", ".anna"):
            problem = problem_of(chief.post("/api/v1/accounts", json={"username": username}), "invalid-input")
            assert [error["pointer"] for error in problem["errors"]] == ["/username"]
        wrong = {"username": "b", "role": "king", "quota": -1, "crown": True}
        problem = problem_of(chief.post("/api/v1/accounts", json=wrong), "invalid-input")
        assert {error["pointer"] for error in problem["errors"]} == {"/role", "/quota", "/crown"}
        problem_of(chief.patch(f"/api/v1/accounts/{_NOWHERE}", json={"role": "member"}), "not-found")
        problem_of(chief.get(f"/api/v1/accounts/{_NOWHERE}"), "not-found")
    changed = json_of(chief.patch(f"/api/v1/accounts/{made['id']}", json={"role": "moderator", "quota": 5}))
    assert (changed["role"], changed["quota"]) == ("moderator", 5)
    assert json_of(chief.get(f"/api/v1/accounts/{made['id']}")) == changed


def test_members_see_themselves_only(any_service: Service) -> None:
    """Neither other accounts nor the audit trail."""
    teacher, other = any_service.member("teacher"), any_service.member("other")
    me, them = json_of(teacher.get("/api/v1/me")), json_of(other.get("/api/v1/me"))
    assert json_of(teacher.get(f"/api/v1/accounts/{me['id']}")) == me
    for path in ("/api/v1/accounts", f"/api/v1/accounts/{them['id']}", "/api/v1/audit"):
        problem_of(teacher.get(path), "forbidden")
    moderator = any_service.client(any_service.token("moderator", role=Role.MODERATOR))
    json_of(moderator.get("/api/v1/audit"))
    problem_of(moderator.get("/api/v1/accounts"), "forbidden")


def test_every_deed_leaves_an_audit_entry(any_service: Service) -> None:
    """Who, what, to which thing: newest first, and never a secret."""
    chief, teacher = _administrator(any_service), any_service.member()
    me = json_of(teacher.get("/api/v1/me"))
    token = _issue(teacher)
    client = json_of(teacher.post("/api/v1/me/clients", json={"name": "School"}), 201)
    resource = share(teacher, licence="CC-BY-4.0")
    any_service.work()
    url = path_of(resource["api_url"])
    json_of(teacher.patch(url, json={"title": "Rivers"}))
    json_of(teacher.post(f"{url}/versions/1/release"))
    json_of(teacher.post(f"{url}/versions/1/inspection"), 202)
    assert teacher.post(f"{url}/withdraw", json={"reason": "Old."}).status_code == 204
    json_of(teacher.post(f"{url}/restore"))
    assert teacher.delete(f"/api/v1/me/clients/{client['id']}").status_code == 204
    assert teacher.delete(f"/api/v1/me/tokens/{token['id']}").status_code == 204
    json_of(chief.patch(f"/api/v1/accounts/{me['id']}", json={"quota": 10}))
    trail = json_of(chief.get("/api/v1/audit?limit=100"))["items"]
    deeds = [(entry["action"], entry["noun"], entry["noun_id"]) for entry in reversed(trail)]
    mine = [
        deed for deed, entry in zip(deeds, reversed(trail), strict=True) if entry["account_id"] == me["id"]
    ]
    assert [(action, noun) for action, noun, _ in mine] == [
        ("issue", "token"),
        ("register", "client"),
        ("upload", "upload"),
        ("create", "resource"),
        ("describe", "resource"),
        ("release", "resource"),
        ("inspect again", "resource"),
        ("withdraw", "resource"),
        ("restore", "resource"),
        ("disable", "client"),
        ("revoke", "token"),
    ]
    assert {noun_id for _, noun, noun_id in mine if noun == "resource"} == {resource["id"]}
    assert deeds[-1] == ("change", "account", me["id"])
    assert token["secret"] not in str(trail)
    only = json_of(chief.get("/api/v1/audit", query_string={"noun": "client", "noun_id": client["id"]}))
    assert [entry["action"] for entry in only["items"]] == ["disable", "register"]


def test_lists_are_paged(any_service: Service) -> None:
    """Each row once, in order; the last page says so; a cursor that is none is refused."""
    chief = _administrator(any_service)
    for number in range(4):
        json_of(chief.post("/api/v1/accounts", json={"username": f"member{number}"}), 201)
    for path, expected in (("/api/v1/accounts", 5), ("/api/v1/audit", count(any_service.services, "audit"))):
        seen: list[Any] = []
        cursor: str | None = None
        while True:
            asked = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = json_of(chief.get(path, query_string=asked))
            assert len(page["items"]) <= 2
            seen += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert len(seen) == len(set(seen)) == expected
        assert seen == sorted(seen, reverse=path.endswith("audit"))
        for garbage in ("x", "!!!", "4oKs", "LTE", "MTIz" * 20, "%00", "\u20ac", "bm90LWEtdXVpZA"):
            problem_of(chief.get(path, query_string={"cursor": garbage}), "invalid-cursor")
        for limit in ("0", "101", "-1", "x", ""):
            problem = problem_of(chief.get(path, query_string={"limit": limit}), "invalid-input")
            assert problem["errors"][0]["location"] == "query"


def test_the_first_administrator_is_made_once(service: Service) -> None:
    """With a token that may do everything; never when there is an account already."""
    issued = service.services.accounts.ensure_administrator()
    assert issued is not None
    me = json_of(service.client(issued.secret).get("/api/v1/me"))
    assert (me["username"], me["role"]) == ("admin", "administrator")
    with nothing_changes(service):
        assert service.services.accounts.ensure_administrator() is None
