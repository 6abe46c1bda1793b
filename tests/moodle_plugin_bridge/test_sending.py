"""From Moodle's "Browse" to a form that Moodle takes: the Moodle is named, and no other gets anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lxml import html

from moodle_plugin_bridge.import_form import NAME_LENGTH, plain
from repo_service.web.headers import CONTENT_SECURITY_POLICY
from tests.contract.support import path_of
from tests.moodle_plugin_bridge.moodle import USER_AGENT, strip_tags
from tests.support.backups import backup, moodle1_backup
from tests.support.service import MakeService, Service, json_of, send_file
from tests.web.shared import Shared
from tests.web.visitor import Page, Visitor

SITE = "http://moodle.example:8045/lms"
SEARCH = "/lms/moodle/search?site=http%3A%2F%2Fmoodle.example%3A8045%2Flms&course=17&section=1"
"""As Moodle's activity chooser links to it."""
EVIL = "\"'><script>alert(1)</script> & <b>bold</b> 1<2 x<"


@pytest.fixture
def shared(service: Service, tmp_path: Path) -> Shared:
    """A released course."""
    made = Shared(
        service,
        backup(tmp_path / "Ökologie 1.mbz", summary="<p>First.</p><p>Second &amp; last.</p>"),
        licence="CC-BY-4.0",
        release=True,
        authors=[{"name": "Ada Lehrer"}, {"name": "Ben Ito"}],
    )
    service.work()
    return made


def _send_url(shared: Shared) -> str:
    return f"{shared.url}/versions/1/send"


def _moodles_form(page: Page) -> tuple[html.FormElement, dict[str, Any]]:
    """The form that leads to Moodle, and its fields."""
    (form,) = [form for form in page.tree.forms if form.attrib.get("target") == "_blank"]
    return form, dict(form.form_values())


def test_browsing_from_a_course_leads_to_a_form_for_that_course(service: Service, shared: Shared) -> None:
    visitor = Visitor(service)
    landed = visitor.client.get(SEARCH)
    assert (landed.status_code, landed.location) == (303, "/")
    assert "You are choosing for moodle.example:8045" in " ".join(
        visitor.get("/").one("//div[@role='note']").text_content().split()
    )
    resource = visitor.get(shared.url)
    page = visitor.get(resource.links()["Send to my Moodle"])
    assert "moodle.example:8045" in page.one("//h1").text_content()
    form, fields = _moodles_form(page)
    assert (form.method, form.action) == ("POST", f"{SITE}/admin/tool/moodlenet/import.php")
    assert form.attrib["rel"] == "noopener"
    info = json.loads(fields.pop("resource_info"))
    base = service.settings.base_url
    assert fields == {
        "resourceurl": f"{base}/files/{shared.id}/1/%C3%96kologie%201.mbz",
        "type": "file",
        "course": "17",
        "section": "1",
    }
    assert info == {
        "name": "Introduction to Ecology",
        "summary": "First.\nSecond & last.\n\n“Introduction to Ecology” by Ada Lehrer and Ben Ito, licence: "
        f"CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/). From {base}/resources/{shared.id}",
    }


def test_moodle_gets_what_it_is_sent_to(service: Service, shared: Shared) -> None:
    """HEAD, then GET, as recorded: without a cookie or token, and both with the same status."""
    visitor = Visitor(service)
    visitor.client.get(SEARCH)
    _, fields = _moodles_form(visitor.get(_send_url(shared)))
    recorded = {
        "Accept": "*/*",
        "Accept-Encoding": "deflate, gzip, br, zstd",
        "User-Agent": USER_AGENT,
        "Connection": "keep-alive",
    }
    url = path_of(fields["resourceurl"])
    asked = service.client().head(url, headers=recorded)
    assert (asked.status_code, asked.content_length) == (200, len(shared.bytes))
    got = service.client().get(url, headers=recorded)
    assert (got.status_code, got.data) == (200, shared.bytes)
    assert "Content-Encoding" not in got.headers


def test_the_page_lets_forms_go_to_that_origin_alone(service: Service, shared: Shared) -> None:
    visitor = Visitor(service)
    visitor.client.get(SEARCH)
    page = visitor.get(_send_url(shared))
    wider = "form-action 'self' http://moodle.example:8045;"
    assert page.response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY.replace(
        "form-action 'self';", wider
    )
    for url in ("/", shared.url):
        assert visitor.get(url).response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY


def test_without_a_course_moodle_asks_for_one(service: Service, shared: Shared) -> None:
    visitor = Visitor(service)
    visitor.client.get(f"/lms/moodle/search?site={SITE}&section=3")
    _, fields = _moodles_form(visitor.get(_send_url(shared)))
    assert "course" not in fields
    assert "section" not in fields


@pytest.mark.parametrize(
    "query",
    [
        "site=javascript:alert(1)",
        "site=https://ada@school.example",
        "site=https://school.example/?x",
        f"site={SITE}&course=-1",
        f"site={SITE}&course=1;drop",
        f"site={SITE}&course=%3Cscript%3E",
        f"site={SITE}&course={'9' * 19}",
        f"site={SITE}&course=1&section=x",
        "site=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
    ],
)
def test_a_link_that_cannot_be_used_is_refused_and_not_remembered(service: Service, query: str) -> None:
    visitor = Visitor(service)
    page = visitor.get(f"/lms/moodle/search?{query}", 422)
    assert "This link cannot be used" in page.text
    assert "<script>alert" not in page.source
    assert "Set-Cookie" not in page.response.headers
    assert not visitor.get("/").all("//div[@role='note']")


def test_browse_without_a_site_is_a_search(service: Service) -> None:
    visitor = Visitor(service)
    assert visitor.client.get("/lms/moodle/search").location == "/"
    assert not visitor.get("/").all("//div[@role='note']")


def test_pages_about_something_else_do_not_speak_of_choosing(service: Service, shared: Shared) -> None:
    owner = shared.owner
    owner.client.get(SEARCH)
    for path in ("/", shared.url, _send_url(shared), "/mine"):
        assert owner.get(path).all("//div[@role='note']"), path
    for path in (f"{shared.url}/edit", "/sign-in", "/account", "/upload", "/mine/sites"):
        assert not owner.get(path).all("//div[@role='note']"), path


def test_choosing_stops_when_asked(service: Service, shared: Shared) -> None:
    visitor = Visitor(service)
    visitor.client.get(SEARCH)
    stopped = visitor.send(f"{shared.url}?x=1", "/lms/moodle/stop")
    assert (stopped.status_code, stopped.location) == (303, f"{shared.url}?x=1")
    assert not visitor.get("/").all("//div[@role='note']")
    assert "Address of your Moodle" in visitor.get(_send_url(shared)).text


@pytest.mark.parametrize(
    "onward", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x"]
)
def test_stopping_leads_nowhere_else(service: Service, shared: Shared, onward: str) -> None:
    visitor = Visitor(service)
    visitor.client.get(SEARCH)
    assert visitor.send("/", "/lms/moodle/stop", next=onward).location == "/"


def test_the_address_is_asked_for_and_remembered_in_this_browser(service: Service, shared: Shared) -> None:
    visitor = Visitor(service)
    answer = visitor.send(_send_url(shared), "/send", site="moodle.school.example/course/view.php?id=7")
    assert (answer.status_code, answer.location) == (303, _send_url(shared))
    (cookie,) = [c for c in answer.headers.getlist("Set-Cookie") if "Max-Age=31536000" in c]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    page = visitor.get(_send_url(shared))
    form, fields = _moodles_form(page)
    assert form.action == "https://moodle.school.example/admin/tool/moodlenet/import.php"
    assert "course" not in fields
    assert not page.all("//div[@role='note']")  # nobody said that they are choosing for it


def test_another_moodle_takes_the_place_of_the_first(service: Service, shared: Shared) -> None:
    visitor = Visitor(service)
    visitor.client.get(SEARCH)
    visitor.send(_send_url(shared), "/send", site="https://other.example")
    page = visitor.get(_send_url(shared))
    assert "other.example" in page.one("//h1").text_content()
    assert "moodle.example:8045" not in page.source


@pytest.mark.parametrize("typed", ["", "javascript:alert(1)", "https://ada@school.example", EVIL])
def test_what_is_typed_wrong_is_said_beside_the_field(service: Service, shared: Shared, typed: str) -> None:
    visitor = Visitor(service)
    answer = visitor.send(_send_url(shared), "/send", site=typed)
    assert answer.status_code == 422
    page = Page(answer)
    assert page.one("//p[@id='site-error']").text_content()
    assert page.one("//input[@id='site']").attrib["value"] == typed
    assert "<script>alert" not in page.source
    assert not [c for c in answer.headers.getlist("Set-Cookie") if c.startswith("repo_moodle")]


@pytest.mark.parametrize("name", ["repo_moodle", "repo_moodle_visit"])
@pytest.mark.parametrize(
    "value", ["", "nonsense", "site=javascript:alert(1)", "site=https://a;b", "a=1&" * 50]
)
def test_a_forged_cookie_is_ignored(service: Service, shared: Shared, name: str, value: str) -> None:
    visitor = Visitor(service)
    visitor.client.set_cookie(name, value)
    assert "Address of your Moodle" in visitor.get(_send_url(shared)).text


def test_an_international_host_is_never_shown_in_its_letters_alone(service: Service, shared: Shared) -> None:
    cyrillic = "m\u043e\u043edle.example"
    visitor = Visitor(service)
    visitor.send(_send_url(shared), "/send", site=f"https://{cyrillic}")
    page = visitor.get(_send_url(shared))
    heading = " ".join(page.one("//h1").text_content().split())
    assert heading == "Send to xn--mdle-55da.example?"
    assert f"In its own letters it is {cyrillic}, which may look like a name that you know" in page.text


def test_foreign_text_is_text_here_and_passes_moodles_check(service: Service, tmp_path: Path) -> None:
    shared = Shared(
        service,
        backup(tmp_path / "a.mbz", fullname=EVIL * 20, summary=f"<p>{EVIL.replace('<', '&lt;')}</p>"),
        licence="CC0-1.0",
        release=True,
        authors=[{"name": EVIL}] * 12,
    )
    service.work()
    visitor = Visitor(service)
    visitor.client.get(SEARCH)
    page = visitor.get(_send_url(shared))
    assert "<script>alert" not in page.source
    _, fields = _moodles_form(page)
    info = json.loads(fields["resource_info"])
    assert fields["resource_info"].isascii()
    for text in info.values():
        assert strip_tags(text) == text
        assert text
    assert len(info["name"]) <= NAME_LENGTH
    assert f"{service.settings.base_url}/resources/{shared.id}" in info["summary"]
    assert "CC0 (https://creativecommons.org/publicdomain/zero/1.0/)" in info["summary"]


@pytest.mark.parametrize("text", ["a < b", "a <b", "x<", "<<b>>", "a<\nb", "<!-- -->", "</span>", "<" * 300])
def test_what_strip_tags_would_take_is_kept_by_a_space(text: str) -> None:
    made = plain(text, limit=255)
    assert strip_tags(made) == made
    assert made.replace(" ", "") == text.replace(" ", "")[: len(made.replace(" ", ""))]


def test_what_is_too_large_for_moodle_says_so_first(make_service: MakeService, tmp_path: Path) -> None:
    service = make_service(send_limit=1000)
    shared = Shared(service, backup(tmp_path / "a.mbz"), licence="CC0-1.0", release=True)
    service.work()
    visitor = Visitor(service)
    visitor.client.get(SEARCH)
    page = visitor.get(_send_url(shared))
    assert "Moodle gives up after 30 seconds" in page.text
    download, send = page.one("//a[@download and contains(@class, 'btn-primary')]"), _moodles_form(page)[0]
    order = list(page.tree.iter())
    assert order.index(download) < order.index(send)
    assert send.getparent().getparent().tag == "details"  # it can be tried all the same


def test_a_large_file_that_is_no_backup_goes_as_a_link(make_service: MakeService) -> None:
    service = make_service(send_limit=10)
    token = service.token("teacher")
    made = json_of(
        send_file(
            service.client(token), b"A long note\n" * 9, file_name="note.txt", licence="CC0-1.0", release=True
        ),
        201,
    )
    service.work()
    visitor = Visitor(service)
    visitor.client.get(SEARCH)
    page = visitor.get(f"/resources/{made['id']}/versions/1/send")
    _, fields = _moodles_form(page)
    assert fields["type"] == "link"
    assert "Only a link is sent" in page.text


def test_a_backup_goes_as_one_whatever_it_is_called(service: Service, tmp_path: Path) -> None:
    """Moodle goes by the extension of the address; in 1.9 backups were called .zip."""
    shared = Shared(service, moodle1_backup(tmp_path / "old.zip"), licence="CC0-1.0", release=True)
    service.work()
    visitor = Visitor(service)
    visitor.client.get(SEARCH)
    _, fields = _moodles_form(visitor.get(_send_url(shared)))
    assert fields["resourceurl"].endswith("/old.zip.mbz")
    got = service.client().get(path_of(fields["resourceurl"]))
    assert (got.status_code, got.data) == (200, shared.bytes)
    assert 'filename="old.zip.mbz"' in got.headers["Content-Disposition"]


def test_other_files_have_their_own_name_only(service: Service) -> None:
    client = service.member()
    made = json_of(send_file(client, b"A note", file_name="a.txt", licence="CC0-1.0", release=True), 201)
    service.work()
    assert service.client().get(f"/files/{made['id']}/1/a.txt.mbz").status_code == 404


def test_only_what_everybody_has_can_be_sent(service: Service, tmp_path: Path) -> None:
    shared = Shared(service, backup(tmp_path / "a.mbz"), licence="CC0-1.0")
    service.work()
    for visitor in (shared.public, shared.owner):
        assert visitor.client.get(_send_url(shared), headers=visitor.headers).status_code == 404
    assert "Send to my Moodle" not in shared.owner.get(shared.url).links()
    shared.owner.send(f"{shared.url}/versions/1", "/release")
    assert "Send to my Moodle" in shared.public.get(shared.url).links()
    shared.owner.send(shared.url, "/withdraw", reason="Wrong")
    assert shared.public.client.get(_send_url(shared)).status_code == 410


def test_a_mirror_sends_too(service: Service, shared: Shared, make_service: MakeService) -> None:
    """What this browser remembers is nothing that a mirror could not do."""
    mirror = make_service(
        read_only=True,
        base_url=service.settings.base_url,
        database_url=service.settings.database_url,
        store_url=service.settings.store_url,
    )
    visitor = Visitor(mirror)
    assert visitor.send(_send_url(shared), "/send", site="https://moodle.example").status_code == 303
    _moodles_form(visitor.get(_send_url(shared)))
    assert visitor.client.get(SEARCH).status_code == 303
    assert visitor.send("/", "/lms/moodle/stop").status_code == 303
