"""For which Moodle somebody chooses: remembered from the link in Moodle's activity chooser until they stop.

It is the browser that remembers, in cookies of its own: signing in and out empties the session, and this is
about no person. What they hold is the visitor's own word, and is checked as strictly each time it is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self
from urllib.parse import parse_qsl, urlencode

from apiflask import APIFlask
from flask import current_app, redirect, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.sansio.response import Response as AnyResponse

from moodle_plugin_bridge.blueprint import pages
from moodle_plugin_bridge.moodle_site import MoodleSite
from repo_service.domain.errors import InvalidInput
from repo_service.http.pages import Mark, is_page, mark
from repo_service.http.problems import CATALOGUE
from repo_service.web import slots
from repo_service.web.rendering import page
from repo_service.web.signing import local_path
from repo_service.web.slots import Slot

VISIT_COOKIE: Final = "repo_moodle_visit"
"""The Moodle, course and section of this visit: gone when the browser is closed."""
SITE_COOKIE: Final = "repo_moodle"
"""The Moodle that was typed last."""

_KEPT_FOR: Final = timedelta(days=365)
_WHERE_ONE_CHOOSES: Final = {"web.home", "web.resource", "web.mine", "moodle.send", "moodle.to_typed"}
_NUMBER: Final = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where something goes. Moodle counts sections from 0; without a course there is none."""

    site: MoodleSite
    course: int | None = None
    section: int | None = None

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Self:
        """From ``site``, ``course`` and ``section``. Raises InvalidInput that names what is wrong."""
        site = MoodleSite.parse(given.get("site", ""))
        course = _number(given, "course")
        return cls(site=site, course=course or None, section=_number(given, "section") if course else None)

    def written(self) -> str:
        """So that ``read`` makes the same of it, when it is taken for a query."""
        fields = {"site": self.site.url, "course": self.course, "section": self.section}
        return urlencode({name: value for name, value in fields.items() if value is not None})


def register(app: APIFlask) -> None:
    """Say on the pages where one chooses for which Moodle that is: not where somebody signs in, lets a site
    act for them, or finishes a draft of their own."""
    app.jinja_env.globals["chosen_moodle"] = _chosen_here
    slots.fill(app, Slot.TOP, "moodle/choosing.html")


@pages.get("/lms/moodle/search")
def begin() -> AnyResponse:
    """Where "Browse" in Moodle leads (``admin/tool/moodlenet/lib.php``): on to the search, remembering for
    which course. Without a site there is nothing to remember."""
    response = redirect(url_for("web.home"), 303)
    if request.args.get("site"):
        try:
            _remember(response, VISIT_COOKIE, Target.read(request.args))
        except InvalidInput as error:
            return page("moodle/bad_link.html", status=CATALOGUE[error.code].status, refusal=error)
    return response


@pages.post("/lms/moodle/stop")
@mark(Mark.CHANGES_NOTHING)
def stop() -> AnyResponse:
    """Choose for no Moodle any more, and forget the one that was typed."""
    response = redirect(local_path(request.form.get("next")), 303)
    for name in (VISIT_COOKIE, SITE_COOKIE):
        response.delete_cookie(name)
    return response


def chosen() -> Target | None:
    """Where the visitor of this page came from to choose something."""
    return _remembered(VISIT_COOKIE)


def _chosen_here() -> Target | None:
    """What pages say: most of them are about something else."""
    return chosen() if request.endpoint in _WHERE_ONE_CHOOSES else None


def likely() -> Target | None:
    """Where the visitor probably sends things: where they came from, or what they typed another time."""
    return chosen() or _remembered(SITE_COOKIE)


def remember_typed(response: AnyResponse, site: MoodleSite) -> None:
    """Offer ``site`` in this browser from now on; what was chosen by a link gives way to it."""
    response.delete_cookie(VISIT_COOKIE)
    _remember(response, SITE_COOKIE, Target(site=site), lasts=_KEPT_FOR)


def _remember(response: AnyResponse, name: str, target: Target, lasts: timedelta | None = None) -> None:
    response.set_cookie(
        name,
        target.written(),
        max_age=lasts,
        httponly=True,
        samesite="Lax",
        secure=bool(current_app.config["SESSION_COOKIE_SECURE"]),
    )


def _remembered(name: str) -> Target | None:
    kept = request.cookies.get(name)
    if kept is None or not is_page():
        return None
    try:
        return Target.read(_fields(kept))
    except (InvalidInput, ValueError):  # somebody else's, or of a release that took more
        return None


def _fields(text: str) -> MultiDict[str, str]:
    return MultiDict(parse_qsl(text, max_num_fields=8))


def _number(given: Mapping[str, str], name: str) -> int | None:
    value = given.get(name, "")
    if not value:
        return None
    if not _NUMBER.fullmatch(value):
        raise InvalidInput(f"The {name} is no number.", errors=[(f"/{name}", "A number is wanted.")])
    return int(value)
