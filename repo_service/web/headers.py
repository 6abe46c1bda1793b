"""Headers that keep pages harmless, whatever foreign text is on them, and other answers from being taken for
pages."""

from __future__ import annotations

from typing import Final

from flask import Flask, Response, g, request

from repo_service.domain.identity import PUBLIC
from repo_service.http.pages import is_page


def content_security_policy(*, forms_to: str = "", framed_by: str = "'none'") -> str:
    """No inline scripts or styles; ``data:`` for the small drawings within Bootstrap's style sheet.

    ``forms_to`` is another origin that a form of the page leads to, ``framed_by`` who may show it in a frame.
    """
    targets = " ".join(filter(None, ("'self'", forms_to)))
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        f"form-action {targets}; base-uri 'none'; frame-ancestors {framed_by}"
    )


CONTENT_SECURITY_POLICY = content_security_policy()
"""Of every page that has no other."""
_OF_DATA: Final = "default-src 'none'; frame-ancestors 'none'"
"""Of every answer that is no page."""


def register(app: Flask) -> None:
    """Add the headers to every page, error pages included, unless a page has a policy of its own. What is no
    page is never taken for one, and not framed either.

    The windows of the signed in are cut off from those that opened them. Others are not: who comes from a
    Moodle to connect it signs in on the way, and the Moodle waits for that very window (see ``authorising``).
    """
    app.after_request(_add)


def _add(response: Response) -> Response:
    if is_page() or request.blueprint == "assets" or response.mimetype == "text/html":
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        if not g.get("identity", PUBLIC).is_public:
            response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    elif response.status_code != 304:  # which leaves those of the kept answer as they are
        response.headers.setdefault("Content-Security-Policy", _OF_DATA)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response
