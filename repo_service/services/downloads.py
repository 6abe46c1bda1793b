"""Downloads: who may read which bytes, and where they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy.orm import Session

from repo_service.domain.errors import Forbidden, NotFetched, NotFound
from repo_service.domain.identity import Identity
from repo_service.domain.resources import BACKUP_EXTENSION, BACKUP_KINDS, Visibility
from repo_service.models import Blob, Resource, Version
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.copies import Copies
from repo_service.services.fetching import Fetching
from repo_service.services.reading import gone, newest_inspection, readable_version, version_of
from storage import BlobCopies, BlobNotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """Bytes that the asker may read, from any of their copies. ``size`` in bytes; ``public`` says whether
    anybody may keep them."""

    digest: str
    size: int
    media_type: str
    file_name: str
    modified: datetime
    public: bool
    copies: BlobCopies


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedLink:
    """A signature that opens one version for a short while."""

    signature: str
    expires_at: datetime


class Downloads:
    """Use cases about getting bytes out."""

    def __init__(
        self,
        database: Database,
        copies: Copies,
        fetching: Fetching,
        *,
        secret_key: str,
        link_ttl: timedelta,
    ) -> None:
        self._database = database
        self._copies = copies
        self._fetching = fetching
        self._signer = URLSafeTimedSerializer(secret_key, salt="download-link")
        self._link_ttl = link_ttl

    def open(
        self,
        identity: Identity,
        resource_id: UUID,
        number: int,
        file_name: str,
        *,
        signature: str | None = None,
    ) -> Download:
        """The bytes of a version, by its number and its own file name; a backup of Moodle also by that name
        with ``.mbz`` at its end, for Moodle goes by the extension.

        Raises NotFound, Gone, Forbidden for a signature that is wrong or too old, NotFetched for what is not
        on this mirror yet, BlobNotFound.
        """
        if signature is not None:
            self._check(signature, resource_id, number)
        with self._database.read() as session:
            if signature is None:
                version = readable_version(session, identity, resource_id, number)
            else:
                resource = session.get(Resource, resource_id)
                if resource is None:
                    raise NotFound
                if resource.visibility == Visibility.WITHDRAWN.value:
                    raise gone(resource) if resource.released_at else NotFound
                version = version_of(session, resource, number)
            blob = None if version.digest is None else session.get(Blob, version.digest)
            if blob is None or not _is_called(session, version, file_name):
                raise NotFound("There is no such file.")
            try:
                copies = self._copies.of(session, blob.digest)
            except BlobNotFound:
                home = version.resource.origin
            else:
                return Download(
                    digest=blob.digest,
                    size=blob.size,
                    media_type=blob.media_type if version.inspected_at else "application/octet-stream",
                    file_name=file_name,
                    modified=version.created_at,
                    public=version.released_at is not None,
                    copies=copies,
                )
        if self._fetching.fetch_later(blob.digest, hint=True):
            raise NotFetched(home=home)
        raise BlobNotFound(f"no configured store has {blob.digest}")

    def sign(self, identity: Identity, resource_id: UUID, number: int) -> tuple[SignedLink, str]:
        """A link to a version that needs no log-in for a short while, and the file's name.

        Raises NotFound, Gone.
        """
        with self._database.read() as session:
            version = readable_version(session, identity, resource_id, number)
            signature = self._signer.dumps([str(resource_id), number])
            link = SignedLink(signature=str(signature), expires_at=now() + self._link_ttl)
            return link, version.file_name

    def _check(self, signature: str, resource_id: UUID, number: int) -> None:
        try:
            signed = self._signer.loads(signature, max_age=int(self._link_ttl.total_seconds()))
        except BadSignature as error:
            raise Forbidden("This link is wrong or has expired: ask its owner for a new one.") from error
        if signed != [str(resource_id), number]:
            raise Forbidden("This link belongs to another file.")


def _is_called(session: Session, version: Version, file_name: str) -> bool:
    if file_name == version.file_name:
        return True
    if file_name != f"{version.file_name}{BACKUP_EXTENSION}" or version.inspected_at is None:
        return False
    record = newest_inspection(session, version.digest)
    return record is not None and record.kind in BACKUP_KINDS
