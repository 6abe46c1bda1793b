"""The redactor: what Moodle's own parser would read is what the rules are asked about."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.limits import LIMITS
from repo_service.inspection.moodle.findings import PersonScan
from repo_service.inspection.moodle.redaction import (
    Blank,
    Drop,
    Judgement,
    Redactor,
    Row,
    Rule,
    rule_tree,
)
from repo_service.inspection.xml import XmlAllowance

_RULES: Mapping[str, Rule] = {
    "r/password": Blank("password", b""),
    "r/people": Blank("people", b"", only=lambda text: '"user"' in text),
    "r/rows/row": Row("row", frozenset({"kind", "value"})),
    "r/gone": Drop("gone"),
}


def _judge(attributes: Mapping[str, str], fields: Mapping[str, str]) -> Judgement:
    if fields.get("kind") == "secret":
        return Judgement(texts={"value": b"-"}, found=(("secret", "value"),))
    return Judgement()


def redacted(xml: str, *, pieces: int | None = None) -> tuple[str, list[tuple[str, str]]]:
    """What stays, and what was found."""
    stays: list[bytes] = []
    found: list[tuple[str, str]] = []
    redactor = Redactor(
        rule_tree(_RULES),
        place="x.xml",
        allowance=XmlAllowance(LIMITS),
        write=stays.append,
        found=lambda code, path: found.append((code, path)),
        everywhere={"userid": Blank("person", only=lambda text: text != "0")},
        judges={"row": _judge},
    )
    data = xml.encode()
    for at in range(0, len(data), pieces or len(data)):
        redactor.feed(data[at : at + (pieces or len(data))])
    redactor.close()
    return b"".join(stays).decode(), found


@pytest.mark.parametrize(
    "people", ["[&#34;user&#34;]", '[<![CDATA["us]]>er"]', '["us<!-- -->er"]', "[&#x22;user&quot;]"]
)
def test_a_text_is_read_as_any_parser_reads_it(people: str) -> None:
    assert redacted(f"<r><people>{people}</people></r>") == (
        "<r><people></people></r>",
        [("people", "r/people")],
    )


@pytest.mark.parametrize("kind", ["s&#101;cret", "<![CDATA[secret]]>", "sec<?x y?>ret"])
def test_so_are_the_fields_of_a_row(kind: str) -> None:
    stays, found = redacted(f"<r><rows><row><value>KEY</value><kind>{kind}</kind></row></rows></r>")
    assert stays == f"<r><rows><row><value>-</value><kind>{kind}</kind></row></rows></r>"
    assert found == [("secret", "r/rows/row/value")]


@pytest.mark.parametrize(
    "inside",
    [
        "<rows><row><kind>secret</kind><kind></kind><value>KEY</value></row></rows>",
        "<rows><row><value>KEY</value><kind>secret<a/></kind></row></rows>",
        '<rows><row kind="secret"><value>KEY</value></row></rows>',
        '<rows><row value="KEY"><kind>secret</kind></row></rows>',
    ],
)
def test_a_record_that_moodle_would_never_write_is_refused(inside: str) -> None:
    with pytest.raises(InvalidFile) as refused:
        redacted(f"<r>{inside}</r>")
    assert refused.value.reason == "bad-xml"


def test_a_key_in_a_tag_is_refused() -> None:
    with pytest.raises(InvalidFile) as refused:
        redacted('<r password="KEY"><a>1</a></r>')
    assert refused.value.reason == "bad-xml"


def test_a_person_in_a_tag_is_told_of() -> None:
    assert redacted('<r><a userid="7" id="1"/><a userid="0"/></r>')[1] == [("person", "r/a/@userid")]


def test_what_holds_elements_is_blanked_with_them() -> None:
    assert redacted("<r><password><a>KEY</a></password></r>")[0] == "<r><password></password></r>"


def test_tags_with_very_long_names_are_refused() -> None:
    """Paths are made of them: one element would cost as much as a thousand."""
    with pytest.raises(InvalidFile) as refused:
        redacted(f"<r><{'x' * 300}/></r>")
    assert refused.value.reason == "xml-token-too-long"


def test_cut_into_whatever_pieces_the_outcome_is_the_same() -> None:
    chance = random.Random(5)
    parts = (
        "<password>K</password>", "<password/>", "<password>a/></password>", "<gone/>", "<gone>\n<a/></gone>",
        "\n  ", "é", "<!-- <a> -->", "<a x='/>'/>", '<a\n x = ">" >t</a >', "<userid>7</userid>", "<userid/>",
        "<rows>\n<row>\n<value/>\n<kind>secret</kind></row> <row/></rows>", "<![CDATA[<gone/>]]>", "&lt;",
    )  # fmt: skip
    for _ in range(200):
        xml = f"<r>{''.join(chance.choices(parts, k=chance.randrange(12)))}</r>\n"
        whole = redacted(xml)
        assert redacted(xml, pieces=1) == whole
        assert redacted(xml, pieces=7) == whole
        assert "KEY" not in whole[0]
        assert "<gone" not in whole[0].replace("<![CDATA[<gone/>]]>", "")


def _found_in(member: str, xml: str, *, with_users: bool) -> set[tuple[str, str]]:
    scan = PersonScan(LIMITS, XmlAllowance(LIMITS))
    sink = scan.sink(member)
    sink.feed(xml.encode())
    sink.close()
    return {(finding.code, finding.element) for finding in scan.findings({}, with_users=with_users)}


def test_what_a_plugin_adds_to_moodles_own_files_cannot_be_judged() -> None:
    course = "<course><plugin_local_notes_course><note><of>7</of></note></plugin_local_notes_course></course>"
    assert _found_in("course/course.xml", course, with_users=True) == {("unknown-plugin", "local_notes")}
    assert _found_in("course/course.xml", course, with_users=False) == {("plugin-data", "local_notes")}
    quiz = (
        "<activity><quiz><subplugin_quizaccess_watch_quiz><seen>7</seen></subplugin_quizaccess_watch_quiz>"
        "</quiz></activity>"
    )
    found = _found_in("activities/quiz_1/quiz.xml", quiz, with_users=True)
    assert found == {("unknown-plugin", "quizaccess_watch")}


@pytest.mark.parametrize(
    ("member", "xml"),
    [
        ("course/course.xml", "<course><plugin_local_notes_course>\n</plugin_local_notes_course></course>"),
        ("activities/assign_1/assign.xml", "<a><plugin_configs><plugin_config/></plugin_configs></a>"),
        ("questions.xml", "<q><plugin_qtype_own_question><a>1</a></plugin_qtype_own_question></q>"),
        ("course/enrolments.xml", "<e><plugin_enrol_lti_enrol><tool>1</tool></plugin_enrol_lti_enrol></e>"),
    ],
)  # fmt: skip
def test_what_says_nothing_of_persons_is_no_reason_to_refuse(member: str, xml: str) -> None:
    assert not _found_in(member, xml, with_users=True)
