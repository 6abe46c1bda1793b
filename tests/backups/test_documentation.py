"""The page about compatibility names every code there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from repo_service import backups

_SOURCES = "".join(
    (Path(backups.__path__[0]) / name).read_text("utf-8")
    for name in ("compatibility.py", "losses.py", "prechecks.py")
)
_PAGE = Path(__file__).resolve().parents[2] / "docs" / "backups.md"


def test_every_code_is_described() -> None:
    rules = re.findall(r'_Rule\(\s*"([a-z-]+)"', _SOURCES)
    codes = {*rules, *re.findall(r'code="([a-z-]+)"', _SOURCES)}
    assert len(codes) > 25
    section = _PAGE.read_text("utf-8").partition("the codes mean")[2].partition("\n## ")[0]
    described = re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE)
    assert sorted(described) == sorted(codes)


def test_every_string_of_moodles_is_named() -> None:
    strings = set(re.findall(r'moodle_string="([a-z_0-9/]+)"', _SOURCES))
    assert set(re.findall(r"\| `([a-z]+/[a-z_0-9]+)` \|", _PAGE.read_text("utf-8"))) == strings
