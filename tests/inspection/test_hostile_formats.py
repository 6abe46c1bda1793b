"""Files made to take time, memory or words that break something: each did once, in minutes, hours or days."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

import langcodes
import pytest

from repo_service.domain.errors import InvalidFile
from repo_service.domain.inspection import FileInspection
from repo_service.inspection.drafting import TEXT_LIMIT, Draft
from repo_service.inspection.languages import canonical_tag
from repo_service.inspection.packages.ims_manifest import manifest_of
from repo_service.inspection.packages.opened import Package
from repo_service.inspection.registry import inspect
from repo_service.inspection.serialise import search_text, to_json
from repo_service.inspection.text import html_to_text
from tests.backups.support import bytes_source
from tests.support.mutating import members_of, zipped
from tests.support.oer import docx, epub, h5p, imscc, imscp, moodle_xml, packed, scorm12

_NUMBER = "&#" + "1" * 5000 + ";"
"""Of more digits than Python takes for a number."""


def _inspected(data: bytes) -> FileInspection:
    _, found = inspect(bytes_source(data), name="x")
    assert isinstance(found, FileInspection)
    json.dumps(to_json(found), allow_nan=False).encode()
    return found


_LONG: dict[str, Callable[[], bytes]] = {
    "blanks and comments before a root": lambda: b" " * 1365 + b"<!---->" * 390 + b"x",
    "blanks": lambda: b" " * 4000 + b"x",
    "comments before a document type": lambda: b"<!---->" * 290 + b"<!DOCTYPE svg>" + b"<!---->" * 290 + b"x",
    "braces of GIFT": lambda: b"::a::" + b"{" * 1_000_000,
    "a brace of GIFT and much text": lambda: b"::a::{" + b"\\~" * 1_000_000,
    "categories of GIFT": lambda: b"$CATEGORY:/\n" * 500_000 + b"\n::a:: b {}",
    "lines before a title of GIFT": lambda: b"\n " * 2000 + b":",
    "a cue of very many lines": lambda: b"1\n00:00:01,000 --> 00:00:02,000\na" + b"\n" * 500_000 + b"b\n",
    "a cue of very many tags": lambda: b"1\n00:00:01,000 --> 00:00:02,000\n" + b"<a" * 500_000,
    "a cue of very many braces": lambda: (
        b"[Script Info]\n\n[Events]\nFormat: Start, End, Text\nDialogue: 0:00:00.00,0:00:01.00,"
        + b"{" * 500_000
    ),
    "a page of tags that do not end": lambda: packed({"index.html": b"<a " * 80_000}),
    "a page of comments that do not end": lambda: packed({"index.html": b"<!--" * 60_000}),
    "a page of comments that end at once": lambda: packed({"index.html": b"<!--a>" * 40_000}),
    "a page in Punycode": lambda: packed({"index.html": b"<meta charset=punycode>" + b"a" * 200_000 + b"-x"}),
    "a package of tags that do not end": lambda: h5p(
        content={f"text{number}": "<script>" + "<" + "a" * 60_000 for number in range(40)}
    ),
}


@pytest.mark.parametrize("make", _LONG.values(), ids=_LONG)
def test_it_comes_to_an_end(make: Callable[[], bytes]) -> None:
    """Within the time that all tests have: nothing is looked at again and again."""
    _inspected(make())


_ODD: dict[str, Callable[[], bytes]] = {
    "a number of very many digits in a title": lambda: h5p(manifest={"title": _NUMBER}),
    "such a number in a text": lambda: h5p(content={"text": f"<p>{_NUMBER}</p>"}),
    "such a number on a page": lambda: packed({"index.html": f"<title>{_NUMBER}</title><p>{_NUMBER}"}),
    "such a number in a question": f"::a:: <b>{_NUMBER}</b> {{}}".encode,
    "such a number in front matter": f"---\ndescription: {_NUMBER}\n---\n# x\n".encode,
    "such a number in XML": lambda: moodle_xml().replace(b"Leaves", _NUMBER.replace("&", "&amp;").encode()),
    "a language of very many parts": lambda: h5p(manifest={"defaultLanguage": "en" + "-abcde" * 1000}),
    "a private language": lambda: h5p(manifest={"defaultLanguage": "en-x" + "-abcdefgh" * 1000}),
    "a field of no type": lambda: h5p(
        members={"H5P.QuestionSet-1.20/semantics.json": '[{"type": [], "name": {}}, {"type": {}}]'}
    ),
    "a section of a declaration": lambda: packed({"index.html": "<![foo[x]]><!DOCTYPE [<title>x</title>"}),
    "a style without its colours": lambda: b"[Script Info]\n[V4+ Styles]\nStyle: a,Arial,20,\n",
    "a style as the root of styles": lambda: zipped(
        docx(), {"word/styles.xml": b'<w:name xmlns:w="w" w:val="heading 1"/>'}
    ),
    "a link as the root of a table of contents": lambda: zipped(
        epub(), {"OEBPS/nav.xhtml": b"<a><nav><ol><a>x</a></ol></nav></a>"}
    ),
}


@pytest.mark.parametrize("make", _ODD.values(), ids=_ODD)
def test_it_is_described_or_refused(make: Callable[[], bytes]) -> None:
    with contextlib.suppress(InvalidFile):
        _inspected(make())


def test_content_that_is_too_large_is_not_looked_into() -> None:
    found = _inspected(h5p(content={"text": "x" * (5 << 20)}))
    assert [warning.code for warning in found.warnings] == ["content-too-large"]
    assert (found.title, found.text) == ("Leaves & roots", "")


def test_markup_that_does_not_end_is_read_once() -> None:
    for number in range(100):
        html_to_text("<" + "a" * (60_000 + number))


def test_no_cue_ends_before_it_begins() -> None:
    text = (
        "[Script Info]\n\n[Events]\nFormat: Layer, Start, End, Text\nDialogue: 0,-1:00:00.00,-9:00:00.00,x\n"
    )
    assert _inspected(text.encode()).facts["duration"] == 0


def test_what_is_known_of_languages_does_not_grow_with_what_strangers_send() -> None:
    for number in range(25_000):
        canonical_tag(f"qq-a{number:05}")
    assert len(langcodes.Language._PARSE_CACHE) <= 10_001


def test_only_some_tags_of_languages_are_looked_at() -> None:
    draft = Draft()
    for _ in range(1000):
        draft.say_language("none")
    draft.say_language("de")
    assert draft.language is None


def test_one_manifest_keeps_so_many_names_and_no_more() -> None:
    manifest = members_of(scorm12())["imsmanifest.xml"]
    files = b'<file href="x.html"/>' * 60_000
    spaces = b"".join(b'<x xmlns="u%d"/>' % number for number in range(5000))
    more = b'<resource identifier="more">' + files + spaces + b"</resource></resources>"
    grown = manifest.replace(b"</resources>", more)
    found = manifest_of(Package(bytes_source(zipped(scorm12(), {"imsmanifest.xml": grown}))))
    assert len(found.namespaces) <= 1001
    assert sum(len(resource.files) for resource in found.resources.values()) <= 50_000


def test_names_and_roles_are_kept_as_far_as_people_read_them() -> None:
    manifest = members_of(imscp())["imsmanifest.xml"].decode()
    role = "\u202a" * 100_000
    lom = (
        "<lom><lifecycle><contribute><role><value><langstring>"
        f"{role}</langstring></value></role>{'<centity><vcard>Ada</vcard></centity>' * 2000}"
        "</contribute></lifecycle></lom>"
    )
    grown = manifest.replace("</metadata>", f"{lom}</metadata>", 1)
    assert grown != manifest
    assert len(_inspected(zipped(imscp(), {"imsmanifest.xml": grown.encode()})).authors) < 10


def test_the_kind_of_a_question_is_that_of_a_plugin() -> None:
    data = moodle_xml().replace(b'type="multichoice"', b'type="a&#10;&#x202e;&#x9b;&lt;b&gt;"')
    assert data != moodle_xml()
    found = _inspected(data)
    assert "questions_unknown" in found.facts
    assert "\u202e" not in json.dumps(to_json(found), ensure_ascii=False)


def test_the_media_type_is_one() -> None:
    manifest = members_of(imscc())["imsmanifest.xml"].decode()
    odd = manifest.replace("1.3.0", "1.٣.0")
    assert odd != manifest
    found = _inspected(zipped(imscc(), {"imsmanifest.xml": odd.encode()}))
    assert found.media_type.isascii()


def test_a_member_that_is_called_like_the_file_itself_is_no_cover() -> None:
    book = members_of(epub())["OEBPS/book.opf"].replace(
        b"</manifest>",
        b'<item id="c" href=".." media-type="image/png" properties="cover-image"/></manifest>',
    )
    assert _inspected(zipped(epub(), {"OEBPS/book.opf": book})).cover != "."


def test_no_more_text_is_kept_than_there_is_room_for() -> None:
    draft = Draft()
    draft.add_text("x" * TEXT_LIMIT)
    for _ in range(3):
        draft.add_text("y" * TEXT_LIMIT)
    found = draft.inspection("text", media_type="text/plain", size=1, name="x")
    assert len(found.text) <= TEXT_LIMIT + 1


def test_a_long_text_is_found_by_its_beginning() -> None:
    """In letters of two bytes it is longer than what is kept, and is cut rather than dropped."""
    words = "река течёт к морю " * 10_000
    found = _inspected(packed({"index.html": f"<p>{words}</p>"}))
    assert "река течёт к морю" in search_text(found)
    draft = Draft()
    draft.add_text(words)
    text = search_text(draft.inspection("text", media_type="text/plain", size=1, name="x"))
    assert 150_000 < len(text.encode()) <= 200_000
