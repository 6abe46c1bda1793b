"""The short form of the fuzzing: cases that found something once, and some more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fuzz.running import run

_SEEDS: list[int] = json.loads(Path(__file__).with_name("seeds.json").read_text())["cases"]
_ROUND = 100


@pytest.mark.parametrize("number", _SEEDS)
def test_what_was_found_once_is_not_found_again(number: int, tmp_path: Path) -> None:
    run(number, tmp_path)


@pytest.mark.parametrize("first", range(0, 1500, _ROUND))
def test_hostile_backups_end_in_refusals(first: int, tmp_path: Path) -> None:
    """And some of them are taken, or nothing would be tried."""
    outcomes = {run(number, tmp_path) for number in range(first, first + _ROUND)}
    assert {"refused", "cleaned"} <= outcomes
