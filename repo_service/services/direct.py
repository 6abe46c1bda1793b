"""Uploads that go straight to the store, part by part: the bytes come past us, so they are read before
anybody may count on them.

``begin`` → the client sends the parts to presigned URLs → ``complete`` puts them together → a job reads the
whole once, for its SHA-256, the checksums of its chunks and its inspection → it is published.

Nothing of the store is asked for inside a transaction, so a crash can come between any two steps. Each step
therefore looks at where the store is, and may be done twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from repo_service.domain.errors import (
    Conflict,
    NoDirectUploads,
    NotFound,
    PartsMissing,
)
from repo_service.domain.identity import Identity, Scope
from repo_service.domain.resources import JobKind, JobState, Noun, UploadState, UploadWay
from repo_service.inspection.sources import RangeSource, ReadThrough
from repo_service.models import Blob, Job, Upload
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.accounts import require_account
from repo_service.services.fingerprint import Fingerprint
from repo_service.services.inspecting import Inspector
from repo_service.services.jobs import Jobs, Report
from repo_service.services.quota import require_room
from repo_service.services.records import UploadRecord
from repo_service.services.trail import audit
from repo_service.services.uploads import UploadLimits, Uploads, own_upload, upload_record
from storage import (
    BlobNotFound,
    BlobReader,
    BlobStore,
    Locator,
    MultipartUpload,
    PresignedMultipart,
    Sidecar,
    StorageError,
    StorageUnavailable,
    presigned_multipart,
)
from storage import PartsMissing as PartsMissingInStore

log = structlog.get_logger(__name__)

MOST_OPEN = 1000
"""Direct uploads that an account may have open at a time."""
_URL_LASTS = timedelta(hours=1)
_NAMED = 100
"""Most missing parts that one answer names."""
_LOOKS = 2
"""How many attempts to verify an upload also look inside: what breaks a parser must not lose the upload."""
_REVIVED_AFTER = timedelta(minutes=10)
_PARTS_ARE_GONE = "The parts of this upload are gone: begin a new one."
_SYSTEM = Identity(username="system")


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectUpload:
    """An upload in ``count`` parts of ``part_size`` bytes, of which the last may be shorter."""

    upload: UploadRecord
    part_size: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part: ``size`` in bytes, ``url`` takes it by PUT, ``etag`` is that of the one that is there."""

    number: int
    size: int
    url: str
    etag: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Some parts of an upload, in order. Their URLs expire all at once; ``next`` is None at the end."""

    direct: DirectUpload
    items: tuple[Part, ...]
    expires_at: datetime
    next: int | None


class DirectUploads:
    """Use cases about files that clients send to the store themselves."""

    def __init__(
        self,
        database: Database,
        store: BlobStore,
        uploads: Uploads,
        inspector: Inspector,
        jobs: Jobs,
        *,
        limits: UploadLimits,
    ) -> None:
        self._database = database
        self._store = presigned_multipart(store)
        self._uploads = uploads
        self._inspector = inspector
        self._jobs = jobs
        self._limits = limits

    def begin(
        self, identity: Identity, *, file_name: str, size: int, expected_digest: str | None = None
    ) -> DirectUpload:
        """Reserve room for ``size`` bytes, at least one, and open the store for them.

        Raises NoDirectUploads, PayloadTooLarge, QuotaExceeded, StorageFull, Conflict when the account has too
        many open, and the store's errors.
        """
        store = self._require_store()
        account_id = require_account(identity, Scope.WRITE)
        self._require_few(account_id)
        reserved = self._uploads.begin(
            identity, file_name=file_name, size=size, expected_digest=expected_digest
        )
        try:
            begun = store.begin_multipart(size)
            with self._database.write() as session:
                upload = own_upload(session, account_id, reserved.id)
                upload.way, upload.staging_key = UploadWay.DIRECT.value, begun.key
                return _direct(upload, begun)
        except BaseException:
            self._uploads.abandon(reserved.id)
            raise

    def parts(self, identity: Identity, upload_id: UUID, *, first: int, limit: int) -> Parts:
        """URLs of ``limit`` parts from number ``first``, and which of them are there already.

        Whoever asks goes on with the upload, so it expires later. Raises NotFound, Conflict when it takes no
        more parts, QuotaExceeded, and the store's errors.
        """
        store = self._require_store()
        moment = now()
        with self._database.write() as session:
            upload = self._own(session, identity, upload_id)
            if upload.state != UploadState.OPEN.value:
                raise Conflict("This upload takes no more parts: see its state.")
            upload.expires_at = moment + self._limits.ttl
            direct = _direct(upload, store.multipart(_key(upload)))
            key = _key(upload)
        try:
            there = {part.number: part for part in store.list_parts(key, first=first, limit=limit)}
        except BlobNotFound as error:
            raise Conflict(
                "The parts were put together, or given up: complete this upload, or begin anew."
            ) from error
        begun = store.multipart(key)
        last = min(begun.count, first + limit - 1)
        return Parts(
            direct=direct,
            items=tuple(
                Part(
                    number=number,
                    size=begun.length(number),
                    url=store.presign_part(key, number, expires=_URL_LASTS),
                    etag=there[number].etag if number in there else None,
                )
                for number in range(first, last + 1)
            ),
            expires_at=moment + _URL_LASTS,
            next=last + 1 if last < begun.count else None,
        )

    def complete(
        self, identity: Identity, upload_id: UUID, etags: Mapping[int, str] | None = None
    ) -> UploadRecord:
        """Put the parts together and have the whole verified. Doing it again tells how far that is.

        ``etags`` are the tags that the store answered for the parts; without them what it has counts. Raises
        NotFound, Conflict, PartsMissing, QuotaExceeded, and the store's errors.
        """
        store = self._require_store()
        with self._database.write() as session:
            upload = self._own(session, identity, upload_id)
            if upload.state != UploadState.OPEN.value:
                return upload_record(upload)
        try:
            store.complete_multipart(_key(upload), etags)
        except PartsMissingInStore as error:
            raise PartsMissing(missing=error.numbers[:_NAMED], count=len(error.numbers)) from error
        except BlobNotFound as error:
            self._fail(upload_id, _PARTS_ARE_GONE, UploadState.OPEN)
            with self._database.read() as session:
                self._own(session, identity, upload_id)  # or it was cancelled at this very moment
            raise Conflict(_PARTS_ARE_GONE) from error
        try:
            with self._database.write() as session:
                upload = own_upload(session, require_account(identity, Scope.WRITE), upload_id)
                if upload.state == UploadState.OPEN.value:
                    upload.state = UploadState.VERIFYING.value
                    upload.expires_at = now() + self._limits.ttl
                    upload.job_id = self._jobs.enqueue(session, JobKind.VERIFY, str(upload.id))
                return upload_record(upload)
        except NotFound:
            self._uploads.discard(upload)  # it was cancelled, or expired, at this very moment
            raise

    def verify(self, upload_id: str, report: Report) -> None:
        """Read the upload once; publish it when it is what was announced, refuse it otherwise.

        What is found inside is kept with it, so that nobody has to read it again for that.
        """
        store = self._require_store()
        upload = self._begin_verification(UUID(upload_id))
        if upload is None:
            return
        key = _key(upload)
        reading = _Reading(store, key, upload.declared_size, report)
        try:
            record = (
                self._inspector.look(reading.source, reading.sign_of_life) if self._looks(upload) else None
            )
            reading.source.finish()
            reason = reading.mismatch(upload.expected_digest)
            if reason is not None:  # the store may be to blame, or the line to it
                self._require_same(reading, _Reading(store, key, upload.declared_size, report))
        except BlobNotFound:
            self._fail(upload.id, "The store has lost the bytes of this upload: send them again.")
            return
        if reason is not None:
            self._fail(upload.id, reason)
            return

        def also(session: Session, blob: Blob) -> None:
            if record is not None:
                self._inspector.keep(session, blob, record)
            else:  # its job has found nothing that a version could take over
                session.get_one(Upload, upload.id).job_id = None

        try:
            self._uploads.keep(
                upload_record(upload),
                _PutTogether(store, key),
                reading.fingerprint.sidecar(),
                reading.fingerprint.checks(),
                upload.file_name,
                also=also,
            )
        except NotFound:
            self._uploads.discard(upload)  # cancelled meanwhile

    def revive(self) -> int:
        """Try again to verify what could not be for a while; returns how many uploads.

        None is ever given up here: its sender was told that every byte has arrived.
        """
        with self._database.read() as session:
            ids = session.scalars(
                select(Upload.id)
                .join(Job, Job.id == Upload.job_id)
                .where(
                    Upload.way == UploadWay.DIRECT.value,
                    Upload.state.in_((UploadState.VERIFYING.value, UploadState.PUBLISHING.value)),
                    Job.state.in_((JobState.DONE.value, JobState.FAILED.value)),
                    Job.finished_at <= now() - _REVIVED_AFTER,
                )
            ).all()
        for upload_id in ids:
            with self._database.write() as session:
                self._jobs.enqueue(session, JobKind.VERIFY, str(upload_id))
        return len(ids)

    def _require_store(self) -> PresignedMultipart:
        if self._store is None:
            raise NoDirectUploads
        return self._store

    def _require_few(self, account_id: UUID) -> None:
        """Each is something that the store keeps, however small its file."""
        with self._database.read() as session:
            count = session.scalar(
                select(func.count()).where(
                    Upload.account_id == account_id,
                    Upload.way == UploadWay.DIRECT.value,
                    Upload.state == UploadState.OPEN.value,
                )
            )
        if (count or 0) >= MOST_OPEN:
            raise Conflict("You have too many unfinished uploads: finish some, or give them up.")

    def _own(self, session: Session, identity: Identity, upload_id: UUID) -> Upload:
        """The asker's upload, which is within their quota still. Raises NotFound, Conflict, QuotaExceeded."""
        account_id = require_account(identity, Scope.WRITE)
        upload = own_upload(session, account_id, upload_id)
        if upload.way != UploadWay.DIRECT.value:
            raise Conflict("This upload was not begun as one that goes straight to the store.")
        if upload.state == UploadState.OPEN.value:
            require_room(
                session, account_id, 0, default_quota=self._limits.default_quota, client_id=upload.client_id
            )
        return upload

    def _begin_verification(self, upload_id: UUID) -> Upload | None:
        """The upload, if it has to be verified. An attempt that died while it published is begun anew."""
        with self._database.write() as session:
            upload = session.scalar(select(Upload).where(Upload.id == upload_id).with_for_update())
            if upload is None or upload.state not in (
                UploadState.VERIFYING.value,
                UploadState.PUBLISHING.value,
            ):
                return None
            upload.state, upload.digest = UploadState.VERIFYING.value, None
            return upload

    def _looks(self, upload: Upload) -> bool:
        with self._database.read() as session:
            attempts = session.scalar(select(Job.attempts).where(Job.id == upload.job_id))
        return attempts is None or attempts <= _LOOKS

    def _require_same(self, reading: _Reading, again: _Reading) -> None:
        """Before anything is refused, what was read is read once more. Raises StorageUnavailable."""
        again.source.finish()
        if again.fingerprint.digest != reading.fingerprint.digest:
            raise StorageUnavailable("the store gives other bytes each time it is asked")

    def _fail(self, upload_id: UUID, reason: str, expected: UploadState = UploadState.VERIFYING) -> None:
        """Nothing is kept of the upload but the reason. Does nothing when it is in another state by now."""
        with self._database.write() as session:
            upload = session.scalar(select(Upload).where(Upload.id == upload_id).with_for_update())
            if upload is None or upload.state != expected.value:
                return
            upload.state, upload.reason = UploadState.FAILED.value, reason
            audit(session, _SYSTEM, "refuse", Noun.UPLOAD, upload.id, reason=reason)
        log.info("upload refused", upload=str(upload_id), reason=reason)
        self._uploads.discard(upload)


class _Reading:
    """The one pass over what was put together, and what is known of it afterwards. ``size`` in bytes."""

    def __init__(self, store: PresignedMultipart, key: str, size: int, report: Report) -> None:
        def open_range(offset: int, length: int) -> BlobReader:
            return store.open_multipart(key, offset=offset, length=length)

        self.source = ReadThrough(RangeSource(open_range, size), self._take)
        self.fingerprint = Fingerprint()
        self._report = report

    def _take(self, data: bytes) -> None:
        self.fingerprint.update(data)
        self.sign_of_life()

    def sign_of_life(self, _share: float = 0.0) -> None:
        """A parser may be busy for long without reading on."""
        self._report(self.fingerprint.size / self.source.size)

    def mismatch(self, expected_digest: str | None) -> str | None:
        """Why these are not the bytes that were announced, None when they are."""
        size, digest = self.fingerprint.size, self.fingerprint.digest
        if size != self.source.size:
            return f"The file has {size} bytes, {self.source.size} were announced: send it again."
        if expected_digest is not None and expected_digest.lower() != digest:
            return f"The file has the SHA-256 {digest}, {expected_digest} was announced: send it again."
        return None


class _PutTogether:
    """What a client sent to the store, as ``Uploads.keep`` publishes or forgets it."""

    def __init__(self, store: PresignedMultipart, key: str) -> None:
        self._store = store
        self._key = key

    def publish(self, sidecar: Sidecar) -> Locator:
        return self._store.publish_multipart(self._key, sidecar)

    def abort(self) -> None:
        with suppress(StorageError):  # a sweep finds what is left
            self._store.discard_multipart(self._key)


def _key(upload: Upload) -> str:
    if upload.staging_key is None:
        raise Conflict("This upload has nothing in the store any more.")
    return upload.staging_key


def _direct(upload: Upload, begun: MultipartUpload) -> DirectUpload:
    return DirectUpload(upload=upload_record(upload), part_size=begun.part_size, count=begun.count)
