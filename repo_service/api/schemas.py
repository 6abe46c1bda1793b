"""What the API takes and gives, as pydantic models: the source of the served OpenAPI."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from flask import request
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    model_validator,
)

from repo_service.domain.formats import MoodleUse
from repo_service.domain.identity import AccountState, ClientKind, ClientState, Role, Scope
from repo_service.domain.reports import Decision, ReportReason
from repo_service.domain.resources import (
    JobKind,
    JobState,
    LocationState,
    Noun,
    UploadState,
    UploadWay,
    Visibility,
)
from repo_service.domain.search import Facet, Sort
from repo_service.languages import LANGUAGES
from repo_service.models.account import EMAIL_LENGTH
from repo_service.services.accounts import REASON_LENGTH, USERNAME
from repo_service.services.canonical import URL_LENGTH as CANONICAL_LENGTH
from repo_service.services.descriptions import (
    LIST_LENGTH,
    NAME_LENGTH,
    SUMMARY_LENGTH,
    TITLE_LENGTH,
    Description,
)
from repo_service.services.records import Author
from repo_service.services.reporting import NOTE_LENGTH, SHOWN, WORDS_LENGTH

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$")]
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
"""PostgreSQL keeps no NUL in text."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=NAME_LENGTH, pattern=r"^[^\x00]*$")]
Email = Annotated[str, StringConstraints(min_length=3, max_length=EMAIL_LENGTH, pattern=r"^[^\x00]*$")]
Code = Annotated[str, StringConstraints(min_length=1, max_length=NAME_LENGTH, pattern=r"^[^\x00]*$")]
LetterLanguage = Annotated[str, Field(json_schema_extra={"enum": list(LANGUAGES)})]
Codes = Annotated[list[Code], Field(max_length=LIST_LENGTH)]
Cursor = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
MAX_PARTS = 10_000
"""What S3 allows."""
_MAX_TOKEN_AGE = timedelta(days=3650)
Size = Annotated[int, Field(ge=0, le=2**53, strict=True)]


_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""What turns the direction of the text behind it (Unicode Standard Annex #9, section 2)."""
_AS_TYPED = frozenset({"password"})


class Incoming(BaseModel):
    """Unknown members are refused, so that a typing mistake is told and not lost. Characters that turn the
    direction of what stands behind them on a page are left out, as pages leave them out of their forms."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _turn_nothing(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: value if name in _AS_TYPED else _straight(value) for name, value in given.items()}


def _straight(value: Any) -> Any:
    if isinstance(value, str):
        return _TURNING.sub("", value)
    return [_straight(item) for item in value] if isinstance(value, list) else value


class Outgoing(BaseModel):
    """Made from the records of the services."""

    model_config = ConfigDict(from_attributes=True)


class Query(BaseModel):
    """Arguments in the address; a list is given by naming its argument several times."""

    @model_validator(mode="before")
    @classmethod
    def _repeated(cls, data: dict[str, Any]) -> dict[str, Any]:
        lists = {
            name: request.args.getlist(name)
            for name, field in cls.model_fields.items()
            if name in data and "list" in str(field.annotation)
        }
        return {**data, **lists}


class PageQuery(Query):
    """Where to go on in a list."""

    limit: int = Field(default=20, ge=1, le=100, description="How many at the most.")
    cursor: Cursor | None = Field(default=None, description="`next_cursor` of the page before.")


# Resources


class AuthorIn(Incoming):
    """Somebody who made the resource."""

    name: Name = Field(examples=["Ada Lovelace"])
    url: Annotated[Text, Field(max_length=1000)] = Field(
        default="", description="A page about them, https://…"
    )


class DescriptionIn(Incoming):
    """What an owner says about a resource; what is left out stays as it is, or as it was found in the file.

    Codes may be any identifier that the vocabulary knows (see `/vocabularies/`).
    """

    title: Annotated[Text, Field(max_length=TITLE_LENGTH)] | None = Field(
        default=None, examples=["Environmental science"]
    )
    summary: Annotated[Text, Field(max_length=SUMMARY_LENGTH)] | None = Field(
        default=None, description="HTML; it is cleaned."
    )
    licence: Code | None = Field(
        default=None,
        description="SPDX identifier, or another of `/vocabularies/licences`.",
        examples=["CC-BY-4.0"],
    )
    languages: Codes | None = Field(default=None, description="BCP 47 tags.", examples=[["en"]])
    subjects: Codes | None = Field(
        default=None, description="Of `/vocabularies/isced-f-2013`.", examples=[["0521"]]
    )
    levels: Codes | None = Field(
        default=None, description="Of `/vocabularies/isced-2011`.", examples=[["level3"]]
    )
    types: Codes | None = Field(default=None, description="Of `/vocabularies/hcrt`.", examples=[["course"]])
    authors: Annotated[list[AuthorIn], Field(max_length=LIST_LENGTH)] | None = None
    keywords: Annotated[list[Name], Field(max_length=LIST_LENGTH)] | None = None
    canonical_url: Annotated[Text, Field(max_length=CANONICAL_LENGTH)] | None = Field(
        default=None,
        description="Its page at the instance that sends it, which an administrator has approved: on the "
        "very host that people are sent back to. Empty takes it back.",
    )

    def description(self) -> Description:
        """The same in the words of the services."""
        values = {name: getattr(self, name) for name in DescriptionIn.model_fields if name != "authors"}
        authors = None if self.authors is None else [Author(name=a.name, url=a.url) for a in self.authors]
        return Description(authors=authors, **values)


class EditionIn(Incoming):
    """What is said about a new version."""

    change_note: Annotated[Text, Field(max_length=5000)] = Field(default="", description="What is new in it.")
    release: StrictBool = Field(
        default=False, description="Release it as soon as it is inspected and nothing stands against it."
    )
    sha256: Sha256 | None = Field(default=None, description="Expected SHA-256 of the file; verified.")
    upload: UUID | None = Field(
        default=None, description="A finished upload; needed when the file is not part of the request."
    )


class BecomeVersionIn(Incoming):
    """What a draft becomes a version of."""

    of: UUID = Field(description="Another resource of yours; not a withdrawn one.")
    change_note: Annotated[Text, Field(max_length=5000)] = Field(
        default="", description="What is new in it, unless the draft says so already."
    )


class ResourceIn(DescriptionIn, EditionIn):
    """A new resource: its description and its first version."""


class WithdrawIn(Incoming):
    """Why a resource goes."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")] = Field(
        description="Shown to everybody who asks for the resource.", examples=["Replaced by a newer course."]
    )


class CleanIn(Incoming):
    """What to do with a clean copy."""

    release: bool = Field(
        default=False, description="Release it as soon as it is there and nothing stands against it."
    )


class CleaningOut(Outgoing):
    """How far a clean copy is."""

    state: JobState | None = Field(description="None when no clean copy was asked for.")
    progress: float = Field(description="From 0.0 to 1.0.")
    reason: str | None = Field(description="Why it failed, or what it waits for.")
    version: int | None = Field(description="The number of the clean version, once it is there.")


class CleanedOut(Outgoing):
    """Things of one kind that a clean copy does not have any more."""

    code: str
    count: int
    places: int = Field(description="How many files of the backup they stood in.")


class LeftOut(Outgoing):
    """Something that stayed in a clean copy, for the owner to confirm."""

    code: str
    place: str = Field(description="The file within the backup.")
    element: str = Field(description="The path of tags in it.")
    count: int
    message: str


class CleaningReportOut(Outgoing):
    """What a clean copy lost, and what stayed."""

    removed: list[CleanedOut]
    left: list[LeftOut]


class AuthorOut(Outgoing):
    """Somebody who made the resource."""

    name: str
    url: str


class ProcessingOut(Outgoing):
    """Where the work after the upload stands."""

    state: JobState
    progress: float = Field(description="From 0.0 to 1.0.")
    attempts: int
    reason: str | None = Field(description="Why it failed last.")


class CopyOut(Outgoing):
    """One copy of a version's file."""

    store: str = Field(description="What the operators call the store.")
    state: LocationState = Field(description="What it was when it was last looked at.")
    verified_at: datetime | None = Field(description="When it was last looked at.")
    cid: str | None = Field(description="Its name in a content-addressed network (CIDv1).")
    url: str | None = Field(description="Where any node of that network finds it, `ipfs://…`.")


class RefusalOut(Outgoing):
    """Why something was not done: a problem's code, and what to tell people."""

    code: str
    detail: str


class GlanceOut(Outgoing):
    """What a backup holds, in a few numbers; the whole is at `inspection_url`."""

    sections: int
    activities: int
    questions: int
    files: int
    moodle_release: str
    modules: list[str] = Field(description="The activity modules that it has most of.")


class FoundVersionOut(Outgoing):
    """One edition of a resource, as a search shows it."""

    number: int
    file_name: str
    sha256: str | None
    size: int | None = Field(description="Bytes; null once the file is deleted.")
    media_type: str | None
    kind: str | None = Field(description="What inspection found it to be, such as `course` or `file`.")
    format: str | None = Field(
        description="Of a file that is no backup, where it is known: `h5p`, `scorm`, `imscc`, `pdf` …"
    )
    moodle_use: MoodleUse | None = Field(
        description="What Moodle makes of it in a course: it restores a backup, and has activities for H5P "
        "and SCORM packages; all else becomes a file."
    )
    thumbnail_url: str | None = Field(
        description="A small picture of it (WebP), with `large` for `small` a large one. Null where it "
        "cannot be shown, and until the picture has been made."
    )
    glance: GlanceOut | None = Field(description="Of a Moodle backup.")
    change_note: str
    created_at: datetime
    released_at: datetime | None
    release_requested: bool = Field(
        description="It is released as soon as inspection finds nothing against it."
    )
    release_refused: RefusalOut | None = Field(
        description="Why it was not released although that was asked for."
    )
    processing: ProcessingOut
    download_url: str
    inspection_url: str


class VersionOut(FoundVersionOut):
    """One edition of a resource, with where the copies of its file are."""

    copies: list[CopyOut]
    cleaned_from: int | None = Field(description="The version that this one is the clean copy of.")
    cleaning: CleaningReportOut | None = Field(
        description="For the owner: what the clean copy lost, and what stayed to be confirmed."
    )


class _DescribedOut(Outgoing):
    """What is said about a resource wherever it is shown."""

    id: UUID
    url: str = Field(description="The page about it.")
    api_url: str
    title: str
    summary: str = Field(description="Clean HTML.")
    summary_text: str
    licence: str | None
    languages: list[str]
    subjects: list[str]
    levels: list[str]
    types: list[str]
    authors: list[AuthorOut]
    keywords: list[str]
    found: list[str] = Field(description="Fields that inspection filled and the owner has not confirmed.")
    visibility: Visibility
    origin: str | None = Field(
        description="Its page at the service that it comes from (schema.org), when this is a mirror of it."
    )
    canonical_url: str | None = Field(
        description="Its page at the instance that shares it here for its members."
    )
    owner: str
    owner_name: str
    released_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ResourceOut(_DescribedOut):
    """A resource as the one who asks may see it."""

    versions: list[VersionOut] = Field(description="Newest first; the public sees released ones only.")


class ResourcePageOut(Outgoing):
    """A page of resources."""

    items: list[ResourceOut]
    next_cursor: str | None


_ResourceFacet = Literal[
    Facet.TYPE,
    Facet.SUBJECT,
    Facet.LEVEL,
    Facet.LANGUAGE,
    Facet.LICENCE,
    Facet.MOODLE_RELEASE,
    Facet.MODULE,
    Facet.FILE_TYPE,
    Facet.FORMAT,
]


class SearchQueryIn(PageQuery):
    """A search. Values of one filter are alternatives; different filters must all hold."""

    q: Annotated[str, Field(max_length=500)] = Field(
        default="", description='Words (all wanted), "a phrase", prefix*.'
    )
    type: list[Code] = Field(default=[], max_length=LIST_LENGTH)
    subject: list[Code] = Field(default=[], max_length=LIST_LENGTH)
    level: list[Code] = Field(default=[], max_length=LIST_LENGTH)
    language: list[Code] = Field(default=[], max_length=LIST_LENGTH)
    licence: list[Code] = Field(default=[], max_length=LIST_LENGTH)
    moodle_release: list[Code] = Field(default=[], max_length=LIST_LENGTH)
    module: list[Code] = Field(default=[], max_length=LIST_LENGTH)
    file_type: list[Code] = Field(
        default=[],
        max_length=LIST_LENGTH,
        description="Endings of file names in lower case and without their dot, such as `mbz` or `pdf`.",
    )
    format: list[Code] = Field(
        default=[],
        max_length=LIST_LENGTH,
        description="What a file is by what is in it: `h5p`; of backups `course`, `section`, `activity`.",
    )
    facet: list[_ResourceFacet] = Field(default=[], description="Which facets to count.")
    sort: Sort = Field(default=Sort.BEST, description="The order: what fits best first, or the newest.")


class SpanOut(Outgoing):
    """Where words of the search stand in a piece of text, in characters."""

    start: int
    end: int


class HighlightOut(Outgoing):
    """A piece of a field with what matched in it."""

    text: str
    spans: list[SpanOut]


class SearchItemOut(_DescribedOut):
    """A resource that fits, with its newest version only."""

    versions: list[FoundVersionOut] = Field(description="The newest released one.")
    highlights: dict[str, HighlightOut]


class FacetCountOut(Outgoing):
    """How many fit with this value."""

    value: str
    count: int


class SearchOut(Outgoing):
    """A page of what fits, in the order that was asked for; newest first without words."""

    items: list[SearchItemOut]
    total: int
    facets: dict[str, list[FacetCountOut]]
    next_cursor: str | None


class DownloadLinkOut(Outgoing):
    """An address that needs no token for a short while."""

    url: str
    expires_at: datetime


# Uploads


class UploadIn(Incoming):
    """A file that is about to come."""

    file_name: Name = Field(examples=["course.mbz"])
    size: Size = Field(description="Bytes.")
    sha256: Sha256 | None = Field(default=None, description="Expected SHA-256; verified.")


class UploadOut(Outgoing):
    """A file on its way in."""

    id: UUID
    url: str = Field(description="Where it is. PUT the bytes here when they come in one body.")
    file_name: str
    size: int
    way: UploadWay
    state: UploadState
    reason: str | None = Field(description="Why it failed.")
    sha256: str | None
    expires_at: datetime
    created_at: datetime


class DirectUploadIn(UploadIn):
    """A file that is about to come straight to the store."""

    size: Annotated[int, Field(ge=1, le=2**53, strict=True)] = Field(description="Bytes, at least one.")


class DirectUploadOut(UploadOut):
    """A file that is sent to the store in parts."""

    part_size: int = Field(description="Bytes of each part but the last.")
    part_count: int
    parts_url: str = Field(description="GET where the parts go.")
    complete_url: str = Field(description="POST here when all parts are sent.")


class PartsQueryIn(Query):
    """Which parts."""

    first: int = Field(default=1, ge=1, le=MAX_PARTS, description="Number of the first.")
    limit: int = Field(default=100, ge=1, le=1000, description="How many at the most.")


class PartOut(Outgoing):
    """One part of an upload."""

    number: int
    size: int = Field(description="Bytes: exactly so many are taken.")
    url: str = Field(description="PUT them here, without your token.")
    etag: str | None = Field(description="Of the part as it is there; null when it is not.")


class PartsOut(Outgoing):
    """Some parts of an upload, in order."""

    part_size: int
    part_count: int
    expires_at: datetime = Field(description="When the URLs stop working: ask again for new ones.")
    items: list[PartOut]
    next_first: int | None = Field(description="`first` of the next page.")


class SentPartIn(Incoming):
    """A part that was sent."""

    number: Annotated[int, Field(ge=1, le=MAX_PARTS, strict=True)]
    etag: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="The ETag that the store answered, with or without its quotes."
    )


class CompleteIn(Incoming):
    """What was sent, as the store answered it."""

    parts: Annotated[list[SentPartIn], Field(max_length=MAX_PARTS)] | None = Field(
        default=None, description="All parts; left out, what the store has counts."
    )


# Catalogue


class NamedFileOut(Outgoing):
    """A file of a snapshot."""

    sha256: str
    size: int = Field(description="Bytes.")
    cid: str | None = Field(description="Its name in IPFS (CIDv1), where that is configured.")
    url: str | None = Field(description="Where any IPFS node finds it, `ipfs://…`.")
    download_url: str


class SnapshotOut(Outgoing):
    """All that was public at one moment."""

    generated_at: datetime
    resources: int
    change_seq: int = Field(description="The last change that it knows.")
    manifest: NamedFileOut = Field(description="Names the catalogue, and the manifest before.")
    catalogue: NamedFileOut = Field(description="A line of JSON for each resource, compressed by gzip.")


class HomeOut(Outgoing):
    """The service that a mirror mirrors."""

    name: str
    url: str
    generated_at: datetime = Field(description="As of when.")


class CatalogueOut(Outgoing):
    """The newest snapshots."""

    items: list[SnapshotOut]
    mirror_of: HomeOut | None = Field(description="Where the resources come from, when this is a mirror.")


# Accounts


class AccountIn(Incoming):
    """A new account."""

    username: Annotated[str, StringConstraints(pattern=f"^{USERNAME}$")]
    display_name: Annotated[Text, Field(max_length=NAME_LENGTH)] = ""
    email: Email | None = Field(default=None, description="You vouch that it is theirs.")
    language: LetterLanguage | None = Field(
        default=None, description="Of letters to them (BCP 47); null for the service's own."
    )
    role: Role = Role.MEMBER
    quota: Size | None = Field(default=None, description="Bytes; null for the service's default.")
    send_link: StrictBool = Field(
        default=False, description="Mail a link to choose a password to the address."
    )

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.send_link and self.email is None:
            raise ValueError("send_link needs an email")
        return self


class AccountChangeIn(Incoming):
    """What is to change about an account."""

    display_name: Name | None = None
    email: Email | None = Field(default=None, description="You vouch that it is theirs.")
    language: LetterLanguage | None = Field(default=None, description="Of letters to them (BCP 47).")
    role: Role | None = None
    quota: Size | None = None
    default_quota: StrictBool = Field(default=False, description="Back to the service's quota.")
    blocked: StrictBool | None = None
    blocked_reason: Annotated[Text, Field(max_length=REASON_LENGTH)] | None = Field(
        default=None, description="They get it by letter."
    )

    @model_validator(mode="after")
    def _one_quota(self) -> Self:
        if self.default_quota and self.quota is not None:
            raise ValueError("quota and default_quota exclude each other")
        return self


class AccountOut(Outgoing):
    """A person."""

    id: UUID
    username: str
    display_name: str
    email: str | None = Field(description="Where letters go.")
    email_confirmed_at: datetime | None = Field(description="When a link that was sent there was opened.")
    unconfirmed_email: str | None = Field(description="Where a link was sent that nobody has opened yet.")
    must_confirm: bool = Field(description="Nothing can be released before the address is confirmed.")
    has_password: bool
    language: str | None = Field(
        description="Of letters to them (BCP 47); null for the service's own.", examples=["de"]
    )
    role: Role
    quota: int
    has_own_quota: bool = Field(description="False for the service's default.")
    used: int = Field(description="Bytes that count against the quota.")
    state: AccountState
    blocked_at: datetime | None
    blocked_reason: str | None
    created_at: datetime


class AccountsQueryIn(PageQuery):
    """Which accounts."""

    q: Annotated[Text, Field(max_length=NAME_LENGTH)] = Field(
        default="", description="Words in their names and addresses."
    )
    role: Role | None = None
    state: AccountState | None = None


class AccountPageOut(Outgoing):
    """A page of accounts."""

    items: list[AccountOut]
    next_cursor: str | None


class InvitationIn(Incoming):
    """Somebody may make an account."""

    email: Email | None = Field(default=None, description="Whom it is for; null for whoever has the link.")
    role: Role = Role.MEMBER
    send: StrictBool = Field(
        default=True, description="By letter, when there is an address. If false, `url` is in the answer."
    )


class InvitationOut(Outgoing):
    """An invitation."""

    id: UUID
    email: str | None
    role: Role
    made_by: str | None = Field(description="User name of who invites; null for an operator.")
    created_at: datetime
    expires_at: datetime
    sent_at: datetime | None = Field(description="When the letter was handed to the mail server.")
    used_at: datetime | None


class InvitedOut(InvitationOut):
    """A new invitation, with its link when no letter goes out."""

    url: str | None = Field(description="Shown this once.")

    @classmethod
    def of(cls, invitation: object, url: str | None) -> Self:
        """Put the two together."""
        return cls(url=url, **InvitationOut.model_validate(invitation).model_dump())


class InvitationsOut(Outgoing):
    """The newest invitations."""

    items: list[InvitationOut]


def _iso_text(value: object) -> object:
    """Pydantic would take numbers for seconds."""
    if not (isinstance(value, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]", value)):
        raise ValueError("A moment is written like 2030-01-31T12:00:00Z.")
    return value


def _soon(moment: datetime) -> datetime:
    try:
        ahead = moment - datetime.now(UTC)
    except OverflowError as error:
        raise ValueError("is beyond the calendar") from error
    if not timedelta(0) < ahead <= _MAX_TOKEN_AGE:
        raise ValueError("must lie in the future, at most ten years from now")
    return moment


class TokenIn(Incoming):
    """A new token; it cannot do more than the one who makes it."""

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1)]
    expires_at: Annotated[AwareDatetime, BeforeValidator(_iso_text), AfterValidator(_soon)] | None = Field(
        default=None, description="In the future, and at most ten years from now."
    )
    client: UUID | None = Field(default=None, description="The client it is for.")


class TokenOut(Outgoing):
    """A token without its secret."""

    id: UUID
    name: str
    scopes: list[Scope]
    client_id: UUID | None
    is_session: bool = Field(description="It stands for a browser, and ends with that.")
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


class TokensOut(Outgoing):
    """One's own tokens."""

    items: list[TokenOut]


class IssuedTokenOut(TokenOut):
    """A new token with its secret."""

    secret: str = Field(description="Shown this once.")

    @classmethod
    def of(cls, token: object, secret: str) -> Self:
        """Put the two together."""
        return cls(secret=secret, **TokenOut.model_validate(token).model_dump())


class ClientIn(Incoming):
    """Software to register."""

    name: Name
    kind: ClientKind = ClientKind.OTHER


class ClientOut(Outgoing):
    """Registered software."""

    id: UUID
    name: str
    kind: ClientKind
    disabled_at: datetime | None
    created_at: datetime


class ClientsOut(Outgoing):
    """One's own registered software."""

    items: list[ClientOut]


# Sites and apps that people let act for them (OAuth)


class ConnectedSiteOut(Outgoing):
    """What one site or app may do for me."""

    client_id: UUID
    hosts: list[str] = Field(description="Those that I was shown when I connected it.")
    scopes: list[Scope]
    connected_at: datetime
    last_used_at: datetime | None


class ConnectedSitesOut(Outgoing):
    """The sites and apps that act for me."""

    items: list[ConnectedSiteOut]


class SiteQueryIn(PageQuery):
    """Which sites."""

    state: ClientState | None = None


class SiteChangeIn(Incoming):
    """What becomes of a site."""

    state: Literal["approved", "declined", "disabled"] | None = Field(
        default=None, description="At once. Whatever people let it do ends unless it is approved."
    )
    quota: Size | None = Field(
        default=None,
        description="Bytes that may be kept of what it sends, for all its people together; null: as many as "
        "each of them may keep.",
    )


class SiteOut(Outgoing):
    """A site or app that people can connect. Its name, address and software are what it says of itself."""

    id: UUID
    name: str
    kind: ClientKind
    state: ClientState
    redirect_uris: list[str] = Field(description="Where people are sent back to: what it cannot lie about.")
    scopes: list[Scope]
    client_uri: str | None
    software_id: str | None
    software_version: str | None
    registered_from: str | None = Field(description="An address, kept for a week.")
    decided_by: UUID | None
    decided_at: datetime | None
    authorised_at: datetime | None = Field(description="When somebody first connected it.")
    quota: int | None = Field(description="Bytes that may be kept of what it sends.")
    created_at: datetime


class SiteUsageOut(SiteOut):
    """A site with what is kept of what it sent."""

    used: int = Field(description="Bytes.")


class SitePageOut(Outgoing):
    """A page of sites."""

    items: list[SiteOut]
    next_cursor: str | None


def _day_text(value: object) -> object:
    """Pydantic would take numbers for seconds."""
    if not (isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)):
        raise ValueError("A day is written like 2030-01-31.")
    return value


Day = Annotated[date, BeforeValidator(_day_text)]


class AuditQueryIn(PageQuery):
    """Which deeds."""

    by: Code | None = Field(default=None, description="User name of who did it.")
    action: Code | None = None
    noun: Noun | None = None
    noun_id: Code | None = None
    since: Day | None = Field(default=None, description="First day (UTC).")
    until: Day | None = Field(default=None, description="Last day (UTC).")


class AuditEntryOut(Outgoing):
    """One deed."""

    id: int
    at: datetime
    account_id: UUID | None
    by: str | None = Field(description="User name.")
    action: str
    noun: str
    noun_id: str
    details: dict[str, Any]


class AuditPageOut(Outgoing):
    """A page of the audit trail, newest first."""

    items: list[AuditEntryOut]
    next_cursor: str | None


# Reports


class ReportIn(Incoming):
    """What is wrong with a resource."""

    reason: ReportReason
    words: Annotated[Text, Field(min_length=1, max_length=WORDS_LENGTH)] = Field(
        description="What is wrong, for the moderators to read."
    )
    email: Email | None = Field(
        default=None, description="Without a token: where to be told what becomes of it."
    )
    language: LetterLanguage = Field(default="en", description="Of the letter to that address (BCP 47).")


class ReportedIdOut(Outgoing):
    """That it was received."""

    id: UUID


class ReportsQueryIn(PageQuery):
    """Which reports."""

    state: Literal["waiting", "decided"] = "waiting"


class DecisionIn(Incoming):
    """What becomes of the reports that wait."""

    decision: Decision
    note: Annotated[Text, Field(min_length=1, max_length=NOTE_LENGTH)] = Field(
        description="Why. Of a resource that is hidden everybody reads it; its owner and who reported it get "
        "it by letter."
    )
    until: UUID | None = Field(
        default=None, description="The newest report that was read: what came after it is not dismissed."
    )


class ReportOut(Outgoing):
    """One report."""

    id: UUID
    reason: ReportReason
    words: str
    reporter: str | None = Field(description="User name; null for somebody who was not signed in.")
    wants_to_know: bool = Field(description="They can be told what becomes of it.")
    created_at: datetime
    decision: Decision | None
    note: str | None
    decided_by: str | None = Field(description="User name of the moderator.")
    decided_at: datetime | None


class ReportedOut(Outgoing):
    """A resource that was reported."""

    resource_id: UUID
    title: str
    owner: str
    visibility: Visibility
    is_own: bool = Field(description="It is yours: another moderator decides.")
    waiting: int = Field(description="Reports that wait for a decision.")
    decided: int
    reports: list[ReportOut] = Field(description=f"The newest {SHOWN}, newest first.")


class ReportedPageOut(Outgoing):
    """A page of resources that were reported, by their newest report."""

    items: list[ReportedOut]
    next_cursor: str | None


# Looking after


class JobsQueryIn(PageQuery):
    """Which jobs."""

    kind: JobKind | None = None
    state: JobState | None = Field(default=None, description="All but those that are done when left out.")


class JobOut(Outgoing):
    """Work that goes on after somebody asked for it."""

    id: UUID
    kind: JobKind
    key: str = Field(description="What it is done to.")
    state: JobState
    attempts: int
    progress: float = Field(description="From 0.0 to 1.0.")
    reason: str | None = Field(description="Why it failed, or waits.")
    next_try_at: datetime | None
    is_stuck: bool = Field(description="Its worker shows no sign of life: another begins it anew.")
    created_at: datetime
    finished_at: datetime | None
    resource_id: UUID | None = Field(description="The resource that it is about, where it is about one.")


class JobCountOut(Outgoing):
    """How many jobs of a kind are in a state."""

    kind: JobKind
    state: JobState
    count: int


class JobPageOut(Outgoing):
    """A page of jobs, and how many there are in all."""

    items: list[JobOut]
    next_cursor: str | None
    counts: list[JobCountOut]


class StoreOut(Outgoing):
    """A store. Sizes in bytes."""

    name: str
    is_primary: bool
    is_public: bool
    answers: bool | None = Field(description="Null for one that is not configured any more.")
    free: int | None = Field(description="Null where nobody can say.")
    copies: dict[LocationState, int] = Field(description="How many are in which state.")
    bytes: int = Field(description="Of the copies that are present.")
    last_check: datetime | None = Field(description="When a copy was looked at last.")
    oldest_check: datetime | None = Field(
        description="When the present copy was looked at that was not for longest."
    )
    unchecked: int = Field(description="Present copies that were never looked at.")


class StoresOut(Outgoing):
    """Every store, the primary first."""

    items: list[StoreOut]


class WeekOut(Outgoing):
    """What was added in a week."""

    monday: date
    resources: int
    versions: int
    bytes: int
    people: int


class DayOut(Outgoing):
    """How often public files were downloaded on a day."""

    day: date
    downloads: int


class UsageOut(Outgoing):
    """Numbers over time, oldest first."""

    weeks: list[WeekOut]
    days: list[DayOut]


# Vocabularies


class ConceptOut(Outgoing):
    """One entry of a code list."""

    code: str
    uri: str | None
    broader: str | None
    labels: dict[str, str]
    exact_match: dict[str, list[str]] = Field(description="What it is called elsewhere.")
    close_match: dict[str, list[str]] = Field(
        description="The nearest thing to say elsewhere, where there is no exact one; not taken as input."
    )


class VocabularyOut(Outgoing):
    """A code list with its source."""

    name: str
    title: dict[str, str]
    source: str
    date: str
    licence: str
    concepts: list[ConceptOut]


class VocabularyNamesOut(Outgoing):
    """The code lists there are."""

    items: list[str]


class SignatureIn(Query):
    """What opens a download link."""

    signature: Annotated[str, Field(max_length=1000)] | None = Field(
        default=None, description="From a download link."
    )


# Operating


class LivenessOut(Outgoing):
    """The process answers."""

    alive: bool


class IndexHomeOut(Outgoing):
    """The service whose index is mirrored."""

    url: str
    followed_at: datetime | None = Field(
        description="As of when everything there is here, too; null as long as that never was so."
    )


class ReadinessOut(Outgoing):
    """Whether each part that requests need answers, and each replica, which they can do without."""

    ready: bool
    parts: dict[str, bool]
    replicas: dict[str, bool]
    network_home: IndexHomeOut | None = Field(
        description="Where the index of the network comes from, when this is a mirror of it."
    )
