"""Uploads: room is reserved, bytes are staged and hashed as they come, then kept under their digest."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Protocol, Self
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from repo_service.domain.errors import (
    Conflict,
    DigestMismatch,
    NotFound,
    NotVerified,
    PayloadTooLarge,
    SizeMismatch,
)
from repo_service.domain.identity import Identity, Scope
from repo_service.domain.resources import LocationState, Noun, UploadState, UploadWay
from repo_service.models import Blob, BlobLocation, Upload, Version
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.models.insert import insert_if_absent
from repo_service.services.accounts import require_account
from repo_service.services.copies import read_back
from repo_service.services.fingerprint import Fingerprint
from repo_service.services.keeping import Made, claim
from repo_service.services.quota import require_room
from repo_service.services.records import UploadRecord
from repo_service.services.room import Filling, Room
from repo_service.services.trail import audit
from storage import (
    BlobStore,
    Copy,
    Locator,
    Sidecar,
    Staged,
    StorageError,
    appendable_staging,
    presigned_multipart,
)

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_MARGIN = timedelta(hours=1)
"""Far more than clocks differ, and than putting parts together takes."""
_VERIFIED_PER_SECOND = 100 * 1024 * 1024
_LONGEST_WAIT_SECONDS = 60
_STAYS = {UploadState.USED.value, UploadState.VERIFYING.value}
"""States in which an upload is there for its owner however old it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadLimits:
    """What uploads must respect. Sizes in bytes."""

    max_size: int
    default_quota: int
    min_free: int
    ttl: timedelta


class Publishable(Protocol):
    """Bytes that are all there, and can be published or forgotten: see ``storage.Staged``."""

    def publish(self, sidecar: Sidecar) -> Locator: ...

    def abort(self) -> None: ...


class Uploads:
    """Use cases about files on their way in."""

    def __init__(
        self, database: Database, store: BlobStore, limits: UploadLimits, *, staging: BlobStore | None = None
    ) -> None:
        """``staging`` keeps the bytes of uploads that come in several goes, when ``store`` does not."""
        self._database = database
        self._store = store
        self._limits = limits
        self._room = Room(store, min_free=limits.min_free)
        self._staging = store if staging is None else staging

    def begin(
        self,
        identity: Identity,
        *,
        file_name: str,
        size: int,
        expected_digest: str | None = None,
        overhead: int = 0,
    ) -> UploadRecord:
        """Reserve room for ``size`` bytes. Nothing of the file needs to have been read yet.

        ``overhead`` is how much of ``size`` may turn out to be the form around the file.

        Raises PayloadTooLarge, QuotaExceeded, StorageFull.
        """
        account_id = require_account(identity, Scope.WRITE)
        if size > self._limits.max_size + overhead:
            raise PayloadTooLarge("The file is larger than this service takes.", limit=self._limits.max_size)
        size = min(size, self._limits.max_size)
        self._room.require(size)
        with self._database.write() as session:
            require_room(
                session,
                account_id,
                size,
                default_quota=self._limits.default_quota,
                client_id=identity.client_id,
            )
            upload = Upload(
                account_id=account_id,
                client_id=identity.client_id,
                file_name=file_name,
                declared_size=size,
                expected_digest=expected_digest,
                expires_at=now() + self._limits.ttl,
            )
            session.add(upload)
            session.flush()
            return upload_record(upload)

    def get(self, identity: Identity, upload_id: UUID) -> UploadRecord:
        """One of the asker's uploads. Raises NotFound."""
        with self._database.read() as session:
            return upload_record(own_upload(session, require_account(identity, Scope.WRITE), upload_id))

    def require_digest(self, identity: Identity, upload_id: UUID, expected: str) -> None:
        """Compare an upload with what its file should be.

        Raises NotFound, Conflict, NotVerified, DigestMismatch.
        """
        with self._database.read() as session:
            upload = own_upload(session, require_account(identity, Scope.WRITE), upload_id)
            if upload.digest is None:
                _require_finished(upload)
                raise Conflict("This upload's file has been deleted meanwhile: send it again.")
            _require_equal(expected, upload.digest)

    def receive(
        self, identity: Identity, upload_id: UUID, *, exact: bool = True, announced: int | None = None
    ) -> Receiver:
        """Take the bytes of an open upload. ``exact``: they must be just as many as were declared.

        ``announced`` is how many the sender says will come. Raises NotFound, Conflict when it is finished
        already, SizeMismatch when another size was declared.
        """
        with self._database.read() as session:
            upload = own_upload(session, require_account(identity, Scope.WRITE), upload_id)
            if upload.way != UploadWay.BODY.value:
                raise Conflict("The bytes of this upload are not sent here: see how it was begun.")
            if upload.state != UploadState.OPEN.value:
                raise Conflict("This upload has its file already: begin a new one.")
            record = upload_record(upload)
        if announced is not None and announced != record.size:
            raise SizeMismatch(
                "The body has another size than was declared for this upload.",
                expected=record.size,
                received=announced,
            )
        staged = self._store.stage(expected_size=record.size)
        return Receiver(self, record, staged, Filling(self._room), exact=exact)

    def cancel(self, identity: Identity, upload_id: UUID) -> None:
        """Give an upload up. Raises NotFound, Conflict when a version has taken it or takes it now."""
        with self._database.write() as session:
            upload = own_upload(session, require_account(identity, Scope.WRITE), upload_id)
            if upload.state in (UploadState.USED.value, UploadState.PUBLISHING.value):
                raise Conflict("This upload has become a version already, or is just being kept.")
            _let_go(session, upload)
        self.discard(upload)

    def abandon(self, upload_id: UUID) -> None:
        """Give up an upload that failed; a used one stays."""
        with self._database.write() as session:
            upload = session.scalar(select(Upload).where(Upload.id == upload_id).with_for_update())
            if upload is None or upload.state == UploadState.USED.value:
                return
            _let_go(session, upload)
        self.discard(upload)

    def sweep(self) -> int:
        """Forget uploads that expired, and staged bytes that nobody writes to; returns how many uploads.

        What waits to be verified stays, however long that takes, and so does what somebody sends bytes to at
        this moment. No staged bytes go while some have waited for so long that they could be taken for
        abandoned ones.
        """
        moment = now()
        with self._database.write() as session:
            gone = session.scalars(
                select(Upload)
                .where(
                    Upload.expires_at <= moment,
                    or_(Upload.held_until.is_(None), Upload.held_until <= moment),
                    ~_waits_for_verification(),
                )
                .with_for_update(skip_locked=True)
            ).all()
            for upload in gone:
                session.delete(upload)
            overdue = session.scalar(
                select(Upload.id)
                .where(Upload.expires_at <= moment + _MARGIN, _waits_for_verification())
                .limit(1)
            )
        for upload in gone:
            self.discard(upload)
        if overdue is None:
            for store in {self._store, self._staging}:
                store.sweep_staged(older_than=self._limits.ttl)
        return len(gone)

    def discard(self, upload: Upload) -> None:
        """Give back what the store keeps of an upload that is given up; a sweep does what cannot be now."""
        if upload.staging_key is None:
            return
        direct, appendable = presigned_multipart(self._store), appendable_staging(self._staging)
        with suppress(StorageError):
            if upload.way == UploadWay.DIRECT.value and direct is not None:
                direct.discard_multipart(upload.staging_key)
            if upload.way == UploadWay.TUS.value and appendable is not None:
                appendable.discard_staged(upload.staging_key)

    def keep(
        self,
        upload: UploadRecord,
        staged: Publishable,
        sidecar: Sidecar,
        checks: bytes,
        file_name: str,
        *,
        also: Callable[[Session, Blob], None] = lambda session, blob: None,
    ) -> UploadRecord:
        """Publish staged bytes under their digest, unless they are there, and finish the upload.

        ``upload`` is in the state that it still has to be in. ``checks`` are the checksums of its chunks,
        ``also`` is done in the transaction that finishes it. Raises NotFound, Conflict, Busy, and the store's
        errors.
        """
        locator = self._claim(upload, sidecar, checks)
        try:
            stands = locator is not None and self._is_right(locator, sidecar)
            if not stands:
                self._publish(staged, sidecar)
        except BaseException:
            self._reopen(upload)
            raise
        with self._database.write() as session:
            row = session.scalar(select(Upload).where(Upload.id == upload.id).with_for_update())
            if row is None:
                raise NotFound("This upload has expired: begin a new one.")
            blob = session.scalar(select(Blob).where(Blob.digest == sidecar.digest).with_for_update())
            if row.state != UploadState.PUBLISHING.value or row.digest != sidecar.digest or blob is None:
                raise Conflict("Somebody else has taken this upload over.")
            row.state = UploadState.FINISHED.value
            row.declared_size = sidecar.size
            row.file_name = file_name
            row.staging_key = None
            also(session, blob)
            finished = upload_record(row)
        if stands:  # not before it is finished: until then, a further attempt may need them
            staged.abort()
        return finished

    def _claim(self, upload: UploadRecord, sidecar: Sidecar, checks: bytes) -> Locator | None:
        """Give the upload its digest, which keeps the garbage collector away from the blob.

        Only one sender of an upload gets that far. Returns the locator when the store should have the bytes
        already.
        """

        def require_state(session: Session) -> None:
            row = session.scalar(select(Upload).where(Upload.id == upload.id).with_for_update())
            if row is None:
                raise NotFound("This upload was cancelled or has expired: begin a new one.")
            if row.state != upload.state.value:
                raise Conflict("Somebody else has sent the file of this upload: begin a new one.")

        def begin_publishing(session: Session, blob: Blob) -> None:
            blob.checks = checks
            row = session.get_one(Upload, upload.id)
            row.state, row.digest = UploadState.PUBLISHING.value, sidecar.digest

        made = Made(digest=sidecar.digest, size=sidecar.size, media_type=sidecar.media_type)
        return claim(self._database, self._store, made, first=require_state, also=begin_publishing)

    def _reopen(self, upload: UploadRecord) -> None:
        with self._database.write() as session:
            row = session.get(Upload, upload.id)
            if row is not None and row.state == UploadState.PUBLISHING.value:
                row.state = upload.state.value
                if upload.way is not UploadWay.TUS:  # whose staged bytes may just have become the blob
                    row.digest = None

    def _is_right(self, locator: Locator, sidecar: Sidecar) -> bool:
        """Whether the copy that the catalogue names is there to its last bit: the bytes that have come are
        dropped for it. One that is not is noted, to be replaced."""
        state, _ = read_back(sidecar.digest, Copy(self._store, locator))
        if state is LocationState.PRESENT:  # that it was looked at shows nowhere: others may see its row
            return True
        with self._database.write() as session:
            session.execute(
                update(BlobLocation)
                .where(BlobLocation.store == self._store.name, BlobLocation.locator == locator)
                .values(state=state.value)
            )
        return False

    def _publish(self, staged: Publishable, sidecar: Sidecar) -> None:
        locator = staged.publish(sidecar)
        moment = now()
        with self._database.write() as session:
            insert_if_absent(
                session,
                BlobLocation,
                digest=sidecar.digest,
                store=self._store.name,
                locator=locator,
                state=LocationState.PRESENT.value,
                verified_at=moment,
                created_at=moment,
            )
            location = session.scalars(
                select(BlobLocation).where(
                    BlobLocation.digest == sidecar.digest, BlobLocation.store == self._store.name
                )
            ).one()
            superfluous: Locator | None = None
            if location.state != LocationState.PRESENT.value:
                location.locator, location.state, location.verified_at = (
                    locator,
                    LocationState.PRESENT.value,
                    moment,
                )
            elif location.locator != locator:
                superfluous = locator
        if superfluous is not None:  # somebody published the same bytes a moment earlier
            self._store.delete(superfluous)


class Receiver:
    """Bytes of one upload, hashed and staged as they come; dropped when the block ends without ``finish``."""

    def __init__(
        self, uploads: Uploads, upload: UploadRecord, staged: Staged, filling: Filling, *, exact: bool
    ) -> None:
        self._uploads = uploads
        self._upload = upload
        self._staged = staged
        self._filling = filling
        self._exact = exact
        self._fingerprint = Fingerprint()

    @property
    def size(self) -> int:
        """Bytes taken so far."""
        return self._staged.size

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take some bytes. Raises SizeMismatch when they are more than declared, StorageFull, and the store's
        errors."""
        if self._staged.size + len(data) > self._upload.size:
            if not self._exact:
                raise PayloadTooLarge("The file is larger than this service takes.", limit=self._upload.size)
            raise SizeMismatch(
                "More bytes came than were announced.",
                expected=self._upload.size,
                received=self._staged.size + len(data),
            )
        self._filling.add(len(data))
        self._fingerprint.update(data)
        self._staged.write(data)

    def finish(self, *, file_name: str | None = None, expected_digest: str | None = None) -> UploadRecord:
        """Keep what was taken. Raises SizeMismatch, DigestMismatch, Busy, NotFound and the store's errors."""
        name = file_name or self._upload.file_name
        size = self._staged.size
        if self._exact and size != self._upload.size:
            raise SizeMismatch(
                "Fewer bytes came than were announced.", expected=self._upload.size, received=size
            )
        for expected in (expected_digest, self._upload.expected_digest):
            if expected is not None:
                _require_equal(expected, self._fingerprint.digest)
        return self._uploads.keep(
            self._upload, self._staged, self._fingerprint.sidecar(), self._fingerprint.checks(), name
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._staged.abort()


def take(session: Session, identity: Identity, upload_id: UUID) -> Upload:
    """The asker's finished upload, for the version that takes it now.

    Raises NotFound, NotVerified while it is being verified, Conflict.
    """
    account_id = require_account(identity, Scope.WRITE)
    upload = own_upload(session, account_id, upload_id)
    _require_finished(upload)
    # Against the garbage collector. Locks are taken in this order everywhere: upload, blob, resource.
    blob = session.scalar(select(Blob).where(Blob.digest == upload.digest).with_for_update())
    if blob is None or blob.deleting_at is not None:
        raise Conflict("This upload's file has been deleted meanwhile: send it again.")
    upload.state = UploadState.USED.value
    audit(
        session, identity, "upload", Noun.UPLOAD, upload.id, digest=upload.digest, size=upload.declared_size
    )
    return upload


def seconds_to_verify(size: int) -> int:
    """After how many seconds it is worth asking again about ``size`` bytes that are being verified."""
    return min(_LONGEST_WAIT_SECONDS, 1 + size // _VERIFIED_PER_SECOND)


def _require_finished(upload: Upload) -> None:
    match UploadState(upload.state):
        case UploadState.FINISHED:
            return
        case UploadState.VERIFYING | UploadState.PUBLISHING:
            raise NotVerified(retry_after=seconds_to_verify(upload.declared_size))
        case UploadState.FAILED:
            raise Conflict(upload.reason or "This upload has failed: begin a new one.")
        case _:
            raise Conflict("This upload has no file yet, or was used already.")


def _waits_for_verification() -> ColumnElement[bool]:
    """What is published while somebody waits for the answer is not meant: nobody goes on with that."""
    return or_(
        Upload.state == UploadState.VERIFYING.value,
        and_(Upload.state == UploadState.PUBLISHING.value, Upload.way != UploadWay.BODY.value),
    )


def _require_equal(expected: str, digest: str) -> None:
    if expected.lower() != digest:
        raise DigestMismatch(
            "The file arrived with other bytes than announced: send it again.",
            expected=expected,
            received=digest,
        )


def _let_go(session: Session, upload: Upload) -> None:
    """Forget an upload. Bytes that were kept for it count until they are collected, which is soon when nobody
    else has them: who uploads and cancels in a circle fills no disk."""
    if upload.digest is None or upload.state != UploadState.FINISHED.value:
        session.delete(upload)
        return
    upload.expires_at = now()
    shared = session.scalar(
        select(Upload.id).where(Upload.digest == upload.digest, Upload.id != upload.id).limit(1)
    ) or session.scalar(select(Version.id).where(Version.digest == upload.digest).limit(1))
    if shared is None:
        session.execute(update(Blob).where(Blob.digest == upload.digest).values(claimed_at=_LONG_AGO))


def own_upload(session: Session, account_id: UUID, upload_id: UUID) -> Upload:
    """The upload, if it is the account's and has not expired; locked in a writing session.

    Raises NotFound.
    """
    upload = session.scalar(
        select(Upload).where(Upload.id == upload_id, Upload.account_id == account_id).with_for_update()
    )
    if upload is None or (upload.expires_at <= now() and upload.state not in _STAYS):
        raise NotFound("There is no such upload, or it has expired: begin a new one.")
    return upload


def upload_record(upload: Upload) -> UploadRecord:
    """The upload as the faces show it."""
    return UploadRecord(
        id=upload.id,
        file_name=upload.file_name,
        size=upload.declared_size,
        way=UploadWay(upload.way),
        state=UploadState(upload.state),
        reason=upload.reason,
        digest=upload.digest,
        expected_digest=upload.expected_digest,
        expires_at=upload.expires_at,
        created_at=upload.created_at,
    )
