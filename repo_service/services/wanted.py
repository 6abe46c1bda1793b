"""What is wanted where: which blobs belong into every store, and which of them the public may have.

A store that is not public gets whatever a version or a snapshot holds. A public one gets what anybody may
download anyway: released versions of resources that are public, and snapshots of the public catalogue.

Renditions stay where they were made, in the primary store: whoever loses one makes it again. One is held as
long as a version holds its source.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, exists, false, or_

from repo_service.domain.resources import Visibility
from repo_service.models import Blob, Rendition, Resource, Snapshot, Version
from storage import BlobStore, Capability


def held() -> ColumnElement[bool]:
    """Whether a version or a snapshot holds the blob of the query, or a version holds its source."""
    return or_(_in_catalogue(), _is_rendition())


def wanted_in(store: BlobStore) -> ColumnElement[bool]:
    """Whether the blob of the query belongs into ``store``."""
    return _released() if Capability.PUBLIC in store.capabilities else _in_catalogue()


def unwanted_in(store: BlobStore) -> ColumnElement[bool]:
    """Whether the blob of the query must not be in ``store``: what somebody keeps to themselves, or withdrew.

    What nobody holds is the garbage collector's, after the grace period, in every store.
    """
    if Capability.PUBLIC not in store.capabilities:
        return false()
    ours = or_(_in_version(), _is_rendition())
    return and_(ours, ~or_(_released(), _is_rendition(*_IS_RELEASED)))


def only_rendition() -> ColumnElement[bool]:
    """Whether the blob of the query is a rendition and nothing else: who loses it has lost nothing."""
    return and_(exists().where(Rendition.digest == Blob.digest).correlate(Blob), ~_in_catalogue())


_IS_RELEASED = (
    Version.released_at.is_not(None),
    Resource.id == Version.resource_id,
    Resource.visibility == Visibility.PUBLIC.value,
)


def _released() -> ColumnElement[bool]:
    return or_(_in_version(*_IS_RELEASED), _in_snapshot())


def _in_catalogue() -> ColumnElement[bool]:
    return or_(_in_version(), _in_snapshot())


def _in_version(*such: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(Version.digest == Blob.digest, *such).correlate(Blob)


def _is_rendition(*such: ColumnElement[bool]) -> ColumnElement[bool]:
    """Of the file of a version that is ``such`` a one."""
    of_version = Version.digest == Rendition.source_digest
    return exists().where(Rendition.digest == Blob.digest, of_version, *such).correlate(Blob)


def _in_snapshot() -> ColumnElement[bool]:
    named = or_(Snapshot.manifest_digest == Blob.digest, Snapshot.catalogue_digest == Blob.digest)
    return exists().where(named).correlate(Blob)
