"""Whom and what to name where a resource is used (Creative Commons: title, author, source, licence)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from repo_service.domain.texts import Text, text
from repo_service.domain.vocabularies import LICENCES, vocabulary
from repo_service.inspection.text import clean_line
from repo_service.services.records import ResourceRecord

_TITLE_LENGTH: Final = 255
_AUTHORS: Final = 10
_AUTHOR_LENGTH: Final = 100


def credit_of(record: ResourceRecord, base_url: str) -> Text:
    """One sentence."""
    title = shortened(clean_line(record.title), _TITLE_LENGTH)
    authors = _named(list(_authors(record)))
    page = record.origin or f"{base_url}/resources/{record.id}"
    if record.licence is None:
        return text("“%(title)s” by %(authors)s. From %(page)s", title=title, authors=authors, page=page)
    return text(
        "“%(title)s” by %(authors)s, licence: %(licence)s. From %(page)s",
        title=title,
        authors=authors,
        licence=_licence(record.licence),
        page=page,
    )


def shortened(sentence: str, limit: int) -> str:
    """The beginning of a text that is too long, and an ellipsis."""
    return sentence if len(sentence) <= limit else f"{sentence[: limit - 1].rstrip()}…"


def _authors(record: ResourceRecord) -> Iterator[str]:
    if not record.authors:
        yield record.owner_name
    for author in record.authors[:_AUTHORS]:
        yield shortened(author.name, _AUTHOR_LENGTH)
    if len(record.authors) > _AUTHORS:
        yield text("others")


def _named(names: Sequence[str]) -> Text | str:
    if len(names) == 1:
        return names[0]
    return text("%(first)s and %(last)s", first=_listed(names[:-1]), last=names[-1])


def _listed(names: Sequence[str]) -> Text | str:
    if len(names) == 1:
        return names[0]
    return text("%(first)s, %(next)s", first=_listed(names[:-1]), next=names[-1])


def _licence(code: str) -> str:
    concept = vocabulary(LICENCES).get(code)
    if concept is None:
        return code
    name = concept.in_scheme("short") or concept.label("en")
    return f"{name} ({concept.uri})" if concept.uri else name
