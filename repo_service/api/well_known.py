"""What other servers look for before they know anything of this one: WebFinger, host-meta, NodeInfo.

WebFinger (RFC 7033) is asked by Moodle, too: a teacher may enter ``user@host`` as their "MoodleNet profile
ID". Moodle looks at the status only, and then sends them to ``https://{host}/lms/moodle/search``
(``tool_moodlenet``, ``classes/profile_manager.php``).
"""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Final
from urllib.parse import urlsplit
from xml.sax.saxutils import quoteattr

from apiflask import APIBlueprint
from flask import Response, request

from repo_service.domain.errors import MalformedRequest, NotFound
from repo_service.domain.identity import Registration
from repo_service.federation import nodeinfo
from repo_service.federation.actors import Actor
from repo_service.federation.webfinger import descriptor
from repo_service.http.activity_streams import addresses, json_answer, require_home
from repo_service.http.context import services, site

blueprint = APIBlueprint("well_known", __name__, enable_openapi=False)

JRD: Final = "application/jrd+json"
XRD: Final = "application/xrd+xml"
SOFTWARE: Final = "moodle-resources-repository"

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*:.", re.IGNORECASE)
_ACCOUNT: Final = re.compile(r"acct:([^@/]+)@([^@/?#]+)", re.IGNORECASE)
_NOBODY: Final = "There is nobody of that name here."


@blueprint.get("/.well-known/webfinger")
def webfinger() -> Response:
    """Who ``resource`` is: an ``acct:`` address, the id of an actor, or the page about one.

    400 for a resource that is no URI, 404 for one that is nobody here (RFC 7033, section 4.2).
    """
    resource = request.args.get("resource", "")
    if not _SCHEME.match(resource):
        raise MalformedRequest("Ask for somebody: ?resource=acct:name@host")
    if site().read_only:
        raise NotFound(_NOBODY)
    found = descriptor(_somebody(resource), addresses(), relations=request.args.getlist("rel"))
    return json_answer(found, mimetype=JRD)


@blueprint.get("/.well-known/host-meta")
def host_meta() -> Response:
    """Where WebFinger is (RFC 6415): for servers that ask here before they ask there."""
    template = quoteattr(f"{site().base_url}/.well-known/webfinger?resource={{uri}}")
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<XRD xmlns="http://docs.oasis-open.org/ns/xri/xrd-1.0">\n'
        f'  <Link rel="lrdd" type="{JRD}" template={template}/>\n'
        "</XRD>\n"
    )
    return Response(document, mimetype=XRD)


@blueprint.get("/.well-known/nodeinfo")
def nodeinfo_directory() -> Response:
    """Where NodeInfo is, and the service as an actor (FEP-2677)."""
    require_home()
    return json_answer(nodeinfo.directory(addresses()), mimetype="application/json")


@blueprint.get(nodeinfo.PATH)
def node_info() -> Response:
    """What kind of server this is, in numbers."""
    require_home()
    document = nodeinfo.node_info(
        services().usage.numbers(),
        software=SOFTWARE,
        version=version(SOFTWARE),
        name=site().name,
        open_registrations=site().registration is Registration.OPEN,
    )
    return json_answer(document, mimetype=nodeinfo.MEDIA_TYPE)


@blueprint.after_request
def _for_any_page(response: Response) -> Response:
    """RFC 7033, section 5: scripts of any site may read it."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def _somebody(resource: str) -> Actor:
    account = _ACCOUNT.fullmatch(resource)
    if account is None:
        return services().actors.at(resource)
    if not _is_here(account[2]):
        raise NotFound(_NOBODY)
    return services().actors.called(account[1])


def _is_here(host: str) -> bool:
    ours = urlsplit(site().base_url)
    name, _, port = host.lower().rpartition(":") if re.search(r":[0-9]+$", host) else (host.lower(), "", "")
    expected = ours.port or _DEFAULT_PORTS[ours.scheme]
    given = int(port[:5]) if port else _DEFAULT_PORTS[ours.scheme]
    return (name.strip("[]"), given) == (ours.hostname, expected)
