"""What an owner says about a resource: checked against the vocabularies, cleaned, brought to one form."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import PurePosixPath
from typing import Final

import langcodes

from repo_service.domain.errors import FieldError, InvalidInput
from repo_service.domain.texts import text
from repo_service.domain.vocabularies import vocabulary
from repo_service.inspection.text import clean_html, clean_line, html_to_text
from repo_service.models import Resource
from repo_service.services.records import Author

TITLE_LENGTH: Final = 500
SUMMARY_LENGTH: Final = 50_000
LIST_LENGTH: Final = 50
NAME_LENGTH: Final = 200
_UNSEEN: Final = frozenset({"Cc", "Cf", "Mn", "Zs"})

VOCABULARY_OF: Final[Mapping[str, str]] = {
    "licence": "licences",
    "subjects": "isced-f-2013",
    "levels": "isced-2011",
    "types": "hcrt",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """Values an owner gives; None leaves a field as it is. Codes: any identifier the vocabulary knows."""

    title: str | None = None
    summary: str | None = None
    licence: str | None = None
    languages: Sequence[str] | None = None
    subjects: Sequence[str] | None = None
    levels: Sequence[str] | None = None
    types: Sequence[str] | None = None
    authors: Sequence[Author] | None = None
    keywords: Sequence[str] | None = None
    canonical_url: str | None = None
    """Its page at the instance that links it; empty takes that back."""

    def given(self) -> tuple[str, ...]:
        """Names of the fields that say something."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name) is not None)


def normalise(description: Description, *, at: str = "") -> Description:
    """The same description in the catalogue's own form: short codes, canonical language tags, clean text.

    ``at`` is the JSON Pointer of the description within what was sent. Raises InvalidInput naming every value
    that is wrong.
    """
    errors: list[FieldError] = []

    def codes(field: str, given: Sequence[str] | None) -> Sequence[str] | None:
        if given is None:
            return None
        scheme = vocabulary(VOCABULARY_OF[field])
        found = []
        for index, identifier in enumerate(given):
            concept = scheme.get(identifier)
            if concept is None:
                errors.append(
                    FieldError(
                        f"{at}/{field}/{index}",
                        text(
                            "%(value)s is not in %(list)s.",
                            value=repr(identifier),
                            list=f"/vocabularies/{scheme.name}",
                        ),
                    )
                )
            else:
                found.append(concept.code)
        return tuple(dict.fromkeys(found))

    title = None if description.title is None else plain_line(description.title)
    if title is not None and not can_be_seen(title):
        errors.append(FieldError(f"{at}/title", "A title needs at least one character."))
    licence = description.licence
    if licence is not None:
        concept = vocabulary("licences").get(licence)
        if concept is None:
            said = text("%(value)s is not in %(list)s.", value=repr(licence), list="/vocabularies/licences")
            errors.append(FieldError(f"{at}/licence", said))
        else:
            licence = concept.code
    languages: list[str] | None = None
    if description.languages is not None:
        languages = []
        for index, tag in enumerate(description.languages):
            standard = language_tag(tag)
            if standard is None:
                said = text("%(value)s is not a BCP 47 language tag.", value=repr(tag))
                errors.append(FieldError(f"{at}/languages/{index}", said))
            else:
                languages.append(standard)
    result = Description(
        title=title,
        summary=None if description.summary is None else clean_html(description.summary),
        licence=licence,
        languages=None if languages is None else tuple(dict.fromkeys(languages)),
        subjects=codes("subjects", description.subjects),
        levels=codes("levels", description.levels),
        types=codes("types", description.types),
        authors=_authors(description.authors, errors, at),
        keywords=None
        if description.keywords is None
        else tuple(dict.fromkeys(filter(None, (plain_line(word) for word in description.keywords)))),
        canonical_url=description.canonical_url,
    )
    if errors:
        raise InvalidInput(errors=errors)
    return result


def apply(resource: Resource, description: Description) -> None:
    """Write a normalised description into the row; what an owner says is no longer merely found."""
    given = description.given()
    for name in given:
        value = getattr(description, name)
        if name == "summary":
            resource.summary_html = value
            resource.summary_text = html_to_text(value)
        elif name == "authors":
            resource.authors = [{"name": author.name, "url": author.url} for author in value]
        elif name == "canonical_url":
            resource.canonical_url = value or None
        elif name in ("title", "licence"):
            setattr(resource, name, value)
        else:
            setattr(resource, name, list(value))
    resource.found = [name for name in resource.found if name not in given]


def plain_line(words: str) -> str:
    """One line of text without control characters and outer white space."""
    return " ".join(clean_line(words, limit=TITLE_LENGTH).split())


def title_of_file(name: str) -> str:
    """What a file's name says as a title: without extension, as words."""
    return plain_line(PurePosixPath(name).stem.replace("_", " ")) or "Untitled"


def can_be_seen(words: str) -> bool:
    """Whether there is more in it than spaces and characters of no width."""
    return any(unicodedata.category(character) not in _UNSEEN for character in words)


def language_tag(tag: str) -> str | None:
    """The canonical BCP 47 tag, None when it is none. ISO 639-3 and Moodle's ``pt_br`` are understood."""
    try:
        language = langcodes.Language.get(tag.replace("_", "-"))
    except ValueError:
        return None
    return language.to_tag() if language.language is not None and language.is_valid() else None


def _authors(authors: Sequence[Author] | None, errors: list[FieldError], at: str) -> Sequence[Author] | None:
    if authors is None:
        return None
    cleaned = []
    for index, author in enumerate(authors):
        name = plain_line(author.name)
        if not can_be_seen(name):
            errors.append(FieldError(f"{at}/authors/{index}/name", "An author needs a name."))
        if author.url and not author.url.startswith(("https://", "http://")):
            errors.append(FieldError(f"{at}/authors/{index}/url", "An address begins with https://."))
        cleaned.append(Author(name=name, url=plain_line(author.url)))
    return tuple(cleaned)
