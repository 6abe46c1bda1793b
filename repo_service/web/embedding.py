"""A resource on somebody else's page: a small card to frame, and what tells of it (https://oembed.com)."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from flask import Response, jsonify, request, url_for
from markupsafe import Markup

from repo_service.domain.errors import MalformedRequest, NotFound
from repo_service.domain.identity import PUBLIC
from repo_service.http.context import services, site
from repo_service.services.records import ResourceRecord
from repo_service.web.blueprint import blueprint
from repo_service.web.headers import content_security_policy
from repo_service.web.rendering import page

WIDTH: Final = 480
HEIGHT: Final = 180

_SMALLEST = 200
_PAGE = re.compile(r"/resources/([0-9a-f-]{36})(?:/versions/[0-9]+)?/?")
_FRAME = Markup(
    '<iframe src="{}" width="{}" height="{}" title="{}" loading="lazy" sandbox="allow-popups" '
    'referrerpolicy="no-referrer"></iframe>'
)


@blueprint.get("/resources/<uuid:resource_id>/embed")
def embedded(resource_id: UUID) -> Response:
    """The card, for any page to frame: it holds what everybody may see, no form and no session."""
    record = services().resources.get(PUBLIC, resource_id)
    response = page("embedded.html", resource=record)
    response.headers["Content-Security-Policy"] = content_security_policy(framed_by="*")
    return response


@blueprint.get("/oembed")
def oembed() -> Response:
    """What to show for the address of a resource. JSON only: 501 for another format (oEmbed, section 2.3.3).

    Raises NotFound for what is no public resource of ours, MalformedRequest.
    """
    if request.args.get("format", "json") != "json":
        return Response("Only format=json is spoken here.", status=501, mimetype="text/plain")
    record = services().resources.get(PUBLIC, _resource_at(request.args.get("url", "")))
    width, height = _limit("maxwidth", WIDTH), _limit("maxheight", HEIGHT)
    response = jsonify(
        version="1.0",
        type="rich",
        title=record.title,
        author_name=record.owner_name,
        author_url=f"{site().base_url}{url_for('web.person', username=record.owner)}",
        provider_name=site().name,
        provider_url=site().base_url,
        html=str(_frame(record, width, height)),
        width=width,
        height=height,
    )
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def embed_code_of(record: ResourceRecord) -> str:
    """HTML to paste into another page."""
    return str(_frame(record, WIDTH, HEIGHT))


def _frame(record: ResourceRecord, width: int, height: int) -> Markup:
    address = f"{site().base_url}{url_for('web.embedded', resource_id=record.id)}"
    return _FRAME.format(address, width, height, record.title)


def _resource_at(url: str) -> UUID:
    ours, found = site().base_url, None
    if url.startswith(f"{ours}/"):
        found = _PAGE.fullmatch(url[len(ours) :].partition("?")[0].partition("#")[0])
    if found is None:
        raise NotFound("This is not the address of a resource here.")
    try:
        return UUID(found[1])
    except ValueError as error:
        raise NotFound("This is not the address of a resource here.") from error


def _limit(name: str, most: int) -> int:
    given = request.args.get(name)
    if given is None:
        return most
    if not (given.isascii() and given.isdigit()):
        raise MalformedRequest("maxwidth and maxheight are whole numbers of pixels.")
    return max(_SMALLEST if name == "maxwidth" else _SMALLEST // 2, min(most, int(given[:6])))
