"""Moodle's releases and what each of them brings."""

from __future__ import annotations

from decimal import Decimal

import pytest

from repo_service.inspection.moodle.core import (
    PLUGIN_TYPES,
    RELEASES,
    UnknownMoodle,
    core_of,
    ever_core,
    life_of,
    off_by_default,
    parse_version,
)


@pytest.mark.parametrize(
    ("text", "number", "release", "branch"),
    [
        ("4.5.6", "2024100706", "4.5.6", "4.5"),
        ("4.5", "2024100700", "4.5", "4.5"),
        (" 4.5.6 (Build: 20250811) ", "2024100706", "4.5.6", "4.5"),
        ("4.5.6+", "2024100706.99", "4.5.6+", "4.5"),
        ("4.5.6+ (Build: 20250815)", "2024100706.99", "4.5.6+", "4.5"),
        ("2024100706", "2024100706", "4.5.6", "4.5"),
        ("2024100706.03", "2024100706.03", "4.5.6", "4.5"),
        ("3.10.2", "2020110902", "3.10.2", "3.10"),
        ("2.0.2", "2011022100", "2.0.2", "2.0"),
        ("2.0.4", "2011033004", "2.0.4", "2.0"),
        ("2011033004", "2011033004", "2.0", "2.0"),
        ("5.2.3", "2026042003", "5.2.3", "5.2"),
        ("2030010100", "2030010100", "5.2", "5.2"),
    ],
)
def test_versions(text: str, number: str, release: str, branch: str) -> None:
    version = parse_version(text)
    assert (version.number, version.release, version.branch) == (Decimal(number), release, branch)


@pytest.mark.parametrize(
    "text",
    ["", "4", "4.6", "1.9.19", "9.9", "2007101592", "20241007", "4.5.6.7", "four", "4.5.6 beta", "4.5;"],
)
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(UnknownMoodle):
        parse_version(text)


def test_releases_stand_in_their_order() -> None:
    assert sorted(RELEASES.values()) == list(RELEASES.values())


@pytest.mark.parametrize(
    ("component", "first", "last"),
    [
        ("mod_forum", "2.0", "5.2"),
        ("mod_assign", "2.3", "5.2"),
        ("mod_assignment", "2.0", "4.1"),
        ("mod_chat", "2.0", "4.5"),
        ("mod_subsection", "4.5", "5.2"),
        ("mod_qbank", "5.0", "5.2"),
        ("qtype_ordering", "4.4", "5.2"),
        ("block_section_links", "2.0", "5.0"),
        ("format_scorm", "2.0", "2.5"),
        ("availability_date", "2.7", "5.2"),
        ("customfield_number", "4.5", "5.2"),
    ],
)
def test_since_and_until(component: str, first: str, last: str) -> None:
    with_it = [release for release in RELEASES if component in core_of(release)]
    assert (with_it[0], with_it[-1]) == (first, last)
    assert life_of(component) == (first if first != "2.0" else None, last if last != "5.2" else None)


def test_every_plugin_of_a_release_was_ever_core() -> None:
    everything = {f"{kind}_{name}" for kind in PLUGIN_TYPES for name in ever_core(kind)}
    assert set().union(*map(core_of, RELEASES)) == everything
    assert set().union(*map(off_by_default, RELEASES)) <= everything


def test_what_new_sites_have_switched_off() -> None:
    assert off_by_default("3.11") == frozenset()
    assert off_by_default("4.5") == {"mod_bigbluebuttonbn", "mod_chat", "mod_subsection", "mod_survey"}
    assert off_by_default("5.2") == {"mod_bigbluebuttonbn"}
