"""The service under test: ``repo run`` behind the shipped nginx with TLS, and people with accounts there."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
from playwright.sync_api import Page, expect

from tests.e2e.site import Login
from tests.support.cable import Cable, cable_to
from tests.support.front import Front, fronted
from tests.support.running import Running, running, wait_for
from tests.support.services import free_port

PASSWORD = "blue heron over marsh"


@dataclass
class Repository:
    """One service. ``url`` is the address that people and Moodles know; ``start`` starts it again; ``cable``
    leads from the front server to it."""

    running: Running
    front: Front
    cable: Cable
    start: Callable[[Running], Running]

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return self.front.url

    @property
    def port(self) -> int:
        """Of the front server."""
        return self.front.port

    def make_account(self, page: Page, username: str, *options: str) -> Login:
        """A new account, whose owner chooses a password in ``page``, and is signed in there."""
        printed = self.repo("account", "create", username, *options)
        link = re.search(r"https://\S+\?link=\S+", printed)
        assert link is not None, printed
        page.goto(link[0])
        page.get_by_label("New password").fill(PASSWORD)
        page.get_by_role("button", name="Save and sign in").click()
        expect(page.get_by_role("status")).to_contain_text("Your password is saved")
        return Login(username, PASSWORD)

    def share(self, content: bytes, *, file_name: str, **metadata: Any) -> str:
        """The id of a resource of the administrator's that everybody sees by now."""
        client = self.running.client
        answer = client.post(
            "/api/v1/resources",
            files={"file": (file_name, content)},
            data={"metadata": json.dumps({**metadata, "release": True})},
        )
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        address = f"/api/v1/resources/{made['id']}"
        wait_for(lambda: client.get(address).json()["visibility"] == "public", "its release", 60)
        return str(made["id"])

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """The service is away meanwhile; the server before it is there."""
        self.running.process.send_signal(signal.SIGINT)
        self.running.process.wait(60)
        yield
        self.running = self.start(self.running)

    def repo(self, *arguments: str) -> str:
        """What the operators' command prints."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("REPO_")}
        environment |= {"REPO_DATA_DIR": str(self.running.data), "REPO_BASE_URL": self.url}
        done = subprocess.run(
            [sys.executable, "-m", "repo_service", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def repository_at(folder: Path, authority: trustme.CA, **settings: str) -> Iterator[Repository]:
    """A new one with its data in ``folder``; ``settings`` are environment variables without their REPO_."""
    port = free_port()
    given = {"base_url": f"https://127.0.0.1:{port}", "trusted_proxies": "1", **settings}
    with ExitStack() as stack:
        service = stack.enter_context(running(folder, before=None, **given))
        cable = stack.enter_context(cable_to(service.port))
        front = stack.enter_context(
            fronted("nginx", folder / "front", port=port, upstream=cable.port, authority=authority)
        )

        def start(before: Running) -> Running:
            return stack.enter_context(running(folder, before=before, **given))

        yield Repository(service, front, cable, start)


def sign_in(page: Page, who: Login) -> None:
    """On the page that asks for it."""
    page.get_by_label("User name or e-mail").fill(who.username)
    page.get_by_label("Password", exact=True).fill(who.password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def sign_in_and_allow(page: Page, who: Login) -> None:
    """What somebody does there whose Moodle asks to act for them."""
    sign_in(page, who)
    page.get_by_role("button", name="Allow", exact=True).click()
