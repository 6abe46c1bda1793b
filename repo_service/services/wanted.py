"""What is wanted where: which blobs belong into every store, and which of them the public may have.

A store that is not public gets whatever a version or a snapshot holds. A public one gets what anybody may
download anyway: released versions of resources that are public, and snapshots of the public catalogue.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, exists, false, or_

from repo_service.domain.resources import Visibility
from repo_service.models import Blob, Resource, Snapshot, Version
from storage import BlobStore, Capability


def held() -> ColumnElement[bool]:
    """Whether a version or a snapshot holds the blob of the query."""
    return or_(_in_version(), _in_snapshot())


def wanted_in(store: BlobStore) -> ColumnElement[bool]:
    """Whether the blob of the query belongs into ``store``."""
    return _released() if Capability.PUBLIC in store.capabilities else held()


def unwanted_in(store: BlobStore) -> ColumnElement[bool]:
    """Whether the blob of the query must not be in ``store``: what somebody keeps to themselves, or withdrew.

    What nobody holds is the garbage collector's, after the grace period, in every store.
    """
    return and_(_in_version(), ~_released()) if Capability.PUBLIC in store.capabilities else false()


def _released() -> ColumnElement[bool]:
    by_version = exists().where(
        Version.digest == Blob.digest,
        Version.released_at.is_not(None),
        Resource.id == Version.resource_id,
        Resource.visibility == Visibility.PUBLIC.value,
    )
    return or_(by_version.correlate(Blob), _in_snapshot())


def _in_version() -> ColumnElement[bool]:
    return exists().where(Version.digest == Blob.digest).correlate(Blob)


def _in_snapshot() -> ColumnElement[bool]:
    named = or_(Snapshot.manifest_digest == Blob.digest, Snapshot.catalogue_digest == Blob.digest)
    return exists().where(named).correlate(Blob)
