"""Signing in by token and out again: what the session is worth, and where it leads."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from repo_service.services import accounts
from tests.support.backups import backup
from tests.support.service import Service, json_of
from tests.web.shared import Shared
from tests.web.visitor import Page, Visitor

COOKIE = "repo_session"


def _session_secret(client: FlaskClient) -> str:
    with client.session_transaction() as session:
        secret: str = session["token"]
        return secret


def test_a_session_has_a_token_of_its_own_that_ends(service: Service) -> None:
    token = service.token("teacher")
    visitor = Visitor(service, token)
    assert "(teacher)" in visitor.get("/").one("//header").text_content()
    assert _session_secret(visitor.client) != token
    (browser,) = [
        item
        for item in json_of(service.client(token).get("/api/v1/me/tokens"))["items"]
        if item["name"] == "Browser"
    ]
    assert browser["expires_at"] is not None


def test_the_cookie_is_for_this_site_and_no_script(service: Service) -> None:
    visitor = Visitor(service)
    answer = visitor.send("/sign-in", "/sign-in", token=service.token("teacher"))
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_signing_out_makes_the_sessions_token_worthless(service: Service) -> None:
    visitor = Visitor(service, service.token("teacher"))
    secret = _session_secret(visitor.client)
    assert json_of(service.client(secret).get("/api/v1/me"))["username"] == "teacher"
    assert visitor.send("/", "/sign-out").status_code == 303
    assert service.client(secret).get("/api/v1/me").status_code == 401
    assert visitor.client.get("/mine").location == "/sign-in?next=/mine"


def test_a_wrong_token_is_refused_with_a_word(service: Service) -> None:
    page = Page(Visitor(service).send("/sign-in", "/sign-in", token="mrr_wrong"))
    assert page.status == 403
    assert "unknown, expired or revoked" in page.one("//*[@role='alert']").text_content()
    assert "mrr_wrong" not in page.source


def test_an_old_session_is_not_carried_over(service: Service) -> None:
    """Whoever planted a session before the sign-in knows nothing of the one after it."""
    visitor = Visitor(service)
    old = visitor.get("/sign-in").form("/sign-in").fields["csrf_token"]
    planted = visitor.client.get_cookie(COOKIE)
    assert planted is not None
    visitor.send("/sign-in", "/sign-in", token=service.token("teacher"))
    after = visitor.client.get_cookie(COOKIE)
    assert after is not None
    assert after.value != planted.value
    answer = visitor.client.post("/sign-out", data={"csrf_token": old}, headers=visitor.headers)
    assert answer.status_code == 400


def test_signing_in_anew_ends_the_session_before(service: Service) -> None:
    token = service.token("teacher")
    visitor = Visitor(service, token)
    first = _session_secret(visitor.client)
    visitor.send("/sign-in", "/sign-in", token=token)
    assert service.client(first).get("/api/v1/me").status_code == 401


def test_a_revoked_session_is_a_visitor_like_any_other(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "SESSION_LASTS", timedelta(seconds=-1))
    visitor = Visitor(service, service.token("teacher"))
    assert "(teacher)" not in visitor.get("/").source
    assert visitor.client.get("/mine").status_code == 303


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example/",
        "https://evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/\t/evil.example/",
        "javascript:alert(1)",
        "evil",
        "",
    ],
)
def test_signing_in_leads_nowhere_else(service: Service, target: str) -> None:
    answer = Visitor(service).send("/sign-in", "/sign-in", token=service.token("teacher"), next=target)
    assert (answer.status_code, answer.location) == (303, "/")


def test_signing_in_leads_back_to_where_one_was(service: Service) -> None:
    visitor = Visitor(service)
    asked = visitor.client.get("/mine?cursor=x")
    answer = visitor.send(asked.location, "/sign-in", token=service.token("teacher"))
    assert answer.location == "/mine?cursor=x"


def test_the_api_takes_no_session(service: Service, tmp_path: Path) -> None:
    shared = Shared(service, backup(tmp_path / "course.mbz"))
    owner = shared.owner
    owner.get(shared.url)
    assert owner.client.get(f"/api/v1{shared.url}").status_code == 404
    assert owner.client.get("/api/v1/me").status_code == 401
    forged = owner.client.post(f"/api/v1{shared.url}/withdraw", data=json.dumps({"reason": "x"}))
    assert forged.status_code in (400, 401, 415)


def test_a_page_takes_no_bearer_token(service: Service) -> None:
    """The header is for programs; pages know sessions only, so that what they show hangs on one thing."""
    assert service.client(service.token("teacher")).get("/mine").status_code == 303
