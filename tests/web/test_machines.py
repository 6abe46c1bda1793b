"""What pages say to programs: JSON-LD, Open Graph, oEmbed and the card in a frame, Atom, sitemaps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lxml import etree, html

from repo_service.services import sitemaps
from tests.support.backups import backup
from tests.support.service import Service, json_of
from tests.web.shared import Shared
from tests.web.visitor import Visitor

_NAMES = {"a": "http://www.w3.org/2005/Atom", "m": "http://www.sitemaps.org/schemas/sitemap/0.9"}
_BASE = "http://127.0.0.1:8080"
_HOSTILE = """</script><script>alert(1)</script>"'<!--&\u2028 Ecology"""


@pytest.fixture
def course(service: Service, tmp_path: Path) -> Shared:
    """A public course with a hostile title."""
    shared = Shared(
        service,
        backup(tmp_path / "course.mbz"),
        title=_HOSTILE,
        summary="<p>Living &amp; dying.</p>",
        licence="CC-BY-4.0",
        languages=["en"],
        subjects=["0521"],
        keywords=["a<b"],
        authors=[{"name": "Ada"}],
        release=True,
    )
    service.work()
    return shared


def _json_ld(page_source: html.HtmlElement) -> Any:
    (script,) = page_source.xpath("//script[@type='application/ld+json']")
    return json.loads(script.text)


def _texts(document: bytes, path: str) -> list[str]:
    found = etree.fromstring(document).xpath(path, namespaces=_NAMES)
    assert isinstance(found, list)
    return [str(element.text) for element in found if isinstance(element, etree._Element)]


def test_json_ld_is_a_record_by_amb(course: Shared) -> None:
    page = course.public.get(course.url)
    record = _json_ld(page.tree)
    assert record["id"] == f"{_BASE}{course.url}"
    assert record["name"] == course.json()["title"]
    assert record["type"] == ["LearningResource"]
    assert record["license"] == {"id": "https://creativecommons.org/licenses/by/4.0/"}
    (encoding,) = record["encoding"]
    assert encoding["contentUrl"].startswith(f"{_BASE}/files/{course.id}/1/")
    assert record["mainEntityOfPage"][0]["id"] == f"{_BASE}{course.url}"
    assert len(page.all("//script[not(@src)]")) == 1  # the title has begun no other


def test_open_graph(course: Shared) -> None:
    page = course.public.get(course.url)
    said = {meta.get("property"): meta.get("content") for meta in page.all("//meta[@property]")}
    assert said["og:title"] == course.json()["title"]
    assert said["og:url"] == f"{_BASE}{course.url}"
    assert said["og:description"] == "Living & dying."


def test_a_draft_says_nothing_to_programs(service: Service, tmp_path: Path) -> None:
    draft = Shared(service, backup(tmp_path / "course.mbz"))
    service.work()
    page = draft.owner.get(draft.url)
    assert not page.all(
        "//script[@type='application/ld+json'] | //meta[@property] | //link[@rel='canonical']"
    )
    draft.owner.get(f"{draft.url}/embed", 404)  # not even its owner frames it: frames have no session
    address = f"/oembed?url={_BASE}{draft.url}"
    assert draft.owner.client.get(address).status_code == 404


def test_oembed_gives_a_frame(course: Shared) -> None:
    page = course.public.get(course.url)
    address = page.one("//link[@type='application/json+oembed']").get("href").removeprefix(_BASE)
    response = course.public.client.get(address)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    given = json_of(response)
    assert (given["version"], given["type"]) == ("1.0", "rich")
    frame = html.fragment_fromstring(given["html"])
    assert frame.tag == "iframe"
    assert set(frame.attrib) == {"src", "width", "height", "title", "loading", "sandbox", "referrerpolicy"}
    assert frame.get("src") == f"{_BASE}{course.url}/embed"
    assert frame.get("title") == course.json()["title"]
    assert page.one("//textarea[@id='embed']").text == given["html"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("url=https://elsewhere.example{path}", 404),
        ("url=http://127.0.0.1:8080.evil.example{path}", 404),
        ("url=http://127.0.0.1:8080/resources/------------------------------------", 404),
        ("url=http://127.0.0.1:8080/sign-in", 404),
        ("", 404),
        ("url=http://127.0.0.1:8080{path}&maxwidth=wide", 400),
        ("url=http://127.0.0.1:8080{path}&format=xml", 501),
    ],
)
def test_oembed_of_what_is_none(course: Shared, query: str, status: int) -> None:
    assert course.public.client.get(f"/oembed?{query.format(path=course.url)}").status_code == status


def test_oembed_keeps_to_the_room_that_there_is(course: Shared) -> None:
    def size(**limits: str) -> tuple[int, int]:
        query = {"url": f"{_BASE}{course.url}", **limits}
        given = json_of(course.public.client.get("/oembed", query_string=query))
        return given["width"], given["height"]

    assert size() == (480, 180)
    assert size(maxwidth="300", maxheight="9999999") == (300, 180)
    assert size(maxwidth="0") == (200, 180)


def test_the_card_may_be_framed_and_nothing_else_may(course: Shared) -> None:
    card = course.public.get(f"{course.url}/embed")
    assert "frame-ancestors *" in card.response.headers["Content-Security-Policy"]
    assert not card.all("//form | //script")
    assert card.one("//h1/a").get("target") == "_blank"
    page = course.public.get(course.url)
    assert "frame-ancestors 'none'" in page.response.headers["Content-Security-Policy"]


def test_the_feed_has_the_newest(course: Shared, tmp_path: Path) -> None:
    other = Shared(
        course.service,
        backup(tmp_path / "other.mbz", fullname="Luth"),
        username="other",
        licence="CC0-1.0",
        subjects=["0215"],
        release=True,
    )
    course.service.work()

    def entries(query: str = "") -> list[str]:
        response = course.public.client.get(f"/feed.atom{query}")
        assert response.mimetype == "application/atom+xml"
        return _texts(response.data, "//a:entry/a:title")

    assert entries() == ["Luth", course.json()["title"]]
    assert entries("?subject=0215") == ["Luth"]
    assert entries("?q=alert") == [course.json()["title"]]
    ids = _texts(course.public.client.get("/feed.atom").data, "//a:entry/a:id")
    assert ids == [f"urn:uuid:{other.id}", f"urn:uuid:{course.id}"]


def test_the_map_has_everything_public(
    course: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Shared(course.service, backup(tmp_path / "draft.mbz"), username="other")
    more = Shared(
        course.service, backup(tmp_path / "b.mbz"), username="third", licence="CC0-1.0", release=True
    )
    course.service.work()
    monkeypatch.setattr(sitemaps, "MAP_SIZE", 1)

    def locations(path: str) -> list[str]:
        found = _texts(course.public.client.get(path).data, "//m:loc")
        return [location.removeprefix(_BASE) for location in found]

    maps = locations("/sitemap.xml")
    assert maps == ["/sitemap-1.xml", "/sitemap-2.xml"]
    assert [location for path in maps for location in locations(path)] == [course.url, more.url]
    for nowhere in ("/sitemap-0.xml", "/sitemap-3.xml", "/sitemap-99999999999999999999.xml"):
        assert course.public.client.get(nowhere).status_code == 404
    assert f"Sitemap: {_BASE}/sitemap.xml" in course.public.client.get("/robots.txt").text


def test_an_empty_repository_has_an_empty_map(service: Service) -> None:
    assert Visitor(service).client.get("/sitemap.xml").status_code == 200
