"""Webhooks: what is sent to whom, by what signature, and what becomes of what is not taken."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from repo_service.domain.identity import Role
from repo_service.models import Webhook, WebhookDelivery
from repo_service.models.base import now
from repo_service.services.erasing import Shared
from repo_service.services.notifying import DISABLED_AFTER, WAITS
from repo_service.services.webhook_messages import KEPT_FOR
from repo_service.services.webhooks import MAX_WEBHOOKS
from tests.contract.consenting import connect_site, tokens_of
from tests.contract.support import count, pointers, problem_of, publish, share
from tests.federation.hosts import Host, answer, redirect, serving
from tests.support.service import OPERATOR, MakeService, Service, json_of
from tests.support.services import free_port
from tests.web.visitor import Visitor

TAKEN = answer(status="204 No Content", content_type=None)
ALL = ["resource.inspected", "resource.released", "resource.withdrawn"]
_DOCS = Path(__file__).resolve().parents[2] / "docs" / "webhooks.md"


@pytest.fixture
def hq(make_service: MakeService) -> Service:
    """A service that may speak with this very machine."""
    return make_service(federation_loopback=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def any_hq(request: pytest.FixtureRequest, make_service: MakeService) -> Service:
    """One on either database."""
    if request.param == "sqlite":
        return make_service(federation_loopback=True)
    return make_service(federation_loopback=True, database_url=request.getfixturevalue("postgres_database")())


@pytest.fixture
def host() -> Iterator[Host]:
    """Somebody's server, which takes everything at /hook."""
    with serving() as made:
        made.replies["/hook"] = TAKEN
        yield made


def _register(client: FlaskClient, host: Host, events: Any = ALL, **more: Any) -> dict[str, Any]:
    given = {"url": host.url("/hook"), "events": events, **more}
    made: dict[str, Any] = json_of(client.post("/api/v1/webhooks", json=given), 201)
    return made


def _messages(host: Host) -> list[dict[str, Any]]:
    return [json.loads(request.partition(b"\r\n\r\n")[2]) for request in host.requests]


def _types(host: Host) -> list[str]:
    return [message["type"] for message in _messages(host)]


def _headers(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def _deliveries(client: FlaskClient, webhook: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    found = json_of(client.get(f"/api/v1/webhooks/{webhook['id']}/deliveries{query}"))
    items: list[dict[str, Any]] = found["items"]
    return items


def _later(hq: Service, by: timedelta) -> None:
    """Let time pass for what waits, then do what a worker does each minute."""
    with hq.services.database.write() as session:
        for row in session.scalars(select(WebhookDelivery)):
            row.next_try_at = row.next_try_at and row.next_try_at - by
        for webhook in session.scalars(select(Webhook)):
            webhook.failing_since = webhook.failing_since and webhook.failing_since - by
    hq.services.notifier.enqueue_due()
    hq.work()


class TestWhatIsSent:
    def test_the_life_of_a_resource(self, any_hq: Service, host: Host) -> None:
        teacher = any_hq.member()
        webhook = _register(teacher, host)
        resource = publish(any_hq, teacher)
        teacher.post(f"/api/v1/resources/{resource['id']}/withdraw", json={"reason": "old"})
        any_hq.work()
        teacher.post(f"/api/v1/resources/{resource['id']}/restore")
        any_hq.work()
        assert _types(host) == [*ALL, "resource.released"]
        for message in _messages(host):
            told = message["data"]["resource"]
            assert told == {name: resource[name] for name in ("id", "url", "api_url")}
        shown = _deliveries(teacher, webhook)
        assert [one["state"] for one in shown] == ["delivered"] * 4
        assert [one["message"] for one in reversed(shown)] == _messages(host)
        assert {one["answered"] for one in shown} == {204}

    def test_only_what_was_asked_for_and_nothing_of_before(self, hq: Service, host: Host) -> None:
        teacher = hq.member()
        publish(hq, teacher, b"1")
        _register(teacher, host, ["resource.withdrawn"])
        publish(hq, teacher, b"2")
        assert host.requests == []

    def test_it_is_signed_as_standard_webhooks_are(self, hq: Service, host: Host) -> None:
        teacher = hq.member()
        webhook = _register(teacher, host)
        json_of(teacher.post(f"/api/v1/webhooks/{webhook['id']}/ping"), 202)
        hq.work()
        (request,) = host.requests
        headers, body = _headers(request), request.partition(b"\r\n\r\n")[2]
        assert headers["content-type"] == "application/json"
        assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
        key = base64.b64decode(webhook["secret"].removeprefix("whsec_"))
        assert len(key) == 32
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        assert headers["webhook-id"] == _deliveries(teacher, webhook)[0]["id"]

    def test_a_new_secret_signs_from_then_on(self, hq: Service, host: Host) -> None:
        teacher = hq.member()
        webhook = _register(teacher, host)
        renewed = json_of(teacher.post(f"/api/v1/webhooks/{webhook['id']}/secret"))
        assert renewed["secret"] != webhook["secret"]
        assert "secret" not in json_of(teacher.get(f"/api/v1/webhooks/{webhook['id']}"))
        assert "whsec_" not in teacher.get("/api/v1/webhooks").text
        with hq.services.database.read() as session:
            assert renewed["secret"].encode() not in session.scalars(select(Webhook.secret)).one()
        teacher.post(f"/api/v1/webhooks/{webhook['id']}/ping")
        hq.work()
        headers, body = _headers(host.requests[0]), host.requests[0].partition(b"\r\n\r\n")[2]
        key = base64.b64decode(renewed["secret"].removeprefix("whsec_"))
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        assert base64.b64encode(hmac.digest(key, signed, "sha256")).decode() in headers["webhook-signature"]


class TestWhoMayKnow:
    def test_drafts_of_others_are_nobodys_business(self, hq: Service, host: Host) -> None:
        _register(hq.member("ada"), host, reach="public")
        bob = hq.member("bob")
        draft = share(bob)
        hq.work()
        bob.post(f"/api/v1/resources/{draft['id']}/withdraw", json={"reason": "none"})
        hq.work()
        assert host.requests == []

    def test_what_is_public_is_told_to_whoever_wants_all_of_it(self, hq: Service, host: Host) -> None:
        _register(hq.member("ada"), host, reach="public")
        bob = hq.member("bob")
        resource = publish(hq, bob)
        bob.post(f"/api/v1/resources/{resource['id']}/withdraw", json={"reason": "old"})
        hq.work()
        assert _types(host) == ["resource.released", "resource.withdrawn"]

    def test_without_that_only_ones_own(self, hq: Service, host: Host) -> None:
        _register(hq.member("ada"), host)
        publish(hq, hq.member("bob"))
        assert host.requests == []

    def test_reports_are_for_moderators(self, hq: Service, host: Host) -> None:
        teacher = hq.member()
        refused = teacher.post(
            "/api/v1/webhooks", json={"url": host.url("/hook"), "events": ["resource.reported"]}
        )
        problem_of(refused, "forbidden")
        own = _register(teacher, host)
        more = teacher.patch(f"/api/v1/webhooks/{own['id']}", json={"events": ["resource.reported"]})
        problem_of(more, "forbidden")
        moderator = hq.client(hq.token("mo", Role.MODERATOR))
        _register(moderator, host, ["resource.reported"])
        resource = publish(hq, teacher)
        host.requests.clear()
        reported = {"reason": "harmful", "words": "Something private about somebody."}
        json_of(hq.client().post(f"/api/v1/resources/{resource['id']}/reports", json=reported), 201)
        hq.work()
        (message,) = _messages(host)
        assert message["type"] == "resource.reported"
        assert message["data"]["resource"]["id"] == resource["id"]
        assert message["data"]["report"]["reason"] == "harmful"
        assert "private" not in json.dumps(message)

    def test_who_moderates_no_more_is_told_no_more(self, hq: Service, host: Host) -> None:
        """Neither of what happens after that, nor of what waits."""
        moderator = hq.client(hq.token("mo", Role.MODERATOR))
        webhook = _register(moderator, host, ["resource.reported"])
        host.replies["/hook"] = answer(status="500 Internal Server Error")
        resource = publish(hq, hq.member())
        reported = {"reason": "harmful", "words": "Look at it."}
        json_of(hq.client().post(f"/api/v1/resources/{resource['id']}/reports", json=reported), 201)
        hq.work()
        assert len(host.requests) == 1
        account = json_of(moderator.get("/api/v1/me"))
        hq.services.accounts.change(OPERATOR, UUID(account["id"]), role=Role.MEMBER)
        json_of(hq.client().post(f"/api/v1/resources/{resource['id']}/reports", json=reported), 201)
        _later(hq, WAITS[0] * 2)
        assert len(host.requests) == 1
        assert [one["state"] for one in _deliveries(moderator, webhook)] == ["failed"]

    def test_who_is_blocked_is_told_nothing(self, hq: Service, host: Host) -> None:
        ada = hq.member("ada")
        _register(ada, host, reach="public")
        account = json_of(ada.get("/api/v1/me"))
        hq.services.accounts.change(OPERATOR, UUID(account["id"]), blocked=True)
        publish(hq, hq.member("bob"))
        assert host.requests == []

    def test_a_site_has_those_that_it_made_as_long_as_it_is_connected(self, hq: Service, host: Host) -> None:
        token = hq.token("teacher")
        teacher = hq.client(token)
        own = _register(teacher, host, ["resource.withdrawn"])
        scope = "resources:read resources:write"
        tokens = tokens_of(hq, connect_site(hq), Visitor(hq, token), scope=scope)
        site = hq.client(tokens["access_token"])
        theirs = _register(site, host, ["resource.released"])
        assert [one["id"] for one in json_of(site.get("/api/v1/webhooks"))["items"]] == [theirs["id"]]
        problem_of(site.get(f"/api/v1/webhooks/{own['id']}"), "not-found")
        problem_of(site.delete(f"/api/v1/webhooks/{own['id']}"), "not-found")
        assert len(json_of(teacher.get("/api/v1/webhooks"))["items"]) == 2
        publish(hq, teacher, b"1")
        assert _types(host) == ["resource.released"]
        json_of(teacher.delete(f"/api/v1/me/sites/{theirs['client_id']}"), 204)
        publish(hq, teacher, b"2")
        assert _types(host) == ["resource.released"]

    def test_an_instance_is_told_of_what_it_sent_for_its_members(self, any_hq: Service, host: Host) -> None:
        """As long as each of them lets it: and not of what they shared in other ways."""
        moodle, scope = connect_site(any_hq), "resources:read resources:write"
        visitors = {name: any_hq.token(name) for name in ("instance", "ada", "bob")}

        def site(name: str) -> FlaskClient:
            tokens = tokens_of(any_hq, moodle, Visitor(any_hq, visitors[name]), scope=scope)
            return any_hq.client(tokens["access_token"])

        _register(site("instance"), host, ["resource.inspected"], reach="client")
        sent = [share(site(name), name.encode())["id"] for name in ("ada", "bob")]
        share(any_hq.client(visitors["ada"]), b"by herself")
        any_hq.work()
        assert [message["data"]["resource"]["id"] for message in _messages(host)] == sent
        host.requests.clear()
        last = share(site("ada"), b"once more")
        json_of(any_hq.client(visitors["ada"]).delete(f"/api/v1/me/sites/{moodle.client_id}"), 204)
        any_hq.work()
        assert host.requests == []
        refused = any_hq.client(visitors["ada"]).post(
            "/api/v1/webhooks", json={"url": host.url("/hook"), "events": ALL, "reach": "client"}
        )
        assert pointers(problem_of(refused, "invalid-input")) == ["/reach"]
        assert last["owner"] == "ada"

    def test_whoever_leaves_takes_them_along(self, hq: Service, host: Host) -> None:
        teacher = hq.member()
        webhook = _register(teacher, host)
        json_of(teacher.post(f"/api/v1/webhooks/{webhook['id']}/ping"), 202)
        me = json_of(teacher.get("/api/v1/me"))
        hq.services.erasing.erase(OPERATOR, UUID(me["id"]), shared=Shared.LEAVE)
        hq.work()
        assert (count(hq.services, "webhooks"), count(hq.services, "webhook_deliveries")) == (0, 0)
        assert host.requests == []


class TestWhatIsNotTaken:
    def test_it_is_tried_again_later_each_time_then_it_has_failed(self, hq: Service, host: Host) -> None:
        host.replies["/hook"] = answer(status="500 Internal Server Error")
        teacher = hq.member()
        webhook = _register(teacher, host)
        json_of(teacher.post(f"/api/v1/webhooks/{webhook['id']}/ping"), 202)
        hq.work()
        for tried, planned in enumerate(WAITS, start=1):
            (shown,) = _deliveries(teacher, webhook)
            assert (shown["state"], shown["attempts"], shown["answered"]) == ("waiting", tried, 500)
            with hq.services.database.read() as session:
                next_try_at = session.scalars(select(WebhookDelivery.next_try_at)).one()
            assert next_try_at is not None
            wait = next_try_at - now()
            assert planned * 0.74 < wait < planned * 1.26
            with hq.services.database.write() as session:  # it fails, but not for five days
                session.scalars(select(Webhook)).one().failing_since = now()
            _later(hq, wait + timedelta(seconds=1))
        (shown,) = _deliveries(teacher, webhook, "?state=failed")
        assert shown["attempts"] == len(host.requests) == len(WAITS) + 1
        assert shown["reason"] == "It answers 500."
        assert _deliveries(teacher, webhook, "?state=waiting") == []
        ids = {_headers(request)["webhook-id"] for request in host.requests}
        assert ids == {shown["id"]}

    def test_what_failed_is_sent_once_more_by_the_same_id(self, hq: Service, host: Host) -> None:
        host.replies["/hook"] = answer(status="500 Internal Server Error")
        teacher = hq.member()
        webhook = _register(teacher, host)
        ping = json_of(teacher.post(f"/api/v1/webhooks/{webhook['id']}/ping"), 202)
        hq.work()
        host.replies["/hook"] = TAKEN
        path = f"/api/v1/webhooks/{webhook['id']}/deliveries/{ping['id']}/replay"
        again = json_of(teacher.post(path), 202)
        assert (again["id"], again["state"], again["attempts"]) == (ping["id"], "waiting", 0)
        hq.work()
        (shown,) = _deliveries(teacher, webhook)
        assert (shown["state"], shown["attempts"], shown["reason"]) == ("delivered", 1, None)
        json_of(teacher.post(path), 202)
        hq.work()
        assert [_headers(request)["webhook-id"] for request in host.requests] == [ping["id"]] * 3

    def test_one_that_is_away_is_asked_once_not_for_each_message(self, any_hq: Service, host: Host) -> None:
        host.replies["/hook"] = answer(status="503 Service Unavailable", headers={"Retry-After": "7200"})
        teacher = any_hq.member()
        webhook = _register(teacher, host)
        for _ in range(5):
            json_of(teacher.post(f"/api/v1/webhooks/{webhook['id']}/ping"), 202)
        any_hq.work()
        assert len(host.requests) == 1
        _later(any_hq, timedelta(hours=1))
        assert len(host.requests) == 1
        host.replies["/hook"] = TAKEN
        _later(any_hq, timedelta(hours=2))
        assert {one["state"] for one in _deliveries(teacher, webhook)} == {"delivered"}
        assert json_of(teacher.get(f"/api/v1/webhooks/{webhook['id']}"))["failing_since"] is None

    def test_one_that_is_gone_is_disabled_and_can_be_enabled(self, any_hq: Service, host: Host) -> None:
        host.replies["/hook"] = answer(status="410 Gone")
        teacher = any_hq.member()
        webhook = _register(teacher, host)
        path = f"/api/v1/webhooks/{webhook['id']}"
        ping = json_of(teacher.post(f"{path}/ping"), 202)
        json_of(teacher.post(f"{path}/ping"), 202)
        any_hq.work()
        shown = json_of(teacher.get(path))
        assert (shown["state"], shown["reason"]) == ("disabled", "It answers 410: it is gone.")
        assert [one["state"] for one in _deliveries(teacher, webhook)] == ["failed", "failed"]
        problem_of(teacher.post(f"{path}/ping"), "conflict")
        problem_of(teacher.post(f"{path}/deliveries/{ping['id']}/replay"), "conflict")
        host.replies["/hook"] = TAKEN
        publish(any_hq, teacher, b"1")
        assert len(host.requests) == 1
        assert json_of(teacher.patch(path, json={"enabled": True}))["state"] == "active"
        publish(any_hq, teacher, b"2")
        assert _types(host)[1:] == ["resource.inspected", "resource.released"]

    def test_one_that_takes_nothing_for_days_is_disabled(self, hq: Service, host: Host) -> None:
        host.replies["/hook"] = answer(status="404 Not Found")
        teacher = hq.member()
        webhook = _register(teacher, host)
        json_of(teacher.post(f"/api/v1/webhooks/{webhook['id']}/ping"), 202)
        hq.work()
        _later(hq, DISABLED_AFTER)
        assert json_of(teacher.get(f"/api/v1/webhooks/{webhook['id']}"))["state"] == "disabled"

    def test_a_redirect_is_not_followed(self, hq: Service, host: Host) -> None:
        host.replies["/hook"] = redirect(host.url("/elsewhere"))
        teacher = hq.member()
        webhook = _register(teacher, host)
        json_of(teacher.post(f"/api/v1/webhooks/{webhook['id']}/ping"), 202)
        hq.work()
        assert len(host.requests) == 1
        (shown,) = _deliveries(teacher, webhook)
        assert (shown["state"], shown["reason"]) == ("waiting", "It leads elsewhere.")

    def test_where_nobody_listens(self, hq: Service) -> None:
        teacher = hq.member()
        webhook = _register(teacher, Host(port=free_port()))
        json_of(teacher.post(f"/api/v1/webhooks/{webhook['id']}/ping"), 202)
        hq.work()
        assert _deliveries(teacher, webhook)[0]["reason"] == "It does not answer."

    def test_messages_are_forgotten_after_a_month(self, hq: Service, host: Host) -> None:
        teacher = hq.member()
        webhook = _register(teacher, host)
        json_of(teacher.post(f"/api/v1/webhooks/{webhook['id']}/ping"), 202)
        with hq.services.database.write() as session:
            session.scalars(select(WebhookDelivery)).one().created_at -= KEPT_FOR
        hq.services.notifier.tidy()
        assert _deliveries(teacher, webhook) == []


class TestRefusals:
    @pytest.mark.parametrize(
        "url",
        [
            "http://school.example/hook",
            "https://school.example:8443/hook",
            "https://127.0.0.1/hook",
            "https://[::1]/hook",
            "https://169.254.169.254/latest",
            "https://10.0.0.1/",
            "https://2130706433/",
            "https://user:secret@school.example/",
            "ftp://school.example/",
            "hook",
        ],
    )
    def test_addresses_that_nothing_is_sent_to(self, make_service: MakeService, url: str) -> None:
        hq = make_service()
        teacher = hq.member()
        refused = teacher.post("/api/v1/webhooks", json={"url": url, "events": ALL})
        assert pointers(problem_of(refused, "invalid-input")) == ["/url"]
        good = json_of(
            teacher.post("/api/v1/webhooks", json={"url": "https://school.example/", "events": ALL}), 201
        )
        refused = teacher.patch(f"/api/v1/webhooks/{good['id']}", json={"url": url})
        assert pointers(problem_of(refused, "invalid-input")) == ["/url"]

    def test_a_name_that_means_our_own_network_is_not_called(self, make_service: MakeService) -> None:
        """Seen only when something is sent: whoever has the name decides what it means at any time."""
        hq = make_service()
        teacher = hq.member()
        given = {"url": "https://localhost/hook", "events": ALL}
        webhook = json_of(teacher.post("/api/v1/webhooks", json=given), 201)
        json_of(teacher.post(f"/api/v1/webhooks/{webhook['id']}/ping"), 202)
        hq.work()
        (shown,) = _deliveries(teacher, webhook)
        assert shown["reason"] == "It leads to where we do not go."

    @pytest.mark.parametrize(
        ("given", "pointer"),
        [
            ({"events": []}, "/events"),
            ({"events": ["webhook.ping"]}, "/events/0"),
            ({"events": ["resource.eaten"]}, "/events/0"),
            ({"reach": "all"}, "/reach"),
            ({"secret": "mine"}, "/secret"),
            ({"url": "https://a.example/" + "x" * 2000}, "/url"),
        ],
    )
    def test_what_is_no_webhook(self, hq: Service, host: Host, given: dict[str, Any], pointer: str) -> None:
        whole = {"url": host.url("/hook"), "events": ALL, **given}
        problem = problem_of(hq.member().post("/api/v1/webhooks", json=whole), "invalid-input")
        assert pointers(problem) == [pointer]
        assert count(hq.services, "webhooks") == 0

    def test_those_of_others_are_not_there(self, hq: Service, host: Host) -> None:
        ada, bob = hq.member("ada"), hq.member("bob")
        mine, other = _register(ada, host), _register(bob, host)
        ping = json_of(ada.post(f"/api/v1/webhooks/{mine['id']}/ping"), 202)
        path = f"/api/v1/webhooks/{mine['id']}"
        for response in (
            bob.get(path),
            bob.patch(path, json={"enabled": False}),
            bob.delete(path),
            bob.post(f"{path}/secret"),
            bob.post(f"{path}/ping"),
            bob.get(f"{path}/deliveries"),
            bob.post(f"{path}/deliveries/{ping['id']}/replay"),
            bob.post(f"/api/v1/webhooks/{other['id']}/deliveries/{ping['id']}/replay"),
        ):
            problem_of(response, "not-found")
        assert json_of(ada.get(path))["state"] == "active"

    def test_tokens_that_lack_the_scope(self, hq: Service, host: Host) -> None:
        token = hq.token("teacher")
        teacher = hq.client(token)
        webhook = _register(teacher, host)
        given = {"name": "reads", "scopes": ["resources:read"]}
        reader = hq.client(json_of(teacher.post("/api/v1/me/tokens", json=given), 201)["secret"])
        path = f"/api/v1/webhooks/{webhook['id']}"
        json_of(reader.get(path))
        for response in (
            reader.post("/api/v1/webhooks", json={"url": host.url("/hook"), "events": ALL}),
            reader.patch(path, json={"enabled": False}),
            reader.delete(path),
            reader.post(f"{path}/secret"),
            reader.post(f"{path}/ping"),
        ):
            problem_of(response, "insufficient-scope")
        problem_of(hq.client().get("/api/v1/webhooks"), "unauthorised")

    def test_not_more_than_an_account_may_have(self, hq: Service, host: Host) -> None:
        teacher = hq.member()
        made = [_register(teacher, host) for _ in range(MAX_WEBHOOKS)]
        one_more = {"url": host.url("/hook"), "events": ALL}
        problem_of(teacher.post("/api/v1/webhooks", json=one_more), "conflict")
        json_of(teacher.delete(f"/api/v1/webhooks/{made[0]['id']}"), 204)
        json_of(teacher.post("/api/v1/webhooks", json=one_more), 201)

    def test_pings_are_bounded(self, hq: Service, host: Host) -> None:
        teacher = hq.member()
        webhook = _register(teacher, host)
        statuses = [teacher.post(f"/api/v1/webhooks/{webhook['id']}/ping").status_code for _ in range(25)]
        assert statuses[:20] == [202] * 20
        assert statuses[-1] == 429


def test_what_waits_survives_and_nothing_is_queued_twice(hq: Service, host: Host) -> None:
    teacher = hq.member()
    webhook = _register(teacher, host)
    share(teacher, licence="CC-BY-4.0", release=True)
    hq.work()
    hq.services.webhook_follower.follow()
    hq.work()
    assert len(_deliveries(teacher, webhook)) == len(host.requests) == 2


class TestTheWorkedExample:
    """The receiver of docs/webhooks.md, letter by letter, as a program."""

    @pytest.fixture
    def source(self) -> str:
        (found,) = re.findall(r"```python\n(.*?)```", _DOCS.read_text("utf-8"), re.DOTALL)
        return str(found)

    def test_it_takes_what_we_send_and_nothing_else(self, hq: Service, source: str, tmp_path: Path) -> None:
        teacher, port = hq.member(), free_port()
        webhook = _register(teacher, Host(port=port))
        environment = {**os.environ, "WEBHOOK_SECRET": webhook["secret"], "PORT": str(port)}
        with (tmp_path / "said").open("wb") as said:
            receiver = subprocess.Popen(
                [sys.executable, "-c", source], env=environment, stdout=said, stderr=subprocess.DEVNULL
            )
            try:
                _wait_for(port)
                resource = publish(hq, teacher)
                ping = json_of(teacher.post(f"/api/v1/webhooks/{webhook['id']}/ping"), 202)
                hq.work()
                path = f"/api/v1/webhooks/{webhook['id']}/deliveries/{ping['id']}/replay"
                json_of(teacher.post(path), 202)
                hq.work()
                json_of(teacher.post(f"/api/v1/webhooks/{webhook['id']}/secret"))
                json_of(teacher.post(f"/api/v1/webhooks/{webhook['id']}/ping"), 202)
                hq.work()
            finally:
                receiver.terminate()
                receiver.wait()
        newest, *taken = _deliveries(teacher, webhook)
        assert (newest["state"], newest["answered"]) == ("waiting", 403)
        assert {one["state"] for one in taken} == {"delivered"}
        lines = (tmp_path / "said").read_text().splitlines()
        assert [line.split(" ")[0] for line in lines] == [
            "resource.inspected",
            "resource.released",
            "webhook.ping",
        ]
        assert resource["id"] in lines[1]


def _wait_for(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("nobody listens")
