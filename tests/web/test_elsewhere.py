"""Signing in with an OpenID Connect provider: who gets in, who is offered an account, who gets nothing."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey
from sqlalchemy import select, update

from repo_service.http import oidc
from repo_service.models import Account, AuditEntry, ExternalIdentity
from repo_service.settings import Settings
from tests.contract.support import count, nothing_changes
from tests.support.provider import CLIENT_ID, CLIENT_SECRET, Claims, Provider
from tests.support.service import OPERATOR, MakeService, Service
from tests.web.person import PASSWORD, is_signed_in, sign_in, somebody
from tests.web.visitor import Page, Visitor

_START = "/sign-in/elsewhere"
_REASONS = {
    "denied": "You were not let in there, or did not allow it.",
    "stale": "This was not begun in this browser, or it took too long.",
    "unreachable": "The provider does not answer as it should.",
    "untrusted": "What the provider sent could not be trusted, so nobody was signed in.",
}


@pytest.fixture
def make(make_service: MakeService, provider: Provider) -> Callable[..., Service]:
    """Services where people can sign in with the provider; open, unless told otherwise."""

    def made(**settings: Any) -> Service:
        service = make_service(
            **{
                "registration": "open",
                "oidc_issuer": provider.issuer,
                "oidc_client_id": CLIENT_ID,
                "oidc_client_secret": CLIENT_SECRET,
                "oidc_name": "School account",
                **settings,
            }
        )
        provider.back = f"{service.settings.base_url}{oidc.BACK}"
        return service

    return made


@pytest.fixture
def service(make: Callable[..., Service]) -> Service:
    return make()


def _go(visitor: Visitor, start: str = _START) -> str:
    """To the provider, and where it sends the browser back to, without its host."""
    answer = visitor.client.get(start, headers=visitor.headers)
    assert answer.status_code == 302, answer.text
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    back = urlsplit(httpx.get(answer.headers["Location"]).headers["Location"])
    return f"{back.path}?{back.query}"


def _come(visitor: Visitor, back: str) -> Any:
    return visitor.client.get(back, headers=visitor.headers)


def _sign_in(visitor: Visitor, start: str = _START) -> Any:
    return _come(visitor, _go(visitor, start))


def _make_account(visitor: Visitor, username: str = "ada", **fields: Any) -> Any:
    answer = _sign_in(visitor)
    assert answer.headers["Location"] == "/sign-up/elsewhere", answer.text
    return visitor.send("/sign-up/elsewhere", "/sign-up/elsewhere", username=username, **fields)


def _connect(visitor: Visitor, password: str = PASSWORD) -> Any:
    """From *My account* to the provider and back."""
    answer = visitor.send("/account", "/account/connections", password=password)
    if answer.status_code != 200:
        return answer
    address = Page(answer).one("//a[starts-with(text(), 'Go on to')]").get("href")
    back = urlsplit(httpx.get(address).headers["Location"])
    return _come(visitor, f"{back.path}?{back.query}")


def _refused(service: Service, answer: Any, reason: str, visitor: Visitor) -> None:
    page = Page(answer)
    assert page.status == (502 if reason == "unreachable" else 403), page.text
    assert _REASONS[reason] in page.text
    assert not is_signed_in(visitor)
    assert count(service.services, "external_identities") == 0


# Coming in


def test_an_account_is_made_and_signed_in_to_again(service: Service) -> None:
    visitor = Visitor(service)
    assert visitor.get("/sign-in").links()["Sign in with School account"] == f"{_START}?next=/"
    form = visitor.get(_sign_in(visitor).headers["Location"])
    assert form.one("//input[@name='username']").get("value") == "ada.l"
    assert form.one("//input[@name='display_name']").get("value") == "Ada Lovelace"
    assert not form.all("//input[@type='password' or @name='email']")
    assert _make_account(visitor).headers["Location"] == "/welcome?next=/"
    assert is_signed_in(visitor)
    with service.services.database.read() as session:
        account = session.scalars(select(Account)).one()
        identity = session.scalars(select(ExternalIdentity)).one()
        deeds = session.scalars(select(AuditEntry.action).where(AuditEntry.noun == "account")).all()
    assert (account.email, account.must_confirm, account.password_hash) == ("ada@example.org", False, None)
    assert account.email_confirmed_at is not None
    assert (identity.subject, identity.account_id) == ("248289761001", account.id)
    assert deeds == ["sign up", "connect"]
    again = Visitor(service)
    assert _sign_in(again, f"{_START}?next=/mine").headers["Location"] == "/mine"
    assert is_signed_in(again)


def test_nothing_of_the_browser_from_before_serves_the_new_session(service: Service) -> None:
    visitor = Visitor(service)
    _make_account(visitor)
    with visitor.client.session_transaction() as session:
        before = dict(session)
    _sign_in(visitor)
    with visitor.client.session_transaction() as session:
        after = dict(session)
    assert set(after) == {"token", *(name for name in after if name.startswith("csrf"))}
    assert after["token"] != before["token"]
    assert service.client(before["token"]).get("/api/v1/me").status_code == 401


def test_nobody_is_led_elsewhere(service: Service) -> None:
    visitor = Visitor(service)
    _make_account(visitor)
    for onward in ("https://evil.example", "//evil.example", "/\\evil.example"):
        assert _sign_in(Visitor(service), f"{_START}?next={onward}").headers["Location"] == "/"


def test_what_a_browser_could_not_keep_is_cut(service: Service, provider: Provider) -> None:
    """A cookie holds 4 KB."""
    provider.bend = {"name": "Ada" * 5000, "preferred_username": "ada" * 5000, "sub": "é" * 255}
    visitor = Visitor(service)
    answer = _sign_in(visitor, f"{_START}?next=/{'x' * 3000}")
    assert len(answer.headers["Set-Cookie"]) < 4096
    form = visitor.get(answer.headers["Location"])
    assert form.one("//input[@name='display_name']").get("value") == ("Ada" * 5000)[:200]
    assert form.one("//input[@name='username']").get("value") == ("ada" * 5000)[:64]
    provider.bend = {"name": 7, "preferred_username": ["x"], "email": {"x": 1}}
    form = visitor.get(_sign_in(visitor).headers["Location"])
    assert form.one("//input[@name='display_name']").get("value") == ""
    assert form.one("//input[@name='email']").get("value") == ""


def test_an_address_that_nobody_vouches_for_is_confirmed_by_letter(
    service: Service, provider: Provider
) -> None:
    for unproven in (False, None, "true", 1):
        provider.bend = {"email_verified": unproven, "sub": f"of {unproven}"}
        visitor = Visitor(service)
        form = visitor.get(_sign_in(visitor).headers["Location"])
        assert form.one("//input[@name='email']").get("value") == "ada@example.org"
        _make_account(visitor, f"ada{provider.bend['sub'].encode().hex()}")
        with service.services.database.read() as session:
            account = session.scalars(select(Account).order_by(Account.id.desc())).first()
        assert account is not None
        assert (account.email, account.unconfirmed_email) == (None, "ada@example.org")
        assert account.must_confirm


def test_registration_is_as_the_setting_says(make: Callable[..., Service], provider: Provider) -> None:
    service = make(registration="invite")
    visitor = Visitor(service)
    with nothing_changes(service):
        answer = _sign_in(visitor)
    assert answer.status_code == 403
    assert "You need an invitation" in Page(answer).text
    invited = service.services.invitations.invite(OPERATOR)
    assert invited.url is not None
    link = parse_qs(urlsplit(invited.url).query)["link"][0]
    with_link = Visitor(service).get(f"/sign-up?link={link}").links()["Go on with School account"]
    assert _sign_in(visitor, with_link).headers["Location"] == "/sign-up/elsewhere"
    answer = visitor.send("/sign-up/elsewhere", "/sign-up/elsewhere", username="ada")
    assert answer.status_code == 303
    other = Visitor(service)
    provider.bend = {"sub": "somebody else", "email": "bob@example.org"}
    assert _sign_in(other, with_link).status_code == 410  # the invitation is used
    assert count(service.services, "external_identities") == 1


def test_closed_is_closed(make: Callable[..., Service]) -> None:
    service = make(registration="closed")
    with nothing_changes(service):
        answer = _sign_in(Visitor(service))
    assert answer.status_code == 403
    assert "made by the administrators" in Page(answer).text


def test_a_user_name_that_is_taken_is_asked_for_again(service: Service) -> None:
    somebody(service, "bob")
    visitor = Visitor(service)
    page = Page(_make_account(visitor, "bob"))
    assert page.status == 422
    assert "Somebody has this user name already" in page.text
    answer = visitor.send("/sign-up/elsewhere", "/sign-up/elsewhere", username="ada")
    assert answer.status_code == 303


def test_whoever_has_not_come_back_makes_no_account(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = Visitor(service)
    assert public.client.get("/sign-up/elsewhere", headers=public.headers).headers["Location"] == "/sign-in"
    visitor = Visitor(service)
    form = visitor.get(_sign_in(visitor).headers["Location"]).form("/sign-up/elsewhere")
    data = {**dict(form.form_values()), "username": "ada"}
    long_ago = time.time() + 31 * 60
    monkeypatch.setattr("repo_service.web.elsewhere.time.time", lambda: long_ago)
    with nothing_changes(service):
        answer = visitor.client.post("/sign-up/elsewhere", data=data, headers=visitor.headers)
    assert answer.status_code == 403


# Accounts that are there


def test_an_address_opens_no_account_that_is_there(service: Service) -> None:
    """Its owner signs in as before, and agrees."""
    owner = somebody(service, "ada")
    with service.services.database.write() as session:
        proven = update(Account).values(email="ada@example.org", unconfirmed_email=None, must_confirm=False)
        session.execute(proven)
    visitor = Visitor(service)
    with nothing_changes(service):
        page = Page(_sign_in(visitor))
    assert "You have an account already" in page.text
    assert not is_signed_in(visitor)
    visitor.client.get("/sign-up/elsewhere", headers=visitor.headers)
    assert count(service.services, "external_identities") == 0
    assert _connect(owner).headers["Location"] == "/account?done=connected"
    assert (
        "ada@example.org"
        in owner.get("/account").one("//section[.//h2[@id='connections-title']]").text_content()
    )
    assert _sign_in(visitor).headers["Location"] == "/"
    assert is_signed_in(visitor)


def test_an_unproven_address_says_nothing_about_accounts(service: Service, provider: Provider) -> None:
    somebody(service, "ada")
    with service.services.database.write() as session:
        session.execute(update(Account).values(email="ada@example.org", unconfirmed_email=None))
    provider.bend = {"email_verified": False}
    answer = _sign_in(Visitor(service))
    assert answer.headers["Location"] == "/sign-up/elsewhere"


def test_to_connect_the_password_is_asked_for(service: Service) -> None:
    owner = somebody(service, "bob")
    with nothing_changes(service):
        page = Page(_connect(owner, "not it at all"))
    assert page.status == 422
    assert "This is not your present password." in page.text


def test_another_session_connects_nothing(service: Service) -> None:
    """What was begun in one session is not finished in another, whoever's it is."""
    owner = somebody(service, "bob")
    answer = owner.send("/account", "/account/connections", password=PASSWORD)
    address = Page(answer).one("//a[starts-with(text(), 'Go on to')]").get("href")
    back = urlsplit(httpx.get(address).headers["Location"])
    with owner.client.session_transaction() as session:
        begun = session["elsewhere"]
    assert sign_in(owner, "bob").status_code == 303  # a session of their own, but another
    with owner.client.session_transaction() as session:
        session["elsewhere"] = begun
    answer = _come(owner, f"{back.path}?{back.query}")
    assert answer.status_code == 403
    assert _REASONS["stale"] in Page(answer).text
    assert count(service.services, "external_identities") == 0


def test_one_identity_signs_in_to_one_account(service: Service) -> None:
    _make_account(Visitor(service))
    other = somebody(service, "bob")
    with nothing_changes(service):
        page = Page(_connect(other))
    assert page.status == 409
    assert "signs in to another account here" in page.text


def test_disconnecting(service: Service) -> None:
    owner = somebody(service, "bob")
    _connect(owner)
    stranger = somebody(service, "eve", address="192.0.2.7")
    with service.services.database.read() as session:
        connection = session.scalars(select(ExternalIdentity.id)).one()
    token = stranger.get("/account").all("//main//input[@name='csrf_token']")[0].get("value")
    path = f"/account/connections/{connection}/disconnect"
    with nothing_changes(service):
        answer = stranger.client.post(path, data={"csrf_token": token}, headers=stranger.headers)
        assert answer.status_code == 404
    assert owner.send("/account", "/disconnect").headers["Location"] == "/account?done=disconnected"
    assert count(service.services, "external_identities") == 0


def test_the_only_way_in_stays(service: Service) -> None:
    visitor = Visitor(service)
    _make_account(visitor)
    with nothing_changes(service):
        page = Page(visitor.send("/account", "/disconnect"))
    assert page.status == 409
    assert "This is your only way in: choose a password first." in page.text


def test_who_is_blocked_does_not_come_in(service: Service) -> None:
    _make_account(Visitor(service))
    account = service.services.accounts.list(OPERATOR, limit=1).items[0]
    service.services.accounts.change(OPERATOR, account.id, blocked=True)
    visitor = Visitor(service)
    answer = _sign_in(visitor)
    assert answer.status_code == 403
    assert "This account is blocked" in Page(answer).text
    assert not is_signed_in(visitor)


# What is not believed


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unsigned(claims: Claims, header: Claims | None = None) -> str:
    parts = (header or {"alg": "none"}, claims)
    return ".".join(_encoded(json.dumps(part).encode()) for part in parts) + "."


def _by_secret(claims: Claims, key: RSAKey, secret: bytes) -> str:
    """What libraries took for a signature of ``key`` when they went by the header alone, which its sender
    writes."""
    signed = _unsigned(claims, {"alg": "HS256", "kid": key.kid}).rstrip(".")
    return f"{signed}.{_encoded(hmac.digest(secret, signed.encode(), 'sha256'))}"


@pytest.mark.parametrize(
    "bend",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another client"},
        {"aud": None},
        {"aud": ["another client"]},
        {"aud": [CLIENT_ID, "another client"], "azp": "another client"},
        {"aud": [CLIENT_ID, "another client"]},
        {"azp": "another client"},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": 99_999_999_999},
        {"iat": None},
        {"nbf": 99_999_999_999},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": 17},
        {"sub": "a\x00b"},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    ],
    ids=str,
)
def test_an_id_token_with_something_wrong_in_it(
    service: Service, provider: Provider, bend: dict[str, Any]
) -> None:
    provider.bend = bend
    visitor = Visitor(service)
    _refused(service, _sign_in(visitor), "untrusted", visitor)


def test_signatures_that_prove_nothing(
    service: Service, provider: Provider, provider_keys: tuple[RSAKey, RSAKey]
) -> None:
    own, foreign = provider_keys
    posing = RSAKey.import_key({**foreign.as_dict(private=True), "kid": own.kid or ""})
    forged: dict[str, Callable[[Claims], str]] = {
        "none": _unsigned,
        "by a key that is not published": lambda claims: provider.sign(claims, key=foreign),
        "by another key under its name": lambda claims: provider.sign(claims, key=posing),
        "by the secret that both know": lambda claims: _by_secret(claims, own, CLIENT_SECRET.encode()),
        "by the public key as a secret": lambda claims: _by_secret(claims, own, own.as_pem(private=False)),
        "cut off": lambda claims: provider.sign(claims).rpartition(".")[0] + ".",
        "altered": lambda claims: provider.sign(claims)[:-6] + "AAAAAA",
        "no token": lambda claims: "token",
        "empty": lambda claims: "",
    }
    for made in forged.values():
        provider.token = made
        visitor = Visitor(service)
        _refused(service, _sign_in(visitor), "untrusted", visitor)
    provider.token = None
    assert _sign_in(Visitor(service)).headers["Location"] == "/sign-up/elsewhere"


def test_new_keys_are_found(
    service: Service,
    provider: Provider,
    provider_keys: tuple[RSAKey, RSAKey],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """But who sends tokens with keys that nobody knows does not make us ask for each."""
    _sign_in(Visitor(service))
    asked = provider.asked.count("/keys")
    new = provider_keys[1]
    provider.keys, provider.signs = [*provider.keys, new], new
    for _ in range(3):
        assert _sign_in(Visitor(service)).status_code == 403
    assert provider.asked.count("/keys") == asked
    monkeypatch.setattr(oidc, "_ASKED_AGAIN", 0)
    assert _sign_in(Visitor(service)).headers["Location"] == "/sign-up/elsewhere"
    assert provider.asked.count("/keys") == asked + 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"state": "another"}, "stale"),
        ({"state": None}, "stale"),
        ({"state": ""}, "stale"),
        ({"iss": "https://evil.example"}, "untrusted"),
        ({"iss": None}, "untrusted"),
        ({"code": None}, "untrusted"),
        ({"code": "guessed"}, "untrusted"),
        ({"code": None, "error": "server_error"}, "denied"),
    ],
    ids=str,
)
def test_an_answer_with_something_wrong_in_it(
    service: Service, provider: Provider, answer: dict[str, str | None], reason: str
) -> None:
    """Mixed up with that of another provider, too (RFC 9207)."""
    provider.answer = answer
    visitor = Visitor(service)
    _refused(service, _sign_in(visitor), reason, visitor)


def test_a_provider_that_does_not_name_itself_needs_not(service: Service, provider: Provider) -> None:
    provider.document = {"authorization_response_iss_parameter_supported": False}
    provider.answer = {"iss": None}
    assert _sign_in(Visitor(service)).headers["Location"] == "/sign-up/elsewhere"
    provider.answer = {"iss": "https://evil.example"}
    visitor = Visitor(service)
    _refused(service, _sign_in(visitor), "untrusted", visitor)


def test_who_says_no_is_not_signed_in(service: Service, provider: Provider) -> None:
    provider.refuses = "access_denied"
    visitor = Visitor(service)
    _refused(service, _sign_in(visitor), "denied", visitor)


def test_the_answer_for_one_browser_is_of_no_use_in_another(service: Service) -> None:
    """Nobody is signed in to an account of the attacker's choice."""
    attacker, victim = Visitor(service), Visitor(service)
    back = _go(attacker)
    _refused(service, _come(victim, back), "stale", victim)
    _go(victim)
    _refused(service, _come(victim, back), "stale", victim)
    assert _come(attacker, back).headers["Location"] == "/sign-up/elsewhere"


def test_an_answer_is_good_once(service: Service) -> None:
    visitor = Visitor(service)
    _make_account(visitor)
    other = Visitor(service)
    back = _go(other)
    assert _come(other, back).headers["Location"] == "/"
    visitor_again = Visitor(service)
    assert _come(other, back).status_code == 403
    assert _come(visitor_again, back).status_code == 403


def test_who_takes_too_long_begins_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = Visitor(service)
    back = _go(visitor)
    later = time.time() + 16 * 60
    monkeypatch.setattr("repo_service.http.oidc.time.time", lambda: later)
    _refused(service, _come(visitor, back), "stale", visitor)


def test_who_keeps_sending_answers_waits(service: Service, provider: Provider) -> None:
    visitor = Visitor(service)
    codes = [_come(visitor, f"{oidc.BACK}?state=guess&code={n}").status_code for n in range(51)]
    assert codes == [*[403] * 50, 429]
    assert provider.asked == []


# The provider itself


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"issuer": "https://evil.example"}, "untrusted"),
        ({"issuer": None}, "untrusted"),
        ({"token_endpoint": "http://169.254.169.254/latest/meta-data"}, "untrusted"),
        ({"jwks_uri": "http://10.0.0.1/keys"}, "untrusted"),
        ({"jwks_uri": "file:///etc/passwd"}, "untrusted"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "untrusted"),
        ({"authorization_endpoint": None}, "untrusted"),
        ({"token_endpoint": ["x"]}, "untrusted"),
    ],
    ids=str,
)
def test_a_document_that_leads_astray(
    service: Service, provider: Provider, document: dict[str, Any], reason: str
) -> None:
    provider.document = document
    visitor = Visitor(service)
    answer = visitor.client.get(_START, headers=visitor.headers)
    _refused(service, answer, reason, visitor)
    assert provider.asked == ["/.well-known/openid-configuration"]


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys", "/token"])
@pytest.mark.parametrize(
    "raw",
    [
        (500, {}, b""),
        (302, {"Location": "/elsewhere"}, b""),
        (200, {}, b"<html>"),
        (200, {}, b"[]"),
        (200, {}, b" " * (1024 * 1024 + 1)),
    ],
    ids=["500", "redirect", "html", "list", "large"],
)
def test_a_provider_that_is_not_well(
    service: Service, provider: Provider, path: str, raw: tuple[int, dict[str, str], bytes]
) -> None:
    """No redirect is followed."""
    provider.raw[path] = raw
    visitor = Visitor(service)
    answer = visitor.client.get(_START, headers=visitor.headers)
    if answer.status_code == 302:
        back = urlsplit(httpx.get(answer.headers["Location"]).headers["Location"])
        answer = _come(visitor, f"{back.path}?{back.query}")
    _refused(service, answer, "unreachable", visitor)
    assert "/elsewhere" not in provider.asked


def test_keys_that_are_none(service: Service, provider: Provider) -> None:
    for body in (b"{}", b'{"keys": []}', b'{"keys": [{"kty": "RSA"}]}', b'{"keys": 7}', b'{"keys": [7]}'):
        provider.raw["/keys"] = (200, {}, body)
        visitor = Visitor(service)
        _refused(service, _sign_in(visitor), "untrusted", visitor)


def test_a_provider_that_is_not_there(make: Callable[..., Service]) -> None:
    service = make(oidc_issuer="http://127.0.0.1:9")
    visitor = Visitor(service)
    answer = visitor.client.get(_START, headers=visitor.headers)
    _refused(service, answer, "unreachable", visitor)
    assert sign_in(visitor, "nobody").status_code == 403  # the other way in goes on as before


def test_where_there_is_none_there_is_no_way_to_it(make_service: MakeService) -> None:
    service = make_service(registration="open")
    visitor = somebody(service)
    assert "elsewhere" not in visitor.get("/sign-in").source
    assert "connections" not in visitor.get("/account").source
    for url in (_START, oidc.BACK):
        visitor.get(url, status=404)


@pytest.mark.parametrize(
    "settings",
    [
        {"oidc_issuer": "http://idp.example", "oidc_client_id": "x"},
        {"oidc_issuer": "https://idp.example"},
        {"oidc_issuer": "https://idp.example?x=1", "oidc_client_id": "x"},
        {"oidc_issuer": "https://user@idp.example", "oidc_client_id": "x"},
        {"oidc_issuer": "file:///etc/passwd", "oidc_client_id": "x"},
        {"oidc_issuer": "idp.example", "oidc_client_id": "x"},
    ],
    ids=str,
)
def test_settings_that_make_no_sense(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="REPO_OIDC_ISSUER"):
        Settings(**settings)
