"""What all walks of the plugins need: both in the site, set up by an administrator; every page is watched."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from moodle_plugin_bridge.plugins import Plugin, plugins
from tests.e2e.conftest import AT_ONCE, PICTURES, SIZE, Stage, with_core
from tests.e2e.plugins.pages import PluginPages
from tests.e2e.repository import Repository, sign_in_and_allow
from tests.e2e.site import Login, MoodleSite

_DEVELOPER = "32767"
"""Moodle's highest level of debugging (``DEBUG_DEVELOPER``)."""

_NO_REPLY = "noreply@example.org"
"""A Moodle whose address is a number has none by itself, and PHP complains of that with every message."""

_NOTICE = re.compile(
    r"^\+\+ .*"  # debugging() on the command line
    r"|^.*\b(?:Notice|Warning|Deprecated|Fatal error)\b: .* in \S+\.php.* on line \d+"
    r"|^.*Adhoc task failed.*",
    re.MULTILINE,
)
_IOMAD = re.compile(r" in \S*/(?:local|blocks|auth)/iomad\S*\.php")
"""That distribution of Moodle complains of itself."""
_NAVIGATION = re.compile(r"Script \S+ mutated the session after it was closed: .*\bnavcache\n(?:line .*\n?)*")
"""Moodle 4.2 says it of any page of settings: it remembers the navigation late (lib/navigationlib.php)."""

_REPORT = """
addEventListener("DOMContentLoaded", () => {
  const told = document.querySelectorAll(".debuggingmessage, [data-rel=debugging], [data-rel=fatalerror]");
  const text = [...told].map((element) => element.innerText);
  text.push(...(document.documentElement.innerText.match(
    /(Notice|Warning|Deprecated|Fatal error): .* in \\S+\\.php.* on line \\d+/g) || []));
  if (text.length) reportNotice(location.href + ": " + text.join("\\n"));
});
"""
"""What Moodle and PHP show on a page at that level."""


@pytest.fixture(scope="session")
def look() -> Callable[[Page, str], None]:
    """Takes a picture of a whole page, into ``build/e2e``."""
    PICTURES.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> None:
        page.wait_for_load_state("networkidle")
        page.bring_to_front()
        # Not as "full page": what stays in its place while a page is moved would stand in the midst of it.
        height = max(SIZE["height"], page.evaluate("document.documentElement.scrollHeight"))
        page.set_viewport_size({**SIZE, "height": height})
        page.wait_for_timeout(300)  # Moodle moves its drawers
        page.screenshot(path=PICTURES / f"plugin-{name}.png")
        page.set_viewport_size(SIZE)

    return take


@pytest.fixture
def watch() -> Iterator[Callable[[BrowserContext], None]]:
    """No page may show a notice: told when the test is over."""
    notices: list[str] = []

    def hear(notice: str) -> None:
        address, _, told = notice.partition(": ")
        lines = [line for line in _NAVIGATION.sub("", told).splitlines() if not _IOMAD.search(line)]
        if lines:
            lines.insert(0, address)
            notices.append("\n".join(lines))

    def begin(context: BrowserContext) -> None:
        context.expose_function("reportNotice", hear)
        context.add_init_script(_REPORT)

    yield begin
    assert notices == []


@dataclass(frozen=True)
class PluginStage(Stage):
    """A Moodle with the plugins, set up for the service."""

    def at_moodle(self, who: Login) -> PluginPages:
        """A person who logged in there."""
        pages = PluginPages(self.moodle, self.open_window())
        pages.log_in(who)
        return pages

    def connected(self, who: Login, tess: Login) -> PluginPages:
        """A person who logged in there and connected their account, too."""
        pages = self.at_moodle(who)
        pages.connect(lambda page: sign_in_and_allow(page, tess))
        return pages

    def run_tasks(self, *, seconds: float = 280) -> float:
        """What waits in the background, as cron does it. The most memory that PHP held, in mebibytes."""
        ran = self.moodle.run("tasks.php", seconds=seconds)
        assert _NOTICE.findall(ran["said"]) == [], ran["said"]
        return float(ran["mebibytes"])


@pytest.fixture(scope="session")
def with_plugins(moodle: MoodleSite) -> MoodleSite:
    """The site, if both plugins are in it as they are in this tree."""
    found = moodle.run("settings.php", "read")["plugins"]
    for plugin in plugins():
        reason = _difference(plugin, found[plugin.component])
        if reason is not None:
            pytest.skip(
                f"{plugin.component} {reason}: `make plugins`, then install the archives of build/plugins at "
                "Site administration > Plugins > Install plugins, local_resourcerepo first"
            )
    return moodle


def _difference(plugin: Plugin, installed: tuple[str, str] | None) -> str | None:
    if installed is None:
        return "is not in the site"
    folder, version = installed
    for path in plugin.files():
        copy = Path(folder, path.relative_to(plugin.folder))
        if not copy.is_file() or copy.read_bytes() != path.read_bytes():
            return "is another one in the site than in this tree"
    if f"$plugin->version = {version};" not in (plugin.folder / "version.php").read_text():
        return "is in the site, and its database is not brought up to date"
    return None


@pytest.fixture(scope="module")
def service(repository: Repository) -> Repository:
    """The service that the plugins are set up for; modules that need other settings have their own."""
    return repository


@pytest.fixture(scope="module")
def before(with_plugins: MoodleSite) -> Iterator[None]:
    """Debugging at its highest level meanwhile; all settings are put back at the end."""
    settings = with_plugins.run("settings.php", "read")
    core = {"debug": _DEVELOPER, "debugdisplay": "1", "noreplyaddress": _NO_REPLY, **AT_ONCE}
    with_plugins.run("settings.php", "write", with_core(settings, **core))
    yield
    with_plugins.run("settings.php", "write", json.dumps(settings))


@pytest.fixture(scope="module")
def set_up(
    before: None, with_plugins: MoodleSite, administrator: Login, service: Repository, chromium: Browser
) -> Repository:
    """The service, set up on the site through the plugin's own pages."""
    context = chromium.new_context(viewport=SIZE, locale="en-GB", ignore_https_errors=True)
    context.set_default_timeout(30_000)
    pages = PluginPages(with_plugins, context.new_page())
    pages.log_in(administrator)
    pages.allow_loopback(service.port)
    pages.set_address(service.url)
    pages.register()
    context.close()
    return service


@pytest.fixture
def stage(
    with_plugins: MoodleSite,
    set_up: Repository,
    window: Callable[[], Page],
    look: Callable[[Page, str], None],
) -> PluginStage:
    """Where all of it is walked."""
    return PluginStage(with_plugins, set_up, window, look)
