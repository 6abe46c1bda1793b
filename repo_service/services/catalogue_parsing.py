"""Reading a catalogue that may come from anybody: nothing of it is believed before it is checked.

See ``catalogue_format`` for what it should be.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Protocol
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from repo_service.domain.errors import InvalidFile
from repo_service.domain.vocabularies import LEVELS, LICENCES, SUBJECTS, TYPES, vocabulary
from repo_service.inspection.text import HTML_LIMIT, clean_html, clean_paragraphs
from repo_service.services.canonical import URL_LENGTH as CANONICAL_LENGTH
from repo_service.services.catalogue_format import (
    VERSION,
    CatalogueEntry,
    CatalogueFile,
    Manifest,
    NamedFile,
    seconds,
)
from repo_service.services.descriptions import (
    LIST_LENGTH,
    NAME_LENGTH,
    TITLE_LENGTH,
    can_be_seen,
    language_tag,
    plain_line,
)
from repo_service.services.records import Author

MAX_MANIFEST: Final = 64 * 1024
"""Bytes of a manifest."""
MAX_LINE: Final = 24 * 1024 * 1024
"""Bytes of a line: 500 versions, each with the longest name and change note, all of it escaped."""
MAX_FILES: Final = 500

_MAX_RATIO: Final = 1032
"""No deflated data inflates to more than so many times its size: 258 bytes for each two bits."""
_SLACK: Final = 1024 * 1024
_BLOCK: Final = 256 * 1024
_MAX_COUNT: Final = 2**53
_URL_LENGTH: Final = 255
_NOTE_LENGTH: Final = 5000
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2999


class InvalidLine(Exception):
    """A line does not describe a resource that could be taken over."""


class Readable(Protocol):
    """Bytes that come one after another."""

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes; empty at the end."""


def _of_our_time(moment: datetime) -> datetime:
    """Elsewhere calendars end in the middle of a conversion."""
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"lies outside of the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return moment.astimezone(UTC)


_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Cid = Annotated[str, StringConstraints(pattern=r"^baf(?:ybei|krei)[a-z2-7]{51}[aeimquy4]$")]
"""CIDv1 in base 32 of a SHA-256: the only form that is written, and that the IPFS store takes."""
_Count = Annotated[int, Field(ge=0, le=_MAX_COUNT)]
_Moment = Annotated[AwareDatetime, AfterValidator(_of_our_time)]
_Text = Annotated[str, StringConstraints(max_length=NAME_LENGTH)]
_Url = Annotated[str, StringConstraints(max_length=_URL_LENGTH, pattern=r"^https?://[!-~]+$")]


class _Read(BaseModel):
    """Members that are not known are left alone: later releases may have more to say."""

    model_config = ConfigDict(strict=True, extra="ignore")


class _Camel(_Read):
    """With the names of schema.org."""

    model_config = ConfigDict(alias_generator=to_camel)


class _FileIn(_Read):
    sha256: _Digest
    size: _Count
    cid: _Cid | None

    def named(self) -> NamedFile:
        return NamedFile(digest=self.sha256, size=self.size, cid=self.cid)


class _CatalogueIn(_FileIn):
    name: Literal["catalogue.jsonl.gz"]
    inflated_size: _Count


class _ServiceIn(_Read):
    name: _Text
    url: _Url
    software: _Text = ""


class _ManifestIn(_Read):
    service: _ServiceIn
    generated_at: _Moment
    change_seq: _Count
    resources: _Count
    catalogue: _CatalogueIn
    previous: _FileIn | None


class _Form(_Read):
    format: Literal["moodle-resources-catalogue"]
    version: Annotated[int, Field(ge=1)]


def read_manifest(data: bytes) -> Manifest:
    """Raises InvalidFile."""
    try:
        form = _Form.model_validate_json(data)
    except ValidationError as error:
        raise _no_manifest("This is no manifest of a catalogue.") from error
    if form.version != VERSION:
        raise _no_manifest(
            f"This manifest is of form {form.version}, but only form {VERSION} is known: use a newer release."
        )
    try:
        found = _ManifestIn.model_validate_json(data)
    except ValidationError as error:
        raise _no_manifest(f"This manifest is not as it should be: {_first(error)}") from error
    if found.catalogue.inflated_size > found.catalogue.size * _MAX_RATIO + _SLACK:
        raise _no_manifest("This manifest speaks of a file that inflates to far more than any file does.")
    return Manifest(
        service_name=plain_line(found.service.name) or found.service.url,
        service_url=found.service.url.rstrip("/"),
        software=plain_line(found.service.software),
        generated_at=found.generated_at,
        change_seq=found.change_seq,
        resources=found.resources,
        catalogue=found.catalogue.named(),
        inflated=found.catalogue.inflated_size,
        previous=None if found.previous is None else found.previous.named(),
    )


def lines_of(compressed: Readable, manifest: Manifest) -> Iterator[bytes]:
    """The lines of a catalogue, in bounded memory.

    Raises InvalidFile as soon as it is no gzip, or has more, longer or fewer lines than it should have.
    """
    left = b""
    count = 0
    for block in _inflated(compressed, manifest.inflated):
        *whole, left = (left + block).split(b"\n")
        if max(map(len, (*whole, left))) > MAX_LINE:
            raise damaged("A line of the catalogue is too long.")
        count += len(whole)
        if count > manifest.resources:
            raise damaged("The catalogue has more lines than its manifest says.")
        yield from whole
    if left or count != manifest.resources:
        raise damaged("The catalogue has other lines than its manifest says.")


def _inflated(compressed: Readable, size: int) -> Iterator[bytes]:
    inflate = zlib.decompressobj(31)
    inflated = 0
    data = b""
    while not inflate.eof:
        data = data or compressed.read(_BLOCK)
        if not data:
            raise damaged("The catalogue ends early.")
        try:
            block = inflate.decompress(data, _BLOCK)
        except zlib.error as error:
            raise damaged("The catalogue is damaged: it is no gzip.") from error
        data = inflate.unconsumed_tail
        inflated += len(block)
        if inflated > size:
            raise damaged("The catalogue inflates to more than its manifest says.")
        if block:
            yield block
    if inflated != size or inflate.unused_data or compressed.read(1):
        raise damaged("The catalogue is not of the size that its manifest says.")


_Name = Annotated[str, StringConstraints(max_length=2 * TITLE_LENGTH)]
_PAGE: Final = re.compile(
    r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:[/?#][\w.~:/?#\[\]@!$&'()*+,;=%-]*)?", re.ASCII
)
"""Of an instance, as ``services.canonical`` takes it."""


class _Reference(_Read):
    id: _Name


class _PageIn(_Read):
    id: Annotated[str, StringConstraints(max_length=CANONICAL_LENGTH)]


class _CreatorIn(_Read):
    name: _Name
    id: _Name = ""


class _EncodingIn(_Camel):
    version: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,8}$")]
    name: Annotated[_Name, StringConstraints(min_length=1)]
    encoding_format: Annotated[
        str, StringConstraints(max_length=255, pattern=r"^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+$")
    ]
    content_size: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,15}$")]
    sha256: _Digest
    identifier: _Cid | None = None
    description: Annotated[str, StringConstraints(max_length=2 * _NOTE_LENGTH)] = ""
    upload_date: _Moment
    date_published: _Moment


_References = Annotated[tuple[_Reference, ...], Field(max_length=LIST_LENGTH)]
_Words = Annotated[tuple[_Name, ...], Field(max_length=LIST_LENGTH)]


class _LineIn(_Camel):
    id: _Url
    main_entity_of_page: Annotated[tuple[_PageIn, ...], Field(max_length=LIST_LENGTH)] = ()
    identifier: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    name: _Name
    description: Annotated[str, StringConstraints(max_length=HTML_LIMIT)] = ""
    license: _Reference | None = None
    in_language: _Words = ()
    about: _References = ()
    educational_level: _References = ()
    learning_resource_type: _References = ()
    creator: Annotated[tuple[_CreatorIn, ...], Field(max_length=LIST_LENGTH)] = ()
    keywords: _Words = ()
    date_created: _Moment
    date_published: _Moment
    date_modified: _Moment
    encoding: Annotated[tuple[_EncodingIn, ...], Field(min_length=1, max_length=MAX_FILES)]


def entry_of(line: bytes, *, clean_file_name: Callable[[str], str]) -> tuple[CatalogueEntry, int]:
    """The resource of a line, cleaned like what people send, and how many of its values were left out because
    nobody here knows them. Raises InvalidLine."""
    try:
        found = _LineIn.model_validate_json(line)
    except ValidationError as error:
        raise InvalidLine(_first(error)) from error
    title = plain_line(found.name)
    if not can_be_seen(title):
        raise InvalidLine("it has no title")
    files = tuple(_file(encoding, clean_file_name) for encoding in found.encoding)
    if len({file.number for file in files}) != len(files):
        raise InvalidLine("two files have the same version")
    dropped = _Dropped()
    licences = [] if found.license is None else dropped.codes(LICENCES, [found.license])
    entry = CatalogueEntry(
        id=UUID(found.identifier),
        url=found.id,
        canonical_url=dropped.page(found.main_entity_of_page),
        title=title,
        summary_html=clean_html(found.description),
        licence=next(iter(licences), None),
        languages=dropped.known(found.in_language, language_tag),
        subjects=dropped.codes(SUBJECTS, found.about),
        levels=dropped.codes(LEVELS, found.educational_level),
        types=dropped.codes(TYPES, found.learning_resource_type),
        authors=dropped.authors(found.creator),
        keywords=tuple(dict.fromkeys(filter(None, map(plain_line, found.keywords)))),
        created_at=seconds(found.date_created),
        released_at=seconds(found.date_published),
        updated_at=seconds(found.date_modified),
        files=files,
    )
    return entry, dropped.count


class _Dropped:
    """Takes what is known and counts the rest."""

    def __init__(self) -> None:
        self.count = 0

    def known(self, given: Iterable[str], look_up: Callable[[str], str | None]) -> tuple[str, ...]:
        found = [look_up(value) for value in given]
        self.count += found.count(None)
        return tuple(dict.fromkeys(value for value in found if value is not None))

    def codes(self, name: str, given: Iterable[_Reference]) -> tuple[str, ...]:
        return self.known((reference.id for reference in given), lambda identifier: _code(name, identifier))

    def page(self, given: Iterable[_PageIn]) -> str | None:
        pages = [reference.id for reference in given]
        fit = [url for url in pages if _PAGE.fullmatch(url)]
        self.count += len(pages) - len(fit)
        return next(iter(fit), None)

    def authors(self, given: Iterable[_CreatorIn]) -> tuple[Author, ...]:
        authors = []
        for creator in given:
            name, url = plain_line(creator.name), plain_line(creator.id)
            if can_be_seen(name):
                authors.append(Author(name=name, url=url if url.startswith(("https://", "http://")) else ""))
            else:
                self.count += 1
        return tuple(authors)


def _code(name: str, identifier: str) -> str | None:
    """The code that an identifier means, also one that the home made up (``catalogue_format``)."""
    concept = vocabulary(name).get(identifier)
    if concept is None:
        try:
            parts = urlsplit(identifier)
        except ValueError:
            return None
        if parts.path.endswith(f"/vocabularies/{name}"):
            concept = vocabulary(name).get(parts.fragment)
    return None if concept is None else concept.code


def _file(encoding: _EncodingIn, clean_file_name: Callable[[str], str]) -> CatalogueFile:
    return CatalogueFile(
        number=int(encoding.version),
        file_name=clean_file_name(encoding.name),
        media_type=encoding.encoding_format,
        size=int(encoding.content_size),
        digest=encoding.sha256,
        cid=encoding.identifier,
        change_note=clean_paragraphs(encoding.description, limit=_NOTE_LENGTH),
        created_at=seconds(encoding.upload_date),
        released_at=seconds(encoding.date_published),
    )


def _first(error: ValidationError) -> str:
    """What is wrong first, without the value: that may be of any size."""
    found = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(step) for step in found["loc"])
    return f"{place}: {found['msg']}" if place else found["msg"]


def damaged(detail: str) -> InvalidFile:
    """The file is not the one that its manifest speaks of."""
    return InvalidFile(detail, reason="damaged-catalogue")


def _no_manifest(detail: str) -> InvalidFile:
    return InvalidFile(detail, reason="no-manifest")
