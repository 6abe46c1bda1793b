"""Collections, one's data and signing in elsewhere in a real browser: in two languages, on a desk and on a
phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from joserfc.jwk import RSAKey
from playwright.sync_api import Browser, expect

from tests.support.browser import LiveService, open_signed_in, running_service
from tests.support.provider import CLIENT_ID, CLIENT_SECRET, Provider, running_provider
from tests.web.reader import READERS, WITHOUT_SCRIPTS, Reader, read_by

_SCHOOL = "School account"


@dataclass(frozen=True, kw_only=True)
class School:
    """A service with two public resources, by their paths, and a provider that people can sign in with."""

    service: LiveService
    provider: Provider
    rivers: str
    lakes: str


@pytest.fixture(scope="module")
def school(
    tmp_path_factory: pytest.TempPathFactory, provider_keys: tuple[RSAKey, RSAKey]
) -> Iterator[School]:
    with running_provider(provider_keys[0]) as provider:
        settings = {
            "REPO_REGISTRATION": "open",
            "REPO_OIDC_ISSUER": provider.issuer,
            "REPO_OIDC_CLIENT_ID": CLIENT_ID,
            "REPO_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "REPO_OIDC_NAME": _SCHOOL,
        }
        with running_service(tmp_path_factory.mktemp("school"), **settings) as service:
            provider.back = f"{service.url}/sign-in/elsewhere/back"
            rivers, lakes = (
                service.share("notes.txt", title.encode(), title=title, licence="CC-BY-4.0", release=True)
                for title in ("Rivers", "Lakes")
            )
            yield School(service=service, provider=provider, rivers=rivers, lakes=lakes)


@read_by(*READERS, WITHOUT_SCRIPTS)
def test_a_collection_from_beginning_to_end(chromium: Browser, school: School, reader: Reader) -> None:
    words, title = reader.words, f"Water, {reader.name}"
    with reader.window(chromium, school.service.url) as page:
        open_signed_in(page, school.service.token, school.rivers)
        page.get_by_role("link", name=words("Add to a collection")).click()
        reader.look(page, words("Add to a collection"))
        page.get_by_label(words("A new one"), exact=True).check()
        page.get_by_label(words("Title of the new collection")).fill(title)
        page.get_by_label(words("Note"), exact=True).fill("Begin here.")
        page.get_by_role("button", name=words("Add it")).click()
        reader.look(page, title)
        page.goto(f"{school.lakes}/collect")
        page.get_by_label(title).check()
        page.get_by_role("button", name=words("Add it")).click()
        expect(page.get_by_role("link", name="Lakes")).to_be_visible()
        reader.look(page, title)
        page.get_by_role("link", name=words("Arrange"), exact=True).click()
        reader.look(page, words("Arrange the collection"))
        first = page.locator(".arranging-title a").first
        expect(first).to_have_text("Rivers")
        page.get_by_role("button", name=words.like("Up: %(title)s", title="Lakes")).click()
        expect(first).to_have_text("Lakes")
        if reader.scripts:
            handles = page.locator(".arranging-handle")
            handles.first.drag_to(page.locator(".arranging > li").last)
            expect(first).to_have_text("Rivers")
            handles.last.drag_to(page.locator(".arranging > li").first)
            expect(first).to_have_text("Lakes")
        page.get_by_role("link", name=words("Done"), exact=True).click()
        page.get_by_role("link", name=words("Edit the description")).click()
        reader.look(page, words("Edit the collection"))
        page.get_by_label(words("Everybody"), exact=True).check()
        page.get_by_role("button", name=words("Save"), exact=True).click()
        expect(page.locator(".collected h3").first).to_have_text("Lakes")
        for path, heading in (
            ("/collections", words("Collections")),
            ("/collections/mine", words("My collections")),
            ("/people/admin", re.compile("admin", re.IGNORECASE)),
            ("/browse", words("Browse")),
        ):
            page.goto(path)
            expect(page.get_by_role("link", name=title)).to_be_visible()
            reader.look(page, heading)
        page.get_by_role("link", name=title).click()
        page.get_by_role("link", name=words("Edit the description")).click()
        page.get_by_text(words("Delete it"), exact=True).click()
        page.get_by_role("button", name=words("Yes, delete the collection")).click()
        reader.look(page, words("My collections"))
        expect(page.get_by_role("link", name=title)).to_have_count(0)


@read_by(*READERS, WITHOUT_SCRIPTS)
def test_in_with_a_provider_and_out_for_good(chromium: Browser, school: School, reader: Reader) -> None:
    words = reader.words
    name = re.sub(r"\W", "", reader.name).lower()
    school.provider.user |= {"sub": name, "email": f"{name}@example.org"}
    into = words("Sign in with %(provider)s", provider=_SCHOOL)
    with reader.window(chromium, school.service.url) as page:
        page.goto("/sign-in")
        reader.look(page, words("Sign in"))
        page.get_by_role("link", name=into).click()
        page.wait_for_url("**/sign-up/elsewhere")
        reader.look(page, words("Make an account"))
        page.get_by_label(words("User name"), exact=True).fill(name)
        page.get_by_role("button", name=words("Make the account")).click()
        page.get_by_role("link", name=words("Go on"), exact=True).click()
        page.get_by_role("link", name=words("My account")).click()
        reader.look(page, words("My account"))
        connected = words("Signing in with %(provider)s", provider=_SCHOOL)
        expect(page.get_by_role("region", name=connected)).to_contain_text(f"{name}@example.org")
        page.get_by_role("button", name=words("Sign out")).click()
        page.goto("/sign-in?next=/account")
        page.get_by_role("link", name=into).click()  # known there, and here by now
        page.wait_for_url("**/account")
        leave = words("Download everything that is kept about you, or leave for good.").rstrip(".")
        page.get_by_role("link", name=leave).click()
        with page.expect_download() as download:
            page.get_by_role("button", name=words("Download the zip")).click()
        assert download.value.suggested_filename.startswith(f"{name}-")
        page.get_by_text(words("Erase my account")).click()
        reader.look(page, words("My data"))
        page.get_by_label(words("It is withdrawn")).check()
        page.get_by_label(words("Type the user name, %(username)s", username=name)).fill(name)
        page.get_by_role("button", name=words("Erase it for good")).click()
        reader.look(page, words("The account is erased"))
        expect(page.get_by_role("link", name=words("Sign in"), exact=True)).to_be_visible()


@read_by(*READERS)
def test_a_provider_that_refuses(chromium: Browser, school: School, reader: Reader) -> None:
    words = reader.words
    with reader.window(chromium, school.service.url, refusals=range(400, 500)) as page:
        page.goto("/sign-in")
        school.provider.refuses = "access_denied"
        try:
            page.get_by_role("link", name=words("Sign in with %(provider)s", provider=_SCHOOL)).click()
            reader.look(page, words("Sign in with %(provider)s", provider=_SCHOOL))
        finally:
            school.provider.refuses = ""
