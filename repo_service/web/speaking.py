"""The language of a page: the one that its visitor chose, else the first that their browser asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Flask, Response, current_app, g, has_request_context, request, url_for
from markupsafe import Markup

from repo_service.domain.texts import Text
from repo_service.http.pages import is_page
from repo_service.languages import LANGUAGES, SOURCE, Language, best_of, language

ARGUMENT = "lang"
COOKIE = "repo_language"

_A_YEAR = 365 * 24 * 3600
_MOST_ASKED_FOR = 8


@dataclass(frozen=True, slots=True)
class Offer:
    """A language to choose. ``url`` is the same page in it."""

    tag: str
    name: str
    url: str
    chosen: bool


def register(app: Flask) -> None:
    """Let templates speak, and remember what a visitor chose."""
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        lambda message: spoken().gettext(message),
        lambda one, many, count: spoken().ngettext(one, many, count),
        newstyle=True,
    )
    app.jinja_env.filters["say"] = marked_saying
    app.jinja_env.filters["named"] = named
    app.after_request(_remember)


def spoken() -> Language:
    """The language of the page that is being made."""
    if not has_request_context():
        return language(SOURCE)
    found: Language | None = g.get("language")
    if found is None:
        found = g.language = language(_chosen() or best_of(asked_for()))
    return found


def say(message: str) -> str:
    """A text in the language of the page."""
    return spoken().say(message)


def marked_saying(message: str) -> str | Markup:
    """A text in the language of the page, marked as English where there are no words for it."""
    if not message or spoken().knows(message):
        return say(message)
    return Markup('<span lang="{}" dir="ltr">{}</span>').format(SOURCE, str(message))


def named(name: str) -> str:
    """What somebody is called: as they are, or in the language of the page what we call who has no name."""
    return say(name) if isinstance(name, Text) else name


def asked_for() -> Sequence[str]:
    """What the visitor reads, best first (BCP 47)."""
    chosen = _chosen()
    accepted = [tag for tag in request.accept_languages.values() if tag != "*"][:_MOST_ASKED_FOR]
    return accepted if chosen is None else [chosen, *(tag for tag in accepted if tag != chosen)]


def offers(*, here: bool) -> list[Offer]:
    """All languages, each with the way to this page in it; to the home page where this one cannot be had."""
    way = _here_in if here else _home_in
    now = spoken().tag
    return [Offer(tag, name, way(tag), tag == now) for tag, name in LANGUAGES.items()]


def _here_in(tag: str) -> str:
    if request.method not in ("GET", "HEAD") or request.endpoint is None:
        return _home_in(tag)
    # Never arguments of url_for: what anybody may put into an address has names that mean something to it.
    query = request.args.to_dict(flat=False) | {ARGUMENT: [tag]}
    return f"{url_for(request.endpoint, **(request.view_args or {}))}?{urlencode(query, doseq=True)}"


def _home_in(tag: str) -> str:
    return url_for("web.home", lang=tag)


def _chosen() -> str | None:
    for tag in (request.args.get(ARGUMENT), request.cookies.get(COOKIE)):
        if tag in LANGUAGES:
            return tag
    return None


def _remember(response: Response) -> Response:
    tag = request.args.get(ARGUMENT)
    kept_for_others = response.cache_control.public
    if tag in LANGUAGES and is_page() and not kept_for_others and tag != request.cookies.get(COOKIE):
        response.set_cookie(
            COOKIE,
            tag,
            max_age=_A_YEAR,
            secure=current_app.config["SESSION_COOKIE_SECURE"],
            httponly=True,
            samesite="Lax",
        )
    return response
