"""One activity or section as a backup of its own: what Moodle writes when it backs up just that."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from lxml import etree

from repo_service.backups.archives import Archive, open_targz, open_zip
from repo_service.backups.contents import BadContents, Contents, build_contents
from repo_service.backups.cutting import CutOut, UnreadZip, cut_activity, cut_section
from repo_service.backups.seeking import build_seek_index
from repo_service.backups.slicing import Record, Slicer
from repo_service.domain.errors import InvalidFile, NotFound
from repo_service.domain.inspection import Activity, Section
from repo_service.inspection.limits import LIMITS
from repo_service.inspection.sources import FileSource
from repo_service.inspection.xml import XmlAllowance
from tests.backups.test_cleaning import content_of
from tests.inspection.support import inspect_backup
from tests.support.backups import ActivitySpec, Container, backup, write_zip
from tests.support.private import private_backup, private_members

_COURSES = ("zip", "tgz")
_ACTIVITIES = {
    198: "label.nousers.tgz",
    199: "page.nousers.zip",
    200: "book.nousers.tgz",
    201: "resource.nousers.zip",
    202: "glossary.nousers.zip",
    203: "quiz.nousers.tgz",
    204: "url.nousers.zip",
    205: "assign.nousers.zip",
    206: "forum.nousers.tgz",
    207: "h5pactivity.nousers.zip",
    208: "folder.nousers.zip",
}


@dataclass
class Opened:
    """A backup with its contents."""

    archive: Archive | UnreadZip
    contents: Contents


@contextmanager
def opened(path: Path, folder: Path) -> Iterator[Opened]:
    """A backup, ready to be cut up."""
    with FileSource(path) as source:
        if source.read_at(0, 2) == b"PK":
            with made_contents(open_zip(source), folder) as contents:
                yield Opened(UnreadZip(source, LIMITS), contents)
            return
        with (folder / "seek-index").open("wb") as file:
            build_seek_index(source, write_to=file)
        with FileSource(folder / "seek-index") as index:
            archive = open_targz(source, index)
            with made_contents(archive, folder) as contents:
                yield Opened(archive, contents)


@contextmanager
def made_contents(archive: Archive, folder: Path) -> Iterator[Contents]:
    """The contents of an archive, in a file of ``folder``."""
    with (folder / "contents").open("wb") as file:
        build_contents(archive, write_to=file, folder=folder, progress=lambda done: None)
    with FileSource(folder / "contents") as source:
        yield Contents(source)


def written(cut: CutOut, path: Path) -> Path:
    """Write a cut-out to ``path``; its size has to be what was told beforehand."""
    with path.open("wb") as file:
        for block in cut.blocks():
            file.write(block)
    assert path.stat().st_size == cut.size
    return path


@pytest.mark.parametrize("container", _COURSES)
@pytest.mark.parametrize("activity", _ACTIVITIES)
def test_an_activity_is_what_moodle_backs_up(
    activity: int, container: str, corpus: Path, tmp_path: Path
) -> None:
    course = corpus / f"m456-env-science-en.course.nousers.{container}.mbz"
    moodles = corpus / f"m456-env-science-en.activity-{_ACTIVITIES[activity]}.mbz"
    with opened(course, tmp_path) as source:
        cut = written(cut_activity(source.archive, source.contents, activity), tmp_path / "cut.mbz")
    ours, theirs = content_of(cut), content_of(moodles)
    assert set(ours) == set(theirs) - {".ARCHIVE_INDEX", "badges.xml"}
    for name in set(ours) - {"moodle_backup.xml"}:
        if name.endswith(".xml"):
            assert _flat(ours[name]) == _flat(theirs[name]), name
        else:
            assert ours[name] == theirs[name], name
    found, expected = inspect_backup(cut), inspect_backup(moodles)
    assert found.kind == "activity"
    assert found.outline == expected.outline
    assert found.title == expected.title
    assert (found.moodle_version, found.fullname) == (expected.moodle_version, expected.fullname)
    assert dict(found.root_settings) == dict(expected.root_settings) | {
        "badges": "0",
        "filename": found.root_settings["filename"],
    }


def _flat(xml: bytes) -> list[str]:
    """Each record with all that is in it, in whatever order they come."""
    root = etree.fromstring(xml)
    return sorted(re.sub(rb"\s+", b" ", etree.tostring(child)).decode().strip() for child in root)


@pytest.mark.parametrize("container", _COURSES)
def test_a_section_is_what_moodle_backs_up(container: str, corpus: Path, tmp_path: Path) -> None:
    course = corpus / f"m456-env-science-en.course.nousers.{container}.mbz"
    moodles = corpus / "m456-env-science-en.section-s1.nousers.tgz.mbz"
    with opened(course, tmp_path) as source:
        cut = written(cut_section(source.archive, source.contents, 67), tmp_path / "cut.mbz")
    ours, theirs = content_of(cut), content_of(moodles)
    assert set(ours) == set(theirs) - {".ARCHIVE_INDEX", "badges.xml"} | {"completion.xml"}
    found, expected = inspect_backup(cut), inspect_backup(moodles)
    assert found.kind == "section"
    assert found.outline == expected.outline
    assert (found.files, found.questions) == (expected.files, expected.questions)


def test_a_subsection_comes_with_what_it_holds(tmp_path: Path) -> None:
    path = backup(
        tmp_path / "course.mbz",
        activities=[
            ActivitySpec(module="subsection", title="Rivers", holds_section="Rivers"),
            ActivitySpec(title="The Nile", section=2),
            ActivitySpec(title="Elsewhere", section=1),
        ],
    )
    with opened(path, tmp_path) as source:
        activity = cut_activity(source.archive, source.contents, 100)
        section = cut_section(source.archive, source.contents, 21)
        found = inspect_backup(written(activity, tmp_path / "activity.mbz"))
        (held,) = _activities(found.outline)[0].sections
        assert [a.title for a in held.activities] == ["The Nile"]
        whole = inspect_backup(written(section, tmp_path / "section.mbz"))
        assert {a.title for a in _activities(whole.outline)} == {"Rivers", "Elsewhere"}
        assert whole.activities == 3


@pytest.mark.parametrize("container", ["tgz", "zip"])
def test_only_files_of_the_activity_come_along(container: Container, tmp_path: Path) -> None:
    path = private_backup(tmp_path / "course.mbz", container=container, users=False)
    with opened(path, tmp_path) as source:
        page = content_of(written(cut_activity(source.archive, source.contents, 100), tmp_path / "a.mbz"))
        quiz = content_of(written(cut_activity(source.archive, source.contents, 101), tmp_path / "b.mbz"))
    assert [name for name in page if name.startswith("files/")]
    assert b"foodweb.txt" in page["files.xml"]
    assert not [name for name in quiz if name.startswith("files/")]
    assert b"foodweb.txt" not in quiz["files.xml"]


def test_what_is_not_there_cannot_be_cut_out(tmp_path: Path) -> None:
    with opened(backup(tmp_path / "course.mbz"), tmp_path) as source:
        for cut in (cut_activity, cut_section):
            with pytest.raises(NotFound):
                cut(source.archive, source.contents, 99_999)


def test_a_cut_out_is_the_same_each_time(tmp_path: Path) -> None:
    with opened(backup(tmp_path / "course.mbz"), tmp_path) as source:
        first, second = (cut_activity(source.archive, source.contents, 100) for _ in range(2))
        assert b"".join(first.blocks()) == b"".join(second.blocks())
        assert first.tag == second.tag
        assert first.tag != cut_activity(source.archive, source.contents, 101).tag


@pytest.mark.parametrize("spoil", [0, 5, 23, 26, 40, 200, -3])
def test_damaged_contents_are_refused(spoil: int, tmp_path: Path) -> None:
    with opened(backup(tmp_path / "course.mbz"), tmp_path):
        data = bytearray((tmp_path / "contents").read_bytes())
    data[spoil] ^= 0xFF
    (tmp_path / "bad").write_bytes(data)
    with FileSource(tmp_path / "bad") as source, pytest.raises(BadContents):
        _read_all(source)


def _read_all(source: FileSource) -> None:
    contents = Contents(source)
    contents.course()
    for read, id_ in ((contents.activity, 100), (contents.activity, 101), (contents.section, 20)):
        read(id_)
    contents.section(21)
    contents.category("1")
    contents.compared_course()
    for lines in (
        *(contents.files, contents.packages, contents.compared_activities),
        *(contents.compared_sections, contents.compared_questions),
    ):
        list(lines())


def test_long_parts_are_streamed(tmp_path: Path) -> None:
    """Very many files that are alike take hardly any room packed, and no memory read."""
    path = backup(
        tmp_path / "course.mbz", activities=[ActivitySpec(files=[("same.txt", b"same\n")] * 30_000)]
    )
    with opened(path, tmp_path) as source:
        tracemalloc.start()
        count = sum(1 for _ in source.contents.files())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert count == 30_000
    assert (tmp_path / "contents").stat().st_size < 400_000
    assert peak < 4 * 1024 * 1024


def _forged(path: Path, listed: bytes = b"", **members: bytes) -> Path:
    """A course of which the manifest lists also these parts, and in which these members are others."""
    made = private_members(users=False, secrets=False) | {
        name.replace("__", "/") + ".xml": content for name, content in members.items()
    }
    manifest = made["moodle_backup.xml"]
    made["moodle_backup.xml"] = manifest.replace(b"</contents>", listed + b"</contents>")
    return write_zip(path, made)


def _nested(depth: int) -> bytes:
    """Each section in an activity of the one before, and the first in one of the last."""
    activity = (
        b"<activities><activity><moduleid>%d</moduleid><sectionid>%d</sectionid><modulename>subsection"
        b"</modulename><title>t</title><directory>activities/subsection_%d</directory></activity></activities>"
    )
    section = (
        b"<sections><section><sectionid>%d</sectionid><title>t</title><directory>sections/section_%d"
        b"</directory><parentcmid>%d</parentcmid></section></sections>"
    )
    numbers = range(1000, 1000 + depth)
    return b"".join(activity % (n, n, n) for n in numbers) + b"".join(
        section % (n, n, n - 1 if n > 1000 else 999 + depth) for n in numbers
    )


def test_parts_that_hold_each_other_to_any_depth_and_in_a_circle(tmp_path: Path) -> None:
    with opened(_forged(tmp_path / "x.mbz", _nested(1200)), tmp_path) as made:
        cut = cut_section(made.archive, made.contents, 1000)
        found = inspect_backup(written(cut, tmp_path / "part.mbz"))
    assert (found.sections, found.activities) == (1200, 1200)


def test_a_record_is_there_once_however_often_it_is_referred_to(tmp_path: Path) -> None:
    group = b"<group><id>1</id></group>"
    path = _forged(
        tmp_path / "x.mbz",
        groups=b'<groups><group id="1"><name>' + b"x" * 1_000_000 + b"</name></group></groups>",
        activities__page_100__inforef=b"<inforef><groupref>" + group * 1_000 + b"</groupref></inforef>",
    )
    with opened(path, tmp_path) as made:
        assert cut_activity(made.archive, made.contents, 100).size < 100_000


def test_references_to_large_records_have_a_limit(tmp_path: Path) -> None:
    numbers = range(1000, 1200)
    references = {
        f"activities__subsection_{n}__inforef": b"<inforef><groupref><group><id>1</id></group></groupref>"
        b"</inforef>"
        for n in numbers
    }
    groups = b'<groups><group id="1"><name>' + b"x" * 1_000_000 + b"</name></group></groups>"
    path = _forged(tmp_path / "x.mbz", _nested(200), groups=groups, **references)
    with pytest.raises(InvalidFile) as refused, opened(path, tmp_path):
        pass
    assert refused.value.reason == "too-many-values"


def test_files_of_questions_are_looked_up_up_to_a_limit(tmp_path: Path) -> None:
    """Each time something has the id that they belong to."""
    file = (
        b'<file id="%d"><component>question</component><filearea>answer</filearea><itemid>5</itemid>'
        b"<filename>.</filename></file>"
    )
    category = b'<question_category id="%d"><name>n</name>%s</question_category>'
    path = _forged(
        tmp_path / "x.mbz",
        files=b"<files>" + b"".join(file % n for n in range(2_000)) + b"</files>",
        questions=b"<question_categories>"
        + b"".join(category % (n, b'<a id="5"/>' * 20) for n in range(100))
        + b"</question_categories>",
    )
    with pytest.raises(InvalidFile) as refused, opened(path, tmp_path):
        pass
    assert refused.value.reason == "too-many-values"


@pytest.mark.parametrize("pieces", [1, 1000])
@pytest.mark.parametrize(
    "record",
    ["<a/>", "<a></a >", "<a>b/></a>", "<a x='/>'></a>", "<a>/></a\n>", "<a><b/></a>", '<a x="1" />'],
)
def test_a_record_ends_where_its_element_ends(record: str, pieces: int) -> None:
    told: list[Record] = []
    data = f"<r>t{record}/></r>".encode()
    slicer = Slicer({"r/a"}, told.append, place="x", allowance=XmlAllowance(LIMITS), with_xml={"r/a"})
    for at in range(0, len(data), pieces):
        slicer.feed(data[at : at + pieces])
    slicer.close()
    assert [one.xml.decode() for one in told] == [record]
    assert data[told[0].begin : told[0].end] == told[0].xml


def test_paths_of_very_long_names_are_refused() -> None:
    slicer = Slicer({"r/a"}, lambda record: None, place="x", allowance=XmlAllowance(LIMITS))
    with pytest.raises(InvalidFile) as refused:
        slicer.feed(f"<r><{'x' * 300}/></r>".encode())
    assert refused.value.reason == "xml-token-too-long"


def test_empty_contents_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"")
    with FileSource(tmp_path / "bad") as source, pytest.raises(BadContents):
        Contents(source)


def _activities(outline: tuple[Section, ...]) -> list[Activity]:
    return [activity for section in outline for activity in section.activities]
