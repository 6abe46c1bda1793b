"""What is found in backups of persons and secrets, at each place where real ones were planted."""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path

import pytest

from repo_service.domain.findings import Finding, FindingClass
from repo_service.domain.inspection import BackupInspection
from repo_service.inspection.moodle.people import left_out, rules_of
from repo_service.inspection.moodle.redaction import Blank, Drop, Node, Row
from tests.inspection.support import inspect_backup
from tests.support.corpus import shared_folder

_NOT_PERSONS = {
    ("badges.xml", "badge/issuerurl"),  # the address of a site
    ("groups.xml", "group/description"),  # what a teacher wrote
    ("users.xml", "user/lang"),
}


def _rows(name: str) -> list[dict[str, str]]:
    folder = shared_folder()
    if folder is None:
        return []
    with (folder / "corpus" / name).open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _id(row: dict[str, str]) -> str:
    return f"{row['first_seen_in']}: {row['file_pattern']} {row['element_path']} {row.get('marker', '')}"


def _file_of(row: dict[str, str]) -> Path | None:
    folder = shared_folder()
    assert folder is not None
    here = (folder / "corpus" / row["first_seen_in"], folder / "corpus/sent-by-moodle" / row["first_seen_in"])
    return next((path for path in here if path.is_file()), None)


_PLANTED = [
    row
    for row in _rows("pii_scan.tsv") + _rows("userid_scan.tsv")
    if (row["file_pattern"], row["element_path"]) not in _NOT_PERSONS
]
_PLANTED_HERE = [row for row in _PLANTED if _file_of(row) is not None]


@pytest.mark.parametrize("row", _PLANTED, ids=_id)
def test_a_rule_is_about_what_was_planted(row: dict[str, str], corpus: Path) -> None:
    pattern, path = row["file_pattern"], row["element_path"]
    if path == "(content)" or left_out(pattern.replace("_N/", "_1/")):
        return
    if row.get("marker") == "teacher name":  # in prose: no rule can know
        return
    top = rules_of(pattern.replace("_N/", "_1/"))
    assert any(_is_ruled(node, path.split("/")) for node in (*top.children.values(), top))


def _is_ruled(node: Node, tags: list[str]) -> bool:
    for at, tag in enumerate(tags):
        if isinstance(node.rule, Row) and tag in node.rule.fields:
            return True
        below = node.child(tag)
        if below is None:
            return False
        node = below
        if isinstance(node.rule, Drop) or (isinstance(node.rule, Blank) and at == len(tags) - 1):
            return True
        if isinstance(node.rule, Row) and node.rule.judge in ("file", "override"):
            return True
    return False


@pytest.mark.parametrize("row", _PLANTED_HERE, ids=_id)
def test_what_was_planted_is_found(row: dict[str, str], corpus: Path) -> None:
    file = _file_of(row)
    assert file is not None
    kind, path = row["file_pattern"], row["element_path"]
    here = [
        finding
        for finding in _inspected(file).findings
        if (finding.code == "learner-files" if path == "(content)" else _is_at(finding, kind, path))
    ]
    assert here
    if row["class"].startswith(("users", "anonymised")) and "learner" in row.get("marker", ""):
        assert any(f.finding_class is FindingClass.BLOCKING for f in here)


@cache
def _inspected(path: Path) -> BackupInspection:
    return inspect_backup(path)


def _is_at(finding: Finding, pattern: str, path: str) -> bool:
    """Whether the finding is of that element, or of one around it. ``path`` is without the root element."""
    place = re.sub(r"_\d+/", "_N/", finding.place)
    element = finding.element.partition("/")[2]
    tags = path.split("/")
    if finding.code == "learner-files" and pattern == "files.xml":
        return True
    return place == pattern and (
        path in (element, finding.element) or tags[: element.count("/") + 1] == element.split("/")
    )
