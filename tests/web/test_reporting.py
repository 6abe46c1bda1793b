"""Reports: anybody says what is wrong, moderators decide, and those concerned are told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from repo_service.domain.identity import Role
from repo_service.models import Account, Report, Resource
from repo_service.models.base import now
from repo_service.services.reporting import EMAIL_KEPT
from tests.contract.support import nothing_changes, problem_of, publish
from tests.support.mail import Mailbox
from tests.support.service import MakeService, Service, json_of
from tests.support.speech import Teach
from tests.web.visitor import Page, Visitor

OWNER, READER, STRANGER = "owner@example.org", "reader@example.org", "stranger@example.org"
WORDS = "The picture in section 3 is mine: https://example.org/picture"
NOTE = "The picture was used without a licence."


@pytest.fixture
def mailed(make_service: MakeService, mailbox: Mailbox) -> Service:
    return make_service(smtp_url=mailbox.url, mail_from="repo@example.org", site_name="Courses")


@pytest.fixture
def moderator(mailed: Service) -> Visitor:
    return Visitor(mailed, mailed.token("mod", role=Role.MODERATOR))


class Public:
    """A public resource whose owner has an address."""

    def __init__(self, service: Service, username: str = "owner", role: Role = Role.MEMBER) -> None:
        self.token = service.token(username, role=role)
        self.id: str = publish(service, service.client(self.token), title="Rivers")["id"]
        self.url = f"/resources/{self.id}"
        self.api = f"/api/v1/resources/{self.id}"
        self.desk = f"/look-after/reports/{self.id}"
        with service.services.database.write() as session:
            session.execute(
                update(Account).where(Account.username == username).values(email=f"{username}@example.org")
            )


@pytest.fixture
def public(mailed: Service) -> Public:
    return Public(mailed)


def _report(visitor: Visitor, public: Public, **fields: Any) -> TestResponse:
    given = {"reason": "rights", "words": WORDS, **fields}
    return visitor.send(f"{public.url}/report", "/report", **given)


def _visibility(service: Service, public: Public) -> str:
    with service.services.database.read() as session:
        return session.query(Resource).one().visibility


def test_from_the_page_of_a_resource_to_its_owner(
    mailed: Service, public: Public, moderator: Visitor, mailbox: Mailbox
) -> None:
    """The whole story: reported by two, hidden once, and everybody concerned is told."""
    stranger = Visitor(mailed)
    assert stranger.get(public.url).links()["Report this resource"] == f"{public.url}/report"
    answer = _report(stranger, public, email=STRANGER)
    assert answer.status_code == 303
    assert "The moderators have your report" in stranger.get(answer.location).text
    member = Visitor(mailed, mailed.token("reader"))
    with mailed.services.database.write() as session:
        session.execute(update(Account).where(Account.username == "reader").values(email=READER))
    form = member.get(f"{public.url}/report")
    assert "email" not in form.form("/report").fields
    assert READER in form.text
    _report(member, public, reason="harmful", words="No.")

    queue = moderator.get("/look-after/reports")
    assert "2 reports" in queue.text
    assert queue.links()["Rivers"] == public.desk
    page = moderator.get(public.desk)
    for said in (WORDS, "It belongs to somebody", "reader", "somebody who was not signed in"):
        assert said in page.text
    assert STRANGER not in page.source, "an address is for the letter only"
    answer = moderator.send(public.desk, public.desk, note=NOTE, decision="hidden")
    assert answer.status_code == 303
    after = moderator.get(answer.location)
    assert "Nobody sees it any more" in after.text
    assert "Nothing waits for you" in after.text
    assert "2 reports decided" in moderator.get("/look-after/reports?state=decided").text
    assert NOTE in moderator.get(public.desk).text

    assert NOTE in Visitor(mailed).get(public.url, 410).text
    mailed.work()
    assert sorted(letter["To"] for letter in mailbox.letters) == sorted([OWNER, READER, STRANGER])
    to_owner = mailbox.last(OWNER)
    for said in ("Courses has hidden your resource “Rivers”", NOTE, "answer this letter", "/upload"):
        assert said in to_owner
    for to in (READER, STRANGER):
        assert NOTE in mailbox.last(to)
        assert public.url in mailbox.last(to)
        assert "Rivers" not in mailbox.last(to), "nothing that its owner typed"
    problem_of(mailed.client(public.token).post(f"{public.api}/restore"), "forbidden")


def test_a_report_that_is_dismissed(
    mailed: Service, public: Public, moderator: Visitor, mailbox: Mailbox
) -> None:
    _report(Visitor(mailed), public, email=STRANGER)
    answer = moderator.send(public.desk, public.desk, note="It is theirs.", decision="dismissed")
    assert "It stays as it is" in moderator.get(answer.location).text
    assert _visibility(mailed, public) == "public"
    mailed.work()
    assert "nothing that you have to do" in mailbox.last(OWNER)
    assert "leaves it as it is" in mailbox.last(STRANGER)
    assert "It is theirs." in mailbox.last(STRANGER)
    _report(Visitor(mailed), public)
    page = moderator.get(public.desk)
    assert "1 report waits" in page.text
    assert "dismissed" in page.text, "what was decided before stays to be read"


def test_an_owner_is_told_of_a_withdrawal_without_any_report(
    mailed: Service, public: Public, moderator: Visitor, mailbox: Mailbox
) -> None:
    moderator.send(public.url, "/withdraw", reason=NOTE)
    mailed.work()
    assert [letter["To"] for letter in mailbox.letters] == [OWNER]
    assert NOTE in mailbox.last(OWNER)


def test_who_withdraws_what_is_their_own_gets_no_letter(
    mailed: Service, public: Public, mailbox: Mailbox
) -> None:
    Visitor(mailed, public.token).send(public.url, "/withdraw", reason=NOTE)
    mailed.work()
    assert mailbox.letters == []


def test_what_was_brought_back_meanwhile_is_not_called_hidden(
    mailed: Service, public: Public, moderator: Visitor, mailbox: Mailbox
) -> None:
    moderator.send(public.url, "/withdraw", reason=NOTE)
    json_of(mailed.client(mailed.token("mod2", role=Role.MODERATOR)).post(f"{public.api}/restore"))
    mailed.work()
    assert mailbox.letters == []


def test_letters_in_the_language_of_their_readers(
    mailed: Service, public: Public, moderator: Visitor, mailbox: Mailbox, teach: Teach
) -> None:
    teach("de", {"Your report": "Ihre Meldung", "Your resource was hidden": "Ihr Material wurde verborgen"})
    with mailed.services.database.write() as session:
        session.execute(update(Account).where(Account.username == "owner").values(language="de"))
    _report(Visitor(mailed, language="de"), public, email=STRANGER)
    moderator.send(public.desk, public.desk, note=NOTE, decision="hidden")
    mailed.work()
    assert {letter["To"]: letter["Subject"] for letter in mailbox.letters} == {
        OWNER: "Ihr Material wurde verborgen",
        STRANGER: "Ihre Meldung",
    }


def test_who_reports_twice_gets_one_letter(
    mailed: Service, public: Public, moderator: Visitor, mailbox: Mailbox
) -> None:
    for words in ("Once.", "Twice."):
        _report(Visitor(mailed), public, words=words, email=STRANGER)
    moderator.send(public.desk, public.desk, note=NOTE, decision="hidden")
    mailed.work()
    assert sorted(letter["To"] for letter in mailbox.letters) == [OWNER, STRANGER]


def test_what_a_moderator_has_not_read_is_not_dismissed(
    mailed: Service, public: Public, moderator: Visitor
) -> None:
    _report(Visitor(mailed), public)
    form = moderator.get(public.desk).form(public.desk)
    _report(Visitor(mailed), public, words="It holds marks of my class.")
    data = {**dict(form.form_values()), "note": "Fine.", "decision": "dismissed"}
    assert moderator.client.post(public.desk, data=data, headers=moderator.headers).status_code == 303
    page = moderator.get(public.desk)
    assert "1 report waits" in page.text
    data["decision"] = "hidden"  # of a resource that is hidden nothing is left to decide
    moderator.client.post(public.desk, data=data, headers=moderator.headers)
    assert "0 reports wait" in moderator.get(public.desk).text


def test_nobody_decides_over_their_own(mailed: Service, mailbox: Mailbox) -> None:
    own = Public(mailed, "mod", role=Role.MODERATOR)
    moderator = Visitor(mailed, own.token)
    _report(Visitor(mailed), own)
    page = moderator.get(own.desk)
    assert "another moderator has to decide" in page.text
    assert not [form for form in page.tree.forms if (form.action or "").endswith(own.id)]
    csrf = page.form("/sign-out").fields["csrf_token"]
    with nothing_changes(mailed):
        for decision in ("hidden", "dismissed"):
            data = {"csrf_token": csrf, "note": "Fine.", "decision": decision}
            refused = moderator.client.post(own.desk, data=data, headers=moderator.headers)
            assert refused.status_code == 403
            problem_of(
                mailed.client(own.token).post(
                    f"{own.api}/reports/decision", json={"decision": decision, "note": "Fine."}
                ),
                "forbidden",
            )


def test_members_and_the_public_do_not_moderate(mailed: Service, public: Public) -> None:
    """By no page and by no call, whatever they send."""
    _report(Visitor(mailed), public)
    member, anybody = Visitor(mailed, mailed.token("member")), Visitor(mailed)
    decision = {"decision": "dismissed", "note": "Fine."}
    pages = ("/look-after/reports", public.desk)
    calls: list[tuple[str, str, Any]] = [
        ("GET", "/api/v1/reports", None),
        ("GET", f"{public.api}/reports", None),
        ("POST", f"{public.api}/reports/decision", decision),
    ]
    with nothing_changes(mailed):
        for url in pages:
            member.get(url, 403)
            assert "/sign-in" in anybody.client.get(url, headers=anybody.headers).location
        for visitor, status in ((member, 403), (anybody, 401)):
            csrf = visitor.get("/sign-in").form("/sign-in").fields["csrf_token"]
            data = {"csrf_token": csrf, "role": "moderator", **decision}
            refused = visitor.client.post(public.desk, data=data, headers=visitor.headers)
            assert refused.status_code == status
    own, nobody = mailed.client(mailed.token("other")), mailed.client()
    owner = mailed.client(public.token)
    with nothing_changes(mailed):
        for method, url, body in calls:
            problem_of(own.open(url, method=method, json=body), "forbidden")
            problem_of(owner.open(url, method=method, json=body), "forbidden")
            problem_of(nobody.open(url, method=method, json=body), "unauthorised")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"reason": ""}, "Choose what fits best."),
        ({"reason": "nonsense"}, "Choose what fits best."),
        ({"words": " \n\x00 "}, "Say in a few words what is wrong."),
        ({"email": "nobody"}, "This is no e-mail address"),
    ],
)
def test_what_is_missing_is_said_beside_it_and_nothing_is_lost(
    mailed: Service, public: Public, fields: dict[str, Any], message: str
) -> None:
    with nothing_changes(mailed):
        refused = _report(Visitor(mailed), public, **fields)
    assert refused.status_code == 422
    page = Page(refused)
    assert message in page.text
    if "words" not in fields:
        assert page.form("/report").fields["words"] == WORDS


def test_a_decision_needs_a_reason_and_is_made_once(
    mailed: Service, public: Public, moderator: Visitor
) -> None:
    _report(Visitor(mailed), public)
    wrong: tuple[dict[str, Any], ...] = (
        {"note": " ", "decision": "hidden"},
        {"note": NOTE, "decision": ""},
        {"note": NOTE, "decision": "dismissed", "until": "x"},
    )
    with nothing_changes(mailed):
        for fields in wrong:
            assert moderator.send(public.desk, public.desk, **fields).status_code == 422
    form = moderator.get(public.desk).form(public.desk)
    data = {**dict(form.form_values()), "note": NOTE, "decision": "dismissed"}
    assert moderator.client.post(public.desk, data=data, headers=moderator.headers).status_code == 303
    with nothing_changes(mailed):
        second = moderator.client.post(public.desk, data=data, headers=moderator.headers)
    assert second.status_code == 409
    assert "Another moderator was faster" in second.text


def test_what_cannot_be_reported(mailed: Service, public: Public, moderator: Visitor) -> None:
    """One's own, what not everybody sees, and what there is not."""
    owner = Visitor(mailed, public.token)
    assert "Report this resource" not in owner.get(public.url).links()
    assert owner.client.get(f"{public.url}/report", headers=owner.headers).status_code == 409
    body = {"reason": "other", "words": "x"}
    problem_of(mailed.client(public.token).post(f"{public.api}/reports", json=body), "conflict")
    nowhere = "/api/v1/resources/00000000-0000-7000-8000-000000000000/reports"
    problem_of(mailed.client().post(nowhere, json=body), "not-found")
    moderator.get("/look-after/reports/00000000-0000-7000-8000-000000000000", 404)
    moderator.get(public.desk, 404)
    with mailed.services.database.write() as session:
        session.execute(update(Resource).values(visibility="draft"))
    problem_of(mailed.client().post(f"{public.api}/reports", json=body), "not-found")
    mod = mailed.client(mailed.token("mod2", role=Role.MODERATOR))
    problem_of(mod.post(f"{public.api}/reports", json=body), "conflict")
    with mailed.services.database.write() as session:
        session.execute(update(Resource).values(visibility="withdrawn", withdrawn_at=now()))
    problem_of(mailed.client().post(f"{public.api}/reports", json=body), "gone")


def _client_at(service: Service, address: str) -> FlaskClient:
    client = service.client()
    client.environ_base["REMOTE_ADDR"] = address
    return client


def test_one_address_reports_only_so_often(mailed: Service, public: Public) -> None:
    """Of one resource; whoever comes from elsewhere is heard all the same."""
    body = {"reason": "other", "words": "x"}
    client = _client_at(mailed, "192.0.2.7")
    for _ in range(3):
        json_of(client.post(f"{public.api}/reports", json=body), 201)
    assert problem_of(client.post(f"{public.api}/reports", json=body), "too-many-requests")["retry_after"] > 0
    json_of(_client_at(mailed, "192.0.2.8").post(f"{public.api}/reports", json=body), 201)


def test_addresses_are_forgotten_once_they_are_of_no_use(
    mailed: Service, public: Public, moderator: Visitor
) -> None:
    _report(Visitor(mailed), public, email=STRANGER)
    reporting = mailed.services.reporting
    assert reporting.tidy() == 0
    moderator.send(public.desk, public.desk, note=NOTE, decision="hidden")
    assert reporting.tidy() == 0
    with mailed.services.database.write() as session:
        session.execute(update(Report).values(decided_at=now() - EMAIL_KEPT - timedelta(minutes=1)))
    assert reporting.tidy() == 1
    with mailed.services.database.read() as session:
        assert session.query(Report).one().email is None


@pytest.fixture
def chosen(any_service: Service) -> Callable[[str], FlaskClient]:
    """Moderators of a service on either database."""
    return lambda name: any_service.client(any_service.token(name, role=Role.MODERATOR))


def test_by_the_api(any_service: Service, chosen: Callable[[str], FlaskClient]) -> None:
    moderator, public = chosen("mod"), any_service.client()
    owner = any_service.member()
    first, second, third = (publish(any_service, owner, title=title)["id"] for title in ("A", "B", "C"))
    for resource_id in (first, second, first, third):
        json_of(
            public.post(
                f"/api/v1/resources/{resource_id}/reports", json={"reason": "broken", "words": "It is empty."}
            ),
            201,
        )
    page = json_of(moderator.get("/api/v1/reports?limit=2"))
    assert [(item["title"], item["waiting"]) for item in page["items"]] == [("C", 1), ("A", 2)]
    rest = json_of(moderator.get(f"/api/v1/reports?limit=2&cursor={page['next_cursor']}"))
    assert [item["title"] for item in rest["items"]] == ["B"]
    assert rest["next_cursor"] is None
    decided = json_of(
        moderator.post(
            f"/api/v1/resources/{first}/reports/decision", json={"decision": "hidden", "note": NOTE}
        )
    )
    assert (decided["visibility"], decided["waiting"], decided["decided"]) == ("withdrawn", 0, 2)
    assert {report["decided_by"] for report in decided["reports"]} == {"mod"}
    assert problem_of(public.get(f"/api/v1/resources/{first}"), "gone")["reason"] == NOTE
    assert json_of(moderator.get(f"/api/v1/resources/{first}/reports")) == decided
    items = json_of(moderator.get("/api/v1/reports?state=decided"))["items"]
    assert [item["title"] for item in items] == ["A"]
    deeds = json_of(moderator.get(f"/api/v1/audit?noun=resource&noun_id={first}"))["items"]
    assert [deed["action"] for deed in deeds][:4] == ["decide reports", "withdraw", "report", "report"]
    body: dict[str, Any]
    for body in ({"decision": "hidden"}, {"decision": "burn", "note": "x"}, {"note": "x" * 1001}):
        problem_of(moderator.post(f"/api/v1/resources/{second}/reports/decision", json=body), "invalid-input")
    problem_of(moderator.get("/api/v1/reports?cursor=nonsense"), "invalid-cursor")
    for body in (
        {"reason": "rights"},
        {"reason": "none", "words": "x"},
        {"reason": "rights", "words": ""},
        {"reason": "rights", "words": "x", "email": "nobody"},
        {"reason": "rights", "words": "x", "language": "tlh"},
    ):
        problem_of(public.post(f"/api/v1/resources/{second}/reports", json=body), "invalid-input")
    long = {"reason": "rights", "words": "x" * 20_000}
    problem_of(public.post(f"/api/v1/resources/{second}/reports", json=long), "payload-too-large")


def test_a_mirror_takes_no_reports(make_service: MakeService) -> None:
    mirror = make_service(read_only=True)
    path = "resources/00000000-0000-7000-8000-000000000000/report"
    visitor = Visitor(mirror)
    page = visitor.client.get(f"/{path}", headers=visitor.headers)
    assert (page.status_code, "read-only" in page.text) == (403, True)
    body = {"reason": "other", "words": "x"}
    problem_of(mirror.client().post(f"/api/v1/{path}s", json=body), "read-only")
