"""Moodle 1.9 backups made in code."""

from __future__ import annotations

from pathlib import Path

from repo_service.domain.inspection import FileInspection
from tests.inspection.support import inspect_backup, inspect_path, refusal
from tests.support.backups import moodle1_backup, moodle1_xml, write_targz, write_zip
from tests.support.hostile import raw_zip


def test_is_described_as_far_as_it_goes(tmp_path: Path) -> None:
    inspection = inspect_backup(moodle1_backup(tmp_path / "old.zip", fullname="Old & <b>bold</b>", users=2))
    assert (inspection.kind, inspection.backup_format, inspection.archive_format) == (
        "course",
        "moodle1",
        "zip",
    )
    assert (inspection.fullname, inspection.language) == ("Old & <b>bold</b>", "en")
    assert (inspection.summary_html, inspection.summary_text) == ("<p>An old one.</p>", "An old one.")
    assert inspection.activities_by_module == {"forum": 1, "quiz": 1}
    assert inspection.questions_by_type == {"truefalse": 1}
    assert [
        (section.number, section.summary_text, activity.title, activity.visible)
        for section in inspection.outline
        for activity in section.activities
    ] == [(0, "", "News forum", True), (1, "Week one", "Old quiz", False)]
    assert (inspection.files, inspection.file_bytes) == (1, 6)
    assert [(finding.code, finding.count) for finding in inspection.blocking] == [("users", 2)]


def test_without_users(tmp_path: Path) -> None:
    inspection = inspect_backup(moodle1_backup(tmp_path / "old.zip"))
    assert (inspection.includes_users, inspection.findings) == (False, ())


def test_two_manifests_are_refused(tmp_path: Path) -> None:
    twice = [(b"moodle.xml", moodle1_xml()), (b"moodle.xml", moodle1_xml(users=9))]
    assert refusal(raw_zip(tmp_path / "old.zip", twice)) == "duplicate-member"


def test_only_zips_hold_them(tmp_path: Path) -> None:
    content = {"moodle.xml": moodle1_xml()}
    assert isinstance(inspect_path(write_targz(tmp_path / "old.tar.gz", content)), FileInspection)
    assert refusal(write_targz(tmp_path / "old.mbz", content)) == "not-a-backup"


def test_a_manifest_that_moodle_would_not_recognise(tmp_path: Path) -> None:
    xml = moodle1_xml().replace(b"<INFO>", b"<INFO >")
    assert refusal(write_zip(tmp_path / "old.zip", {"moodle.xml": xml})) == "not-recognised-by-moodle"
