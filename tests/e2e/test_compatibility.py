"""What we predict of a restore against what a real Moodle says before it and has after it.

``make e2e`` with a site to use; the backups are real ones, some with one thing changed.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from repo_service.backups.compatibility import Compatibility, Verdict, judge
from repo_service.backups.remarks import Remark
from repo_service.backups.sites import Restorer, SiteProfile, number_of, parse_plugins
from repo_service.domain.inspection import BackupInspection
from repo_service.inspection.moodle.core import parse_version
from tests.e2e.crafting import Backup
from tests.e2e.site import MoodleSite
from tests.inspection.support import inspect_backup
from tests.support.corpus import shared_folder

pytestmark = pytest.mark.e2e

_COURSE = "m456-env-science-en.course.nousers.tgz.mbz"
_VERSION = "<moodle_version>2024100706</moodle_version>"
_FIRST_BACKUP = "<backup_version>2010072200</backup_version>"
_TAGGED = "<original_course_fullname>Sea <b>life</b></original_course_fullname>"


@dataclass(frozen=True, slots=True)
class Case:
    """A backup, and what is to be said of it in short."""

    name: str
    file: str
    verdict: Verdict
    codes: tuple[str, ...] = ()
    change: Callable[[Backup], Backup] | None = None
    restorer: Restorer = Restorer.MANAGER


def _shared_questions(level: int) -> Callable[[Backup], Backup]:
    """Put the question bank of the course where other courses could use it, as one never seen before."""

    def change(backup: Backup) -> Backup:
        stamp = "<stamp>unknownhost+"
        backup.replace(stamp, f"<stamp>{secrets.token_hex(4)}+", within="questions.xml")
        old, new = "<contextlevel>50</contextlevel>", f"<contextlevel>{level}</contextlevel>"
        return backup.replace(old, new, within="questions.xml")

    return change


_RESTRICTIONS_AS_JSON = 2014051200
"""Before 2.7 they stood elsewhere, and Moodle makes conditions of core's own of them."""
_RANDOM_AS_REFERENCES = 2022041900
"""Since 4.0 no question stands for a random one."""

_MOVED = ("questions-move-to-course",)
_CASES = (
    Case("plain", _COURSE, Verdict.COMPLETE),
    Case(
        "newer than the site",
        _COURSE,
        Verdict.WARNED,
        ("newer-than-site",),
        lambda b: b.replace(
            _VERSION, _VERSION.replace("2024100706", "2031010100"), within="moodle_backup.xml"
        ),
    ),
    Case(
        "older than 2.0",
        _COURSE,
        Verdict.REFUSED,
        ("backup-too-old",),
        lambda b: b.replace(
            "<backup_version>2024100700</backup_version>", _FIRST_BACKUP, within="moodle_backup.xml"
        ),
    ),
    Case(
        "unknown module",
        _COURSE,
        Verdict.PARTIAL,
        ("missing-module",),
        lambda b: b.rename_module("url", "nosuchmod"),
    ),
    Case(
        "unknown question type",
        _COURSE,
        Verdict.PARTIAL,
        ("missing-question-type",),
        lambda b: b.replace("<qtype>essay</qtype>", "<qtype>nosuchtype</qtype>", within="questions.xml"),
    ),
    Case(
        "unknown block",
        _COURSE,
        Verdict.PARTIAL,
        ("missing-block",),
        lambda b: b.rename_block("html", "nosuchblock"),
    ),
    Case(
        "unknown course format",
        _COURSE,
        Verdict.PARTIAL,
        ("missing-format",),
        lambda b: b.replace(
            "<format>topics</format>", "<format>nosuchformat</format>", within="course/course.xml"
        ),
    ),
    Case("from Moodle 4.2", "m423iomad-env-science-en.course.nousers.tgz.mbz", Verdict.COMPLETE),
    Case(
        "with people, by a teacher",
        "m456-env-science-en.course.users.tgz.mbz",
        Verdict.COMPLETE,
        ("people-left-out",),
        restorer=Restorer.TEACHER,
    ),
    Case(
        "name with tags",
        _COURSE,
        Verdict.REFUSED,
        ("name-with-tags",),
        lambda b: b.replace(
            "<original_course_fullname>Introduction to Environmental Science</original_course_fullname>",
            _TAGGED.replace("<b>", "&lt;b&gt;").replace("</b>", "&lt;/b&gt;"),
            within="moodle_backup.xml",
        ),
    ),
    Case(
        "questions of the whole site, by a teacher",
        _COURSE,
        Verdict.WARNED,
        _MOVED,
        _shared_questions(10),
        Restorer.TEACHER,
    ),
    Case("questions of the whole site, by a manager", _COURSE, Verdict.COMPLETE, (), _shared_questions(10)),
    Case("questions of a course category", _COURSE, Verdict.WARNED, _MOVED, _shared_questions(40)),
    Case(
        "two top categories",
        _COURSE,
        Verdict.REFUSED,
        ("several-top-categories",),
        lambda b: b.replace("<parent>29</parent>", "<parent>0</parent>", within="questions.xml"),
    ),
    Case(
        "a home page",
        _COURSE,
        Verdict.REFUSED,
        ("front-page",),
        lambda b: b.replace(
            "<original_course_format>topics<", "<original_course_format>site<", within="moodle_backup.xml"
        ),
    ),
    Case(
        "a role that cannot be given",
        _COURSE,
        Verdict.WARNED,
        ("role-without-match",),
        lambda b: b.replace("student</", "visitor</", within="roles.xml"),
    ),
    Case(
        "the only user of questions missing",
        "m456-env-science-en.activity-quiz.nousers.tgz.mbz",
        Verdict.PARTIAL,
        ("missing-module", "questions-of-missing-activities"),
        lambda b: b.rename_module("quiz", "nosuchmod"),
    ),
    Case("one activity", "m456-env-science-en.activity-quiz.nousers.tgz.mbz", Verdict.COMPLETE),
    Case("one section", "m456-env-science-en.section-s1.nousers.tgz.mbz", Verdict.COMPLETE),
    Case(
        "unknown restriction",
        "m456-edge-cases.section-s1.nousers.tgz.mbz",
        Verdict.PARTIAL,
        ("missing-restriction",),
        lambda b: b.replace('"type":"date"', '"type":"nosuchcondition"', within="activities/"),
    ),
)


def _files() -> list[str]:
    folder = shared_folder()
    if folder is None:
        return []
    corpus = folder / "corpus"
    return sorted(str(path.relative_to(corpus)) for path in corpus.rglob("*.mbz"))


@pytest.fixture(scope="module")
def profile(moodle: MoodleSite) -> SiteProfile:
    """The site, described by itself."""
    told = moodle.run("plugins.php")
    return SiteProfile(
        version=parse_version(told["version"]),
        plugins=told["added"],
        without=frozenset(told["removed"]),
        disabled=frozenset(told["disabled"]),
    )


@pytest.mark.usefixtures("as_new_as_the_backups")
@pytest.mark.parametrize("case", _CASES, ids=[case.name for case in _CASES])
def test_what_is_predicted_happens(
    case: Case, moodle: MoodleSite, profile: SiteProfile, corpus: Path, tmp_path: Path
) -> None:
    """Errors and warnings are Moodle's, and what is not lost is there."""
    path = corpus / case.file
    if case.change is not None:
        path = case.change(Backup(path)).write(tmp_path / "changed.mbz")
    backup = inspect_backup(path)
    judged = judge(backup, _as(profile, case.restorer))
    remarks = (*judged.errors, *judged.warnings, *judged.losses, *judged.notes)
    assert judged.verdict is case.verdict, judged.sentence
    assert set(case.codes) <= {remark.code for remark in remarks}
    _compare(backup, judged, moodle.run("restore.php", path, case.restorer.value))


@pytest.mark.parametrize("restorer", Restorer)
@pytest.mark.parametrize("file", _files())
def test_every_real_backup(
    file: str, restorer: Restorer, moodle: MoodleSite, profile: SiteProfile, corpus: Path
) -> None:
    """From 2.6 to 4.5, courses and parts of them, with people and without."""
    backup = inspect_backup(corpus / file)
    judged = judge(backup, _as(profile, restorer))
    _compare(backup, judged, moodle.run("restore.php", corpus / file, restorer.value))


def _compare(backup: BackupInspection, judged: Compatibility, said: dict[str, Any]) -> None:
    """Errors and warnings are Moodle's. That people clash with the site's can only be noted beforehand."""
    if any(error.code == "name-with-tags" for error in judged.errors):
        assert said["exception"] == "setting_invalid_text"
        return
    assert said["exception"] is None
    clashes = said["errors"].pop("core/restoreuserconflict", 0)
    assert not clashes or "people" in {note.code for note in judged.notes}
    assert said["errors"] == _strings(judged.errors, each=1)
    assert said["warnings"] == _strings(judged.warnings)
    assert (said["restored"] is None) is bool(judged.errors or clashes)
    if said["restored"] is not None:
        _compare_what_is_there(backup, judged, said["restored"])


def _compare_what_is_there(backup: BackupInspection, judged: Compatibility, restored: dict[str, Any]) -> None:
    lost = Counter({loss.component: loss.count for loss in judged.losses if loss.code != "disabled-module"})

    def left(kind: str) -> dict[str, int]:
        used = backup.components or {}
        return {
            component.removeprefix(kind): count - lost[component]
            for component, count in used.items()
            if component.startswith(kind) and count > lost[component]
        }

    assert restored["modules"] == left("mod_")
    assert restored["blocks"] == left("block_")
    if number_of(backup.moodle_version) >= _RESTRICTIONS_AS_JSON:
        restrictions = {f"availability_{name}": n for name, n in left("availability_").items()}
        assert restored["restrictions"] == restrictions
    questions = left("qtype_")
    if number_of(backup.moodle_version) < _RANDOM_AS_REFERENCES:
        questions.pop("random", None)
    unusable = sum(count for component, count in lost.items() if component.startswith("qtype_"))
    if "core_question" in lost:
        assert sum(restored["questions"].values()) == backup.questions - lost["core_question"]
    else:
        assert restored["questions"] == questions | ({"missing": unusable} if unusable else {})
    missing_format = any(component.startswith("format_") for component in lost)
    assert (restored["format"] != restored["shown_format"]) is missing_format


def _strings(remarks: tuple[Remark, ...], each: int | None = None) -> dict[str, int]:
    """The strings of Moodle's that the remarks stand for, and how often it would say each."""
    told: Counter[str] = Counter()
    for remark in remarks:
        told[remark.moodle_string] += each or remark.count
    return dict(told)


def _as(profile: SiteProfile, restorer: Restorer) -> SiteProfile:
    return SiteProfile(
        version=profile.version,
        plugins=profile.plugins,
        without=profile.without,
        disabled=profile.disabled,
        restorer=restorer,
    )


def test_plugins_can_be_pasted(profile: SiteProfile) -> None:
    """What a site tells of itself is what the address takes."""
    text = ",".join(f"{component}:{version}" for component, version in profile.plugins.items())
    assert parse_plugins([text]) == profile.plugins
