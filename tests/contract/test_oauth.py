"""The authorization server as a stock Moodle meets it, and all that has to be refused."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from repo_service.domain.identity import ClientState
from repo_service.http import authentication
from repo_service.models import AuthorizationCode, Base, Grant, RefreshToken, Token
from repo_service.models.base import now
from repo_service.services.throttling import Allowance
from tests.contract.consenting import connect_site, consent, decide, parameters_of, tokens_of
from tests.contract.support import nothing_changes, problem_of, rows
from tests.support.moodle import SCOPE, Moodle, Sent
from tests.support.service import OPERATOR, MakeService, Service, json_of
from tests.web.visitor import Visitor

BASE = "https://repo.example.org"

SECRET_LENGTH = 43
"""Characters of a secret without its prefix: 256 bits in base64url."""


@pytest.fixture
def oauth(make_service: MakeService) -> Service:
    """A service with an address of its own."""
    return make_service(base_url=BASE)


@pytest.fixture
def moodle(oauth: Service) -> Moodle:
    """A site that is connected with it."""
    return connect_site(oauth)


@pytest.fixture
def teacher(oauth: Service) -> Visitor:
    """Somebody who is signed in."""
    return Visitor(oauth, oauth.token("teacher"))


def refused(answer: TestResponse, error: str, status: int = 400) -> dict[str, Any]:
    """The error that ``answer`` has to be (RFC 6749, section 5.2)."""
    body: dict[str, Any] = json_of(answer, status)
    assert body["error"] == error, body
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.mimetype == "application/json"
    return body


# What was seen on the wire


def test_the_requests_are_those_that_were_recorded() -> None:
    """Lengths and bytes of Moodle 4.5.6, as a recording server saw them."""
    moodle = Moodle(client_id="stub-client", client_secret="stub-secret")
    registration = moodle.register([SCOPE])
    assert registration.body == (
        rb'{"client_name":"Moodle Lab 8045","client_uri":"http:\/\/127.0.0.1:8045",'
        rb'"logo_uri":"http:\/\/127.0.0.1:8045\/pix\/moodlelogo.png","tos_uri":"http:\/\/127.0.0.1:8045",'
        rb'"policy_uri":"http:\/\/127.0.0.1:8045","software_id":"moodle","software_version":"2024100706",'
        rb'"redirect_uris":["http:\/\/127.0.0.1:8045\/admin\/oauth2callback.php"],'
        rb'"token_endpoint_auth_method":"client_secret_basic",'
        rb'"grant_types":["authorization_code","refresh_token"],"response_types":["code"],'
        rb'"scope":"@moodlenet\/ed-resource:write.own"}'
    )
    assert ("Content-Length", "505") in registration.headers
    assert moodle.authorize() == (
        "/oauth/authorize?client_id=stub-client&response_type=code"
        "&redirect_uri=http%3A%2F%2F127.0.0.1%3A8045%2Fadmin%2Foauth2callback.php"
        "&state=%2Fadmin%2Fmoodlenet_oauth2_callback.php%3Fissuerid%3D10%26callback%3Dyes%26sesskey%3DXHP94TkxAe"
        "&scope=%20%40moodlenet%2Fed-resource%3Awrite.own"
    )
    callback = b"http%3A%2F%2F127.0.0.1%3A8045%2Fadmin%2Foauth2callback.php"
    posted = moodle.trade_code("stub-code-1")
    assert posted.body == (
        b"code=stub-code-1&grant_type=authorization_code&redirect_uri=" + callback + b"&client_id=stub-client"
        b"&client_secret=stub-secret"
    )
    assert ("Content-Length", "166") in posted.headers
    by_basic = moodle.trade_code("stub-code-1", basic=True)
    assert ("Authorization", "Basic c3R1Yi1jbGllbnQ6c3R1Yi1zZWNyZXQ=") in by_basic.headers
    assert ("Content-Length", "118") in by_basic.headers
    refresh = moodle.refresh("stub-refresh-1")
    assert refresh.body == (
        b"refresh_token=stub-refresh-1&grant_type=refresh_token&client_id=stub-client&client_secret=stub-secret"
    )
    assert ("Content-Length", "101") in refresh.headers


# Discovery


@pytest.mark.parametrize(
    ("base_url", "below"),
    [
        ("https://repo.example.org", ""),
        ("https://repo.example.org", "/"),
        ("https://repo.example.org:8443/", ""),
        ("https://repo.example.org/repo", "/repo"),
        ("https://repo.example.org/repo", "/repo/"),
        ("https://repo.example.org/repo/", ""),
        ("https://repo.example.org/a/b", "/a/b/"),
    ],
)
def test_discovery(make_service: MakeService, base_url: str, below: str) -> None:
    """At both forms of the address, whatever the request says of the host: every endpoint is absolute."""
    service = make_service(base_url=base_url)
    asked = Moodle().discover(below)
    answer = service.client().get(asked.path, headers=[*asked.headers, ("Host", "evil.example")])
    found = json_of(answer)
    base = base_url.rstrip("/")
    assert found["issuer"] == base
    endpoints = {name: url for name, url in found.items() if name.endswith("_endpoint")}
    assert endpoints == {
        "authorization_endpoint": f"{base}/oauth/authorize",
        "token_endpoint": f"{base}/oauth/token",
        "registration_endpoint": f"{base}/oauth/register",
        "revocation_endpoint": f"{base}/oauth/revoke",
    }
    assert found["scopes_supported"] == [SCOPE, "resources:read", "resources:write"]
    assert found["response_types_supported"] == ["code"]
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert "evil.example" not in answer.text


def test_authlibs_own_check_finds_the_metadata_in_order(oauth: Service) -> None:
    from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

    found = json_of(Moodle().discover().to(oauth.client()))
    AuthorizationServerMetadata(found).validate()


def test_discovery_answers_for_no_other_service(make_service: MakeService) -> None:
    service = make_service(base_url="https://repo.example.org/repo")
    problem_of(service.client().get("/.well-known/oauth-authorization-server/other"), "not-found")
    problem_of(service.client().get("/.well-known/openid-configuration"), "not-found")
    mirror = make_service(base_url=BASE, read_only=True)
    problem_of(mirror.client().get("/.well-known/oauth-authorization-server"), "not-found")


# The way of a Moodle


@pytest.mark.parametrize("basic", [False, True])
def test_a_moodle_from_registration_to_refresh(any_service: Service, basic: bool) -> None:
    """With the secret in the body, which is not what it registered, and by Basic."""
    service = any_service
    client = service.client()
    scopes = json_of(Moodle().discover().to(client))["scopes_supported"]
    registered = Moodle().register(scopes).to(client)
    answer = json_of(registered, 201)
    assert registered.headers["Cache-Control"] == "no-store"
    assert answer["client_secret_expires_at"] == 0
    assert answer["redirect_uris"] == ["http://127.0.0.1:8045/admin/oauth2callback.php"]
    moodle = Moodle().registered(answer)

    teacher = Visitor(service, service.token("teacher"))
    allowed = decide(teacher, moodle.authorize(), "allow")
    assert "no-store" in allowed.headers["Cache-Control"]
    assert allowed.location.startswith(f"{moodle.callback}?")
    sent = parameters_of(allowed.location)
    assert sent["state"] == moodle.state()
    assert sent["iss"] == service.settings.base_url

    traded = moodle.trade_code(sent["code"], basic=basic).to(client)
    tokens = json_of(traded, 200)
    assert traded.headers["Cache-Control"] == "no-store"
    assert tokens["token_type"] == "Bearer"
    assert tokens["scope"] == SCOPE
    assert tokens["expires_in"] == 600
    assert service.services.accounts.authenticate(tokens["access_token"]).username == "teacher"

    renewed = json_of(moodle.refresh(tokens["refresh_token"], basic=basic).to(client), 200)
    assert renewed["scope"] == SCOPE
    assert renewed["refresh_token"] != tokens["refresh_token"]
    for secret in (tokens["access_token"], renewed["access_token"]):
        assert service.services.accounts.authenticate(secret).username == "teacher"
    again = json_of(moodle.refresh(renewed["refresh_token"], basic=basic).to(client), 200)
    assert again["access_token"] not in (tokens["access_token"], renewed["access_token"])


def test_no_secret_is_in_the_database(any_service: Service) -> None:
    """Neither codes nor tokens nor secrets of clients: in no table, nor in the trail."""
    service = any_service
    moodle = connect_site(service)
    teacher = Visitor(service, service.token("teacher"))
    code = consent(teacher, moodle.authorize())["code"]
    tokens = json_of(moodle.trade_code(code).to(service.client()))
    kept = str(rows(service.services))
    assert len(Base.metadata.tables) > 15
    for secret in (moodle.client_secret, code, tokens["access_token"], tokens["refresh_token"]):
        assert len(secret) >= SECRET_LENGTH
        assert secret[-SECRET_LENGTH:] not in kept


@pytest.mark.parametrize(
    "state",
    [
        "/admin/moodlenet_oauth2_callback.php?issuerid=10&callback=yes&sesskey=XHP94TkxAe",
        "a b+c%20d",
        "ü€😀",
        "\"'<>\\^`{|}#?&=;",
        "x" * 3000,
    ],
)
@pytest.mark.parametrize("decision", ["allow", "deny"])
def test_the_state_comes_back_as_it_went(
    oauth: Service, moodle: Moodle, teacher: Visitor, state: str, decision: str
) -> None:
    sent = parameters_of(decide(teacher, moodle.authorize(state=state), decision).location)
    assert sent["state"] == state


def test_a_person_who_says_no(oauth: Service, moodle: Moodle, teacher: Visitor) -> None:
    """The site is told, with the state; nothing is kept."""
    before = rows(oauth.services)["grants"]
    back = decide(teacher, moodle.authorize(), "deny").location
    assert back.startswith(f"{moodle.callback}?")
    sent = parameters_of(back)
    assert sent["error"] == "access_denied"
    assert sent["state"] == moodle.state()
    assert sent["iss"] == BASE
    assert "code" not in sent
    assert rows(oauth.services)["grants"] == before == []


def test_a_registered_query_stays_letter_by_letter(oauth: Service, teacher: Visitor) -> None:
    """The answer is added to it (RFC 6749, section 3.1.2)."""
    site = connect_site(oauth, Moodle(wwwroot="https://school.example/a%20b"))
    uri = "https://school.example/back?kept=a%20b+c"
    answer = oauth.client().post("/oauth/register", json={"redirect_uris": [uri]})
    site = site.registered(json_of(answer, 201))
    back = decide(teacher, site.authorize(redirect_uri=uri), "allow").location
    assert back.startswith(f"{uri}&code=")


# What is refused at the page


def _no_redirect(answer: TestResponse, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    assert "Location" not in answer.headers
    return answer.text


@pytest.mark.parametrize(
    "instead",
    [
        {"redirect_uri": "http://127.0.0.1:8045/admin/oauth2callback.php/"},
        {"redirect_uri": "http://127.0.0.1:8045/admin/oauth2callback.php?x=1"},
        {"redirect_uri": "http://127.0.0.1:8045/admin/oauth2callback.php%3Fx"},
        {"redirect_uri": "http://127.0.0.1:8045/admin/../admin/oauth2callback.php"},
        {"redirect_uri": "https://127.0.0.1:8045/admin/oauth2callback.php"},
        {"redirect_uri": "http://127.0.0.1:8046/admin/oauth2callback.php"},
        {"redirect_uri": "HTTP://127.0.0.1:8045/admin/oauth2callback.php"},
        {"redirect_uri": "http://127.0.0.1:8045@evil.example/admin/oauth2callback.php"},
        {"redirect_uri": "http://evil.example/"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": '"><script>alert(1)</script>'},
        {"redirect_uri": "http://üñí.example/"},
        {"client_id": "00000000-0000-7000-8000-000000000000"},
        {"client_id": "no-such-client"},
        {"client_id": "{00000000-0000-7000-8000-000000000000}"},
        {"client_id": "'; DROP TABLE clients; --"},
        {"client_id": None},
    ],
)
def test_a_wrong_address_or_client_leads_nowhere(
    oauth: Service, moodle: Moodle, teacher: Visitor, instead: dict[str, str | None]
) -> None:
    """Neither by itself nor by a link; and the form of the page is not taken either."""
    url = moodle.authorize(**instead)
    token = teacher.get(moodle.authorize()).tree.forms[-1].fields["csrf_token"]
    with nothing_changes(oauth):
        for visitor in (teacher, Visitor(oauth)):
            page = visitor.get(url, 400)
            assert "evil.example" not in page.text
            assert not page.all("//main//a | //main//form")
            _no_redirect(page.response)
        form = {"csrf_token": token, "decision": "allow"}
        _no_redirect(teacher.client.post(url, data=form, headers=teacher.headers))


def test_a_client_id_is_compared_letter_by_letter(moodle: Moodle, teacher: Visitor) -> None:
    for other in (moodle.client_id.upper(), moodle.client_id.replace("-", ""), f"{{{moodle.client_id}}}"):
        teacher.get(moodle.authorize(client_id=other), 400)


def test_a_parameter_that_is_there_twice(oauth: Service, moodle: Moodle, teacher: Visitor) -> None:
    for more in ("redirect_uri=http%3A%2F%2Fevil.example%2F", "client_id=x", "scope=x", "state=x"):
        for url in (f"{moodle.authorize()}&{more}", moodle.authorize().replace("?", f"?{more}&")):
            page = teacher.get(url, 400)
            assert "evil.example" not in page.text
            assert not page.all("//main//a | //main//form")


@pytest.mark.parametrize(
    ("instead", "error"),
    [
        ({"scope": "administration"}, "invalid_scope"),
        ({"scope": f"{SCOPE} moderation"}, "invalid_scope"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": " "}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request": "x.y.z"}, "request_not_supported"),
        ({"request_uri": "https://evil.example/"}, "request_uri_not_supported"),
        ({"code_challenge": "x" * 43, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "x" * 43}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
        ({"code_challenge_method": "S256"}, "invalid_request"),
    ],
)
def test_a_request_that_nobody_is_asked_to_allow(
    oauth: Service, moodle: Moodle, teacher: Visitor, instead: dict[str, str | None], error: str
) -> None:
    """It is told on the page; only a link leads back, with the error and the state as it went (RFC 9700,
    section 4.11.2: whoever registers a site could otherwise use this service to send people anywhere)."""
    with nothing_changes(oauth):
        page = teacher.get(moodle.authorize(**instead), 400)
        _no_redirect(page.response)
        back = page.links()["Back to the site"]
        assert back.startswith(f"{moodle.callback}?")
        assert parameters_of(back) == {"error": error, "state": moodle.state(), "iss": BASE}
        assert page.one("//p[@class='consent-host']").text_content() == "127.0.0.1:8045"
        assert not page.all("//main//form")


def test_who_is_not_signed_in_signs_in_first(oauth: Service, moodle: Moodle) -> None:
    """And comes back to the very question."""
    visitor = Visitor(oauth)
    url = moodle.authorize()
    answer = visitor.client.get(url, headers=visitor.headers)
    assert answer.status_code == 303
    signed_in = visitor.send(answer.location, "/sign-in", token=oauth.token("teacher"))
    assert signed_in.location == url
    assert consent(visitor, url)["state"] == moodle.state()


def test_the_page_is_asked_every_time(oauth: Service, moodle: Moodle, teacher: Visitor) -> None:
    """Nothing is remembered: whoever sends a person here again gets no code without a decision."""
    consent(teacher, moodle.authorize())
    for prompt in (None, "none", "consent"):
        page = teacher.get(moodle.authorize(prompt=prompt))
        assert page.all("//button[@value='allow']")
        _no_redirect(page.response, 200)


def test_a_form_without_the_token_of_the_session_decides_nothing(
    oauth: Service, moodle: Moodle, teacher: Visitor
) -> None:
    other = Visitor(oauth, oauth.token("other"))
    foreign = other.get(moodle.authorize()).tree.forms[-1].fields["csrf_token"]
    with nothing_changes(oauth):
        for token in (None, "nonsense", foreign):
            data = {"decision": "allow"} | ({"csrf_token": token} if token else {})
            answer = teacher.client.post(moodle.authorize(), data=data, headers=teacher.headers)
            _no_redirect(answer)


# What is refused at the token endpoint

Change = Callable[[Service, Moodle, str], Sent]


def _of_another_client(service: Service, moodle: Moodle, code: str) -> Sent:
    return connect_site(service, Moodle(wwwroot=moodle.wwwroot)).trade_code(code)


REFUSALS: dict[str, tuple[Change, str, int]] = {
    "unknown code": (lambda s, m, code: m.trade_code("nonsense"), "invalid_grant", 400),
    "no code": (lambda s, m, code: m.trade_code(""), "invalid_request", 400),
    "other address": (
        lambda s, m, code: m.trade_code(code, redirect_uri="http://127.0.0.1:8045/"),
        "invalid_grant",
        400,
    ),
    "no address": (lambda s, m, code: m.trade_code(code, redirect_uri=""), "invalid_grant", 400),
    "other client": (_of_another_client, "invalid_grant", 400),
    "wrong secret": (lambda s, m, code: m.trade_code(code, client_secret="wrong"), "invalid_client", 401),
    "no secret": (lambda s, m, code: m.trade_code(code, client_secret=""), "invalid_client", 401),
    "unknown client": (lambda s, m, code: m.trade_code(code, client_id="nobody"), "invalid_client", 400),
    "other grant": (
        lambda s, m, code: m.trade_code(code, grant_type="password"),
        "unsupported_grant_type",
        400,
    ),
    "credentials of the client alone": (
        lambda s, m, code: m.trade_code(code, grant_type="client_credentials"),
        "unsupported_grant_type",
        400,
    ),
    "no grant": (lambda s, m, code: m.trade_code(code, grant_type=""), "invalid_request", 400),
}


@pytest.mark.parametrize(("change", "error", "status"), REFUSALS.values(), ids=REFUSALS.keys())
def test_trading_a_code_is_refused(
    oauth: Service, moodle: Moodle, teacher: Visitor, *, change: Change, error: str, status: int
) -> None:
    """And the code is still good for the one it was given to."""
    code = consent(teacher, moodle.authorize())["code"]
    asked = change(oauth, moodle, code)
    with nothing_changes(oauth):
        answer = asked.to(oauth.client())
        refused(answer, error, status)
        if status == 401:
            assert answer.headers["WWW-Authenticate"].startswith('Basic realm="')
    json_of(moodle.trade_code(code).to(oauth.client()), 200)


def test_a_code_that_comes_twice_ends_what_it_gave(any_service: Service) -> None:
    """RFC 6749, section 4.1.2: somebody has a copy of it."""
    service = any_service
    moodle = connect_site(service)
    teacher = Visitor(service, service.token("teacher"))
    code = consent(teacher, moodle.authorize())["code"]
    client = service.client()
    tokens = json_of(moodle.trade_code(code).to(client))
    assert service.services.accounts.authenticate(tokens["access_token"])
    refused(moodle.trade_code(code).to(client), "invalid_grant")
    refused(moodle.refresh(tokens["refresh_token"]).to(client), "invalid_grant")
    problem_of(service.client(tokens["access_token"]).get("/api/v1/me"), "unauthorised")
    refused(moodle.trade_code(code).to(client), "invalid_grant")


def test_what_has_expired(oauth: Service, moodle: Moodle, teacher: Visitor) -> None:
    """Codes, access tokens and refresh tokens."""
    client = oauth.client()
    code = consent(teacher, moodle.authorize())["code"]
    past = now() - timedelta(seconds=1)
    with oauth.services.database.write() as session:
        session.execute(update(AuthorizationCode).values(expires_at=past))
    refused(moodle.trade_code(code).to(client), "invalid_grant")
    tokens = tokens_of(oauth, moodle, teacher)
    with oauth.services.database.write() as session:
        session.execute(update(RefreshToken).values(expires_at=past))
        session.execute(update(Token).where(Token.grant_id.is_not(None)).values(expires_at=past))
    refused(moodle.refresh(tokens["refresh_token"]).to(client), "invalid_grant")
    problem_of(oauth.client(tokens["access_token"]).get("/api/v1/me"), "unauthorised")


def test_a_refresh_token_of_another_client(oauth: Service, moodle: Moodle, teacher: Visitor) -> None:
    """It gets nothing, and ends nothing."""
    tokens = tokens_of(oauth, moodle, teacher)
    other = connect_site(oauth, Moodle(wwwroot="https://other.example"))
    with nothing_changes(oauth):
        refused(other.refresh(tokens["refresh_token"]).to(oauth.client()), "invalid_grant")
        refused(other.refresh(tokens["access_token"]).to(oauth.client()), "invalid_grant")
        refused(moodle.refresh(tokens["access_token"]).to(oauth.client()), "invalid_grant")
    json_of(moodle.refresh(tokens["refresh_token"]).to(oauth.client()))


def _age(service: Service, time: timedelta) -> None:
    """Let time go by since refresh tokens were used."""
    with service.services.database.write() as session:
        for token in session.scalars(select(RefreshToken).where(RefreshToken.used_at.is_not(None))):
            assert token.used_at is not None
            token.used_at -= time


def test_a_refresh_token_is_taken_twice_within_a_minute(any_service: Service) -> None:
    """Two pages of one person refresh at once: both get tokens that work."""
    service = any_service
    moodle = connect_site(service)
    tokens = tokens_of(service, moodle, Visitor(service, service.token("teacher")))
    answers = [json_of(moodle.refresh(tokens["refresh_token"]).to(service.client())) for _ in range(2)]
    assert answers[0]["refresh_token"] != answers[1]["refresh_token"]
    for answer in answers:
        assert service.services.accounts.authenticate(answer["access_token"])
    json_of(moodle.refresh(answers[1]["refresh_token"]).to(service.client()))


def test_a_replayed_refresh_token_ends_the_family(any_service: Service) -> None:
    """After the minute either its owner or whoever sends it has a stolen one (RFC 9700, section 4.14.2)."""
    service = any_service
    moodle = connect_site(service)
    teacher = Visitor(service, service.token("teacher"))
    other_family = tokens_of(service, moodle, teacher)
    tokens = tokens_of(service, moodle, teacher)
    client = service.client()
    newer = json_of(moodle.refresh(tokens["refresh_token"]).to(client))
    _age(service, timedelta(seconds=61))
    refused(moodle.refresh(tokens["refresh_token"]).to(client), "invalid_grant")
    refused(moodle.refresh(newer["refresh_token"]).to(client), "invalid_grant")
    for secret in (tokens["access_token"], newer["access_token"]):
        problem_of(service.client(secret).get("/api/v1/me"), "unauthorised")
    json_of(moodle.refresh(other_family["refresh_token"]).to(client))


def test_of_two_successors_one_goes_on(oauth: Service, moodle: Moodle, teacher: Visitor) -> None:
    """Who traded the same token in the minute of grace, and is not its owner, is found out by the next
    refresh but one."""
    tokens = tokens_of(oauth, moodle, teacher)
    client = oauth.client()
    owners, thiefs = (json_of(moodle.refresh(tokens["refresh_token"]).to(client)) for _ in range(2))
    owners = json_of(moodle.refresh(owners["refresh_token"]).to(client))
    _age(oauth, timedelta(seconds=61))
    refused(moodle.refresh(thiefs["refresh_token"]).to(client), "invalid_grant")
    refused(moodle.refresh(owners["refresh_token"]).to(client), "invalid_grant")


def test_the_minute_of_grace_has_an_end_by_number_too(
    oauth: Service, moodle: Moodle, teacher: Visitor
) -> None:
    tokens = tokens_of(oauth, moodle, teacher)
    client = oauth.client()
    statuses = [moodle.refresh(tokens["refresh_token"]).to(client).status_code for _ in range(15)]
    assert statuses == [200] * 10 + [400] * 5


def test_a_refresh_gives_less_but_never_more(oauth: Service, teacher: Visitor) -> None:
    """RFC 6749, section 6; the next refresh has all again."""
    moodle = connect_site(oauth)
    both = "resources:read resources:write"
    tokens = tokens_of(oauth, moodle, teacher, scope=both)
    client = oauth.client()
    with nothing_changes(oauth):
        asked = moodle.refresh(tokens["refresh_token"], scope=f"{both} {SCOPE}")
        refused(asked.to(client), "invalid_scope")
        refused(moodle.refresh(tokens["refresh_token"], scope="administration").to(client), "invalid_scope")
    less = json_of(moodle.refresh(tokens["refresh_token"], scope="resources:read").to(client))
    assert less["scope"] == "resources:read"
    reader = oauth.client(less["access_token"])
    json_of(reader.get("/api/v1/me"))
    started = reader.post("/api/v1/uploads", json={"file_name": "a", "size": 1})
    problem_of(started, "insufficient-scope")
    assert json_of(moodle.refresh(less["refresh_token"]).to(client))["scope"] == both


# Requests that are none


def test_bodies_of_other_kinds_and_sizes(oauth: Service, moodle: Moodle) -> None:
    """Bounded, and refused in the words of the RFC."""
    client = oauth.client()
    form = "application/x-www-form-urlencoded"
    for path in ("/oauth/token", "/oauth/revoke"):
        refused(client.post(path, json={"grant_type": "x"}), "invalid_request", 415)
        refused(client.post(path, data=b"x" * 20_000, content_type=form), "invalid_request", 413)
        refused(client.post(path, data={"a": (BytesIO(b"x"), "x")}), "invalid_request", 415)
    refused(client.post("/oauth/token", data=b"", content_type=form), "invalid_request")
    refused(client.post("/oauth/revoke", data=b"token=x", content_type=form), "invalid_client", 401)
    for path in ("/oauth/token", "/oauth/revoke", "/oauth/register"):
        problem_of(client.get(path), "method-not-allowed")


def test_two_ways_at_once(oauth: Service, moodle: Moodle, teacher: Visitor) -> None:
    """A parameter twice, a secret in the header and in the body, a secret in the address."""
    code = consent(teacher, moodle.authorize())["code"]
    client = oauth.client()
    asked = moodle.trade_code(code, basic=True)
    doubled = [
        Sent(method="POST", path=asked.path, headers=asked.headers, body=asked.body + more)
        for more in (b"&code=x", b"&client_secret=x")
    ]
    with nothing_changes(oauth):
        for sent in doubled:
            headers = [pair for pair in sent.headers if pair[0] != "Content-Length"]
            refused(client.post(sent.path, data=sent.body, headers=headers), "invalid_request")
        in_address = moodle.trade_code(code).body.decode()
        form = "application/x-www-form-urlencoded"
        refused(client.post(f"/oauth/token?{in_address}", data=b"x=y", content_type=form), "invalid_request")
    json_of(asked.to(client))


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic !!!",
        "Basic /w==",
        "Basic " + base64.b64encode(b"nobody").decode(),
        "Basic " + base64.b64encode(b"nobody:").decode(),
        "Basic " + base64.b64encode(b"nobody:x").decode(),
        "Bearer mrr_x",
        "\u00e9",
    ],
)
def test_credentials_that_are_none(oauth: Service, header: str) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "x"}
    answer = oauth.client().post("/oauth/token", data=form, headers={"Authorization": header})
    refused(answer, "invalid_client", 401)
    assert answer.headers["WWW-Authenticate"].startswith('Basic realm="')


# PKCE, and clients without a secret


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def test_pkce(oauth: Service, moodle: Moodle, teacher: Visitor) -> None:
    """Whoever began with a challenge ends with its verifier, and nobody else (RFC 7636, RFC 9700)."""
    verifier = secrets.token_urlsafe(32)
    client = oauth.client()
    url = moodle.authorize(code_challenge=_challenge(verifier), code_challenge_method="S256")
    code = consent(teacher, url)["code"]

    def trade(**more: str) -> TestResponse:
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": moodle.callback,
            "client_id": moodle.client_id,
            "client_secret": moodle.client_secret,
        }
        return client.post("/oauth/token", data={**fields, **more})

    refused(trade(), "invalid_request")
    refused(trade(code_verifier="x" * 43), "invalid_grant")
    refused(trade(code_verifier=_challenge(verifier)), "invalid_grant")
    json_of(trade(code_verifier=verifier))
    code = consent(teacher, moodle.authorize())["code"]
    refused(trade(code_verifier=verifier), "invalid_request")
    json_of(trade())


def test_wrong_secrets_are_counted_and_right_ones_let_in(
    oauth: Service, moodle: Moodle, teacher: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = Allowance(name="few", burst=3, every=timedelta(hours=1))
    monkeypatch.setattr(authentication, "WRONG_TOKENS", few)
    client = oauth.client()
    thief = replace(moodle, client_secret="guessed")
    for _ in range(3):
        refused(thief.trade_code("any").to(client), "invalid_client", 401)
    answer = thief.trade_code("any").to(client)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 3000
    code = consent(teacher, moodle.authorize())["code"]
    json_of(moodle.trade_code(code).to(client))


def test_a_client_without_a_secret_needs_pkce(oauth: Service, teacher: Visitor) -> None:
    client = oauth.client()
    uri = "http://127.0.0.1:49152/back"
    said = {
        "redirect_uris": [uri],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "resources:read",
    }
    made = json_of(client.post("/oauth/register", json=said), 201)
    assert "client_secret" not in made
    app = Moodle(client_id=made["client_id"])
    asked = {"redirect_uri": uri, "scope": "resources:read"}
    page = teacher.get(app.authorize(**asked), 400)
    assert parameters_of(page.links()["Back to the site"])["error"] == "invalid_request"
    verifier = secrets.token_urlsafe(32)
    url = app.authorize(**asked, code_challenge=_challenge(verifier), code_challenge_method="S256")
    code = consent(teacher, url)["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": uri, "client_id": app.client_id}
    refused(client.post("/oauth/token", data=form), "invalid_request")
    refused(
        client.post("/oauth/token", data={**form, "client_secret": "x", "code_verifier": verifier}),
        "invalid_client",
        401,
    )
    tokens = json_of(client.post("/oauth/token", data={**form, "code_verifier": verifier}))
    assert json_of(oauth.client(tokens["access_token"]).get("/api/v1/me"))["username"] == "teacher"
    again = {
        "grant_type": "refresh_token",
        "refresh_token": tokens["refresh_token"],
        "client_id": app.client_id,
    }
    json_of(client.post("/oauth/token", data=again))
    moodle = connect_site(oauth)
    without = {"client_id": moodle.client_id, "grant_type": "refresh_token", "refresh_token": "x"}
    refused(client.post("/oauth/token", data=without), "invalid_client", 401)


# Revocation


def _revoke(
    service: Service, moodle: Moodle, token: str, *, basic: bool = False, **more: str
) -> TestResponse:
    form = {"token": token, **more}
    if basic:
        return service.client().post(
            "/oauth/revoke", data=form, auth=(moodle.client_id, moodle.client_secret)
        )
    secret = {"client_id": moodle.client_id, "client_secret": moodle.client_secret}
    return service.client().post("/oauth/revoke", data={**form, **secret})


@pytest.mark.parametrize("basic", [False, True])
@pytest.mark.parametrize("hint", ["refresh_token", "access_token", "something_else", None])
def test_revoking(oauth: Service, moodle: Moodle, teacher: Visitor, basic: bool, hint: str | None) -> None:
    """An access token alone; a refresh token with all that came of the same consent."""
    more = {} if hint is None else {"token_type_hint": hint}
    tokens = tokens_of(oauth, moodle, teacher)
    assert _revoke(oauth, moodle, tokens["access_token"], basic=basic, **more).status_code == 200
    problem_of(oauth.client(tokens["access_token"]).get("/api/v1/me"), "unauthorised")
    newer = json_of(moodle.refresh(tokens["refresh_token"]).to(oauth.client()))
    assert _revoke(oauth, moodle, newer["refresh_token"], basic=basic, **more).status_code == 200
    problem_of(oauth.client(newer["access_token"]).get("/api/v1/me"), "unauthorised")
    refused(moodle.refresh(newer["refresh_token"]).to(oauth.client()), "invalid_grant")
    assert _revoke(oauth, moodle, newer["refresh_token"], basic=basic, **more).status_code == 200
    assert _revoke(oauth, moodle, "unknown", basic=basic, **more).status_code == 200


def test_revoking_what_is_anothers(oauth: Service, moodle: Moodle, teacher: Visitor) -> None:
    """Another client's tokens, and tokens that people made by hand, stay as they are."""
    tokens = tokens_of(oauth, moodle, teacher, scope="resources:read")
    by_hand = oauth.token("other")
    other = connect_site(oauth, Moodle(wwwroot="https://other.example"))
    with nothing_changes(oauth):
        refused(_revoke(oauth, other, tokens["access_token"]), "invalid_grant")
        refused(_revoke(oauth, other, tokens["refresh_token"]), "invalid_grant")
        refused(
            _revoke(oauth, Moodle(client_id="x", client_secret="y"), tokens["refresh_token"]),
            "invalid_client",
        )
        wrong = Moodle(client_id=moodle.client_id, client_secret="wrong")
        refused(_revoke(oauth, wrong, tokens["refresh_token"], basic=True), "invalid_client", 401)
        assert _revoke(oauth, other, by_hand).status_code == 200
    for secret in (tokens["access_token"], by_hand):
        json_of(oauth.client(secret).get("/api/v1/me"))


# What ends a token at once


def test_a_blocked_account(oauth: Service, moodle: Moodle, teacher: Visitor) -> None:
    tokens = tokens_of(oauth, moodle, teacher, scope="resources:read")
    code = consent(teacher, moodle.authorize())["code"]
    account = oauth.services.accounts.find(OPERATOR, "teacher")
    oauth.services.accounts.change(OPERATOR, account.id, blocked=True)
    problem_of(oauth.client(tokens["access_token"]).get("/api/v1/me"), "unauthorised")
    refused(moodle.refresh(tokens["refresh_token"]).to(oauth.client()), "invalid_grant")
    refused(moodle.trade_code(code).to(oauth.client()), "invalid_grant")


@pytest.mark.parametrize("state", [ClientState.DISABLED, ClientState.DECLINED])
def test_a_client_that_is_shut_out(
    oauth: Service, moodle: Moodle, teacher: Visitor, state: ClientState
) -> None:
    """At once and for good: approving it again does not bring its tokens back."""
    tokens = tokens_of(oauth, moodle, teacher, scope="resources:read")
    code = consent(teacher, moodle.authorize())["code"]
    (client,) = oauth.services.clients.list(OPERATOR, limit=10).items
    oauth.services.clients.decide(OPERATOR, client.id, state)
    problem_of(oauth.client(tokens["access_token"]).get("/api/v1/me"), "unauthorised")
    refused(moodle.refresh(tokens["refresh_token"]).to(oauth.client()), "invalid_client")
    refused(moodle.trade_code(code).to(oauth.client()), "invalid_client")
    refused(_revoke(oauth, moodle, tokens["refresh_token"]), "invalid_client")
    _no_redirect(teacher.get(moodle.authorize(), 400).response)
    oauth.services.clients.decide(OPERATOR, client.id, ClientState.APPROVED)
    refused(moodle.refresh(tokens["refresh_token"]).to(oauth.client()), "invalid_grant")
    refused(moodle.trade_code(code).to(oauth.client()), "invalid_grant")
    problem_of(oauth.client(tokens["access_token"]).get("/api/v1/me"), "unauthorised")
    tokens_of(oauth, moodle, teacher)


# Sweeping


def test_what_is_of_no_use_any_more_is_forgotten(any_service: Service) -> None:
    """And what is of use stays."""
    service = any_service
    moodle = connect_site(service)
    teacher = Visitor(service, service.token("teacher"))
    living = tokens_of(service, moodle, teacher)
    tokens_of(service, moodle, teacher)
    consent(teacher, moodle.authorize())
    kept = ("grants", "authorization_codes", "refresh_tokens", "tokens", "clients")
    before = {name: rows(service.services)[name] for name in kept}
    assert service.services.grants.sweep() == 0
    assert {name: rows(service.services)[name] for name in kept} == before
    long_ago = now() - timedelta(days=2)
    living_hash = hashlib.sha256(living["refresh_token"].encode()).hexdigest()
    with service.services.database.write() as session:
        session.execute(update(AuthorizationCode).values(expires_at=long_ago))
        session.execute(update(Grant).values(created_at=long_ago))
        session.execute(update(Token).where(Token.grant_id.is_not(None)).values(expires_at=long_ago))
        session.execute(
            update(RefreshToken).where(RefreshToken.secret_hash != living_hash).values(expires_at=long_ago)
        )
    assert service.services.grants.sweep() > 0
    counts = {name: len(rows(service.services)[name]) for name in kept}
    assert counts == {
        "grants": 1,
        "authorization_codes": 0,
        "refresh_tokens": 1,
        "tokens": 2,  # the teacher's own and their browser's
        "clients": 1,
    }
    json_of(moodle.refresh(living["refresh_token"]).to(service.client()))
