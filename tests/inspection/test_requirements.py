"""What a backup asks of the site that restores it."""

from __future__ import annotations

from pathlib import Path

from repo_service.domain.inspection import QuestionBank, RoleUse
from tests.inspection.support import inspect_backup
from tests.support.backups import ActivitySpec, backup

_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'


def _member(text: str) -> bytes:
    return (_XML + text).encode()


def _inforef(*categories: int) -> bytes:
    ids = "".join(f"<question_category><id>{id_}</id></question_category>" for id_ in categories)
    return _member(f"<inforef><question_categoryref>{ids}</question_categoryref></inforef>")


def _category(id_: int, *, context: int, level: int, parent: int, types: str = "") -> str:
    questions = "".join(
        f'<question id="{n}"><qtype>{name}</qtype></question>' for n, name in enumerate(types.split())
    )
    return (
        f'<question_category id="{id_}"><name>C{id_}</name><contextid>{context}</contextid>'
        f"<contextlevel>{level}</contextlevel><parent>{parent}</parent><questions>{questions}</questions>"
        "</question_category>"
    )


def test_components_of_every_kind(tmp_path: Path) -> None:
    made = backup(
        tmp_path / "x.mbz",
        activities=[
            ActivitySpec(module="quiz", availability='{"op":"&","c":[{"type":"date"}],"showc":[true]}'),
            ActivitySpec(module="assign"),
        ],
        questions={"essay": 2},
        blocks=["html", "xp"],
        extra={
            "course/enrolments.xml": _member(
                '<enrolments><enrols><enrol id="1"><enrol>self</enrol></enrol></enrols></enrolments>'
            ),
            "course/filters.xml": _member(
                "<filters><filter_actives><filter_active><filter>filter/tex</filter><active>1</active>"
                "</filter_active></filter_actives></filters>"
            ),
            "course/contentbank.xml": _member(
                '<contents><content id="1"><contenttype>contenttype_h5p</contenttype></content></contents>'
            ),
            "activities/assign_101/grading.xml": _member(
                '<areas><area id="1"><definitions><definition id="1"><method>rubric</method></definition>'
                "</definitions></area></areas>"
            ),
            "course/blocks/html_60/filters.xml": _member(
                "<filters><filter_actives><filter_active><filter>no</filter></filter_active></filter_actives></filters>"
            ),
        },
    )
    assert inspect_backup(made).components == {
        "availability_date": 1,
        "block_html": 1,
        "block_xp": 1,
        "contenttype_h5p": 1,
        "enrol_self": 1,
        "filter_tex": 1,
        "format_topics": 1,
        "gradingform_rubric": 1,
        "mod_assign": 1,
        "mod_quiz": 1,
        "qtype_essay": 2,
    }


def test_roles(tmp_path: Path) -> None:
    roles = _member(
        '<roles_definition><role id="5"><name></name><shortname>student</shortname>'
        '<archetype>student</archetype></role><role id="9"><name>Guide</name><shortname>guide</shortname>'
        "<archetype>$@NULL@$</archetype></role></roles_definition>"
    )
    inspection = inspect_backup(backup(tmp_path / "x.mbz", extra={"roles.xml": roles}))
    assert inspection.roles == (
        RoleUse(shortname="student", archetype="student"),
        RoleUse(shortname="guide", archetype="", name="Guide"),
    )


def test_question_banks_apart_by_context_and_by_who_needs_them(tmp_path: Path) -> None:
    questions = (
        "<question_categories>"
        + _category(1, context=7, level=50, parent=0)
        + _category(2, context=7, level=50, parent=1, types="essay essay truefalse")
        + _category(3, context=8, level=70, parent=0, types="match")
        + _category(4, context=7, level=50, parent=1, types="essay")
        + "</question_categories>"
    )
    made = backup(
        tmp_path / "x.mbz",
        activities=[ActivitySpec(module="quiz")],
        extra={
            "questions.xml": _member(questions),
            "course/inforef.xml": _inforef(1, 2),
            "activities/quiz_100/inforef.xml": _inforef(1, 2, 3),
            "course/blocks/xp_60/inforef.xml": _inforef(2),
        },
    )
    assert inspect_backup(made).question_banks == (
        _bank(7, 50, (), ("C4",), tops=0, types={"essay": 1}),
        _bank(7, 50, ("block_xp", "course", "mod_quiz"), ("C2",), tops=0, types={"essay": 2, "truefalse": 1}),
        _bank(7, 50, ("course", "mod_quiz"), ("C1",), tops=1, types={}),
        _bank(8, 70, ("mod_quiz",), ("C3",), tops=1, types={"match": 1}),
    )


def test_the_question_bank_of_a_real_course(corpus: Path) -> None:
    (bank,) = inspect_backup(corpus / "m456-env-science-en.course.nousers.tgz.mbz").question_banks
    assert bank.needed_by == ("course", "mod_quiz")
    assert (bank.context_level, bank.categories, bank.top_categories) == (50, 3, 1)
    assert bank.names[:2] == ("top", "Ecosystems bank")


def test_remote_users(tmp_path: Path) -> None:
    assert not inspect_backup(backup(tmp_path / "a.mbz")).remote_users


def _bank(
    context: int,
    level: int,
    needed_by: tuple[str, ...],
    names: tuple[str, ...],
    *,
    tops: int,
    types: dict[str, int],
) -> QuestionBank:
    return QuestionBank(
        context_id=context,
        context_level=level,
        needed_by=needed_by,
        names=names,
        categories=len(names),
        top_categories=tops,
        questions_by_type=types,
    )
