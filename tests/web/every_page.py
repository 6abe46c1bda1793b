"""Every page of the service, each with an address where there is something to see; and how it is visited."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Literal

from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, Response

from tests.support.browser import sign_in_by_token
from tests.web.lived_in import IMPATIENT, NEW_TAKES, LivedIn, brand_new, lived_in, mirror

Language = Literal["en", "ar"]
Colours = Literal["light", "dark"]
Where = Literal["used", "new", "mirror"]

DESKTOP: Final = (1280, 900)
PHONE: Final = (390, 844)


@dataclass(frozen=True, kw_only=True)
class Sight:
    """A page in one state. ``name`` is that of its pictures; ``address`` holds names of ``LivedIn`` in
    braces; ``endpoint`` is whose page it is in the end, none for what is nobody's; ``who`` is signed in.
    ``where``: in the service that has been used, in one that nobody has used yet, or in a mirror. ``before``:
    what is visited first, for what a browser remembers. ``sends``: bytes of a file that the form at the
    address sends without its script. ``asker``: the address that somebody else comes from."""

    name: str
    address: str
    endpoint: str | None
    who: str | None = None
    status: int = 200
    where: Where = "used"
    before: str | None = None
    sends: int = 0
    asker: str | None = None


def _resource(name: str, endpoint: str = "web.resource", *, of: str, below: str = "", **more: Any) -> Sight:
    return Sight(name=name, address=f"/resources/{{{of}}}{below}", endpoint=endpoint, **more)


NOWHERE: Final = "00000000-0000-7000-8000-000000000000"
_CHOOSING: Final = "/lms/moodle/search?site=https://moodle.lindenschule.example&course=7&section=2"

SIGHTS: Final = (
    # Find
    Sight(name="home", address="/", endpoint="web.home"),
    Sight(name="home-signed-in", address="/", endpoint="web.home", who="noor"),
    Sight(name="home-new", address="/", endpoint="web.home", who="noor", where="new"),
    Sight(name="search", address="/?q=life&language=en&type=course&sort=title", endpoint="web.home"),
    Sight(name="search-nothing", address="/?q=zeppelin&level=level1", endpoint="web.home"),
    Sight(name="home-choosing", address="/", endpoint="web.home", before=_CHOOSING),
    Sight(name="home-mirror", address="/", endpoint="web.home", where="mirror"),
    Sight(name="browse", address="/browse", endpoint="web.browse"),
    Sight(name="browse-new", address="/browse", endpoint="web.browse", where="new"),
    Sight(name="person", address="/people/maria", endpoint="web.person"),
    Sight(name="person-without", address="/people/ines", endpoint="web.person", status=404),
    Sight(name="network", address="/network", endpoint="web.network"),
    Sight(name="network-search", address="/network?q=rivers&kind=resource", endpoint="web.network"),
    Sight(name="network-moderated", address="/network", endpoint="web.network", who="samir"),
    Sight(name="network-none", address="/network", endpoint="web.network", who="noor", where="new"),
    # Look inside
    _resource("resource", of="water"),
    _resource("resource-moderated", of="water", who="noor"),
    _resource("resource-file", of="volcano"),
    _resource("resource-arabic", of="arabic"),
    _resource("resource-cleaned", of="cleaned"),
    _resource("resource-mine", of="water", who="maria"),
    _resource("resource-draft", of="personal", who="maria"),
    _resource("resource-draft-seen", of="personal", who="noor"),
    _resource("resource-to-confirm", of="confirm", who="maria"),
    _resource("resource-unreadable", of="broken", who="maria"),
    _resource("resource-waiting", of="waiting", who="maria"),
    _resource("resource-withdrawn", of="withdrawn", status=410),
    _resource("resource-withdrawn-mine", of="withdrawn", who="maria", status=410),
    _resource("resource-hidden-mine", of="hidden", who="maria", status=410),
    _resource("version", "web.version", of="water", below="/versions/{old}"),
    _resource("restoring", "web.restoring", of="water", below="/versions/{new}/restoring"),
    _resource("restoring-judged", "web.restoring", of="romans", below="/versions/1/restoring?moodle=4.1"),
    _resource(
        "restoring-mine",
        "web.restoring",
        of="water",
        below="/versions/{new}/restoring?moodle=4.5.6",
        who="maria",
    ),
    _resource("changes", "web.changes", of="water", below="/versions/{new}/changes"),
    _resource("licences", "web.licences", of="water", below="/versions/{new}/licences"),
    _resource("embedded", "web.embedded", of="water", below="/embed"),
    _resource("send-ask", "moodle.send", of="water", below="/versions/{new}/send"),
    _resource("send", "moodle.send", of="water", below="/versions/{new}/send", before=_CHOOSING),
    # Share
    Sight(name="upload", address="/upload", endpoint="web.upload", who="maria"),
    _resource("new-version", "web.new_version", of="water", below="/versions/new", who="maria"),
    _resource("finish", "web.finish", of="keys", below="/finish", who="maria"),
    _resource("finish-personal", "web.finish", of="personal", below="/finish", who="maria"),
    _resource("finish-confirm", "web.finish", of="confirm", below="/finish", who="maria"),
    _resource("finish-unreadable", "web.finish", of="broken", below="/finish", who="maria"),
    _resource("finish-waiting", "web.finish", of="waiting", below="/finish", who="maria"),
    _resource("edit", "web.edit", of="water", below="/edit", who="maria"),
    Sight(name="mine", address="/mine", endpoint="web.mine", who="maria"),
    Sight(name="mine-empty", address="/mine", endpoint="web.mine", who="ines"),
    Sight(name="connected-sites", address="/mine/sites", endpoint="web.connected_sites", who="maria"),
    Sight(name="connected-sites-none", address="/mine/sites", endpoint="web.connected_sites", who="ines"),
    # Collections
    Sight(name="collections", address="/collections", endpoint="web.collections"),
    Sight(name="collections-new", address="/collections", endpoint="web.collections", where="new"),
    Sight(name="collections-mine", address="/collections/mine", endpoint="web.my_collections", who="maria"),
    Sight(
        name="collections-mine-none", address="/collections/mine", endpoint="web.my_collections", who="ines"
    ),
    Sight(name="collection", address="/collections/{green}", endpoint="web.collection"),
    Sight(name="collection-mine", address="/collections/{green}", endpoint="web.collection", who="maria"),
    Sight(name="collection-moderated", address="/collections/{green}", endpoint="web.collection", who="noor"),
    Sight(name="collection-new", address="/collections/new", endpoint="web.new_collection", who="maria"),
    Sight(
        name="collection-edit",
        address="/collections/{green}/edit",
        endpoint="web.edit_collection",
        who="maria",
    ),
    Sight(
        name="collection-arrange", address="/collections/{green}/arrange", endpoint="web.arrange", who="maria"
    ),
    _resource("collect", "web.collect", of="analysis", below="/collect", who="maria"),
    # People
    Sight(name="sign-in", address="/sign-in", endpoint="web.sign_in"),
    Sight(
        name="sign-in-refused",
        address="/sign-in/elsewhere/back?state=x",
        endpoint="web.back_from_elsewhere",
        status=403,
    ),
    Sight(name="sign-up", address="/sign-up", endpoint="web.sign_up"),
    Sight(name="sign-up-invited", address="{invitation_link}", endpoint="web.sign_up"),
    Sight(name="sign-up-closed", address="/sign-up", endpoint="web.sign_up", status=403, where="new"),
    Sight(name="sign-up-elsewhere", address="/sign-in/elsewhere", endpoint="web.sign_up_elsewhere"),
    Sight(name="welcome", address="/welcome", endpoint="web.welcome", who="ines"),
    Sight(name="confirm", address="{confirm_link}", endpoint="web.confirm"),
    Sight(name="confirmed", address="/confirmed", endpoint="web.confirmed"),
    Sight(name="forgotten-password", address="/forgotten-password", endpoint="web.forgotten_password"),
    Sight(name="forgotten-password-sent", address="/forgotten-password/sent", endpoint="web.letter_asked"),
    Sight(name="new-password", address="{reset_link}", endpoint="web.new_password"),
    Sight(name="account", address="/account", endpoint="web.account", who="noor"),
    Sight(name="account-newcomer", address="/account", endpoint="web.account", who="ines"),
    Sight(name="account-data", address="/account/data", endpoint="web.data", who="maria"),
    Sight(name="account-data-of", address="/accounts/{spam}/data", endpoint="web.data_of", who="noor"),
    Sight(name="account-erased", address="/account/erased", endpoint="web.erased"),
    Sight(name="authorise", address="{other_asks}", endpoint="web.authorise", who="maria"),
    Sight(name="authorise-waits", address="{waits_asks}", endpoint="web.authorise", who="maria", status=403),
    Sight(
        name="authorise-refused", address="/oauth/authorize?client_id=x", endpoint="web.authorise", status=400
    ),
    Sight(name="webhooks", address="/mine/webhooks", endpoint="web.webhooks", who="maria"),
    Sight(name="webhooks-none", address="/mine/webhooks", endpoint="web.webhooks", who="ines"),
    Sight(name="webhook", address="/mine/webhooks/{webhook}", endpoint="web.webhook", who="maria"),
    # Look after
    _resource("report", "web.report_form", of="water", below="/report"),
    _resource("report-signed-in", "web.report_form", of="water", below="/report", who="noor"),
    _resource("reported", "web.reported", of="water", below="/reported"),
    Sight(name="look-after", address="/look-after", endpoint="web.look_after", who="noor"),
    Sight(name="look-after-moderator", address="/look-after", endpoint="web.look_after", who="samir"),
    Sight(name="look-after-new", address="/look-after", endpoint="web.look_after", who="noor", where="new"),
    Sight(name="reports", address="/look-after/reports", endpoint="web.reports", who="noor"),
    Sight(
        name="reports-none", address="/look-after/reports", endpoint="web.reports", who="noor", where="new"
    ),
    Sight(name="reports-of", address="/look-after/reports/{cells}", endpoint="web.reports_of", who="noor"),
    Sight(
        name="reports-of-decided",
        address="/look-after/reports/{hidden}",
        endpoint="web.reports_of",
        who="noor",
    ),
    Sight(name="people", address="/look-after/people", endpoint="web.people", who="noor"),
    Sight(name="people-none", address="/look-after/people?q=nobody", endpoint="web.people", who="noor"),
    Sight(name="member", address="/look-after/people/{maria}", endpoint="web.member", who="noor"),
    Sight(name="member-blocked", address="/look-after/people/{spam}", endpoint="web.member", who="noor"),
    Sight(name="invitations", address="/invitations", endpoint="web.invitations", who="noor"),
    Sight(name="sites", address="/admin/sites", endpoint="web.sites", who="noor"),
    Sight(name="sites-none", address="/admin/sites", endpoint="web.sites", who="noor", where="new"),
    Sight(name="servers", address="/look-after/servers", endpoint="web.servers", who="noor"),
    Sight(
        name="servers-none", address="/look-after/servers", endpoint="web.servers", who="noor", where="new"
    ),
    Sight(
        name="blocked-actors",
        address="/look-after/servers/actors",
        endpoint="web.blocked_actors",
        who="noor",
    ),
    Sight(name="hidden-entries", address="/look-after/network", endpoint="web.hidden_entries", who="samir"),
    Sight(name="jobs", address="/look-after/jobs", endpoint="web.jobs", who="noor"),
    Sight(
        name="jobs-failed", address="/look-after/jobs?state=failed&kind=mail", endpoint="web.jobs", who="noor"
    ),
    Sight(name="jobs-none", address="/look-after/jobs", endpoint="web.jobs", who="noor", where="new"),
    Sight(name="storage", address="/look-after/storage", endpoint="web.storage", who="noor"),
    Sight(name="audit", address="/look-after/audit", endpoint="web.audit", who="noor"),
    Sight(name="usage", address="/look-after/usage", endpoint="web.usage", who="noor"),
    Sight(name="usage-none", address="/look-after/usage", endpoint="web.usage", who="noor", where="new"),
    # Troubles
    Sight(name="errors-explained", address="/docs/errors", endpoint="web.explain_errors"),
    Sight(name="error-no-such-page", address="/no-such-page", endpoint=None, status=404),
    _resource("error-no-such-resource", of="nowhere", status=404),
    Sight(name="error-not-yours", address="/look-after", endpoint="web.look_after", who="maria", status=403),
    Sight(name="error-old-link", address="/new-password?link=old", endpoint="web.new_password", status=410),
    Sight(
        name="error-too-large",
        address="/upload",
        endpoint="web.upload",
        who="noor",
        status=413,
        where="new",
        sends=NEW_TAKES + 1,
    ),
    Sight(
        name="error-too-often",
        address="/confirm?link=guessed",
        endpoint="web.confirm",
        status=429,
        asker=IMPATIENT,
    ),
    _resource(
        "error-wrong-moodle",
        "web.restoring",
        of="water",
        below="/versions/{old}/restoring?moodle=two",
        status=422,
    ),
)
"""All that is looked at."""

OTHERWISE: Final[Mapping[str, str]] = {
    "assets.asset": "files of the pages",
    "static": "files of the pages",
    "docs.index": "Swagger UI, which is not ours",
    "docs.asset": "files of Swagger UI",
    "docs.static": "files of Swagger UI",
    "catalogue.download": "a download",
    "files.download": "a download",
    "files.thumbnail": "a picture",
    "web.thumbnail": "a picture",
    "web.download": "leads to a download",
    "web.feed": "Atom",
    "web.robots": "for robots",
    "web.sitemap": "for robots",
    "web.map_of": "for robots",
    "web.map_of_collections": "for robots",
    "web.oembed": "JSON or XML",
    "web.suggest": "JSON for a script of ours",
    "web.processing": "JSON for a script of ours",
    "web.cleaning": "JSON for a script of ours",
    "web.preparing": "JSON for a script of ours",
    "web.looking": "JSON for a script of ours",
    "web.sign_in_elsewhere": "leads to the provider",
    "moodle.begin": "leads to the search",
    "discovery.metadata": "JSON",
    "openapi.spec": "JSON",
    "vocabularies.get": "JSON",
    "vocabularies.index": "JSON",
    **{
        f"activitypub.{name}": "ActivityStreams"
        for name in (
            "activity",
            "actor",
            "announcement",
            "collected",
            "followers",
            "following",
            "outbox",
            "resource",
        )
    },
    "well_known.host_meta": "XML",
    "well_known.node_info": "JSON",
    "well_known.nodeinfo_directory": "JSON",
    "well_known.webfinger": "JSON",
    "operating.counted": "for monitoring",
    "operating.healthz": "for monitoring",
    "operating.readyz": "for monitoring",
    **{
        f"web.{name}": "leads back to the page with the form"
        for name in (
            "back_to_arranging",
            "back_to_collection",
            "back_to_connected_sites",
            "back_to_connections",
            "back_to_data",
            "back_to_data_of",
            "back_to_invitations",
            "back_to_jobs",
            "back_to_member",
            "back_to_resource",
            "back_to_sites",
            "back_to_version",
            "back_toaccount_page",
        )
    },
}
"""What answers to GET and is no page, and why; all below ``/api/v1`` is not either."""


@dataclass(kw_only=True)
class Tour:
    """Windows on the services, for whoever is signed in and whatever they read."""

    browser: Browser
    services: Mapping[Where, LivedIn]
    _windows: dict[tuple[Where, str | None, Language], BrowserContext] = field(default_factory=dict)

    def service(self, sight: Sight) -> LivedIn:
        """Where it is to be seen."""
        return self.services[sight.where]

    @contextmanager
    def window(self, sight: Sight, language: Language) -> Iterator[Page]:
        """An empty window for it. Nothing moves and no colour fades, so that what is seen is what will be."""
        if sight.before is not None or sight.asker is not None:  # not in a browser that others use
            with self._context(sight, language) as context:
                yield context.new_page()
            return
        key = (sight.where, sight.who, language)
        if key not in self._windows:
            self._windows[key] = self._open(sight, language)
        page = self._windows[key].new_page()
        yield page
        page.close()

    def go(self, page: Page, sight: Sight) -> Response:
        """Open it, and wait for the scripts."""
        service = self.service(sight)
        if sight.before is not None:
            page.goto(sight.before)
        if sight.sends:
            page.route(
                re.compile(r"/upload\.js\b"), lambda route: route.fulfill(content_type="text/javascript")
            )
        if sight.status == HTTPStatus.TOO_MANY_REQUESTS:
            while page.request.get(sight.address).status != HTTPStatus.TOO_MANY_REQUESTS:
                pass  # until it is once too often
        response = page.goto(sight.address.format(nowhere=NOWHERE, **service.names), wait_until="load")
        if sight.sends:
            response = _send(page, sight.sends)
        assert response is not None
        return response

    def close(self) -> None:
        """Close all windows."""
        for context in self._windows.values():
            context.close()

    @contextmanager
    def _context(self, sight: Sight, language: Language) -> Iterator[BrowserContext]:
        context = self._open(sight, language)
        yield context
        context.close()

    def _open(self, sight: Sight, language: Language) -> BrowserContext:
        service = self.service(sight)
        context = self.browser.new_context(
            base_url=service.url,
            locale={"en": "en-GB", "ar": "ar"}[language],
            timezone_id="Europe/Berlin",
            reduced_motion="reduce",
            extra_http_headers={} if sight.asker is None else {"X-Forwarded-For": sight.asker},
        )
        context.set_default_timeout(20_000)
        if sight.who is not None:
            page = context.new_page()
            page.goto("/sign-in?lang=en")
            sign_in_by_token(page, service.tokens[sight.who])
            page.goto(f"/?lang={language}")
            page.close()
        return context


@contextmanager
def touring(browser: Browser, folder: Path, corpus: Path | None = None) -> Iterator[Tour]:
    """The services, and windows on them."""
    with ExitStack() as stack:
        services: Mapping[Where, LivedIn] = {
            "used": stack.enter_context(lived_in(folder, corpus)),
            "new": stack.enter_context(brand_new(folder)),
            "mirror": stack.enter_context(mirror(folder)),
        }
        tour = Tour(browser=browser, services=services)
        stack.callback(tour.close)
        yield tour


def _send(page: Page, size: int) -> Response | None:
    file = FilePayload(name="large.mbz", mimeType="application/octet-stream", buffer=bytes(size))
    page.locator("#file").set_input_files(file)
    with page.expect_navigation(wait_until="load") as navigation:
        page.locator("form[data-upload]").evaluate("form => form.submit()")
    return navigation.value


def show(page: Page, size: tuple[int, int], colours: Colours) -> None:
    """Let the window have this size and these colours."""
    page.emulate_media(color_scheme=colours)
    page.set_viewport_size({"width": size[0], "height": size[1]})
