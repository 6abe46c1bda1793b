"""Somebody who connects a Moodle with their account, in a browser without scripts."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from werkzeug.test import TestResponse

from tests.support.moodle import Moodle
from tests.support.service import Service, json_of
from tests.web.visitor import Visitor


def connect_site(service: Service, moodle: Moodle | None = None) -> Moodle:
    """A Moodle whose administrator has set it up: it looked around and registered."""
    moodle = moodle or Moodle()
    client = service.client()
    found = json_of(moodle.discover().to(client))
    return moodle.registered(json_of(moodle.register(found["scopes_supported"]).to(client), 201))


def decide(visitor: Visitor, url: str, decision: str) -> TestResponse:
    """Press one of the buttons of the page at ``url``."""
    form = visitor.get(url).tree.forms[-1]
    fields = {"csrf_token": form.fields["csrf_token"], "decision": decision}
    return visitor.client.post(form.action, data=fields, headers=visitor.headers)


def consent(visitor: Visitor, url: str) -> dict[str, str]:
    """Allow what ``url`` asks; returns the parameters that go back to the site."""
    answer = decide(visitor, url, "allow")
    assert answer.status_code == 303, answer.text
    return parameters_of(answer.location)


def parameters_of(url: str) -> dict[str, str]:
    """The query of an address, in which every name stands once."""
    found = parse_qs(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    assert all(len(values) == 1 for values in found.values()), url
    return {name: values[0] for name, values in found.items()}


def tokens_of(service: Service, moodle: Moodle, visitor: Visitor, **instead: str | None) -> Any:
    """The answer with tokens, after the person has allowed it."""
    code = consent(visitor, moodle.authorize(**instead))["code"]
    return json_of(moodle.trade_code(code).to(service.client()))
