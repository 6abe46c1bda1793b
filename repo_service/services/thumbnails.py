"""Thumbnails of versions: who may see them, and where their bytes are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from repo_service.domain.errors import NotFound
from repo_service.domain.identity import Identity
from repo_service.domain.resources import RenditionKind
from repo_service.models import Blob
from repo_service.models.database import Database
from repo_service.services.reading import readable_version
from repo_service.services.renditions import Renditions
from storage import BlobCopies


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A WebP. ``size`` in bytes; ``public`` says whether anybody may keep it."""

    digest: str
    size: int
    media_type: str
    modified: datetime
    public: bool
    copies: BlobCopies


class Thumbnails:
    """Finds them."""

    def __init__(self, database: Database, renditions: Renditions) -> None:
        self._database = database
        self._renditions = renditions

    def open(self, identity: Identity, resource_id: UUID, number: int, *, large: bool) -> Thumbnail:
        """That of a version that the asker may read. Raises NotFound, also where there is none; Gone."""
        kind = RenditionKind.THUMBNAIL_LARGE if large else RenditionKind.THUMBNAIL
        with self._database.read() as session:
            version = readable_version(session, identity, resource_id, number)
            found = (
                None
                if version.digest is None
                else self._renditions.find(session, version.digest, kind, since=version.created_at)
            )
            blob = None if found is None else session.get(Blob, found[0])
            if found is None or blob is None:
                raise NotFound("There is no picture of this version.")
            return Thumbnail(
                digest=blob.digest,
                size=blob.size,
                media_type=blob.media_type,
                modified=blob.created_at,
                public=version.released_at is not None,
                copies=found[1],
            )
