"""The form in which an owner describes a resource."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.backups import backup
from tests.support.service import Service
from tests.web.shared import Shared
from tests.web.visitor import Page


@pytest.fixture
def shared(service: Service, tmp_path: Path) -> Shared:
    """A draft that inspection has filled in."""
    made = Shared(service, backup(tmp_path / "course.mbz"))
    service.work()
    return made


def _save(shared: Shared, **fields: Any) -> None:
    answer = shared.owner.send(f"{shared.url}/edit", "/edit", **fields)
    assert (answer.status_code, answer.location) == (303, shared.url), answer.text


def test_every_field_is_saved_in_the_catalogues_own_form(shared: Shared) -> None:
    _save(
        shared,
        title="  Ecology\x00 for\nall ",
        summary="<p>See <a href='https://a.example/' onclick='x()'>this</a></p><script>x()</script>",
        licence="CC-BY-SA-4.0",
        languages="en, pt_br; fr",
        keywords="food web, hare,\nhare",
        subjects=["0521", "0511"],
        levels=["level3"],
        types=["course"],
        author_name=["Ada Lovelace", "", "Grace\tHopper"],
        author_url=["https://ada.example/", "", ""],
    )
    saved = shared.json()
    assert saved["title"] == "Ecology for all"
    assert saved["summary"] == (
        '<p>See <a href="https://a.example/" rel="noopener noreferrer nofollow ugc">this</a></p>'
    )
    assert saved["licence"] == "CC-BY-SA-4.0"
    assert saved["languages"] == ["en", "pt-BR", "fr"]
    assert saved["keywords"] == ["food web", "hare"]
    assert saved["subjects"] == ["0521", "0511"]
    assert (saved["levels"], saved["types"]) == (["level3"], ["course"])
    assert saved["authors"] == [
        {"name": "Ada Lovelace", "url": "https://ada.example/"},
        {"name": "Grace Hopper", "url": ""},
    ]


def test_what_is_not_touched_stays_as_it_was_found(shared: Shared) -> None:
    before = shared.json()
    _save(shared, licence="CC-BY-4.0")
    after = shared.json()
    assert after["licence"] == "CC-BY-4.0"
    assert after["found"] == before["found"] != []
    assert after["summary"] == before["summary"]


def test_the_form_shows_what_was_saved(shared: Shared) -> None:
    _save(shared, subjects=["0521"], author_name=["Ada", ""], author_url=["", ""])
    page = shared.owner.get(f"{shared.url}/edit")
    fields = page.form("/edit").fields
    assert fields["title"] == "Introduction to Ecology"
    ticked = page.all("//input[@name='subjects'][@checked]/@value")
    assert ticked == ["0521"]
    assert all(
        "open" in details.attrib
        for details in page.one("//input[@id='subjects-0521']").iterancestors("details")
    )
    _save(shared, subjects=[])
    assert shared.json()["subjects"] == []


def test_plain_text_keeps_its_lines_and_its_signs(shared: Shared) -> None:
    _save(shared, summary="Hares & foxes\r\nand grass")
    assert shared.json()["summary"] == "Hares &amp; foxes<br>and grass"
    page = shared.owner.get(f"{shared.url}/edit")
    assert page.form("/edit").fields["summary"].strip() == "Hares & foxes\nand grass"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("title", " ", "A title needs at least one character."),
        ("languages", "en, klingonese-zz", "is not a BCP 47 language tag."),
        ("licence", "my-own", "is not in /vocabularies/licences."),
        ("subjects", ["nonsense"], "is not in /vocabularies/isced-f-2013."),
        ("author_url", ["javascript:alert(1)", ""], "An address begins with https://."),
    ],
)
def test_a_wrong_value_is_told_beside_its_field_and_nothing_typed_is_lost(
    shared: Shared, field: str, value: Any, message: str
) -> None:
    before = shared.json()
    typed = {"keywords": "typed, words", "author_name": ["Ada", ""], field: value}
    page = Page(shared.owner.send(f"{shared.url}/edit", "/edit", **typed))
    assert page.status == 422
    assert message in page.one("//*[@role='alert']").text_content()
    assert any(message in error.text_content() for error in page.all("//*[@class='field-error']"))
    assert page.form("/edit").fields["keywords"] == "typed, words"
    assert shared.json() == before


def test_two_who_edit_at_once_are_told(shared: Shared) -> None:
    slow, url = shared.owner, f"{shared.url}/edit"
    form = slow.get(url).form("/edit")
    opened = dict(form.form_values())
    _save(shared, title="The fast one")
    answer = Page(slow.client.post(url, data={**opened, "title": "The slow one"}, headers=slow.headers))
    assert answer.status == 412
    assert "changed elsewhere" in answer.text
    assert shared.json()["title"] == "The fast one"
    again = dict(answer.form("/edit").form_values())
    assert again["title"] == "The slow one"
    assert slow.client.post(url, data=again, headers=slow.headers).status_code == 303
    assert shared.json()["title"] == "The slow one"


def test_only_the_state_that_was_edited_counts(shared: Shared) -> None:
    """Its number may well stand somewhere in the tag of another one."""
    stale = Page(shared.owner.send(f"{shared.url}/edit", "/edit", title="Late", etag="0-p123456789.abcdef"))
    assert stale.status == 412
    assert shared.json()["title"] != "Late"
