"""The audit trail, to be searched by those who may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from repo_service.domain.identity import Role
from repo_service.models import AuditEntry
from tests.contract.support import problem_of, publish
from tests.support.service import Service, json_of
from tests.support.speech import Teach
from tests.web.visitor import Page, Visitor


@pytest.fixture
def moderator(service: Service) -> Visitor:
    return Visitor(service, service.token("mod", role=Role.MODERATOR))


def _deeds(visitor: Visitor, query: str = "") -> list[str]:
    page = visitor.get(f"/look-after/audit?{query}")
    return [str(cell.text_content()) for cell in page.all("//tbody//th")]


def test_by_person_deed_thing_and_time(service: Service, moderator: Visitor) -> None:
    teacher = service.member()
    resource = publish(service, teacher)["id"]
    publish(service, service.member("other"))
    assert _deeds(moderator, f"noun=resource&noun_id={resource}") == ["release", "create"]
    assert _deeds(moderator, "by=Teacher&action=create") == ["create"]
    assert _deeds(moderator, "by=teacher&action=release") == [], "the worker did that"
    assert _deeds(moderator, "action=create&noun=resource") == ["create", "create"]
    assert _deeds(moderator, "by=nobody") == []
    today = datetime.now(UTC).date()
    yesterday = today - timedelta(days=1)
    with service.services.database.write() as session:
        session.execute(
            update(AuditEntry)
            .where(AuditEntry.noun_id == resource, AuditEntry.action == "create")
            .values(at=datetime.combine(today, datetime.min.time(), UTC) - timedelta(seconds=1))
        )
    this = f"noun=resource&noun_id={resource}"
    assert _deeds(moderator, f"{this}&until={yesterday}") == ["create"]
    assert _deeds(moderator, f"{this}&since={yesterday}&until={yesterday}") == ["create"]
    assert _deeds(moderator, f"{this}&since={today}") == ["release"]
    assert _deeds(moderator, f"{this}&until=9999-12-31") == ["release", "create"]
    moderator.get("/look-after/audit?since=yesterday", 422)
    moderator.get("/look-after/audit?cursor=nonsense", 400)


def test_details_are_told_in_words(service: Service, moderator: Visitor, teach: Teach) -> None:
    """Of the deeds as they are written down, and of what nobody has words for yet."""
    teach("de", {"Reason": "Grund", "Decision": "Entscheidung", "hidden": "verborgen", "Yes": "Ja"})
    resource = publish(service, service.member())["id"]
    client = service.client(service.token("judge", role=Role.MODERATOR))
    reported = {"reason": "rights", "words": "Mine."}
    json_of(service.client().post(f"/api/v1/resources/{resource}/reports", json=reported), 201)
    decided = {"decision": "hidden", "note": "It is <b>theirs</b>."}
    json_of(client.post(f"/api/v1/resources/{resource}/reports/decision", json=decided))
    of_it = f"/look-after/audit?noun=resource&noun_id={resource}"
    told = dict(_details(moderator.get(of_it)))
    assert told["Decision"] == "hidden"
    assert told["SHA-256"].isalnum()
    assert told["Version"] == "1"
    assert ("Reason", "It is <b>theirs</b>.") in _details(moderator.get(f"{of_it}&action=decide+reports"))
    assert _details(moderator.get(f"{of_it}&action=report")) == [
        ("Reason", "It belongs to somebody who did not agree")
    ]
    german = Visitor(service, service.token("mod2", role=Role.MODERATOR), language="de")
    assert ("Entscheidung", "verborgen") in _details(german.get(of_it))

    details = {
        "size": 5_000_000, "everywhere": True, "quota": None, "fields": ["title", "<i>"], "role": "moderator",
        "later": {"<script>": ["ü", 1.5]},
    }  # fmt: skip
    with service.services.database.write() as session:
        session.execute(update(AuditEntry).where(AuditEntry.action == "report").values(details=details))
    page = moderator.get(f"{of_it}&action=report")
    assert _details(page) == [
        ("Size", "5.0 MB"),
        ("Signed out everywhere", "Yes"),
        ("Fields", "title, <i>"),
        ("Role", "Moderator"),
        ("later", '{"<script>": ["ü", 1.5]}'),
    ]
    assert not page.all("//dd//i | //dd//script")


def _details(page: Page) -> list[tuple[str, str]]:
    return [
        (str(each.xpath("string(dt)")), str(each.xpath("string(dd)"))) for each in page.all("//tbody//dl/div")
    ]


def test_page_by_page(service: Service, moderator: Visitor) -> None:
    for name in "abcdefghijklmnopqrstuvwxyz":
        service.token(f"teacher-{name}")
    first = moderator.get("/look-after/audit?noun=account")
    assert "Next page" not in first.links()
    page = moderator.get("/look-after/audit")
    seen = page.all("//tbody/tr")
    more = moderator.get(page.links()["Next page"])
    assert len(seen) == 50
    assert more.all("//tbody/tr")
    assert "First page" in more.links()


@pytest.mark.parametrize("role", [Role.MEMBER, None])
def test_only_moderators_read_it(service: Service, role: Role | None) -> None:
    token = None if role is None else service.token("other", role=role)
    visitor = Visitor(service, token)
    answer = visitor.client.get("/look-after/audit?by=other", headers=visitor.headers)
    assert answer.status_code == (303 if role is None else 403)
    code = "unauthorised" if role is None else "forbidden"
    problem_of(service.client(token).get("/api/v1/audit?by=other"), code)


def test_by_the_api(any_service: Service) -> None:
    moderator = any_service.client(any_service.token("mod", role=Role.MODERATOR))
    resource = publish(any_service, any_service.member())["id"]
    found = json_of(moderator.get(f"/api/v1/audit?by=teacher&action=create&noun_id={resource}"))["items"]
    assert [(entry["by"], entry["action"]) for entry in found] == [("teacher", "create")]
    today = datetime.now(UTC).date()
    tomorrow = today + timedelta(days=1)
    assert json_of(moderator.get(f"/api/v1/audit?since={tomorrow}"))["items"] == []
    assert json_of(moderator.get(f"/api/v1/audit?since={today}&until={today}"))["items"]
    for wrong in ("since=0", "until=2026-13-01", "since=2026-01-31T00:00:00", "by="):
        problem_of(moderator.get(f"/api/v1/audit?{wrong}"), "invalid-input")
