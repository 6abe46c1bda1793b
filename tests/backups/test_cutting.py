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
from repo_service.domain.errors import NotFound
from repo_service.domain.inspection import Activity, Section
from repo_service.inspection.limits import LIMITS
from repo_service.inspection.sources import FileSource
from tests.backups.test_cleaning import content_of
from tests.inspection.support import inspect_backup
from tests.support.backups import ActivitySpec, Container, backup
from tests.support.private import private_backup

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


def test_empty_contents_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"")
    with FileSource(tmp_path / "bad") as source, pytest.raises(BadContents):
        Contents(source)


def _activities(outline: tuple[Section, ...]) -> list[Activity]:
    return [activity for section in outline for activity in section.activities]
