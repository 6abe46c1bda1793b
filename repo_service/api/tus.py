"""``/api/v1/tus``: uploads in several goes, by the protocol of ``http/tus.py``.

For OpenAPI all this is written down in ``tus_document.py``: it is headers mostly, of which the generator
knows nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from apiflask import APIBlueprint

from repo_service.http.context import site
from repo_service.http.tus import Endpoint

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PREFIX = "/api/v1/tus"

_OVERRIDDEN = frozenset({"DELETE", "HEAD", "OPTIONS", "PATCH", "POST"})

blueprint = APIBlueprint("tus", __name__, url_prefix=PREFIX, enable_openapi=False)
_endpoint = Endpoint(PREFIX, origin=lambda: site().base_url)
_endpoint.add_to(blueprint)


class MethodOverride:
    """Lets clients that know no PATCH and DELETE name the method in ``X-HTTP-Method-Override``.

    Before anything else looks at the method, and under ``PREFIX`` only.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """A WSGI application."""
        meant = environ.get("HTTP_X_HTTP_METHOD_OVERRIDE")
        if meant and _endpoint.holds(environ.get("PATH_INFO", "")):
            environ["REQUEST_METHOD"] = meant if meant in _OVERRIDDEN else "UNKNOWN"
        return self._application(environ, start_response)
