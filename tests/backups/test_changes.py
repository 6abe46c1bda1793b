"""What changed between two backups: nothing that Moodle only writes differently, and everything else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from repo_service.backups.archives import open_zip
from repo_service.backups.changes import LISTED, Changed, Changes, Part, changes
from repo_service.backups.cleaning import clean
from repo_service.backups.spooling import in_order
from repo_service.inspection.sources import FileSource
from tests.backups.test_cleaning import content_of
from tests.backups.test_cutting import opened
from tests.support.backups import DEFAULT_ACTIVITIES, ActivitySpec, backup, members, write_zip
from tests.support.private import private_backup

_NOTHING = Changed()
_SORTS = ("sections", "activities", "questions", "files")


def compared(before: Path, after: Path, folder: Path) -> Changes:
    """What changed between two files."""
    for name in ("before", "after"):
        (folder / name).mkdir()
    with opened(before, folder / "before") as one, opened(after, folder / "after") as other:
        return changes(one.contents, other.contents, folder=folder)


def differences(found: Changes) -> dict[str, list[tuple[str, str]]]:
    """(how, title) of all that is not the same, by sort."""
    return {
        sort: [
            (how, part.title)
            for how in ("added", "removed", "changed")
            for part in getattr(getattr(found, sort), how)
        ]
        for sort in _SORTS
    }


_NO_DIFFERENCES: dict[str, list[tuple[str, str]]] = {sort: [] for sort in _SORTS}


@pytest.mark.parametrize(
    "course", ["env-science-en", "edge-cases", "analysis-de", "python-uk", "generated-xs"]
)
def test_a_backup_without_users_is_the_same_course(course: str, corpus: Path, tmp_path: Path) -> None:
    with_users = next(corpus.glob(f"m456-{course}.course.users.*.mbz"))
    without = next(corpus.glob(f"m456-{course}.course.nousers.*.mbz"))
    found = compared(with_users, without, tmp_path)
    assert found.same_course
    assert found.course == ()
    assert differences(found) == _NO_DIFFERENCES
    assert found.activities.unchanged_count > 0


def test_a_clean_copy_is_the_same_course(corpus: Path, tmp_path: Path) -> None:
    source = corpus / "m456-env-science-en.course.users.zip.mbz"
    for number, (path, twin) in enumerate(
        [
            (source, source),
            (private_backup(tmp_path / "private.mbz", container="zip"), tmp_path / "private.mbz"),
            (source, corpus / "m456-env-science-en.course.nousers.tgz.mbz"),
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        with (folder / "clean.mbz").open("wb") as file, FileSource(path) as opened_source:
            clean(
                opened_source,
                archive_format="zip",
                archive=open_zip(opened_source),
                write=file.write,
                folder=folder,
                progress=lambda done: None,
            )
        found = compared(twin, folder / "clean.mbz", folder)
        assert (found.course, differences(found)) == ((), _NO_DIFFERENCES)


def test_one_course_on_two_releases_of_moodle(corpus: Path, tmp_path: Path) -> None:
    """What differs was seen in the XML of both: another name, other settings, one question and hints more."""
    found = compared(
        corpus / "m423iomad-env-science-en.course.nousers.tgz.mbz",
        corpus / "m456-env-science-en.course.nousers.zip.mbz",
        tmp_path,
    )
    assert not found.same_course
    assert found.course == ()
    assert {(part.title, part.title_before, part.what) for part in found.activities.changed} == {
        ("Welcome", "Welcome to week one", ("title",)),
        ("Lecture slides (PDF)", None, ("files",)),
        ("Check: ecosystems", None, ("content", "questions")),
        ("Essay: my carbon footprint", None, ("content",)),
    }
    assert found.activities.unchanged_count == 11
    assert [part.title for part in found.questions.added] == ["ordering example (ENV101)"]
    assert {(part.kind, part.what) for part in found.questions.changed} == {
        ("calculatedsimple", ("content",)),
        ("ddwtos", ("content",)),
        ("gapselect", ("content",)),
    }
    assert [part.kind for part in found.files.changed] == ["application/pdf"]
    assert (found.sections.unchanged_count, found.files.unchanged_count) == (4, 53)


def test_a_partial_share_lacks_activities(corpus: Path, tmp_path: Path) -> None:
    shares = corpus / "sent-by-moodle"
    found = compared(
        shares / "m456-share-course-ENV101.mbz", shares / "m456-share-partial-ENV101.mbz", tmp_path
    )
    assert (found.activities.removed_count, found.activities.unchanged_count) == (13, 2)
    assert Part(id=203, title="Check: ecosystems", kind="quiz", place="Ecosystems and energy") in (
        found.activities.removed
    )
    assert (found.activities.added, found.activities.changed) == ([], [])
    assert (found.sections.unchanged_count, found.questions.unchanged_count) == (4, 10)
    assert found.files.removed_count == 52


_OTHER_SITE = {b"5a0e8237a29bfe1732f297d179c9245d": b"00000000000000000000000000000000"}


def _edited(made: Mapping[str, bytes], edits: Mapping[str, Mapping[bytes, bytes]]) -> dict[str, bytes]:
    edited = dict(made)
    for name, replaced in edits.items():
        for old, new in replaced.items():
            assert old in edited[name], (name, old)
            edited[name] = edited[name].replace(old, new)
    return edited


def _from_members(before: Mapping[str, bytes], after: Mapping[str, bytes], folder: Path) -> Changes:
    return compared(write_zip(folder / "one.mbz", before), write_zip(folder / "two.mbz", after), folder)


_HOME = b"<sectionid>%d</sectionid><modulename>page"


@pytest.mark.parametrize("site", ["same", "other"])
@pytest.mark.parametrize(
    ("member", "edit", "what"),
    [
        ("activities/page_100/page.xml", (b"<intro></intro>", b"<intro>New</intro>"), ("content",)),
        ("activities/page_100/page.xml", (b"<intro></intro>", b"<timemodified>7</timemodified>"), ()),
        ("activities/page_100/page.xml", (b"<intro></intro>", b"<revision>7</revision>"), ()),
        ("activities/page_100/page.xml", (b"<intro></intro>", b"<newerfield>0</newerfield>"), ()),
        ("activities/page_100/page.xml", (b"<intro></intro>", b"<courseid>12</courseid>"), ()),
        ("activities/page_100/page.xml", (b'contextid="900"', b'contextid="901"'), ("files",)),
        ("activities/page_100/module.xml", (b"<visible>1", b"<visible>0"), ("visibility",)),
        ("activities/page_100/module.xml", (b"<tags></tags>", b"<idnumber>X1</idnumber>"), ("settings",)),
        ("moodle_backup.xml", (_HOME % 21, _HOME % 20), ("section",)),
    ],
)  # fmt: skip
def test_what_of_an_activity_changed(
    member: str, edit: tuple[bytes, bytes], what: tuple[str, ...], site: str, tmp_path: Path
) -> None:
    made = members()
    edits: dict[str, dict[bytes, bytes]] = {member: dict([edit])}
    if site == "other":
        edits.setdefault("moodle_backup.xml", {}).update(_OTHER_SITE)
    found = _from_members(made, _edited(made, edits), tmp_path)
    assert found.same_course is (site == "same")
    expected = [(part.title, part.what) for part in found.activities.changed]
    assert expected == ([("Food webs", what)] if what else [])
    assert (found.activities.added_count, found.activities.removed_count) == (0, 0)


def test_links_and_numbers_of_the_site_are_no_change(tmp_path: Path) -> None:
    def page(module: int, group: int) -> dict[str, Mapping[bytes, bytes]]:
        return {
            "activities/page_100/page.xml": {
                b"<intro></intro>": b"<intro>See $@QUIZVIEWBYID*%d@$</intro>" % module
            },
            "activities/page_100/module.xml": {
                b"$@NULL@$": b'{"op":"&amp;","c":[{"type":"completion","cm":%d,"e":1},'
                b'{"type":"group","id":%d}]}' % (module, group)
            },
        }

    made = members()
    one, two = _edited(made, page(7, 3)), _edited(made, page(1812, 44))
    assert differences(_from_members(one, two, tmp_path)) == _NO_DIFFERENCES


def test_a_renamed_activity_of_the_same_course_keeps_its_number(tmp_path: Path) -> None:
    made = members()
    renamed = _edited(
        made,
        {
            "activities/page_100/page.xml": {
                b"Food webs": b"Food chains", b"<intro></intro>": b"<intro>New</intro>",
            },
            "moodle_backup.xml": {b"Food webs": b"Food chains"},
        },
    )  # fmt: skip
    (changed,) = _from_members(made, renamed, tmp_path).activities.changed
    assert (changed.title, changed.title_before) == ("Food chains", "Food webs")
    assert changed.what == ("title", "content")


def test_what_came_and_went(tmp_path: Path) -> None:
    before = backup(tmp_path / "one.mbz", section_titles=("", "Week one", "Week two"))
    after = backup(
        tmp_path / "two.mbz",
        section_titles=("", "Week one"),
        activities=[
            *DEFAULT_ACTIVITIES,
            ActivitySpec(title="Soil", section=0, files=[("soil.txt", b"clay\n")]),
        ],
    )
    found = compared(before, after, tmp_path)
    assert differences(found) == {
        "sections": [("removed", "Week two")],
        "activities": [("added", "Soil")],
        "questions": [],
        "files": [("added", "soil.txt")],
    }
    assert found.activities.added == [Part(id=102, title="Soil", kind="page", place="Section 0")]
    assert found.files.added[0].place == "Soil"


def test_a_file_that_is_replaced_has_changed(tmp_path: Path) -> None:
    def with_file(name: str, content: bytes) -> list[ActivitySpec]:
        return [ActivitySpec(title="Maps", files=[(name, content)])]

    first = backup(tmp_path / "one.mbz", activities=with_file("map.svg", b"old\n"))
    second = backup(tmp_path / "two.mbz", activities=with_file("map.svg", b"new\n"))
    found = compared(first, second, tmp_path)
    assert differences(found)["files"] == [("changed", "map.svg")]
    assert found.activities.changed[0].what == ("files",)


def _questions(*questions: tuple[int, int, str, str, int]) -> bytes:
    """(entry, version, name, text, file of the text) of each, all versions within their entries."""
    entries: dict[int, str] = {}
    for entry, version, name, text, question in questions:
        entries[entry] = entries.get(entry, "") + (
            f'<question_versions id="{question}"><version>{version}</version><status>ready</status>'
            "<questions>"
            f'<question id="{question}"><name>{name}</name><questiontext>{text}</questiontext>'
            "<qtype>essay</qtype></question></questions></question_versions>"
        )
    inside = "".join(
        f'<question_bank_entry id="{entry}"><question_version>{versions}</question_version>'
        "</question_bank_entry>"
        for entry, versions in entries.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<question_categories>'
        '<question_category id="2"><name>Rivers</name><parent>1</parent>'
        f"<question_bank_entries>{inside}</question_bank_entries></question_category>"
        '<question_category id="1"><name>top</name><parent>0</parent></question_category>'
        "</question_categories>"
    ).encode()


def _file(record: Mapping[str, Any]) -> bytes:
    fields = "".join(f"<{name}>{value}</{name}>" for name, value in record.items())
    return f'<file id="1">{fields}</file>'.encode()


def test_only_the_newest_version_of_a_question_counts(tmp_path: Path) -> None:
    old = _questions((1, 1, "Nile", "Where?", 11), (2, 1, "Rhine", "Where?", 12))
    new = _questions(
        (1, 2, "Nile", "Where does it end?", 21), (1, 1, "Nile", "Where?", 11), (2, 1, "Rhine", "Where?", 12)
    )
    made = members()
    found = _from_members({**made, "questions.xml": old}, {**made, "questions.xml": new}, tmp_path)
    assert found.questions.changed == [Part(title="Nile", kind="essay", place="Rivers", what=("content",))]
    assert found.questions.unchanged_count == 1


def test_questions_of_before_and_after_4_0_are_known_by_name(tmp_path: Path) -> None:
    old = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<question_categories><question_category id="2">'
        b'<name>Rivers</name><parent>0</parent><questions><question id="9"><name>Nile</name>'
        b"<questiontext>Where?</questiontext><qtype>essay</qtype></question></questions></question_category>"
        b"</question_categories>"
    )
    new = _questions((9, 1, "Rhine", "Where?", 12), (2, 1, "Nile", "Where?", 11))
    made = members()
    found = _from_members({**made, "questions.xml": old}, {**made, "questions.xml": new}, tmp_path)
    assert found.same_course
    assert [part.title for part in found.questions.added] == ["Rhine"]
    assert (found.questions.unchanged_count, found.questions.changed_count) == (1, 0)


def test_a_picture_in_a_question_is_part_of_it(tmp_path: Path) -> None:
    question = _questions((1, 1, "Nile", "Where?", 11), (2, 1, "Rhine", "Where?", 12))

    def with_picture(content: str) -> dict[str, bytes]:
        record = _file(
            {
                "contenthash": content * 40, "contextid": 30, "component": "question",
                "filearea": "questiontext", "itemid": 11, "filepath": "/", "filename": "map.png",
            }
        )  # fmt: skip
        made = members()
        files = made["files.xml"].replace(b"</files>", record + b"</files>")
        return {**made, "questions.xml": question, "files.xml": files}

    found = _from_members(with_picture("a"), with_picture("b"), tmp_path)
    assert [(part.title, part.what) for part in found.questions.changed] == [("Nile", ("files",))]


def test_another_question_in_a_quiz_is_told(tmp_path: Path) -> None:
    def asking(entry: int) -> dict[str, bytes]:
        slot = (
            '<question_instances><question_instance id="1"><slot>1</slot><question_reference id="1">'
            f"<questionbankentryid>{entry}</questionbankentryid></question_reference>"
            "</question_instance></question_instances>"
        )
        made = members()
        quiz = made["activities/quiz_101/quiz.xml"].replace(b"<intro></intro>", slot.encode())
        questions = _questions((1, 1, "Nile", "Where?", 11), (2, 1, "Rhine", "Where?", 12))
        return {**made, "activities/quiz_101/quiz.xml": quiz, "questions.xml": questions}

    found = _from_members(asking(1), asking(2), tmp_path)
    assert [(part.title, part.what) for part in found.activities.changed] == [
        ("Ecosystems quiz", ("questions",))
    ]


def test_lists_are_cut_and_counts_are_not(tmp_path: Path) -> None:
    before = backup(tmp_path / "one.mbz", activities=[ActivitySpec()])
    many = [(f"{number}.txt", b"%d" % number) for number in range(LISTED + 40)]
    after = backup(tmp_path / "two.mbz", activities=[ActivitySpec(files=many)])
    found = compared(before, after, tmp_path)
    assert (found.files.added_count, len(found.files.added)) == (LISTED + 40, LISTED)


def test_files_of_one_name_are_held_against_each_other(tmp_path: Path) -> None:
    def alike(*contents: bytes) -> list[ActivitySpec]:
        return [ActivitySpec(title="Book", files=[("page.png", content) for content in contents])]

    before = backup(tmp_path / "one.mbz", activities=alike(b"a", b"b", b"c"))
    after = backup(tmp_path / "two.mbz", activities=alike(b"c", b"d"))
    files = compared(before, after, tmp_path).files
    assert (files.unchanged_count, files.changed_count) == (1, 1)
    assert (files.removed_count, files.added_count) == (1, 0)


def test_rows_are_put_in_order_on_disk(tmp_path: Path) -> None:
    rows = [(str(number * 7919 % 1000), "x" * (number % 50)) for number in range(1000)]
    assert list(in_order(rows, tmp_path, memory=5000)) == sorted(rows)
    assert list(in_order([], tmp_path)) == []


def test_no_number_of_a_site_is_in_a_fingerprint(corpus: Path, tmp_path: Path) -> None:
    """Another site numbers everything anew; the course is the same."""
    source = corpus / "m456-env-science-en.course.nousers.zip.mbz"
    made = content_of(source)
    shifted = {
        name: _renumbered(data) if name.endswith(".xml") and name != "moodle_backup.xml" else data
        for name, data in made.items()
    }
    shifted["moodle_backup.xml"] = _edited(made, {"moodle_backup.xml": _OTHER_SITE})["moodle_backup.xml"]
    found = _from_members(made, shifted, tmp_path)
    assert not found.same_course
    assert differences(found) == _NO_DIFFERENCES


def _renumbered(xml: bytes) -> bytes:
    """Ids of rows and contexts, in attributes and elements, 100,000 higher; times a day later."""

    def higher(found: re.Match[bytes]) -> bytes:
        return found[1] + str(int(found[2]) + 100_000).encode() + found[3]

    xml = re.sub(rb'((?:\s|context)id=")([1-9]\d*)(")', higher, xml)
    xml = re.sub(rb"(<(?:contextid|userid|questionid|questionbankentryid|itemid)>)([1-9]\d*)(<)", higher, xml)
    return re.sub(rb"(<time(?:created|modified)>)(\d+)(<)", higher, xml)
