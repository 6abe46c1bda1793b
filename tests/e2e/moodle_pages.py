"""A person at Moodle's own pages, in a real browser: what they click, by the words that they read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.e2e.site import Login, MoodleSite

if TYPE_CHECKING:
    from collections.abc import Callable

POPUP: ViewportSize = {"width": 550, "height": 550}
"""The size of the window in which Moodle asks to connect (lib/amd/src/moodlenet/authorize.js)."""

_BLOCKED = "192.168.0.0/16\n10.0.0.0/8\n172.16.0.0/12\n0.0.0.0\n169.254.169.254\n0000::1"
"""What Moodle sets by itself (admin/settings/security.php), without loopback, by number and by
the name that it looks up for the number."""

_WORKING = 120_000
"""Milliseconds for Moodle to pack, send and be answered, or to restore."""

_READY = "document.readyState === 'complete' && !(window.M?.util?.pending_js?.length > 0)"
"""What Moodle's own tests wait for (``PAGE_READY_JS`` of lib/behat/classes/behat_session_interface.php)."""


@dataclass
class MoodlePages:
    """One person's window."""

    moodle: MoodleSite
    page: Page

    def open(self, path: str) -> None:
        """Any page."""
        self.page.goto(f"{self.moodle.url}{path}")
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Until Moodle's scripts have taken hold of the page. They start when it is loaded, and what is
        pressed before they are there looks pressed, and nothing comes of it."""
        self.page.wait_for_function(_READY)

    def log_in(self, who: Login) -> None:
        """At the page for it, wherever that leads afterwards."""
        if "/login/" not in self.page.url:
            self.open("/login/index.php")
        self.wait_until_ready()  # a script of the page puts another field for the password
        self.page.locator("#username").fill(who.username)
        self.page.locator("#password").fill(who.password)
        self.page.locator("#loginbtn").click()
        expect(self.page).not_to_have_url(re.compile("/login/index"), timeout=30_000)

    def log_out(self) -> None:
        """At the page that asks whether to. It leads to the home page, in IOMAD to the one for logging in."""
        self.open("/login/logout.php")
        self.page.get_by_role("main").get_by_role("button", name=re.compile("^(Log out|Continue)$")).click()
        log_in = self.page.get_by_role("link", name="Log in").or_(self.page.locator("#loginbtn"))
        expect(log_in.first).to_be_visible()

    # Of administrators

    def open_administration(self, tab: str, link: str) -> None:
        """Site administration → a tab → a page."""
        self.open("/admin/search.php")
        self.page.get_by_role("tab", name=tab, exact=True).click()
        self.page.get_by_role("main").get_by_role("link", name=link, exact=True).click()

    def save_settings(self) -> None:
        """By the button below."""
        self.page.get_by_role("button", name="Save changes").click()
        expect(self.page.get_by_text("Changes saved")).to_be_visible()

    def allow_loopback(self, port: int) -> None:
        """Let Moodle ask services on this machine, on that port."""
        self.open_administration("General", "HTTP security")
        self.page.locator("#id_s__curlsecurityblockedhosts").fill(_BLOCKED)
        self.page.locator("#id_s__curlsecurityallowedport").fill(f"443\n80\n{port}")
        self.save_settings()

    # Of teachers

    def browse(self, courseid: int, network: str) -> Page:
        """From the activity chooser of a course's first section to the repository."""
        self.open_course(courseid)
        self.page.get_by_label("Edit mode").check()
        expect(self.page.locator("body.editing")).to_be_visible()  # the page, loaded anew
        self.wait_until_ready()
        section = self.page.locator("#section-1")
        section.get_by_role("button", name=re.compile("^(Insert content|Add an activity)")).first.click()
        chooser = self.page.get_by_role("dialog")
        within = section.locator("[data-action=open-chooser]", has_text="Activity or resource")
        expect(chooser.or_(within).first).to_be_visible()
        if within.is_visible():  # since 4.5 there is a choice before it
            within.click()
        expect(chooser.get_by_role("link", name="Quiz", exact=True).first).to_be_visible()
        self.wait_until_ready()  # the link is there before what it does
        chooser.get_by_role("link", name="Browse for content on MoodleNet").last.click()
        chooser.get_by_role("link", name=network).last.click()
        self.page.wait_for_url(lambda url: not url.startswith(self.moodle.url))
        return self.page

    def confirm_import(self, who: Login) -> None:
        """They want what was sent here. Over plain http browsers may keep Moodle's cookie back."""
        if "/login/" in self.page.url:
            self.log_in(who)
        self.page.get_by_role("button", name="Confirm").click()

    def choose_course(self, name: str) -> None:
        """Where to what was sent goes, by searching for it."""
        search = self.page.get_by_role("textbox").last
        expect(search).to_be_visible()
        self.wait_until_ready()
        search.fill(name)
        self.page.get_by_role("main").get_by_role("link", name=name).first.click()

    def restore(self) -> None:
        """Through Moodle's own restore with what it proposes: adding all to the course that was come from."""
        main = self.page.get_by_role("main")
        stage = main.locator(".backup_stage_current")
        expect(stage).to_contain_text("Confirm")
        main.get_by_role("button", name="Continue").click()
        expect(stage).to_contain_text("Destination")
        expect(
            main.get_by_role("heading", name=re.compile("^Restore into (this|an existing) course$")).first
        ).to_be_visible()
        # With an activity Moodle asks into which course, and proposes none.
        target = main.get_by_role("row", name="My new course").get_by_role("radio")
        if target.count():
            target.first.check()
        main.get_by_role("button", name="Continue").first.click()
        for name in ("Settings", "Schema"):
            expect(stage).to_contain_text(name)
            main.get_by_role("button", name="Next").click()
        expect(stage).to_contain_text("Review")
        main.get_by_role("button", name="Perform restore").click()
        expect(main.get_by_text("The course was successfully restored")).to_be_visible(timeout=_WORKING)
        main.get_by_role("button", name="Continue").click()

    def open_activity(self, cmid: int, module: str) -> None:
        """Its page."""
        self.open(f"/mod/{module}/view.php?id={cmid}")

    def open_course(self, courseid: int) -> None:
        """Its page."""
        self.open(f"/course/view.php?id={courseid}")

    def choose_in_more(self, name: str) -> None:
        """An entry of the menu *More*."""
        self.page.locator(".secondary-navigation").get_by_role("menuitem", name="More").click()
        self.page.get_by_role("menuitem", name=name).click()

    def begin_sharing(self) -> Locator:
        """Up to the question whether to share."""
        self.choose_in_more("Share to MoodleNet")
        dialog = self.page.get_by_role("dialog")
        expect(dialog.get_by_role("button", name="Share", exact=True)).to_be_visible()
        return dialog

    def share(self, consent: Callable[[Page], None] | None = None) -> Locator:
        """What Moodle says at the end. ``consent`` is what is done in the window that opens, None where none
        may open."""
        dialog = self.begin_sharing()
        button = dialog.get_by_role("button", name="Share", exact=True)
        if consent is None:
            button.click()
        else:
            with self.page.expect_popup() as opened:
                button.click()
            opened.value.set_viewport_size(POPUP)
            consent(opened.value)
            self.page.bring_to_front()  # Moodle draws what comes next only where it can be seen
        return dialog

    def saved_at(self, dialog: Locator, *, seconds: float = 120) -> str:
        """The address behind the button of a share that arrived. Not what stands above it: where the answer
        comes before Moodle 4.2 has faded in *Packaging your file*, that fades in over the good news."""
        button = dialog.get_by_role("link", name="Go to MoodleNet drafts")
        expect(button).to_be_visible(timeout=seconds * 1000)
        address = button.get_attribute("href")
        assert address is not None
        return address

    def refusal(self) -> str:
        """What stands in the box of an error, of which Moodle 4.2 tells no role."""
        box = self.page.locator(".moodle-dialogue-exception .moodle-exception-message")
        expect(box).to_be_visible(timeout=_WORKING)
        return box.inner_text()
