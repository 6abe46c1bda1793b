"""What a machine can check of a page's accessibility (WCAG 2.2 AA), in a real browser: all that axe-core
knows, and the little that it does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Final, Literal

from playwright.sync_api import Error, Page

_AXE: Final = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
_RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN: Final = """
async tags => {
  const answer = await axe.run({ runOnly: tags, resultTypes: ["violations"] });
  return answer.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`));
}
"""
_MORE: Final = """
() => {
  const problems = [];
  for (const part of document.querySelectorAll('main a[href^="#"]')) {
    if (!document.getElementById(decodeURIComponent(part.hash.slice(1)))) {
      problems.push(`the link ${part.textContent} leads nowhere`);
    }
  }
  for (const attribute of ["aria-labelledby", "aria-describedby", "for"]) {  // axe leaves these to people
    for (const element of document.querySelectorAll(`[${attribute}]`)) {
      for (const id of element.getAttribute(attribute).split(/\\s+/)) {
        if (!document.getElementById(id)) problems.push(`${attribute} leads to no ${id}`);
      }
    }
  }
  const wider = document.documentElement.scrollWidth - window.innerWidth;  // 1.4.10
  if (wider > 0) problems.push(`${wider} pixels stick out`);
  if (!document.querySelector("main")?.innerText.trim()) problems.push("no text was seen");
  return problems;
}
"""


_SCRIPTS_RUN: Final = """
() => {
  const part = document.createElement("div");
  part.innerHTML = "<noscript><b></b></noscript>";  // parsed as what it holds only where no scripts run
  return part.querySelector("b") === null;
}
"""
_LOOKS: Final = 3
_LOADED_ANEW: Final = "Execution context was destroyed"
_DARK: Final = "matchMedia('(prefers-color-scheme: dark)').matches"


def assert_accessible(page: Page) -> None:
    """Nothing that axe finds, no link within the page that leads nowhere, nothing that sticks out."""
    found = problems_of(page)
    assert not found, f"{page.url}\n" + "\n".join(found)


def problems_of(page: Page) -> list[str]:
    """What is wrong with the page that is open. One that is loaded anew by its own script meanwhile is looked
    at again."""
    for _ in range(_LOOKS - 1):
        try:
            return _problems_of(page)
        except Error as error:
            if _LOADED_ANEW not in error.message:
                raise
            page.wait_for_load_state()
    return _problems_of(page)


def _problems_of(page: Page) -> list[str]:
    with _scripted(page) as shown:
        if not shown.evaluate("'axe' in window"):
            shown.evaluate(_AXE)
        by_axe: Any = shown.evaluate(_RUN, _RULES)
    more: Any = page.evaluate(_MORE)
    return [*by_axe, *more]


@contextmanager
def _scripted(page: Page) -> Iterator[Page]:
    """The page, or the same as it stands without its scripts where those of axe could not run either."""
    if page.evaluate(_SCRIPTS_RUN):
        yield page
        return
    browser, url, html = page.context.browser, page.url, page.content()
    assert browser is not None
    scheme: Literal["dark", "light"] = "dark" if page.evaluate(_DARK) else "light"
    context = browser.new_context(viewport=page.viewport_size, color_scheme=scheme)
    try:
        shown = context.new_page()
        shown.route("**/*.js", lambda route: route.abort())
        if url.startswith("http"):
            shown.route(url, lambda route: route.fulfill(body=html, content_type="text/html; charset=utf-8"))
            shown.goto(url)
        else:
            shown.set_content(html)
        yield shown
    finally:
        context.close()
