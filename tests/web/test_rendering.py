"""How values read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from repo_service.web import rendering
from repo_service.web.signing import local_path
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
