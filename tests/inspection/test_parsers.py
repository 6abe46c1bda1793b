"""What every parser of files that are no backups keeps to, shown with a sound file of each format."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from repo_service.domain.errors import InvalidFile
from repo_service.domain.formats import FORMATS, MoodleUse, moodle_use
from repo_service.domain.inspection import FileInspection
from repo_service.inspection.registry import inspect, parsers
from repo_service.inspection.serialise import from_json, search_text, to_json
from tests.backups.support import bytes_source
from tests.fuzz.running import SMALL
from tests.support.mutating import members_of, mutated, zipped
from tests.support.oer import SAMPLES, packed

_MUTATIONS = 40

every = pytest.mark.parametrize("name", SAMPLES)


@cache
def _bytes(name: str) -> bytes:
    return SAMPLES[name].make()


def _inspected(data: bytes, *, name: str = "") -> tuple[str, FileInspection]:
    parser, inspection = inspect(bytes_source(data), name=name)
    assert isinstance(inspection, FileInspection)
    return parser.name, inspection


def _headings(items: list[Mapping[str, Any]]) -> Iterator[str]:
    for item in items:
        yield item["title"]
        yield from _headings(item["items"])


@every
def test_it_says_what_the_file_says(name: str) -> None:
    sample = SAMPLES[name]
    parser, inspection = _inspected(_bytes(name))
    document = to_json(inspection)
    assert parser == sample.parser
    assert {key: document[key] for key in sample.said} == sample.said
    assert tuple(_headings(document["outline"])) == sample.headings
    assert document["size"] == len(_bytes(name))
    assert not document["warnings"]
    assert not document["findings"]
    assert document["format"] in FORMATS
    for words in sample.finds:
        assert words in search_text(inspection)


@every
def test_it_says_the_same_each_time_and_whatever_the_file_is_called(name: str) -> None:
    _, first = _inspected(_bytes(name))
    source = bytes_source(_bytes(name))
    for called in ("", "", "x.pdf"):
        _, again = inspect(source, name=called)
        assert isinstance(again, FileInspection)
        assert {**to_json(again), "title": ""} == {**to_json(first), "title": ""}
        assert again.text == first.text


@every
def test_json_there_and_back(name: str) -> None:
    document = to_json(_inspected(_bytes(name))[1])
    assert to_json(from_json(json.loads(json.dumps(document)))) == document


@every
def test_a_file_without_a_title_is_called_by_its_name(name: str) -> None:
    _, inspection = _inspected(_bytes(name), name="some_river.bin")
    assert inspection.title == (SAMPLES[name].said.get("title") or "some river")


@every
def test_what_is_cut_off_is_refused_or_described(name: str) -> None:
    data = _bytes(name)
    for share in (0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
        _inspected_or_refused(data[: int(len(data) * share)])


@every
def test_what_is_damaged_is_refused_or_described(name: str) -> None:
    """Bytes of the file, and bytes of a member within it: the checksums of a zip would catch the former."""
    chance = random.Random(name)
    data = _bytes(name)
    for _ in range(_MUTATIONS):
        _inspected_or_refused(mutated(data, chance))
    if not data.startswith(b"PK"):
        return
    members = members_of(data)
    for member in members:
        for _ in range(_MUTATIONS // len(members) + 2):
            _inspected_or_refused(packed({**members, member: mutated(members[member], chance)}))
        _inspected_or_refused(packed({**members, member: b""}))
        _inspected_or_refused(packed({one: content for one, content in members.items() if one != member}))


@pytest.mark.parametrize("name", [name for name in SAMPLES if SAMPLES[name].make().startswith(b"PK")])
def test_what_would_lead_out_of_the_package_is_refused(name: str) -> None:
    with pytest.raises(InvalidFile) as refused:
        _inspected(zipped(_bytes(name), {"../../etc/cron.d/x": b"x"}))
    assert refused.value.reason == "path-traversal"


def test_every_parser_has_a_sample() -> None:
    """Those of backups have tests of their own; the last one knows nothing to say."""
    known = {sample.parser for sample in SAMPLES.values()} | {"moodle2", "moodle1", "file"}
    assert {parser.name for parser in parsers()} == known


@pytest.mark.parametrize("ending", ["zip", "h5p", "imscc", ""])
def test_what_moodle_makes_of_them(ending: str) -> None:
    """It goes by what files are called, too."""
    uses = {}
    for name in SAMPLES:
        _, found = _inspected(_bytes(name))
        uses[name] = moodle_use(found.kind, found.format, f"x.{ending}")
    special = {name: use for name, use in uses.items() if use is not MoodleUse.FILE}
    expected = {
        "h5p": {"h5p": MoodleUse.H5P},
        "zip": dict.fromkeys(("SCORM 1.2", "SCORM 2004", "content package"), MoodleUse.SCORM),
    }
    assert special == expected.get(ending, {})
    assert moodle_use("course", "", f"x.{ending}") is MoodleUse.RESTORE


def _inspected_or_refused(data: bytes) -> None:
    try:
        _, inspection = inspect(bytes_source(data), name="", parsers=parsers(SMALL))
    except InvalidFile:
        return
    to_json(inspection)
