"""Webhooks as pages, and how much may be kept of what a site sends."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from repo_service.domain.identity import Role
from repo_service.domain.webhooks import Reach
from repo_service.models import Webhook, WebhookDelivery
from tests.contract.consenting import connect_site
from tests.contract.support import nothing_changes
from tests.support.moodle import Moodle
from tests.support.service import OPERATOR, Service
from tests.web.attacking import NOBODYS
from tests.web.visitor import Page, Visitor

HOOKS = "/mine/webhooks"
URL = "https://localhost/hooks"


@pytest.fixture
def ada(service: Service) -> Visitor:
    return Visitor(service, service.token("ada"))


def _send(visitor: Visitor, page: str, /, **fields: Any) -> Any:
    """As a form of their own pages would."""
    csrf = visitor.get("/sign-in").all("//input[@name='csrf_token']")[0].get("value")
    return visitor.client.post(page, data={"csrf_token": csrf, **fields}, headers=visitor.headers)


def _with(service: Service, role: Role | None) -> Visitor:
    """Somebody else in that role."""
    return Visitor(service, None if role is None else service.token(f"other-{role.value}", role=role))


def _only(service: Service, model: Any) -> Any:
    with service.services.database.read() as session:
        return session.scalars(select(model)).one()


def _made(service: Service, visitor: Visitor) -> str:
    answer = _send(visitor, HOOKS, url=URL, event=["resource.released"], description="Screen")
    assert answer.status_code == 200, answer.text
    return f"{HOOKS}/{_only(service, Webhook).id}"


def test_a_webhook_is_made_tried_stopped_and_deleted(service: Service, ada: Visitor) -> None:
    """Its secret is shown once, and kept by no browser."""
    assert ada.get("/account").links()["webhooks"] == HOOKS
    answer = _send(ada, HOOKS, url=URL, event=["resource.released"], reach="public")
    secret = Page(answer).one("//code[starts-with(., 'whsec_')]").text_content()
    assert "no-store" in answer.headers["Cache-Control"]
    address = f"{HOOKS}/{_only(service, Webhook).id}"
    assert ada.get(HOOKS).links()[URL] == address
    assert secret not in ada.get(address).source
    again = Page(_send(ada, address, do="secret")).one("//code[starts-with(., 'whsec_')]").text_content()
    assert again != secret

    assert "on its way" in ada.get(_send(ada, address, do="ping").location).text
    with service.services.database.write() as session:
        failed = {"state": "failed", "reason": "It answers 500.", "answered": 500, "attempts": 10}
        session.execute(update(WebhookDelivery).values(**failed, next_try_at=None))
    page = ada.get(f"{address}?state=failed")
    assert "A test message Failed answered 500" in page.text
    assert "It answers 500." in page.text
    assert "There are none" in ada.get(f"{address}?state=delivered").text
    delivery = str(_only(service, WebhookDelivery).id)
    assert page.one("//input[@name='delivery']").get("value") == delivery
    _send(ada, address, do="replay", delivery=delivery)
    assert _only(service, WebhookDelivery).state == "waiting"

    _send(ada, address, do="disable")
    assert "Its owner has disabled it" in ada.get(address).text
    assert _send(ada, address, do="ping").status_code == 409
    _send(ada, address, do="enable")
    assert "Active" in ada.get(address).text
    assert "deleted" in ada.get(_send(ada, address, do="delete").location).text
    ada.get(address, 404)


def test_a_webhook_is_changed(service: Service, ada: Visitor) -> None:
    """The form shows what it is now. What it was sent, its secret and whether it is active stay."""
    address = _made(service, ada)
    _send(ada, address, do="disable")
    page = ada.get(address)
    assert page.one("//input[@name='url']").get("value") == URL
    assert [box.get("value") for box in page.all("//input[@name='event'][@checked]")] == ["resource.released"]
    before = _only(service, Webhook)
    changed = {"url": f"{URL}/2", "event": ["resource.withdrawn", "resource.inspected"], "reach": "public"}
    answer = _send(ada, address, do="change", description="Hall", **changed)
    assert "The changes are saved" in ada.get(answer.location).text
    after = _only(service, Webhook)
    assert (after.url, after.events) == (f"{URL}/2", ["resource.inspected", "resource.withdrawn"])
    assert (after.reach, after.description) == ("public", "Hall")
    assert (after.secret, after.disabled_at) == (before.secret, before.disabled_at)


def test_what_a_site_was_given_stays_when_people_change_it(service: Service, ada: Visitor) -> None:
    address = _made(service, ada)
    with service.services.database.write() as session:
        session.execute(update(Webhook).values(reach=Reach.CLIENT.value))
    assert ada.get(address).one("//option[@value='client'][@selected]") is not None
    _send(ada, address, do="change", url=URL, event=["resource.released"], reach="client", description="Hall")
    hook = _only(service, Webhook)
    assert (hook.reach, hook.description) == ("client", "Hall")


_WRONG: list[dict[str, Any]] = [
    {"url": "http://school.example/"},
    {"url": "https://localhost:22/"},
    {"url": ""},
    {"event": []},
    {"event": ["resource.stolen"]},
    {"event": ["webhook.ping"]},
    {"reach": "client"},
    {"reach": "everything"},
]


@pytest.mark.parametrize("wrong", _WRONG)
def test_what_it_cannot_be_changed_to_is_said_beside_the_form(
    service: Service, ada: Visitor, wrong: dict[str, Any]
) -> None:
    address = _made(service, ada)
    with nothing_changes(service):
        fields = {"url": URL, "event": ["resource.released"], "description": "Hall", **wrong}
        answer = _send(ada, address, do="change", **fields)
    page = Page(answer)
    assert answer.status_code == 422
    assert page.one("//*[@role='alert']").text_content().strip()
    assert page.one("//details[@open]//input[@name='description']").get("value") == "Hall"


@pytest.mark.parametrize("wrong", _WRONG)
def test_what_cannot_be_is_said_beside_the_form(
    service: Service, ada: Visitor, wrong: dict[str, Any]
) -> None:
    fields = {"url": URL, "event": ["resource.released"], "description": "Screen", **wrong}
    with nothing_changes(service):
        answer = _send(ada, HOOKS, **fields)
    page = Page(answer)
    assert answer.status_code == 422
    assert page.one("//*[@role='alert']").text_content().strip()
    assert page.one("//input[@name='description']").get("value") == "Screen"


def test_only_moderators_hear_of_reports(service: Service, ada: Visitor) -> None:
    moderator = Visitor(service, service.token("mod", role=Role.MODERATOR))
    assert "A resource was reported" in moderator.get(HOOKS).text
    assert "A resource was reported" not in ada.get(HOOKS).text
    with nothing_changes(service):
        more = {"role": "moderator", "scope": "moderation", "account_id": "1"}
        assert _send(ada, HOOKS, url=URL, event=["resource.reported"], **more).status_code == 403
    address = _made(service, ada)
    with nothing_changes(service):
        answer = _send(ada, address, do="change", url=URL, event=["resource.reported"])
        assert answer.status_code == 403
    assert _send(moderator, HOOKS, url=URL, event=["resource.reported"]).status_code == 200


@pytest.mark.parametrize("role", [None, Role.MEMBER, Role.ADMINISTRATOR])
def test_nobody_else_has_it(service: Service, ada: Visitor, role: Role | None) -> None:
    """To them it is not there, whoever they are, and no form of another site reaches it."""
    address = _made(service, ada)
    _send(ada, address, do="ping")
    delivery = str(_only(service, WebhookDelivery).id)
    other = _with(service, role)
    with nothing_changes(service):
        for deed in ("change", "ping", "replay", "disable", "enable", "secret", "delete", "x"):
            more = {"url": "https://localhost/eve", "event": "resource.released", "account_id": "ada"}
            answer = _send(other, address, do=deed, delivery=delivery, **more)
            assert answer.status_code == (401 if role is None else 404), deed
            forged = ada.client.post(address, data={"do": deed, "delivery": delivery}, headers=ada.headers)
            assert forged.status_code == 400
        forged = ada.client.post(HOOKS, data={"url": URL, "event": "resource.released"}, headers=ada.headers)
        assert forged.status_code == 400
        if role is not None:
            other.get(address, 404)
            assert URL not in other.get(HOOKS).text


def test_a_message_of_another_webhook_is_not_sent(service: Service, ada: Visitor) -> None:
    address = _made(service, ada)
    eve = Visitor(service, service.token("eve"))
    _send(eve, HOOKS, url="https://localhost/eve", event=["resource.released"])
    with service.services.database.read() as session:
        hers = session.scalars(select(Webhook.id).where(Webhook.url.endswith("/eve"))).one()
    _send(ada, address, do="ping")
    delivery = str(_only(service, WebhookDelivery).id)
    for wrong in (delivery, "nonsense"):
        with nothing_changes(service):
            answer = _send(eve, f"{HOOKS}/{hers}", do="replay", delivery=wrong)
        assert answer.status_code == (404 if wrong == delivery else 422)


def test_the_room_of_a_site(service: Service) -> None:
    site = connect_site(service, Moodle(wwwroot="https://lms.college.example", name="lms"))
    chief = Visitor(service, service.token("chief", role=Role.ADMINISTRATOR))
    room = f"/admin/sites/{site.client_id}/quota"
    assert "without a limit of its own" in chief.get("/admin/sites").text
    for typed, quota in (("2 GB", 2_000_000_000), ("0", 0), ("", None)):
        answer = chief.send("/admin/sites", room, quota=typed)
        assert "The room is changed" in chief.get(answer.location).text
        assert service.services.clients.list(OPERATOR, limit=1).items[0].quota == quota
    refused = chief.send("/admin/sites", room, quota="<b>much</b>")
    assert (refused.status_code, "Type a size" in refused.text) == (422, True)
    assert Page(refused).one("//input[@name='quota']").get("value") == "<b>much</b>"
    assert _send(chief, f"/admin/sites/{NOBODYS}/quota", quota="1").status_code == 404
    others = [(role, _with(service, role)) for role in (None, Role.MEMBER, Role.MODERATOR)]
    with nothing_changes(service):
        assert chief.client.post(room, data={"quota": "1 TB"}, headers=chief.headers).status_code == 400
        for role, other in others:
            answer = _send(other, room, quota="1 TB", role="administrator")
            assert answer.status_code == (401 if role is None else 403)
