"""Other servers as pages: what they have, who looks after them, and who does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from repo_service.domain.identity import Role
from repo_service.domain.network import Standing
from repo_service.models.base import now
from repo_service.services.instances import instance_of
from tests.contract.support import nothing_changes
from tests.support.objects import Maker
from tests.support.service import OPERATOR, MakeService, Service, json_of
from tests.web.visitor import Page, Visitor

SERVERS, ACTORS, HIDDEN = "/look-after/servers", "/look-after/servers/actors", "/look-after/network"
HIDDEN_BY_API = "/api/v1/network/hidden-entries"
MALLORY = "https://social.example/users/mallory"


@pytest.fixture
def chief(service: Service) -> Visitor:
    return Visitor(service, service.token("chief", role=Role.ADMINISTRATOR))


@pytest.fixture
def moderator(service: Service) -> Visitor:
    return Visitor(service, service.token("mod", role=Role.MODERATOR))


def _send(visitor: Visitor, url: str, **fields: str) -> Any:
    """As a form of their own pages would."""
    csrf = visitor.get("/sign-in").all("//input[@name='csrf_token']")[0].get("value")
    return visitor.client.post(url, data={"csrf_token": csrf, **fields}, headers=visitor.headers)


def _standing(service: Service, host: str) -> tuple[str, str]:
    record = service.services.instances.get(OPERATOR, host)
    return record.standing.value, record.reason


def test_servers_are_approved_blocked_and_let_in_again(service: Service, chief: Visitor) -> None:
    host = "net.college.example"
    answer = _send(chief, SERVERS, host=host, standing="approved")
    page = chief.get(answer.location)
    assert "It is approved" in page.one("//*[@role='status']").text_content()
    assert "0 entries" in page.text
    assert _standing(service, host) == ("approved", "")
    assert "1 server approved" in chief.get("/look-after").text

    refused = _send(chief, SERVERS, host=host, standing="blocked", reason="  ")
    assert (refused.status_code, "Say in a few words why" in refused.text) == (422, True)
    _send(chief, SERVERS, host=host, standing="blocked", reason="Sends <b>advertisements</b>.")
    assert _standing(service, host) == ("blocked", "Sends <b>advertisements</b>.")
    assert "Sends <b>advertisements</b>." in chief.get(f"{SERVERS}?standing=blocked").text
    assert host not in chief.get(f"{SERVERS}?standing=approved").text
    _send(chief, SERVERS, host=host, standing="known")
    assert _standing(service, host) == ("known", "")


@pytest.mark.parametrize(
    "fields",
    [{"host": "https://x.example/", "standing": "approved"}, {"host": "x.example", "standing": "adored"}, {}],
)
def test_what_is_no_server_is_said_so(service: Service, chief: Visitor, fields: dict[str, str]) -> None:
    with nothing_changes(service):
        answer = _send(chief, SERVERS, **fields)
    assert answer.status_code == 422
    page = Page(answer)
    assert page.one("//*[@role='alert']").text_content().strip()
    assert page.one("//input[@id='host']").get("value") == fields.get("host", "")


def test_actors_are_blocked_and_let_in_again(service: Service, chief: Visitor) -> None:
    _send(chief, ACTORS, actor=MALLORY, do="block", reason="Insults people.")
    page = chief.get(ACTORS)
    assert MALLORY in page.text
    assert "Insults people." in page.text
    for wrong in ({"actor": "mallory", "do": "block", "reason": "x"}, {"actor": MALLORY, "do": "block"}, {}):
        assert _send(chief, ACTORS, **wrong).status_code == 422
    answer = _send(chief, ACTORS, actor=MALLORY, do="unblock")
    assert "not blocked any more" in chief.get(answer.location).text
    assert "Nobody is blocked" in chief.get(ACTORS).text
    assert _send(chief, ACTORS, actor=MALLORY, do="unblock").status_code == 404


def test_everybody_searches_the_index(service: Service, moderator: Visitor, tmp_path: Path) -> None:
    """Each leads to its home, whose host is said; a moderator hides one and brings it back."""
    Maker(service, tmp_path).network_entry(hidden=False)
    service.services.network_indexer.follow()  # type: ignore[union-attr]
    visitor = Visitor(service)
    page = visitor.get("/network?q=rivers")
    assert page.links()["Rivers"] == "https://peer.example/"
    assert "Resource at peer.example" in page.text
    assert "1 entry" in page.text
    assert page.links()["peer.example 1 (1 entry)"] == "/network?q=rivers&host=peer.example"
    assert "Rivers" not in visitor.get("/network?kind=user").links()
    assert visitor.client.get("/network?cursor=nonsense", headers=visitor.headers).status_code == 303
    assert "not reachable" not in page.text
    assert not page.all("//form[@method='post' and contains(@action, 'look-after')]")

    refused = moderator.send("/network?q=rivers", HIDDEN, do="hide", reason=" ")
    assert (refused.status_code, "Say in a few words" in refused.text) == (422, True)
    answer = moderator.send("/network?q=rivers", HIDDEN, do="hide", reason="Out of date.")
    assert "Out of date." in moderator.get(answer.location).text
    by_api = json_of(service.client(service.token("mod2", role=Role.MODERATOR)).get(HIDDEN_BY_API))["items"]
    assert [(one["entry"]["name"], one["reason"]) for one in by_api] == [("Rivers", "Out of date.")]
    assert "Rivers" not in visitor.get("/network").links()
    answer = moderator.send(HIDDEN, HIDDEN, do="show")
    assert "Nothing is hidden" in moderator.get(answer.location).text
    assert "Rivers" in visitor.get("/network").links()


def test_what_cannot_be_reached_is_marked(service: Service, tmp_path: Path) -> None:
    Maker(service, tmp_path).network_entry(hidden=False)
    with service.services.database.write() as session:
        instance_of(session, "peer.example").unreachable_at = now()
    service.services.network_indexer.follow()  # type: ignore[union-attr]
    assert "not reachable now" in Visitor(service).get("/network").text


@pytest.mark.parametrize("role", [None, Role.MEMBER, Role.MODERATOR])
def test_nobody_else_decides(service: Service, role: Role | None, tmp_path: Path) -> None:
    """Whatever they send; moderators decide about entries alone."""
    entry = str(Maker(service, tmp_path).network_entry(hidden=False))
    hidden = str(Maker(service, tmp_path).network_entry(hidden=True))
    service.services.instances.decide(OPERATOR, "spam.example", Standing.BLOCKED)
    visitor = Visitor(service, None if role is None else service.token("other", role=role))
    more = {"role": "administrator", "scope": "administration", "account_id": "1"}
    sent = [
        (SERVERS, {"host": "peer.example", "standing": "blocked", "reason": "x"}),
        (SERVERS, {"host": "spam.example", "standing": "approved"}),
        (ACTORS, {"actor": MALLORY, "do": "block", "reason": "x"}),
        (ACTORS, {"actor": MALLORY, "do": "unblock"}),
    ]
    if role is not Role.MODERATOR:
        sent += [(HIDDEN, {"entry": entry, "do": "hide", "reason": "x"})]
        sent += [(HIDDEN, {"entry": hidden, "do": "show"})]
    with nothing_changes(service):
        for url, fields in sent:
            answer = _send(visitor, url, **fields, **more)
            assert answer.status_code == (401 if role is None else 403), (url, fields)


@pytest.mark.parametrize("url", [SERVERS, ACTORS, HIDDEN])
def test_a_form_of_another_site_changes_nothing(
    service: Service, chief: Visitor, url: str, tmp_path: Path
) -> None:
    entry = str(Maker(service, tmp_path).network_entry(hidden=False))
    fields = {"host": "x.example", "standing": "approved", "actor": MALLORY, "entry": entry, "reason": "x"}
    deed = {"do": "hide" if url == HIDDEN else "block"}
    with nothing_changes(service):
        answer = chief.client.post(url, data={**fields, **deed}, headers=chief.headers)
    assert answer.status_code == 400


def test_a_mirror_searches_and_decides_nothing(make_service: MakeService) -> None:
    mirror = Visitor(make_service(read_only=True))
    assert "Nothing of other servers is known yet" in mirror.get("/network").text
    for url in (SERVERS, ACTORS, HIDDEN):
        mirror.get(url, 403)
        answer = mirror.client.post(url, data={"do": "show"}, headers=mirror.headers)
        assert answer.status_code == 403
