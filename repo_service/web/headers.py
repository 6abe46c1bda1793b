"""Headers that keep pages harmless, whatever foreign text is on them."""

from __future__ import annotations

from flask import Flask, Response, g, request

from repo_service.domain.identity import PUBLIC
from repo_service.web.blueprint import blueprint

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""No inline scripts or styles; ``data:`` for the small drawings within Bootstrap's style sheet."""


def register(app: Flask) -> None:
    """Add the headers to every page, error pages included, unless a page has a policy of its own.

    The windows of the signed in are cut off from those that opened them. Others are not: who comes from a
    Moodle to connect it signs in on the way, and the Moodle waits for that very window (see ``authorising``).
    """
    app.after_request(_add)


def _add(response: Response) -> Response:
    ours = request.blueprint in (blueprint.name, "assets")
    if ours or response.mimetype == "text/html":
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        if not g.get("identity", PUBLIC).is_public:
            response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    return response
