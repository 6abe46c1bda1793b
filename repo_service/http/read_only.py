"""A mirror changes nothing: whatever could is refused before anybody is asked who they are."""

from __future__ import annotations

from typing import Final

from flask import Flask, g, request

from repo_service.domain.errors import ReadOnly
from repo_service.domain.identity import PUBLIC
from repo_service.http.context import services, site
from repo_service.http.pages import Mark, is_marked

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""RFC 9110, section 9.2.1. A view for these changes nothing either."""


def register(app: Flask) -> None:
    """Refuse every request of ``app`` that is not a safe one, when the service is read-only."""

    @app.before_request
    def _refuse() -> None:
        g.identity = PUBLIC
        if request.method not in SAFE_METHODS and not is_marked(Mark.CHANGES_NOTHING):
            require_writable()


def require_writable() -> None:
    """Refuse what leads to a change, such as a form. Raises ReadOnly on a mirror."""
    if site().read_only:
        home = services().mirror.home()
        raise ReadOnly(home=None if home is None else home.url)
