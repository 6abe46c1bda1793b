"""Inspection of real backups against facts that were taken from their XML and from the sites' databases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from repo_service.domain.findings import KINDS, Subject
from repo_service.domain.inspection import BackupInspection, FileInspection, Section
from repo_service.inspection.serialise import from_json, to_json
from tests.inspection.support import inspect_backup, inspect_path
from tests.support.backups import write_zip
from tests.support.corpus import shared_folder

_NAMED_OTHERWISE = {
    "kind": "type",
    "fullname": "course_fullname",
    "shortname": "course_shortname",
    "backup_mode": "mode",
    "activities_by_module": "activities_by_modname",
    "files": "file_count",
    "distinct_files": "pool_files",
    "questions": "question_count",
}
_COMPARED = (
    *_NAMED_OTHERWISE,
    *("course_format", "moodle_version", "moodle_release", "backup_version", "backup_release", "backup_date"),
    *("includes_users", "anonymised", "includes_files", "users", "sections", "activities", "tags"),
    *("original_wwwroot", "root_settings"),
)


def _entries() -> list[dict[str, Any]]:
    folder = shared_folder()
    if folder is None:
        return []
    entries: list[dict[str, Any]] = json.loads((folder / "corpus" / "manifest.json").read_text("utf-8"))[
        "backups"
    ]
    return entries


_BACKUPS = [entry for entry in _entries() if entry["type"] != "imscc"]


def test_the_corpus_has_all_its_backups(corpus: Path) -> None:
    assert len(_BACKUPS) == 66


@pytest.mark.parametrize("entry", _BACKUPS, ids=[entry["file"] for entry in _BACKUPS])
def test_equals_the_manifest(entry: dict[str, Any], corpus: Path) -> None:
    inspection = inspect_backup(corpus / entry["file"])
    found = to_json(inspection)
    expected = {key: entry[name] for key in _COMPARED if (name := _NAMED_OTHERWISE.get(key, key)) in entry}
    assert {key: found[key] for key in expected} == expected
    assert inspection.archive_format == entry["format"]
    assert inspection.size == entry["size"]
    assert from_json(json.loads(json.dumps(found))) == inspection


@pytest.mark.parametrize("entry", _BACKUPS, ids=[entry["file"] for entry in _BACKUPS])
def test_outline_agrees_with_the_counts(entry: dict[str, Any], corpus: Path) -> None:
    inspection = inspect_backup(corpus / entry["file"])
    sections = _all(inspection.outline)
    activities = [activity for section in sections for activity in section.activities]
    assert len([section for section in sections if section.id is not None]) == inspection.sections
    assert len(activities) == inspection.activities
    assert sum(inspection.questions_by_type.values()) == inspection.questions
    assert sum(activity.files for activity in activities) <= inspection.files
    assert sum(activity.file_bytes for activity in activities) <= inspection.file_bytes
    of_learners = [f for f in inspection.blocking if KINDS[f.code].subject is Subject.LEARNERS]
    assert bool(of_learners) == inspection.includes_users


def _all(sections: tuple[Section, ...]) -> list[Section]:
    found: list[Section] = []
    for section in sections:
        found.append(section)
        for activity in section.activities:
            found += _all(activity.sections)
    return found


def test_outline_of_a_course(corpus: Path) -> None:
    outline = inspect_backup(corpus / "m456-edge-cases.course.nousers.tgz.mbz").outline
    assert [(section.number, section.title, len(section.activities)) for section in outline] == [
        (0, "", 0),
        (1, "Sub & <sections>", 8),
        (2, "", 3),
    ]
    subsection, page, *_ = outline[1].activities
    assert [section.title for section in subsection.sections] == ["A subsection (4.5)"]
    assert page.title == "Script & iframe"
    assert [activity.title for activity in outline[1].activities if activity.restricted] == [
        "Restricted by date and group"
    ]


def test_both_containers_tell_the_same(corpus: Path) -> None:
    tgz = to_json(inspect_backup(corpus / "m456-analysis-de.course.nousers.tgz.mbz"))
    zipped = to_json(inspect_backup(corpus / "m456-analysis-de.course.nousers.zip.mbz"))
    for run in ("size", "archive_format", "backup_date", "moodle_version"):
        tgz.pop(run), zipped.pop(run)
    assert tgz == zipped


def test_files_of_an_activity_are_its_own(corpus: Path) -> None:
    inspection = inspect_backup(corpus / "m456-env-science-en.activity-resource.nousers.zip.mbz")
    (activity,) = inspection.outline[0].activities
    assert (activity.files, activity.file_bytes) == (inspection.files, inspection.file_bytes) == (1, 145_895)


def test_a_summary_keeps_nothing_active(corpus: Path) -> None:
    inspection = inspect_backup(corpus / "m456-edge-cases.course.nousers.tgz.mbz")
    assert inspection.summary_html == (
        '<p>Summary with <a rel="noopener noreferrer nofollow ugc">a local link</a>,  and .</p>'
    )
    assert inspection.summary_text == "Summary with a local link, and ."


@pytest.mark.parametrize("name", [entry["file"] for entry in _entries() if entry["type"] == "imscc"])
def test_a_cartridge_is_a_file(name: str, corpus: Path) -> None:
    assert isinstance(inspect_path(corpus / name), FileInspection)


def test_every_fixture_of_moodle_is_described(corpus: Path) -> None:
    backups = 0
    for path in sorted((corpus / "fixtures").iterdir()):
        inspection = inspect_path(path)
        assert isinstance(inspection, BackupInspection) == path.name.startswith("mbz__"), path.name
        backups += isinstance(inspection, BackupInspection)
    assert backups == 8


def test_moodle_1_9(corpus: Path, tmp_path: Path) -> None:
    xml = (corpus / "fixtures" / "moodle1-xml__moodle.xml").read_bytes()
    inspection = inspect_backup(write_zip(tmp_path / "restore.zip", {"moodle.xml": xml}))
    assert inspection.backup_format == "moodle1"
    assert inspection.fullname == "Moodle 2.0 Test Restore"
    assert (inspection.sections, inspection.activities, inspection.users) == (11, 1, 3)
    assert [section.number for section in inspection.outline] == list(range(11))
    assert inspection.outline[0].activities[0].title == "News forum"
