"""In which language people are written to, and how they choose it."""

from __future__ import annotations

import pytest

from repo_service.domain.identity import Role
from repo_service.models import Account
from tests.contract.support import nothing_changes, problem_of
from tests.support.mail import Mailbox
from tests.support.service import OPERATOR, MakeService, Service, json_of
from tests.support.speech import Teach
from tests.web.person import OTHER_PASSWORD, PASSWORD, sign_up
from tests.web.visitor import Page, Visitor

ADDRESS = "ada@example.org"
GERMAN = {
    "Hello,": "Guten Tag,",
    "Confirm your e-mail address": "Bestätigen Sie Ihre E-Mail-Adresse",
    "Somebody, most likely you, gave this address at %(site)s.": (
        "Jemand, vermutlich Sie, hat bei %(site)s diese Adresse angegeben."
    ),
    "Open this page to confirm that it is yours:": "Öffnen Sie diese Seite, um sie zu bestätigen:",
    "The link works once, for %(time)s. If it was not you, do nothing: then the address is not used.": (
        "Der Link gilt einmal und %(time)s lang. Wenn Sie es nicht waren, tun Sie nichts."
    ),
    "%(count)s days": "%(count)s Tage",
    "Your invitation to %(site)s": "Ihre Einladung zu %(site)s",
    "%(host)s has invited you to %(site)s, where teachers share courses and find those of others.": (
        "%(host)s hat Sie zu %(site)s eingeladen, wo Lehrkräfte Kurse teilen."
    ),
    "You will be a moderator there.": "Sie werden dort moderieren.",
    "Choose a password": "Wählen Sie ein Passwort",
}


@pytest.fixture
def service(make_service: MakeService, mailbox: Mailbox, teach: Teach) -> Service:
    """An open service with a mail server, which speaks some German."""
    teach("de", GERMAN)
    return make_service(
        smtp_url=mailbox.url, mail_from="repo@example.org", registration="open", site_name="Kurse"
    )


def _language_of(service: Service, username: str = "ada") -> str | None:
    return service.services.accounts.find(OPERATOR, username).language


def test_who_signs_up_on_a_german_page_gets_german_letters(service: Service, mailbox: Mailbox) -> None:
    sign_up(Visitor(service, language="de-AT,en;q=0.5"))
    assert _language_of(service) == "de"
    service.work()
    (letter,) = mailbox.letters
    assert letter["Subject"] == "Bestätigen Sie Ihre E-Mail-Adresse"
    assert letter["Content-Language"] == "de"
    link = service.settings.base_url + mailbox.link(ADDRESS)
    assert mailbox.last(ADDRESS).split("\n\n") == [
        "Guten Tag,",
        "Jemand, vermutlich Sie, hat bei Kurse diese Adresse angegeben.",
        "Öffnen Sie diese Seite, um sie zu bestätigen:",
        link,
        "Der Link gilt einmal und 7 Tage lang. Wenn Sie es nicht waren, tun Sie nichts.",
        f"Kurse\n{service.settings.base_url}/\n",
    ]


def test_what_there_are_no_words_for_is_said_in_english(service: Service, mailbox: Mailbox) -> None:
    sign_up(Visitor(service, language="fr"))
    service.work()
    (letter,) = mailbox.letters
    assert (letter["Subject"], letter["Content-Language"]) == ("Confirm your e-mail address", "fr")
    assert "The link works once, for 7 days. If it was not you" in mailbox.last(ADDRESS)


def test_another_language_is_chosen_on_the_account_page(service: Service, mailbox: Mailbox) -> None:
    visitor = Visitor(service)
    sign_up(visitor)
    service.work()
    assert mailbox.letters[-1]["Content-Language"] == "en"
    select = visitor.get("/account").one("//select[@name='language']")
    assert select.value == "en"
    assert [(option.get("lang"), option.text) for option in select] == [
        ("en", "English"),
        ("de", "Deutsch"),
        ("fr", "Français"),
        ("es", "Español"),
        ("ar", "العربية"),
    ]
    answer = visitor.send("/account", "/account/language", language="de")
    page = visitor.get(answer.location)
    assert "we write to you in that language" in page.text
    assert page.one("/html").get("lang") == "en", "the pages stay as they were"
    assert page.one("//select[@name='language']").value == "de"
    visitor.send("/account", "/account/email/letter")
    service.work()
    assert mailbox.letters[-1]["Subject"] == "Bestätigen Sie Ihre E-Mail-Adresse"


@pytest.mark.parametrize("tag", ["", "xx", "de-AT", "../de", "DE", "d\x00e"])
def test_a_language_that_there_is_not(service: Service, tag: str) -> None:
    visitor = Visitor(service)
    sign_up(visitor)
    with nothing_changes(service):
        answer = visitor.send("/account", "/account/language", language=tag)
    assert answer.status_code == 422
    assert Page(answer).one("//*[@role='alert']").text_content().startswith("Choose one of these languages")


def test_nobody_else_chooses_it(service: Service) -> None:
    visitor = Visitor(service)
    csrf = visitor.get("/sign-in").form("/sign-in").fields["csrf_token"]
    fields = {"csrf_token": csrf, "language": "de"}
    assert visitor.client.post("/account/language", data=fields, headers=visitor.headers).status_code == 401
    sign_up(visitor)
    assert visitor.client.post("/account/language", data={"language": "de"}).status_code == 400
    assert _language_of(service) == "en"


def test_an_invitation_is_in_the_language_of_who_invites(service: Service, mailbox: Mailbox) -> None:
    """The one who accepts it is written to in their own."""
    chief = Visitor(service, service.token("chief", role=Role.ADMINISTRATOR))
    chief.send("/account", "/account/language", language="de")
    chief.send("/invitations", "/invitations", email="bea@example.org", role="moderator")
    service.work()
    letter = mailbox.letters[-1]
    assert (letter["Subject"], letter["Content-Language"]) == ("Ihre Einladung zu Kurse", "de")
    text = mailbox.last("bea@example.org")
    assert "chief hat Sie zu Kurse eingeladen" in text
    assert "Sie werden dort moderieren." in text
    sign_up(Visitor(service, language="ar"), "bea", on=mailbox.link("bea@example.org"))
    assert _language_of(service, "bea") == "ar"


def test_an_operators_invitation_is_in_the_language_of_the_service(
    service: Service, mailbox: Mailbox
) -> None:
    service.services.invitations.invite(OPERATOR, email="bea@example.org", send=True)
    service.work()
    assert "You are invited to Kurse, where" in mailbox.last("bea@example.org")
    assert mailbox.letters[-1]["Content-Language"] == "en"


def test_who_was_given_an_account_gets_letters_in_what_they_first_read(
    service: Service, mailbox: Mailbox
) -> None:
    """Whoever chooses another password later reads the page in what they like, and it stays."""
    for username in ("ada", "bea"):
        service.services.accounts.create(OPERATOR, username=username, email=f"{username}@example.org")
        service.services.people.link_for_password(OPERATOR, username, send=True)
    service.work()
    assert {letter["Content-Language"] for letter in mailbox.letters} == {"en"}
    Visitor(service, language="de").send(mailbox.link(ADDRESS), "/new-password", password=PASSWORD)
    assert (_language_of(service), _language_of(service, "bea")) == ("de", None)
    Visitor(service).send("/forgotten-password", "/forgotten-password", login="ada")
    service.work()
    assert mailbox.letters[-1]["Content-Language"] == "de"
    Visitor(service, language="fr").send(mailbox.link(ADDRESS), "/new-password", password=OTHER_PASSWORD)
    assert _language_of(service) == "de"


def test_an_account_made_by_an_administrator_can_have_one_at_once(service: Service, mailbox: Mailbox) -> None:
    service.services.accounts.create(OPERATOR, username="ada", email=ADDRESS, language="de")
    service.services.people.link_for_password(OPERATOR, "ada", send=True)
    service.work()
    assert mailbox.letters[-1]["Subject"] == "Wählen Sie ein Passwort"


def test_a_language_of_a_release_that_knew_more_is_no_obstacle(service: Service, mailbox: Mailbox) -> None:
    """Letters go out whatever the database says."""
    with service.services.database.write() as session:
        session.add(Account(username="ada", email=ADDRESS, language="tlh"))
    service.services.people.link_for_password(OPERATOR, "ada", send=True)
    service.work()
    assert mailbox.letters[-1]["Content-Language"] == "en"


def test_by_the_api(any_service: Service) -> None:
    chief = any_service.client(any_service.token("chief", role=Role.ADMINISTRATOR))
    assert json_of(chief.get("/api/v1/me"))["language"] is None
    made = json_of(chief.post("/api/v1/accounts", json={"username": "bea", "language": "de"}), 201)
    assert made["language"] == "de"
    account = f"/api/v1/accounts/{made['id']}"
    assert json_of(chief.patch(account, json={"language": "ar"}))["language"] == "ar"
    assert json_of(chief.patch(account, json={"display_name": "Bea"}))["language"] == "ar"
    with nothing_changes(any_service):
        for wrong in ("tlh", "", "x" * 100_000, "\x00"):
            problem_of(chief.patch(account, json={"language": wrong}), "invalid-input")
            given = {"username": "cyd", "language": wrong}
            problem_of(chief.post("/api/v1/accounts", json=given), "invalid-input")
