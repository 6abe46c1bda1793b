"""What holds on every page: foreign text runs nowhere, nothing comes from elsewhere, no form is forged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID
from xml.sax.saxutils import escape

import pytest
from werkzeug.routing import Rule

from repo_service.domain.identity import Role
from repo_service.domain.network import EntryKind, Standing
from repo_service.federation.remote import EntryDescription
from repo_service.http.pages import Pages
from repo_service.models.base import new_id
from repo_service.services import network_entries
from repo_service.services.instances import instance_of
from repo_service.web.headers import CONTENT_SECURITY_POLICY, content_security_policy
from tests.support.backups import ActivitySpec, backup, write_zip
from tests.support.private import private_members
from tests.support.service import OPERATOR, Service, json_of
from tests.web.shared import Shared
from tests.web.visitor import Page, Visitor

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}'
EVIL_FILE = "\"'><img src=x onerror=alert(3)>.mbz"


@pytest.fixture
def hostile(service: Service, tmp_path: Path) -> Shared:
    """A released resource with markup wherever somebody can type or put something."""
    path = backup(
        tmp_path / EVIL_FILE,
        fullname=EVIL,
        shortname=EVIL,
        summary=f"<p onclick=alert(4)>{EVIL}<iframe src=https://evil.example></iframe></p>",
        tags=[EVIL],
        section_titles=["", EVIL],
        activities=[
            ActivitySpec(title=EVIL, tags=[EVIL]),
            ActivitySpec(module="subsection", title=EVIL, holds_section=EVIL),
            ActivitySpec(module="x-script", title=EVIL),
        ],
    )
    shared = Shared(
        service,
        path,
        licence="CC-BY-4.0",
        release=True,
        change_note=EVIL,
        keywords=[EVIL],
        authors=[{"name": EVIL, "url": "https://evil.example/'\"><script>"}],
    )
    service.work()
    return shared


def _rules(service: Service, method: str) -> Iterator[Rule]:
    for rule in service.app.url_map.iter_rules():
        blueprint = service.app.blueprints.get(rule.endpoint.partition(".")[0])
        if isinstance(blueprint, Pages) and rule.methods and method in rule.methods:
            yield rule


def _address(service: Service, rule: Rule, resource_id: str) -> str:
    names = (
        *("resource_id", "token_id", "invitation_id", "client_id"),
        *("account_id", "job_id", "upload_id", "collection_id", "connection_id", "webhook_id"),
    )
    ids = dict.fromkeys(names, resource_id)
    known = {**ids, "number": 1, "username": "teacher"}
    values: dict[str, Any] = {name: known[name] for name in rule.arguments}
    with service.app.test_request_context():
        address: str = service.app.url_for(rule.endpoint, **values)
        return address


def assert_harmless(page: Page) -> None:
    """Nothing on the page runs or leads astray, whatever stands in it."""
    for element in page.all("//*"):
        values = {name: str(value) for name, value in element.attrib.items()}
        assert element.tag not in {"iframe", "object", "embed", "base", "style"}
        assert not [name for name in values if name.startswith("on") or name in ("style", "srcdoc")]
        assert values.get("http-equiv") is None
        if element.tag == "script" and values.get("type") == "application/ld+json":
            assert json.loads(element.text)["name"]
        elif element.tag in {"script", "img"} or values.get("rel") in {"stylesheet", "icon"}:
            assert values.get("src", values.get("href", "")).startswith("/assets/")
            assert not element.text
        elif element.tag == "link":
            assert values["rel"] in {"alternate", "canonical"}
        for name in ("href", "src", "action", "formaction", "xlink:href"):
            address = re.sub(r"[\x00-\x20]", "", values.get(name, ""))  # browsers pass over these
            assert not re.match(r"(javascript|data|vbscript):", address, re.IGNORECASE), (name, address)
    assert "<script>alert" not in page.source
    assert "<img src=x" not in page.source
    assert ">49" not in page.tree.text_content()  # the braces are text to the template engine too


def test_foreign_markup_is_text_on_every_page(hostile: Shared) -> None:
    for visitor in (hostile.public, hostile.owner):
        for url in (
            hostile.url,
            f"{hostile.url}/versions/1",
            "/",
            "/?q=" + EVIL.replace("{", "%7B").replace("#", ""),
            "/?q=script",
            f"/?module={EVIL}&language={EVIL}&subject={EVIL}&licence={EVIL}&moodle_release={EVIL}",
        ):
            assert_harmless(visitor.get(url))
    for url in ("/mine", f"{hostile.url}/edit", f"{hostile.url}/versions/new"):
        assert_harmless(hostile.owner.get(url))
    assert EVIL in hostile.public.get(hostile.url).one("//h1").text_content()


def test_foreign_markup_in_what_was_found_is_text(service: Service, tmp_path: Path) -> None:
    made = private_members(title=EVIL, author=EVIL)
    clean = Shared(service, write_zip(tmp_path / "a.mbz", made), licence="CC-BY-4.0")
    # In the name of a member it is refused: Moodle would call the file otherwise.
    made["files.xml"] = made["files.xml"].replace(
        b"</files>", f'<file id="9"><component>{escape(EVIL)}</component></file></files>'.encode()
    )
    made["course/blocks/x_9/block.xml"] = b"<block><blockname>x</blockname><teacherid>7</teacherid></block>"
    unjudged = Shared(service, write_zip(tmp_path / "b.mbz", made), username="second")
    service.work()
    for shared in (clean, unjudged):
        page = shared.owner.get(shared.url)
        assert page.all("//section[@aria-labelledby='found']")
        assert_harmless(page)
        assert EVIL in page.one("//section[@aria-labelledby='found']").text_content()
        assert_harmless(Page(shared.owner.send(shared.url, "/release")))
    assert EVIL in page.one("//div[@class='found-action']").text_content()
    assert clean.owner.send(clean.url, "/clean", release="1").status_code == 303
    service.work()
    for visitor in (clean.public, clean.owner):
        page = visitor.get(clean.url)
        assert_harmless(page)
        assert EVIL in page.one("//dl[@class='details']").text_content()


def test_markup_in_reasons_and_arguments_is_text_too(hostile: Shared) -> None:
    assert_harmless(hostile.public.get(f"/sign-in?next=/{EVIL}"))
    assert_harmless(hostile.public.get(f"/{EVIL.replace('/', '')}", 404))
    hostile.owner.send(hostile.url, "/withdraw", reason=EVIL)
    gone = hostile.public.get(hostile.url, 410)
    assert_harmless(gone)
    assert EVIL in gone.text


def test_what_other_servers_say_is_text(service: Service) -> None:
    """And so are the reasons of moderators."""
    described = EntryDescription(
        id="https://evil.example/1",
        kind=EntryKind.RESOURCE,
        url="https://evil.example/'\"><script>alert(1)</script>",
        name=EVIL,
        summary=f"<p onclick=alert(4)>{EVIL}</p>",
        by=None,
        icon="javascript:alert(5)",
        licence=EVIL,
        languages=(EVIL, "en"),
        levels=(EVIL,),
        authors=(EVIL,),
    )
    with service.services.database.write() as session:
        instance = instance_of(session, "evil.example")
        instance.standing = Standing.APPROVED.value
        network_entries.put(session, instance.id, described, heard=new_id())
    assert service.services.network_indexer is not None
    service.services.network_indexer.follow()
    service.services.instances.block(OPERATOR, "https://evil.example/eve", reason=EVIL)
    chief = Visitor(service, service.token("chief", role=Role.ADMINISTRATOR))
    assert_harmless(Visitor(service).get("/network"))
    found = chief.get(f"/network?q=alert&host={quote(EVIL)}&host=evil.example")
    assert_harmless(found)
    entry = found.one("//input[@name='entry']").get("value")
    service.services.network.hide(OPERATOR, UUID(entry), reason=EVIL)
    service.services.instances.decide(OPERATOR, "evil.example", Standing.KNOWN, reason=EVIL)
    for path in ("servers", "servers/actors", "network", "audit"):
        page = chief.get(f"/look-after/{path}")
        assert_harmless(page)
        assert "alert" in page.text


def test_highlights_keep_foreign_markup_as_text(hostile: Shared) -> None:
    page = hostile.public.get("/?q=alert")
    assert page.all("//article//h3//mark")
    assert_harmless(page)


def test_every_page_has_the_strict_policy(hostile: Shared) -> None:
    seen = set()
    for visitor in (hostile.public, hostile.owner):
        for rule in _rules(hostile.service, "GET"):
            answer = visitor.client.get(_address(hostile.service, rule, hostile.id), headers=visitor.headers)
            seen.add(answer.status_code)
            framed = "*" if rule.endpoint == "web.embedded" and answer.status_code == 200 else "'none'"
            policy = content_security_policy(framed_by=framed)
            assert answer.headers["Content-Security-Policy"] == policy, rule
            assert answer.headers["X-Content-Type-Options"] == "nosniff", rule
            assert answer.headers["Referrer-Policy"] in ("same-origin", "no-referrer"), rule
            if answer.status_code == 200 and answer.mimetype == "text/html":
                assert "private" in answer.headers["Cache-Control"]
    assert seen >= {200, 302, 303}
    missing = hostile.public.client.get("/nowhere", headers=hostile.public.headers)
    assert missing.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "'none'" in CONTENT_SECURITY_POLICY


def test_no_form_is_taken_without_the_token_of_the_session(hostile: Shared) -> None:
    owner = hostile.owner
    other = hostile.owner.get("/upload").form("/upload").fields["csrf_token"]
    before = hostile.json()
    rules = list(_rules(hostile.service, "POST"))
    assert len(rules) >= 10
    for rule in rules:
        address = _address(hostile.service, rule, hostile.id)
        for token in (None, "nonsense", other):
            fields = {"reason": "x", "title": "x", "token": hostile.token}
            answer = owner.client.post(
                address,
                data=fields if token is None else {"csrf_token": token, **fields},
                content_type="multipart/form-data",
                headers=owner.headers,
            )
            assert answer.status_code == 400, (address, token)
            assert "not from your present session" in answer.text
    assert hostile.json() == before


_FOR_THE_PUBLIC = {
    "web.try_to_sign_in",
    "web.sign_out",
    "web.make_account",
    "web.make_account_elsewhere",
    "web.confirm_email",
    "web.report",
    "web.ask_for_letter",
    "web.choose_password",
    "moodle.stop",
    "moodle.to_typed",
}
"""What people do before they are signed in (see test_people.py), and what changes only their own browser."""


def test_nothing_is_changed_by_one_who_is_not_signed_in(hostile: Shared) -> None:
    visitor = hostile.public
    before = hostile.json()
    for rule in _rules(hostile.service, "POST"):
        if rule.endpoint in _FOR_THE_PUBLIC:
            continue
        to_sign_in = rule.endpoint == "web.decide_authorisation"  # who comes from a Moodle goes on from there
        token = visitor.get("/sign-in").form("/sign-in").fields["csrf_token"]
        answer = visitor.client.post(
            _address(hostile.service, rule, hostile.id),
            data={"csrf_token": token, "reason": "x", "title": "x"},
            content_type="multipart/form-data",
            headers=visitor.headers,
        )
        assert answer.status_code == (303 if to_sign_in else 401), rule
    assert hostile.json() == before


def test_forms_have_a_limit_of_their_own(hostile: Shared) -> None:
    answer = hostile.owner.send(f"{hostile.url}/edit", "/edit", summary="x" * 3_000_000)
    assert answer.status_code == 413
    assert Page(answer).one("//h1").text == "Too large"


def test_pages_are_no_part_of_the_api(service: Service) -> None:
    paths = json_of(service.client().get("/api/openapi.json"))["paths"]
    assert not [path for path in paths if path in ("/", "/upload", "/mine", "/sign-in", "/docs/errors")]


def test_assets_are_kept_for_good_only_under_their_present_name(service: Service) -> None:
    visitor = Visitor(service)
    addresses = visitor.get("/sign-in").all("//link[@rel='stylesheet' or @rel='icon']/@href | //script/@src")
    assert len(addresses) >= 4
    for address in addresses:
        with visitor.client.get(address) as answer:
            assert answer.status_code == 200
            assert "immutable" in answer.headers["Cache-Control"]
        with visitor.client.get(address.partition("?")[0]) as answer:
            assert "immutable" not in answer.headers["Cache-Control"]
    assert visitor.client.get("/assets/..%2f__init__.py").status_code == 404
    assert visitor.client.get("/assets/bootstrap.min.css.map").status_code == 404
