"""Reporting a resource, and looking after everything, in a real browser: in two languages, on a desk and on a
phone."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import LiveService, open_signed_in, running_service
from tests.support.mail import smtp_server
from tests.support.moodle import SCOPE, Moodle
from tests.support.running import wait_for
from tests.web.reader import READERS, WITHOUT_SCRIPTS, Reader, read_by

EVERYBODY = (*READERS, WITHOUT_SCRIPTS)
WORDS = "The picture in section 3 is mine."


@dataclass(frozen=True, kw_only=True)
class Shared:
    """A running service with public resources of somebody who is no administrator: the path of one for each
    reader, with the reader's name in its title. Some letters could not be sent, and two sites want in:
    ``waiting`` is never let in."""

    service: LiveService
    urls: Mapping[str, str]
    waiting: Moodle


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    folder = tmp_path_factory.mktemp("desk")
    strangers = [f"reader-{number}@example.org" for number in range(len(EVERYBODY))]
    with (
        smtp_server() as mailbox,
        running_service(
            folder,
            REPO_CLIENT_APPROVAL="administrator",
            REPO_SMTP_URL=mailbox.url,
            REPO_MAIL_FROM="repository@example.org",
        ) as service,
    ):
        _repo(folder, "account", "create", "ada", "--name", "Ada Lovelace", "--email", "ada@example.org")
        found = re.search(r"mrr_[\w-]+", _repo(folder, "token", "create", "ada"))
        assert found is not None
        about = {"licence": "CC-BY-4.0", "release": True}
        urls = {
            reader.name: service.share(
                "rivers.txt", reader.name.encode(), token=found[0], title=_title(reader), **about
            )
            for reader in EVERYBODY
        }
        _registered(service, "https://moodle.example.org")
        waiting = _registered(service, "https://waiting.example.org")
        mailbox.answers |= dict.fromkeys(strangers, "550 No such user here")
        with httpx.Client(
            base_url=f"{service.url}/api/v1", headers={"Authorization": f"Bearer {service.token}"}
        ) as admin:
            for stranger in strangers:
                admin.post("/invitations", json={"email": stranger}).raise_for_status()
            wait_for(
                lambda: len(admin.get("/jobs?state=failed").json()["items"]) == len(strangers), "failed jobs"
            )
        yield Shared(service=service, urls=urls, waiting=waiting)


def _registered(service: LiveService, wwwroot: str) -> Moodle:
    site = Moodle(wwwroot=wwwroot)
    sent = site.register([SCOPE])
    answer = httpx.post(service.url + sent.path, content=sent.body, headers=dict(sent.headers))
    assert answer.status_code == 201
    return site.registered(answer.json())


def _title(reader: Reader) -> str:
    return f"Rivers and lakes, {reader.name}"


def _repo(folder: Path, *words: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("REPO_")}
    program = Path(sys.executable).parent / "repo"
    done = subprocess.run(
        [program, *words],
        env={**env, "REPO_DATA_DIR": str(folder / "var")},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def _report(page: Page, url: str) -> None:
    made = page.request.post(f"/api/v1{url}/reports", data={"reason": "broken", "words": "It is empty."})
    assert made.status == 201, made.text()


@read_by(*EVERYBODY)
def test_reporting(chromium: Browser, shared: Shared, reader: Reader) -> None:
    words = reader.words
    with reader.window(chromium, shared.service.url, refusals=(422,)) as page:
        page.goto(shared.urls[reader.name])
        page.get_by_role("link", name=words("Report this resource")).click()
        reader.look(page, words("Report a resource"))
        page.get_by_label(words("It belongs to somebody who did not agree")).check()
        page.get_by_label(words("In your own words")).fill(WORDS)
        email = page.get_by_label(words("E-mail"))
        email.fill("a..b@example.org")  # which browsers take
        page.get_by_role("button", name=words("Send the report")).click()
        unsent = words("This was not sent yet: look at what is marked below.")
        expect(page.get_by_role("alert")).to_contain_text(unsent)
        expect(page.get_by_label(words("In your own words"))).to_have_value(WORDS)
        reader.look(page, words("Report a resource"))
        email.fill("reader@example.org")
        page.get_by_role("button", name=words("Send the report")).click()
        expect(page.get_by_role("status")).to_have_text(words("The moderators have your report."))
        reader.look(page, words("Thank you"))


@read_by(*EVERYBODY)
def test_reports_are_decided(chromium: Browser, shared: Shared, reader: Reader) -> None:
    """One is dismissed; then the resource is hidden because of another."""
    words, title, url = reader.words, _title(reader), shared.urls[reader.name]
    with reader.window(chromium, shared.service.url) as page:
        _report(page, url)
        open_signed_in(page, shared.service.token, "/")
        page.get_by_role("link", name=words("Look after")).click()
        reader.look(page, words("Look after"))
        desk = page.get_by_role("navigation", name=words("Look after"))
        desk.get_by_role("link", name=words("Reports")).click()
        reader.look(page, words("Reports"))
        page.get_by_role("link", name=title).click()
        reader.look(page, title)
        page.get_by_role("link", name=words("What was done with it")).click()
        expect(page.get_by_role("table")).to_contain_text("report")
        reader.look(page, words("Audit"))
        page.go_back()
        page.get_by_label(words("Why?")).fill("It is theirs.")
        page.get_by_role("button", name=words("Leave it as it is")).click()
        stays = words("It stays as it is. Its owner is told by letter.")
        expect(page.get_by_role("status")).to_have_text(stays)
        _report(page, url)
        page.goto("/look-after/reports")
        page.get_by_role("link", name=title).click()
        page.get_by_label(words("Why?")).fill("It is somebody else's.")
        page.get_by_role("button", name=words("Hide it from everybody")).click()
        hidden = words("Nobody sees it any more. Its owner is told by letter.")
        expect(page.get_by_role("status")).to_have_text(hidden)
        page.get_by_role("link", name=words("Decided"), exact=True).click()
        page.get_by_role("link", name=title).click()
        reader.look(page, title)
        expect(page.get_by_role("article").first).to_contain_text(words("hidden"))
    with reader.window(chromium, shared.service.url, refusals=(410,)) as page:
        page.goto(url)
        reader.look(page, words("Withdrawn"))


@read_by(*EVERYBODY)
def test_people_are_looked_after(chromium: Browser, shared: Shared, reader: Reader) -> None:
    """Somebody is blocked and let in again; what is kept about them is there to take along, or to erase."""
    words = reader.words
    with reader.window(chromium, shared.service.url, refusals=(422,)) as page:
        open_signed_in(page, shared.service.token, "/look-after/people")
        page.get_by_label(words("Name or address")).fill("lovelace")
        page.get_by_role("button", name=words("Look for")).click()
        page.wait_for_url("**q=lovelace**")
        reader.look(page, words("People"))
        page.get_by_role("link", name="Ada Lovelace").click()
        reader.look(page, "Ada Lovelace")
        page.get_by_label(words("Why?")).fill("Shared what was not theirs.")
        page.get_by_role("button", name=words("Block this account")).click()
        blocked = words("The account is blocked: nobody can use it from now on.")
        expect(page.get_by_role("status")).to_have_text(blocked)
        reader.look(page, "Ada Lovelace")
        page.get_by_role("button", name=words("Let in again")).click()
        expect(page.get_by_role("status")).to_have_text(words("The account works again."))
        page.get_by_label(words("How much they may keep")).fill("much")
        page.get_by_role("button", name=words("Change the quota")).click()
        sizes = words("Type a size such as 500 MB or 20 GB, or leave it empty.")
        expect(page.get_by_role("alert")).to_have_text(sizes)
        reader.look(page, "Ada Lovelace")
        page.get_by_role("link", name=words("The data of %(username)s", username="ada")).click()
        page.get_by_text(words("Erase this account")).click()
        reader.look(page, words("The data of %(username)s", username="ada"))
        with page.expect_download() as download:
            page.get_by_role("button", name=words("Download the zip")).click()
        assert download.value.suggested_filename.startswith("ada-")


@read_by(*EVERYBODY)
def test_an_account_is_erased(chromium: Browser, shared: Shared, reader: Reader) -> None:
    """Of somebody who cannot do it any more."""
    words = reader.words
    name = f"gone{secrets.token_hex(4)}"
    accounts = f"{shared.service.url}/api/v1/accounts"
    headers = {"Authorization": f"Bearer {shared.service.token}"}
    made = httpx.post(accounts, json={"username": name}, headers=headers)
    assert made.status_code == 201, made.text
    with reader.window(chromium, shared.service.url, refusals=(404,)) as page:
        open_signed_in(page, shared.service.token, f"/look-after/people/{made.json()['id']}")
        page.get_by_role("link", name=words("The data of %(username)s", username=name)).click()
        page.get_by_text(words("Erase this account")).click()
        page.get_by_label(words("It is withdrawn")).check()
        page.get_by_label(words("Type the user name, %(username)s", username=name)).fill(name)
        page.get_by_role("button", name=words("Erase it for good")).click()
        reader.look(page, words("The account is erased"))
        gone = page.goto(f"{shared.service.url}/people/{name}")
        assert gone is not None
        assert gone.status == 404


@read_by(*EVERYBODY)
def test_sites_jobs_storage_usage_and_the_audit_trail(
    chromium: Browser, shared: Shared, reader: Reader
) -> None:
    words = reader.words
    with reader.window(chromium, shared.service.url, refusals=(403,)) as page:
        open_signed_in(page, shared.service.token, "/look-after")
        desk = page.get_by_role("navigation", name=words("Look after"))

        def open_at(name: str) -> None:
            desk.get_by_role("link", name=words(name)).click()
            expect(page.get_by_role("heading", level=1)).to_have_text(words(name))

        page.goto(shared.waiting.authorize())
        reader.look(page, words("Not approved yet"))
        page.get_by_role("link", name=words("Sites that wait")).click()
        reader.look(page, words("Sites"))
        site = page.get_by_role("article").filter(has_text="moodle.example.org")
        deeds = site.get_by_role("button")
        wanted = "Approve" if deeds.get_by_text(words("Approve")).is_visible() else "Disable"
        deeds.get_by_text(words(wanted)).click()
        expect(deeds.get_by_text(words(wanted))).to_be_hidden()
        reader.look(page, words("Sites"))
        open_at("Jobs")
        job = page.get_by_role("article").filter(has=page.locator(".pill-withdrawn")).first
        job.get_by_role("button", name=words("Try again now")).click()
        expect(page.get_by_role("status")).to_have_text(words("It is tried again now."))
        reader.look(page, words("Jobs"))
        open_at("Storage")
        reader.look(page, words("Storage"))
        open_at("Usage")
        page.get_by_text(words("By week, as a table")).click()
        page.get_by_text(words("By day, as a table")).click()
        reader.look(page, words("Usage"))
        open_at("Audit")
        page.get_by_label(words("User name")).fill("ada")
        page.get_by_role("button", name=words("Look for")).click()
        page.wait_for_url("**by=ada**")
        expect(page.get_by_role("row").nth(1)).to_contain_text("ada")
        reader.look(page, words("Audit"))
