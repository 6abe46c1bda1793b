"""Actors and objects of other servers: what of their documents is of use here.

Besides our own shapes, those that MoodleNet 1 and 2 (CommonsPub) sent are read: ``MN:Collection``, subject,
level and language as plain strings, a licence that stands in ``tag``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from repo_service.domain.network import EntryKind
from repo_service.federation.actors import collection_of_username
from repo_service.federation.documents import Fetched
from repo_service.federation.incoming import id_of, ids_of, same_origin

_MOST: Final = 50
"""Entries of a list that are read."""
_LONGEST: Final = 200
_LONGEST_SUMMARY: Final = 60_000
_ADDRESS: Final = re.compile(r"(?:https?|ipfs)://[!-~]{1,990}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MOST_SIZE: Final = 2**53
_KINDS: Final[Mapping[str, EntryKind]] = {
    "Person": EntryKind.USER,
    "Group": EntryKind.COMMUNITY,
    "Organization": EntryKind.COMMUNITY,
    "MN:Community": EntryKind.COMMUNITY,
    "MN:Collection": EntryKind.COLLECTION,
    "Collection": EntryKind.COLLECTION,
    "OrderedCollection": EntryKind.COLLECTION,
    "Document": EntryKind.RESOURCE,
    "Page": EntryKind.RESOURCE,
    "Article": EntryKind.RESOURCE,
    "Audio": EntryKind.RESOURCE,
    "Image": EntryKind.RESOURCE,
    "Video": EntryKind.RESOURCE,
    "MN:EducationalResource": EntryKind.RESOURCE,
    "EducationalResource": EntryKind.RESOURCE,
}


class UnfitActor(ValueError):
    """This is no actor that can be spoken with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorDescription:
    """Where an actor takes, and lists, what is said."""

    id: str
    inbox: str
    shared_inbox: str | None
    outbox: str | None


@dataclass(frozen=True, slots=True)
class FileLink:
    """A file as it was told of; ``size`` in bytes, ``sha256`` in hexadecimal."""

    href: str
    media_type: str
    size: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDescription:
    """What another server says of something. ``url`` is where people look at it, ``by`` the id of whose it
    is; ``summary`` is foreign HTML. Codes are as they were sent."""

    id: str
    kind: EntryKind
    url: str
    name: str
    summary: str
    by: str | None
    icon: str | None
    licence: str | None
    languages: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    links: tuple[FileLink, ...] = field(default=())
    published: datetime | None = None
    changed: datetime | None = None


def read_actor(fetched: Fetched, uri: str) -> ActorDescription:
    """The actor ``uri`` by its document, which its own host said. Everything that is sent to it goes there,
    too: nobody can have us knock elsewhere. Raises UnfitActor."""
    value = fetched.value
    if not isinstance(value, Mapping) or value.get("id") != uri or not same_origin(fetched.url, uri):
        raise UnfitActor("there is no such actor at its address")
    inbox = _own(value.get("inbox"), uri)
    if inbox is None:
        raise UnfitActor("it has no inbox on its own host")
    endpoints = value.get("endpoints")
    shared = endpoints.get("sharedInbox") if isinstance(endpoints, Mapping) else None
    return ActorDescription(
        id=uri, inbox=inbox, shared_inbox=_own(shared, uri), outbox=_own(value.get("outbox"), uri)
    )


def read_entry(document: Mapping[str, Any]) -> EntryDescription | None:
    """What an object is in the index; None for what has no place there."""
    uri, kind = id_of(document), _kind(document)
    name = _text(document.get("name")) or _text(document.get("preferredUsername"))
    if uri is None or kind is None or not name:
        return None
    links = tuple(_links(document.get("url")))
    pages = [link.href for link in links if link.media_type in ("text/html", "")]
    return EntryDescription(
        id=uri,
        kind=kind,
        url=next(iter(page for page in pages if not page.startswith("ipfs:")), uri),
        name=name,
        summary=_text(document.get("summary"), _LONGEST_SUMMARY)
        or _text(document.get("content"), _LONGEST_SUMMARY),
        by=next((one for one in ids_of(document.get("attributedTo")) if same_origin(one, uri)), None),
        icon=_icon(document.get("icon")),
        licence=_licence(document),
        languages=_strings(document, "inLanguage", "language"),
        subjects=_strings(document, "about", "subject"),
        levels=_strings(document, "educationalLevel", "level"),
        types=_strings(document, "learningResourceType"),
        keywords=_strings(document, "keywords"),
        authors=tuple(_names(document.get("author"))),
        links=tuple(link for link in links if link.media_type not in ("text/html", "")),
        published=_moment(document.get("published")),
        changed=_moment(document.get("updated")) or _moment(document.get("published")),
    )


def wants_to_be_found(document: Mapping[str, Any]) -> bool:
    """Whether an actor lets itself be listed (Mastodon's ``discoverable`` and FEP-5feb's ``indexable``)."""
    return document.get("discoverable") is not False and document.get("indexable") is not False


def _kind(document: Mapping[str, Any]) -> EntryKind | None:
    type_, username = document.get("type"), document.get("preferredUsername")
    kind = _KINDS.get(type_) if isinstance(type_, str) else None
    if (
        kind is EntryKind.COMMUNITY
        and isinstance(username, str)
        and collection_of_username(username) is not None
    ):
        return EntryKind.COLLECTION  # one of this very software
    return kind


def _own(value: object, uri: str) -> str | None:
    found = id_of(value)
    return found if found is not None and same_origin(found, uri) else None


def _links(value: object) -> Iterator[FileLink]:
    for one in _several(value):
        link = {"href": one} if isinstance(one, str) else one
        if not isinstance(link, Mapping):
            continue
        href = link.get("href")
        if not isinstance(href, str) or not _ADDRESS.fullmatch(href):
            continue
        size, digest = link.get("contentSize"), link.get("sha256")
        yield FileLink(
            href=href,
            media_type=_text(link.get("mediaType")),
            size=size if type(size) is int and 0 <= size < _MOST_SIZE else None,
            sha256=digest if isinstance(digest, str) and _SHA256.fullmatch(digest) else None,
        )


def _licence(document: Mapping[str, Any]) -> str | None:
    found = document.get("license")
    if found is None and isinstance(document.get("tag"), str):
        found = document["tag"]
    return _text(found.get("id") if isinstance(found, Mapping) else found) or None


def _icon(value: object) -> str | None:
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, Mapping):
        value = value.get("url") or value.get("href")
    return value if isinstance(value, str) and value.startswith("http") and id_of(value) else None


def _strings(document: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    value = next((document[name] for name in names if document.get(name)), None)
    found = (_text(one.get("id") if isinstance(one, Mapping) else one) for one in _several(value))
    return tuple(dict.fromkeys(filter(None, found)))


def _names(value: object) -> Iterator[str]:
    for one in _several(value):
        if name := _text(one.get("name") if isinstance(one, Mapping) else one):
            yield name


def _several(value: object) -> list[Any]:
    return (value if isinstance(value, list) else [value])[:_MOST]


def _text(value: object, most: int = _LONGEST) -> str:
    return value[:most].strip() if isinstance(value, str) else ""


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    try:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError:
        return None
