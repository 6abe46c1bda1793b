"""Signing up and in with a password, confirming an address, choosing a new password: and every refusal."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters
from sqlalchemy import select, text, update
from structlog.testing import capture_logs

from repo_service.domain.identity import SCOPES_OF_ROLE, LinkPurpose, Role
from repo_service.models import Account, Base, OneTimeLink, Token
from repo_service.models.base import now
from repo_service.services import letters, people, throttling
from repo_service.services.passwords import Passwords
from repo_service.services.quota import UNCONFIRMED_QUOTA
from repo_service.services.throttling import Allowance
from tests.contract.consenting import connect_site, tokens_of
from tests.contract.support import count, problem_of, rows
from tests.support.mail import Mailbox, path_of
from tests.support.service import OPERATOR, MakeService, Service, json_of, send_file
from tests.web.person import OTHER_PASSWORD, PASSWORD, is_signed_in, sign_in, sign_up, somebody
from tests.web.visitor import Page, Visitor

ADDRESS = "ada@example.org"


@pytest.fixture
def mail_settings(mailbox: Mailbox) -> dict[str, Any]:
    return {"smtp_url": mailbox.url, "mail_from": "Repo <repo@example.org>", "registration": "open"}


@pytest.fixture
def open_service(make_service: MakeService, mail_settings: dict[str, Any]) -> Service:
    """A service where everybody may sign up, with a mail server."""
    return make_service(**mail_settings)


@pytest.fixture(params=["sqlite", "postgresql"])
def any_open_service(request: pytest.FixtureRequest, make_service: MakeService) -> Service:
    """The same without one, on either database."""
    if request.param == "sqlite":
        return make_service(registration="open")
    database: str = request.getfixturevalue("postgres_database")()
    return make_service(registration="open", database_url=database)


def _accounts(service: Service) -> Sequence[Account]:
    with service.services.database.read() as session:
        return session.scalars(select(Account)).all()


def _account(service: Service, username: str = "ada") -> Account:
    with service.services.database.read() as session:
        return session.scalars(select(Account).where(Account.username == username)).one()


def _confirmed(service: Service, mailbox: Mailbox, username: str = "ada") -> Visitor:
    visitor = somebody(service, username)
    service.work()
    answer = visitor.send(mailbox.link(f"{username}@example.org"), "/confirm")
    assert answer.location == "/confirmed"
    return visitor


def _problem(answer: Any) -> str:
    return str(Page(answer).one("//h1").text_content())


# Signing up


def test_from_the_sign_up_to_a_release(open_service: Service, mailbox: Mailbox) -> None:
    """Whoever signed up is in at once; what they share stays a draft until their address is confirmed."""
    visitor = Visitor(open_service)
    answer = sign_up(visitor, next="/upload")
    assert answer.location == "/welcome?next=/upload"
    welcome = visitor.get(answer.location)
    assert ADDRESS in welcome.text
    assert welcome.links()["Go on"] == "/upload"
    account = _account(open_service)
    assert (account.email, account.unconfirmed_email, account.role) == (None, ADDRESS, "member")
    token = json_of(
        visitor.client.get("/api/v1/me", headers={"Authorization": f"Bearer {_session_secret(visitor)}"})
    )
    assert token["must_confirm"] is True
    client = open_service.client(_session_secret(visitor))
    resource = json_of(send_file(client, b"Notes", file_name="a.txt", licence="CC-BY-4.0", release=True), 201)
    open_service.work()
    page = visitor.get(f"/resources/{resource['id']}")
    assert "Your e-mail address is not confirmed yet" in page.text
    problem_of(client.post(f"/api/v1/resources/{resource['id']}/versions/1/release"), "email-unconfirmed")
    refused = visitor.send(f"/resources/{resource['id']}", "/release")
    assert refused.status_code == 409
    assert "Confirm your e-mail address first" in Page(refused).text
    assert Page(refused).links()["My account"] == "/account"
    assert "(ada)" in page.one("//header").text_content()

    assert visitor.send(mailbox.link(ADDRESS), "/confirm").location == "/confirmed"
    account = _account(open_service)
    assert (account.email, account.unconfirmed_email, account.must_confirm) == (ADDRESS, None, False)
    assert account.email_confirmed_at is not None
    json_of(client.post(f"/api/v1/resources/{resource['id']}/versions/1/release"))


def test_there_is_little_room_before_the_address_is_confirmed(
    open_service: Service, mailbox: Mailbox
) -> None:
    """Or a stranger with many accounts would fill the disk."""
    visitor = Visitor(open_service)
    sign_up(visitor)
    client = open_service.client(_session_secret(visitor))
    announced = {"file_name": "a", "size": UNCONFIRMED_QUOTA + 1}
    problem = problem_of(client.post("/api/v1/uploads", json=announced), "quota-exceeded")
    assert problem["quota"] == UNCONFIRMED_QUOTA == json_of(client.get("/api/v1/me"))["quota"]
    assert "open the link in the letter" in problem["detail"]
    json_of(client.post("/api/v1/uploads", json={**announced, "size": UNCONFIRMED_QUOTA}), 201)
    open_service.work()
    visitor.send(mailbox.link(ADDRESS), "/confirm")
    json_of(client.post("/api/v1/uploads", json=announced), 201)


def _session_secret(visitor: Visitor) -> str:
    with visitor.client.session_transaction() as session:
        secret: str = session["token"]
        return secret


def test_the_letter_waits_for_no_click_of_a_program(open_service: Service, mailbox: Mailbox) -> None:
    """Scanners open every link of a letter: looking changes nothing."""
    somebody(open_service)
    open_service.work()
    link = mailbox.link(ADDRESS)
    for _ in range(3):
        page = Visitor(open_service).get(link)
        assert "ada" in page.text
        assert page.response.headers["Referrer-Policy"] == "no-referrer"
        assert "no-store" in page.response.headers["Cache-Control"]
    assert _account(open_service).email is None
    assert Visitor(open_service).send(link, "/confirm").status_code == 303
    assert _account(open_service).email == ADDRESS


def test_no_letter_holds_what_a_stranger_typed(open_service: Service, mailbox: Mailbox) -> None:
    """Or our letters would carry the words of whoever types somebody else's address."""
    visitor = Visitor(open_service)
    sign_up(
        visitor,
        "win-at.evil.example",
        email=ADDRESS,
        display_name="Buy now at https://evil.example\r\nBcc: all@example.org",
    )
    for login in ("win-at.evil.example", ADDRESS):
        Visitor(open_service).send("/forgotten-password", "/forgotten-password", login=login)
    open_service.work()
    assert len(mailbox.letters) == 3
    for letter, envelope in zip(mailbox.letters, mailbox.envelopes, strict=True):
        assert "evil" not in letter.as_string()
        assert envelope.rcpt_tos == [ADDRESS]
    assert "win-at.evil.example" in Visitor(open_service).get(mailbox.link(ADDRESS)).text


def test_whether_an_address_is_known_does_not_show(open_service: Service, mailbox: Mailbox) -> None:
    """The same page after the same work; the difference is in the letter that its owner reads."""
    _confirmed(open_service, mailbox)
    known, unknown = Visitor(open_service), Visitor(open_service)
    answers = [
        sign_up(known, "bea", email="ADA@Example.ORG"),
        sign_up(unknown, "cyd", email="dan@example.org"),
    ]
    assert [(answer.status_code, answer.location) for answer in answers] == [(303, "/welcome?next=/")] * 2
    shown = [
        re.sub(r"\b(bea|cyd|ada@\S+|dan@\S+)\b", "X", v.get("/welcome").text.lower())
        for v in (known, unknown)
    ]
    assert shown[0] == shown[1]
    open_service.work()
    assert "You have an account already" in str(mailbox.letters[-2]["Subject"])
    assert "user name is ada" in mailbox.last(ADDRESS)
    assert "?link=" not in mailbox.last(ADDRESS)
    assert "?link=" in mailbox.last("dan@example.org")
    assert is_signed_in(known)
    assert _account(open_service, "bea").email is None


def test_an_address_that_nobody_confirmed_keeps_nobody_out(open_service: Service, mailbox: Mailbox) -> None:
    somebody(open_service, "eve")
    open_service.work()
    stolen = mailbox.link("eve@example.org")
    sign_up(Visitor(open_service), "real", email="eve@example.org")
    open_service.work()
    own = mailbox.link("eve@example.org")
    assert Visitor(open_service).send(own, "/confirm").status_code == 303
    assert _account(open_service, "real").email == "eve@example.org"
    late = Visitor(open_service).send(stolen, "/confirm")
    assert late.status_code == 409
    assert "Another account has this e-mail address" in Page(late).text


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"username": "Ada Lovelace"}, "Small letters"),
        ({"username": ""}, "Small letters"),
        ({"username": "a" * 65}, "Small letters"),
        ({"username": "ada@example.org"}, "Small letters"),
        ({"email": "ada"}, "no e-mail address"),
        ({"email": ""}, "no e-mail address"),
        ({"email": "ada@example.org, bea@example.org"}, "no e-mail address"),
        ({"email": "ada@example.org\r\nBcc: bea@example.org"}, "no e-mail address"),
        ({"email": "Ada <ada@example.org>"}, "no e-mail address"),
        ({"email": f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 63}.org"}, "no e-mail address"),
        ({"password": "short"}, "at least 10 characters"),
        ({"password": "x y " * 80}, "at most 256 bytes"),
        ({"password": "password1234"}, "tried first"),
        ({"username": "lovelace", "password": "lovelace123"}, "your own name"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_is_kept(
    open_service: Service, fields: dict[str, str], wrong: str
) -> None:
    visitor = Visitor(open_service)
    answer = sign_up(visitor, **fields, display_name="Ada Example")
    page = Page(answer)
    assert page.status == 422
    assert wrong in page.one("//*[@role='alert']").text_content()
    assert page.form("/sign-up").fields["display_name"] == "Ada Example"
    assert not page.form("/sign-up").fields["password"]
    assert count(open_service.services, "accounts") == 0
    assert not is_signed_in(visitor)


def test_a_user_name_that_is_taken_is_told(open_service: Service) -> None:
    """Everybody reads user names beside what people share."""
    somebody(open_service)
    answer = sign_up(Visitor(open_service), email="other@example.org")
    assert answer.status_code == 422
    assert "Somebody has this user name" in Page(answer).text
    assert count(open_service.services, "accounts") == 1


def test_nobody_chooses_their_role(open_service: Service) -> None:
    visitor = Visitor(open_service)
    sign_up(visitor, role="administrator", must_confirm="", email_confirmed_at="2020-01-01", quota="1")
    account = _account(open_service)
    assert (account.role, account.must_confirm, account.quota) == (Role.MEMBER.value, True, None)
    assert visitor.client.get("/invitations", headers=visitor.headers).status_code == 403


@pytest.mark.parametrize("registration", ["invite", "closed"])
def test_who_may_not_sign_up_is_told(make_service: MakeService, registration: str) -> None:
    service = make_service(registration=registration)
    visitor = Visitor(service)
    page = visitor.get("/sign-up", 403)
    assert page.one("//h1").text == "No sign-up"
    assert "dministrator" in page.text
    assert "/sign-up" not in str(visitor.get("/sign-in").links())
    token = visitor.get("/sign-in").form("/sign-in").fields["csrf_token"]
    fields = {"csrf_token": token, "username": "ada", "email": ADDRESS, "password": PASSWORD}
    for link in ("", "nonsense"):
        answer = visitor.client.post("/sign-up", data={**fields, "link": link}, headers=visitor.headers)
        assert answer.status_code == (410 if registration == "invite" and link else 403)
    assert count(service.services, "accounts") == 0


def test_invitations_are_the_default(service: Service) -> None:
    assert service.settings.registration == "invite"
    Visitor(service).get("/sign-up", 403)


def test_no_form_without_its_token(open_service: Service) -> None:
    client = open_service.client()
    for url in (
        "/sign-up",
        "/sign-in",
        "/forgotten-password",
        "/new-password",
        "/confirm",
        "/account/password",
    ):
        answer = client.post(
            url, data={"login": "ada", "password": PASSWORD}, headers={"Accept": "text/html"}
        )
        assert answer.status_code == 400, url
    assert count(open_service.services, "accounts") == 0
    assert count(open_service.services, "throttles") == 0


# Signing in


@pytest.mark.parametrize("login", ["ada", "ADA", " ada ", ADDRESS, "Ada@EXAMPLE.org"])
def test_signing_in_by_name_or_address(open_service: Service, mailbox: Mailbox, login: str) -> None:
    _confirmed(open_service, mailbox)
    visitor = Visitor(open_service)
    answer = sign_in(visitor, login, next="/mine")
    assert (answer.status_code, answer.location) == (303, "/mine")
    assert is_signed_in(visitor)


def test_a_session_by_password_has_the_whole_power_of_the_role_and_ends(open_service: Service) -> None:
    visitor = somebody(open_service)
    listed = json_of(open_service.client(_session_secret(visitor)).get("/api/v1/me/tokens"))["items"]
    whole = sorted(SCOPES_OF_ROLE[Role.MEMBER])
    assert [(item["is_session"], item["scopes"]) for item in listed] == [(True, whole)]
    assert listed[0]["expires_at"] is not None


def test_wrong_passwords_and_unknown_people_are_answered_the_same(
    open_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And after the same work: one password is compared each time, whether there is one or not."""
    somebody(open_service)
    open_service.token("tokens-only")
    compared: list[str | None] = []
    verify = Passwords.verify

    def noting(self: Passwords, hashed: str | None, password: str) -> bool:
        compared.append(hashed)
        return verify(self, hashed, password)

    monkeypatch.setattr(Passwords, "verify", noting)
    shown = set()
    logins = ("ada", "nobody", "nobody@example.org", ADDRESS, "tokens-only", "")
    for login in logins:
        visitor = Visitor(open_service)
        answer = sign_in(visitor, login, OTHER_PASSWORD)
        page = Page(answer)
        assert page.status == 403
        assert page.form("/sign-in").fields["login"] == login
        assert OTHER_PASSWORD not in page.source
        shown.add(page.one("//*[@role='alert']").text_content().strip())
        assert not is_signed_in(visitor)
    assert len(shown) == 1
    assert len(compared) == len(logins)
    assert sum(hashed is not None for hashed in compared) == 1


def test_the_password_is_nowhere(open_service: Service) -> None:
    """Not in the database, and not in the log."""
    with capture_logs() as lines:
        visitor = somebody(open_service)
        sign_in(Visitor(open_service), "ada", OTHER_PASSWORD)
        open_service.work()
        visitor.send("/account", "/account/password", password=PASSWORD, new_password=OTHER_PASSWORD)
    with open_service.services.database.read() as session:
        for table in Base.metadata.sorted_tables:
            everything = str(session.execute(text(f"SELECT * FROM {table.name}")).all())
            assert PASSWORD not in everything
            assert OTHER_PASSWORD not in everything
    assert PASSWORD not in str(lines)
    assert OTHER_PASSWORD not in str(lines)


def test_a_blocked_account_is_told_so_by_who_knows_the_password_only(open_service: Service) -> None:
    inside = somebody(open_service)
    open_service.services.accounts.change(OPERATOR, _account(open_service).id, blocked=True)
    assert not is_signed_in(inside)
    wrong, right = (sign_in(Visitor(open_service), "ada", word) for word in (OTHER_PASSWORD, PASSWORD))
    assert "blocked" not in Page(wrong).text
    assert "This account is blocked" in Page(right).text
    assert right.status_code == 403


def test_an_old_session_is_not_carried_over(open_service: Service) -> None:
    """Whoever planted a cookie before the sign-in knows nothing of the session after it."""
    somebody(open_service)
    ways: tuple[Callable[[Visitor], object], ...] = (
        lambda visitor: sign_in(visitor, "ada"),
        lambda visitor: sign_up(visitor, "bea"),
    )
    for begin in ways:
        visitor = Visitor(open_service)
        old = visitor.get("/sign-in").form("/sign-in").fields["csrf_token"]
        planted = visitor.client.get_cookie("repo_session")
        begin(visitor)
        after = visitor.client.get_cookie("repo_session")
        assert planted is not None
        assert after is not None
        assert after.value != planted.value
        assert is_signed_in(visitor)
        victim = Visitor(open_service)
        victim.client.set_cookie("repo_session", planted.value)
        assert not is_signed_in(victim)
        answer = visitor.client.post("/sign-out", data={"csrf_token": old}, headers=visitor.headers)
        assert answer.status_code == 400


def test_signing_out_ends_the_session(open_service: Service) -> None:
    visitor = somebody(open_service)
    cookie = visitor.client.get_cookie("repo_session")
    assert cookie is not None
    visitor.send("/", "/sign-out")
    assert not is_signed_in(visitor)
    copy = Visitor(open_service)
    copy.client.set_cookie("repo_session", cookie.value)
    assert not is_signed_in(copy), "a copy of the cookie is worth nothing either"


@pytest.mark.parametrize("target", ["//evil.example/", "https://evil.example/", "/\\evil.example", "evil"])
def test_nobody_is_led_elsewhere(open_service: Service, target: str) -> None:
    somebody(open_service)
    assert sign_in(Visitor(open_service), "ada", next=target).location == "/"
    visitor = Visitor(open_service)
    assert sign_up(visitor, "bea", next=target).location == "/welcome?next=/"
    page = visitor.client.get("/welcome", query_string={"next": target}, headers=visitor.headers)
    assert Page(page).links()["Go on"] == "/"
    asked = Visitor(open_service).client.get(
        "/sign-in", query_string={"next": target}, headers=visitor.headers
    )
    assert Page(asked).form("/sign-in").fields["next"] == "/"


def test_who_has_to_sign_in_may_sign_up_and_comes_back(open_service: Service) -> None:
    """What other pages count on: a sign-in leads back to where it was asked for, and so does a sign-up."""
    visitor = Visitor(open_service)
    asked = visitor.client.get("/mine?cursor=x")
    assert asked.location == "/sign-in?next=/mine?cursor%3Dx" or asked.location.startswith(
        "/sign-in?next=/mine"
    )
    page = visitor.get(asked.location)
    answer = sign_up(visitor, on=page.links()["Make one"])
    assert answer.location.startswith("/welcome?next=/mine?cursor")


def test_a_hash_of_before_is_made_anew(open_service: Service) -> None:
    """When the recommendation changes, each password is hashed anew at its next use."""
    somebody(open_service)
    recommended = extract_parameters(_account(open_service).password_hash or "")
    weak = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
    with open_service.services.database.write() as session:
        session.execute(update(Account).values(password_hash=weak))
    assert sign_in(Visitor(open_service), "ada", OTHER_PASSWORD).status_code == 403
    assert _account(open_service).password_hash == weak
    assert sign_in(Visitor(open_service), "ada").status_code == 303
    kept = _account(open_service).password_hash
    assert kept is not None
    assert extract_parameters(kept) == recommended
    assert sign_in(Visitor(open_service), "ada").status_code == 303


def test_a_session_of_the_password_before_does_not_slip_in(
    open_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody signs in with the old password in the very moment in which its owner changes it."""
    owner = somebody(open_service)
    verify = Passwords.verify

    def slowly(self: Passwords, hashed: str | None, password: str) -> bool:
        good = verify(self, hashed, password)
        monkeypatch.setattr(Passwords, "verify", verify)
        owner.send("/account", "/account/password", password=PASSWORD, new_password=OTHER_PASSWORD)
        return good

    thief = Visitor(open_service)
    thief.get("/sign-in")
    monkeypatch.setattr(Passwords, "verify", slowly)
    assert sign_in(thief, "ada").status_code == 403
    assert not is_signed_in(thief)
    assert is_signed_in(owner)


# A new password


def test_a_forgotten_password(open_service: Service, mailbox: Mailbox) -> None:
    """The link signs in, and ends every session and every other link there was."""
    elsewhere = _confirmed(open_service, mailbox)
    visitor = Visitor(open_service)
    for login in (ADDRESS, "ada"):
        answer = visitor.send("/forgotten-password", "/forgotten-password", login=login)
        assert answer.location == "/forgotten-password/sent"
        open_service.work()
    first, second = (letter.get_content() for letter in mailbox.letters[-2:])
    assert first != second
    assert "user name is ada" in second
    link = mailbox.link(ADDRESS)
    assert "ada" in visitor.get(link).text
    weak = visitor.send(link, "/new-password", password="password12345")
    assert weak.status_code == 422
    assert "tried first" in Page(weak).text
    answer = visitor.send(link, "/new-password", password=OTHER_PASSWORD)
    assert answer.location == "/account?done=everywhere"
    assert is_signed_in(visitor)
    assert not is_signed_in(elsewhere)
    for secret in (first, second):
        found = re.search(r"/new-password\?link=\S+", secret)
        assert found is not None
        Visitor(open_service).get(found[0], 410)
    assert sign_in(Visitor(open_service), "ada").status_code == 403
    assert sign_in(Visitor(open_service), "ada", OTHER_PASSWORD).status_code == 303
    open_service.work()
    assert "Your password was changed" in str(mailbox.letters[-1]["Subject"])


@pytest.mark.parametrize("everywhere", [True, False])
def test_a_forgotten_password_ends_tokens_and_sites_unless_that_is_not_wanted(
    open_service: Service, mailbox: Mailbox, everywhere: bool
) -> None:
    """Whoever confirmed an address that is not theirs, or knew the password, has no way back in."""
    elsewhere = _confirmed(open_service, mailbox)
    made = elsewhere.send("/account", "/account/tokens", name="x", lasts="a year", password=PASSWORD)
    secret = re.search(r"mrr_[\w-]+", made.text)
    assert secret is not None
    site = connect_site(open_service)
    tokens = tokens_of(open_service, site, elsewhere)
    owner = Visitor(open_service)
    owner.send("/forgotten-password", "/forgotten-password", login=ADDRESS)
    open_service.work()
    link = mailbox.link(ADDRESS)
    assert "checked" in owner.get(link).one("//input[@name='everywhere']").attrib
    choice: dict[str, Any] = {} if everywhere else {"everywhere": ""}
    owner.send(link, "/new-password", password=OTHER_PASSWORD, **choice)
    assert is_signed_in(owner)
    assert open_service.client(secret[0]).get("/api/v1/me").status_code == (401 if everywhere else 200)
    again = site.refresh(tokens["refresh_token"]).to(open_service.client())
    assert again.status_code == (400 if everywhere else 200)


def test_a_first_password_leaves_the_tokens_that_were_there(service: Service) -> None:
    """As at the first start, which shows a token and a link to choose a password."""
    secret = service.token("ada")
    url = service.services.people.link_for_password(OPERATOR, "ada", send=False)
    assert url is not None
    visitor = Visitor(service)
    assert not visitor.get(url).all("//input[@name='everywhere']")
    visitor.send(url, "/new-password", password=PASSWORD)
    assert service.client(secret).get("/api/v1/me").status_code == 200


def test_asking_for_a_password_is_answered_the_same_for_everybody(
    open_service: Service, mailbox: Mailbox
) -> None:
    _confirmed(open_service, mailbox)
    open_service.token("tokens-only")
    before = len(mailbox.letters)
    shown = set()
    for login in (
        ADDRESS,
        "nobody@example.org",
        "nobody",
        "tokens-only",
        "ada@example.org\r\nBcc: x@y.org",
        "",
    ):
        links = count(open_service.services, "one_time_links")
        visitor = Visitor(open_service)
        answer = visitor.send("/forgotten-password", "/forgotten-password", login=login)
        shown.add((answer.status_code, answer.location, visitor.get(answer.location).text))
        assert count(open_service.services, "one_time_links") == links + 1, "the same work"
    assert len(shown) == 1
    open_service.work()
    assert [letter["To"] for letter in mailbox.letters[before:]] == [ADDRESS]


def test_a_letter_that_only_its_owner_reads_proves_an_address(
    open_service: Service, mailbox: Mailbox
) -> None:
    """Somebody signed up with another's address: whoever reads it may take the account over, and nothing that
    was made before lets the other in again."""
    thief = somebody(open_service, "eve")
    site = connect_site(open_service)
    tokens = tokens_of(open_service, site, thief)
    secret = _session_secret(thief)
    issued = json_of(
        open_service.client(secret).post(
            "/api/v1/me/tokens", json={"name": "x", "scopes": ["resources:read"]}
        ),
        201,
    )["secret"]
    owner = Visitor(open_service)
    owner.send("/forgotten-password", "/forgotten-password", login="eve@example.org")
    open_service.work()
    owner.send(mailbox.link("eve@example.org"), "/new-password", password=OTHER_PASSWORD)
    account = _account(open_service, "eve")
    assert (account.email, account.must_confirm) == ("eve@example.org", False)
    assert is_signed_in(owner)
    assert not is_signed_in(thief)
    for old in (secret, issued, tokens["access_token"]):
        assert open_service.client(old).get("/api/v1/me").status_code == 401
    again = site.refresh(tokens["refresh_token"]).to(open_service.client())
    assert (again.status_code, json_of(again, 400)["error"]) == (400, "invalid_grant")


def test_a_link_is_good_for_its_purpose_only(open_service: Service, mailbox: Mailbox) -> None:
    _confirmed(open_service, mailbox)
    visitor = somebody(open_service, "bea")
    Visitor(open_service).send("/forgotten-password", "/forgotten-password", login="ada")
    open_service.work()
    confirm = mailbox.link("bea@example.org").partition("?")[2]
    reset = mailbox.link(ADDRESS).partition("?")[2]
    before = rows(open_service.services)["accounts"]
    for page, link in (("/new-password", confirm), ("/confirm", reset), ("/sign-up", reset)):
        stranger = Visitor(open_service)
        stranger.get(f"{page}?{link}", 410)
        token = stranger.get("/sign-in").form("/sign-in").fields["csrf_token"]
        secret = link.removeprefix("link=")
        fields = {"csrf_token": token, "link": secret, "password": OTHER_PASSWORD, "username": "new"}
        answer = stranger.client.post(
            page, data={**fields, "email": "n@example.org"}, headers=stranger.headers
        )
        assert answer.status_code == 410
        assert _problem(answer) == "Link does not work"
    assert rows(open_service.services)["accounts"] == before
    assert is_signed_in(visitor)


def test_links_work_once_and_not_for_ever(open_service: Service, mailbox: Mailbox) -> None:
    _confirmed(open_service, mailbox)
    used = mailbox.link(ADDRESS)
    Visitor(open_service).get(used, 410)
    visitor = Visitor(open_service)
    visitor.send("/forgotten-password", "/forgotten-password", login="ada")
    open_service.work()
    link = mailbox.link(ADDRESS)
    with open_service.services.database.write() as session:
        session.execute(update(OneTimeLink).values(expires_at=now() - timedelta(seconds=1)))
    visitor.get(link, 410)
    for wrong in (
        "/new-password?link=nonsense",
        "/new-password?link=",
        "/new-password",
        "/confirm?link=%00%ff",
    ):
        visitor.get(wrong, 410)


def test_a_link_is_used_once_by_two_at_the_same_time(open_service: Service, mailbox: Mailbox) -> None:
    _confirmed(open_service, mailbox)
    visitors = [Visitor(open_service), Visitor(open_service)]
    visitors[0].send("/forgotten-password", "/forgotten-password", login="ada")
    open_service.work()
    link = mailbox.link(ADDRESS)
    forms = [visitor.get(link).form("/new-password") for visitor in visitors]
    answers = [
        visitor.client.post(
            "/new-password", data={**dict(form.fields), "password": OTHER_PASSWORD}, headers=visitor.headers
        ).status_code
        for visitor, form in zip(visitors, forms, strict=True)
    ]
    assert answers == [303, 410]


def test_a_blocked_account_gets_no_letter_and_its_links_end(open_service: Service, mailbox: Mailbox) -> None:
    _confirmed(open_service, mailbox)
    Visitor(open_service).send("/forgotten-password", "/forgotten-password", login="ada")
    open_service.work()
    link = mailbox.link(ADDRESS)
    open_service.services.accounts.change(OPERATOR, _account(open_service).id, blocked=True)
    open_service.work()
    before = len(mailbox.letters)
    assert mailbox.letters[-1]["Subject"] == "Your account is blocked"
    Visitor(open_service).get(link, 410)
    Visitor(open_service).send("/forgotten-password", "/forgotten-password", login="ada")
    open_service.work()
    assert len(mailbox.letters) == before


def test_the_secret_of_a_link_is_in_its_letter_only(open_service: Service, mailbox: Mailbox) -> None:
    """No row holds it, before its letter is written or after, and no log where there is a mail server."""
    with capture_logs() as lines:
        somebody(open_service)
        with open_service.services.database.read() as session:
            assert session.scalars(select(OneTimeLink.secret_hash)).all() == [None]
        open_service.work()
    secret = mailbox.link(ADDRESS).partition("link=")[2]
    assert len(secret) > 40
    assert secret not in str(rows(open_service.services))
    assert secret not in str(lines)


def test_letters_stop_before_they_pester(open_service: Service, mailbox: Mailbox) -> None:
    """Whoever asks, by name or by address, from wherever: somebody's mailbox gets a few and no more."""
    _confirmed(open_service, mailbox)
    for number in range(12):
        visitor = Visitor(open_service)
        visitor.client.environ_base["REMOTE_ADDR"] = f"198.51.100.{number}"
        login = "ada" if number % 2 else ADDRESS
        visitor.client.post(
            "/forgotten-password",
            data={"login": login, "csrf_token": _csrf(visitor)},
            headers=visitor.headers,
        )
    open_service.work()
    assert len(mailbox.letters) == letters.TO_ONE_ADDRESS.burst


def _csrf(visitor: Visitor) -> str:
    return str(visitor.get("/sign-in").form("/sign-in").fields["csrf_token"])


def test_a_letter_that_cannot_go_now_goes_later(open_service: Service, mailbox: Mailbox) -> None:
    mailbox.answers[ADDRESS] = "450 come again"
    somebody(open_service)
    open_service.work()
    assert mailbox.letters == []
    mailbox.answers.clear()
    with open_service.services.database.write() as session:
        session.execute(text("UPDATE jobs SET next_try_at = created_at"))
    open_service.work()
    assert Visitor(open_service).send(mailbox.link(ADDRESS), "/confirm").status_code == 303


def test_a_letter_that_nobody_takes_is_given_up(open_service: Service, mailbox: Mailbox) -> None:
    mailbox.answers[ADDRESS] = "550 no such mailbox"
    somebody(open_service)
    open_service.work()
    with open_service.services.database.read() as session:
        state, reason = session.execute(text("SELECT state, reason FROM jobs WHERE kind = 'mail'")).one()
    assert (state, "550" in reason) == ("failed", True)


# Throttling


def test_ten_wrong_passwords_and_then_a_wait(open_service: Service) -> None:
    somebody(open_service)
    visitor = Visitor(open_service)
    visitor.client.environ_base["REMOTE_ADDR"] = "198.51.100.7"
    for _ in range(people.SIGN_IN_HERE.burst):
        assert sign_in(visitor, "ada", OTHER_PASSWORD).status_code == 403
    for password in (OTHER_PASSWORD, PASSWORD):
        answer = sign_in(visitor, "ada", password)
        assert answer.status_code == 429
        assert 0 < int(answer.headers["Retry-After"]) <= 120
        assert "try again in 2 minutes" in Page(answer).text
    assert not is_signed_in(visitor)
    assert sign_in(visitor, "unknown", OTHER_PASSWORD).status_code == 403, "another account is another matter"
    owner = Visitor(open_service)
    owner.client.environ_base["REMOTE_ADDR"] = "192.0.2.200"
    assert sign_in(owner, "ada").status_code == 303, "who comes from elsewhere is not locked out"


def test_unknown_people_are_throttled_like_known_ones(open_service: Service) -> None:
    visitor = Visitor(open_service)
    for _ in range(people.SIGN_IN_HERE.burst):
        assert sign_in(visitor, "nobody", OTHER_PASSWORD).status_code == 403
    assert sign_in(visitor, "nobody", OTHER_PASSWORD).status_code == 429


def test_right_passwords_are_not_counted(open_service: Service) -> None:
    somebody(open_service)
    for _ in range(people.SIGN_IN_HERE.burst + 3):
        assert sign_in(Visitor(open_service), "ada").status_code == 303


def test_many_addresses_against_one_account(open_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are stopped; its owner, where they signed in before, is not."""
    monkeypatch.setattr(people, "SIGN_IN_TO", Allowance(name="t", burst=5, every=timedelta(hours=1)))
    somebody(open_service, address="192.0.2.77")
    home = Visitor(open_service)
    home.client.environ_base["REMOTE_ADDR"] = "192.0.2.77"
    assert sign_in(home, "ada").status_code == 303
    statuses = []
    for number in range(8):
        attacker = Visitor(open_service)
        attacker.client.environ_base["REMOTE_ADDR"] = f"198.51.100.{number}"
        statuses.append(sign_in(attacker, "ada", OTHER_PASSWORD).status_code)
    assert statuses == [403] * 5 + [429] * 3
    assert sign_in(home, "ada").status_code == 303


def test_nobody_is_locked_out_for_good(
    open_service: Service, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long somebody attacks an account from everywhere: its owner comes in where they were before, by
    letter from where they never were, and with the password as soon as it is over."""
    monkeypatch.setattr(people, "SIGN_IN_TO", Allowance(name="t", burst=5, every=timedelta(minutes=1)))
    _confirmed(open_service, mailbox)

    def at(address: str) -> Visitor:
        visitor = Visitor(open_service)
        visitor.client.environ_base["REMOTE_ADDR"] = address
        return visitor

    for number in range(20):
        sign_in(at(f"198.51.100.{number}"), "ada", OTHER_PASSWORD)
    abroad = at("203.0.113.5")
    assert sign_in(abroad, "ada").status_code == 429
    abroad.send("/forgotten-password", "/forgotten-password", login="ada")
    open_service.work()
    answer = abroad.send(mailbox.link("ada@example.org"), "/new-password", password=OTHER_PASSWORD)
    assert answer.status_code == 303
    assert is_signed_in(abroad)
    later = now() + timedelta(minutes=1)
    monkeypatch.setattr(throttling, "now", lambda: later)
    assert sign_in(at("203.0.113.77"), "ada", OTHER_PASSWORD).status_code == 303


def test_whether_there_is_such_an_account_is_not_told(
    open_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the same words, status and headers, with a user name and an address, before and after the limit."""
    somebody(open_service)
    told: dict[str, list[object]] = {}
    for login in ("ada", "nobody", "ada@example.org", "nobody@example.org"):
        visitor = Visitor(open_service)
        for _ in range(people.SIGN_IN_HERE.burst + 1):
            answer = sign_in(visitor, login, OTHER_PASSWORD)
            words = re.sub(r"request \w+", "", Page(answer).text)
            told.setdefault(login, []).append((answer.status_code, sorted(answer.headers.keys()), words))
    assert told["ada"] == told["nobody"]
    assert told["ada@example.org"] == told["nobody@example.org"]
    assert told["ada"] == told["ada@example.org"]


def test_one_address_against_many_accounts(open_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "SIGN_IN_FROM", Allowance(name="f", burst=5, every=timedelta(hours=1)))
    visitor = Visitor(open_service)
    statuses = [sign_in(visitor, f"somebody{n}", OTHER_PASSWORD).status_code for n in range(6)]
    assert statuses == [403] * 5 + [429]


def test_sign_ups_and_letters_and_links_have_their_limits(
    open_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = timedelta(hours=1)
    for name in ("SIGN_UP_FROM", "RESET_FROM", "LINK_FROM"):
        monkeypatch.setattr(people, name, Allowance(name=name, burst=2, every=hour))
    asked = []
    for number in range(3):
        visitor = Visitor(open_service)
        asked.append(
            (
                sign_up(visitor, f"member{number}").status_code,
                visitor.send("/forgotten-password", "/forgotten-password", login=f"x{number}").status_code,
                visitor.client.get("/confirm?link=x", headers=visitor.headers).status_code,
            )
        )
    assert asked == [(303, 303, 410), (303, 303, 410), (429, 429, 429)]


def test_one_name_is_asked_for_a_few_times_only(open_service: Service) -> None:
    statuses = []
    for number in range(people.RESET_FOR.burst + 1):
        visitor = Visitor(open_service)
        visitor.client.environ_base["REMOTE_ADDR"] = f"198.51.100.{number}"
        statuses.append(
            visitor.send("/forgotten-password", "/forgotten-password", login="nobody").status_code
        )
    assert statuses == [303] * people.RESET_FOR.burst + [429]


def test_the_address_is_the_one_that_trusted_front_servers_give(
    make_service: MakeService, mail_settings: dict[str, Any]
) -> None:
    def statuses(service: Service) -> list[int]:
        found = []
        for number in range(people.SIGN_IN_HERE.burst + 2):
            visitor = Visitor(service)
            visitor.headers["X-Forwarded-For"] = f"203.0.113.{number}"
            found.append(sign_in(visitor, "ada", OTHER_PASSWORD).status_code)
        return found

    assert set(statuses(make_service(**mail_settings, trusted_proxies=1))) == {403}
    assert statuses(make_service(**mail_settings))[-1] == 429, "who is not trusted cannot choose an address"


def test_wrong_tokens_are_counted_and_right_ones_let_in(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    from repo_service.http import authentication

    few = Allowance(name="w", burst=3, every=timedelta(hours=1))
    monkeypatch.setattr(authentication, "WRONG_TOKENS", few)
    good = service.token("teacher")
    wrong = service.client("mrr_wrong")
    for _ in range(3):
        problem_of(wrong.get("/api/v1/me"), "unauthorised")
    answer = wrong.get("/api/v1/me")
    assert "hour" in problem_of(answer, "too-many-requests")["detail"] or "minutes" in answer.text
    assert int(answer.headers["Retry-After"]) > 3000
    json_of(service.client(good).get("/api/v1/me"))
    assert Visitor(service, good).client is not None
    assert Visitor(service).send("/sign-in", "/sign-in", token="mrr_wrong").status_code == 429


# Tidying


def test_what_is_of_no_use_is_forgotten(open_service: Service, mailbox: Mailbox) -> None:
    somebody(open_service)
    open_service.work()
    services = open_service.services
    assert services.people.tidy() == 0
    with services.database.write() as session:
        session.execute(update(OneTimeLink).values(expires_at=now() - timedelta(days=31)))
        session.execute(text("UPDATE jobs SET finished_at = :at"), {"at": "2020-01-01 00:00:00"})
    assert services.people.tidy() == 2
    assert count(services, "one_time_links") == 0
    assert [row for row in rows(services)["jobs"] if "mail" in row] == []


def _grown_old(service: Service, *usernames: str) -> None:
    """A month goes by; whoever was signed in is not any more."""
    ago = now() - people.UNCONFIRMED_KEPT - timedelta(minutes=1)
    with service.services.database.write() as session:
        session.execute(update(Account).where(Account.username.in_(usernames)).values(created_at=ago))
        session.execute(update(Token).where(Token.is_session).values(expires_at=ago))


def test_who_signed_up_and_never_came_back_is_forgotten(any_open_service: Service) -> None:
    """So nobody sits on user names: and who has anything here, or can still come in, stays."""
    service = any_open_service
    somebody(service, "squatter")
    service.token("made-by-an-administrator")
    json_of(send_file(service.client(_session_secret(somebody(service, "shares"))), b"x"), 201)
    json_of(
        service.client(_session_secret(somebody(service, "program"))).post(
            "/api/v1/me/tokens", json={"name": "x", "scopes": ["resources:read"]}
        ),
        201,
    )
    connected = somebody(service, "connected")
    tokens_of(service, connect_site(service), connected)
    somebody(service, "blocked")
    somebody(service, "confirmed")
    with service.services.database.write() as session:
        session.execute(update(Account).where(Account.username == "blocked").values(blocked_at=now()))
        confirmed = update(Account).where(Account.username == "confirmed")
        session.execute(confirmed.values(email="c@example.org", unconfirmed_email=None, must_confirm=False))
        session.execute(update(Token).where(Token.name == "x").values(expires_at=None))
    assert service.services.people.sweep() == 0, "nobody is old enough"
    everybody = {row.username for row in _accounts(service)}
    _grown_old(service, *everybody)
    fresh = somebody(service, "fresh")
    assert service.services.people.sweep() == 1
    assert {row.username for row in _accounts(service)} == everybody - {"squatter"} | {"fresh"}
    assert is_signed_in(fresh)
    assert sign_in(Visitor(service), "squatter").status_code == 403
    somebody(service, "squatter")


def test_who_is_signed_in_is_not_forgotten(open_service: Service) -> None:
    visitor = somebody(open_service)
    with open_service.services.database.write() as session:
        ago = now() - people.UNCONFIRMED_KEPT - timedelta(minutes=1)
        session.execute(update(Account).values(created_at=ago))
    assert open_service.services.people.sweep() == 0
    assert is_signed_in(visitor)


def test_nobody_is_forgotten_where_people_are_invited(service: Service) -> None:
    """They had an invitation, and would need another one."""
    invited = service.services.invitations.invite(OPERATOR)
    assert invited.url is not None
    assert sign_up(Visitor(service), on=path_of(invited.url)).status_code == 303
    _grown_old(service, "ada")
    assert service.services.people.sweep() == 0


def test_an_account_has_so_many_sessions_and_the_oldest_go(
    open_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    from repo_service.services import accounts

    monkeypatch.setattr(accounts, "MAX_SESSIONS", 3)
    first = somebody(open_service)
    visitors = [Visitor(open_service) for _ in range(3)]
    for visitor in visitors:
        sign_in(visitor, "ada")
    assert not is_signed_in(first)
    assert all(map(is_signed_in, visitors))
    with open_service.services.database.read() as session:
        living = session.scalars(select(Token.id).where(Token.revoked_at.is_(None))).all()
    assert len(living) == 3


def test_every_purpose_has_its_page(service: Service) -> None:
    from repo_service.services.links import PAGES

    adapter = service.app.url_map.bind("localhost")
    assert {PAGES[purpose]: adapter.match(PAGES[purpose])[0] for purpose in LinkPurpose} == {
        "/confirm": "web.confirm",
        "/new-password": "web.new_password",
        "/sign-up": "web.sign_up",
    }
