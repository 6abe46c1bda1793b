"""What a connected site can do with its token, and that it gets no further with it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from repo_service.domain.identity import Role, Scope
from repo_service.http.authentication import takes_sharing_tokens
from repo_service.http.context import identity
from repo_service.models import Account
from repo_service.services.accounts import require_scope
from tests.contract.consenting import connect_site, consent, decide, parameters_of, tokens_of
from tests.contract.support import nothing_changes, path_of, problem_of, share
from tests.support.moodle import SCOPE, Moodle
from tests.support.service import OPERATOR, Service, json_of
from tests.web.visitor import Visitor

_ALL = f"{SCOPE} resources:read resources:write"
_UUID = "00000000-0000-7000-8000-000000000001"


class Connected:
    """An administrator who has connected a site: with the most that one can have."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.token = service.token("chief", role=Role.ADMINISTRATOR)
        self.moodle = connect_site(service)
        self.visitor = Visitor(service, self.token)

    def site(self, scope: str) -> FlaskClient:
        """The site with a token of that scope."""
        tokens = tokens_of(self.service, self.moodle, self.visitor, scope=scope)
        return self.service.client(tokens["access_token"])

    @property
    def chief(self) -> FlaskClient:
        """The administrator themselves."""
        return self.service.client(self.token)


@pytest.fixture
def connected(service: Service) -> Connected:
    return Connected(service)


def test_a_token_for_sharing_is_for_nothing_else(connected: Connected) -> None:
    """At no endpoint, not even at those that everybody may read."""
    site = connected.site(SCOPE)
    tried = 0
    with nothing_changes(connected.service):
        for rule in connected.service.app.url_map.iter_rules():
            if rule.endpoint.startswith(("web.", "sending.", "moodle.", "oauth.")):
                continue  # pages know sessions, and the endpoints of OAuth the secrets of clients
            if rule.endpoint == "moodlenet.create":
                continue  # what it is for: see tests/moodle_plugin_bridge
            path = re.sub(
                r"<(?:(\w+)(?:\(([^,)]*)[^)]*\))?:)?\w+>",
                lambda found: _sample(found[1], found[2]),
                rule.rule,
            )
            for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
                response = site.open(path, method=method, json={} if method != "GET" else None)
                assert problem_of(response, "insufficient-scope")["scope"] == "resources:read", path
                challenge = 'Bearer error="insufficient_scope", scope="resources:read"'
                assert response.headers["WWW-Authenticate"] == challenge
                tried += 1
    assert tried > 50


def _sample(converter: str | None, first: str | None) -> str:
    """What fits ``converter``; ``first`` is the first thing in its brackets."""
    any_of = first or "x"
    return {"uuid": _UUID, "version": "1", "int": "1", "any": any_of}.get(converter or "", "x")


def test_the_endpoint_that_is_marked_takes_it(service: Service) -> None:
    """As the one that creates drafts is: with the scope, and with no other."""

    @takes_sharing_tokens
    def create() -> str:
        require_scope(identity(), Scope.SHARE)
        return "created"

    service.app.add_url_rule("/create", "create", create, methods=["POST"])
    connected = Connected(service)
    assert connected.site(SCOPE).post("/create").text == "created"
    assert connected.site(_ALL).post("/create").text == "created"
    problem = problem_of(connected.site("resources:write").post("/create"), "insufficient-scope")
    assert problem["scope"] == SCOPE
    problem_of(service.client().post("/create"), "unauthorised")


def test_tokens_for_resources_work_as_those_made_by_hand(connected: Connected) -> None:
    writer, reader = connected.site("resources:read resources:write"), connected.site("resources:read")
    resource = share(writer)
    connected.service.work()
    url = path_of(resource["api_url"])
    assert json_of(reader.get(url))["id"] == resource["id"]
    assert json_of(reader.get("/api/v1/me/resources"))["items"]
    json_of(writer.patch(url, json={"title": "Rivers"}))
    with nothing_changes(connected.service):
        assert (
            problem_of(reader.patch(url, json={"title": "x"}), "insufficient-scope")["scope"]
            == "resources:write"
        )
        problem_of(writer.get("/api/v1/audit"), "insufficient-scope")
        problem_of(writer.get("/api/v1/accounts"), "insufficient-scope")


def test_a_site_looks_after_no_credentials(connected: Connected) -> None:
    """Whatever its scopes, and though its person is an administrator."""
    site = connected.site(_ALL)
    me = json_of(site.get("/api/v1/me"))
    by_hand = json_of(
        connected.chief.post("/api/v1/me/tokens", json={"name": "t", "scopes": ["resources:read"]}), 201
    )
    client = json_of(connected.chief.post("/api/v1/me/clients", json={"name": "c"}), 201)
    wishes: list[tuple[str, str, Any, str]] = [
        ("POST", "/api/v1/me/tokens", {"name": "t", "scopes": ["resources:read"]}, "forbidden"),
        ("GET", "/api/v1/me/tokens", None, "forbidden"),
        ("DELETE", f"/api/v1/me/tokens/{by_hand['id']}", None, "forbidden"),
        ("POST", "/api/v1/me/clients", {"name": "c"}, "forbidden"),
        ("GET", "/api/v1/me/clients", None, "forbidden"),
        ("DELETE", f"/api/v1/me/clients/{client['id']}", None, "forbidden"),
        ("GET", "/api/v1/me/sites", None, "forbidden"),
        ("DELETE", f"/api/v1/me/sites/{connected.moodle.client_id}", None, "forbidden"),
        ("GET", "/api/v1/sites", None, "insufficient-scope"),
        ("PATCH", f"/api/v1/sites/{client['id']}", {"state": "approved"}, "insufficient-scope"),
        ("PATCH", f"/api/v1/accounts/{me['id']}", {"quota": 1}, "insufficient-scope"),
        ("POST", "/api/v1/accounts", {"username": "x"}, "insufficient-scope"),
    ]
    with nothing_changes(connected.service):
        for method, path, body, code in wishes:
            problem_of(site.open(path, method=method, json=body), code)


def test_a_site_cannot_sign_in_to_the_pages(connected: Connected) -> None:
    """So it has no session either, with which it could connect another site or make a token."""
    tokens = tokens_of(connected.service, connected.moodle, connected.visitor, scope=_ALL)
    visitor = Visitor(connected.service)
    answer = visitor.send("/sign-in", "/sign-in", token=tokens["access_token"])
    assert answer.status_code == 403
    assert visitor.client.get("/mine").status_code == 303
    with visitor.client.session_transaction() as session:
        session["token"] = tokens["access_token"]  # nobody can but us: the cookie is signed
    with nothing_changes(connected.service):
        refused = decide(visitor, connected.moodle.authorize(), "allow")
        assert refused.status_code == 403
        assert "Location" not in refused.headers


def test_a_token_of_a_program_connects_nothing(service: Service) -> None:
    """Or it could get out of the client that it belongs to."""
    teacher = service.member()
    client = json_of(teacher.post("/api/v1/me/clients", json={"name": "School"}), 201)
    given = {"name": "t", "scopes": ["resources:read", "resources:write"], "client": client["id"]}
    secret = json_of(teacher.post("/api/v1/me/tokens", json=given), 201)["secret"]
    moodle = connect_site(service)
    refused = decide(Visitor(service, secret), moodle.authorize(), "allow")
    assert refused.status_code == 403


def test_nobody_gives_what_they_may_not_do(service: Service) -> None:
    """A person who is signed in with a token that only reads lets a site read."""
    teacher = service.member()
    given = {"name": "t", "scopes": ["resources:read"]}
    reader = Visitor(service, json_of(teacher.post("/api/v1/me/tokens", json=given), 201)["secret"])
    moodle = connect_site(service)
    with nothing_changes(service):
        for scope in ("resources:write", SCOPE, f"resources:read {SCOPE}"):
            assert decide(reader, moodle.authorize(scope=scope), "allow").status_code == 403
    consent(reader, moodle.authorize(scope="resources:read"))


def test_who_signed_in_before_there_was_sharing_can_share(service: Service) -> None:
    """With a token that reads and writes, as they were made by hand until now: sharing is less than
    writing."""
    teacher = service.member()
    given = {"name": "t", "scopes": ["resources:read", "resources:write"]}
    visitor = Visitor(service, json_of(teacher.post("/api/v1/me/tokens", json=given), 201)["secret"])
    assert tokens_of(service, connect_site(service), visitor)["scope"] == SCOPE


def test_a_role_taken_away_takes_nothing_from_a_site_but_gives_nothing(service: Service) -> None:
    """What a site can do every role can; an administrator's site never moderates, nor does it afterwards."""
    connected = Connected(service)
    site = connected.site(_ALL)
    problem_of(site.get("/api/v1/audit"), "insufficient-scope")
    with service.services.database.write() as session:
        session.execute(update(Account).where(Account.username == "chief").values(role=Role.MEMBER.value))
    problem_of(site.get("/api/v1/audit"), "forbidden")
    json_of(site.get("/api/v1/me"))


def test_tokens_of_sites_use_up_nobodys_allowance(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Moodle gets a new one every ten minutes: its person can still make some by hand, and sees those
    only."""
    monkeypatch.setattr("repo_service.services.accounts.MAX_TOKENS", 4)
    connected = Connected(service)
    for _ in range(6):
        connected.site(SCOPE)
    given = {"name": "by hand", "scopes": ["resources:read"]}
    json_of(connected.chief.post("/api/v1/me/tokens", json=given), 201)
    listed = json_of(connected.chief.get("/api/v1/me/tokens"))["items"]
    assert {token["name"] for token in listed} == {"test", "Browser", "by hand"}


def test_connected_sites_are_seen_and_ended(any_service: Service) -> None:
    """By the person alone, each site once, with what it may do; ending one leaves the others."""
    service = any_service
    school, other = connect_site(service), connect_site(service, Moodle(wwwroot="https://other.example"))
    token = service.token("teacher")
    visitor, teacher = Visitor(service, token), service.client(token)
    assert json_of(teacher.get("/api/v1/me/sites"))["items"] == []
    first = tokens_of(service, school, visitor)
    second = tokens_of(service, school, visitor, scope="resources:read")
    kept = tokens_of(service, other, visitor, scope="resources:read")
    json_of(service.client(second["access_token"]).get("/api/v1/me"))
    listed = json_of(teacher.get("/api/v1/me/sites"))["items"]
    assert [site["hosts"] for site in listed] == [["other.example"], ["127.0.0.1:8045"]]
    assert listed[1]["client_id"] == school.client_id
    assert listed[1]["scopes"] == [SCOPE, "resources:read"]
    assert listed[1]["last_used_at"] >= listed[1]["connected_at"]

    stranger = service.member("stranger")
    assert json_of(stranger.get("/api/v1/me/sites"))["items"] == []
    with nothing_changes(service):
        problem_of(stranger.delete(f"/api/v1/me/sites/{school.client_id}"), "not-found")
        problem_of(service.client().delete(f"/api/v1/me/sites/{school.client_id}"), "unauthorised")

    assert teacher.delete(f"/api/v1/me/sites/{school.client_id}").status_code == 204
    for tokens in (first, second):
        problem_of(service.client(tokens["access_token"]).get("/api/v1/me"), "unauthorised")
        assert school.refresh(tokens["refresh_token"]).to(service.client()).status_code == 400
    json_of(service.client(kept["access_token"]).get("/api/v1/me"))
    left = json_of(teacher.get("/api/v1/me/sites"))["items"]
    assert [site["hosts"] for site in left] == [["other.example"]]
    problem_of(teacher.delete(f"/api/v1/me/sites/{school.client_id}"), "not-found")


def test_the_oldest_of_many_consents_end(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repo_service.services.grants.MAX_GRANTS", 2)
    connected = Connected(service)
    sites = [connected.site("resources:read") for _ in range(3)]
    problem_of(sites[0].get("/api/v1/me"), "unauthorised")
    for site in sites[1:]:
        json_of(site.get("/api/v1/me"))


def test_consents_are_in_the_trail(service: Service) -> None:
    """Who let which host do what; never a secret."""
    connected = Connected(service)
    code = parameters_of(decide(connected.visitor, connected.moodle.authorize(), "allow").location)["code"]
    tokens = json_of(connected.moodle.trade_code(code).to(service.client()))
    trail = service.services.audit_trail.search(OPERATOR, limit=100).items
    (entry,) = [entry for entry in trail if entry.noun == "grant"]
    assert (entry.action, entry.details["host"], entry.details["scopes"]) == (
        "authorise",
        "127.0.0.1:8045",
        [SCOPE],
    )
    assert entry.account_id is not None
    for secret in (code, *tokens.values()):
        assert len(str(secret)) < 20 or str(secret) not in str(trail) or secret == SCOPE
