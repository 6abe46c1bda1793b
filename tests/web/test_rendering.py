"""How values read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask import url_for

from repo_service.domain.search import Facet, Sort
from repo_service.domain.texts import counted
from repo_service.languages import LANGUAGES
from repo_service.web import rendering
from repo_service.web.searching import Question
from repo_service.web.signing import local_path
from repo_service.web.speaking import say
from tests.support.service import Service


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1_644_894, "1.6 MB"),
        (4 * 1024**3, "4.3 GB"),
        (5 * 10**15, "5,000.0 TB"),
        (None, "unknown size"),
    ],
)
def test_sizes(count: int | None, text: str) -> None:
    assert rendering.size(count) == text


def test_marked_text_is_escaped_inside_and_outside_of_the_marks() -> None:
    text = "<a> & <b>"
    assert rendering.marked(text, [(6, 9)]) == "&lt;a&gt; &amp; <mark>&lt;b&gt;</mark>"
    assert rendering.marked(text, []) == "&lt;a&gt; &amp; &lt;b&gt;"


def test_dates_in_any_form() -> None:
    moment = datetime(2026, 3, 1, 9, 5, tzinfo=UTC)
    assert rendering.day(moment) == '<time datetime="2026-03-01T09:05:00+00:00">1 March 2026</time>'
    assert rendering.day(int(moment.timestamp())) == rendering.day(moment)
    assert rendering.day(None) == ""
    assert rendering.day(10**18) == ""  # a backup may claim anything


@pytest.mark.parametrize("path", ["/", "/mine?cursor=a%2Fb", "/resources/x/edit"])
def test_paths_on_this_site_are_kept(service: Service, path: str) -> None:
    with service.app.test_request_context():
        assert local_path(path) == path


@pytest.mark.parametrize("tag", LANGUAGES)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 11, 100, 12_345])
def test_counts_in_templates_read_as_texts_do(service: Service, tag: str, count: int) -> None:
    one, many = "%(count)s resource", "%(count)s resources"
    with service.app.test_request_context(f"/?lang={tag}"):
        template = service.app.jinja_env.from_string("{{ counted(one, many, count) }}")
        shown = template.render(one=one, many=many, count=count)
        assert shown == say(counted(one, many, count))


def test_addresses_of_a_search_are_those_of_its_page(service: Service) -> None:
    question = Question(
        words="Öko & “x” +", filters={Facet.SUBJECT: ("0521", "a b/c"), Facet.LICENCE: ()}, sort=Sort.NEWEST
    )
    with service.app.test_request_context("/"):
        made = url_for("web.home", q=question.words, sort="newest", cursor="x=", subject=["0521", "a b/c"])
        assert question.page("x=") == made
        assert Question().url == url_for("web.home")
