"""Moodle 2 backups made in code: what each part of the description comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from repo_service.domain.findings import FindingClass
from repo_service.domain.inspection import Activity, PluginUse
from tests.inspection.support import inspect_backup, refusal
from tests.support.backups import (
    MOODLE_20,
    MOODLE_52,
    ActivitySpec,
    Container,
    Kind,
    Release,
    backup,
    members,
    write_targz,
    write_zip,
)


@pytest.mark.parametrize("container", ["tgz", "zip"])
@pytest.mark.parametrize("kind", ["course", "section", "activity"])
def test_every_kind_in_both_containers(container: Container, kind: Kind, tmp_path: Path) -> None:
    activities = [ActivitySpec(title="Food webs")]
    inspection = inspect_backup(
        backup(tmp_path / "x.mbz", container=container, kind=kind, activities=activities)
    )
    assert (inspection.kind, inspection.archive_format) == (kind, container)
    assert (
        inspection.title
        == {
            "course": "Introduction to Ecology",
            "section": "Week one",
            "activity": "Food webs",
        }[kind]
    )
    assert inspection.tags == (("ecology",) if kind == "course" else None)
    assert [activity.title for section in inspection.outline for activity in section.activities] == [
        "Food webs"
    ]


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("dot_slash", [True, False])
def test_every_way_to_pack_a_tar(index: bool, dot_slash: bool, tmp_path: Path) -> None:
    inspection = inspect_backup(backup(tmp_path / "x.mbz", index=index, dot_slash=dot_slash))
    assert (inspection.activities, inspection.files, inspection.distinct_files) == (2, 1, 1)


@pytest.mark.parametrize("release", [MOODLE_20, MOODLE_52])
def test_releases(release: Release, tmp_path: Path) -> None:
    inspection = inspect_backup(backup(tmp_path / "x.mbz", release=release))
    assert inspection.moodle_release == release.moodle_release
    assert inspection.backup_version == release.backup_version


def test_the_order_of_members_does_not_matter(tmp_path: Path) -> None:
    made = members(users=2, questions={"essay": 2})
    usual = inspect_backup(write_zip(tmp_path / "a.mbz", made))
    turned = inspect_backup(write_zip(tmp_path / "b.mbz", dict(reversed(made.items()))))
    assert usual == turned


def test_activities_stand_in_the_order_of_the_course_page(tmp_path: Path) -> None:
    made = members(activities=[ActivitySpec(title=title) for title in "abc"])
    place = "sections/section_21/section.xml"
    made[place] = made[place].replace(b"100,101,102", b"102,100")
    section = inspect_backup(write_targz(tmp_path / "x.mbz", made)).outline[1]
    assert [activity.title for activity in section.activities] == ["c", "a", "b"]


def test_what_an_activity_tells(tmp_path: Path) -> None:
    spec = ActivitySpec(
        module="resource",
        title="Leaves <i>&</i> roots",
        visible=False,
        availability=json.dumps({"op": "&", "c": [{"type": "date", "d": ">=", "t": 1}], "showc": [True]}),
        tags=["Botany", "日本"],
        files=[("a.txt", b"12345"), ("b.txt", b"12345"), ("c.txt", b"1")],
    )
    inspection = inspect_backup(backup(tmp_path / "x.mbz", activities=[spec]))
    assert inspection.outline[1].activities == (
        Activity(
            id=100,
            module="resource",
            title="Leaves <i>&</i> roots",
            visible=False,
            restricted=True,
            tags=("Botany", "日本"),
            files=3,
            file_bytes=11,
        ),
    )
    assert (inspection.files, inspection.distinct_files) == (3, 2)
    assert (inspection.file_bytes, inspection.distinct_file_bytes) == (11, 6)


@pytest.mark.parametrize(
    ("availability", "restricted"),
    [
        ("$@NULL@$", False),
        ("", False),
        ('{"op":"&","c":[],"showc":[]}', False),
        ('{"op":"|","c":[{"op":"&","c":[{"type":"grade","id":1}]}]}', True),
        ("[" * 5000, True),
        ("no json", True),
        ('{"c": 7}', False),
    ],
)
def test_restrictions(availability: str, restricted: bool, tmp_path: Path) -> None:
    spec = ActivitySpec(availability=availability)
    activity = inspect_backup(backup(tmp_path / "x.mbz", activities=[spec])).outline[1].activities[0]
    assert activity.restricted is restricted


def test_subsections_stand_within_their_activity(tmp_path: Path) -> None:
    specs = [
        ActivitySpec(module="subsection", title="Deeper", holds_section="Deeper"),
        ActivitySpec(title="Inside", section=2),
    ]
    outline = inspect_backup(backup(tmp_path / "x.mbz", activities=specs)).outline
    assert [section.title for section in outline] == ["", "Week one"]
    (held,) = outline[1].activities[0].sections
    assert (held.title, held.activities[0].title) == ("Deeper", "Inside")


def test_the_parent_of_a_subsection_is_found_by_its_instance(tmp_path: Path) -> None:
    made = members(activities=[ActivitySpec(module="subsection", title="Deeper", holds_section="Deeper")])
    made["moodle_backup.xml"] = made["moodle_backup.xml"].replace(b"<parentcmid>100", b"<parentcmid>")
    outline = inspect_backup(write_zip(tmp_path / "x.mbz", made)).outline
    assert [section.title for section in outline[1].activities[0].sections] == ["Deeper"]


def test_a_section_within_itself_stays_at_the_top(tmp_path: Path) -> None:
    made = members()
    made["moodle_backup.xml"] = made["moodle_backup.xml"].replace(b"<parentcmid>", b"<parentcmid>100")
    inspection = inspect_backup(write_zip(tmp_path / "x.mbz", made))
    assert {warning.code for warning in inspection.warnings} == {"nested-too-deep"}
    assert inspection.sections == 2
    assert [activity.id for section in inspection.outline for activity in section.activities] == [100, 101]


@pytest.mark.parametrize("anonymised", [True, False])
def test_users_block_a_release(anonymised: bool, tmp_path: Path) -> None:
    inspection = inspect_backup(backup(tmp_path / "x.mbz", users=3, anonymised=anonymised))
    assert (inspection.includes_users, inspection.users, inspection.anonymised) == (True, 3, anonymised)
    (finding,) = inspection.blocking
    assert (finding.code, finding.finding_class, finding.place, finding.count) == (
        "users",
        FindingClass.BLOCKING,
        "users.xml",
        3,
    )


def test_users_are_found_whatever_the_settings_claim(tmp_path: Path) -> None:
    users = members(users=2)["users.xml"]
    inspection = inspect_backup(backup(tmp_path / "x.mbz", extra={"users.xml": users}))
    assert inspection.root_settings["users"] == "0"
    assert [finding.count for finding in inspection.blocking] == [2]


def test_no_users_no_finding(tmp_path: Path) -> None:
    inspection = inspect_backup(backup(tmp_path / "x.mbz"))
    assert (inspection.includes_users, inspection.findings) == (False, ())


def test_plugins_that_are_not_part_of_moodle(tmp_path: Path) -> None:
    inspection = inspect_backup(
        backup(
            tmp_path / "x.mbz",
            course_format="tiles",
            activities=[
                ActivitySpec(module="hvp", title="A video", files=[("a.txt", b"1")]),
                ActivitySpec(module="hvp", title="Another"),
                ActivitySpec(module="quiz", availability='{"op":"&","c":[{"type":"stash","id":1}]}'),
                ActivitySpec(module="chat", title="Part of Moodle until 5.0"),
            ],
            questions={"stack": 2, "essay": 1, "multichoice": 1},
            blocks=["html", "xp"],
        )
    )
    assert inspection.plugins == (
        PluginUse(component="availability_stash", version=None, uses=1),
        PluginUse(component="block_xp", version=None, uses=1),
        PluginUse(component="format_tiles", version=None, uses=1),
        PluginUse(component="mod_hvp", version="2024100700", uses=2),
        PluginUse(component="qtype_stack", version=None, uses=2),
    )
    assert inspection.questions_by_type == {"essay": 1, "multichoice": 1, "stack": 2}


def test_names_are_text_without_control_characters(tmp_path: Path) -> None:
    name = "<script>alert(1)</script> \u202eevil\u0085 & \u2028more"
    inspection = inspect_backup(
        backup(tmp_path / "x.mbz", fullname=name, activities=[ActivitySpec(title=name)])
    )
    clean = "<script>alert(1)</script> evil &  more"
    assert inspection.fullname == inspection.title == clean
    assert inspection.outline[1].activities[0].title == clean


def test_a_summary_in_plain_text(tmp_path: Path) -> None:
    made = members(summary="a < b\n<script>no markup</script>")
    place = "course/course.xml"
    made[place] = made[place].replace(b"<summaryformat>1", b"<summaryformat>2")
    inspection = inspect_backup(write_zip(tmp_path / "x.mbz", made))
    assert inspection.summary_html == "a &lt; b<br>&lt;script&gt;no markup&lt;/script&gt;"
    assert inspection.summary_text == "a < b\n<script>no markup</script>"


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b'encoding="UTF-8"', b'encoding="UTF-8" standalone="yes"'),
        (b"<moodle_backup>", b'<moodle_backup xmlns="x">'),
        (b"<moodle_backup>", b"<!-- " + b"x" * 200 + b" --><moodle_backup>"),
    ],
)
def test_a_manifest_that_moodle_would_not_recognise(was: bytes, becomes: bytes, tmp_path: Path) -> None:
    made = members()
    made["moodle_backup.xml"] = made["moodle_backup.xml"].replace(was, becomes)
    assert refusal(write_zip(tmp_path / "x.mbz", made)) == "not-recognised-by-moodle"
    assert refusal(write_targz(tmp_path / "x.tar.gz", made)) == "not-recognised-by-moodle"


def test_the_declaration_may_be_in_any_case(tmp_path: Path) -> None:
    made = members()
    made["moodle_backup.xml"] = made["moodle_backup.xml"].replace(b"UTF-8", b"utf-8")
    assert inspect_backup(write_zip(tmp_path / "x.mbz", made)).kind == "course"


def test_a_manifest_without_a_kind(tmp_path: Path) -> None:
    made = members()
    made["moodle_backup.xml"] = made["moodle_backup.xml"].replace(b"<type>course", b"<type>planet")
    assert refusal(write_zip(tmp_path / "x.mbz", made)) == "bad-manifest"


def test_a_backup_needs_no_extension(tmp_path: Path) -> None:
    assert inspect_backup(backup(tmp_path / "backup")).kind == "course"


def test_xml_that_is_not_well_formed(tmp_path: Path) -> None:
    assert refusal(backup(tmp_path / "x.mbz", extra={"users.xml": b"<users><user>"})) == "bad-xml"
    assert refusal(backup(tmp_path / "y.mbz", extra={"files.xml": b"\xff\xfe\x00"})) == "bad-xml"
    unknown = b'<?xml version="1.0" encoding="moon"?><files/>'
    assert refusal(backup(tmp_path / "z.mbz", extra={"files.xml": unknown})) == "bad-xml"
