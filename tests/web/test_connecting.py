"""Connecting a site in a real browser: in a small window that another opened, which waits for it to come
back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from tests.support.browser import LiveService, sign_in_by_token
from tests.support.moodle import Moodle
from tests.web.reader import READERS, WITHOUT_SCRIPTS, Reader, read_by

POPUP: ViewportSize = {"width": 550, "height": 550}
"""The size of Moodle's window (lib/amd/src/moodlenet/authorize.js)."""


class _School(BaseHTTPRequestHandler):
    """A site that opens a window and hears from it, as Moodle does
    (lib/amd/src/moodlenet/oauth2callback.js)."""

    def do_GET(self) -> None:
        callback = self.path.startswith("/admin/oauth2callback.php")
        heard = "if (window.opener) { window.opener.heard = location.search; window.close(); }"
        script = heard if callback else ""
        body = f"<!doctype html><title>School</title><p>School</p><script>{script}</script>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def school() -> Iterator[str]:
    """Its address: another host than the service's, and so another site."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _School)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def moodle(live_service: LiveService, school: str) -> Moodle:
    """The site, registered."""
    site = Moodle(wwwroot=school)
    sent = site.register(["@moodlenet/ed-resource:write.own", "resources:read", "resources:write"])
    answer = httpx.post(live_service.url + sent.path, content=sent.body, headers=dict(sent.headers))
    assert answer.status_code == 201
    return site.registered(answer.json())


@contextmanager
def _visit(browser: Browser, **options: object) -> Iterator[BrowserContext]:
    context = browser.new_context(locale="en-GB", **options)  # type: ignore[arg-type]  # options of theirs
    context.set_default_timeout(20_000)
    yield context
    context.close()


def _open(page: Page, url: str) -> Page:
    with page.expect_popup() as popup:
        page.evaluate("url => { window.open(url, 'auth', 'width=550,height=550'); }", url)
    popup.value.set_viewport_size(POPUP)
    return popup.value


@pytest.mark.parametrize("scripts_of_ours", [True, False])
def test_the_window_comes_back_to_the_one_that_opened_it(
    chromium: Browser, live_service: LiveService, moodle: Moodle, *, scripts_of_ours: bool
) -> None:
    """Through signing in, another account, no and yes: the page's policies let it, and cut no tie on the
    way."""
    with _visit(chromium) as context:
        if not scripts_of_ours:
            context.route(f"{live_service.url}/assets/*.js*", lambda route: route.abort())
        page = context.new_page()
        page.goto(moodle.wwwroot)
        popup = _open(page, live_service.url + moodle.authorize())
        sign_in_by_token(popup, live_service.token)
        expect(popup.locator(".consent-host")).to_have_text(moodle.wwwroot.removeprefix("http://"))
        popup.get_by_role("button", name="Do not allow").click()
        page.wait_for_function("window.heard !== undefined")
        assert parse_qs(page.evaluate("window.heard")[1:])["error"] == ["access_denied"]

        page.evaluate("delete window.heard")
        popup = _open(page, live_service.url + moodle.authorize())
        popup.get_by_role("button", name="Use another account").click()
        sign_in_by_token(popup, live_service.token)
        popup.get_by_role("button", name="Allow", exact=True).click()
        page.wait_for_function("window.heard !== undefined")
        heard = parse_qs(page.evaluate("window.heard")[1:])
        assert heard["state"] == [moodle.state()]
        sent = moodle.trade_code(heard["code"][0])
        answer = httpx.post(live_service.url + sent.path, content=sent.body, headers=dict(sent.headers))
        assert answer.status_code == 200
        assert page.evaluate("window.closed") is False


_POPUP_READER = Reader(name="Arabic popup", language="ar", size=POPUP, dark=True)
_NARROW_READER = Reader(name="English, very narrow", size={"width": 320, "height": 640})


@read_by(*READERS, _POPUP_READER, _NARROW_READER, WITHOUT_SCRIPTS)
def test_a_site_is_connected_and_disconnected(
    chromium: Browser, live_service: LiveService, moodle: Moodle, reader: Reader
) -> None:
    every = "@moodlenet/ed-resource:write.own resources:read resources:write"
    words, host = reader.words, moodle.wwwroot.removeprefix("http://")
    with reader.window(chromium, live_service.url, refusals=range(400, 500)) as page:
        page.goto(moodle.authorize(scope=every))
        sign_in_by_token(page, live_service.token)
        reader.look(page, words("Connect this site?"))
        page.get_by_role("button", name=words("Allow"), exact=True).click()
        page.wait_for_url(f"{moodle.wwwroot}/**")
        page.goto(moodle.authorize(scope="openid"))
        expect(page.get_by_role("link", name=words("Back to the site"))).to_be_visible()
        reader.look(page, words("The site cannot be connected"))
        page.goto("/mine")
        page.get_by_role("link", name=words("Connected sites")).click()
        reader.look(page, words("Connected sites"))
        page.get_by_role("article").filter(has_text=host).get_by_role("button").click()
        expect(page.get_by_role("article")).to_have_count(0)
        reader.look(page, words("Connected sites"))


def test_the_question_fits_into_the_window(
    chromium: Browser, live_service: LiveService, moodle: Moodle
) -> None:
    """What Moodle asks for can be answered without scrolling."""
    with _visit(chromium, viewport=POPUP, base_url=live_service.url) as context:
        page = context.new_page()
        page.goto(moodle.authorize())
        sign_in_by_token(page, live_service.token)
        for name in ("Allow", "Do not allow"):
            expect(page.get_by_role("button", name=name, exact=True)).to_be_in_viewport(ratio=1)


def test_it_cannot_be_framed(chromium: Browser, live_service: LiveService, moodle: Moodle) -> None:
    with _visit(chromium) as context:
        page = context.new_page()
        page.goto(f"{live_service.url}/sign-in")
        sign_in_by_token(page, live_service.token)
        page.goto(moodle.wwwroot)
        with page.expect_console_message(lambda said: "frame" in said.text.lower()):
            page.evaluate(
                "url => document.body.append(Object.assign(document.createElement('iframe'), { src: url }))",
                live_service.url + moodle.authorize(),
            )
