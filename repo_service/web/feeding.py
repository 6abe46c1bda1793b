"""What there is, for programs that come again and again: an Atom feed of the newest, and a map of the site.

Sitemaps (https://www.sitemaps.org) are what search engines and harvesters of open educational resources read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from flask import Response, render_template, request, url_for

from repo_service.domain.errors import NotFound
from repo_service.domain.identity import PUBLIC
from repo_service.domain.search import SearchQuery, Sort
from repo_service.http.context import services, site
from repo_service.services.records import ResourceRecord
from repo_service.web.blueprint import blueprint
from repo_service.web.searching import asked
from repo_service.web.speaking import spoken

ENTRIES: Final = 30
"""The newest, in a feed."""

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@blueprint.get("/feed.atom")
def feed() -> Response:
    """The newest resources (RFC 4287), or those of a search by the words and filters of the home page."""
    question = asked()
    found = services().search.search(
        PUBLIC,
        SearchQuery(text=question.words, filters=question.filters, sort=Sort.NEWEST, limit=ENTRIES),
    )
    records = [item.resource for item in found.items]
    updated = max((released_at(record) for record in records), default=_NEVER)
    text = render_template(
        "web/feed.xml",
        site=site(),
        language=spoken().tag,
        own_url=f"{site().base_url}{request.full_path.rstrip('?')}",
        page_url=f"{site().base_url}{question.url}",
        records=records,
        updated=updated,
        page_of=_page_of,
        released_at=released_at,
    )
    return _xml(text, "application/atom+xml")


@blueprint.get("/sitemap.xml")
def sitemap() -> Response:
    """The index: one map for so many resources."""
    text = render_template(
        "web/sitemap_index.xml",
        base_url=site().base_url,
        maps=services().sitemaps.count(),
        collections=bool(services().sitemaps.collections()),
    )
    return _xml(text, "application/xml")


@blueprint.get("/sitemap-<int:number>.xml")
def map_of(number: int) -> Response:
    """One map: addresses and dates of resources."""
    entries = services().sitemaps.get(number)
    if not entries:
        raise NotFound("There is no such map.")
    return _xml(render_template("web/sitemap.xml", entries=entries, page_of=_page_of), "application/xml")


@blueprint.get("/sitemap-collections.xml")
def map_of_collections() -> Response:
    """The map of the collections."""
    entries = services().sitemaps.collections()
    if not entries:
        raise NotFound("There is no such map.")
    return _xml(
        render_template("web/sitemap.xml", entries=entries, page_of=_collection_page_of), "application/xml"
    )


@blueprint.get("/robots.txt")
def robots() -> Response:
    """Where the map is. Searches have as many answers as there are words: nobody is to walk through them."""
    return Response(
        "User-agent: *\nDisallow: /*?*\nDisallow: /api/v1/uploads\n"
        f"Sitemap: {site().base_url}{url_for('web.sitemap')}\n",
        mimetype="text/plain",
    )


def released_at(record: ResourceRecord) -> datetime:
    """When the newest version came out."""
    newest = record.versions[0].released_at if record.versions else None
    return newest or record.created_at


def _page_of(resource_id: object) -> str:
    return f"{site().base_url}{url_for('web.resource', resource_id=resource_id)}"


def _collection_page_of(collection_id: object) -> str:
    return f"{site().base_url}{url_for('web.collection', collection_id=collection_id)}"


def _xml(text: str, kind: str) -> Response:
    response = Response(text, mimetype=kind)
    response.headers["Cache-Control"] = "public, max-age=300"
    response.vary.add("Accept-Language")
    return response
