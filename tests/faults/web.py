"""The web application with hooks, as the web server imports it."""

from __future__ import annotations

from tests.faults import hooks

_points = hooks.install("web")

from repo_service.wsgi import app  # noqa: E402 - it is put together when it is imported, with the hooks

application = hooks.answering(app, _points)
