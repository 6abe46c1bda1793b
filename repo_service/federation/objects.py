"""Objects: a resource (Document), and what is left of something that is gone (Tombstone)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from repo_service.federation import contexts
from repo_service.federation.addresses import SERVICE, ActorRef, Addresses, ObjectKind
from repo_service.federation.times import timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFile:
    """The file of a released version. ``size`` in bytes, ``digest`` its SHA-256 in hexadecimal; ``cid`` is
    its name in IPFS where anybody can get it there now."""

    number: int
    file_name: str
    media_type: str
    size: int
    digest: str
    cid: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A resource that everybody may see. ``summary`` is HTML; ``licence``, ``subjects``, ``levels`` and
    ``types`` are URIs. ``files`` stand newest first. ``owner`` is None where nobody can be known by that
    name: the service answers for it then. ``page`` is the page of the instance that linked it, None where
    it is at home here."""

    id: UUID
    name: str
    summary: str
    owner: ActorRef | None
    page: str | None
    authors: tuple[str, ...]
    licence: str | None
    languages: tuple[str, ...]
    subjects: tuple[str, ...]
    levels: tuple[str, ...]
    types: tuple[str, ...]
    keywords: tuple[str, ...]
    published: datetime
    updated: datetime | None
    files: tuple[PublishedFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """Something that everybody could see once, at ``id``. It says nothing of what it was but its type."""

    id: str
    former_type: str
    deleted: datetime


def document_object(document: Document, addresses: Addresses) -> dict[str, Any]:
    """A resource as it stands within an activity."""
    owner = document.owner or SERVICE
    described: dict[str, Any] = {
        "id": addresses.object(ObjectKind.RESOURCE, document.id),
        "type": "Document",
        "name": document.name,
        "summary": document.summary,
        "attributedTo": [addresses.actor(owner)],
        "to": [contexts.PUBLIC],
        "cc": [addresses.followers(owner)],
        "author": list(document.authors),
        "license": document.licence,
        "inLanguage": list(document.languages),
        "about": list(document.subjects),
        "educationalLevel": list(document.levels),
        "learningResourceType": list(document.types),
        "keywords": list(document.keywords),
        "published": timestamp(document.published),
        "updated": None if document.updated is None else timestamp(document.updated),
        "url": list(_links(document, addresses)),
    }
    return {name: value for name, value in described.items() if value not in (None, "", [])}


def tombstone_object(tombstone: Tombstone) -> dict[str, Any]:
    """What stands in the place of something that is gone (ActivityPub, section 6.4)."""
    return {
        "id": tombstone.id,
        "type": "Tombstone",
        "formerType": tombstone.former_type,
        "deleted": timestamp(tombstone.deleted),
    }


def object_document(found: Document | Tombstone, addresses: Addresses) -> dict[str, Any]:
    """Either as a whole document."""
    if isinstance(found, Tombstone):
        return contexts.in_context(tombstone_object(found))
    return contexts.in_context(document_object(found, addresses), contexts.OF_OBJECTS)


def _links(document: Document, addresses: Addresses) -> Iterator[dict[str, Any]]:
    """The pages, the one at home first, then the files, the newest first, each with its copy in IPFS."""
    for page in filter(None, (document.page, addresses.resource_page(document.id))):
        yield {"type": "Link", "mediaType": "text/html", "href": page}
    for file in document.files:
        of_file = {"mediaType": file.media_type, "contentSize": file.size, "sha256": file.digest}
        href = addresses.file(document.id, file.number, file.file_name)
        yield {"type": "Link", **of_file, "href": href}
        if file.cid is not None:
            yield {"type": "Link", **of_file, "href": f"ipfs://{file.cid}"}
