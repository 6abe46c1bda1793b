"""The checks of accessibility see what is wrong."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.web.accessibility import problems_of

_RIGHT = (
    "<h1>A</h1><h2>B</h2><p>Text</p><label style='display: block; padding: 4px'>C <input></label>"
    "<button style='padding: 8px'>Go on</button>"
)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize(
    ("inside", "problem"),
    [
        (_RIGHT, None),
        ("<h1>A</h1><h3>B</h3>", "heading-order: h3"),
        ("<h1>A</h1><section aria-label='B'><p lang='zzz'>C</p></section>", "valid-lang"),
        ("<h1>A</h1><section aria-labelledby=nowhere>A</section>", "aria-labelledby leads to no nowhere"),
        ("<a href='#nowhere'>A</a>", "the link A leads nowhere"),
        ("<p>A</p><input>", "label: input"),
        ("<p>A</p><button></button>", "button-name"),
        ("<button style='font-size: 3px; padding: 0'>A</button><button>B</button>", "target-size"),
        ("<p style='color: #888'>Words</p>", "color-contrast"),
        ("<p style='background: rgb(0 0 0 / 70%)'><span>Words</span></p>", "color-contrast"),
        ("<p style='width: 3000px'>A</p>", "pixels stick out"),
        ("", "no text was seen"),
    ],
)
def test_what_is_wrong_is_seen(chromium: Browser, inside: str, problem: str | None, scripts: bool) -> None:
    page = chromium.new_page(java_script_enabled=scripts)
    page.set_content(f"<!doctype html><html lang=en><title>A</title><main>{inside}</main>")
    problems = problems_of(page)
    page.close()
    if problem is None:
        assert problems == []
    else:
        assert any(problem in found for found in problems), problems
