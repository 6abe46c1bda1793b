"""Will it restore there? Each rule by a backup that it concerns; e2e compares them with a real Moodle."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from repo_service.backups.compatibility import Compatibility, Verdict, judge
from repo_service.backups.remarks import Remark
from repo_service.backups.sites import Restorer, SiteProfile, SiteRole
from repo_service.domain.inspection import BackupInspection, PluginUse, QuestionBank, RoleUse
from repo_service.inspection.moodle.core import parse_version
from tests.inspection.support import inspect_backup
from tests.support.backups import MOODLE_20, MOODLE_52, ActivitySpec, Release, backup, moodle1_backup


def _site(moodle: str = "4.5.6", **known: Any) -> SiteProfile:
    return SiteProfile(version=parse_version(moodle), **known)


def _codes(remarks: Iterable[Remark]) -> list[str]:
    return [remark.code for remark in remarks]


def _lost(judged: Compatibility) -> dict[str, int]:
    return {loss.component: loss.count for loss in judged.losses}


@pytest.fixture
def plain(tmp_path: Path) -> BackupInspection:
    """A course that needs nothing special."""
    return inspect_backup(backup(tmp_path / "plain.mbz", questions={"essay": 2}, blocks=["html"]))


def test_nothing_to_say(plain: BackupInspection) -> None:
    judged = judge(plain, _site())
    assert judged == Compatibility(
        verdict=Verdict.COMPLETE,
        sentence="It restores on Moodle 4.5.6 with everything that is in it.",
        errors=(),
        warnings=(),
        losses=(),
        notes=(),
    )


# Errors


def test_too_old(plain: BackupInspection) -> None:
    judged = judge(replace(plain, backup_version="2010072200"), _site())
    assert (judged.verdict, _codes(judged.errors)) == (Verdict.REFUSED, ["backup-too-old"])
    assert judged.sentence == (
        "Moodle 4.5.6 would refuse this backup. "
        "It was made with a development version of Moodle's backup, before 2.0."
    )
    assert judge(replace(plain, backup_version="2010072300"), _site()).errors == ()


def test_a_home_page(plain: BackupInspection) -> None:
    home = replace(plain, course_format="site", components={"format_site": 1})
    assert _codes(judge(home, _site()).errors) == ["front-page"]
    assert judge(home, _site()).losses == ()
    assert judge(home, _site("2.8")).errors == ()
    assert judge(replace(home, kind="activity"), _site()).errors == ()


def test_names_with_tags(plain: BackupInspection) -> None:
    judged = judge(replace(plain, fullname="Sea <b>life</b>", shortname="S <3"), _site())
    assert [(error.code, error.name) for error in judged.errors] == [
        ("name-with-tags", "Sea <b>life</b>"),
        ("name-with-tags", "S <3"),
    ]
    assert judge(replace(plain, kind="section", fullname="Sea <b>life</b>"), _site()).errors == ()


def test_several_top_categories(plain: BackupInspection) -> None:
    two = replace(plain, question_banks=(_bank(50, tops=1), _bank(50, tops=1, needed_by=("mod_quiz",))))
    assert _codes(judge(two, _site()).errors) == ["several-top-categories"]
    assert judge(replace(two, backup_version="2017111300"), _site()).errors == ()
    assert judge(two, _site(without=frozenset({"mod_quiz"}))).errors == ()


# Warnings


@pytest.mark.parametrize(
    ("made", "site", "newer"),
    [
        ("2024100706", "4.5.6", False),
        ("2024100706.01", "4.5.6", True),
        ("2024100706.01", "4.5.6+", False),
        ("2024100707", "4.5.6+", True),
        ("2024100706.01", "2024100706.01", False),
        ("2025041400", "4.5.6", True),
        ("", "4.5.6", False),
    ],
)
def test_newer_than_the_site(made: str, site: str, newer: bool, plain: BackupInspection) -> None:
    judged = judge(replace(plain, moodle_version=made), _site(site))
    assert _codes(judged.warnings) == (["newer-than-site"] if newer else [])
    assert judged.verdict is (Verdict.WARNED if newer else Verdict.COMPLETE)


def test_the_warning_is_said(tmp_path: Path) -> None:
    made = inspect_backup(backup(tmp_path / "x.mbz", release=MOODLE_52, activities=[ActivitySpec()]))
    assert judge(made, _site()).sentence == (
        "It restores on Moodle 4.5.6, with a warning. It was made with a newer Moodle (5.2) than the site's."
    )


def test_roles(plain: BackupInspection) -> None:
    roles = (
        RoleUse(shortname="student", archetype="student"),
        RoleUse(shortname="pupil", archetype="student"),
        RoleUse(shortname="editingteacher", archetype="editingteacher"),
        RoleUse(shortname="guide", archetype="", name="Guide"),
        RoleUse(shortname="manager", archetype="manager"),
    )
    made = replace(plain, roles=roles)
    assert [w.name for w in judge(made, _site()).warnings] == ["guide", "manager"]
    assert [w.name for w in judge(made, _site(restorer=Restorer.MANAGER)).warnings] == ["guide"]
    guides = (SiteRole("guide"),)
    assert [w.name for w in judge(made, _site(roles=guides)).warnings] == [
        *("student", "pupil", "editingteacher", "manager")
    ]
    assert len(judge(made, _site(roles=())).warnings) == 5


@pytest.mark.parametrize(
    ("level", "restorer", "moodle", "warned"),
    [
        (10, Restorer.TEACHER, "4.5.6", True),
        (10, Restorer.MANAGER, "4.5.6", False),
        (40, Restorer.TEACHER, "4.5.6", True),
        (40, Restorer.MANAGER, "4.5.6", True),
        (50, Restorer.TEACHER, "4.5.6", False),
        (70, Restorer.TEACHER, "4.5.6", False),
        (40, Restorer.MANAGER, "5.0", False),
    ],
)
def test_shared_questions(
    level: int, restorer: Restorer, moodle: str, warned: bool, plain: BackupInspection
) -> None:
    judged = judge(replace(plain, question_banks=(_bank(level),)), _site(moodle, restorer=restorer))
    assert [(w.code, w.count) for w in judged.warnings] == (
        [("questions-move-to-course", 3)] if warned else []
    )
    moved = moodle == "5.0" and level <= 50
    assert _codes(judged.notes) == (["questions-move-to-activity"] if moved else [])


def test_people_of_a_network(plain: BackupInspection) -> None:
    made = replace(plain, remote_users=True, includes_users=True)
    manager = judge(made, _site(restorer=Restorer.MANAGER))
    assert (_codes(manager.warnings), _codes(manager.notes)) == (["remote-users"], ["people"])
    teacher = judge(made, _site())
    assert (_codes(teacher.warnings), _codes(teacher.notes)) == ([], ["people-left-out"])


# Losses


def test_what_the_site_lacks(tmp_path: Path) -> None:
    made = inspect_backup(
        backup(
            tmp_path / "x.mbz",
            course_format="tiles",
            activities=[
                ActivitySpec(module="hvp"),
                ActivitySpec(module="hvp"),
                ActivitySpec(availability='{"op":"&","c":[{"type":"stash"}],"showc":[true]}'),
            ],
            questions={"stack": 3, "essay": 1, "random": 1},
            blocks=["xp", "html"],
        )
    )
    judged = judge(made, _site())
    assert _lost(judged) == {
        "availability_stash": 1,
        "block_xp": 1,
        "format_tiles": 1,
        "mod_hvp": 2,
        "qtype_stack": 3,
    }
    assert judged.verdict is Verdict.PARTIAL
    assert judged.sentence == (
        "It restores on Moodle 4.5.6, but not whole. 2 activities “hvp” would be missing. "
        "3 questions of type “stack” would not work. A block “xp” would be missing. And 2 more."
    )
    plugins = dict.fromkeys(("availability_stash", "block_xp", "format_tiles", "mod_hvp", "qtype_stack"))
    assert judge(made, _site(plugins=plugins)).verdict is Verdict.COMPLETE
    without_blocks = replace(made, root_settings={"blocks": "0"})
    assert "block_xp" not in _lost(judge(without_blocks, _site()))


@pytest.mark.parametrize(
    ("component", "moodle", "message"),
    [
        ("mod_chat", "5.0", "An activity “chat” would be missing: Moodle had it up to 4.5."),
        ("mod_chat", "4.5", None),
        ("mod_h5pactivity", "3.8", "An activity “h5pactivity” would be missing: Moodle has it since 3.9."),
        ("mod_qbank", "4.5", "An activity “qbank” would be missing: Moodle has it since 5.0."),
        (
            "mod_subsection",
            "4.4",
            "An activity “subsection” would be missing: what is inside of it stays, in a section of its own.",
        ),
        ("block_section_links", "5.1", "A block “section_links” would be missing: Moodle had it up to 5.0."),
        ("format_scorm", "4.5", None),
        ("format_scorm", "2.5", None),
        ("qtype_missingtype", "2.0", None),
        (
            "customfield_number",
            "4.4",
            "A course field of type “number” would be missing: Moodle has it since 4.5.",
        ),
        ("gradingform_checklist", "4.5", "A grading form “checklist” would be missing."),
    ],
)
def test_what_other_releases_lack(
    component: str, moodle: str, message: str | None, plain: BackupInspection
) -> None:
    judged = judge(replace(plain, moodle_version="", questions=0, components={component: 1}), _site(moodle))
    assert [loss.message for loss in judged.losses] == ([] if message is None else [message])


def test_ways_of_enrolment_matter_with_people(plain: BackupInspection) -> None:
    made = replace(plain, components={"enrol_licence": 1})
    manager = _site(restorer=Restorer.MANAGER)
    assert judge(made, manager).losses == ()
    assert _lost(judge(replace(made, includes_users=True), manager)) == {"enrol_licence": 1}
    assert judge(replace(made, includes_users=True), _site()).losses == ()


def test_modules_that_are_switched_off(plain: BackupInspection) -> None:
    made = replace(plain, components={"mod_subsection": 2})
    unknown, off, on = (
        judge(made, _site(disabled=disabled))
        for disabled in (None, frozenset({"mod_subsection"}), frozenset[str]())
    )
    assert (_codes(unknown.losses), _codes(unknown.notes)) == ([], ["may-be-disabled"])
    assert (_codes(off.losses), _codes(off.notes)) == (["disabled-module"], [])
    assert (_codes(on.losses), _codes(on.notes)) == ([], [])


def test_inside_of_subsections(tmp_path: Path) -> None:
    specs = [
        ActivitySpec(module="subsection", holds_section="Deeper"),
        *[ActivitySpec(section=2)] * 2,
    ]
    made = inspect_backup(backup(tmp_path / "x.mbz", activities=specs))
    removed = judge(made, _site(without=frozenset({"mod_subsection"})))
    assert [(loss.code, loss.count) for loss in removed.losses] == [
        ("missing-module", 1),
        ("inside-subsections", 2),
    ]
    assert _codes(judge(made, _site("4.4")).losses) == ["missing-module"]
    section = replace(made, kind="section")
    assert _codes(judge(section, _site("4.4")).losses) == ["missing-module", "inside-subsections"]


def test_questions_of_a_missing_activity(plain: BackupInspection) -> None:
    banks = (
        _bank(50, needed_by=("course", "mod_hvp"), types={"essay": 1}),
        _bank(70, needed_by=("mod_hvp",), types={"essay": 2, "match": 1}),
        _bank(50, needed_by=(), types={"essay": 4}),
    )
    made = replace(plain, question_banks=banks)
    assert _lost(judge(made, _site())) == {"core_question": 3}
    assert judge(made, _site(plugins={"mod_hvp": None})).losses == ()


def test_questions_with_versions(tmp_path: Path) -> None:
    made = inspect_backup(backup(tmp_path / "x.mbz", questions={"essay": 2, "stack": 1}))
    judged = judge(made, _site("3.11"))
    assert [(loss.code, loss.count) for loss in judged.losses] == [("versioned-questions", 3)]
    old = replace(made, backup_version="2021051700")
    assert _codes(judge(old, _site("3.11")).losses) == ["missing-question-type"]


# Notes, and what is known of old


def test_newer_plugins(plain: BackupInspection) -> None:
    made = replace(plain, plugins=(PluginUse(component="mod_hvp", version="2024010100", uses=2),))
    for version, noted in (("2023122500", True), ("2024010100", False), (None, False)):
        notes = judge(made, _site(plugins={"mod_hvp": version})).notes
        assert _codes(notes) == (["newer-plugin"] if noted else [])


def test_custom_fields(plain: BackupInspection) -> None:
    judged = judge(replace(plain, components={"customfield_text": 2, "customfield_date": 1}), _site())
    assert [(note.code, note.count) for note in judged.notes] == [("custom-fields", 3)]


def test_an_inspection_of_an_older_kind(tmp_path: Path) -> None:
    made = inspect_backup(
        backup(
            tmp_path / "x.mbz", activities=[ActivitySpec(module="hvp")], questions={"stack": 1}, blocks=["xp"]
        )
    )
    judged = judge(replace(made, components=None), _site())
    assert _lost(judged) == {"mod_hvp": 1, "qtype_stack": 1, "block_xp": 1}
    assert _codes(judged.notes) == ["inspected-before"]


def test_moodle_1_is_converted(tmp_path: Path) -> None:
    judged = judge(inspect_backup(moodle1_backup(tmp_path / "x.zip")), _site())
    assert (judged.errors, judged.warnings, _codes(judged.notes)) == ((), (), ["converted"])


@pytest.mark.parametrize("release", [MOODLE_20, MOODLE_52])
@pytest.mark.parametrize("moodle", ["2.0", "3.5", "4.5.6", "5.2"])
def test_every_backup_anywhere(release: Release, moodle: str, tmp_path: Path) -> None:
    judged = judge(inspect_backup(backup(tmp_path / "x.mbz", release=release)), _site(moodle))
    assert judged.sentence.startswith(("It restores on Moodle ", "Moodle "))
    assert judged.sentence.endswith(".")


def _bank(
    level: int,
    *,
    tops: int = 0,
    needed_by: tuple[str, ...] = ("course",),
    types: dict[str, int] | None = None,
) -> QuestionBank:
    return QuestionBank(
        context_id=7,
        context_level=level,
        needed_by=needed_by,
        names=("top", "A", "B"),
        categories=3,
        top_categories=tops,
        questions_by_type=types or {},
    )
