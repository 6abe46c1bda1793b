"""The API's documentation: the OpenAPI document, and Swagger UI with local assets."""

from __future__ import annotations

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, render_template, send_from_directory

from repo_service.http.context import site

blueprint = Blueprint(
    "docs", __name__, url_prefix="/api/docs", template_folder="templates", static_folder="static"
)

_SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"
_ASSETS = frozenset({"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"})
# Swagger UI draws its arrows from data: images and sets styles on its elements.
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@blueprint.get("/")
def index() -> Response:
    """The documentation, for people."""
    page = Response(render_template("docs.html", site=site()))
    page.headers["Content-Security-Policy"] = _CSP
    return page


@blueprint.get("/swagger-ui/<name>")
def asset(name: str) -> Response:
    """A file of Swagger UI."""
    if name not in _ASSETS:
        return Response(status=404)
    return send_from_directory(_SWAGGER_UI, name, max_age=86400)
