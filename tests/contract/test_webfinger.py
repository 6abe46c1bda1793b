"""WebFinger as Moodle asks it, and as RFC 7033 wants it answered."""

from __future__ import annotations

import pytest

from tests.contract.support import problem_of, publish, share
from tests.moodle_plugin_bridge.moodle import USER_AGENT
from tests.support.service import OPERATOR, MakeService, Service, json_of

_RECORDED = {
    "Accept": "*/*",
    "Accept-Encoding": "deflate, gzip, br, zstd",
    "User-Agent": USER_AGENT,
    "Connection": "keep-alive",
}


@pytest.fixture
def known(make_service: MakeService) -> Service:
    """A service at an unusual port, where ``ada`` has something public and ``ben`` has a draft."""
    service = make_service(base_url="https://resources.example:8443")
    publish(service, service.member("ada"))
    share(service.member("ben"))
    return service


def _address(resource: str) -> str:
    return f"/.well-known/webfinger?resource={resource}"


@pytest.mark.parametrize(
    "resource",
    [
        "acct:ada@resources.example:8443",
        "acct%3Aada%40resources.example%3A8443",
        "ACCT:Ada@Resources.Example:8443",
        "acct:ada@resources.example:8443&rel=http%3A%2F%2Fwebfinger.net%2Frel%2Fprofile-page",
    ],
)
def test_somebody_who_is_known_to_all(known: Service, resource: str) -> None:
    answer = known.client().get(_address(resource), headers=_RECORDED)
    assert json_of(answer) == {"subject": "acct:ada@resources.example:8443", "aliases": [], "links": []}
    assert answer.mimetype == "application/jrd+json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_the_usual_port_need_not_be_named(make_service: MakeService) -> None:
    service = make_service(base_url="https://resources.example")
    publish(service, service.member("ada"))
    for host in ("resources.example", "resources.example:443"):
        answer = service.client().get(_address(f"acct:ada@{host}"))
        assert json_of(answer)["subject"] == "acct:ada@resources.example"


@pytest.mark.parametrize(
    "resource",
    [
        "acct:nobody@resources.example:8443",
        "acct:ben@resources.example:8443",
        "acct:ada@resources.example",
        "acct:ada@other.example:8443",
        "acct:ada@resources.example:8443@evil.example",
        "acct:ada",
        "https://resources.example:8443/ada",
        "mailto:ada@resources.example:8443",
        "acct:ada@resources.example:" + "9" * 5000,
    ],
)
def test_nobody_here(known: Service, resource: str) -> None:
    """One who has an account and nothing public is told from nobody by nobody."""
    answer = known.client().get(_address(resource), headers=_RECORDED)
    problem = problem_of(answer, "not-found")
    assert problem["detail"] == "There is nobody of that name here."
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("name", ["ada%00", "%00", "a%0d%0ab", "%ED%A0%80", "%22%3E%3Cscript%3E", "a" * 3000])
def test_what_is_no_name(any_service: Service, name: str) -> None:
    """On either database: PostgreSQL refuses to look for NUL."""
    host = any_service.settings.base_url.partition("://")[2]
    problem_of(any_service.client().get(_address(f"acct:{name}@{host}")), "not-found")


def test_one_who_is_blocked_is_nobody(known: Service) -> None:
    account = known.services.accounts.find(OPERATOR, "ada")
    known.services.accounts.change(OPERATOR, account.id, blocked=True)
    problem_of(known.client().get(_address("acct:ada@resources.example:8443")), "not-found")


@pytest.mark.parametrize(
    "query", ["", "?resource=", "?resource=ada", "?rel=x", "?resource=@ada@resources.example"]
)
def test_what_is_no_question(known: Service, query: str) -> None:
    answer = known.client().get(f"/.well-known/webfinger{query}")
    problem_of(answer, "malformed-request")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
