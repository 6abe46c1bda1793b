"""The pages of files that are no backups: what is inside, what they say, their licences, what is proposed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.oer import SAMPLES, h5p, imscc, moodle_xml, odt
from tests.support.service import Service
from tests.web.shared import Shared

Share = Callable[..., Shared]


@pytest.fixture
def share(service: Service, tmp_path: Path) -> Share:
    """Shares a file of that content and name, and has it looked into."""

    def make(content: bytes, name: str, **metadata: Any) -> Shared:
        path = tmp_path / name
        path.write_bytes(content)
        shared = Shared(service, path, **metadata)
        service.work()
        return shared

    return make


def test_a_package_shows_its_outline_and_what_moodle_makes_of_it(share: Share) -> None:
    shared = share(h5p(), "leaves.h5p", licence="CC-BY-SA-4.0", release=True)
    page = shared.public.get(shared.url)
    side = page.one("//dl[contains(@class, 'details')]").text_content()
    for words in ("It becomes an H5P activity", "H5P.QuestionSet 1.20", "Ada Lovelace", "CC BY-SA 4.0"):
        assert words in side
    inside = page.one("//section[@aria-labelledby='inside']")
    assert [item.text_content().strip() for item in inside.findall(".//p[@class='heading-only']")] == [
        "Colours",
        "A leaf",
    ]
    assert "H5P package" in page.one("//ul[@class='facts']").text_content()


def test_an_outline_of_several_levels(share: Share) -> None:
    shared = share(imscc(), "water.imscc", licence="CC-BY-4.0", release=True)
    page = shared.public.get(shared.url)
    inside = page.one("//section[@aria-labelledby='inside']").text_content()
    for words in ("1 link", "1 quiz", "1 question", "Rivers", "Springs", "Atlas"):
        assert words in inside
    assert "It becomes a file" in page.text


def test_licences_in_it(share: Share) -> None:
    shared = share(h5p(), "leaves.h5p", licence="CC-BY-4.0", release=True)
    link = shared.public.get(shared.url).one("//a[contains(@href, '/licences')]")
    page = shared.public.get(link.get("href"))
    table = page.one("//table").text_content()
    for words in ("leaves.h5p", "A leaf", "CC BY-NC 3.0", "Sky", "content/images/sky.png"):
        assert words in table
    assert "must not be used commercially" in page.text


def test_the_form_that_releases_proposes_what_the_file_says(share: Share) -> None:
    shared = share(odt(), "rivers.odt")
    form = shared.owner.get(f"{shared.url}/finish").form("/finish")
    assert form.fields["licence"] == "CC-BY-SA-4.0"
    assert "Ada Lovelace" in shared.owner.get(f"{shared.url}/finish").text


def test_a_language_that_is_guessed_is_chosen_in_advance(share: Share) -> None:
    shared = share(moodle_xml(), "questions.xml")
    page = shared.owner.get(f"{shared.url}/finish")
    assert page.form("/finish").fields["language"] == "de"
    assert "guessed from its text" in page.text


@pytest.mark.parametrize("sample", ["h5p", "GIFT", "EPUB 3.0", "website"])
def test_what_a_file_says_is_text_on_the_page(sample: str, share: Share) -> None:
    """Markup that stands in a file, cleaned or not, is nothing but words."""
    evil = b"<script>alert(1)</script>"
    content = SAMPLES[sample].make()
    if sample == "GIFT":
        content = b"::" + evil.replace(b":", b"") + b":: What? {T}\n"
    elif sample == "h5p":
        content = h5p(manifest={"title": evil.decode(), "license": evil.decode()})
    shared = share(content, "<script>.bin", licence="CC-BY-4.0", release=True)
    page = shared.public.get(shared.url)
    assert "<script>" not in page.text.partition("</head>")[2]
