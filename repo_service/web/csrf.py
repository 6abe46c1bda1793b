"""Forms are taken only from our own pages: each carries a token that belongs to the visitor's session.

Flask-WTF makes and checks the tokens. Its own hook is not used: it would have the whole body parsed first,
and uploads are streams.
"""

from __future__ import annotations

from flask import Flask, g, request
from flask_wtf.csrf import generate_csrf, validate_csrf
from werkzeug.datastructures import MultiDict

from repo_service.domain.errors import MalformedRequest
from repo_service.http.context import identity
from repo_service.http.pages import Mark, is_marked, is_page
from repo_service.http.read_only import SAFE_METHODS

FIELD = "csrf_token"
HEADER = "X-CSRFToken"

_MADE = "made_form_token"
_MAX_FORM = 2 * 1024 * 1024
_MAX_FORM_OF_STRANGERS = 64 * 1024
"""Signing in and up take less. Front servers hold back so much until all of it is there (``deploy``), so that
nobody who sends slowly keeps a thread."""


def register(app: Flask) -> None:
    """Check the forms of all pages.

    A token lasts as long as its session: a page may stay open for a while.
    """
    app.config["WTF_CSRF_TIME_LIMIT"] = None
    app.before_request(_check)


def token() -> str:
    """The token for a form on the page being made."""
    made: str = generate_csrf()
    setattr(g, _MADE, True)
    return made


def is_on_page() -> bool:
    """Whether the page that was made holds the token."""
    return _MADE in g


def check(fields: MultiDict[str, str]) -> None:
    """Refuse a form without the token of this session, in a header or among ``fields``.

    Raises MalformedRequest.
    """
    try:
        validate_csrf(request.headers.get(HEADER) or fields.get(FIELD))
    except ValueError as error:  # wtforms.ValidationError
        raise MalformedRequest(
            "This form is not from your present session: go back, reload the page and send it again."
        ) from error


def _check() -> None:
    if not is_page() or request.method in SAFE_METHODS or is_marked(Mark.CHECKS_ITS_FORM):
        return
    request.max_content_length = _MAX_FORM_OF_STRANGERS if identity().is_public else _MAX_FORM
    check(request.form)
