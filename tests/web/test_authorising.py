"""The page on which a person connects a site: what it says, what it shows of the site, and where it leads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from repo_service.domain.identity import Role
from repo_service.web.headers import CONTENT_SECURITY_POLICY
from tests.contract.consenting import connect_site, consent, decide, parameters_of, tokens_of
from tests.contract.support import nothing_changes
from tests.support.moodle import SCOPE, Moodle
from tests.support.service import MakeService, Service, json_of
from tests.web.visitor import Page, Visitor

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}'
SCHOOL = Moodle(wwwroot="https://moodle.school.example", name=EVIL)


@pytest.fixture
def moodle(service: Service) -> Moodle:
    """A site that calls itself something."""
    return connect_site(service, SCHOOL)


@pytest.fixture
def teacher(service: Service) -> Visitor:
    return Visitor(service, service.token("teacher"))


def test_it_shows_the_host_and_nothing_that_the_site_says_of_itself(moodle: Moodle, teacher: Visitor) -> None:
    """Neither name nor logo: anybody can call themselves anything."""
    page = teacher.get(moodle.authorize())
    assert page.one("//p[@class='consent-host']").text_content() == "moodle.school.example"
    assert "alert" not in page.source
    assert "moodlelogo" not in page.source
    assert {image.attrib["src"].partition("?")[0] for image in page.all("//img")} == {"/assets/icon.svg"}
    assert "Your account: teacher" in page.text


def test_it_says_in_plain_words_what_is_asked_and_no_more(moodle: Moodle, teacher: Visitor) -> None:
    words = {
        SCOPE: "Send files to your account.",
        "resources:read": "See your resources.",
        "resources:write": "Change your resources.",
    }
    for asked in ([SCOPE], ["resources:read"], list(words)):
        page = teacher.get(moodle.authorize(scope=" ".join(asked)))
        assert [li.text_content() for li in page.all("//ul[@class='consent-scopes']/li/strong")] == [
            words[scope] for scope in asked
        ]


@pytest.mark.parametrize(
    ("wwwroot", "said"),
    [
        ("https://moodle.school.example", None),
        ("http://moodle.school.local", "not encrypted"),
        ("http://192.168.1.20:8080", "not encrypted"),
        ("http://127.0.0.1:8045", "on the computer in front of you"),
    ],
)
def test_it_says_what_is_unusual_about_the_address(
    service: Service, teacher: Visitor, wwwroot: str, said: str | None
) -> None:
    page = teacher.get(connect_site(service, Moodle(wwwroot=wwwroot)).authorize())
    notes = [note.text_content() for note in page.all("//p[@class='consent-note']")]
    assert (notes == []) if said is None else (len(notes) == 1 and said in notes[0])


def test_nobody_else_can_frame_it_and_its_form_leads_to_the_site_alone(
    service: Service, moodle: Moodle, teacher: Visitor
) -> None:
    headers = teacher.get(moodle.authorize()).response.headers
    assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY.replace(
        "form-action 'self'", "form-action 'self' https://moodle.school.example"
    )
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "private, no-store"
    assert headers["Referrer-Policy"] == "same-origin"


def test_the_window_keeps_its_tie_to_the_one_that_opened_it(
    service: Service, moodle: Moodle, teacher: Visitor
) -> None:
    """All the way: Moodle's callback speaks to it. Elsewhere the windows of the signed in are cut off."""
    visitor = Visitor(service)
    url = moodle.authorize()
    to_sign_in = visitor.client.get(url, headers=visitor.headers)
    form = visitor.get(to_sign_in.location)
    signed_in = visitor.send(to_sign_in.location, "/sign-in", token=service.token("other"))
    question = visitor.get(url)
    switched = decide(visitor, url, "switch")
    for answer in (to_sign_in, form.response, signed_in, question.response, switched):
        assert answer.headers.get("Cross-Origin-Opener-Policy", "unsafe-none") == "unsafe-none"
    for decision in ("allow", "deny"):
        assert decide(teacher, url, decision).headers["Cross-Origin-Opener-Policy"] == "unsafe-none"
    for path in ("/mine", "/mine/sites", "/"):
        assert teacher.get(path).response.headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_another_account(service: Service, moodle: Moodle, teacher: Visitor) -> None:
    """The session ends, and whoever signs in next finds the same question."""
    url = moodle.authorize()
    with teacher.client.session_transaction() as session:
        before = session["token"]
    answer = decide(teacher, url, "switch")
    assert answer.status_code == 303
    assert answer.location.startswith("/sign-in?next=")
    assert service.client(before).get("/api/v1/me").status_code == 401
    signed_in = teacher.send(answer.location, "/sign-in", token=service.token("colleague"))
    assert signed_in.location == url
    tokens = tokens_of(service, moodle, teacher, scope="resources:read")
    assert json_of(service.client(tokens["access_token"]).get("/api/v1/me"))["username"] == "colleague"


def test_a_session_that_ended_meanwhile_leads_back_to_the_question(
    service: Service, moodle: Moodle, teacher: Visitor
) -> None:
    url = moodle.authorize()
    form = teacher.get(url).tree.forms[-1]
    with teacher.client.session_transaction() as session:
        secret = session["token"]
    with service.client(secret) as other:
        me = next(t for t in json_of(other.get("/api/v1/me/tokens"))["items"] if t["name"] == "Browser")
        assert other.delete(f"/api/v1/me/tokens/{me['id']}").status_code == 204
    with nothing_changes(service):
        data = {"csrf_token": form.fields["csrf_token"], "decision": "allow"}
        answer = teacher.client.post(url, data=data, headers=teacher.headers)
        assert answer.status_code == 303
        assert answer.location.startswith("/sign-in?next=")


def test_who_signs_in_to_connect_reads_whose_password_is_asked_for(service: Service, moodle: Moodle) -> None:
    """Moodle opens this window: people take it for Moodle's own log-in."""
    said = "sign in with your account here, not with that of your Moodle"
    visitor = Visitor(service)
    there = visitor.client.get(moodle.authorize()).location
    assert said in visitor.get(there).text
    refused = Page(visitor.send(there, "/sign-in", login="teacher1", password="that of the Moodle"))
    assert refused.status == 403
    assert said in refused.text
    assert said not in visitor.get("/sign-in?next=/mine").text


def test_no_decision_is_no(service: Service, moodle: Moodle, teacher: Visitor) -> None:
    with nothing_changes(service):
        for decision in ("", "yes", "Allow"):
            assert (
                parameters_of(decide(teacher, moodle.authorize(), decision).location)["error"]
                == "access_denied"
            )


# What a person has connected


def test_connected_sites(service: Service, moodle: Moodle, teacher: Visitor) -> None:
    page = teacher.get("/mine/sites")
    assert "No site or app acts for you." in page.text
    consent(teacher, moodle.authorize())
    page = teacher.get("/mine/sites")
    assert page.one("//article/h2").text_content() == "moodle.school.example"
    assert "Send files to your account" in page.text
    assert "Not used yet" in page.text
    assert "alert" not in page.source
    tokens = tokens_of(service, moodle, teacher)
    page = teacher.get("/mine/sites")
    assert "Last used" in page.text
    assert len(page.all("//article")) == 1
    assert teacher.send("/mine/sites", "/disconnect").location == "/mine/sites"
    assert not teacher.get("/mine/sites").all("//article")
    assert moodle.refresh(tokens["refresh_token"]).to(service.client()).status_code == 400
    assert teacher.get("/mine").links()["Connected sites"] == "/mine/sites"


# What administrators see


def test_administrators_approve_decline_and_disable(make_service: MakeService) -> None:
    service = make_service(client_approval="administrator")
    chief = Visitor(service, service.token("chief", role=Role.ADMINISTRATOR))
    teacher = Visitor(service, service.token("teacher"))
    first = connect_site(service, SCHOOL)
    second = connect_site(service, Moodle(wwwroot="https://other.example"))
    assert "Sites that people can connect (2 waiting)" in chief.get("/mine").text
    assert "Sites that people can connect" not in teacher.get("/mine").text
    page = chief.get("/admin/sites")
    assert [h3.text_content() for h3 in page.all("//h3")] == ["other.example", "moodle.school.example"]
    assert EVIL in page.text, "as text, and after the host"
    assert "<script>alert" not in page.source

    _press(chief, first, "approved")
    _press(chief, second, "declined")
    tokens = tokens_of(service, first, teacher, scope="resources:read")
    assert teacher.get(second.authorize(), 400).all("//h1[text()='The site cannot be connected']")
    states = re.findall(r"State (\w+)", chief.get("/admin/sites").text)
    assert sorted(states) == ["approved", "declined"]
    _press(chief, first, "disabled")
    assert service.client(tokens["access_token"]).get("/api/v1/me").status_code == 401
    _press(chief, second, "approved")
    consent(teacher, second.authorize())


def _press(visitor: Visitor, site: Moodle, state: str) -> None:
    page = visitor.get("/admin/sites")
    action = f"/admin/sites/{site.client_id}"
    assert page.all(f"//form[@action='{action}']//button[@value='{state}']")
    fields = {"csrf_token": page.form(action).fields["csrf_token"], "state": state}
    answer = visitor.client.post(action, data=fields, headers=visitor.headers)
    assert answer.location == "/admin/sites"


def test_a_button_that_is_none(service: Service, moodle: Moodle) -> None:
    chief = Visitor(service, service.token("chief", role=Role.ADMINISTRATOR))
    action = f"/admin/sites/{moodle.client_id}"
    fields = {"csrf_token": chief.get("/admin/sites").form(action).fields["csrf_token"]}
    with nothing_changes(service):
        for state, status in (("loved", 422), ("", 422), ("pending", 409)):
            answer = chief.client.post(action, data={**fields, "state": state}, headers=chief.headers)
            assert answer.status_code == status
            assert Page(answer).all("//h1")


def test_administrators_who_come_from_a_site_find_the_way(make_service: MakeService) -> None:
    service = make_service(client_approval="administrator")
    site = connect_site(service, SCHOOL)
    chief = Visitor(service, service.token("chief", role=Role.ADMINISTRATOR))
    links = chief.get(site.authorize(), 403).links()
    assert links["Sites that wait"] == "/admin/sites"
    told = parameters_of(links["Back to the site"])
    assert told["error"] == "unauthorized_client", "nobody was asked, so nobody said no"
    assert "has to approve this site first" in told["error_description"]


def test_templates_name_no_host_of_elsewhere() -> None:
    """Nothing is fetched for these pages but our own assets."""
    folder = Path(__file__).parents[2] / "repo_service/web/templates/web"
    for name in ("authorise", "authorise_pending", "authorise_refused", "connected_sites", "sites"):
        assert "http" not in (folder / f"{name}.html").read_text()
