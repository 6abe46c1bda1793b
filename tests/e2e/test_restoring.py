"""Clean copies and cut-outs in a real Moodle: it says no more of them than of what it made itself without users.

``make e2e`` with a site to use. ``build/restored.md`` tells what Moodle said of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from repo_service.backups.cutting import cut_activity, cut_section
from tests.backups.test_cleaning import cleaned
from tests.backups.test_cutting import opened, written
from tests.e2e.site import MoodleSite

pytestmark = pytest.mark.e2e

_CLEAN = (
    ("env-science-en.course.users.zip", "env-science-en.course.nousers.zip"),
    ("env-science-en.course.users.tgz", "env-science-en.course.nousers.tgz"),
    ("env-science-en.course.users-anonymised.zip", "env-science-en.course.nousers.zip"),
    ("analysis-de.course.users.zip", "analysis-de.course.nousers.zip"),
    ("analysis-de.course.users.tgz", "analysis-de.course.nousers.tgz"),
    ("python-uk.course.users.zip", "python-uk.course.nousers.tgz"),
    ("generated-xs.course.users.tgz", "generated-xs.course.nousers.zip"),
    ("edge-cases.course.users.zip", "edge-cases.course.nousers.tgz"),
    ("env-science-en.course.nousers-keys.tgz", "env-science-en.course.nousers.tgz"),
    ("env-science-en.activity-quiz.users.zip", "env-science-en.activity-quiz.nousers.tgz"),
    ("env-science-en.activity-assign.users.tgz", "env-science-en.activity-assign.nousers.zip"),
    ("env-science-en.activity-forum.users.zip", "env-science-en.activity-forum.nousers.tgz"),
)
_REFUSED_BY_MOODLE = "edge-cases.course.nousers.tgz"
"""Its name has HTML tags, so that only the clean copy can be restored."""

_ENV = "env-science-en.course.nousers"
_CUT = (
    *((_ENV, "zip", "activity", id_) for id_ in (199, 201, 203, 207, 208, 210)),
    *((_ENV, "tgz", "activity", id_) for id_ in (198, 200, 202, 204, 205, 206, 209, 211)),
    *((_ENV, "zip", "section", id_) for id_ in (67, 69)),
    *((_ENV, "tgz", "section", id_) for id_ in (67, 68)),
    *(("edge-cases.course.nousers", "tgz", "activity", id_) for id_ in (219, 221, 228)),
    ("edge-cases.course.nousers", "tgz", "section", 74),
)


@pytest.fixture(scope="module")
def report() -> Iterator[list[str]]:
    """Lines of a table of what was restored."""
    lines = [
        "| what | pre-check | Moodle logged | users | activities | questions | files |",
        "|---|---|---|---|---|---|---|",
    ]
    yield lines
    path = Path("build/restored.md")
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def _tell(report: list[str], name: str, found: dict[str, Any]) -> None:
    questions = sum(len(questions) for questions in found["quizzes"].values())
    checked = "; ".join([*found["errors"], *found["warnings"]]) or "nothing"
    said = "; ".join(found["said"]) or "nothing"
    report.append(
        f"| {name} | {checked} | {said} | {found['users']} | {len(found['activities'])} | {questions} "
        f"| {len(found['files'])} |"
    )


@pytest.mark.parametrize(("users", "without"), _CLEAN)
def test_a_clean_copy_restores_like_its_twin(
    users: str, without: str, corpus: Path, tmp_path: Path, moodle: MoodleSite, report: list[str]
) -> None:
    cleaned(corpus / f"m456-{users}.mbz", tmp_path / "clean.mbz")
    found = moodle.run("import.php", tmp_path / "clean.mbz")
    _tell(report, f"clean copy of {users}", found)
    assert (found["exception"], found["errors"]) == (None, [])
    assert (found["users"], found["enrolled"], found["broken_images"]) == (0, 0, [])
    twin = moodle.run("import.php", corpus / f"m456-{without}.mbz")
    if without == _REFUSED_BY_MOODLE:
        assert "setting_invalid_text" in str(twin["exception"])
        return
    assert set(found["warnings"]) <= set(twin["warnings"])
    assert set(found["said"]) <= set(twin["said"])
    for same in ("activities", "quizzes", "files"):
        assert found[same] == twin[same]


@pytest.mark.parametrize(("course", "container", "kind", "id_"), _CUT)
def test_a_cut_out_restores_into_any_course(
    course: str,
    container: str,
    kind: str,
    id_: int,
    corpus: Path,
    tmp_path: Path,
    moodle: MoodleSite,
    report: list[str],
) -> None:
    with opened(corpus / f"m456-{course}.{container}.mbz", tmp_path) as source:
        cut = (cut_activity if kind == "activity" else cut_section)(source.archive, source.contents, id_)
        found = moodle.run("import.php", written(cut, tmp_path / "cut.mbz"))
        parts = source.contents.activity(id_) if kind == "activity" else source.contents.section(id_)
    assert parts is not None
    _tell(report, f"{kind} {id_} “{cut.title}” of {course}.{container}", found)
    assert (found["exception"], found["errors"], found["warnings"], found["said"]) == (None, [], [], [])
    assert (found["users"], found["enrolled"], found["broken_images"]) == (0, 0, [])
    if kind == "activity":
        assert f"{parts['module']}: {parts['title']}" in found["activities"]
    else:
        assert len(found["activities"]) >= len(parts["activities"])
    if id_ in (203, 67):
        assert [len(questions) for questions in found["quizzes"].values()] == [10]
