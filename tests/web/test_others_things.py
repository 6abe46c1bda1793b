"""By id, and as a member like any other: nothing that somebody keeps to themselves is there.

Every route there is, is tried. What another keeps to themselves is answered as what never was, so nobody can
tell that there is something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from tests.contract.support import nothing_changes
from tests.support.service import Service
from tests.web.attacking import NOBODYS, Hand, World

_ANOTHERS: Final = "00000000-0000-7000-8000-000000000001"
_SAID: Final[dict[str, Any]] = {
    "accounts.change_account": {"display_name": "Mine"},
    "collections.add": {"resource": NOBODYS},
    "collections.change_item": {"note": "Mine"},
    "collections.describe": {"title": "Mine"},
    "collections.hide": {"reason": "x"},
    "compatibility.put": {"name": "Mine", "moodle": "4.1"},
    "direct.complete": {},
    "leaving.erase": {"shared": "withdraw"},
    "reports.report": {"reason": "other", "words": "x"},
    "reports.decide": {"decision": "hidden", "note": "x"},
    "resources.add_version": {"upload": NOBODYS},
    "resources.become_version": {"of": _ANOTHERS},
    "resources.describe": {"title": "Mine"},
    "resources.withdraw": {"reason": "x"},
    "sites.decide": {"state": "approved"},
    "webhooks.change": {"enabled": False},
}
"""Bodies that would be taken from whoever may send them."""

_ASKED: Final = {"compatibility.compatibility": "?moodle=4.5", "backups.changes": "?since=1"}
"""Queries without which there is no answer to anybody."""

_NEEDS_ANOTHER_STORE: Final = {"direct.complete", "direct.parts"}
"""See tests/contract/test_direct.py."""

_NOT_OF_A_DRAFT: Final = {
    *("reports.reports_of", "web.reports_of", "web.report_form", "web.reported"),
    *("web.embedded", "moodle.send", "web.changes"),
    *("activitypub.actor", "activitypub.outbox", "activitypub.followers", "activitypub.following"),
    *("activitypub.resource", "activitypub.activity", "activitypub.announcement", "activitypub.collected"),
}
"""Of a draft in its first version nobody has these, its owner included."""

_KINDS: Final = {"kind", "of"}
"""Arguments that say what an id is of."""

_TYPED: Final = {
    "title": "Mine",
    "reason": "other",
    "words": "x",
    "note": "x",
    "decision": "hidden",
    "role": "administrator",
    "quota": "10 GB",
    "do": "remove",
    "collection": "new",
    "state": "approved",
    "of": _ANOTHERS,
    "username": "teacher",
    "shared": "withdraw",
    "licence": "CC0-1.0",
}


@pytest.fixture
def world(service: Service, tmp_path: Path) -> World:
    made = World(service, tmp_path)
    made.draw(tmp_path)
    return made


def _private_rules(world: World) -> Iterator[tuple[Rule, str, dict[str, str]]]:
    """Each route and method, with the ids of what it could give away."""
    for rule in world.rules():
        if rule.endpoint in _NEEDS_ANOTHER_STORE:
            continue
        for ids in _ids(world, rule):
            for method in sorted((rule.methods or set()) - {"OPTIONS"}):
                yield rule, method, ids


def _ids(world: World, rule: Rule) -> Iterator[dict[str, str]]:
    """What is the teacher's and what an address of this route could name."""
    if named := world.named(rule):
        yield named
    if "client_id" in rule.arguments:
        yield {"client_id": world.site.client_id}
    if "id_" in rule.arguments:  # as in the address of an activity
        yield {"of": "resources", "id_": world.private["resource_id"]}
        yield {"of": "collections", "id_": world.private["collection_id"]}
    if "actor_id" in rule.arguments:
        yield {"kind": "collections", "actor_id": world.private["collection_id"]}


def _nobodys(ids: dict[str, str]) -> dict[str, str]:
    """An id of nothing for each."""
    return {
        name: value if name in _KINDS else f"{NOBODYS[:-1]}{number}"
        for number, (name, value) in enumerate(ids.items())
    }


def _ask(world: World, hand: Hand, rule: Rule, method: str, ids: dict[str, str]) -> TestResponse:
    """By the session where it is a page, else by the API token of the same person."""
    address = world.address(rule, **ids) + _ASKED.get(rule.endpoint, "")
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
    if method == "PATCH" and "upload_id" in ids:
        headers["Content-Type"] = "application/offset+octet-stream"
    if world.is_page(rule):
        return hand.send(address, _TYPED, method=method, **headers)
    body: dict[str, Any] = {"headers": headers}
    if rule.endpoint in _SAID:
        body = {"json": _SAID[rule.endpoint]}
    elif method in ("PUT", "PATCH"):
        body["data"] = b"x" * 1000
    return hand.api.open(address, method=method, **body)


def _words(answer: TestResponse, ids: dict[str, str]) -> str:
    """What an answer says, but for the ids that were asked for and what each answer has of its own."""
    told = f"{answer.status_code} {answer.headers.get('Location', '')} {answer.text}"
    for name, value in ids.items():
        told = told.replace(value, name)
    for own in (r'value="[\w.-]{80,}"', r'"request_id":\s*"[^"]*"', r"<code[^>]*>[\w-]{8,}</code>"):
        told = re.sub(own, "", told)
    return told


@pytest.mark.parametrize("who", ["stranger", None])
def test_what_another_keeps_is_answered_as_what_never_was(world: World, who: str | None) -> None:
    hand = Hand(world, who)
    tried, given_away = set(), []
    for rule, method, ids in _private_rules(world):
        with nothing_changes(world.service):
            there = _ask(world, hand, rule, method, ids)
            nowhere = _ask(world, hand, rule, method, _nobodys(ids))
        refused = there.status_code in (401, 403, 404)
        leads_back = method in ("GET", "HEAD") and there.status_code in (302, 303)
        told = (_words(there, ids), _words(nowhere, _nobodys(ids)))
        if not (refused or leads_back) or told[0] != told[1]:
            given_away.append((rule.endpoint, method, *told))
        tried.add((rule.endpoint, method))
    assert not given_away
    assert len(tried) > 120


def test_all_of_that_is_there_for_those_whom_it_is_for(world: World) -> None:
    """Else nothing would have been proved by its being refused to others."""
    hands = [Hand(world, who) for who in ("teacher", "chief")]
    found: dict[str, set[int]] = {}
    for rule, method, ids in _private_rules(world):
        if method == "GET" and rule.endpoint not in _NOT_OF_A_DRAFT:
            statuses = {_ask(world, hand, rule, method, ids).status_code for hand in hands}
            found.setdefault(rule.endpoint, set()).update(statuses)
    assert not {endpoint for endpoint, statuses in found.items() if not statuses & {200, 302, 303}}
