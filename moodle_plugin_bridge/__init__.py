"""Everything that exists because Moodle is Moodle: what its sites send, and what they expect."""

from __future__ import annotations

from apiflask import APIFlask

from moodle_plugin_bridge import choosing, creating, sending
from moodle_plugin_bridge.blueprint import pages

__all__ = ["register"]


def register(app: APIFlask) -> None:
    """Add the endpoints and pages for Moodle. They stand on the pages of ``repo_service.web``."""
    choosing.register(app)
    sending.register(app)
    app.register_blueprint(pages)
    app.register_blueprint(creating.blueprint)
