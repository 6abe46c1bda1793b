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
    deciding,
    describing,
    elsewhere,
    embedding,
    errors,
    examining,
    feeding,
    finishing,
    headers,
    inviting,
    job_list,
    joining,
    keeping,
    leaving,
    looking_after,
    managing,
    membership,
    network,
    own_resources,
    packing,
    recovering,
    rendering,
    reporting,
    searching,
    sending,
    servers,
    sharing,
    showing,
    signing,
    sites,
    slots,
    speaking,
    storing,
    trail,
    using,
    webhook_list,
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
    deciding,
    describing,
    elsewhere,
    embedding,
    errors,
    examining,
    feeding,
    finishing,
    inviting,
    job_list,
    joining,
    looking_after,
    leaving,
    managing,
    membership,
    network,
    own_resources,
    recovering,
    reporting,
    servers,
    sharing,
    showing,
    signing,
    sites,
    storing,
    trail,
    using,
    webhook_list,
)
"""Loading these adds their routes to the blueprint."""


def register(app: APIFlask) -> None:
    """Add the pages."""
    speaking.register(app)
    rendering.register(app)
    keeping.register(app)
    slots.register(app)
    csrf.register(app)
    headers.register(app)
    packing.register(app)
    app.register_blueprint(blueprint)
    app.register_blueprint(sending.blueprint)
    app.register_blueprint(assets.blueprint)
