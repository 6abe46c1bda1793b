"""Blobs as objects of one bucket: Amazon S3 and everything that speaks its protocol.

::

    <prefix>blobs/ab/<ab + 30 random characters>            a blob
    <prefix>blobs/ab/<ab + 30 random characters>.json       its sidecar

The digest is known only when all bytes are gone, and S3 cannot rename: so every staged blob has a random
key, and publishing is the request that makes the object appear (one ``PutObject``, or
``CompleteMultipartUpload``), on condition that nothing stands there yet. Publishing copies nothing; the same
digest published twice stands twice, and the caller decides which one to keep. The sidecar is written just
before; alone it means nothing and is swept.

Clients that send parts themselves (``PresignedMultipart``) do not know the digest in advance either. Their
object appears at its random key beside a sidecar that says only that nobody has read it yet; publishing
writes the real one over it. So what is unverified is known by what it has, never by what it lacks: a blob
whose sidecar got lost is not taken for one.

Memory of one upload: the part being filled and those in flight, ``_MEMORY`` in all, until two parts are more
than that (blobs over 97 GiB), because S3 allows 10,000 parts. Parts are filled in mapped memory, used again
for the next part and given back whole at the end: what an allocator would keep adds up over processes.
"""

from __future__ import annotations

import io
import mmap
import re
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Literal, Self, cast, get_args

import boto3
import urllib3.exceptions
from botocore import exceptions as boto
from botocore.config import Config

from storage.base import (
    BlobReader,
    BlobStat,
    Capability,
    Locator,
    MultipartUpload,
    Sidecar,
    StoredBlob,
    UploadedPart,
)
from storage.driver import StoreUrl
from storage.errors import (
    BlobNotFound,
    InvalidLocator,
    InvalidRange,
    PartsMissing,
    SizeMismatch,
    StorageError,
    StorageFull,
    StorageRefused,
    StorageUnavailable,
)
from storage.sidecar import MAX_SIDECAR_SIZE, decode_sidecar, encode_sidecar

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        CompletedPartTypeDef,
        HeadObjectOutputTypeDef,
        ListPartsOutputTypeDef,
        MultipartUploadTypeDef,
        PartTypeDef,
    )

_AddressingStyle = Literal["auto", "virtual", "path"]

_MIB = 1024 * 1024
_MEMORY = 20 * _MIB
_PART_SIZE = 5 * _MIB
"""The least that S3 allows."""
_MAX_PARTS = 10_000
_GROW_EVERY = 2_000
"""Of an upload of unknown size: parts double after so many, which makes room for 302 GiB in 10,000 parts."""

_DIRECT_PART_SIZE = 8 * _MIB
"""What other clients of S3 choose: little to send again when a line breaks, few requests when it does not."""
_LIST_PARTS = 1000
_DIRECT_KEY = re.compile(
    r"(?P<locator>blobs/[0-9a-f/]{35})/(?P<size>[1-9][0-9]{0,14})/(?P<part_size>[1-9][0-9]{0,14})"
    r"/(?P<upload_id>[\x21-\x7e]{1,1024})"
)
_UNVERIFIED = b'{"unverified":true}\n'
"""The sidecar of what clients put together, until somebody has read it."""

_MAX_PRESIGNED = timedelta(days=7)
_PROOF = b"written and read\n"
_ANY_BLOB = "blobs/"
_LOCATOR = re.compile(r"blobs/([0-9a-f]{2})/\1[0-9a-f]{30}")
_SIDECAR_SUFFIX = ".json"

_FULL = {"InsufficientStorage", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull"}
_NOT_FOUND = {"404", "NoSuchKey", "NotFound"}
_MAY_PASS = {"BadDigest", "IncompleteBody", "InvalidPart", "NoSuchUpload", "XAmzContentSHA256Mismatch"}
"""Damage on the way, a part replaced meanwhile, a staged blob that was swept: worth another try."""
_ALREADY_DONE = {"412", "NoSuchUpload", "PreconditionFailed"}

_CONFIG = Config(
    connect_timeout=3,
    read_timeout=30,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=64,
    tcp_keepalive=True,
)
_QUICK = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 1})
"""For the readiness check: a store that needs longer is not ready."""


class S3Driver:
    """One bucket, or the part of it under ``prefix`` (empty, or ending in a slash)."""

    name = "s3"

    def __init__(
        self,
        *,
        bucket: str,
        prefix: str = "",
        endpoint_url: str | None = None,
        public_endpoint_url: str | None = None,
        region: str | None = None,
        addressing_style: _AddressingStyle = "auto",
        profile: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
    ) -> None:
        """``profile`` is one of boto3's shared credentials; it goes before the keys."""
        session = (
            boto3.session.Session(
                aws_access_key_id=access_key, aws_secret_access_key=secret_key, region_name=region
            )
            if profile is None
            else boto3.session.Session(profile_name=profile, region_name=region)
        )
        # Left alone, boto3 presigns with signature version 2 where an endpoint is given.
        style = Config(signature_version="s3v4", s3={"addressing_style": addressing_style})

        def client(url: str | None, config: Config) -> S3Client:
            return session.client("s3", endpoint_url=url, config=config.merge(style))

        self.client = client(endpoint_url, _CONFIG)
        self.bucket = bucket
        self._prefix = prefix
        self._checker = client(endpoint_url, _QUICK)
        # Parts come from others without the checksum that boto3 would announce for them.
        plain = _CONFIG.merge(Config(request_checksum_calculation="when_required"))
        self._presigner = None if public_endpoint_url is None else client(public_endpoint_url, plain)
        self._unsummed = None if public_endpoint_url is None else client(endpoint_url, plain)

    @property
    def capabilities(self) -> frozenset[Capability]:
        if self._presigner is None:
            return frozenset()
        return frozenset({Capability.PRESIGNED_DOWNLOAD, Capability.PRESIGNED_MULTIPART})

    def translate(self, error: Exception) -> StorageError | None:
        match error:
            case boto.ClientError():
                return _meaning_of_answer(error, self.bucket)
            case boto.NoCredentialsError() | boto.PartialCredentialsError() | boto.CredentialRetrievalError():
                return StorageRefused("no usable S3 credentials")
            case (
                boto.ConnectionError()
                | boto.HTTPClientError()
                | boto.IncompleteReadError()
                | boto.FlexibleChecksumError()
                | urllib3.exceptions.HTTPError()
                | OSError()
            ):
                return StorageUnavailable(f"the S3 server does not answer as it should: {error}")
            case _:
                return None

    def stage(self, expected_size: int | None) -> _S3Staged:
        name = secrets.token_hex(16)
        return _S3Staged(self, Locator(f"{_ANY_BLOB}{name[:2]}/{name}"), expected_size)

    def open(self, locator: Locator, offset: int, length: int | None) -> BlobReader:
        key = self.key_of(locator)
        if length == 0:
            return self._nothing_at(locator, offset)
        asked: dict[str, Any] = {}
        if offset or length is not None:
            end = "" if length is None else offset + length - 1
            asked["Range"] = f"bytes={offset}-{end}"
        try:
            return _S3Reader(self.client.get_object(Bucket=self.bucket, Key=key, **asked)["Body"])
        except boto.ClientError as error:
            if _status(error) != 416:
                raise
            return self._nothing_at(locator, offset)

    def stat(self, locator: Locator) -> BlobStat:
        found = self.client.head_object(Bucket=self.bucket, Key=self.key_of(locator))
        return BlobStat(locator=locator, size=found["ContentLength"], modified=found["LastModified"])

    def sidecar(self, locator: Locator) -> Sidecar | None:
        self.stat(locator)
        return _decode(self._read_note(self.key_of(locator)))

    def delete(self, locator: Locator) -> None:
        key = self.key_of(locator)
        self.client.delete_object(Bucket=self.bucket, Key=key)
        self.client.delete_object(Bucket=self.bucket, Key=key + _SIDECAR_SUFFIX)

    def iter(self) -> Iterator[StoredBlob]:
        with ThreadPoolExecutor(max_workers=8, thread_name_prefix="s3-sidecars") as pool:
            for page in self._pages():
                blobs = [found for found in page if _LOCATOR.fullmatch(found[0])]
                notes = pool.map(self._read_note, [self._prefix + name for name, _, _ in blobs])
                for (name, size, _), note in zip(blobs, notes, strict=True):
                    if note != _UNVERIFIED:
                        yield StoredBlob(locator=Locator(name), size=size, sidecar=_decode(note))

    def sweep_staged(self, older_than: timedelta) -> int:
        limit = datetime.now(UTC) - older_than
        swept = self._sweep_sidecars(limit)
        pages = self.client.get_paginator("list_multipart_uploads").paginate(
            Bucket=self.bucket, Prefix=self._prefix + _ANY_BLOB
        )
        for page in pages:
            for upload in page.get("Uploads", []):
                with suppress(self.client.exceptions.NoSuchUpload):
                    if self._last_written(upload) <= limit:
                        self.client.abort_multipart_upload(
                            Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                        )
                        swept += 1
        return swept

    def free_bytes(self) -> int | None:
        return None

    def check(self) -> None:
        key = self._prefix + "check"
        self._checker.put_object(Bucket=self.bucket, Key=key, Body=_PROOF)
        if self._checker.get_object(Bucket=self.bucket, Key=key)["Body"].read() != _PROOF:
            raise StorageUnavailable("what was written is not what is read")

    def presign_download(
        self, locator: Locator, *, expires: timedelta, content_disposition: str, content_type: str
    ) -> str:
        return self._presign(
            "get_object",
            expires,
            Key=self.key_of(locator),
            ResponseContentDisposition=content_disposition,
            ResponseContentType=content_type,
        )

    def begin_multipart(self, size: int) -> MultipartUpload:
        name = secrets.token_hex(16)
        locator = Locator(f"{_ANY_BLOB}{name[:2]}/{name}")
        created = _declared(self._unsummed).create_multipart_upload(
            Bucket=self.bucket, Key=self.key_of(locator)
        )
        part_size = max(_DIRECT_PART_SIZE, _part_size(size))
        key = f"{locator}/{size}/{part_size}/{created['UploadId']}"
        return MultipartUpload(key=key, size=size, part_size=part_size)

    def multipart(self, key: str) -> MultipartUpload:
        return _Direct(key).upload

    def presign_part(self, key: str, number: int, *, expires: timedelta) -> str:
        direct = _Direct(key)
        return self._presign(
            "upload_part",
            expires,
            Key=self.key_of(direct.locator),
            UploadId=direct.upload_id,
            PartNumber=number,
            ContentLength=direct.upload.length(number),
        )

    def list_parts(self, key: str, *, first: int = 1, limit: int | None = None) -> list[UploadedPart]:
        direct = _Direct(key)
        last = direct.upload.count if limit is None else min(direct.upload.count, first + limit - 1)
        newest: dict[int, PartTypeDef] = {}
        for part in self._parts(direct, first, last):
            number = part["PartNumber"]
            if number not in newest or newest[number]["LastModified"] <= part["LastModified"]:
                newest[number] = part
        return [_part(part) for part in newest.values()]

    def complete_multipart(self, key: str, etags: Mapping[int, str] | None = None) -> None:
        direct = _Direct(key)
        place = self.key_of(direct.locator)
        try:
            there = [_part(part) for part in self._parts(direct, 1, direct.upload.count)]
        except BlobNotFound:
            if self.size_at(place) == direct.upload.size:
                return  # done before; the answer may have got lost
            raise
        if missing := direct.upload.missing(there, etags):
            raise PartsMissing(missing)
        # Without tags all are named: a server that keeps parts which were replaced takes the newest.
        named = [(p.number, p.etag) for p in there if etags is None or etags[p.number] == p.etag]
        self._note_unverified(place)
        try:
            _declared(self._unsummed).complete_multipart_upload(
                Bucket=self.bucket,
                Key=place,
                UploadId=direct.upload_id,
                MultipartUpload={
                    "Parts": [{"PartNumber": number, "ETag": f'"{etag}"'} for number, etag in named]
                },
                IfNoneMatch="*",
            )
        except boto.ClientError as error:
            if _code(error) not in _ALREADY_DONE:
                raise
            if self.size_at(place) != direct.upload.size:
                raise BlobNotFound("the upload was discarded meanwhile") from error

    def open_multipart(self, key: str, *, offset: int = 0, length: int | None = None) -> BlobReader:
        return self.open(_Direct(key).locator, offset, length)

    def publish_multipart(self, key: str, sidecar: Sidecar) -> Locator:
        locator = _Direct(key).locator
        if self.stat(locator).size != sidecar.size:
            raise SizeMismatch("what was put together has another size than the sidecar says")
        self.put_sidecar(self.key_of(locator), sidecar)
        return locator

    def discard_multipart(self, key: str) -> None:
        direct = _Direct(key)
        place = self.key_of(direct.locator)
        # First of all: what is completed at this moment is found below, or finds its upload gone.
        with suppress(self.client.exceptions.NoSuchUpload):
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=place, UploadId=direct.upload_id)
        if self._read_note(place) == _UNVERIFIED:
            self.delete(direct.locator)

    def key_of(self, locator: Locator) -> str:
        if not _LOCATOR.fullmatch(locator):
            raise InvalidLocator("not a locator of the S3 store")
        return self._prefix + locator

    def put_sidecar(self, key: str, sidecar: Sidecar) -> None:
        self.client.put_object(
            Bucket=self.bucket,
            Key=key + _SIDECAR_SUFFIX,
            Body=encode_sidecar(sidecar),
            ContentType="application/json",
        )

    def _nothing_at(self, locator: Locator, offset: int) -> BlobReader:
        size = self.stat(locator).size
        if offset > size:
            raise InvalidRange(f"offset {offset} is beyond the end ({size} bytes)")
        return io.BytesIO()

    def _presign(self, operation: str, expires: timedelta, **params: object) -> str:
        if not timedelta(seconds=1) <= expires <= _MAX_PRESIGNED:
            raise ValueError("a presigned URL expires after 1 second to 7 days")
        return _declared(self._presigner).generate_presigned_url(
            operation, Params={"Bucket": self.bucket, **params}, ExpiresIn=int(expires.total_seconds())
        )

    def _parts(self, direct: _Direct, first: int, last: int) -> Iterator[PartTypeDef]:
        """The parts from number ``first`` to ``last``, in order. Some servers (SeaweedFS) also list those
        that were replaced, in any order among themselves."""
        known: set[tuple[int, str]] = set()
        before, more = first - 1, True
        while more and before < last:
            page = self._page_of_parts(direct, before)
            parts = page.get("Parts", [])
            for part in parts:
                one = (part["PartNumber"], part["ETag"])
                if one not in known and part["PartNumber"] <= last:
                    known.add(one)
                    yield part
            more = bool(parts) and page["IsTruncated"]
            if parts:  # once more from the last: those it replaced may stand on the next page
                before = max(before + 1, parts[-1]["PartNumber"] - 1)

    def _page_of_parts(self, direct: _Direct, before: int) -> ListPartsOutputTypeDef:
        """Parts after number ``before``."""
        try:
            return self.client.list_parts(
                Bucket=self.bucket,
                Key=self.key_of(direct.locator),
                UploadId=direct.upload_id,
                PartNumberMarker=before,
                MaxParts=_LIST_PARTS,
            )
        except self.client.exceptions.NoSuchUpload as error:
            raise BlobNotFound("there is no such upload") from error

    def _note_unverified(self, key: str) -> None:
        """Before the object appears; never over the sidecar of a blob that somebody has published by now."""
        try:
            self.client.put_object(
                Bucket=self.bucket, Key=key + _SIDECAR_SUFFIX, Body=_UNVERIFIED, IfNoneMatch="*"
            )
        except boto.ClientError as error:
            if _code(error) not in _ALREADY_DONE:
                raise

    def _read_note(self, key: str) -> bytes | None:
        """What stands beside the object, None when there is nothing."""
        try:
            found = self.client.get_object(Bucket=self.bucket, Key=key + _SIDECAR_SUFFIX)
        except boto.ClientError as error:
            if _code(error) in _NOT_FOUND:
                return None
            raise
        with found["Body"] as body:
            return body.read(MAX_SIDECAR_SIZE + 1)

    def _pages(self) -> Iterator[list[tuple[str, int, datetime]]]:
        """Every object under ``blobs/``: name below the prefix, size in bytes, last modified."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self._prefix + _ANY_BLOB
        )
        for page in pages:
            yield [
                (found["Key"].removeprefix(self._prefix), found["Size"], found["LastModified"])
                for found in page.get("Contents", [])
            ]

    def _sweep_sidecars(self, limit: datetime) -> int:
        """Remove old sidecars whose blob never came, and old blobs that nobody verified; returns how many of
        these. A blob is listed right before its sidecar.
        """
        swept = 0
        before = ""
        for page in self._pages():
            for name, size, modified in page:
                blob = name.removesuffix(_SIDECAR_SUFFIX)
                if blob != name and modified <= limit and _LOCATOR.fullmatch(blob):
                    if blob != before and self.size_at(self._prefix + blob) is None:
                        self.client.delete_object(Bucket=self.bucket, Key=self._prefix + name)
                    elif size == len(_UNVERIFIED):
                        swept += self._sweep_unverified(Locator(blob), limit)
                before = name
        return swept

    def _sweep_unverified(self, locator: Locator, limit: datetime) -> bool:
        if self._read_note(self.key_of(locator)) != _UNVERIFIED:
            return False
        found = self._find(self.key_of(locator))
        if found is not None and found["LastModified"] > limit:  # the sidecar is an earlier attempt's
            return False
        self.delete(locator)
        return True

    def size_at(self, key: str) -> int | None:
        """Bytes of the object, None when there is none."""
        found = self._find(key)
        return None if found is None else found["ContentLength"]

    def _find(self, key: str) -> HeadObjectOutputTypeDef | None:
        try:
            return self.client.head_object(Bucket=self.bucket, Key=key)
        except boto.ClientError as error:
            if _code(error) in _NOT_FOUND:
                return None
            raise

    def _last_written(self, upload: MultipartUploadTypeDef) -> datetime:
        last = upload["Initiated"]
        pages = self.client.get_paginator("list_parts").paginate(
            Bucket=self.bucket, Key=upload["Key"], UploadId=upload["UploadId"]
        )
        for page in pages:
            last = max([last, *(part["LastModified"] for part in page.get("Parts", []))])
        return last


class _S3Staged:
    """Collects parts and sends them in the background, a few at a time."""

    def __init__(self, driver: S3Driver, locator: Locator, expected_size: int | None) -> None:
        self._driver = driver
        self._locator = locator
        self._key = driver.key_of(locator)
        self._client = driver.client
        self._grows = expected_size is None
        self._part_size = _part_size(expected_size or 0)
        self._filling = _Part(self._part_size)
        self._idle: list[_Part] = []
        self._upload_id: str | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._sending: set[Future[CompletedPartTypeDef]] = set()
        self._sent: list[CompletedPartTypeDef] = []
        self._parts = 0
        self._size = 0

    def write(self, data: memoryview) -> None:
        while data:
            taken = self._filling.write(data)
            if not taken:
                self._send()
            self._size += taken
            data = data[taken:]

    def publish(self, sidecar: Sidecar) -> Locator:
        if self._upload_id is not None:
            self._send()
            self._collect(leave=0)
        self._driver.put_sidecar(self._key, sidecar)
        try:
            self._appear()
        except boto.ClientError as error:
            # Where the answer to a request got lost, its repetition finds the key taken or the upload gone.
            # The key is random, so what stands there is this blob.
            if _code(error) not in _ALREADY_DONE or self._driver.size_at(self._key) != self._size:
                raise
        self._stop()
        return self._locator

    def abort(self) -> None:
        self._stop()  # first: a part still on its way would outlive its upload
        if self._upload_id is not None:
            with suppress(self._client.exceptions.NoSuchUpload):
                self._client.abort_multipart_upload(
                    Bucket=self._driver.bucket, Key=self._key, UploadId=self._upload_id
                )

    def _appear(self) -> None:
        bucket, key = self._driver.bucket, self._key
        if self._upload_id is None:
            self._client.put_object(Bucket=bucket, Key=key, Body=self._filling.body(), IfNoneMatch="*")
        else:
            parts = sorted(self._sent, key=lambda part: part["PartNumber"])
            self._client.complete_multipart_upload(
                Bucket=bucket,
                Key=key,
                UploadId=self._upload_id,
                MultipartUpload={"Parts": parts},
                IfNoneMatch="*",
            )

    def _send(self) -> None:
        """Hand the filled part to a thread, after waiting until there is room for one more in memory."""
        if self._upload_id is None:
            created = self._client.create_multipart_upload(Bucket=self._driver.bucket, Key=self._key)
            self._upload_id = created["UploadId"]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_in_flight(self._part_size), thread_name_prefix="s3-part")
        self._collect(leave=_in_flight(self._part_size) - 1)
        self._parts += 1
        self._sending.add(self._pool.submit(self._send_part, self._upload_id, self._parts, self._filling))
        if self._grows and self._parts % _GROW_EVERY == 0:
            self._part_size *= 2
        self._filling = self._next_part()

    def _next_part(self) -> _Part:
        while self._idle:
            part = self._idle.pop()
            if part.size == self._part_size:
                return part
            part.close()
        return _Part(self._part_size)

    def _send_part(self, upload_id: str, number: int, part: _Part) -> CompletedPartTypeDef:
        sent = self._client.upload_part(
            Bucket=self._driver.bucket,
            Key=self._key,
            UploadId=upload_id,
            PartNumber=number,
            Body=part.body(),
        )
        part.clear()
        self._idle.append(part)
        completed: CompletedPartTypeDef = {"PartNumber": number, "ETag": sent["ETag"]}
        if "ChecksumCRC32" in sent:  # what boto3 computes by default; other servers may not answer it
            completed["ChecksumCRC32"] = sent["ChecksumCRC32"]
        return completed

    def _collect(self, *, leave: int) -> None:
        """Wait until at most ``leave`` parts are on their way. Raises what went wrong with any of them."""
        while True:
            done, self._sending = wait(self._sending, timeout=0)
            self._sent.extend(part.result() for part in done)
            if len(self._sending) <= leave:
                return
            wait(self._sending, return_when=FIRST_COMPLETED)

    def _stop(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._sending = set()
        for part in (self._filling, *self._idle):
            part.close()
        self._idle = []


class _Part:
    """A part being filled: ``size`` bytes of mapped memory, which go back to the system when it is closed."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._memory = mmap.mmap(-1, size)

    def write(self, data: memoryview) -> int:
        """Take as much as fits; returns how many bytes."""
        taken = min(len(data), self.size - self._memory.tell())
        return self._memory.write(data[:taken]) if taken else 0

    def body(self) -> IO[bytes] | bytes:
        """What was written, as boto3 takes it: without a copy when the part is full."""
        filled = self._memory.tell()
        if filled < self.size:
            return self._memory[:filled]
        self._memory.seek(0)
        return cast(IO[bytes], self._memory)  # as far as boto3 uses one: read, seek, tell

    def clear(self) -> None:
        """Begin anew."""
        self._memory.seek(0)

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()


class _S3Reader:
    def __init__(self, body: StreamingBody) -> None:
        self._body = body

    def read(self, size: int = -1, /) -> bytes:
        return self._body.read(None if size < 0 else size)

    def close(self) -> None:
        self._body.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Direct:
    """What the key of a presigned upload says. Raises InvalidLocator."""

    def __init__(self, key: str) -> None:
        found = _DIRECT_KEY.fullmatch(key)
        if found is None or not _LOCATOR.fullmatch(found["locator"]):
            raise InvalidLocator("not a key of the S3 store")
        self.locator = Locator(found["locator"])
        self.upload_id = found["upload_id"]
        self.upload = MultipartUpload(key=key, size=int(found["size"]), part_size=int(found["part_size"]))


def _part(part: PartTypeDef) -> UploadedPart:
    return UploadedPart(number=part["PartNumber"], size=part["Size"], etag=part["ETag"].strip('"'))


def _declared(client: S3Client | None) -> S3Client:
    """A client of presigned URLs, which are declared only with a public endpoint."""
    if client is None:
        raise AssertionError("declared only with a public endpoint")
    return client


def _decode(note: bytes | None) -> Sidecar | None:
    return None if note is None else decode_sidecar(note)


def _part_size(expected_size: int) -> int:
    """Bytes: as small as 10,000 parts allow, in whole MiB."""
    return max(_PART_SIZE, -(-expected_size // (_MAX_PARTS * _MIB)) * _MIB)


def _in_flight(part_size: int) -> int:
    """How many parts may be on their way while one more is being filled."""
    return max(1, _MEMORY // part_size - 1)


def _code(error: boto.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: boto.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _meaning_of_answer(error: boto.ClientError, bucket: str) -> StorageError:
    code, status = _code(error), _status(error)
    if code == "NoSuchBucket":
        return StorageRefused(f"the bucket {bucket} does not exist: it has to be made first")
    if code in _FULL or status == 507:
        return StorageFull(str(error))
    if code in _NOT_FOUND and error.operation_name in {"GetObject", "HeadObject"}:
        return BlobNotFound(str(error))
    if code in _MAY_PASS or status in {408, 409, 412, 429} or status >= 500:
        return StorageUnavailable(str(error))
    return StorageRefused(str(error))


def from_url(url: StoreUrl) -> S3Driver:
    url.accept_options("endpoint_url", "public_endpoint_url", "region", "addressing_style", "profile")
    if not url.host:
        raise ValueError("an S3 store URL looks like s3://bucket/prefix?endpoint_url=https://…")
    style = url.options.get("addressing_style", "auto")
    if style not in get_args(_AddressingStyle):
        raise ValueError(f"addressing_style is one of {', '.join(get_args(_AddressingStyle))}")
    prefix = url.path.strip("/")
    try:
        return S3Driver(
            bucket=url.host,
            prefix=f"{prefix}/" if prefix else "",
            endpoint_url=url.options.get("endpoint_url"),
            public_endpoint_url=url.options.get("public_endpoint_url"),
            region=url.options.get("region"),
            addressing_style=cast(_AddressingStyle, style),
            profile=url.options.get("profile"),
            access_key=url.access_key,
            secret_key=url.secret_key,
        )
    except boto.ProfileNotFound as error:
        raise ValueError(
            f"the shared credentials of boto3 have no profile {url.options['profile']}"
        ) from error
