"""What other sites make a browser send changes nothing, shows nothing, leads nowhere and is kept for nobody.

Every route there is, is tried. See test_safety.py for forms without the token of their session.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import pytest
from werkzeug.routing import Rule

from tests.contract.support import nothing_changes, publish
from tests.support.service import MakeService, Service
from tests.web.attacking import Hand, World
from tests.web.person import sign_up
from tests.web.visitor import Page, Visitor

_FOR_OTHER_SITES: Final = ("web.oembed", "well_known.", "activitypub.", "tus.")
"""What scripts of any site may read: these endpoints, and those that begin so."""

_SENT_BY_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
"""What another site can have a browser send without asking first (Fetch Standard, section 2.2.2)."""


@pytest.fixture
def world(service: Service, tmp_path: Path) -> World:
    return World(service, tmp_path)


def _methods(rule: Rule) -> list[str]:
    return sorted((rule.methods or set()) - {"OPTIONS"})


def test_the_api_knows_no_session(world: World) -> None:
    """An administrator's browser is answered there as anybody's."""
    chief, nobody = world.visitor("chief"), world.visitor(None)
    tried = 0
    for rule in world.rules():
        if world.is_page(rule) or rule.endpoint.endswith("static"):
            continue
        for method in _methods(rule):
            reads = method in ("GET", "HEAD")
            for kind in _SENT_BY_FORMS if method == "POST" else ("application/json",):
                sent: dict[str, Any] = {} if reads else {"data": b'{"title": "x"}', "content_type": kind}
                with nothing_changes(world.service):
                    answers = [
                        v.client.open(world.address(rule), method=method, **sent) for v in (chief, nobody)
                    ]
                assert len({answer.status_code for answer in answers}) == 1, (rule, method)
                assert not answers[0].headers.get("Set-Cookie"), rule
                if not reads:
                    assert answers[0].status_code >= 400, (rule, method)
                for answer in answers:
                    answer.close()
                tried += 1
    assert tried > 100


def test_looking_changes_nothing(world: World) -> None:
    """A picture or a link on another site can have any page be got."""
    for who in ("teacher", "chief"):
        visitor = world.visitor(who)
        for rule in world.rules():
            if world.is_page(rule) and "GET" in (rule.methods or ()):
                with nothing_changes(world.service):
                    visitor.client.get(f"{world.address(rule)}?do=delete&confirm=1", headers=visitor.headers)


def test_what_goes_with_every_answer(world: World) -> None:
    """Never sniffed, framed by nobody, read by no other site's scripts, and not kept for others."""
    seen = set()
    for who in ("chief", None):
        hand = Hand(world, who)
        for rule in world.rules():
            if rule.endpoint == "static":
                continue
            for answer in (
                hand.visitor.client.get(world.address(rule), headers=hand.visitor.headers),
                hand.api.get(world.address(rule), headers={"Origin": "https://evil.example"}),
                hand.api.options(world.address(rule), headers={"Origin": "https://evil.example"}),
            ):
                told, where = answer.headers, (who, rule, answer.status_code)
                assert told["X-Content-Type-Options"] == "nosniff", where
                policy = told["Content-Security-Policy"]
                card = rule.endpoint == "web.embedded" and answer.mimetype == "text/html" and answer.data
                framed = "*" if card and answer.status_code == 200 else "'none'"
                assert policy.endswith(("sandbox", f"frame-ancestors {framed}")), where
                assert "Access-Control-Allow-Credentials" not in told, where
                if not rule.endpoint.startswith(_FOR_OTHER_SITES):
                    assert "Access-Control-Allow-Origin" not in told, where
                if answer.cache_control.public:
                    assert not told.getlist("Set-Cookie"), where
                    assert "chief" not in answer.text, where
                seen.add(answer.status_code)
                answer.close()
    assert seen >= {200, 303, 401, 403, 404, 405}


@pytest.mark.parametrize("path", ["/feed.atom", "/sitemap.xml"])
def test_what_is_kept_for_everybody_is_the_same_for_everybody(world: World, path: str) -> None:
    """It says what it hangs on, and the choice of one reader is nobody else's."""
    visitor = world.visitor("teacher")
    answer = visitor.client.get(f"{path}?lang=de", headers={**visitor.headers, "Host": "evil.example"})
    assert answer.cache_control.public
    assert {"accept-language", "cookie"} <= {name.lower() for name in answer.vary}
    assert not answer.headers.getlist("Set-Cookie")
    assert "evil.example" not in answer.text
    assert "teacher" not in answer.text


@pytest.mark.parametrize(
    "header", ["Host", "X-Forwarded-Host", "Forwarded", "X-Original-URL", "X-Rewrite-URL"]
)
def test_no_answer_names_the_host_that_was_claimed(world: World, header: str) -> None:
    claimed = "host=evil.example" if header == "Forwarded" else "evil.example"
    for who in ("chief", None):
        visitor = world.visitor(who)
        for rule in world.rules():
            if "GET" not in (rule.methods or ()):
                continue
            answer = visitor.client.get(world.address(rule), headers={**visitor.headers, header: claimed})
            assert "evil.example" not in answer.headers.get("Location", ""), rule
            assert "evil.example" not in answer.text, rule
            answer.close()


def test_nothing_of_one_visitor_stays_for_another(world: World) -> None:
    """Parts of pages are kept for whoever comes next: not with what only this request held."""
    shared = publish(world.service, world.api("teacher"), b"Rivers.", title="Rivers")
    mark, rules = "evilmark", [rule for rule in world.rules() if "GET" in (rule.methods or ())]
    attacker = world.visitor("stranger")
    Hand(world, "stranger").send("/account/name", {"display_name": mark})
    site = f"https://{mark}.example"
    attacker.client.get(f"/lms/moodle/search?site={site}&course=2", headers=attacker.headers)
    told = {
        **attacker.headers,
        "Host": f"{mark}.example",
        "Referer": f"{site}/",
        "X-Forwarded-Prefix": f"/{mark}",
    }
    for rule in rules:
        address = world.address(rule, resource_id=shared["id"])
        attacker.client.get(f"{address}?q={mark}&next=/{mark}&_external=1", headers=told).close()
    for who in ("teacher", None):
        victim = world.visitor(who)
        for rule in rules:
            answer = victim.client.get(world.address(rule, resource_id=shared["id"]), headers=victim.headers)
            assert mark not in answer.text, rule
            assert mark not in str(answer.headers), rule
            answer.close()


# Where one is led

ELSEWHERE: Final = [
    "//evil.example/",
    "///evil.example/",
    "https://evil.example/",
    "https:evil.example",
    "/\\evil.example/",
    "\\\\evil.example",
    "/\t/evil.example/",
    "/\n/evil.example/",
    "\t//evil.example/",
    " //evil.example/",
    "/\r\nLocation: https://evil.example/",
    "/%0d%0aLocation:%20https://evil.example/",
    "/%2f%2fevil.example/",
    "/%5cevil.example/",
    "/.//evil.example/",
    "/..//evil.example/",
    "//evil.example@127.0.0.1:8080/",
    "http://127.0.0.1:8080@evil.example/",
    "http://127.0.0.1:8080.evil.example/",
    "@evil.example",
    "javascript:alert(1)",
    "JaVa\tScript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "/\u2028/evil.example/",
    "/\x00/evil.example/",
    "",
]


def _leads(location: str) -> str:
    """The host where a browser goes for that header or link on a page of ours."""
    return urlsplit(urljoin("http://ours.example/here", location.replace("\\", "/"))).netloc


@pytest.mark.parametrize("target", ELSEWHERE)
def test_nobody_is_led_elsewhere(make_service: MakeService, target: str) -> None:
    """By none of the pages that go on to where one was."""
    service = make_service(registration="open")
    token = service.token("teacher")
    answers = [
        Visitor(service).send("/sign-in", "/sign-in", token=token, next=target),
        sign_up(Visitor(service), next=target),
    ]
    visitor = Visitor(service, token)
    visitor.client.get("/lms/moodle/search?site=https://moodle.example&course=2", headers=visitor.headers)
    answers.append(visitor.send("/", "/lms/moodle/stop", next=target))
    for answer in answers:
        assert answer.status_code == 303
        assert _leads(answer.location) == "ours.example"
        assert len(answer.headers.getlist("Location")) == 1
        after = urlsplit(answer.location)
        if after.path == "/welcome":
            shown = visitor.client.get(answer.location, headers=visitor.headers)
            links = Page(shown).tree.xpath("//main//@href")
            assert links
            assert {_leads(link) for link in links} == {"ours.example"}
    for path in ("/sign-in", "/sign-up"):
        shown = Visitor(service).client.get(path, query_string={"next": target}, headers=visitor.headers)
        (onward,) = {field.get("value") for field in Page(shown).tree.xpath("//main//input[@name='next']")}
        assert _leads(onward) == "ours.example"
