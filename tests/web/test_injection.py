"""What is typed or put into an address comes out as text, and breaks nothing: every field of every form,
every parameter of every page, every part of every path.

Which fields and parameters there are is not listed here. The requests of the test's service write down what
views ask them for, so one that is added tomorrow is tried as well.
"""

from __future__ import annotations

import json
import socket
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import pytest
from flask import has_request_context, request
from lxml import etree, html
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.routing import PathConverter, Rule, UnicodeConverter
from werkzeug.test import TestResponse

from tests.contract.support import publish
from tests.support.service import MakeService, Service, json_of
from tests.web.attacking import Hand, World
from tests.web.test_safety import EVIL, assert_harmless
from tests.web.visitor import Page, Visitor

_TYPED: Final = {
    "markup": EVIL,
    "attribute": "' onmouseover='alert(5)' x='",
    "address": "javascript:alert(6)",
    "nothing": "\x00a\x00",
    "controls": "a\r\nSet-Cookie: b=1\r\n\r\n<script>alert(7)</script>\x1b[31m",
    "direction": "\u202egpj.exe\u2066",
    "halves": "\ud800x\udfff",
    "long": "ö" * 9_000,
    "number": "9" * 40,
    "negative": "-1",
    "format": "%s%(x)s{0}%n",
    "path": "../../../../etc/passwd",
}

_FOR_DATABASES: Final = ("nothing", "halves", "long", "number", "negative")
_ENDS_SOMETHING: Final = (
    "sign_out",
    "delete",
    "disconnect",
    "revoke",
    "erase",
    "block",
    "withdraw",
    "take_back",
)
"""In the name of an endpoint: tried last."""


_OF_WORDS: Final = (UnicodeConverter, PathConverter)
_HEADERS: Final = (
    *("Cookie", "Accept", "Accept-Language", "Accept-Encoding", "Host", "Referer", "Origin", "User-Agent"),
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Request-ID", "X-HTTP-Method-Override"),
    *("Range", "If-None-Match", "If-Modified-Since", "If-Match", "Content-Type", "Content-Length"),
)


class _Noting(ImmutableMultiDict[str, str]):
    """Fields or parameters that write down what they are asked for, by endpoint."""

    asked: defaultdict[str, set[str]]

    def _note(self, name: object) -> None:
        if isinstance(name, str) and has_request_context() and request.endpoint:
            self.asked[request.endpoint].add(name)

    def get(self, key: Any, *args: Any, **kwargs: Any) -> Any:
        self._note(key)
        return super().get(key, *args, **kwargs)

    def getlist(self, key: Any, *args: Any, **kwargs: Any) -> Any:
        self._note(key)
        return super().getlist(key, *args, **kwargs)

    def __getitem__(self, key: Any) -> Any:
        self._note(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self._note(key)
        return super().__contains__(key)


def _noting(service: Service) -> defaultdict[str, set[str]]:
    """What views ask their requests for, from now on."""
    asked: defaultdict[str, set[str]] = defaultdict(set)
    fields = type("Fields", (_Noting,), {"asked": asked})
    made = type("Request", (service.app.request_class,), {"parameter_storage_class": fields})
    service.app.request_class = made
    return asked


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(database: str, request: pytest.FixtureRequest, make_service: MakeService, tmp_path: Path) -> World:
    settings: dict[str, Any] = {"registration": "open"}
    if database == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgres_database")()
    return World(make_service(**settings), tmp_path)


@pytest.fixture
def typed(database: str) -> dict[str, str]:
    """What is tried; on PostgreSQL what a database could stumble over, as that one does most easily."""
    if database == "sqlite":
        return _TYPED
    return {name: value for name, value in _TYPED.items() if name in _FOR_DATABASES}


def _pages(world: World, method: str) -> list[Rule]:
    rules = [r for r in world.rules() if world.is_page(r) and method in (r.methods or ())]
    return sorted(rules, key=lambda rule: any(word in rule.endpoint for word in _ENDS_SOMETHING))


def _assert_answered(answer: TestResponse, what: object) -> None:
    """No fault, nothing that runs, and no header or address of the attacker's."""
    assert answer.status_code < 500 or answer.status_code == 501, (what, answer.text)
    assert "b" not in {name for name, _ in answer.headers if name == "b"}
    assert not [value for name, value in answer.headers if name == "Set-Cookie" and value.startswith("b=")]
    if answer.location:
        assert urlsplit(answer.location).netloc in ("", "localhost"), (what, answer.location)
        assert answer.location.startswith("/"), (what, answer.location)
        assert not answer.location.startswith("//"), (what, answer.location)
    if answer.mimetype == "text/html" and answer.data:
        try:
            assert_harmless(Page(answer))
        except AssertionError as error:
            raise AssertionError(what) from error


def _encoded(fields: dict[str, str]) -> str:
    """As browsers would send it, and where they could not, as attackers would."""
    return urlencode(fields, errors="surrogatepass")


def test_parameters_of_pages(world: World, typed: dict[str, str]) -> None:
    asked = _noting(world.service)
    tried = set()
    for who in ("chief", "teacher", None):
        visitor = world.visitor(who)
        for rule in _pages(world, "GET"):
            address = world.address(rule)
            visitor.client.get(address, headers=visitor.headers)
            known: set[str] = set()
            while asked[rule.endpoint] - known:  # what is asked for may hang on what was answered
                known |= asked[rule.endpoint]
                for what, value in typed.items():
                    query = _encoded(dict.fromkeys(sorted(known), value))
                    answer = visitor.client.get(f"{address}?{query}", headers=visitor.headers)
                    _assert_answered(answer, (rule.endpoint, sorted(known), what))
            for name in known:
                answer = visitor.client.get(f"{address}?{_encoded({name: EVIL})}", headers=visitor.headers)
                _assert_answered(answer, (rule.endpoint, name))
                tried.add((rule.endpoint, name))
    assert tried > {("web.home", "q"), ("web.audit", "by"), ("web.sign_in", "next"), ("web.oembed", "url")}
    assert len(tried) > 60


def _is_signed_out(answer: TestResponse) -> bool:
    """Or signed in anew, which forms of before know nothing of."""
    return answer.status_code == 401 or (
        answer.status_code == 400 and "not from your present session" in answer.text
    )


def test_fields_of_forms(world: World, typed: dict[str, str]) -> None:
    asked = _noting(world.service)
    tried = set()
    for who in ("teacher", "chief", None):
        hand = Hand(world, who)
        for rule in _pages(world, "POST"):
            known: set[str] = {"title"}
            for what, value in typed.items():
                fields = {name: value.encode("utf-8", "surrogatepass") for name in sorted(known)}
                answer = hand.send(world.address(rule), fields)
                # The form before may have been that to sign out, or that for another password.
                if who is not None and _is_signed_out(answer):
                    world.renew(who)
                    hand = Hand(world, who)
                    answer = hand.send(world.address(rule), fields)
                _assert_answered(answer, (who, rule.endpoint, what, sorted(known)))
                known |= asked[rule.endpoint] - {"csrf_token"}
            tried |= {(rule.endpoint, name) for name in known}
    assert tried > {("web.describe", "keywords"), ("web.invite", "email"), ("web.report", "words")}
    assert len(tried) > 80


def test_no_address_that_is_typed_is_asked(service: Service, tmp_path: Path) -> None:
    """Nobody has this service ask what only it can reach."""
    world = World(service, tmp_path)
    asked = _noting(service)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/x.mbz"
        hand = Hand(world, "teacher")
        for rule in _pages(world, "POST") + _pages(world, "GET"):
            if any(word in rule.endpoint for word in _ENDS_SOMETHING):
                continue
            for _ in range(2):  # what is asked for first, and then what is asked for besides
                fields = {**dict.fromkeys(asked[rule.endpoint], address), "csrf_token": hand.csrf}
                hand.send(world.address(rule), fields)
                hand.send(f"{world.address(rule)}?{urlencode(fields)}", method="GET")
        service.work()
        with pytest.raises(TimeoutError):
            listener.accept()
    assert "author_url" in asked["web.describe"]


@pytest.mark.parametrize("value", _TYPED.values(), ids=_TYPED)
def test_parts_of_paths(service: Service, tmp_path: Path, value: str) -> None:
    """Of the API, too: what it answers in JSON nobody takes for a page."""
    world = World(service, tmp_path)
    visitor, program = world.visitor("teacher"), world.api("teacher")
    part = quote(value.encode("utf-8", "surrogatepass"), safe="")
    for rule in world.rules():
        words = {name for name, converter in rule._converters.items() if type(converter) in _OF_WORDS}
        for name in words:
            address = world.address(rule, **{name: "WORD"}).replace("WORD", part)
            for method in sorted((rule.methods or set()) & {"GET", "POST"}):
                for client, headers in ((visitor.client, visitor.headers), (program, {})):
                    answer = client.open(address, method=method, headers=headers)
                    _assert_answered(answer, (rule.endpoint, name))
                    answer.close()


@pytest.mark.parametrize(
    "value", ["\xff\xfe", "x" * 5000, '"><script>alert(8)</script>', "\t;,=%00", "0", "-1"]
)
def test_headers(service: Service, value: str) -> None:
    world = Visitor(service, service.token("teacher"))
    for name in _HEADERS:
        for path in ("/", "/mine", "/nowhere", "/upload", "/api/v1/me", "/feed.atom", "/lms/moodle/search"):
            answer = world.client.get(path, headers={**world.headers, name: value})
            _assert_answered(answer, (name, path))


@pytest.mark.parametrize(
    "query", ["q=\xff", "\xff", "q=\xe4\xb8", "q=\x00", "q=<script>alert(9)</script>", "&" * 999]
)
@pytest.mark.parametrize("path", ["/", "/sign-in", "/nowhere", "/feed.atom", "/oembed", "/api/v1/resources"])
def test_queries_that_no_browser_sends(service: Service, path: str, query: str) -> None:
    """As bytes: what is no UTF-8 was a fault wherever the query was asked for."""
    visitor = Visitor(service)
    for headers in (visitor.headers, {}):
        answer = visitor.client.get(path, headers=headers, environ_overrides={"QUERY_STRING": query})
        _assert_answered(answer, (path, query))


@pytest.mark.parametrize(
    "parameter", ["_external=1", "_scheme=javascript", "_anchor=x", "_method=POST", "endpoint=x", "self=x"]
)
def test_names_that_mean_something_to_the_framework(service: Service, parameter: str) -> None:
    """The links of a page to itself in another language hold whatever stood in its address."""
    visitor = Visitor(service)
    for query in (parameter, f"{parameter}&_external=1"):
        page = visitor.client.get(f"/?{query}", headers={**visitor.headers, "Host": "evil.example"})
        assert page.status_code == 200
        addresses = Page(page).tree.xpath("//@href | //@action | //@src")
        assert [a for a in addresses if a.startswith("/?") and a.endswith("lang=de") and parameter in a]
        assert not [a for a in addresses if "evil.example" in a or a.startswith("javascript")]


_FOR_WORDS: Final = ".//textarea | .//input[@type='text' or @type='search' or not(@type)]"
_PLAUSIBLE: Final = {
    "email": "evil@example.org",
    "username": "evil",
    "password": "blue heron over marsh",
    "quota": "1 GB",
    "languages": "en",
    "licence": "CC-BY-4.0",
    "moodle": "4.5",
}
"""What is taken where markup would be refused."""


_CHOSEN: Final = {"reason": "other", "decision": "dismissed", "visibility": "public", "collection": "new"}
"""Buttons and choices."""


def _addresses(world: World, *resources: str) -> Iterator[str]:
    for rule in _pages(world, "GET"):
        for resource in resources if "resource_id" in rule.arguments else resources[:1]:
            yield world.address(rule, resource_id=resource)


def _type_everywhere(world: World, visitor: Visitor, *resources: str) -> set[str]:
    """Fill every field for words of every form with markup, and send it; where that was taken."""
    sent, taken = set(), set()
    for address in _addresses(world, *resources):
        shown = visitor.client.get(address, headers=visitor.headers)
        if shown.status_code != 200 or shown.mimetype != "text/html":
            continue
        for form in Page(shown).tree.forms:
            action, words = form.action or address, [field.name for field in form.xpath(_FOR_WORDS)]
            ends = any(word.replace("_", "-") in action for word in _ENDS_SOMETHING)
            if form.method != "POST" or not any(words) or ends or (action, *words) in sent:
                continue
            sent.add((action, *words))
            typed = {name: _PLAUSIBLE.get(name, EVIL) for name in words}
            fields = {**dict(form.form_values()), **_CHOSEN, **typed}
            answer = visitor.client.post(action, data=fields, headers=visitor.headers)
            _assert_answered(answer, action)
            if answer.status_code < 400:
                taken.add(action)
    return taken


def test_what_was_kept_is_text_to_everybody(service: Service, tmp_path: Path) -> None:
    """Stored by one, read by all others."""
    world = World(service, tmp_path)
    said = {"title": EVIL, "keywords": [EVIL], "authors": [{"name": EVIL}], "change_note": EVIL}
    shared = publish(
        service, world.api("teacher"), b"x", file_name="\"'><img src=x onerror=alert(3)>.txt", **said
    )
    resources = (shared["id"], world.draft["id"])
    world.private["collection_id"] = json_of(
        world.api("teacher").post(
            "/api/v1/collections",
            json={"title": EVIL, "summary": f"<p onclick=alert(4)>{EVIL}</p>", "visibility": "public"},
        ),
        201,
    )["id"]
    taken = set()
    for who in ("teacher", None, "chief"):
        taken |= _type_everywhere(world, world.visitor(who), *resources)
    service.work()
    assert {"/account/name", "/collections/new"} < taken
    assert f"/resources/{shared['id']}/report" in taken
    shows = set()
    for who in ("teacher", "stranger", "moderator", "chief", None):
        visitor = world.visitor(who)
        for address in _addresses(world, *resources):
            answer = visitor.client.get(address, headers=visitor.headers)
            _assert_answered(answer, (who, address))
            if answer.mimetype == "text/html" and EVIL in Page(answer).tree.text_content():
                shows.add(address)
    assert len(shows) > 20


def test_nothing_turns_the_direction_of_what_follows(service: Service, tmp_path: Path) -> None:
    """A name with U+202E in it would have what stands behind it read backwards: exe.jpg for gpj.exe."""
    world = World(service, tmp_path)
    turned = "\u202egpj.exe\u2066\u2067"
    teacher = world.api("teacher")
    said = {"title": turned, "keywords": [turned], "authors": [{"name": turned}], "change_note": turned}
    shared = publish(service, teacher, b"x", file_name=f"{turned}.txt", summary=turned, **said)
    made = (
        ("collections", {"title": turned, "summary": turned, "visibility": "public"}),
        (f"collections/{world.private['collection_id']}/items", {"resource": shared["id"], "note": turned}),
        ("me/tokens", {"name": turned, "scopes": ["resources:read"]}),
        ("me/clients", {"name": turned}),
        ("me/site-profiles", {"name": turned, "moodle": "4.5"}),
        ("uploads", {"file_name": turned, "size": 1}),
    )
    words = {"reason": "other", "words": turned}
    json_of(world.api("stranger").post(f"/api/v1/resources/{shared['id']}/reports", json=words), 201)
    for path, body in made:
        assert teacher.post(f"/api/v1/{path}", json=body).status_code in (201, 422), path
    for path in ("/account/name", f"/resources/{shared['id']}/edit"):
        Hand(world, "teacher").send(path, {"display_name": turned, "title": turned, "author_name": turned})
    for who in ("teacher", "chief", None):
        visitor = world.visitor(who)
        for address in _addresses(world, shared["id"], world.draft["id"]):
            shown = visitor.client.get(address, headers=visitor.headers).text
            assert not set("\u202d\u202e\u2066\u2067") & set(shown), (who, address)


def test_what_programs_read_holds_it_as_data(service: Service, tmp_path: Path) -> None:
    """Atom, sitemaps, JSON-LD and oEmbed parse, and the markup is a value in them."""
    evil = "</script></title>]]><!--" + EVIL
    world = World(service, tmp_path)
    teacher = world.api("teacher")
    said = {"title": evil, "summary": evil, "keywords": [evil], "authors": [{"name": evil}]}
    shared = publish(service, teacher, b"x", file_name="a<b>&\"'.txt", **said)
    public = world.visitor(None)
    url = f"/resources/{shared['id']}"
    feed = etree.fromstring(public.client.get(f"/feed.atom?q={quote(evil)}&x=]]>").data)
    feed = etree.fromstring(public.client.get("/feed.atom").data)
    atom = "{http://www.w3.org/2005/Atom}"
    assert feed.findtext(f"{atom}entry/{atom}title") == evil
    assert {element.tag.removeprefix(atom) for element in feed.iter(etree.Element)} <= _OF_ATOM
    etree.fromstring(public.client.get("/sitemap.xml").data)
    page = public.get(url)
    assert_harmless(page)
    document = json.loads(page.one("//script[@type='application/ld+json']").text)
    assert (document["name"], document["creator"][0]["name"]) == (evil, evil)
    given = json_of(public.client.get("/oembed", query_string={"url": f"{service.settings.base_url}{url}"}))
    frame = html.fragment_fromstring(given["html"])
    assert (frame.tag, frame.get("title"), len(frame)) == ("iframe", evil, 0)


_OF_ATOM: Final = {
    *(
        "feed",
        "id",
        "title",
        "updated",
        "link",
        "entry",
        "published",
        "author",
        "name",
        "category",
        "summary",
    ),
}
