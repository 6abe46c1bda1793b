"""Stores, for administrators: how full they are, and whether the copies in them are as they should be."""

from __future__ import annotations

from flask import Response

from repo_service.http.context import identity, services
from repo_service.web.blueprint import blueprint
from repo_service.web.rendering import page
from repo_service.web.signing import for_the_signed_in


@blueprint.get("/look-after/storage")
@for_the_signed_in
def storage() -> Response:
    """Every store."""
    return page("storage.html", stores=services().storage_report.stores(identity()))
