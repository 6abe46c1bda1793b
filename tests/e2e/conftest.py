"""Fixtures of the tests that need a running Moodle."""

from __future__ import annotations

import pytest

from tests.e2e.site import MoodleSite


@pytest.fixture(scope="session")
def moodle() -> MoodleSite:
    """The site to test against."""
    site = MoodleSite.from_environment()
    if site is None:
        pytest.skip("no Moodle to test against: set MOODLE_DIR to the folder of one, and MOODLE_URL")
    return site
