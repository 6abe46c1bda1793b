"""Names that Moodle would change, and therefore does not restore."""

from __future__ import annotations

import pytest

from repo_service.inspection.moodle.names import is_restorable, restorable


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
    assert is_restorable(name) is survives
    assert is_restorable(restorable(name))
    if survives:
        assert restorable(name) == name


def test_a_repaired_name_keeps_its_words() -> None:
    left = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}"
    right = "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
    assert restorable("Sea <b>life</b> & more") == "Sea life & more"
    assert restorable("EDGE <8>") == f"EDGE {left}8{right}"
    assert restorable("<b></b>") == "?"


def test_long_names_take_no_time() -> None:
    assert not is_restorable('<lang lang="en">x' * 20_000)
    assert not is_restorable("<" * 100_000)
    assert is_restorable(restorable("<" * 100_000))
