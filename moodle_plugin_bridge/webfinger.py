"""WebFinger (RFC 7033): whether ``user@host`` is somebody here.

A teacher of Moodle may enter that as their "MoodleNet profile ID". Moodle looks at the status only, and then
sends them to ``https://{host}/lms/moodle/search`` (``tool_moodlenet``, ``classes/profile_manager.php``).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from apiflask import APIBlueprint
from flask import Response, jsonify, request

from repo_service.domain.errors import MalformedRequest, NotFound
from repo_service.http.context import services, site

blueprint = APIBlueprint("webfinger", __name__, enable_openapi=False)

MEDIA_TYPE: Final = "application/jrd+json"

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*:.", re.IGNORECASE)
_ACCOUNT: Final = re.compile(r"acct:([^@/]+)@([^@/?#]+)", re.IGNORECASE)


@blueprint.get("/.well-known/webfinger")
def webfinger() -> Response:
    """Who ``resource`` is. There are no links yet: accounts have no page of their own.

    400 for a resource that is no URI, 404 for one that is nobody here (RFC 7033, section 4.2).
    """
    resource = request.args.get("resource", "")
    if not _SCHEME.match(resource):
        raise MalformedRequest("Ask for somebody: ?resource=acct:name@host")
    account = _ACCOUNT.fullmatch(resource)
    if account is None or not _is_here(account[2]):
        raise NotFound("There is nobody of that name here.")
    username = services().accounts.public_name(account[1])
    response = jsonify(subject=f"acct:{username}@{_host()}", aliases=[], links=[])
    response.mimetype = MEDIA_TYPE
    return response


@blueprint.after_request
def _for_any_page(response: Response) -> Response:
    """RFC 7033, section 5: scripts of any site may read it."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def _host() -> str:
    """Ours, with its port where that is not the usual one."""
    return urlsplit(site().base_url).netloc


def _is_here(host: str) -> bool:
    ours = urlsplit(site().base_url)
    name, _, port = host.lower().rpartition(":") if re.search(r":[0-9]+$", host) else (host.lower(), "", "")
    expected = ours.port or _DEFAULT_PORTS[ours.scheme]
    given = int(port[:5]) if port else _DEFAULT_PORTS[ours.scheme]
    return (name.strip("[]"), given) == (ours.hostname, expected)
