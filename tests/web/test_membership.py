"""People, as administrators look after them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from repo_service.domain.identity import Role
from repo_service.models import Account
from repo_service.web.sizes import parse_size
from tests.contract.support import nothing_changes, problem_of, publish
from tests.support.mail import Mailbox
from tests.support.service import OPERATOR, MakeService, Service, json_of
from tests.support.speech import Teach
from tests.web.visitor import Page, Visitor

REASON = "Shared what was not theirs, three times."
ADDRESS = "ada@example.org"


@pytest.fixture
def mailed(make_service: MakeService, mailbox: Mailbox) -> Service:
    return make_service(smtp_url=mailbox.url, mail_from="repo@example.org", site_name="Courses")


@pytest.fixture
def chief(mailed: Service) -> Visitor:
    return Visitor(mailed, mailed.token("chief", role=Role.ADMINISTRATOR))


class Ada:
    """A member with an address, a token, and something shared."""

    def __init__(self, service: Service) -> None:
        self.token = service.token("ada")
        self.client = service.client(self.token)
        self.resource = publish(service, self.client)["id"]
        with service.services.database.write() as session:
            changed = {"email": ADDRESS, "display_name": "Ada Lovelace"}
            session.execute(update(Account).where(Account.username == "ada").values(**changed))
        self.id = service.services.accounts.find(OPERATOR, "ada").id
        self.desk = f"/look-after/people/{self.id}"


@pytest.fixture
def ada(mailed: Service) -> Ada:
    return Ada(mailed)


def test_who_is_blocked_is_shut_out_and_told(
    mailed: Service, ada: Ada, chief: Visitor, mailbox: Mailbox
) -> None:
    signed_in = Visitor(mailed, ada.token)
    assert chief.get("/look-after/people").links()["Ada Lovelace"] == ada.desk
    answer = chief.send(ada.desk, "/block", reason=REASON)
    assert "blocked" in chief.get(answer.location).one("//*[@role='status']").text_content()
    assert REASON in chief.get(ada.desk).text
    problem_of(ada.client.get("/api/v1/me"), "unauthorised")
    assert signed_in.client.get("/account", headers=signed_in.headers).status_code == 303
    json_of(mailed.client().get(f"/api/v1/resources/{ada.resource}"))
    mailed.work()
    (letter,) = mailbox.letters
    assert (letter["To"], letter["Subject"]) == (ADDRESS, "Your account is blocked")
    assert REASON in mailbox.last(ADDRESS)
    chief.send(ada.desk, "/unblock")
    page = chief.get(ada.desk)
    assert chief.get(page.links()["The data of ada"]).text.startswith("The data of ada")
    assert REASON not in page.text
    assert "Active" in page.text
    json_of(ada.client.get("/api/v1/me"))
    mailed.work()
    assert mailbox.letters[-1]["Subject"] == "Your account works again"
    actions = json_of(mailed.client(chief_token(mailed)).get(f"/api/v1/audit?noun_id={ada.id}"))["items"]
    assert REASON in [deed["details"].get("reason") for deed in actions]


def chief_token(service: Service) -> str:
    """Of another administrator."""
    return service.token("second", role=Role.ADMINISTRATOR)


def test_the_letter_is_in_their_language(
    mailed: Service, ada: Ada, chief: Visitor, mailbox: Mailbox, teach: Teach
) -> None:
    teach("de", {"Your account is blocked": "Ihr Konto ist gesperrt"})
    with mailed.services.database.write() as session:
        session.execute(update(Account).where(Account.username == "ada").values(language="de"))
    chief.send(ada.desk, "/block", reason=REASON)
    mailed.work()
    assert mailbox.letters[-1]["Subject"] == "Ihr Konto ist gesperrt"


def test_who_is_let_in_before_the_letter_goes_reads_what_is_true(
    mailed: Service, ada: Ada, chief: Visitor, mailbox: Mailbox
) -> None:
    chief.send(ada.desk, "/block", reason=REASON)
    chief.send(ada.desk, "/unblock")
    mailed.work()
    assert {letter["Subject"] for letter in mailbox.letters} == {"Your account works again"}


def test_role_and_quota(mailed: Service, ada: Ada, chief: Visitor) -> None:
    chief.send(ada.desk, "/role", role="moderator")
    assert mailed.services.accounts.find(OPERATOR, "ada").role is Role.MODERATOR
    default = mailed.settings.quota
    wanted = {"2,5 GB": 2_500_000_000, "1 b": 1, "": default, "0": 0, "750MB": 750_000_000}
    for typed, quota in wanted.items():
        answer = chief.send(ada.desk, "/quota", quota=typed)
        assert "The quota is changed" in chief.get(answer.location).text
        assert json_of(ada.client.get("/api/v1/me"))["quota"] == quota
    assert chief.get(ada.desk).form("/quota").fields["quota"] == "750 MB"
    with nothing_changes(mailed):
        for typed in ("much", "-1", "1e3", "12 PB", "99999999999 TB", "1.2.3", "٣ GB"):
            refused = chief.send(ada.desk, "/quota", quota=typed)
            assert (refused.status_code, "Type a size" in refused.text) == (422, True), typed
        assert chief.send(ada.desk, "/role", role="emperor").status_code == 422
        assert chief.send(ada.desk, "/block", reason=" ").status_code == 422


@pytest.mark.parametrize(
    ("typed", "size"),
    [("500 MB", 500_000_000), ("1.5gb", 1_500_000_000), ("7", 7), ("0 TB", 0), ("MB", None), ("1 MiB", None)],
)
def test_sizes_that_people_type(typed: str, size: int | None) -> None:
    assert parse_size(typed) == size


def test_looking_for_people(mailed: Service, ada: Ada, chief: Visitor) -> None:
    for name in ("bea", "cyd"):
        mailed.token(name)
    with mailed.services.database.write() as session:
        session.execute(
            update(Account)
            .where(Account.username == "bea")
            .values(must_confirm=True, unconfirmed_email="bea@school.example")
        )
    bea = mailed.services.accounts.find(OPERATOR, "bea").id
    cyd = mailed.services.accounts.find(OPERATOR, "cyd").id
    mailed.services.accounts.change(OPERATOR, cyd, blocked=True)

    def found(query: str) -> list[str]:
        page = chief.get(f"/look-after/people?{query}")
        return [str(a.get("href")).rpartition("/")[2] for a in page.all("//tbody//th/a")]

    assert found("q=lovelace+ADA") == [str(ada.id)]
    assert found("q=school.example") == [str(bea)]
    assert found("state=unconfirmed") == [str(bea)]
    assert found("state=blocked") == [str(cyd)]
    assert len(found("role=administrator")) == 1
    assert found("role=moderator") == []
    assert found("q=%25") == [], "a percent sign is one"
    assert found("q=lovelace&role=administrator") == []
    assert len(found("state=nonsense&role=nonsense")) == 4
    chief.get("/look-after/people?cursor=nonsense", 400)


def test_nobody_changes_their_own_role_or_blocks_themselves(mailed: Service, chief: Visitor) -> None:
    own = mailed.services.accounts.find(OPERATOR, "chief").id
    page = chief.get(f"/look-after/people/{own}")
    assert "This is you" in page.text
    csrf = page.form("/quota").fields["csrf_token"]
    with nothing_changes(mailed):
        for path, fields in (("role", {"role": "member"}), ("block", {"reason": "x"})):
            data = {"csrf_token": csrf, **fields}
            url = f"/look-after/people/{own}/{path}"
            assert chief.client.post(url, data=data, headers=chief.headers).status_code == 403


@pytest.mark.parametrize("role", [Role.MEMBER, Role.MODERATOR, None])
def test_only_administrators_look_after_people(mailed: Service, ada: Ada, role: Role | None) -> None:
    """Nobody else sees them, nor changes them by whatever they send."""
    token = None if role is None else mailed.token("other", role=role)
    visitor = Visitor(mailed, token)
    csrf = visitor.get("/sign-in").form("/sign-in").fields["csrf_token"]
    posts: list[tuple[str, dict[str, Any]]] = [
        ("role", {"role": "administrator"}),
        ("quota", {"quota": "1 TB"}),
        ("block", {"reason": "x"}),
        ("unblock", {}),
    ]
    with nothing_changes(mailed):
        for url in ("/look-after/people", ada.desk, "/admin/sites"):
            answer = visitor.client.get(url, headers=visitor.headers)
            assert answer.status_code == (303 if role is None else 403), url
            assert ADDRESS not in answer.text
        for path, fields in posts:
            data = {"csrf_token": csrf, **fields}
            answer = visitor.client.post(f"{ada.desk}/{path}", data=data, headers=visitor.headers)
            assert answer.status_code == (401 if role is None else 403), path
        code = "unauthorised" if role is None else "forbidden"
        client = mailed.client(token)
        problem_of(client.get("/api/v1/accounts?q=ada"), code)
        problem_of(client.patch(f"/api/v1/accounts/{ada.id}", json={"blocked_reason": "x"}), code)


def test_a_moderator_does_not_read_their_own_account_as_an_administrator(mailed: Service) -> None:
    visitor = Visitor(mailed, mailed.token("mod", role=Role.MODERATOR))
    own = mailed.services.accounts.find(OPERATOR, "mod").id
    visitor.get(f"/look-after/people/{own}", 403)


def test_by_the_api(any_service: Service) -> None:
    chief = any_service.client(any_service.token("chief", role=Role.ADMINISTRATOR))
    made = json_of(
        chief.post("/api/v1/accounts", json={"username": "bea", "display_name": "Bea Ö", "quota": 5}), 201
    )
    assert (made["has_own_quota"], made["state"]) == (True, "active")
    account = f"/api/v1/accounts/{made['id']}"
    json_of(chief.patch(account, json={"blocked": True, "blocked_reason": REASON}))
    found = json_of(chief.get("/api/v1/accounts?q=bea&state=blocked&role=member"))["items"]
    assert [(item["username"], item["blocked_reason"]) for item in found] == [("bea", REASON)]
    back = json_of(chief.patch(account, json={"default_quota": True, "blocked": False}))
    assert (back["has_own_quota"], back["quota"]) == (False, any_service.settings.quota)
    assert back["blocked_reason"] is None
    with nothing_changes(any_service):
        for wrong in ({"quota": 1, "default_quota": True}, {"blocked_reason": "x" * 1001}):
            problem_of(chief.patch(account, json=wrong), "invalid-input")
        problem_of(chief.get("/api/v1/accounts?state=asleep"), "invalid-input")


def test_what_was_typed_stands_beside_what_is_wrong(mailed: Service, ada: Ada, chief: Visitor) -> None:
    page = Page(chief.send(ada.desk, "/quota", quota="a lot"))
    field = page.one("//input[@name='quota']")
    assert field.get("value") == "a lot"
    assert "quota-error" in str(field.get("aria-describedby"))
