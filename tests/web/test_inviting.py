"""Invitations: made by administrators, sent or passed on, good for one account with one role."""

from __future__ import annotations

import re
from typing import Any

import pytest
from structlog.testing import capture_logs

from repo_service.domain.identity import Role
from tests.contract.support import count, nothing_changes, problem_of
from tests.support.mail import Mailbox, path_of
from tests.support.service import OPERATOR, MakeService, Service, json_of
from tests.web.person import PASSWORD, is_signed_in, sign_up
from tests.web.visitor import Page, Visitor


@pytest.fixture
def mailed(make_service: MakeService, mailbox: Mailbox) -> Service:
    """A service that one needs an invitation for, with a mail server."""
    return make_service(smtp_url=mailbox.url, mail_from="repo@example.org")


@pytest.fixture
def chief(mailed: Service) -> Visitor:
    return Visitor(mailed, mailed.token("chief", role=Role.ADMINISTRATOR))


def _role_of(service: Service, username: str) -> str:
    return service.services.accounts.find(OPERATOR, username).role


def _link_on(answer: Any) -> str:
    found = re.search(r"http\S+/sign-up\?link=[\w-]+", answer.text)
    assert found is not None, answer.text
    return path_of(found[0])


def test_a_letter_makes_an_account_whose_address_needs_no_more_proof(
    mailed: Service, chief: Visitor, mailbox: Mailbox
) -> None:
    answer = chief.send("/invitations", "/invitations", email="Bea@Example.org", role="moderator")
    assert "A letter goes to bea@example.org" in Page(answer).text
    assert "?link=" not in answer.text
    mailed.work()
    assert "chief has invited you" in mailbox.last("bea@example.org")
    assert "as a moderator" in mailbox.last("bea@example.org")
    link = mailbox.link("bea@example.org")
    visitor = Visitor(mailed)
    page = visitor.get(link)
    assert page.form("/sign-up").fields["email"] == "bea@example.org"
    assert page.response.headers["Referrer-Policy"] == "no-referrer"
    assert "link%3D" not in page.source, "the way to sign in does not carry the secret on"
    answer = sign_up(visitor, "bea", on=link)
    assert answer.status_code == 303
    account = mailed.services.accounts.find(OPERATOR, "bea")
    assert (account.email, account.must_confirm, account.role) == ("bea@example.org", False, "moderator")
    assert is_signed_in(visitor)
    Visitor(mailed).get(link, 410)
    assert "used" in chief.get("/invitations").text


def test_without_a_mail_server_nobody_is_told_that_a_letter_was_sent(make_service: MakeService) -> None:
    service = make_service()
    chief = Visitor(service, service.token("chief", role=Role.ADMINISTRATOR))
    answer = Page(chief.send("/invitations", "/invitations", email="bea@example.org"))
    assert "goes to the log of this service and no further" in answer.text
    with capture_logs() as logged:
        service.work()
    assert "Written" in chief.get("/invitations").text
    (link,) = [line["link"] for line in logged if "link" in line]
    visitor = Visitor(service)
    welcome = sign_up(visitor, "bea", on=path_of(link), email="other@example.org").location
    for path in (welcome, "/account"):
        page = visitor.get(path)
        assert "The letter to other@example.org is in the log of this service" in page.text
        assert "sent a letter" not in page.text


def test_a_link_to_pass_on(mailed: Service, chief: Visitor, mailbox: Mailbox) -> None:
    """Who has it is not who reads an address: that is confirmed by letter."""
    ways: tuple[dict[str, Any], ...] = ({}, {"email": "bea@example.org", "how": "link"})
    for fields in ways:
        link = _link_on(chief.send("/invitations", "/invitations", **fields))
        assert link.partition("link=")[2] not in chief.get("/invitations").source, "shown once"
        mailed.work()
        assert mailbox.letters == []
        name = f"bea{len(fields)}"
        visitor = Visitor(mailed)
        assert sign_up(visitor, name, on=link, email="bea@example.org").status_code == 303
        account = mailed.services.accounts.find(OPERATOR, name)
        assert (account.email, account.must_confirm, account.role) == (None, True, "member")
        mailed.work()
        assert "/confirm?link=" in mailbox.link("bea@example.org")
        mailbox.envelopes.clear()


def test_another_address_than_the_invited_one_is_confirmed_by_letter(
    mailed: Service, chief: Visitor, mailbox: Mailbox
) -> None:
    chief.send("/invitations", "/invitations", email="bea@example.org")
    mailed.work()
    sign_up(Visitor(mailed), "bea", on=mailbox.link("bea@example.org"), email="bea@private.example")
    account = mailed.services.accounts.find(OPERATOR, "bea")
    assert (account.email, account.unconfirmed_email) == (None, "bea@private.example")


def test_the_role_is_the_invitations(mailed: Service, chief: Visitor) -> None:
    link = _link_on(chief.send("/invitations", "/invitations"))
    sign_up(Visitor(mailed), "bea", on=link, role="administrator")
    assert _role_of(mailed, "bea") == "member"


def test_an_invitation_is_used_up_only_by_an_account(mailed: Service, chief: Visitor) -> None:
    link = _link_on(chief.send("/invitations", "/invitations"))
    visitor = Visitor(mailed)
    refused = sign_up(visitor, "bea", on=link, password="short")
    assert refused.status_code == 422
    assert Page(refused).form("/sign-up").fields["link"] == link.partition("link=")[2]
    taken = sign_up(visitor, "chief", on=link)
    assert taken.status_code == 422
    assert sign_up(visitor, "bea", on=link).status_code == 303


def test_an_invitation_that_was_taken_back(mailed: Service, chief: Visitor, mailbox: Mailbox) -> None:
    link = _link_on(chief.send("/invitations", "/invitations"))
    form = Visitor(mailed).get(link).form("/sign-up")
    assert chief.send("/invitations", "/revoke").location == "/invitations"
    Visitor(mailed).get(link, 410)
    late = Visitor(mailed)
    csrf = late.get("/sign-in").form("/sign-in").fields["csrf_token"]
    fields = {**dict(form.fields), "csrf_token": csrf, "username": "bea", "email": "b@example.org"}
    answer = late.client.post("/sign-up", data={**fields, "password": PASSWORD}, headers=late.headers)
    assert answer.status_code == 410
    assert count(mailed.services, "accounts") == 1
    chief.send("/invitations", "/invitations", email="cyd@example.org")
    form = next(f for f in chief.get("/invitations").tree.forms if f.action.endswith("/revoke"))
    chief.client.post(form.action, data=dict(form.fields), headers=chief.headers)
    mailed.work()
    assert mailbox.letters == [], "none that was taken back before it was sent"


@pytest.mark.parametrize("change", [{"blocked": True}, {"role": "member"}])
def test_links_of_an_administrator_who_is_none_any_more(any_service: Service, change: dict[str, Any]) -> None:
    """They would come in again by it, as an administrator, or as somebody else."""
    secret = any_service.token("rogue", role=Role.ADMINISTRATOR)
    rogue = any_service.client(secret)
    made = json_of(rogue.post("/api/v1/invitations", json={"role": "administrator"}), 201)
    any_service.token("ada")
    identity = any_service.services.accounts.authenticate(secret)
    as_ada = any_service.services.people.link_for_password(identity, "ada", send=False)
    assert as_ada is not None
    invited, choosing = path_of(made["url"]), path_of(as_ada)
    Visitor(any_service).get(invited)
    Visitor(any_service).get(choosing)
    chief = any_service.client(any_service.token("chief", role=Role.ADMINISTRATOR))
    kept = json_of(chief.post("/api/v1/invitations", json={}), 201)
    rogue_id = json_of(rogue.get("/api/v1/me"))["id"]
    json_of(chief.patch(f"/api/v1/accounts/{rogue_id}", json=change))
    Visitor(any_service).get(invited, 410)
    Visitor(any_service).get(choosing, 410)
    Visitor(any_service).get(path_of(kept["url"]))


def test_where_registration_is_closed_no_invitation_helps(make_service: MakeService) -> None:
    service = make_service(registration="closed")
    chief = Visitor(service, service.token("chief", role=Role.ADMINISTRATOR))
    assert "REPO_REGISTRATION" in chief.get("/invitations").text
    link = _link_on(chief.send("/invitations", "/invitations"))
    Visitor(service).get(link, 403)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"email": "bea"}, "no e-mail address"),
        ({"email": "bea@example.org\r\nBcc: all@example.org"}, "no e-mail address"),
        ({"email": "known@example.org"}, "has an account already"),
        ({"email": "", "role": "emperor"}, "Choose a role"),
    ],
)
def test_what_is_wrong_is_said(mailed: Service, chief: Visitor, fields: dict[str, str], wrong: str) -> None:
    mailed.services.accounts.create(OPERATOR, username="known", email="known@example.org")
    csrf = chief.get("/invitations").form("/invitations").fields["csrf_token"]
    with nothing_changes(mailed):
        answer = chief.client.post("/invitations", data={"csrf_token": csrf, **fields}, headers=chief.headers)
    assert answer.status_code in (409, 422)
    assert wrong in Page(answer).one("//*[@role='alert']").text_content()


@pytest.mark.parametrize("role", [Role.MEMBER, Role.MODERATOR])
def test_administrators_only(mailed: Service, chief: Visitor, role: Role) -> None:
    invited = mailed.services.invitations.invite(OPERATOR)
    token = mailed.token("teacher", role=role)
    visitor, client = Visitor(mailed, token), mailed.client(token)
    assert "Invite people" not in visitor.get("/").source
    csrf = visitor.get("/account").form("/account/name").fields["csrf_token"]
    with nothing_changes(mailed):
        assert visitor.client.get("/invitations", headers=visitor.headers).status_code == 403
        for url in ("/invitations", f"/invitations/{invited.invitation.id}/revoke"):
            answer = visitor.client.post(url, data={"csrf_token": csrf}, headers=visitor.headers)
            assert answer.status_code == 403
        problem_of(client.get("/api/v1/invitations"), "forbidden")
        problem_of(client.post("/api/v1/invitations", json={}), "forbidden")
        problem_of(client.delete(f"/api/v1/invitations/{invited.invitation.id}"), "forbidden")
    assert "Invite people" in chief.get("/").source


def test_by_the_api(any_service: Service) -> None:
    chief = any_service.client(any_service.token("chief", role=Role.ADMINISTRATOR))
    by_letter = json_of(chief.post("/api/v1/invitations", json={"email": "Bea@example.org"}), 201)
    assert (by_letter["email"], by_letter["url"], by_letter["made_by"]) == ("bea@example.org", None, "chief")
    passed_on = json_of(chief.post("/api/v1/invitations", json={"role": "moderator"}), 201)
    unsent = json_of(chief.post("/api/v1/invitations", json={"email": "c@example.org", "send": False}), 201)
    assert unsent["url"].startswith(any_service.settings.base_url + "/sign-up?link=")
    any_service.work()
    listed = json_of(chief.get("/api/v1/invitations"))["items"]
    assert [item["id"] for item in listed] == [unsent["id"], passed_on["id"], by_letter["id"]]
    assert [item["sent_at"] is not None for item in listed] == [False, False, True]
    assert "url" not in listed[0]
    visitor = Visitor(any_service)
    assert sign_up(visitor, "bea", on=path_of(passed_on["url"])).status_code == 303
    assert _role_of(any_service, "bea") == "moderator"
    assert chief.delete(f"/api/v1/invitations/{unsent['id']}").status_code == 204
    Visitor(any_service).get(path_of(unsent["url"]), 410)
    no_invitation = any_service.services.accounts.find(OPERATOR, "bea").id
    problem_of(chief.delete(f"/api/v1/invitations/{no_invitation}"), "not-found")
    problem_of(chief.post("/api/v1/invitations", json={"email": "x"}), "invalid-input")
    problem_of(chief.post("/api/v1/invitations", json={"email": "a@b.org\r\nBcc: c@d.org"}), "invalid-input")
    problem_of(chief.post("/api/v1/invitations", json={"role": "emperor"}), "invalid-input")


def test_accounts_with_addresses_by_the_api(any_service: Service) -> None:
    chief = any_service.client(any_service.token("chief", role=Role.ADMINISTRATOR))
    made = json_of(
        chief.post(
            "/api/v1/accounts", json={"username": "bea", "email": "Bea@Example.org", "send_link": True}
        ),
        201,
    )
    assert (made["email"], made["email_confirmed_at"], made["must_confirm"], made["has_password"]) == (
        "bea@example.org",
        None,
        False,
        False,
    )
    other = {"username": "cyd", "email": "BEA@example.org"}
    assert problem_of(chief.post("/api/v1/accounts", json=other), "name-taken")["name"] == "bea@example.org"
    json_of(chief.post("/api/v1/accounts", json={"username": "cyd"}), 201)
    cyd = any_service.services.accounts.find(OPERATOR, "cyd").id
    problem_of(chief.patch(f"/api/v1/accounts/{cyd}", json={"email": "bea@example.org"}), "name-taken")
    changed = json_of(chief.patch(f"/api/v1/accounts/{cyd}", json={"email": "cyd@example.org"}))
    assert changed["email"] == "cyd@example.org"
    problem_of(chief.post("/api/v1/accounts", json={"username": "dan", "email": "nonsense"}), "invalid-input")
    no_address = {"username": "dan", "send_link": True}
    problem_of(chief.post("/api/v1/accounts", json=no_address), "invalid-input")
    assert count(any_service.services, "accounts") == 3


def test_the_letter_of_an_account_that_an_administrator_made(mailed: Service, mailbox: Mailbox) -> None:
    chief = mailed.client(mailed.token("chief", role=Role.ADMINISTRATOR))
    chief.post("/api/v1/accounts", json={"username": "bea", "email": "bea@example.org", "send_link": True})
    mailed.work()
    assert str(mailbox.letters[-1]["Subject"]) == "Choose a password"
    visitor = Visitor(mailed)
    visitor.send(mailbox.link("bea@example.org"), "/new-password", password=PASSWORD)
    assert is_signed_in(visitor)
    account = mailed.services.accounts.find(OPERATOR, "bea")
    assert account.email_confirmed_at is not None
