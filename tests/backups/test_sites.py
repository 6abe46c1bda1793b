"""What is told of a site."""

from __future__ import annotations

from decimal import Decimal

import pytest

from repo_service.backups.sites import InvalidPlugins, SiteProfile, number_of, parse_plugins
from repo_service.inspection.moodle.core import parse_version


def test_plugins() -> None:
    assert parse_plugins(["mod_hvp:2023122500, qtype_stack", "", "block_xp:2024.50"]) == {
        "mod_hvp": "2023122500",
        "qtype_stack": None,
        "block_xp": "2024.50",
    }


@pytest.mark.parametrize(
    "text",
    ["hvp", "mod_", "Mod_hvp", "mod_hvp:", "mod_hvp:new", "mod_hvp=1", "mod-hvp", "mod_hvp qtype_stack"],
)
def test_what_is_no_plugin(text: str) -> None:
    with pytest.raises(InvalidPlugins, match="is no plugin"):
        parse_plugins([f"mod_ok,{text}"])


def test_what_a_site_has() -> None:
    site = SiteProfile(
        version=parse_version("4.5.6"), plugins={"mod_hvp": None}, without=frozenset({"mod_chat"})
    )
    assert [site.has(name) for name in ("mod_hvp", "mod_quiz", "mod_chat", "mod_qbank", "qtype_stack")] == [
        *(True, True, False, False, False)
    ]
    assert (site.since("4.5"), site.since("3.10"), site.since("5.0")) == (True, True, False)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2024100706", "2024100706"),
        ("2024100706.01", "2024100706.01"),
        ("2024 x", "2024"),
        ("", "0"),
        ("x1", "0"),
    ],
)
def test_numbers_are_read_as_php_does(text: str, number: str) -> None:
    assert number_of(text) == Decimal(number)
