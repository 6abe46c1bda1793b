"""HTML pages: rendered here, readable without JavaScript, and with nothing from elsewhere."""

from __future__ import annotations

from apiflask import APIFlask

from repo_service.web import (
    account,
    assets,
    authorising,
    browsing,
    collecting,
    csrf,
    curating,
    describing,
    elsewhere,
    embedding,
    errors,
    examining,
    feeding,
    finishing,
    headers,
    inviting,
    joining,
    leaving,
    managing,
    recovering,
    rendering,
    searching,
    sharing,
    showing,
    signing,
    sites,
    slots,
    speaking,
)
from repo_service.web.blueprint import blueprint
from repo_service.web.errors import problem_page

__all__ = ["problem_page", "register"]

VIEWS = (
    account,
    authorising,
    browsing,
    collecting,
    curating,
    searching,
    describing,
    elsewhere,
    embedding,
    errors,
    examining,
    feeding,
    finishing,
    inviting,
    joining,
    leaving,
    managing,
    recovering,
    sharing,
    showing,
    signing,
    sites,
)
"""Loading these adds their routes to the blueprint."""


def register(app: APIFlask) -> None:
    """Add the pages."""
    speaking.register(app)
    rendering.register(app)
    slots.register(app)
    csrf.register(app)
    headers.register(app)
    app.register_blueprint(blueprint)
    app.register_blueprint(assets.blueprint)
