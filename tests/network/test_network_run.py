"""The short form of ``make federation``. HQ's absence costs a minute: for so long schools wait before they
try it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.network.run import Plan, run


@pytest.mark.timeout(600)
def test_nothing_is_lost_doubled_or_shown_that_is_private(tmp_path: Path) -> None:
    figures = run(tmp_path, Plan(resources=30, people=6, away=2))
    print(figures.markdown())
