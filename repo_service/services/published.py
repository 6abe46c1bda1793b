"""Resources as other servers see them: what is public and at home here, and what is left of the rest."""

from __future__ import annotations

from collections.abc import Collection as Many
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from repo_service.domain.errors import Gone, NotFound
from repo_service.domain.identity import PUBLIC
from repo_service.domain.resources import Visibility
from repo_service.domain.vocabularies import LEVELS, LICENCES, SUBJECTS, TYPES, uri_of
from repo_service.federation.addresses import ActorKind, ActorRef, Addresses, ObjectKind
from repo_service.federation.objects import Document, PublishedFile, Tombstone
from repo_service.models import Resource
from repo_service.models.database import Database
from repo_service.services.actors import people_among
from repo_service.services.reading import records_of, visible
from repo_service.services.records import ResourceRecord, VersionRecord
from repo_service.services.stores import Stores

IS_PUBLIC: Final = Resource.visibility == Visibility.PUBLIC.value
IS_OURS: Final = Resource.origin.is_(None)
"""Not a copy of what another service publishes itself."""

DOCUMENT: Final = "Document"
_ANY_TYPE: Final = "application/octet-stream"


class Published:
    """Use case: show a resource to other servers. They all see what everybody sees."""

    def __init__(self, database: Database, stores: Stores, addresses: Addresses) -> None:
        self._database = database
        self._stores = stores
        self._addresses = addresses

    def get(self, resource_id: UUID) -> Document | Tombstone:
        """The resource, or what is left of it. Raises NotFound for what never was public, and for what is at
        home elsewhere."""
        with self._database.frozen() as session:
            try:
                resource = visible(session, PUBLIC, resource_id)
            except Gone as gone:
                _require_ours(session.get_one(Resource, resource_id))
                return self.tombstone(resource_id, gone)
            _require_ours(resource)
            return self.documents(session, [resource_id])[resource_id]

    def documents(self, session: Session, ids: Many[UUID]) -> dict[UUID, Document]:
        """Many of them, with as many queries as for one. Nothing is checked here: they are public."""
        records = records_of(session, ids, PUBLIC)
        people = people_among(session, {record.owner_id for record in records.values()})
        return {
            id_: self._document(record, ActorRef(ActorKind.ACCOUNT, record.owner_id))
            if record.owner_id in people
            else self._document(record, None)
            for id_, record in records.items()
        }

    def tombstone(self, resource_id: UUID, gone: Gone) -> Tombstone:
        """What is left of one that was withdrawn."""
        return Tombstone(
            id=self._addresses.object(ObjectKind.RESOURCE, resource_id),
            former_type=DOCUMENT,
            deleted=gone.withdrawn_at,
        )

    def _document(self, record: ResourceRecord, owner: ActorRef | None) -> Document:
        assert record.released_at is not None
        changed = record.changed_at or record.released_at
        return Document(
            id=record.id,
            name=record.title,
            summary=record.summary_html,
            owner=owner,
            page=record.canonical_url,
            authors=tuple(author.name for author in record.authors),
            licence=None if record.licence is None else self._uri(LICENCES, record.licence),
            languages=record.languages,
            subjects=self._uris(SUBJECTS, record.subjects),
            levels=self._uris(LEVELS, record.levels),
            types=self._uris(TYPES, record.types),
            keywords=record.keywords,
            published=record.released_at,
            updated=changed if changed > record.released_at else None,
            files=tuple(self._files(record.versions)),
        )

    def _files(self, versions: Iterable[VersionRecord]) -> Iterable[PublishedFile]:
        for version in versions:
            if version.released_at is not None and version.digest is not None:
                yield PublishedFile(
                    number=version.number,
                    file_name=version.file_name,
                    media_type=version.media_type or _ANY_TYPE,
                    size=version.size or 0,
                    digest=version.digest,
                    cid=self._stores.public_cid(version.copies),
                )

    def _uris(self, name: str, codes: Iterable[str]) -> tuple[str, ...]:
        return tuple(self._uri(name, code) for code in codes)

    def _uri(self, name: str, code: str) -> str:
        return uri_of(name, code, self._addresses.base_url)


def _require_ours(resource: Resource) -> None:
    if resource.origin is not None:
        raise NotFound
