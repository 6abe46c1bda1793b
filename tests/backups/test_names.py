"""Names that Moodle would change, and therefore does not restore."""

from __future__ import annotations

import pytest

from repo_service.backups.names import survives_cleaning


@pytest.mark.parametrize(
    ("name", "survives"),
    [
        ("Sea life", True),
        ("a < b & c > d", True),
        ("1 <\n2", True),
        ("", True),
        ("Sea <b>life</b>", False),
        ("I <3 Moodle", False),
        ("x <", False),
        ("<!-- x -->", False),
        ('<lang lang="en">Sea</lang><lang lang="de">Meer</lang>', True),
        ('1. <lang lang="en">Sea</lang> x', True),
        ('<lang lang="en">Sea', False),
        ('<lang lang="en"><b>Sea</b></lang>', False),
        ('<lang lang="en"><lang lang="de">Meer</lang></lang>', False),
        ('<lang lang="en" class="x">Sea</lang>', False),
        ('<span lang="en" class="multilang">Sea</span>', True),
        (
            '<span class="multilang" lang="en">Sea</span> and <span class="multilang" lang="de">Meer</span>',
            True,
        ),
        ('<span lang="en">Sea</span>', False),
        ('<span lang="en" class="multilang">Sea</span><br>', False),
    ],
)
def test_names(name: str, survives: bool) -> None:
    assert survives_cleaning(name) is survives


def test_long_names_take_no_time() -> None:
    assert not survives_cleaning('<lang lang="en">x' * 20_000)
    assert not survives_cleaning("<" * 100_000)
