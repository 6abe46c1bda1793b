"""The pages of those who look after the service: what they show, and to whom."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from repo_service.domain.identity import Role
from repo_service.domain.resources import JobKind, JobState
from repo_service.models import BlobLocation, Job
from repo_service.models.base import now
from repo_service.web.job_list import KINDS
from tests.contract.support import nothing_changes, problem_of, publish, share
from tests.support.service import MakeService, Service, json_of
from tests.support.speech import Teach
from tests.web.visitor import Visitor

NOWHERE = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def chief(service: Service) -> Visitor:
    return Visitor(service, service.token("chief", role=Role.ADMINISTRATOR))


@pytest.fixture
def moderator(service: Service) -> Visitor:
    return Visitor(service, service.token("mod", role=Role.MODERATOR))


def _fail(service: Service, kind: JobKind = JobKind.INSPECT, reason: str = "It broke off.") -> Job:
    """Let the only job of that kind have failed."""
    with service.services.database.write() as session:
        session.execute(
            update(Job)
            .where(Job.kind == kind.value)
            .values(state=JobState.FAILED.value, reason=reason, attempts=5, finished_at=now())
        )
        return session.scalars(select(Job).where(Job.kind == kind.value)).one()


def _tiles(visitor: Visitor) -> dict[str, str]:
    page = visitor.get("/look-after")
    tiles = page.all("//li[contains(@class, 'tile')]")
    return {
        str(tile.xpath("string(h2)")).strip(): " ".join(str(tile.text_content()).split()) for tile in tiles
    }


def test_the_overview_says_what_needs_somebody(service: Service, chief: Visitor) -> None:
    owner = service.member()
    resource = publish(service, owner)["id"]
    before = _tiles(chief)
    assert list(before) == [
        "Reports",
        "Hidden entries",
        "Audit",
        "Usage",
        "People",
        "Invitations",
        "Sites",
        "Other servers",
        "Jobs",
        "Storage",
    ]
    assert not [title for title, words in before.items() if "needs you" in words]
    body = {"reason": "other", "words": "x"}
    json_of(service.client().post(f"/api/v1/resources/{resource}/reports", json=body), 201)
    _fail(service)
    with service.services.database.write() as session:
        session.execute(update(BlobLocation).values(state="missing"))
    after = _tiles(chief)
    needed = [title for title, words in after.items() if "needs you" in words]
    assert needed == ["Reports", "Jobs", "Storage"]
    assert "1 resource waits" in after["Reports"]
    assert "1 job failed" in after["Jobs"]
    assert "1 copy is not right" in after["Storage"]


def test_why_a_letter_was_not_taken_is_said_in_the_readers_language(
    service: Service, chief: Visitor, teach: Teach
) -> None:
    """It was stored in English, with the code of the server's reply."""
    template = "The mail server does not take the address (%(code)s)."
    teach("de", {template: "Der Mailserver nimmt die Adresse nicht an (%(code)s)."})
    publish(service, service.member())
    _fail(service, reason="The mail server does not take the address (550).")
    assert "does not take the address (550)." in chief.get("/look-after/jobs").text
    german = Visitor(service, service.token("chief2", role=Role.ADMINISTRATOR), language="de")
    page = german.get("/look-after/jobs")
    assert "Der Mailserver nimmt die Adresse nicht an (550)." in page.text
    _fail(service, reason="The mail server does not take <b>.")
    assert "does not take <b>." in german.get("/look-after/jobs").text


def test_moderators_have_the_way_to_what_is_theirs(service: Service, moderator: Visitor) -> None:
    assert list(_tiles(moderator)) == ["Reports", "Hidden entries", "Audit", "Usage"]
    links = moderator.get("/look-after").links()
    assert links["Look after"] == "/look-after"
    assert not {"People", "Invitations", "Jobs", "Storage", "Sites"} & set(links)
    assert links["Other servers"] == "/network"
    for visitor in (Visitor(service), Visitor(service, service.token("member"))):
        assert "Look after" not in visitor.get("/").links()


def test_each_page_leads_to_all_others(chief: Visitor) -> None:
    ways = "//nav[contains(@class, 'desk-ways')]//a"
    addresses = [way.attrib["href"] for way in chief.get("/look-after").all(ways)]
    assert "/invitations" in addresses
    for address in addresses:
        page = chief.get(address)
        assert [way.attrib["href"] for way in page.all(ways)] == addresses
        assert page.one(f"{ways}[@aria-current='page']").attrib["href"] == address


_FOR_MODERATORS = (
    "/look-after",
    "/look-after/reports",
    "/look-after/network",
    "/look-after/audit",
    "/look-after/usage",
)
_FOR_ADMINISTRATORS = (
    "/look-after/people",
    f"/look-after/people/{NOWHERE}",
    "/look-after/jobs",
    "/look-after/storage",
    "/admin/sites",
    "/look-after/servers",
    "/look-after/servers/actors",
)
_CALLS_FOR_MODERATORS = (
    ("GET", "/api/v1/usage"),
    ("GET", "/api/v1/audit"),
    ("GET", "/api/v1/reports"),
    ("GET", "/api/v1/network/hidden-entries"),
)
_CALLS_FOR_ADMINISTRATORS = (
    ("GET", "/api/v1/jobs"),
    ("POST", f"/api/v1/jobs/{NOWHERE}/retry"),
    ("GET", "/api/v1/stores"),
    ("GET", "/api/v1/accounts"),
    ("GET", "/api/v1/network/instances"),
)


@pytest.mark.parametrize("role", [None, Role.MEMBER, Role.MODERATOR])
def test_nobody_sees_what_is_not_theirs(service: Service, role: Role | None) -> None:
    """Neither by a page nor by the API, and no parameter makes a difference."""
    token = None if role is None else service.token("other", role=role)
    visitor, client = Visitor(service, token), service.client(token)
    pages, calls = list(_FOR_ADMINISTRATORS), list(_CALLS_FOR_ADMINISTRATORS)
    if role is not Role.MODERATOR:
        pages += _FOR_MODERATORS
        calls += _CALLS_FOR_MODERATORS
    with nothing_changes(service):
        for url in pages:
            for query in ("", "?role=administrator&state=done&kind=mail"):
                answer = visitor.client.get(url + query, headers=visitor.headers)
                assert answer.status_code == (303 if role is None else 403), url
        for method, url in calls:
            problem_of(client.open(url, method=method), "unauthorised" if role is None else "forbidden")


@pytest.mark.parametrize("role", [None, Role.MEMBER, Role.MODERATOR])
def test_nobody_else_tries_a_job_again(service: Service, role: Role | None) -> None:
    share(service.member())
    job = _fail(service)
    token = None if role is None else service.token("other", role=role)
    visitor = Visitor(service, token)
    csrf = visitor.get("/sign-in").form("/sign-in").fields["csrf_token"]
    with nothing_changes(service):
        answer = visitor.client.post(
            f"/look-after/jobs/{job.id}/retry", data={"csrf_token": csrf}, headers=visitor.headers
        )
        assert answer.status_code == (401 if role is None else 403)
        refusal = service.client(token).post(f"/api/v1/jobs/{job.id}/retry")
        problem_of(refusal, "unauthorised" if role is None else "forbidden")


def test_a_job_that_failed_is_tried_again(service: Service, chief: Visitor) -> None:
    resource = share(service.member())["id"]
    job = _fail(service, reason="The worker died each time it tried.")
    page = chief.get("/look-after/jobs?state=failed")
    assert "The worker died each time it tried." in page.text
    assert "tried 5 times" in page.text
    assert page.links()["The resource"] == f"/resources/{resource}"
    answer = chief.send("/look-after/jobs", f"/{job.id}/retry")
    assert "It is tried again now" in chief.get(answer.location).text
    service.work()
    page = chief.get("/look-after/jobs")
    assert "There are none." in page.text
    done = chief.get("/look-after/jobs?state=done&kind=inspect")
    assert "Look inside a file" in done.text
    assert not [form for form in done.tree.forms if "retry" in (form.action or "")]
    csrf = done.form("/sign-out").fields["csrf_token"]
    with nothing_changes(service):
        again = chief.client.post(
            f"/look-after/jobs/{job.id}/retry", data={"csrf_token": csrf}, headers=chief.headers
        )
    assert again.status_code == 409
    deeds = json_of(service.client(service.token("second", role=Role.ADMINISTRATOR)).get("/api/v1/audit"))
    assert "retry" in [deed["action"] for deed in deeds["items"]]


@pytest.mark.parametrize("kind", list(JobKind))
def test_every_kind_of_job_has_a_name(service: Service, chief: Visitor, kind: JobKind) -> None:
    share(service.member())
    with service.services.database.write() as session:
        session.execute(update(Job).where(Job.kind == JobKind.INSPECT.value).values(kind=kind.value))
    assert KINDS[kind] in chief.get("/look-after/jobs").text
    assert KINDS[kind] in chief.get(f"/look-after/jobs?kind={kind.value}").text


def test_what_waits_says_until_when_and_why(service: Service, chief: Visitor) -> None:
    share(service.member())
    with service.services.database.write() as session:
        session.execute(
            update(Job).values(
                next_try_at=now() + timedelta(minutes=9), reason="A store does not answer.", attempts=1
            )
        )
    page = chief.get("/look-after/jobs")
    assert "A store does not answer." in page.text
    assert "next try" in page.text
    assert "tried 1 time" in page.text
    with service.services.database.write() as session:
        session.execute(
            update(Job).values(
                state=JobState.RUNNING.value, progress=0.25, lease_until=now() - timedelta(seconds=1)
            )
        )
    page = chief.get("/look-after/jobs")
    assert "25 % done" in page.text
    assert "no sign of life" in page.text
    chief.get("/look-after/jobs?cursor=nonsense", 400)


@pytest.fixture
def any_chief(any_service: Service) -> FlaskClient:
    """An administrator of a service on either database."""
    return any_service.client(any_service.token("chief", role=Role.ADMINISTRATOR))


def test_jobs_by_the_api(any_service: Service, any_chief: FlaskClient) -> None:
    owner = any_service.member()
    shared = [share(owner, bytes([number]) * 9)["id"] for number in range(3)]
    page = json_of(any_chief.get("/api/v1/jobs?limit=2"))
    assert [job["resource_id"] for job in page["items"]] == shared[:0:-1]
    rest = json_of(any_chief.get(f"/api/v1/jobs?limit=2&cursor={page['next_cursor']}"))
    assert [job["resource_id"] for job in rest["items"]] == shared[:1]
    assert page["counts"] == [{"kind": "inspect", "state": "queued", "count": 3}]
    any_service.work()
    assert json_of(any_chief.get("/api/v1/jobs?kind=inspect"))["items"] == []
    done = json_of(any_chief.get("/api/v1/jobs?state=done&kind=inspect"))["items"]
    problem_of(any_chief.post(f"/api/v1/jobs/{done[0]['id']}/retry"), "conflict")
    problem_of(any_chief.post(f"/api/v1/jobs/{NOWHERE}/retry"), "not-found")
    problem_of(any_chief.get("/api/v1/jobs?state=asleep"), "invalid-input")


def test_stores_by_the_api(any_service: Service, any_chief: FlaskClient) -> None:
    resource = publish(any_service, any_service.member())
    (store,) = json_of(any_chief.get("/api/v1/stores"))["items"]
    assert store["is_primary"]
    assert store["answers"]
    assert store["copies"]["present"] >= 1
    assert store["bytes"] >= resource["versions"][0]["size"]
    assert store["free"] is None or store["free"] > 0


def test_each_store_and_what_is_wrong_in_it(make_service: MakeService, tmp_path: Path) -> None:
    replica = f"{(tmp_path / 'replica').as_uri()}?name=second"
    service = make_service(replica_urls=[replica])
    chief = Visitor(service, service.token("chief", role=Role.ADMINISTRATOR))
    publish(service, service.member())
    with service.services.database.write() as session:
        session.execute(update(BlobLocation).where(BlobLocation.store == "second").values(state="corrupt"))
        session.add(
            BlobLocation(
                digest=session.scalars(select(BlobLocation.digest)).first(), store="old", locator="x"
            )
        )
    page = chief.get("/look-after/storage")
    sections = [" ".join(str(part.text_content()).split()) for part in page.all("//section")]
    assert len(sections) == 3
    primary, second, old = sections
    assert "the primary" in primary
    assert "answers" in primary
    assert "Damaged" in second
    assert "1 copy" in second
    assert "0 whole" in second
    assert "not in the settings any more" in old


def test_a_store_that_is_silent_is_said_to_be(
    service: Service, chief: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Any:
        raise OSError("/secret/place")

    monkeypatch.setitem(service.services.health._checks, "store", fail)
    page = chief.get("/look-after/storage")
    assert "does not answer" in page.text
    assert "secret" not in page.source
    assert "1 store does not answer" in _tiles(chief)["Storage"]


def test_usage_is_drawn_and_stands_in_tables(service: Service, moderator: Visitor) -> None:
    publish(service, service.member())
    service.services.download_counter.count()
    service.services.download_counter.write_down()
    page = moderator.get("/look-after/usage")
    drawings = page.all("//main//svg[@role='img']")
    assert len(drawings) == 5
    assert [len(drawing.xpath(".//rect")) for drawing in drawings] == [1, 1, 1, 1, 1]
    for drawing in drawings:
        assert page.all(f"//*[@id='{drawing.get('aria-labelledby')}']")
    weeks, days = page.all("//table")
    assert len(weeks.xpath(".//tbody/tr")) == 52
    assert len(days.xpath(".//tbody/tr")) == 90
    assert days.xpath("string(.//tbody/tr[1]/td)") == "1"
    assert weeks.xpath("string(.//tbody/tr[1]/td[1])") == "1"
    by_api = json_of(service.client(service.token("mod2", role=Role.MODERATOR)).get("/api/v1/usage"))
    assert (len(by_api["weeks"]), len(by_api["days"])) == (52, 90)
    assert by_api["days"][-1]["downloads"] == 1
