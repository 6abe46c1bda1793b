"""Clean copies and cut-outs in a real Moodle: it says no more of them than of what it made itself.

``make e2e`` with a site to use. ``build/restored.md`` tells what Moodle said of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from repo_service.backups.cutting import cut_activity, cut_section
from tests.backups.test_cleaning import cleaned
from tests.backups.test_cutting import opened, written
from tests.e2e.site import MoodleSite

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("as_new_as_the_backups")]

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
_EDGE = "edge-cases.course.nousers.tgz"
_CUT = (
    *((f"{_ENV}.zip", "activity", id_) for id_ in (199, 201, 203, 207, 208, 210)),
    *((f"{_ENV}.tgz", "activity", id_) for id_ in (198, 200, 202, 204, 205, 206, 209, 211)),
    *((f"{_ENV}.zip", "section", id_) for id_ in (67, 69)),
    *((f"{_ENV}.tgz", "section", id_) for id_ in (67, 68)),
    *((_EDGE, "activity", id_) for id_ in (219, 221, 228)),
    (_EDGE, "section", 74),
)


@dataclass
class Lab:
    """Where things are restored, and lines of a table of what came of it."""

    moodle: MoodleSite
    corpus: Path
    disabled: frozenset[str]
    lines: list[str]

    def restore(self, path: Path, name: str = "") -> dict[str, Any]:
        """What Moodle made of a backup; noted where it has a ``name``."""
        found: dict[str, Any] = self.moodle.run("import.php", path)
        if name:
            questions = sum(len(questions) for questions in found["quizzes"].values())
            checked = "; ".join([*found["errors"], *found["warnings"]]) or "nothing"
            said = "; ".join(found["said"]) or "nothing"
            counts = f"{len(found['activities'])} | {questions} | {len(found['files'])}"
            self.lines.append(f"| {name} | {checked} | {said} | {found['users']} | {counts} |")
        return found


@pytest.fixture(scope="module")
def lab(moodle: MoodleSite, corpus: Path) -> Iterator[Lab]:
    """Writes its table at the end."""
    heads = ("what", "pre-check", "Moodle logged", "users", "activities", "questions", "files")
    disabled = frozenset(moodle.run("plugins.php")["disabled"])
    made = Lab(moodle, corpus, disabled, [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"])
    yield made
    path = Path("build/restored.md")
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(made.lines) + "\n")


@pytest.mark.parametrize(("users", "without"), _CLEAN)
def test_a_clean_copy_restores_like_its_twin(users: str, without: str, lab: Lab, tmp_path: Path) -> None:
    cleaned(lab.corpus / f"m456-{users}.mbz", tmp_path / "clean.mbz")
    found = lab.restore(tmp_path / "clean.mbz", f"clean copy of {users}")
    assert (found["exception"], found["errors"]) == (None, [])
    assert (found["users"], found["enrolled"], found["broken_images"]) == (0, 0, [])
    twin = lab.restore(lab.corpus / f"m456-{without}.mbz")
    if without == _REFUSED_BY_MOODLE:
        assert "setting_invalid_text" in str(twin["exception"])
        return
    assert set(found["warnings"]) <= set(twin["warnings"])
    assert set(found["said"]) <= set(twin["said"])
    for same in ("activities", "quizzes", "files"):
        assert found[same] == twin[same]


@pytest.mark.parametrize(("source", "kind", "id_"), _CUT)
def test_a_cut_out_restores_into_any_course(
    source: str, kind: str, id_: int, lab: Lab, tmp_path: Path
) -> None:
    with opened(lab.corpus / f"m456-{source}.mbz", tmp_path) as backup:
        cut = (cut_activity if kind == "activity" else cut_section)(backup.archive, backup.contents, id_)
        path = written(cut, tmp_path / "cut.mbz")
        parts = backup.contents.activity(id_) if kind == "activity" else backup.contents.section(id_)
    assert parts is not None
    found = lab.restore(path, f"{kind} {id_} “{cut.title}” of {source}")
    assert (found["exception"], found["errors"], found["warnings"], found["said"]) == (None, [], [], [])
    assert (found["users"], found["enrolled"], found["broken_images"]) == (0, 0, [])
    if kind == "activity" and f"mod_{parts['module']}" not in lab.disabled:
        assert f"{parts['module']}: {parts['title']}" in found["activities"]
    else:
        assert len(found["activities"]) >= len(parts["activities"])
    if id_ in (203, 67):
        assert [len(questions) for questions in found["quizzes"].values()] == [10]
