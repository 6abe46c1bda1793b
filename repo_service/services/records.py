"""Plain data that the use cases give back: what the API and the pages show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from repo_service.domain.identity import AccountState, AuthMethod, ClientState, GrantType, Role, Scope
from repo_service.domain.inspection import Glance
from repo_service.domain.resources import JobState, LocationState, UploadState, UploadWay, Visibility
from repo_service.domain.texts import text

T = TypeVar("T")

FORMER_MEMBER: Final = text("Former member")
"""The name that others read in the place of one who left."""


def name_of(display_name: str, erased_at: datetime | None) -> str:
    """What others call the person whose account has these values."""
    return display_name if erased_at is None else FORMER_MEMBER


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Somebody who made a resource."""

    name: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Processing:
    """Where the work after the upload stands; ``progress`` from 0.0 to 1.0."""

    state: JobState
    progress: float
    attempts: int
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRecord:
    """One copy of a file: the store, and what its bytes were when somebody last looked.

    ``locator`` is for ``Stores.shown``, which knows whose business it is.
    """

    store: str
    locator: str
    state: LocationState
    verified_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CleaningRecord:
    """How far the clean copy of a version is, ``progress`` from 0.0 to 1.0. ``state`` is None when none was
    asked for, ``version`` its number once it is there."""

    state: JobState | None
    progress: float
    reason: str | None
    version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRecord:
    """One edition. ``size`` in bytes; size, digest and media type are None once the bytes are deleted.

    ``copies`` are given with a whole resource only, never with a hit of a search, and so is
    ``inspection_made_at``, which tells apart what was found in the file at one time and at another.
    ``format`` is that of a file that is no backup (``domain.formats``), ``thumbnail`` the digest of a small
    picture of it.
    ``cleaning`` tells the owner what a clean copy of version ``cleaned_from`` lost, and what it kept.
    """

    number: int
    file_name: str
    digest: str | None
    size: int | None
    media_type: str | None
    change_note: str
    created_at: datetime
    released_at: datetime | None
    release_requested: bool
    release_refused: Mapping[str, str] | None
    kind: str | None
    processing: Processing
    format: str = ""
    glance: Glance | None = None
    thumbnail: str | None = None
    copies: tuple[CopyRecord, ...] = ()
    inspection_made_at: datetime | None = None
    cleaned_from: int | None = None
    cleaning: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRecord:
    """A resource as the one who asks may see it: the public gets released versions only, newest first.

    ``origin`` is its page at its home, for a resource that is only mirrored here. ``canonical_url`` and
    ``changed_at`` as in the model ``Resource``.
    """

    id: UUID
    title: str
    summary_html: str
    summary_text: str
    licence: str | None
    languages: tuple[str, ...]
    subjects: tuple[str, ...]
    levels: tuple[str, ...]
    types: tuple[str, ...]
    authors: tuple[Author, ...]
    keywords: tuple[str, ...]
    found: tuple[str, ...]
    visibility: Visibility
    owner_id: UUID
    owner: str
    owner_name: str
    is_own: bool
    origin: str | None
    canonical_url: str | None
    released_at: datetime | None
    changed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    revision: int
    versions: tuple[VersionRecord, ...]

    @property
    def etag(self) -> str:
        """Entity tag of this view, without quotes. Edits are held against the revision, its beginning."""
        copies = [copy for version in self.versions for copy in version.copies]
        checked = max((copy.verified_at for copy in copies if copy.verified_at is not None), default=None)
        public = public_etag(self.revision, len(copies), checked)
        if not self.is_own:
            return public
        states = "".join(f"{v.processing.state.value[0]}{v.processing.progress:.2f}" for v in self.versions)
        return f"{public}-o{states}"


def public_etag(revision: int, copies: int, checked: datetime | None) -> str:
    """Entity tag of what the public sees at this revision, with so many copies of the released versions, of
    which one was checked last at ``checked``."""
    return f"{revision}-p{copies}.{0 if checked is None else round(checked.timestamp() * 1_000_000):x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadRecord:
    """A file on its way in. ``size`` in bytes; ``reason`` says why it failed."""

    id: UUID
    file_name: str
    size: int
    way: UploadWay
    state: UploadState
    reason: str | None
    digest: str | None
    expected_digest: str | None
    expires_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRecord:
    """A person. ``quota`` and ``used`` in bytes; ``has_own_quota`` unless the quota is the service's default.
    Addresses, language and reason as in the model ``Account``."""

    id: UUID
    username: str
    display_name: str
    email: str | None
    email_confirmed_at: datetime | None
    unconfirmed_email: str | None
    must_confirm: bool
    has_password: bool
    language: str | None
    role: Role
    quota: int
    has_own_quota: bool
    used: int
    blocked_at: datetime | None
    blocked_reason: str | None
    created_at: datetime

    @property
    def state(self) -> AccountState:
        """Whether it can be used."""
        if self.blocked_at is not None:
            return AccountState.BLOCKED
        return AccountState.UNCONFIRMED if self.must_confirm else AccountState.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRecord:
    """Registered software and the account that answers for it; nobody does for what registered itself.

    ``name``, ``client_uri``, ``software_id`` and ``software_version`` are what it says of itself.
    """

    id: UUID
    name: str
    kind: str
    account_id: UUID | None
    state: ClientState
    auth_method: AuthMethod | None
    redirect_uris: tuple[str, ...]
    grant_types: frozenset[GrantType]
    scopes: tuple[Scope, ...]
    client_uri: str | None
    software_id: str | None
    software_version: str | None
    registered_from: str | None
    decided_by: UUID | None
    decided_at: datetime | None
    authorised_at: datetime | None
    disabled_at: datetime | None
    quota: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedSiteRecord:
    """What one person lets one client do for them; ``hosts`` are those that they were shown when they said
    so."""

    client_id: UUID
    hosts: tuple[str, ...]
    scopes: tuple[Scope, ...]
    connected_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """A token without its secret."""

    id: UUID
    name: str
    scopes: tuple[Scope, ...]
    client_id: UUID | None
    is_session: bool
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationRecord:
    """Somebody may make an account with ``role``. ``email`` is whom the letter is for, None for none;
    ``sent_at`` is when it was handed over, ``made_by`` the user name of who invites."""

    id: UUID
    email: str | None
    role: Role
    made_by: str | None
    created_at: datetime
    expires_at: datetime
    sent_at: datetime | None
    used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One deed of the audit trail. ``by`` is the user name of who did it, None for the public, for operators,
    and for somebody whose account is no more."""

    id: int
    at: datetime
    account_id: UUID | None
    by: str | None
    action: str
    noun: str
    noun_id: str
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A slice of a longer list. ``next_cursor`` is None on the last page."""

    items: tuple[T, ...]
    next_cursor: str | None
