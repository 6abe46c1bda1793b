"""What is wanted where: which blobs belong into every store, and which of them the public may have.

A store that is not public gets whatever a version or a snapshot holds. A public one gets what anybody may
download anyway: released versions of resources that are public, and snapshots of the public catalogue.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, or_

from repo_service.domain.resources import Visibility
from repo_service.models import Blob, Resource, Snapshot, Version
from storage import BlobStore, Capability


def held() -> ColumnElement[bool]:
    """Whether a version or a snapshot holds the blob of the query."""
    return or_(exists().where(Version.digest == Blob.digest).correlate(Blob), _in_snapshot())


def released() -> ColumnElement[bool]:
    """Whether anybody may download the blob of the query."""
    return or_(
        exists()
        .where(
            Version.digest == Blob.digest,
            Version.released_at.is_not(None),
            Resource.id == Version.resource_id,
            Resource.visibility == Visibility.PUBLIC.value,
        )
        .correlate(Blob),
        _in_snapshot(),
    )


def wanted_in(store: BlobStore) -> ColumnElement[bool]:
    """Whether the blob of the query belongs into ``store``."""
    return released() if Capability.PUBLIC in store.capabilities else held()


def _in_snapshot() -> ColumnElement[bool]:
    named = or_(Snapshot.manifest_digest == Blob.digest, Snapshot.catalogue_digest == Blob.digest)
    return exists().where(named).correlate(Blob)
