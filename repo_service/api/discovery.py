"""What software can know of this authorization server before it asks anything else (RFC 8414)."""

from __future__ import annotations

from urllib.parse import urlsplit

from apiflask import APIBlueprint
from flask import Response, jsonify

from repo_service.domain.errors import NotFound
from repo_service.http import oauth
from repo_service.http.context import site

blueprint = APIBlueprint("discovery", __name__, enable_openapi=False)

_WELL_KNOWN = "/.well-known/oauth-authorization-server"
_MAX_AGE = 300
"""Seconds. Nobody asks often; and an operator who changes a setting need not wait."""


@blueprint.get(_WELL_KNOWN)
@blueprint.get(f"{_WELL_KNOWN}/<path:below>")
def metadata(below: str = "") -> Response:
    """The server's metadata.

    Of a service at ``https://host/path`` it is looked for at ``https://host/.well-known/…/path``, as the RFC
    has it and Moodle asks (with a slash at the end if its administrator typed one), and at
    ``https://host/path/.well-known/…``, which reaches us without the path. On a mirror nobody signs in, so
    there is nothing to know.

    There is no ``openid-configuration``: this service tells nobody who somebody is.
    """
    if site().read_only or below.strip("/") not in ("", urlsplit(site().base_url).path.strip("/")):
        raise NotFound
    response = jsonify(oauth.metadata())
    response.cache_control.public = True
    response.cache_control.max_age = _MAX_AGE
    return response
