"""A real browser (the system's Chromium, driven by Playwright) and a real service for it to visit."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import httpx
import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from tests.support.running import wait_for
from tests.support.services import free_port, missing
from tests.support.words import words_of

_SECONDS = 180
_PATIENCE_MS = 20_000  # jobs that a page waits for take seconds on a machine with other work
_NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""For Chromium on a machine without a screen, so that it asks for nothing on its own."""


@dataclass(frozen=True, kw_only=True)
class LiveService:
    """``repo run`` as a process of its own, the token and the link that it printed, and its log."""

    url: str
    token: str
    link: str
    log: Path

    def share(self, name: str, content: bytes, *, token: str = "", **metadata: object) -> str:
        """The path of a new resource with that file, of the administrator or whose token it is; a public
        one is there for everybody."""
        headers = {"Authorization": f"Bearer {token or self.token}"}
        made = httpx.post(
            f"{self.url}/api/v1/resources",
            headers=headers,
            data={"metadata": json.dumps(metadata)},
            files={"file": (name, content)},
        ).raise_for_status()
        path = f"/resources/{made.json()['id']}"
        if metadata.get("release"):  # the worker does that
            wait_for(lambda: httpx.get(f"{self.url}{path}").is_success, "its release")
        return path


@contextmanager
def running_service(folder: Path, **settings: str) -> Iterator[LiveService]:
    """Start a service that keeps its data in ``folder``, with ``settings`` by the names of their variables;
    on leaving, stop it as Ctrl-C does."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = {name: value for name, value in os.environ.items() if not name.startswith("REPO_")}
    env |= {"REPO_DATA_DIR": str(folder / "var"), "REPO_PORT": str(port), "REPO_BASE_URL": url}
    env |= {"REPO_WEB_WORKERS": "1", **settings}  # one browser is all that asks it
    out = folder / "out"
    with out.open("w") as output:
        process = subprocess.Popen(
            [Path(sys.executable).parent / "repo", "run"], env=env, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_ready(process, url, out)
        token = re.search(r"mrr_[\w-]+", out.read_text())
        link = re.search(r"http\S+\?link=\S+", out.read_text())
        assert token is not None, out.read_text()
        assert link is not None, out.read_text()
        yield LiveService(url=url, token=token[0], link=link[0], log=out)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(_SECONDS)


def sign_in_by_token(page: Page, token: str) -> None:
    """On the page that asks for a password, in whichever language: the operators' way."""
    words = words_of(page.locator("html").get_attribute("lang") or "")
    page.get_by_text(words("Sign in with an API token")).click()
    page.get_by_label(words("API token"), exact=True).fill(token)
    page.get_by_role("button", name=words("Sign in with the token")).click()


def open_signed_in(page: Page, token: str, path: str) -> None:
    """Open a page as whose token it is."""
    page.goto(f"/sign-in?{urlencode({'next': path})}")
    sign_in_by_token(page, token)
    page.wait_for_url(f"**{path}")


@contextmanager
def launched(playwright: Playwright) -> Iterator[Browser]:
    """The browser of this machine. Raises FileNotFoundError where there is none."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        raise FileNotFoundError("Chromium is missing: apt-get install chromium")
    browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
    try:
        yield browser
    finally:
        browser.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for the whole session; tests make their own contexts."""
    if not any(map(shutil.which, _NAMES)):
        missing("Chromium", "apt-get install chromium")
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright, launched(playwright) as browser:
        yield browser


@pytest.fixture(scope="module")
def live_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """One running service for the tests of a module."""
    with running_service(tmp_path_factory.mktemp("live")) as service:
        yield service


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, out: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(URLError, ConnectionError), urlopen(f"{url}/readyz", timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"repo run does not answer:\n{out.read_text()}")
