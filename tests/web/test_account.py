"""One's own account: what can be changed, what for a password is asked, and who is kept away."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from repo_service.domain.identity import ClientKind, Role, Scope
from repo_service.models import Account
from repo_service.models.base import now
from repo_service.services import people
from repo_service.services.throttling import Allowance
from repo_service.web.browsers import browser_name
from tests.contract.consenting import connect_site, tokens_of
from tests.contract.support import rows
from tests.support.mail import Mailbox
from tests.support.service import OPERATOR, MakeService, Service, json_of
from tests.support.speech import Teach
from tests.web.person import OTHER_PASSWORD, PASSWORD, is_signed_in, sign_in, somebody
from tests.web.visitor import Page, Visitor


@pytest.fixture
def open_service(make_service: MakeService, mailbox: Mailbox) -> Service:
    return make_service(smtp_url=mailbox.url, mail_from="repo@example.org", registration="open")


@pytest.fixture
def ada(open_service: Service, mailbox: Mailbox) -> Visitor:
    """Signed in, with an address that is confirmed."""
    visitor = somebody(open_service)
    open_service.work()
    assert visitor.send(mailbox.link("ada@example.org"), "/confirm").status_code == 303
    mailbox.envelopes.clear()
    return visitor


def _account(service: Service) -> Account:
    with service.services.database.read() as session:
        return session.scalars(select(Account).where(Account.username == "ada")).one()


def _said(answer: Any) -> str:
    return str(Page(answer).one("//*[@role='alert']").text_content()).strip()


def test_what_is_on_the_page(ada: Visitor) -> None:
    page = ada.get("/account")
    assert "ada@example.org" in page.text
    assert "this browser" in page.text
    assert "You have none" in page.text
    assert page.links()["My account"] == "/account"
    assert "let act for you" in ada.get(page.links()["page of their own"]).text
    assert "no-store" in page.response.headers["Cache-Control"]


def test_the_public_is_sent_to_sign_in_first(open_service: Service) -> None:
    assert Visitor(open_service).client.get("/account").location == "/sign-in?next=/account"


def test_another_name(open_service: Service, ada: Visitor) -> None:
    evil = "Ada\r\nBcc: all@example.org \x00<script>alert(1)</script>"
    page = ada.get(ada.send("/account", "/account/name", display_name=evil).location)
    assert "Your name is saved" in page.text
    name = _account(open_service).display_name
    assert name == "Ada Bcc: all@example.org <script>alert(1)</script>"
    assert "<script>alert" not in page.source
    refused = ada.send("/account", "/account/name", display_name="  ")
    assert (refused.status_code, _account(open_service).display_name) == (422, name)


def test_another_address_once_it_is_confirmed(open_service: Service, ada: Visitor, mailbox: Mailbox) -> None:
    """Who has the old address hears of it before."""
    answer = ada.send("/account", "/account/email", email="Ada@New.example", password=PASSWORD)
    assert answer.location == "/account?done=email"
    assert "ada@new.example is not confirmed yet" in ada.get(answer.location).text
    open_service.work()
    assert [letter["To"] for letter in mailbox.letters] == ["ada@example.org", "ada@new.example"]
    assert "about to change" in str(mailbox.letters[0]["Subject"])
    assert "?link=" not in mailbox.last("ada@example.org")
    assert _account(open_service).email == "ada@example.org"
    ada.send(mailbox.link("ada@new.example"), "/confirm")
    account = _account(open_service)
    assert (account.email, account.unconfirmed_email, account.must_confirm) == (
        "ada@new.example",
        None,
        False,
    )
    assert sign_in(Visitor(open_service), "ada@example.org").status_code == 403
    assert sign_in(Visitor(open_service), "ada@new.example").status_code == 303


def test_links_to_an_address_that_was_changed_again_are_void(
    open_service: Service, ada: Visitor, mailbox: Mailbox
) -> None:
    ada.send("/account", "/account/email", email="typo@example.org", password=PASSWORD)
    open_service.work()
    link = mailbox.link("typo@example.org")
    ada.send("/account", "/account/email", email="right@example.org", password=PASSWORD)
    Visitor(open_service).get(link, 410)
    assert _account(open_service).email == "ada@example.org"
    ada.send("/account", "/account/email", email="ada@example.org", password=PASSWORD)
    assert _account(open_service).unconfirmed_email is None


def test_an_address_of_somebody_else_is_answered_the_same(
    open_service: Service, ada: Visitor, mailbox: Mailbox
) -> None:
    other = somebody(open_service, "bea")
    open_service.work()
    other.send(mailbox.link("bea@example.org"), "/confirm")
    answer = ada.send("/account", "/account/email", email="bea@example.org", password=PASSWORD)
    assert answer.location == "/account?done=email"
    open_service.work()
    assert "You have an account already" in str(mailbox.letters[-1]["Subject"])
    assert "?link=" not in mailbox.last("bea@example.org")
    assert "user name is bea" in mailbox.last("bea@example.org")


@pytest.mark.parametrize("email", ["", "ada", "a@b\r\nBcc: c@example.org", "ada@example.org,bea@example.org"])
def test_what_is_no_address(ada: Visitor, open_service: Service, email: str) -> None:
    answer = ada.send("/account", "/account/email", email=email, password=PASSWORD)
    assert answer.status_code == 422
    assert "no e-mail address" in _said(answer)
    assert _account(open_service).unconfirmed_email is None


def test_the_letter_again(open_service: Service, mailbox: Mailbox) -> None:
    visitor = somebody(open_service)
    open_service.work()
    assert visitor.send("/account", "/account/email/letter").location == "/account?done=again"
    open_service.work()
    assert len(mailbox.letters) == 2
    visitor.send(mailbox.link("ada@example.org"), "/confirm")
    assert not _account(open_service).must_confirm


def test_letters_again_have_a_limit(open_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "CONFIRM_FOR", Allowance(name="c", burst=2, every=timedelta(hours=1)))
    visitor = somebody(open_service)
    statuses = [visitor.send("/account", "/account/email/letter").status_code for _ in range(3)]
    assert statuses == [303, 303, 429]


def test_another_password_ends_the_other_sessions(
    open_service: Service, ada: Visitor, mailbox: Mailbox
) -> None:
    elsewhere = Visitor(open_service)
    sign_in(elsewhere, "ada")
    Visitor(open_service).send("/forgotten-password", "/forgotten-password", login="ada")
    open_service.work()
    link = mailbox.link("ada@example.org")
    answer = ada.send("/account", "/account/password", password=PASSWORD, new_password=OTHER_PASSWORD)
    assert answer.location == "/account?done=password"
    assert is_signed_in(ada)
    assert not is_signed_in(elsewhere)
    Visitor(open_service).get(link, 410)
    assert sign_in(Visitor(open_service), "ada").status_code == 403
    assert sign_in(Visitor(open_service), "ada", OTHER_PASSWORD).status_code == 303
    open_service.work()
    assert "Your password was changed" in str(mailbox.letters[-1]["Subject"])


def test_another_password_is_another_session_in_this_browser_too(open_service: Service, ada: Visitor) -> None:
    """Whoever has a copy of its cookie is signed out."""
    copy = Visitor(open_service)
    cookie = ada.client.get_cookie("repo_session")
    assert cookie is not None
    copy.client.set_cookie("repo_session", cookie.value)
    assert is_signed_in(copy)
    form = ada.get("/account").form("/account/name").fields["csrf_token"]
    ada.send("/account", "/account/password", password=PASSWORD, new_password=OTHER_PASSWORD)
    assert is_signed_in(ada)
    assert not is_signed_in(copy)
    data = {"csrf_token": form, "display_name": "Eve"}
    assert ada.client.post("/account/name", data=data, headers=ada.headers).status_code == 400


def test_another_password_ends_tokens_and_sites_if_wanted(open_service: Service, ada: Visitor) -> None:
    site = connect_site(open_service)
    tokens = tokens_of(open_service, site, ada)

    def refreshed(tokens: Any) -> Any:
        return site.refresh(tokens["refresh_token"]).to(open_service.client())

    ada.send("/account", "/account/password", password=PASSWORD, new_password=OTHER_PASSWORD)
    tokens = json_of(refreshed(tokens))
    answer = ada.send(
        "/account", "/account/password", password=OTHER_PASSWORD, new_password=PASSWORD, everywhere="1"
    )
    assert "Nothing but this browser" in ada.get(answer.location).text
    assert open_service.client(tokens["access_token"]).get("/api/v1/me").status_code == 401
    assert refreshed(tokens).status_code == 400


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("/account/password", {"new_password": OTHER_PASSWORD}),
        ("/account/email", {"email": "new@example.org"}),
        ("/account/tokens", {"name": "laptop", "lasts": "30 days"}),
    ],
)
@pytest.mark.parametrize("password", ["", "wrong wrong wrong"])
def test_the_present_password_is_asked_for(
    open_service: Service, ada: Visitor, action: str, fields: dict[str, Any], password: str
) -> None:
    """Somebody may have left their browser open."""
    before = rows(open_service.services)
    for _ in range(people.SIGN_IN_HERE.burst):
        answer = ada.send("/account", action, password=password, **fields)
        assert answer.status_code == 422
        assert "not your present password" in _said(answer)
    answer = ada.send("/account", action, password=PASSWORD, **fields)
    assert answer.status_code == 429
    after = rows(open_service.services)
    assert {name: found for name, found in after.items() if name != "throttles"} == {
        name: found for name, found in before.items() if name != "throttles"
    }


def test_a_weak_password_is_refused_here_too(open_service: Service, ada: Visitor) -> None:
    for weak in ("short", "password1234", "ada@example.org"):
        answer = ada.send("/account", "/account/password", password=PASSWORD, new_password=weak)
        assert answer.status_code == 422
    assert sign_in(Visitor(open_service), "ada").status_code == 303


def test_sessions_are_listed_and_ended(open_service: Service, ada: Visitor) -> None:
    other = Visitor(open_service)
    other.client.environ_base["HTTP_USER_AGENT"] = (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:130.0) Gecko/20100101 Firefox/130.0"
    )
    sign_in(other, "ada")
    page = ada.get("/account")
    assert "Firefox on Windows" in page.text
    (form,) = [f for f in page.tree.forms if f.action.endswith("/revoke")]
    answer = ada.client.post(form.action, data=dict(form.fields), headers=ada.headers)
    assert answer.location == "/account?done=signed-out"
    assert not is_signed_in(other)
    assert is_signed_in(ada)


def test_browsers_are_named_in_the_language_of_the_page(
    open_service: Service, ada: Visitor, teach: Teach
) -> None:
    """What is kept of a session is the same for everybody."""
    teach("de", {"%(browser)s on %(system)s": "%(browser)s unter %(system)s", "Browser": "Ein Browser"})
    for agent in ("Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0", "Links (Windows)", "curl/8"):
        other = Visitor(open_service, language="de")
        other.client.environ_base["HTTP_USER_AGENT"] = agent
        sign_in(other, "ada")
    names = [name.text_content() for name in other.get("/account").all("//ul[@class='plain-list']//strong")]
    assert names[:3] == ["Ein Browser", "Ein Browser unter Windows", "Firefox unter Linux"]
    assert "Firefox on Linux" in ada.get("/account").text


def test_a_refusal_beside_its_form_names_no_field_of_the_api(ada: Visitor) -> None:
    refused = ada.send("/account", "/account/name", display_name="")
    assert _said(refused) == "Type the name that others shall see."


def test_nobody_ends_the_session_of_another(open_service: Service, ada: Visitor) -> None:
    bea = somebody(open_service, "bea")
    with bea.client.session_transaction() as session:
        secret = session["token"]
    (token,) = json_of(open_service.client(secret).get("/api/v1/me/tokens"))["items"]
    csrf = ada.get("/account").form("/account/name").fields["csrf_token"]
    answer = ada.client.post(
        f"/account/tokens/{token['id']}/revoke", data={"csrf_token": csrf}, headers=ada.headers
    )
    assert answer.status_code == 404
    assert is_signed_in(bea)


def test_a_token_is_made_shown_once_used_and_revoked(open_service: Service, ada: Visitor) -> None:
    answer = ada.send("/account", "/account/tokens", name="laptop", lasts="a year", password=PASSWORD)
    secret = re.search(r"mrr_[\w-]+", answer.text)
    assert secret is not None
    me = open_service.client(secret[0])
    assert json_of(me.get("/api/v1/me"))["username"] == "ada"
    made = next(t for t in json_of(me.get("/api/v1/me/tokens"))["items"] if t["name"] == "laptop")
    assert made["scopes"] == ["resources:read", "resources:write"]
    assert not made["is_session"]
    ends = now() + timedelta(days=364)
    assert made["expires_at"] > ends.isoformat()
    page = ada.get("/account")
    assert secret[0] not in page.source
    assert "laptop" in page.text
    ada.send("/account", f"/account/tokens/{made['id']}/revoke")
    assert me.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize("fields", [{"name": ""}, {"lasts": "for ever"}, {"lasts": ""}])
def test_a_token_needs_a_name_and_an_end(ada: Visitor, fields: dict[str, str]) -> None:
    given = {"name": "laptop", "lasts": "30 days", "password": PASSWORD, **fields}
    csrf = ada.get("/account").form("/account/name").fields["csrf_token"]
    answer = ada.client.post("/account/tokens", data={"csrf_token": csrf, **given}, headers=ada.headers)
    assert answer.status_code == 422
    assert "mrr_" not in answer.text


def test_who_comes_with_a_token_that_may_do_less_is_not_the_owner(service: Service) -> None:
    """Else a token that leaked could give the account another address, and with that another password."""
    service.token("teacher")
    account = service.services.accounts.find(OPERATOR, "teacher")
    client = service.services.accounts.register_client(
        OPERATOR, name="School", kind=ClientKind.MOODLE, account_id=account.id
    )
    reads = frozenset({Scope.READ})
    whole = frozenset({Scope.READ, Scope.WRITE})
    issue = service.services.accounts.issue_token
    for secret in (
        issue(OPERATOR, name="r", scopes=reads, account_id=account.id).secret,
        issue(OPERATOR, name="c", scopes=whole, account_id=account.id, client_id=client.id).secret,
    ):
        visitor = Visitor(service, secret)
        email = visitor.send("/account", "/account/email", email="thief@example.org")
        password = visitor.send("/account", "/account/password", new_password=OTHER_PASSWORD)
        assert (email.status_code, password.status_code) == (403, 403)
    found = service.services.accounts.find(OPERATOR, "teacher")
    assert (found.unconfirmed_email, found.has_password) == (None, False)


def test_who_has_no_password_yet_chooses_one(service: Service) -> None:
    """With the token of an operator, who made the account before there were passwords."""
    visitor = Visitor(service, service.token("teacher", role=Role.MODERATOR))
    page = visitor.get("/account")
    assert not page.all("//input[@autocomplete='current-password']")
    assert "Choose a password to make tokens" in page.text
    csrf = page.form("/account/name").fields["csrf_token"]
    fields = {"csrf_token": csrf, "name": "x", "lasts": "30 days"}
    assert visitor.client.post("/account/tokens", data=fields, headers=visitor.headers).status_code == 409
    visitor.send("/account", "/account/password", new_password=OTHER_PASSWORD)
    assert sign_in(Visitor(service), "teacher", OTHER_PASSWORD).status_code == 303


def test_an_address_that_is_added_later_keeps_nobody_from_releasing(service: Service) -> None:
    """Who was known before stays so."""
    visitor = Visitor(service, service.token("teacher"))
    visitor.send("/account", "/account/email", email="t@example.org")
    found = service.services.accounts.find(OPERATOR, "teacher")
    assert (found.unconfirmed_email, found.must_confirm) == ("t@example.org", False)


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("(Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1 Version/17.4 Safari/605.1", "Safari on Mac"),
        ("(X11; Linux x86_64) AppleWebKit/537.36 Chrome/129.0 Safari/537.36", "Chrome on Linux"),
        ("(Windows NT 10.0) AppleWebKit/537.36 Chrome/129.0 Safari/537.36 Edg/129.0", "Edge on Windows"),
        ("(iPhone; CPU iPhone OS 17_5 like Mac OS X) CriOS/129 Safari/604", "Chrome on iPhone"),
        ("(Linux; Android 14) AppleWebKit/537.36 Chrome/129.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.9", "Browser"),
        ("", "Browser"),
        ("<script>", "Browser"),
    ],
)
def test_browsers_by_name(user_agent: str, name: str) -> None:
    assert browser_name(user_agent) == name
