"""How pages are put together: what every template gets, and how values read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from flask import Flask, Response, g, render_template, request
from markupsafe import Markup, escape

from repo_service.domain.identity import PUBLIC, Identity
from repo_service.domain.texts import text
from repo_service.http.context import services, site
from repo_service.http.pages import is_page
from repo_service.services.mirroring import Home
from repo_service.web import csrf, labels
from repo_service.web.assets import asset_url
from repo_service.web.blueprint import blueprint
from repo_service.web.covers import cover_of, picture_of
from repo_service.web.icons import icon, icon_of
from repo_service.web.speaking import offers, say, spoken

_ABOUT_SIGNING_IN = {
    f"{blueprint.name}.{name}"
    for name in (
        "home",
        "sign_in",
        "sign_up",
        "forgotten_password",
        "letter_asked",
        "confirm",
        "confirmed",
        "sign_in_elsewhere",
        "back_from_elsewhere",
        "sign_up_elsewhere",
        "make_account_elsewhere",
        "erased",
    )
}


def register(app: Flask) -> None:
    """Give templates the words for values."""
    app.jinja_env.filters.update(
        difference=labels.difference, size=size, day=day, moment=moment, number=number, marked=marked
    )
    app.jinja_env.globals.update(
        asset_url=asset_url,
        cover_of=cover_of,
        picture_of=picture_of,
        icon=icon,
        icon_of=icon_of,
        counted=_counted,
        offers=offers,
        spoken=spoken,
        csrf_field=csrf.FIELD,
        kind_name=labels.kind_name,
        entry_kind=labels.entry_kind,
        module_name=labels.module_name,
        part_kind=labels.part_kind,
        language_label=labels.language,
        concept_label=labels.concept,
        licence_link=labels.licence_link,
        licence_name=labels.licence_name,
        licence_label=labels.licence_label,
        mirrored_home=_mirrored_home,
        service_version=version("moodle-resources-repository"),
    )


def render(template: str, **values: object) -> str:
    """A page as text. Works in any request, errors before anybody was identified included.

    ``template`` stands below ``templates/web``, or where its own folder says: ``moodle/send.html``.
    """
    here = is_page()
    who: Identity = g.get("identity", PUBLIC) if here else PUBLIC
    return render_template(
        template if "/" in template else f"web/{template}",
        site=site(),
        who=who,
        knows_visitor=here,
        leads_back=_address_to_come_back_to(),
        csrf_token=csrf.token,
        **values,
    )


def page(template: str, status: int = 200, **values: object) -> Response:
    """A page as a response. What a signed-in person saw is kept nowhere."""
    response = Response(render(template, **values), status=status, mimetype="text/html")
    who: Identity = g.identity
    response.headers["Cache-Control"] = "private, no-cache" if who.is_public else "private, no-store"
    response.vary.update(["Accept-Language", "Cookie"])
    return response


def secret_page(template: str, status: int = 200, **values: object) -> Response:
    """A page whose address, or form, holds the secret of a link: kept nowhere, and told to nobody."""
    response = page(template, status, **values)
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def size(count: int | None) -> str:
    """Bytes as people read them: ``1.6 MB``."""
    return say(text("unknown size")) if count is None else spoken().size(count)


def number(count: int) -> str:
    """``1,234``."""
    return spoken().number(count)


def day(when: datetime | int | None) -> Markup:
    """A date, from a moment or Unix seconds; empty for none and for a year no calendar has."""
    return _time(when, spoken().day)


def moment(when: datetime | int | None) -> Markup:
    """A date with its time, in UTC."""
    return _time(when, spoken().moment)


def marked(text: str, spans: Sequence[tuple[int, int]]) -> Markup:
    """``text`` with the spans marked; everything is escaped."""
    pieces, at = Markup(), 0
    for start, end in spans:
        pieces += escape(text[at:start]) + Markup("<mark>{}</mark>").format(text[start:end])
        at = end
    return pieces + escape(text[at:])


def _address_to_come_back_to() -> str | None:
    """Where a sign-in from this page leads: none of those about signing in, whose address may be a secret."""
    if (
        request.endpoint in _ABOUT_SIGNING_IN
        or request.method not in ("GET", "HEAD")
        or "link" in request.args
    ):
        return None
    return request.full_path.rstrip("?")


def _counted(one: str, many: str, count: int) -> str:
    return spoken().counted(one, many, count)


def _mirrored_home() -> Home | None:
    return services().mirror.home()


def _time(when: datetime | int | None, read: Callable[[datetime], str]) -> Markup:
    if isinstance(when, int):
        try:
            when = datetime.fromtimestamp(when, UTC)
        except (OverflowError, ValueError, OSError):
            when = None
    if when is None:
        return Markup()
    return Markup('<time datetime="{}">{}</time>').format(when.isoformat(), read(when))
