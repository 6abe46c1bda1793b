"""The checks of accessibility see what is wrong."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.web.accessibility import problems_of

_RIGHT = (
    "<h1>A</h1><h2>B</h2><p>Text</p><label style='display: block; padding: 4px'>C <input></label>"
    "<button style='padding: 8px'>Go on</button>"
)


@pytest.mark.parametrize(
    ("inside", "problem"),
    [
        (_RIGHT, None),
        ("<h1>A</h1><h3>B</h3>", "after h1 comes H3"),
        ("<p id=a>A</p><p id=a>B</p>", "twice the id a"),
        ("<section aria-labelledby=nowhere>A</section>", "aria-labelledby of SECTION"),
        ("<a href='#nowhere'>A</a>", "the link A"),
        ("<p>A</p><input>", "no label: INPUT"),
        ("<p>A</p><button></button>", "a control without a name"),
        ("<button style='font-size: 3px; padding: 0'>Go on</button>", "small: BUTTON"),
        ("<p style='color: #888'>A</p>", "contrast 3.54: P"),
        ("<p style='background: rgb(0 0 0 / 70%)'><span>A</span></p>", "contrast"),
        ("<p style='width: 3000px'>A</p>", "pixels stick out"),
        ("", "no text was seen"),
    ],
)
def test_what_is_wrong_is_seen(chromium: Browser, inside: str, problem: str | None) -> None:
    page = chromium.new_page()
    page.set_content(f"<!doctype html><main>{inside}</main>")
    problems = problems_of(page)
    page.close()
    if problem is None:
        assert problems == []
    else:
        assert any(problem in found for found in problems), problems
