"""Somebody who reads pages in a real browser: in which language, how wide a window, and which colours."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests.support.words import Words, words_of
from tests.web.accessibility import assert_accessible

DESKTOP: Final[ViewportSize] = {"width": 1280, "height": 900}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}

_PATIENCE_MS: Final = 30_000
_REFUSED: Final = re.compile(r"the server responded with a status of (\d+)")


@dataclass(frozen=True, kw_only=True)
class Reader:
    """``language`` is what their browser asks for; without ``scripts`` it runs none."""

    name: str
    language: str = "en"
    size: ViewportSize
    dark: bool = False
    scripts: bool = True

    @property
    def words(self) -> Words:
        """Those of their language."""
        return words_of(self.language)

    @contextmanager
    def window(self, browser: Browser, url: str, *, refusals: Collection[int] | None = ()) -> Iterator[Page]:
        """A window of theirs onto the service at ``url``. Every error that the browser tells is a failure,
        what the policy for contents refuses included; answers with a status of ``refusals`` are none,
        and with None nothing that does not load is."""
        context = browser.new_context(
            base_url=url,
            viewport=self.size,
            locale="en-GB" if self.language == "en" else self.language,
            color_scheme="dark" if self.dark else "light",
            java_script_enabled=self.scripts,
            reduced_motion="reduce",  # colours change at once
        )
        context.set_default_timeout(_PATIENCE_MS)
        errors: list[str] = []
        try:
            page = context.new_page()
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
            yield page
        finally:
            context.close()
        told = [error for error in errors if not _is_refusal(error, refusals)]
        assert not told, told

    def look(self, page: Page, heading: str | re.Pattern[str]) -> None:
        """The page under that heading is there, in their language, and can be used by everybody."""
        expect(page.get_by_role("heading", level=1, name=heading, exact=True)).to_be_visible()
        expect(page.locator("html")).to_have_attribute("lang", self.language)
        assert_accessible(page)

    def look_again(self, page: Page, wanted: Locator) -> None:
        """Without scripts: follow the link to the same page until it shows what is ``wanted``."""
        again = page.get_by_role("link", name=self.words("Look again"))
        deadline = time.monotonic() + _PATIENCE_MS / 1000
        expect(wanted.or_(again).first).to_be_visible()
        while not wanted.is_visible():
            assert time.monotonic() < deadline, f"{page.url} never shows {wanted}"
            with page.expect_navigation():
                again.click()


READERS: Final = (
    Reader(name="English desktop", size=DESKTOP),
    Reader(name="English phone", size=PHONE, dark=True),
    Reader(name="Arabic desktop", language="ar", size=DESKTOP, dark=True),
    Reader(name="Arabic phone", language="ar", size=PHONE),
)
"""Each language at each width: enough for a story, since both colours are among them for each, too."""

WITHOUT_SCRIPTS: Final = Reader(name="without scripts", size=DESKTOP, scripts=False)


def read_by(*readers: Reader) -> pytest.MarkDecorator:
    """Run a test once for each of them, as its ``reader``."""
    return pytest.mark.parametrize("reader", readers, ids=[reader.name for reader in readers])


def _is_refusal(error: str, statuses: Collection[int] | None) -> bool:
    if statuses is None:
        return error.startswith("Failed to load resource")
    found = _REFUSED.search(error)
    return found is not None and int(found[1]) in statuses
