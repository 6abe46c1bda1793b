"""WebFinger as Moodle asks it, and as RFC 7033 wants it answered."""

from __future__ import annotations

import pytest

from tests.contract.support import problem_of, publish, share
from tests.moodle_plugin_bridge.moodle import USER_AGENT
from tests.support.service import OPERATOR, MakeService, Service, json_of

_PROFILE_PAGE = "http://webfinger.net/rel/profile-page"
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
        "https://resources.example:8443/people/ada",
    ],
)
def test_somebody_who_is_known_to_all(known: Service, resource: str) -> None:
    answer = known.client().get(_address(resource), headers=_RECORDED)
    account = known.services.accounts.find(OPERATOR, "ada")
    actor = f"https://resources.example:8443/ap/accounts/{account.id}"
    page = "https://resources.example:8443/people/ada"
    assert json_of(answer) == {
        "subject": "acct:ada@resources.example:8443",
        "aliases": [actor, page],
        "links": [
            {"rel": "self", "type": "application/activity+json", "href": actor},
            {"rel": _PROFILE_PAGE, "type": "text/html", "href": page},
        ],
    }
    assert answer.mimetype == "application/jrd+json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_the_links_that_are_asked_for(known: Service) -> None:
    """RFC 7033, section 4.3."""
    for asked, relations in (
        ("self", ["self"]),
        (_PROFILE_PAGE, [_PROFILE_PAGE]),
        (f"{_PROFILE_PAGE}&rel=self&rel=x", ["self", _PROFILE_PAGE]),
        ("x", []),
    ):
        answer = known.client().get(f"{_address('acct:ada@resources.example:8443')}&rel={asked}")
        found = json_of(answer)
        assert [link["rel"] for link in found["links"]] == relations
        assert len(found["aliases"]) == 2


@pytest.mark.parametrize(
    "resource",
    [
        "acct:_service@resources.example:8443",
        "https://resources.example:8443/",
        "https://resources.example:8443",
        "https://resources.example:8443/ap/service",
    ],
)
def test_the_service_itself(known: Service, resource: str) -> None:
    """Also by its address alone, as FEP-d556 has it."""
    found = json_of(known.client().get(_address(resource)))
    assert found["subject"] == "acct:_service@resources.example:8443"
    links = {link["rel"]: link["href"] for link in found["links"]}
    actor = "https://resources.example:8443/ap/service"
    assert links == {
        "self": actor,
        _PROFILE_PAGE: "https://resources.example:8443/",
        "https://www.w3.org/ns/activitystreams#Service": actor,
    }


def test_each_actor_is_who_web_finger_says(known: Service) -> None:
    """By the address that its document names, and by its id; and collections by their pages, too."""
    ada = known.client(known.token("curator"))
    (resource,) = json_of(known.client().get("/api/v1/resources"))["items"]
    given = {"title": "Water", "visibility": "public"}
    made = json_of(ada.post("/api/v1/collections", json=given), 201)
    items = f"/api/v1/collections/{made['id']}/items"
    json_of(ada.post(items, json={"resource": resource["id"]}), 201)
    base = "https://resources.example:8443"
    for page in ("/people/ada", "/people/curator", f"/collections/{made['id']}", "/"):
        by_page = json_of(known.client().get(_address(f"{base}{page}")))
        actor = next(link["href"] for link in by_page["links"] if link["rel"] == "self")
        document = json_of(known.client().get(actor.removeprefix(base)))
        assert document["url"] == f"{base}{page}"
        assert json_of(known.client().get(_address(f"acct:{document['webfinger']}"))) == by_page
        assert json_of(known.client().get(_address(actor))) == by_page


def test_a_collection_that_nobody_sees_is_nobody(known: Service) -> None:
    curator = known.client(known.token("curator"))
    made = json_of(curator.post("/api/v1/collections", json={"title": "Private"}), 201)
    base = "https://resources.example:8443"
    for resource in (
        f"acct:_collection-{made['id']}@resources.example:8443",
        f"{base}/collections/{made['id']}",
        f"{base}/ap/collections/{made['id']}",
        "acct:_collection-x@resources.example:8443",
        f"acct:_collection-{made['id'].replace('-', '')}@resources.example:8443",
        f"{base}/ap/accounts/{made['id']}",
        f"{base}/accounts/{made['id']}",
        f"{base}/people/ben",
        f"{base}/ap",
        f"{base}.evil.example/people/ada",
        f"{base}/resources/{made['id']}",
    ):
        problem_of(known.client().get(_address(resource)), "not-found")


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
