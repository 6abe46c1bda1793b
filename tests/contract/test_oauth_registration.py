"""Registration is open to everybody: what is taken, how much of it, and what administrators say to it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from werkzeug.test import TestResponse

from repo_service.domain.identity import ClientState, Role
from repo_service.models import Client
from repo_service.models.base import now
from repo_service.services.clients import ClientMetadata
from tests.contract.consenting import connect_site, consent, tokens_of
from tests.contract.support import nothing_changes, problem_of, rows
from tests.support.moodle import SCOPE, Moodle
from tests.support.service import OPERATOR, MakeService, Service, json_of
from tests.web.visitor import Visitor

URI = "https://school.example/admin/oauth2callback.php"


def _register(service: Service, address: str = "192.0.2.1", **said: Any) -> TestResponse:
    body = {"redirect_uris": [URI], **said}
    return service.client().post("/oauth/register", json=body, environ_base={"REMOTE_ADDR": address})


def _refused(answer: TestResponse, error: str, status: int = 400) -> dict[str, Any]:
    body: dict[str, Any] = json_of(answer, status)
    assert body["error"] == error, body
    assert body["error_description"]
    assert answer.headers["Cache-Control"] == "no-store"
    return body


def test_what_a_client_says_of_itself_is_cleaned_and_bounded(service: Service) -> None:
    answer = json_of(
        _register(
            service,
            client_name="  A\u202eschool\n\u0007 " + "x" * 500,
            client_uri="https://school.example/" + "y" * 5000,
            logo_uri="https://evil.example/logo.png",
            software_id="z" * 500,
            contacts=["anna@school.example"],
            jwks_uri="https://evil.example/keys",
            unknown={"a": ["b"]},
            scope=None,
        ),
        201,
    )
    assert answer["client_name"].startswith("A")
    assert "\u202e" not in answer["client_name"]
    assert len(answer["client_name"]) <= 200
    assert len(answer["client_uri"]) <= 2000
    assert len(answer["software_id"]) <= 200
    assert not {"logo_uri", "contacts", "jwks_uri", "unknown"} & set(answer)
    assert answer["grant_types"] == ["authorization_code"]
    assert answer["scope"] == f"{SCOPE} resources:read resources:write"
    assert "evil.example" not in str(rows(service.services))


def test_what_is_not_known_is_left_out(service: Service) -> None:
    """RFC 7591, section 2."""
    answer = json_of(
        _register(
            service,
            grant_types=["authorization_code", "implicit", "password"],
            response_types=["code", "token"],
            scope=f"openid {SCOPE} administration",
            token_endpoint_auth_method="client_secret_post",
        ),
        201,
    )
    assert answer["grant_types"] == ["authorization_code"]
    assert answer["response_types"] == ["code"]
    assert answer["scope"] == SCOPE
    assert answer["token_endpoint_auth_method"] == "client_secret_post"


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": None}, "invalid_redirect_uri"),
        ({"redirect_uris": URI}, "invalid_redirect_uri"),
        ({"redirect_uris": [7]}, "invalid_redirect_uri"),
        ({"redirect_uris": [f"{URI}?{n}" for n in range(11)]}, "invalid_redirect_uri"),
        ({"redirect_uris": [URI, f"{URI}#x"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://user@school.example/"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://school.example/"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://moodle/"], "token_endpoint_auth_method": "none"}, "invalid_redirect_uri"),
        ({"client_name": ["x"]}, "invalid_client_metadata"),
        ({"client_name": "\ud800"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
        ({"grant_types": ["implicit"]}, "invalid_client_metadata"),
        ({"grant_types": "authorization_code"}, "invalid_client_metadata"),
        ({"response_types": ["token"]}, "invalid_client_metadata"),
        ({"scope": "administration"}, "invalid_client_metadata"),
        ({"scope": [SCOPE]}, "invalid_client_metadata"),
    ],
)
def test_what_is_refused(service: Service, said: dict[str, Any], error: str) -> None:
    with nothing_changes(service):
        _refused(_register(service, **said), error)


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"[]", 400), (b"{", 400), (b'"x"', 400), (b"[" * 100_000, 413), (b"x" * 70_000, 413)],
)
def test_bodies_that_are_no_registration(service: Service, body: bytes, status: int) -> None:
    with nothing_changes(service):
        answer = service.client().post("/oauth/register", data=body, content_type="application/json")
        _refused(answer, "invalid_request", status)
        answer = service.client().post("/oauth/register", data=b"a=b", content_type="text/plain")
        _refused(answer, "invalid_request", 415)


def test_there_is_an_end_to_what_one_address_registers(make_service: MakeService) -> None:
    """An IPv6 network is one address: whoever has one of them has them all."""
    service = make_service(client_registrations=2)
    for address in ("192.0.2.1", "2001:db8::1", "2001:db8::2"):
        json_of(_register(service, address), 201)
    json_of(_register(service, "192.0.2.1"), 201)
    with nothing_changes(service):
        for address in ("192.0.2.1", "2001:db8:0:1::3"):
            answer = _register(service, address)
            _refused(answer, "temporarily_unavailable", 429)
            assert int(answer.headers["Retry-After"]) > 0
    json_of(_register(service, "192.0.2.2"), 201)
    with service.services.database.write() as session:
        session.execute(update(Client).values(created_at=now() - timedelta(days=2)))
    json_of(_register(service, "192.0.2.1"), 201)


def test_operators_can_close_registration(make_service: MakeService) -> None:
    """Then it is not announced, and administrators add sites: a Moodle takes their id and secret as well."""
    service = make_service(client_registrations=0)
    found = json_of(Moodle().discover().to(service.client()))
    assert "registration_endpoint" not in found
    with nothing_changes(service):
        _refused(_register(service), "access_denied", 403)
    made = service.services.clients.add(OPERATOR, ClientMetadata(redirect_uris=[Moodle().callback]))
    assert made.secret is not None
    moodle = Moodle(client_id=str(made.client.id), client_secret=made.secret)
    tokens_of(service, moodle, Visitor(service, service.token("teacher")), scope="resources:read")


def test_clients_that_nobody_uses_are_forgotten(any_service: Service) -> None:
    """Not those that somebody connected once, nor those that an administrator decided to have."""
    service = any_service
    connected, approved, declined, unused = (
        connect_site(service, Moodle(wwwroot=f"https://{name}.example")) for name in "abcd"
    )
    consent(Visitor(service, service.token("teacher")), connected.authorize())
    added = service.services.clients.add(OPERATOR, ClientMetadata(redirect_uris=[URI]))
    own = json_of(service.member("other").post("/api/v1/me/clients", json={"name": "School"}), 201)
    clients = {str(client.id): client for client in service.services.clients.list(OPERATOR, limit=10).items}
    service.services.clients.decide(OPERATOR, clients[approved.client_id].id, ClientState.APPROVED)
    service.services.clients.decide(OPERATOR, clients[declined.client_id].id, ClientState.DECLINED)
    assert service.services.clients.sweep() == 0
    assert all(row.registered_from for row in clients.values() if row.id != added.client.id)
    with service.services.database.write() as session:
        session.execute(update(Client).values(created_at=now() - timedelta(days=31)))
    assert service.services.clients.sweep() == 2
    with service.services.database.read() as session:
        kept = {str(client.id): client.registered_from for client in session.query(Client)}
    assert set(kept) == {connected.client_id, approved.client_id, str(added.client.id), own["id"]}
    assert set(kept.values()) == {None}, "nor is it kept from where they came"
    assert unused.client_id not in kept


# Approval


@pytest.fixture
def careful(make_service: MakeService) -> Service:
    """A service whose administrators approve each site."""
    return make_service(client_approval="administrator")


def _decide(service: Service, moodle: Moodle, state: str, token: str) -> TestResponse:
    return service.client(token).patch(f"/api/v1/sites/{moodle.client_id}", json={"state": state})


def test_a_site_waits_until_it_is_approved(careful: Service) -> None:
    chief = careful.token("chief", role=Role.ADMINISTRATOR)
    moodle = connect_site(careful)
    teacher = Visitor(careful, careful.token("teacher"))
    page = teacher.get(moodle.authorize(), 403)
    assert "An administrator of this service has to approve 127.0.0.1:8045 first." in page.text
    assert not page.all("//main//form")
    forged = teacher.client.post(
        moodle.authorize(),
        data={"csrf_token": teacher.get("/upload").tree.forms[-1].fields["csrf_token"], "decision": "allow"},
        headers=teacher.headers,
    )
    assert forged.status_code == 404
    assert "Location" not in forged.headers
    assert rows(careful.services)["grants"] == []
    answer = moodle.refresh("x").to(careful.client())
    assert json_of(answer, 401)["error"] == "invalid_client"

    listed = json_of(careful.client(chief).get("/api/v1/sites?state=pending"))["items"]
    assert [site["id"] for site in listed] == [moodle.client_id]
    assert listed[0]["redirect_uris"] == [moodle.callback]
    assert listed[0]["registered_from"] == "127.0.0.1"
    approved = json_of(_decide(careful, moodle, "approved", chief))
    assert approved["state"] == "approved"
    assert approved["decided_at"] is not None
    tokens = tokens_of(careful, moodle, teacher, scope="resources:read")
    json_of(careful.client(tokens["access_token"]).get("/api/v1/me"))

    json_of(_decide(careful, moodle, "disabled", chief))
    problem_of(careful.client(tokens["access_token"]).get("/api/v1/me"), "unauthorised")
    assert (
        json_of(moodle.refresh(tokens["refresh_token"]).to(careful.client()), 400)["error"]
        == "invalid_client"
    )


def test_only_administrators_see_and_decide(careful: Service) -> None:
    moodle = connect_site(careful)
    member, moderator = careful.token("member"), careful.token("moderator", role=Role.MODERATOR)
    visitors = [Visitor(careful, token) for token in (member, moderator)]
    with nothing_changes(careful):
        for visitor in visitors:
            assert visitor.client.get("/admin/sites").status_code == 403
        for token in (member, moderator):
            problem_of(careful.client(token).get("/api/v1/sites"), "forbidden")
            problem_of(careful.client(token).get(f"/api/v1/sites/{moodle.client_id}"), "forbidden")
            problem_of(_decide(careful, moodle, "approved", token), "forbidden")
        problem_of(careful.client().get("/api/v1/sites"), "unauthorised")
        problem_of(careful.client().patch(f"/api/v1/sites/{moodle.client_id}", json={}), "unauthorised")


def test_decisions_that_are_none(careful: Service) -> None:
    chief = careful.token("chief", role=Role.ADMINISTRATOR)
    moodle = connect_site(careful)
    own = json_of(careful.client(chief).post("/api/v1/me/clients", json={"name": "School"}), 201)
    nowhere = "00000000-0000-7000-8000-000000000000"
    with nothing_changes(careful):
        problem_of(_decide(careful, moodle, "pending", chief), "invalid-input")
        problem_of(_decide(careful, moodle, "loved", chief), "invalid-input")
        problem_of(careful.client(chief).delete(f"/api/v1/me/clients/{moodle.client_id}"), "not-found")
        for client_id in (nowhere, own["id"]):
            site = Moodle(client_id=client_id)
            problem_of(_decide(careful, site, "approved", chief), "not-found")
            problem_of(careful.client(chief).get(f"/api/v1/sites/{client_id}"), "not-found")


def test_sites_are_listed_in_pages(service: Service) -> None:
    chief = service.client(service.token("chief", role=Role.ADMINISTRATOR))
    made = [connect_site(service, Moodle(wwwroot=f"https://{n}.example")).client_id for n in "abc"]
    first = json_of(chief.get("/api/v1/sites?limit=2"))
    second = json_of(chief.get("/api/v1/sites", query_string={"limit": 2, "cursor": first["next_cursor"]}))
    assert [site["id"] for site in first["items"] + second["items"]] == list(reversed(made))
    assert second["next_cursor"] is None
    problem_of(chief.get("/api/v1/sites?cursor=x"), "invalid-cursor")


def test_every_decision_leaves_an_entry_and_no_secret(careful: Service) -> None:
    chief = careful.token("chief", role=Role.ADMINISTRATOR)
    moodle = connect_site(careful)
    for state in ("declined", "approved", "disabled"):
        json_of(_decide(careful, moodle, state, chief))
    asked = {"noun": "client", "noun_id": moodle.client_id}
    trail = json_of(careful.client(chief).get("/api/v1/audit", query_string=asked))["items"]
    assert [entry["action"] for entry in reversed(trail)] == ["register", "declined", "approved", "disabled"]
    assert trail[-1]["account_id"] is None
    assert moodle.client_secret not in json.dumps(trail)
