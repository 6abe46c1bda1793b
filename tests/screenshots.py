"""Photographs every page: ``make screenshots``. A folder of pictures, and ``index.html`` to look through.

make screenshots ARGS="--only look-after,jobs --corpus ../shared/corpus"
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from repo_service.http import logging
from tests.support.browser import launched
from tests.web.every_page import DESKTOP, PHONE, SIGHTS, Colours, Language, Sight, Tour, show, touring

FOLDER: Final = Path("build/screenshots")
_COLOURS: Final[tuple[Colours, ...]] = ("light", "dark")


@dataclass(frozen=True, kw_only=True)
class View:
    """How a page is photographed. ``name`` is the folder of the pictures."""

    language: Language
    size: tuple[int, int]
    colours: Colours

    @property
    def name(self) -> str:
        width = "desktop" if self.size == DESKTOP else "phone"
        return f"{self.language}-{width}-{self.colours}"


VIEWS: Final = [
    View(language=language, size=size, colours=colours)
    for language in ("en", "ar")
    for size in (DESKTOP, PHONE)
    for colours in _COLOURS
    if language == "en"
    or (size == DESKTOP) == (colours == "dark")  # from right to left: one of each is enough
]


def photograph(browser: Browser, sights: Iterable[Sight], *, into: Path, corpus: Path | None) -> None:
    """Write the pictures and their index."""
    with tempfile.TemporaryDirectory() as folder, touring(browser, Path(folder), corpus) as tour:
        for sight in sights:
            for picture in _pictures(tour, sight, into):
                print(picture)


def _pictures(tour: Tour, sight: Sight, into: Path) -> Iterator[Path]:
    languages: tuple[Language, ...] = ("en", "ar")
    for language in languages:
        with tour.window(sight, language) as page:
            tour.go(page, sight)
            for view in (view for view in VIEWS if view.language == language):
                show(page, view.size, view.colours)
                picture = into / view.name / f"{sight.name}.png"
                page.screenshot(path=picture, full_page=True)
                yield picture


def index(sights: Iterable[Sight], into: Path) -> str:
    """A page that shows all pictures that are there, a row a page."""
    rows = "".join(
        f"<h2>{escape(sight.name)}</h2><div>"
        + "".join(
            f'<a href="{view.name}/{sight.name}.png"><img loading="lazy" alt="{view.name}" '
            f'src="{view.name}/{sight.name}.png"></a>'
            for view in VIEWS
            if (into / view.name / f"{sight.name}.png").exists()
        )
        + "</div>"
        for sight in sights
    )
    style = (
        "body{font:16px sans-serif;background:#888}div{display:flex;gap:1rem;align-items:start}"
        "img{height:30rem}"
    )
    return f'<!doctype html><html lang="en"><title>Every page</title><style>{style}</style>{rows}'


def main() -> int:
    """Take the pictures that the command line asks for."""
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    parser.add_argument(
        "--only", default="", help="names of pages with commas between; all, if there are none"
    )
    parser.add_argument("--corpus", type=Path, help="a folder with real backups to put behind some courses")
    asked = parser.parse_args()
    names = set(filter(None, asked.only.split(",")))
    if unknown := names - {sight.name for sight in SIGHTS}:
        parser.error(f"no such page: {', '.join(sorted(unknown))}")
    logging.configure(level="ERROR", style="console")
    with sync_playwright() as playwright, launched(playwright) as browser:
        wanted = [sight for sight in SIGHTS if not names or sight.name in names]
        photograph(browser, wanted, into=FOLDER, corpus=asked.corpus)
    (FOLDER / "index.html").write_text(index(SIGHTS, FOLDER), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
