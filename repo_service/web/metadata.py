"""What machines read of a public resource: JSON-LD for harvesters, Open Graph, and the way to oEmbed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flask import url_for
from markupsafe import Markup

from repo_service.domain.collections import ItemState
from repo_service.federation.addresses import ActorKind, ActorRef, ObjectKind
from repo_service.http.activity_streams import addresses
from repo_service.http.context import services, site
from repo_service.services.catalogue_format import CatalogueEntry, CatalogueFile, document_of
from repo_service.services.collections import CollectionRecord, FullCollection
from repo_service.services.credits import shortened
from repo_service.services.records import ResourceRecord, VersionRecord

_DESCRIPTION = 300
"""Characters; search engines and social software show fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """``activity_url`` is where other servers read the same by ActivityPub, None for what is at home
    elsewhere. ``json_ld`` is ready to stand within a script element."""

    url: str
    activity_url: str | None
    oembed_url: str
    description: str
    json_ld: Markup


def metadata_of(record: ResourceRecord) -> Metadata:
    """Of a public resource."""
    url = f"{site().base_url}{url_for('web.resource', resource_id=record.id)}"
    published_here = record.origin is None and not site().read_only
    return Metadata(
        url=url,
        activity_url=addresses().object(ObjectKind.RESOURCE, record.id) if published_here else None,
        oembed_url=f"{site().base_url}{url_for('web.oembed', url=url, format='json')}",
        description=shortened(" ".join(record.summary_text.split()) or record.title, _DESCRIPTION),
        json_ld=_within_script(json_ld_of(record)),
    )


def json_ld_of(record: ResourceRecord) -> dict[str, Any]:
    """The resource by AMB, a profile of schema.org; its page is what it is the main entity of."""
    page = f"{site().base_url}{url_for('web.resource', resource_id=record.id)}"
    entry = CatalogueEntry(
        id=record.id,
        url=record.origin or page,
        canonical_url=record.canonical_url,
        title=record.title,
        summary_html=record.summary_html,
        licence=record.licence,
        languages=record.languages,
        subjects=record.subjects,
        levels=record.levels,
        types=record.types,
        authors=record.authors,
        keywords=record.keywords,
        created_at=record.created_at,
        released_at=record.released_at or record.created_at,
        updated_at=record.updated_at,
        files=tuple(_file(version) for version in record.versions if version.released_at and version.digest),
    )
    document = document_of(entry, base_url=site().base_url)
    here = {"id": page, "type": "WebContent", "provider": {"id": site().base_url, "name": site().name}}
    return {**document, "mainEntityOfPage": [*document.get("mainEntityOfPage", ()), here]}


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionMetadata:
    """``activity_url`` as in ``Metadata``. ``json_ld`` is ready to stand within a script element."""

    url: str
    activity_url: str | None
    description: str
    json_ld: Markup


def collection_metadata_of(found: FullCollection) -> CollectionMetadata:
    """Of a public collection."""
    record = found.record
    return CollectionMetadata(
        url=_collection_url(record),
        activity_url=activity_url_of(ActorRef(ActorKind.COLLECTION, record.id)),
        description=shortened(" ".join(record.summary_text.split()) or record.title, _DESCRIPTION),
        json_ld=_within_script(collection_json_ld_of(found)),
    )


def collection_json_ld_of(found: FullCollection) -> dict[str, Any]:
    """What everybody sees of a collection as an https://schema.org/ItemList, in its curator's order."""
    record = found.record
    url = _collection_url(record)
    public = [item.resource for item in found.items if item.resource and item.state is ItemState.PUBLIC]
    document: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "ItemList",
        "@id": url,
        "url": url,
        "name": record.title,
        "description": record.summary_text,
        "inLanguage": list(record.languages),
        "author": {"@type": "Person", "name": record.owner_name, "url": _person_url(record.owner)},
        "itemListOrder": "https://schema.org/ItemListOrderAscending",
        "numberOfItems": len(public),
        "itemListElement": [
            {
                "@type": "ListItem",
                "position": position,
                "name": resource.title,
                "url": resource.origin
                or f"{site().base_url}{url_for('web.resource', resource_id=resource.id)}",
            }
            for position, resource in enumerate(public, start=1)
        ],
    }
    return {name: value for name, value in document.items() if value not in ("", [])}


def activity_url_of(ref: ActorRef) -> str | None:
    """Where other servers read of an actor by ActivityPub; None on a mirror, where nobody is."""
    return None if site().read_only else addresses().actor(ref)


def _collection_url(record: CollectionRecord) -> str:
    return f"{site().base_url}{url_for('web.collection', collection_id=record.id)}"


def _person_url(username: str) -> str:
    return f"{site().base_url}{url_for('web.person', username=username)}"


def _file(version: VersionRecord) -> CatalogueFile:
    assert version.digest is not None
    assert version.released_at is not None
    cids = [copy.cid for copy in services().stores.shown(version.copies) if copy.cid]
    return CatalogueFile(
        number=version.number,
        file_name=version.file_name,
        media_type=version.media_type or "application/octet-stream",
        size=version.size or 0,
        digest=version.digest,
        cid=next(iter(cids), None),
        change_note=version.change_note,
        created_at=version.created_at,
        released_at=version.released_at,
    )


def _within_script(document: dict[str, Any]) -> Markup:
    """JSON that ends no script element and begins none, whatever stands in it (HTML, section 4.12.1.3)."""
    text = json.dumps(document, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - nothing of HTML is left in it
