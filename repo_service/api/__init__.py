"""The REST API: blueprints that translate between HTTP and the use cases."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from apiflask import APIFlask

from repo_service.api import (
    accounts,
    activitypub,
    backups,
    catalogue,
    collections,
    compatibility,
    desk,
    direct,
    discovery,
    docs,
    files,
    leaving,
    network,
    oauth,
    operating,
    operations,
    reports,
    resources,
    sites,
    tus,
    tus_document,
    uploads,
    vocabularies,
    webhooks,
    well_known,
)
from repo_service.api.tus import MethodOverride

__all__ = ["SPEC_PATH", "MethodOverride", "configure", "document", "register"]

SPEC_PATH = "/api/openapi.json"


def configure(app: APIFlask) -> None:
    """Tell APIFlask that errors, defaults and documentation pages are ours."""
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        AUTO_200_RESPONSE=False,
        AUTO_404_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_AUTH_ERROR_RESPONSE=False,
        AUTO_OPERATION_ID=False,
        AUTO_SERVERS=False,  # would be the Host header of whoever asked first
        SECURITY_SCHEMES={
            "bearer": {"type": "http", "scheme": "bearer", "description": "An API token, mrr_…"}
        },
        SYNC_LOCAL_SPEC=False,
        DESCRIPTION="Share Moodle course backups and open educational resources, find them, look inside.",
        LICENSE={"name": "AGPL-3.0-or-later", "url": "https://www.gnu.org/licenses/agpl-3.0.html"},
    )


def document(app: APIFlask) -> dict[str, Any]:
    """The OpenAPI document as it is served."""
    with app.app_context():
        spec = app.spec
    assert isinstance(spec, dict)
    return spec


def register(app: APIFlask) -> None:
    """Add the API's blueprints and finish its OpenAPI document."""
    for module in (
        resources,
        reports,
        compatibility,
        uploads,
        direct,
        tus,
        files,
        backups,
        catalogue,
        collections,
        accounts,
        leaving,
        sites,
        desk,
        vocabularies,
        discovery,
        network,
        webhooks,
        well_known,
        activitypub,
        oauth,
        operating,
        docs,
    ):
        app.register_blueprint(module.blueprint)

    @app.spec_processor
    def _complete(spec: dict[Any, Any] | str) -> dict[Any, Any] | str:
        if isinstance(spec, str):
            return spec
        spec = operations.complete(spec)
        spec["paths"].update(deepcopy(tus_document.PATHS))
        # Several blueprints may share a subject; each names it.
        spec["tags"] = list({tag["name"]: tag for tag in spec["tags"]}.values())
        return operations.refusable(spec)
