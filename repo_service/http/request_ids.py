"""One id a request: taken from the caller where it is sane, made here otherwise, sent back and logged."""

from __future__ import annotations

import re
import secrets

from flask import Flask, Response, g, has_request_context, request

HEADER = "X-Request-ID"

# Ids as front servers and clients make them (hexadecimal, UUID, ULID, W3C trace ids).
_SANE = re.compile(r"[A-Za-z0-9._~:+/=@-]{8,128}")


def register(app: Flask) -> None:
    """Send the id of every request back in ``X-Request-ID``."""
    app.after_request(_echo)


def current() -> str:
    """The id of the request being answered; empty outside of a request."""
    if not has_request_context():
        return ""
    try:
        known: str = g.request_id
    except AttributeError:
        sent = request.headers.get(HEADER, "")
        known = g.request_id = sent if _SANE.fullmatch(sent) else secrets.token_hex(16)
    return known


def _echo(response: Response) -> Response:
    response.headers[HEADER] = current()
    return response
