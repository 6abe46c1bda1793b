"""What can go wrong in the terms of the catalogue. An error carries a code and typed fields, and no HTTP
status: ``http/problems.py`` is the one place that knows how each code is answered.

The fields are shown to whoever asked, by these names: they hold nothing that the asker may not know.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from repo_service.domain.texts import counted, text


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one value. ``pointer`` is a JSON Pointer (RFC 6901) into what was sent, such as
    ``/metadata/licence``; parts of a form are named the same way."""

    pointer: str
    detail: str


class DomainError(Exception):
    """Base of every error that a use case raises on purpose. ``detail`` is said to the person who asked: one
    sentence that is of use within its first 120 characters (Moodle shows its user no more than that)."""

    code: ClassVar[str]

    def __init__(self, detail: str, **fields: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = fields


# What is asked for


class NotFound(DomainError):
    """There is no such thing, or the asker may not know that there is."""

    code = "not-found"

    def __init__(self, detail: str = text("There is nothing here that you may see.")) -> None:
        super().__init__(detail)


class Gone(DomainError):
    """It was here and was withdrawn."""

    code = "gone"

    def __init__(self, detail: str, *, reason: str, withdrawn_at: datetime) -> None:
        super().__init__(detail, reason=reason, withdrawn_at=withdrawn_at)
        self.reason = reason
        self.withdrawn_at = withdrawn_at


class InvalidRange(DomainError):
    """None of the bytes asked for exist. ``size`` is that of the whole, in bytes."""

    code = "invalid-range"

    def __init__(self, detail: str, *, size: int) -> None:
        super().__init__(detail, size=size)
        self.size = size


class InvalidCursor(DomainError):
    """The paging cursor was not made by this service, or belongs to another question."""

    code = "invalid-cursor"


# Who asks


class Unauthorised(DomainError):
    """Nobody is signed in where somebody must be, or the token is of no use.

    ``reason`` is ``missing``, ``invalid``, ``expired`` or ``revoked``.
    """

    code = "unauthorised"

    def __init__(
        self, detail: str = text("Sign in, or send an API token."), *, reason: str = "missing"
    ) -> None:
        super().__init__(detail, reason=reason)
        self.reason = reason


class Forbidden(DomainError):
    """The account may not do this, whatever its token says."""

    code = "forbidden"

    def __init__(self, detail: str = text("Your account may not do this.")) -> None:
        super().__init__(detail)


class InsufficientScope(DomainError):
    """The account might do this, but not with this token. ``scope`` is the one that is needed."""

    code = "insufficient-scope"

    def __init__(self, detail: str = "", *, scope: str) -> None:
        super().__init__(detail or text("Your token lacks the scope %(scope)s.", scope=scope), scope=scope)
        self.scope = scope


class SignatureFault(enum.StrEnum):
    """Why the signature of a request was not taken."""

    MISSING = "missing"
    MALFORMED = "malformed"
    SEVERAL = "several"
    """There is more than one, and each could be of somebody else."""
    DUPLICATE_HEADER = "duplicate-header"
    WRONG_HOST = "wrong-host"
    NOT_COVERED = "not-covered"
    """It does not cover what the request does."""
    NO_TIME = "no-time"
    DIGEST_UNCOVERED = "digest-uncovered"
    DIGEST_MISMATCH = "digest-mismatch"
    STALE = "stale"
    FUTURE = "future"
    EXPIRED = "expired"
    ALGORITHM = "algorithm"
    """The one that it names is unknown, or none of the key's."""
    KEY_GONE = "key-gone"
    KEY_UNFIT = "key-unfit"
    """The key is of another kind, or too weak."""
    KEY_UNTRUSTED = "key-untrusted"
    """It is not beyond doubt whose key it is."""
    MISMATCH = "mismatch"
    """It was not made with the key that it names, or the request was changed."""
    REPLAYED = "replayed"
    ACTOR_MISMATCH = "actor-mismatch"
    """Who signed is not who acts."""


class InvalidSignature(DomainError):
    """A request that has to be signed is not, or not so that it proves anything (HTTP signatures)."""

    code = "invalid-signature"

    def __init__(self, detail: str, *, reason: SignatureFault) -> None:
        super().__init__(detail, reason=reason.value)
        self.reason = reason


class SignerUnreachable(DomainError):
    """The key that a request is signed with cannot be had now. ``retry_after`` in seconds."""

    code = "signer-unreachable"

    def __init__(
        self,
        detail: str = text("The server that has the key of this signature does not answer."),
        *,
        retry_after: int,
    ) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.retry_after = retry_after


class InvalidLink(DomainError):
    """The one-time link is unknown, was used already, or has expired: which of them is not told."""

    code = "invalid-link"

    def __init__(
        self, detail: str = text("This link does not work any more: it was used already, or it has expired.")
    ) -> None:
        super().__init__(detail)


class RegistrationClosed(DomainError):
    """Nobody makes an account here alone. ``registration`` is the setting: ``invite`` or ``closed``."""

    code = "registration-closed"

    def __init__(self, detail: str, *, registration: str) -> None:
        super().__init__(detail, registration=registration)
        self.registration = registration


# What is sent


class InvalidInput(DomainError):
    """Well-formed values that the catalogue does not take; ``errors`` names each."""

    code = "invalid-input"

    def __init__(self, detail: str = "", *, errors: Sequence[FieldError | tuple[str, str]]) -> None:
        self.errors = _field_errors(errors)
        super().__init__(detail or _summary(self.errors))


class MalformedRequest(DomainError):
    """The request cannot be read as what it claims to be: broken JSON, broken multipart, a bad header."""

    code = "malformed-request"


class UnsupportedMediaType(DomainError):
    """The body is of a type that is not taken here. ``supported`` lists media types that are."""

    code = "unsupported-media-type"

    def __init__(self, detail: str, *, supported: Sequence[str]) -> None:
        super().__init__(detail, supported=tuple(supported))
        self.supported = tuple(supported)


class LengthRequired(DomainError):
    """The body must announce its size in Content-Length."""

    code = "length-required"

    def __init__(self, detail: str = text("Send the size of the body in Content-Length.")) -> None:
        super().__init__(detail)


class PayloadTooLarge(DomainError):
    """More bytes than are taken. ``limit`` in bytes."""

    code = "payload-too-large"

    def __init__(self, detail: str, *, limit: int) -> None:
        super().__init__(detail, limit=limit)
        self.limit = limit


class QuotaExceeded(DomainError):
    """The account may not keep that much. ``quota``, ``used`` and ``size`` (of what was sent) in bytes."""

    code = "quota-exceeded"

    def __init__(self, detail: str, *, quota: int, used: int, size: int) -> None:
        super().__init__(detail, quota=quota, used=used, size=size)
        self.quota = quota
        self.used = used
        self.size = size


class SizeMismatch(DomainError):
    """More or fewer bytes came than were announced. ``expected`` and ``received`` in bytes."""

    code = "size-mismatch"

    def __init__(self, detail: str = "", *, expected: int, received: int) -> None:
        super().__init__(
            detail
            or text(
                "%(expected)s bytes were announced and %(received)s came.",
                expected=str(expected),
                received=str(received),
            ),
            expected=expected,
            received=received,
        )
        self.expected = expected
        self.received = received


class DigestMismatch(DomainError):
    """The bytes that came are not those announced. Both SHA-256, in hexadecimal."""

    code = "digest-mismatch"

    def __init__(self, detail: str = "", *, expected: str, received: str) -> None:
        super().__init__(
            detail
            or text("The bytes that came do not have the SHA-256 that was announced: send them again."),
            expected=expected,
            received=received,
        )
        self.expected = expected
        self.received = received


class ChecksumMismatch(DomainError):
    """The bytes of one request do not have the checksum that came with them."""

    code = "checksum-mismatch"

    def __init__(self, *, algorithm: str) -> None:
        super().__init__(
            text(
                "The bytes of this request do not have the %(algorithm)s that came with them: "
                "send them again.",
                algorithm=algorithm,
            ),
            algorithm=algorithm,
        )
        self.algorithm = algorithm


class UnsupportedProtocol(DomainError):
    """The client speaks a version of a protocol that we do not speak. ``supported`` lists those we do."""

    code = "unsupported-protocol"

    def __init__(self, detail: str, *, supported: Sequence[str]) -> None:
        super().__init__(detail, supported=tuple(supported))
        self.supported = tuple(supported)


class InvalidFile(DomainError):
    """The file is not what it claims to be, is damaged, or breaks a limit of the inspection.

    ``reason`` is a stable word for software, such as ``truncated`` or ``too-many-entries``.
    """

    code = "invalid-file"

    def __init__(self, detail: str, *, reason: str, place: str = "") -> None:
        super().__init__(detail, reason=reason, place=place)
        self.reason = reason
        self.place = place


# What stands in the way


class Conflict(DomainError):
    """The thing is in a state in which this cannot be done, where no narrower code says why."""

    code = "conflict"


class PreconditionFailed(DomainError):
    """The thing has changed since the asker read it (If-Match, If-None-Match, If-Unmodified-Since)."""

    code = "precondition-failed"

    def __init__(self, detail: str = text("It has changed since you read it: read it again.")) -> None:
        super().__init__(detail)


class NameTaken(DomainError):
    """Another thing already goes by this name."""

    code = "name-taken"

    def __init__(self, detail: str = "", *, name: str) -> None:
        super().__init__(detail or text("The name %(name)s is taken.", name=repr(name)), name=name)
        self.name = name


class IdempotencyKeyInUse(DomainError):
    """A request with this key is under way ``since``, or was broken off together with the service.
    ``retry_after`` in seconds."""

    code = "idempotency-key-in-use"

    def __init__(
        self,
        detail: str = text("A request with this Idempotency-Key is under way: ask again in a moment."),
        *,
        since: datetime,
        retry_after: int = 5,
    ) -> None:
        super().__init__(detail, since=since, retry_after=retry_after)
        self.since = since
        self.retry_after = retry_after


class IdempotencyKeyReused(DomainError):
    """Another request had this key."""

    code = "idempotency-key-reused"

    def __init__(
        self, detail: str = text("Another request had this Idempotency-Key: draw a new one for each.")
    ) -> None:
        super().__init__(detail)


class NotVerified(DomainError):
    """The bytes of the upload are being read for the first time. ``retry_after`` in seconds."""

    code = "not-verified"

    def __init__(
        self,
        detail: str = text("The file is still being verified: try again in a moment."),
        *,
        retry_after: int,
    ) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.retry_after = retry_after


class PartsMissing(DomainError):
    """Parts of an upload are not there, or not as announced. ``missing`` are the numbers of the first of
    them, ``count`` how many there are."""

    code = "parts-missing"

    def __init__(self, detail: str = "", *, missing: Sequence[int], count: int) -> None:
        super().__init__(
            detail
            or counted(
                "%(count)s part is not there yet, or not as it was announced: send it.",
                "%(count)s parts are not there yet, or not as they were announced: send them.",
                count,
            ),
            missing=tuple(missing),
            count=count,
        )
        self.missing = tuple(missing)
        self.count = count


class NoDirectUploads(DomainError):
    """The store of this service takes no bytes from clients."""

    code = "no-direct-uploads"

    def __init__(
        self, detail: str = text("Send the file to this service: its store takes none from clients.")
    ) -> None:
        super().__init__(detail)


class OffsetMismatch(DomainError):
    """The bytes begin elsewhere than where the upload goes on, which is ``offset``."""

    code = "offset-mismatch"

    def __init__(self, *, offset: int) -> None:
        super().__init__(
            text("This upload goes on at byte %(offset)s: send the bytes from there.", offset=str(offset)),
            offset=offset,
        )
        self.offset = offset


class Locked(DomainError):
    """Another request sends bytes to this upload. ``retry_after`` in seconds."""

    code = "locked"

    def __init__(self, *, retry_after: int) -> None:
        super().__init__(
            text("Another request sends bytes to this upload: wait until it has ended, or was given up."),
            retry_after=retry_after,
        )
        self.retry_after = retry_after


class UploadFailed(DomainError):
    """The upload cannot be gone on with, and nothing of it was kept; ``detail`` says why."""

    code = "upload-failed"


class NotInspected(DomainError):
    """The file has to be inspected first. ``state`` is that of its inspection, such as ``queued``."""

    code = "not-inspected"

    def __init__(self, detail: str = "", *, state: str) -> None:
        super().__init__(detail or text("The file has not been inspected yet."), state=state)
        self.state = state


class NotABackup(DomainError):
    """What was asked for only Moodle backups have. ``kind`` is what inspection found the file to be."""

    code = "not-a-backup"

    def __init__(
        self, detail: str = text("This file is no Moodle backup: there is nothing to restore."), *, kind: str
    ) -> None:
        super().__init__(detail, kind=kind)
        self.kind = kind


class BlockingFindings(DomainError):
    """Something in the file stops its release. ``findings`` are the codes of what was found."""

    code = "blocking-findings"

    def __init__(self, detail: str, *, findings: Sequence[str]) -> None:
        super().__init__(detail, findings=tuple(findings))
        self.findings = tuple(findings)


class Uncleanable(DomainError):
    """Nobody here can tell whose data is in some parts of the file. ``places`` names plugins and members."""

    code = "uncleanable"

    def __init__(self, detail: str, *, places: Sequence[str]) -> None:
        super().__init__(detail, places=tuple(places))
        self.places = tuple(places)


class EmailUnconfirmed(DomainError):
    """Whoever signed up has to confirm their e-mail address before others can see what they share."""

    code = "email-unconfirmed"

    def __init__(
        self,
        detail: str = text(
            "Confirm your e-mail address first, with the link in the letter that we sent you."
        ),
    ) -> None:
        super().__init__(detail)


class Incomplete(DomainError):
    """Something has to be filled in first; ``errors`` names each missing value."""

    code = "incomplete"

    def __init__(self, detail: str = "", *, errors: Sequence[FieldError | tuple[str, str]]) -> None:
        self.errors = _field_errors(errors)
        super().__init__(detail or _summary(self.errors))


# What the service cannot do now


class ReadOnly(DomainError):
    """This is a mirror, and changes nothing. ``home`` is the address of the service that it mirrors."""

    code = "read-only"

    def __init__(self, detail: str = "", *, home: str | None = None) -> None:
        super().__init__(
            detail or _at_home(home),
            home=home,
        )
        self.home = home


class NotFetched(DomainError):
    """The mirror does not have this file yet and fetches it now. ``home`` is the resource's page at its home,
    ``retry_after`` in seconds."""

    code = "not-fetched"

    def __init__(
        self,
        detail: str = text("This mirror fetches the file now: try again in a minute."),
        *,
        home: str | None,
        retry_after: int = 60,
    ) -> None:
        super().__init__(detail, home=home, retry_after=retry_after)
        self.home = home
        self.retry_after = retry_after


class NotIndexed(DomainError):
    """Parts of the file cannot be read yet: it is being indexed now. ``retry_after`` in seconds."""

    code = "not-indexed"

    def __init__(
        self,
        detail: str = text("This backup is being made ready for that: try again in a minute."),
        *,
        retry_after: int = 30,
    ) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.retry_after = retry_after


class StorageFull(DomainError):
    """There is no room for this. How much there is concerns operators only."""

    code = "storage-full"

    def __init__(self, detail: str = text("The service has no room left for this file.")) -> None:
        super().__init__(detail)


class RemoteFault(enum.StrEnum):
    """Why nothing came of a request to another server."""

    ADDRESS = "address"
    """It is no address that strangers may send us to, or leads to one."""
    UNREACHABLE = "unreachable"
    """No such name, no connection, no trusted certificate, or a connection that broke."""
    TIMEOUT = "timeout"
    REDIRECTS = "redirects"
    """Too many, or one where there may be none."""
    STATUS = "status"
    TOO_LARGE = "too-large"
    ENCODING = "encoding"
    MEDIA_TYPE = "media-type"
    JSON = "json"
    """No JSON, or some that is nested too deeply or has too many values."""


class RemoteFailed(DomainError):
    """Another server did not give what was asked for. ``temporary`` says whether to ask again later;
    ``status`` is its answer, if there was one; ``retry_after`` in seconds, where it said so."""

    code = "remote-failed"

    def __init__(
        self,
        detail: str,
        *,
        reason: RemoteFault,
        temporary: bool = False,
        status: int | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail, reason=reason.value)
        self.reason = reason
        self.temporary = temporary
        self.status = status
        self.retry_after = retry_after

    @property
    def is_gone(self) -> bool:
        """Whether the other server says that there is no such thing."""
        return self.status in (404, 410)


class Busy(DomainError):
    """Something else holds what this needs. ``retry_after`` in seconds."""

    code = "busy"

    def __init__(
        self, detail: str = text("The service is busy: try again in a moment."), *, retry_after: int = 5
    ) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.retry_after = retry_after


class TooManyRequests(DomainError):
    """The asker asks too often. ``retry_after`` in seconds."""

    code = "too-many-requests"

    def __init__(self, detail: str = "", *, retry_after: int) -> None:
        super().__init__(
            detail
            or counted(
                "Too many requests: try again in %(count)s second.",
                "Too many requests: try again in %(count)s seconds.",
                retry_after,
            ),
            retry_after=retry_after,
        )
        self.retry_after = retry_after


def _field_errors(errors: Sequence[FieldError | tuple[str, str]]) -> tuple[FieldError, ...]:
    return tuple(error if isinstance(error, FieldError) else FieldError(*error) for error in errors)


def _at_home(home: str | None) -> str:
    if home is None:
        return text("This is a read-only mirror: do this at its home, where the resources come from.")
    return text("This is a read-only mirror: do this at %(home)s.", home=home)


def _summary(errors: Sequence[FieldError]) -> str:
    """One sentence over several errors: the first, and how many more there are."""
    if not errors:
        return text("Some of what was sent is not right.")
    first = errors[0]
    name = first.pointer.lstrip("/")
    said = text("%(name)s: %(what)s", name=name, what=first.detail) if name else first.detail
    more = len(errors) - 1
    if not more:
        return said
    return counted("%(first)s (and %(count)s more)", "%(first)s (and %(count)s more)", more, first=said)
