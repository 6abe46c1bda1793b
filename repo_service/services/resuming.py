"""Uploads in several goes: bytes are kept as they come, and gone on with after whatever broke off.

They are staged where staged bytes outlive the process: in the primary store, where that can do it, or else in
the *spool*, a folder of the service's own, from which they go to the primary store once they are all there.

One request at a time writes to an upload. It holds a lease, which it renews while bytes come; when none
come, or the process dies, the lease ends and another request may go on. That is for politeness: whoever is
told to wait need not send anything. What keeps the bytes right is the staging store, which takes no more from
a writer once another one has begun.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self
from uuid import UUID, uuid4

import structlog
from sqlalchemy import and_, func, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from repo_service.domain.errors import (
    Busy,
    ChecksumMismatch,
    Conflict,
    DigestMismatch,
    Locked,
    NotFound,
    OffsetMismatch,
    PayloadTooLarge,
    UploadFailed,
)
from repo_service.domain.identity import Identity, Scope
from repo_service.domain.resources import (
    JobKind,
    JobState,
    LocationState,
    Noun,
    UploadState,
    UploadWay,
)
from repo_service.models import Blob, BlobLocation, Job, Upload
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.accounts import require_account
from repo_service.services.fingerprint import Fingerprint
from repo_service.services.jobs import Jobs, Report
from repo_service.services.quota import require_room
from repo_service.services.records import UploadRecord
from repo_service.services.room import Filling, Room
from repo_service.services.trail import audit
from repo_service.services.uploads import Publishable, UploadLimits, Uploads, own_upload, upload_record
from storage import (
    CHUNK_SIZE,
    Appending,
    BlobNotFound,
    BlobStore,
    Digest,
    Locator,
    Sidecar,
    StagedClosed,
    StorageError,
    appendable_staging,
)

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=8)
"""Shorter than clients go on trying for: tus-js-client gives up 9 seconds after the first failure."""
MOST_UNFINISHED = 1000
"""Uploads in several goes that an account may have open at a time."""
_RENEWED_EVERY = 2.0
_PUBLISHING_LASTS = timedelta(minutes=1)
_REVIVED_AFTER = timedelta(minutes=10)
_MOST_FINGERPRINTS = 100
_SYSTEM = Identity(username="system")
_UNFINISHED = (UploadState.VERIFYING.value, UploadState.PUBLISHING.value)
_BYTES_ARE_GONE = "The bytes of this upload are gone: begin a new one."


CHECKSUMS = {"sha1": 20, "sha256": 32}
"""Algorithms of the checksums that the bytes of one request may come with, and how many bytes they have."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the bytes of one request should have; ``algorithm`` is one of ``CHECKSUMS``."""

    algorithm: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """An upload and how many of its bytes are kept, durably."""

    upload: UploadRecord
    offset: int


class Resuming:
    """Use cases about files that come in several goes."""

    def __init__(
        self,
        database: Database,
        *,
        store: BlobStore,
        staging: BlobStore,
        uploads: Uploads,
        jobs: Jobs,
        limits: UploadLimits,
    ) -> None:
        """``staging`` is where bytes wait until all are there: ``store`` itself or a spool.

        Raises ValueError when it keeps no staged bytes.
        """
        appendable = appendable_staging(staging)
        if appendable is None:
            raise ValueError(f"the store {staging.name} keeps no staged bytes")
        self._database = database
        self._store = store
        self._staging = staging
        self._room = Room(staging, min_free=limits.min_free)
        self._staged = appendable
        self._uploads = uploads
        self._jobs = jobs
        self._limits = limits
        self._fingerprints = _Fingerprints()

    def create(
        self, identity: Identity, *, file_name: str, size: int, expected_digest: str | None = None
    ) -> UploadRecord:
        """Reserve room for ``size`` bytes.

        Raises PayloadTooLarge, QuotaExceeded, StorageFull, Conflict when the account has too many unfinished.
        """
        account_id = require_account(identity, Scope.WRITE)
        self._require_few(account_id)
        if self._staging is not self._store:
            self._room.require(size)
        reserved = self._uploads.begin(
            identity, file_name=file_name, size=size, expected_digest=expected_digest
        )
        key = None
        try:
            key = self._staged.begin_staged()
            with self._database.write() as session:
                upload = own_upload(session, account_id, reserved.id)
                upload.way, upload.staging_key = UploadWay.TUS.value, key
                return upload_record(upload)
        except BaseException:
            if key is not None:
                self._staged.discard_staged(key)
            self._uploads.abandon(reserved.id)
            raise

    def progress(self, identity: Identity, upload_id: UUID) -> Progress:
        """How far an upload is. Raises NotFound, UploadFailed, and the store's errors."""
        with self._database.read() as session:
            upload = _own(session, identity, upload_id)
        if upload.state != UploadState.OPEN.value:
            return Progress(upload=upload_record(upload), offset=upload.declared_size)
        try:
            offset = self._staged.staged_size(_key(upload))
        except BlobNotFound:
            upload = self._without_bytes(identity, upload_id)
            return Progress(upload=upload_record(upload), offset=upload.declared_size)
        if offset == upload.declared_size and not _is_held(upload, now()):
            upload = self._take_over(identity, upload_id)
        return Progress(upload=upload_record(upload), offset=offset)

    def append(
        self,
        identity: Identity,
        upload_id: UUID,
        *,
        offset: int,
        announced: int | None = None,
        checksum: Checksum | None = None,
    ) -> Appender:
        """Take bytes from ``offset`` on, which has to be where the upload is.

        ``announced`` is how many the sender says will come, None when it does not say. With a ``checksum``
        none of them are kept unless all are right. Raises NotFound, Locked, OffsetMismatch, Conflict when it
        takes no more, UploadFailed, PayloadTooLarge, QuotaExceeded, StorageFull, and the store's errors.
        """
        holder, moment = uuid4(), now()
        with self._database.write() as session:
            upload = _own(session, identity, upload_id)
            _require_open(upload)
            if _is_held(upload, moment):
                raise Locked(retry_after=_seconds_held(upload, moment))
            if upload.declared_size > self._limits.max_size:
                raise PayloadTooLarge(
                    "The file is larger than this service takes.", limit=self._limits.max_size
                )
            require_room(
                session,
                upload.account_id,
                0,
                default_quota=self._limits.default_quota,
                client_id=upload.client_id,
            )
            upload.holder, upload.held_until = holder, moment + LEASE
            record, key = upload_record(upload), _key(upload)
        lease = _Lease(self._database, upload_id, holder, self._limits.ttl)
        try:
            appending = self._staged.append_staged(key, provisional=checksum is not None)
            try:
                self._require_fitting(record, appending.size, offset, announced)
            except BaseException:
                appending.close()
                raise
        except BlobNotFound:
            lease.give_back()
            _require_open(self._without_bytes(identity, upload_id))
            raise
        except BaseException:
            lease.give_back()
            raise
        return Appender(self, record, appending, lease, checksum)

    def terminate(self, identity: Identity, upload_id: UUID) -> None:
        """Give an upload up. Raises NotFound, Conflict when a version has taken it or takes it now."""
        with self._database.read() as session:
            _own(session, identity, upload_id, failed=True)
        self._uploads.cancel(identity, upload_id)

    def abandon(self, upload_id: UUID) -> None:
        """Give up an upload whose address nobody got to know."""
        self._uploads.abandon(upload_id)

    def finish(self, upload_id: str, report: Report) -> None:
        """Read what has come once, and publish it when it is what was announced."""
        upload = self._begin_verification(UUID(upload_id))
        if upload is None:
            return
        record, key = upload_record(upload), _key(upload)
        try:
            if self._staging is self._store:
                self._publish_in_place(record, key, report)
            else:
                self._publish_from_spool(record, key, report)
        except BlobNotFound:
            if not self._was_published(record, report):
                self.fail(record.id, _BYTES_ARE_GONE)
        except DigestMismatch as error:
            self.fail(record.id, error.detail)
        except NotFound:  # it was given up meanwhile
            self._uploads.discard(upload)

    def revive(self) -> int:
        """Have those finished whose request or job broke off; returns how many. None is ever given up here:
        whoever sent it was told that every byte has arrived."""
        moment = now()
        job_is_over = or_(
            Job.id.is_(None),
            Job.state == JobState.DONE.value,
            and_(Job.state == JobState.FAILED.value, Job.finished_at <= moment - _REVIVED_AFTER),
        )
        with self._database.read() as session:
            ids = session.scalars(
                select(Upload.id)
                .outerjoin(Job, Job.id == Upload.job_id)
                .where(
                    Upload.way == UploadWay.TUS.value,
                    Upload.state.in_(_UNFINISHED),
                    or_(Upload.held_until.is_(None), Upload.held_until <= moment),
                    job_is_over,
                )
            ).all()
        for upload_id in ids:
            with self._database.write() as session:
                upload = session.scalar(select(Upload).where(Upload.id == upload_id).with_for_update())
                if upload is not None and upload.state in _UNFINISHED:
                    upload.job_id = self._jobs.enqueue(session, JobKind.FINISH, str(upload_id))
        return len(ids)

    # What an Appender asks for

    def filling(self) -> Filling:
        """What watches the room for the bytes of one request."""
        return Filling(self._room)

    def fingerprint(self, upload: UploadRecord, offset: int) -> Fingerprint | None:
        """That of the first ``offset`` bytes, when they came by this process."""
        return self._fingerprints.get(upload.id, offset) if offset else Fingerprint()

    def remember(self, upload: UploadRecord, fingerprint: Fingerprint | None) -> None:
        """That of the bytes that are durable now."""
        if fingerprint is not None:
            self._fingerprints.put(upload.id, fingerprint)

    def complete(
        self, upload: UploadRecord, appending: Appending, lease: _Lease, fingerprint: Fingerprint | None
    ) -> UploadRecord:
        """All bytes have come: publish them when everything is at hand, or have it done later."""
        if fingerprint is None or self._staging is not self._store:
            appending.suspend()
            with self._database.write() as session:
                row = lease.end(session)
                self._finish_later(session, row)
                return upload_record(row)
        lease.renew(_PUBLISHING_LASTS)
        try:
            _require_expected(upload, fingerprint)
        except DigestMismatch as error:
            appending.close()
            self.fail(upload.id, error.detail, expected=UploadState.OPEN)
            raise
        return self._keep(upload, appending, fingerprint)

    def fail(self, upload_id: UUID, reason: str, *, expected: UploadState = UploadState.VERIFYING) -> None:
        """Nothing is kept of the upload but the reason. Does nothing when it is in another state by now."""
        with self._database.write() as session:
            upload = session.scalar(select(Upload).where(Upload.id == upload_id).with_for_update())
            if upload is None or upload.state != expected.value:
                return
            upload.state, upload.reason, upload.digest = UploadState.FAILED.value, reason, None
            upload.holder = upload.held_until = None
            audit(session, _SYSTEM, "refuse", Noun.UPLOAD, upload.id, reason=reason)
        log.info("upload refused", upload=str(upload_id), reason=reason)
        self._uploads.discard(upload)

    # Steps

    def _require_few(self, account_id: UUID) -> None:
        """Each has a file, however small: without a bound, somebody could use up what a disk has of them."""
        with self._database.read() as session:
            unfinished = session.scalar(
                select(func.count()).where(
                    Upload.account_id == account_id,
                    Upload.way == UploadWay.TUS.value,
                    Upload.state == UploadState.OPEN.value,
                )
            )
        if (unfinished or 0) >= MOST_UNFINISHED:
            raise Conflict("You have too many unfinished uploads: finish some, or give them up.")

    def _require_fitting(self, upload: UploadRecord, held: int, offset: int, announced: int | None) -> None:
        if held != offset:
            raise OffsetMismatch(offset=held)
        rest = upload.size - offset
        if announced is not None and announced > rest:
            raise PayloadTooLarge("These are more bytes than are left of this upload.", limit=rest)
        if rest:
            self._room.require(rest)

    def _without_bytes(self, identity: Identity, upload_id: UUID) -> Upload:
        """The upload whose staged bytes are gone, because it has just gone on to another state: this one.

        Raises UploadFailed when they are simply not there, NotFound when the upload is gone with them.
        """
        with self._database.read() as session:
            upload = _own(session, identity, upload_id)
        if upload.state != UploadState.OPEN.value:
            return upload
        if upload.digest is not None:  # they became a blob, and what was to follow broke off
            return self._take_over(identity, upload_id)
        self.fail(upload_id, _BYTES_ARE_GONE, expected=UploadState.OPEN)
        raise UploadFailed(_BYTES_ARE_GONE)

    def _take_over(self, identity: Identity, upload_id: UUID) -> Upload:
        """Have an upload finished whose last sender did not live to do it; the upload as it is then."""
        with self._database.write() as session:
            upload = _own(session, identity, upload_id)
            if upload.state == UploadState.OPEN.value and not _is_held(upload, now()):
                self._finish_later(session, upload)
            return upload

    def _finish_later(self, session: Session, upload: Upload) -> None:
        upload.state = UploadState.VERIFYING.value
        upload.holder = upload.held_until = None
        upload.expires_at = now() + self._limits.ttl
        upload.job_id = self._jobs.enqueue(session, JobKind.FINISH, str(upload.id))

    def _begin_verification(self, upload_id: UUID) -> Upload | None:
        """The upload, if it has to be finished; what broke off while it was published is begun anew."""
        with self._database.write() as session:
            upload = session.scalar(select(Upload).where(Upload.id == upload_id).with_for_update())
            if upload is None or upload.state not in _UNFINISHED:
                return None
            upload.state = UploadState.VERIFYING.value
            return upload

    def _publish_in_place(self, upload: UploadRecord, key: str, report: Report) -> None:
        with self._staged.append_staged(key) as appending:
            fingerprint = Fingerprint()
            for block in self._blocks(upload, key, report):
                fingerprint.update(block)
            _require_expected(upload, fingerprint)
            self._keep(upload, appending, fingerprint)

    def _publish_from_spool(self, upload: UploadRecord, key: str, report: Report) -> None:
        with self._store.stage(expected_size=upload.size) as staged:
            fingerprint = Fingerprint()
            for block in self._blocks(upload, key, report):
                fingerprint.update(block)
                staged.write(block)
            _require_expected(upload, fingerprint)
            self._keep(upload, staged, fingerprint)
        with suppress(StorageError):  # a sweep finds what is left
            self._staged.discard_staged(key)

    def _blocks(self, upload: UploadRecord, key: str, report: Report) -> Iterator[bytes]:
        done = 0
        with self._staged.open_staged(key) as reader:
            while block := reader.read(CHUNK_SIZE):
                done += len(block)
                report(done / max(upload.size, done))
                yield block
        if done != upload.size:
            raise BlobNotFound(f"{done} of {upload.size} bytes are staged")

    def _keep(self, upload: UploadRecord, staged: Publishable, fingerprint: Fingerprint) -> UploadRecord:
        def also(session: Session, _blob: Blob) -> None:
            row = session.get_one(Upload, upload.id)
            row.holder = row.held_until = None
            row.expires_at = now() + self._limits.ttl

        return self._uploads.keep(
            upload, staged, fingerprint.sidecar(), fingerprint.checks(), upload.file_name, also=also
        )

    def _was_published(self, upload: UploadRecord, report: Report) -> bool:
        """Whether an earlier attempt made the bytes a blob, and died before it could say so. Says so then."""
        with self._database.read() as session:
            blob = None if upload.digest is None else session.get(Blob, upload.digest)
            if blob is None or blob.checks is None:
                return False
            sidecar = Sidecar(digest=Digest(blob.digest), size=blob.size, media_type=blob.media_type)
            checks = blob.checks
        locator = self._find(sidecar.digest, report)
        if locator is None:
            return False
        self._uploads.keep(upload, _Published(locator), sidecar, checks, upload.file_name)
        return True

    def _find(self, digest: Digest, report: Report) -> Locator | None:
        with self._database.read() as session:
            known = session.scalar(
                select(BlobLocation.locator).where(
                    BlobLocation.digest == digest,
                    BlobLocation.store == self._store.name,
                    BlobLocation.state == LocationState.PRESENT.value,
                )
            )
        if known is not None or self._staging is not self._store:  # from a spool, they would still be there
            return None if known is None else Locator(known)
        for stored in self._store.iter():
            report(0.0)
            if stored.sidecar is not None and stored.sidecar.digest == digest:
                return stored.locator
        return None


class Appender:
    """Bytes of one request, kept as they come.

    When the block ends without ``finish``, what has come is kept, unless it came with a checksum, or was more
    than was announced.
    """

    def __init__(
        self,
        resuming: Resuming,
        upload: UploadRecord,
        staged: Appending,
        lease: _Lease,
        checksum: Checksum | None,
    ) -> None:
        self._resuming = resuming
        self._filling = resuming.filling()
        self._upload = upload
        self._staged = staged
        self._lease = lease
        self._fingerprint = resuming.fingerprint(upload, staged.size)
        self._expected = checksum
        self._sum = None if checksum is None else hashlib.new(checksum.algorithm, usedforsecurity=False)
        self._room = upload.size - staged.size
        self._is_kept = checksum is None
        self._is_over = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take some bytes. Raises PayloadTooLarge, Locked, NotFound, StorageFull, and the store's errors."""
        if self._staged.size + len(data) > self._upload.size:
            self._is_kept = False
            raise PayloadTooLarge("These are more bytes than are left of this upload.", limit=self._room)
        self._lease.renew_in_time()
        self._filling.add(len(data))
        try:
            self._staged.write(data)
        except StagedClosed as error:
            raise self._lease.lost() from error
        if self._sum is not None:
            self._sum.update(data)
        if self._fingerprint is not None:
            self._fingerprint.update(data)

    def finish(self) -> Progress:
        """No more bytes come.

        Raises ChecksumMismatch, DigestMismatch, Locked, NotFound, Busy, and the store's errors.
        """
        if self._sum is not None and self._expected is not None:
            if self._sum.digest() != self._expected.value:
                raise ChecksumMismatch(algorithm=self._expected.algorithm)
            self._is_kept = True
        offset = self._staged.size
        try:
            if offset == self._upload.size:
                upload = self._resuming.complete(self._upload, self._staged, self._lease, self._fingerprint)
            else:
                self._staged.suspend()
                self._resuming.remember(self._upload, self._fingerprint)
                upload = self._lease.ended()
        except StagedClosed as error:
            raise self._lease.lost() from error
        self._is_over = True
        return Progress(upload=upload, offset=offset)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_over:
            return
        with suppress(StorageError):  # among them: it was let go of, because that was the error
            if self._is_kept:
                self._staged.suspend()
                self._resuming.remember(self._upload, self._fingerprint)
            else:
                self._staged.revert()
        self._staged.close()
        self._lease.give_back()


class _Lease:
    """The right of one request to write to an upload."""

    def __init__(self, database: Database, upload_id: UUID, holder: UUID, ttl: timedelta) -> None:
        self._database = database
        self._upload_id = upload_id
        self._holder = holder
        self._ttl = ttl
        self._renewed = time.monotonic()

    def renew_in_time(self) -> None:
        """Renew it now and then. Raises Locked and NotFound when it is lost."""
        if time.monotonic() - self._renewed >= _RENEWED_EVERY:
            self.renew(LEASE)

    def renew(self, lasts: timedelta) -> None:
        """Hold the upload for so long from now. Raises Locked and NotFound when it is lost."""
        with self._database.write() as session:
            row = self._locked(session)
            moment = now()
            row.held_until, row.expires_at = moment + lasts, moment + self._ttl
        self._renewed = time.monotonic()

    def end(self, session: Session) -> Upload:
        """Let another request write once ``session`` is committed; the upload. Raises Locked and NotFound."""
        row = self._locked(session)
        row.holder = row.held_until = None
        row.expires_at = now() + self._ttl
        return row

    def ended(self) -> UploadRecord:
        """The same in a transaction of its own."""
        with self._database.write() as session:
            return upload_record(self.end(session))

    def give_back(self) -> None:
        """Let another request write, if that can be said now; the lease ends anyhow."""
        with suppress(Locked, NotFound, Busy, SQLAlchemyError):
            self.ended()

    def lost(self) -> Locked | NotFound:
        """Why this request may not write any more."""
        with self._database.read() as session:
            if session.get(Upload, self._upload_id) is None:
                return NotFound("This upload was given up meanwhile: begin a new one.")
        return Locked(retry_after=math.ceil(LEASE.total_seconds()))

    def _locked(self, session: Session) -> Upload:
        row = session.scalar(
            select(Upload)
            .where(Upload.id == self._upload_id, Upload.holder == self._holder)
            .with_for_update()
        )
        if row is None:
            raise self.lost()
        return row


class _Fingerprints:
    """Of uploads that wait for more bytes, as far as these came by this process. Bounded; what is not here is
    computed again from the bytes. Used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[UUID, Fingerprint] = OrderedDict()

    def put(self, upload_id: UUID, fingerprint: Fingerprint) -> None:
        """Nobody may go on with this very one."""
        with self._lock:
            self._kept[upload_id] = fingerprint
            self._kept.move_to_end(upload_id)
            while len(self._kept) > _MOST_FINGERPRINTS:
                self._kept.popitem(last=False)

    def get(self, upload_id: UUID, size: int) -> Fingerprint | None:
        """One to go on with. The one that is kept stays: these bytes may be taken back."""
        with self._lock:
            found = self._kept.get(upload_id)
            return found.copy() if found is not None and found.size == size else None


@dataclass(frozen=True, slots=True)
class _Published:
    """Bytes that are a blob already, as ``Uploads.keep`` takes them."""

    locator: Locator

    def publish(self, _sidecar: Sidecar) -> Locator:
        return self.locator

    def abort(self) -> None:
        """They stay: the catalogue knows them."""


def _own(session: Session, identity: Identity, upload_id: UUID, *, failed: bool = False) -> Upload:
    """The asker's upload. Raises NotFound, and UploadFailed unless ``failed`` ones are wanted, too."""
    upload = own_upload(session, require_account(identity, Scope.WRITE), upload_id)
    if upload.way != UploadWay.TUS.value:
        raise NotFound("There is no such upload that comes in several goes.")
    if upload.state == UploadState.FAILED.value and not failed:
        raise UploadFailed(upload.reason or "")
    return upload


def _require_open(upload: Upload) -> None:
    if upload.state != UploadState.OPEN.value:
        raise Conflict("This upload has all its bytes already.")


def _is_held(upload: Upload, moment: datetime) -> bool:
    return upload.held_until is not None and upload.held_until > moment


def _seconds_held(upload: Upload, moment: datetime) -> int:
    left = timedelta(0) if upload.held_until is None else upload.held_until - moment
    return max(1, math.ceil(left.total_seconds()))


def _key(upload: Upload) -> str:
    if upload.staging_key is None:
        raise Conflict("This upload takes no bytes any more.")
    return upload.staging_key


def _require_expected(upload: UploadRecord, fingerprint: Fingerprint) -> None:
    expected, received = upload.expected_digest, fingerprint.digest
    if expected is not None and expected.lower() != received:
        raise DigestMismatch(
            f"The file has the SHA-256 {received}, {expected} was announced: send it again.",
            expected=expected,
            received=received,
        )
