"""What a machine can check of a page's accessibility (WCAG 2.2 AA), in a real browser."""

from __future__ import annotations

from playwright.sync_api import Page

_CHECKS = """
() => {
  const problems = [];
  const visible = element => element.checkVisibility({ opacityProperty: true, visibilityProperty: true })
    && element.getBoundingClientRect().width > 1;
  const shown = selector => [...document.querySelectorAll(selector)].filter(visible);
  const name = element =>
    `${element.tagName}.${element.className} ${element.textContent.trim().slice(0, 40)}`;

  let level = 0;  // 1.3.1: no level of headings is left out
  for (const heading of document.querySelectorAll("main :is(h1, h2, h3, h4, h5, h6)")) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) problems.push(`after h${level} comes ${name(heading)}`);
    level = own;
  }

  const ids = [...document.querySelectorAll("[id]")].map(element => element.id);
  for (const id of ids.filter((id, at) => ids.indexOf(id) !== at)) problems.push(`twice the id ${id}`);
  for (const attribute of ["aria-labelledby", "aria-describedby", "for"]) {
    for (const element of document.querySelectorAll(`[${attribute}]`)) {
      for (const id of element.getAttribute(attribute).split(/\\s+/)) {
        if (!ids.includes(id)) problems.push(`${attribute} of ${name(element)} leads nowhere`);
      }
    }
  }
  for (const part of document.querySelectorAll('main a[href^="#"]')) {
    if (!ids.includes(part.hash.slice(1))) problems.push(`the link ${name(part)} leads nowhere`);
  }

  for (const control of shown("input:not([type=hidden]), select, textarea")) {
    if (!control.labels.length && !control.ariaLabel) problems.push(`no label: ${name(control)}`);
  }
  const names = shown("main :is(summary, button)").map(element => element.textContent.trim());
  if (names.includes("")) problems.push("a control without a name");

  for (const target of shown("main :is(button, summary, .btn, input:not([type=hidden]))")) {  // 2.5.8
    const heights = [target, ...(target.labels ?? [])].map(part => part.getBoundingClientRect().height);
    if (Math.max(...heights) < 24) problems.push(`small: ${name(target)}, ${heights}`);
  }

  const parse = text => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, under) => ({
    r: top.r * top.a + under.r * (1 - top.a),
    g: top.g * top.a + under.g * (1 - top.a),
    b: top.b * top.a + under.b * (1 - top.a),
    a: 1,
  });
  const ground = element => element === null ? { r: 255, g: 255, b: 255, a: 1 }
    : over(parse(getComputedStyle(element).backgroundColor), ground(element.parentElement));
  const light = ({ r, g, b }) => [r, g, b].map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  let texts = 0;
  for (const element of shown("main *")) {  // 1.4.3
    if (![...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim())) continue;
    texts += 1;
    const under = ground(element);
    const [a, b] = [light(over(parse(getComputedStyle(element).color), under)), light(under)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) problems.push(`contrast ${ratio.toFixed(2)}: ${name(element)}`);
  }
  if (!texts) problems.push("no text was seen");

  const wider = document.documentElement.scrollWidth - window.innerWidth;  // 1.4.10
  if (wider > 0) problems.push(`${wider} pixels stick out`);
  return problems;
}
"""


def assert_accessible(page: Page) -> None:
    """Headings in order, names and labels, sizes of targets, contrast of texts, nothing that sticks out."""
    found = problems_of(page)
    assert not found, found


def problems_of(page: Page) -> list[str]:
    """What is wrong with the page that is open."""
    problems: list[str] = page.evaluate(_CHECKS)
    return problems
