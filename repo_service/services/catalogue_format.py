"""How the public catalogue is written down: a manifest, and a file with a line for each resource.

A line describes one resource as AMB, a profile of schema.org (https://w3id.org/kim/amb/); ``encoding`` names
the file of every released version. The lines stand in the order of their ids and are compressed by gzip. The
same resources make the same bytes: nothing in them depends on when, or by whom, they are written. The
manifest names the file, and the manifest before it. docs/catalogue.md tells others of the format.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from repo_service.domain.redirects import host_of
from repo_service.domain.vocabularies import LEVELS, LICENCES, SUBJECTS, TYPES, uri_of
from repo_service.services.records import Author

CATALOGUE_NAME: Final = "catalogue.jsonl.gz"
CATALOGUE_TYPE: Final = "application/gzip"
MANIFEST_NAME: Final = "manifest.json"
MANIFEST_TYPE: Final = "application/json"

FORMAT: Final = "moodle-resources-catalogue"
VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueFile:
    """The file of a released version. ``size`` in bytes; ``cid`` is its name in IPFS, where it is there."""

    number: int
    file_name: str
    media_type: str
    size: int
    digest: str
    cid: str | None
    change_note: str
    created_at: datetime
    released_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """A public resource: all that everybody may know of it. ``url`` is its page at the repository that it was
    published in, ``canonical_url`` the one at the instance that linked it, if any did."""

    id: UUID
    url: str
    canonical_url: str | None
    title: str
    summary_html: str
    licence: str | None
    languages: tuple[str, ...]
    subjects: tuple[str, ...]
    levels: tuple[str, ...]
    types: tuple[str, ...]
    authors: tuple[Author, ...]
    keywords: tuple[str, ...]
    created_at: datetime
    released_at: datetime
    updated_at: datetime
    files: tuple[CatalogueFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFile:
    """A file by its names. ``size`` in bytes."""

    digest: str
    size: int
    cid: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a catalogue is, and which came before. ``inflated`` is the size of its lines in bytes."""

    service_name: str
    service_url: str
    software: str
    generated_at: datetime
    change_seq: int
    resources: int
    catalogue: NamedFile
    inflated: int
    previous: NamedFile | None


def line_of(entry: CatalogueEntry, *, base_url: str) -> bytes:
    """The line of a resource, whose files are given out under ``base_url``."""
    return _json(document_of(entry, base_url=base_url)) + b"\n"


def document_of(entry: CatalogueEntry, *, base_url: str) -> dict[str, Any]:
    """A resource by AMB, what is not said left out."""
    document: dict[str, Any] = {
        "@context": ["https://w3id.org/kim/amb/context.jsonld", {"@language": _language_of(entry)}],
        "id": entry.url,
        "type": ["LearningResource"],
        "identifier": str(entry.id),
        "name": entry.title,
        "description": entry.summary_html,
        "license": None if entry.licence is None else _references(LICENCES, [entry.licence], base_url)[0],
        "inLanguage": list(entry.languages),
        "about": _references(SUBJECTS, entry.subjects, base_url),
        "educationalLevel": _references(LEVELS, entry.levels, base_url),
        "learningResourceType": _references(TYPES, entry.types, base_url),
        "creator": [_creator(author) for author in entry.authors],
        "keywords": list(entry.keywords),
        "mainEntityOfPage": [] if entry.canonical_url is None else [page_of(entry.canonical_url)],
        "dateCreated": _written(entry.created_at),
        "datePublished": _written(entry.released_at),
        "dateModified": _written(entry.updated_at),
        "encoding": [_encoding(entry, file, base_url) for file in entry.files],
    }
    return {name: value for name, value in document.items() if value not in (None, "", [])}


def page_of(url: str) -> dict[str, Any]:
    """A page of another server that has a resource for its main entity (AMB, ``mainEntityOfPage``)."""
    host = host_of(url)
    return {"id": url, "type": "WebContent", "provider": {"id": f"https://{host}", "name": host}}


def write_manifest(manifest: Manifest) -> bytes:
    """The manifest as it is kept."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "service": {
            "name": manifest.service_name,
            "url": manifest.service_url,
            "software": manifest.software,
        },
        "generated_at": _written(manifest.generated_at),
        "change_seq": manifest.change_seq,
        "resources": manifest.resources,
        "catalogue": {
            "name": CATALOGUE_NAME,
            "media_type": CATALOGUE_TYPE,
            **_named(manifest.catalogue),
            "inflated_size": manifest.inflated,
        },
        "previous": None if manifest.previous is None else _named(manifest.previous),
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode(errors="replace") + b"\n"


class Deflater:
    """Lines as gzip (RFC 1952), without a time or a name in its head."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        """``write`` gets the compressed bytes."""
        # zlib's own, not isal's: which bytes that one writes depends on the processor.
        self._deflate = zlib.compressobj(6, zlib.DEFLATED, 31)
        self._write = write
        self.inflated = 0
        """Bytes of the lines so far."""

    def add(self, line: bytes) -> None:
        """Append a line."""
        self.inflated += len(line)
        self._write(self._deflate.compress(line))

    def finish(self) -> None:
        """Write the end."""
        self._write(self._deflate.flush())


def seconds(moment: datetime) -> datetime:
    """A moment as precise as the catalogue has it."""
    return moment.astimezone(UTC).replace(microsecond=0)


def _language_of(entry: CatalogueEntry) -> str:
    """In which language the texts are, which AMB wants to know: the first one of the resource."""
    return next(iter(entry.languages), "en").partition("-")[0]


def _references(name: str, codes: Sequence[str], base_url: str) -> list[dict[str, str]]:
    return [{"id": uri_of(name, code, base_url)} for code in codes]


def _creator(author: Author) -> dict[str, str]:
    return {"type": "Person", "name": author.name, **({"id": author.url} if author.url else {})}


def _encoding(entry: CatalogueEntry, file: CatalogueFile, base_url: str) -> dict[str, Any]:
    named = {"identifier": file.cid, "sameAs": f"ipfs://{file.cid}"} if file.cid else {}
    note = {"description": file.change_note} if file.change_note else {}
    return {
        "type": "MediaObject",
        "version": str(file.number),
        "name": file.file_name,
        "encodingFormat": file.media_type,
        "contentSize": str(file.size),
        "sha256": file.digest,
        "contentUrl": f"{base_url}/files/{entry.id}/{file.number}/{quote(file.file_name, safe='')}",
        **named,
        **note,
        "uploadDate": _written(file.created_at),
        "datePublished": _written(file.released_at),
    }


def _named(file: NamedFile) -> dict[str, Any]:
    return {"sha256": file.digest, "size": file.size, "cid": file.cid}


def _written(moment: datetime) -> str:
    return seconds(moment).strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(document: object) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
