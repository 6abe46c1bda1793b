"""Forms are taken only from our own pages: each carries a token that belongs to the visitor's session.

Flask-WTF makes and checks the tokens. Its own hook is not used: it would have the whole body parsed first,
and uploads are streams.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, request
from flask_wtf.csrf import generate_csrf, validate_csrf
from werkzeug.datastructures import MultiDict

from repo_service.domain.errors import MalformedRequest
from repo_service.web.blueprint import blueprint

FIELD = "csrf_token"
HEADER = "X-CSRFToken"

_MAX_FORM = 2 * 1024 * 1024
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_checked_while_reading: set[str] = set()

View = TypeVar("View", bound=Callable[..., Any])


def configure(app: Flask) -> None:
    """A token lasts as long as its session: a page may stay open for a while."""
    app.config["WTF_CSRF_TIME_LIMIT"] = None


def token() -> str:
    """The token for a form on the page being made."""
    made: str = generate_csrf()
    return made


def checks_while_reading(view: View) -> View:
    """Mark a view that takes a file: it calls ``check`` itself, before it takes the file's first byte."""
    _checked_while_reading.add(f"{blueprint.name}.{view.__name__}")
    return view


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


@blueprint.before_request
def _check() -> None:
    if request.method in _SAFE or request.endpoint in _checked_while_reading:
        return
    request.max_content_length = _MAX_FORM
    check(request.form)
