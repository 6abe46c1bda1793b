"""The code lists of educational metadata: subjects, levels, types, licences.

Each list is one JSON file in ``repo_service/vocabularies/`` with its source, date and licence. What the
catalogue stores is a concept's short ``code``; whatever else names the concept elsewhere (URIs, codes of
MoodleNet, short names of Moodle) is accepted on input and kept for output. The relations are SKOS's:
``exact_match`` names the same thing in another scheme, ``close_match`` the nearest thing to send where a
scheme has no exact one.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from types import MappingProxyType

SUBJECTS = "isced-f-2013"
LEVELS = "isced-2011"
TYPES = "hcrt"
LICENCES = "licences"

FALLBACK_LANGUAGE = "en"

_NAMES = (SUBJECTS, LEVELS, TYPES, LICENCES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """One entry of a vocabulary. ``labels`` by BCP 47 tag; ``broader`` is a code of the same vocabulary."""

    code: str
    uri: str | None
    broader: str | None
    labels: Mapping[str, str]
    exact_match: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    close_match: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def label(self, language: str) -> str:
        """The label in ``language`` (BCP 47), else in its base language, else in English."""
        tag = language.replace("_", "-")
        while tag:
            if tag in self.labels:
                return self.labels[tag]
            tag = tag.rpartition("-")[0]
        return self.labels[FALLBACK_LANGUAGE]

    def in_scheme(self, scheme: str) -> str | None:
        """What to call this concept in another scheme, such as ``moodle`` or ``moodlenet``; the nearest term
        there when it has no exact one, None when it has neither."""
        terms = self.exact_match.get(scheme) or self.close_match.get(scheme)
        return terms[0] if terms else None


class Vocabulary:
    """A code list. Iterates its concepts in the order to show them."""

    def __init__(
        self,
        *,
        name: str,
        title: Mapping[str, str],
        uri: str,
        source: str,
        date: str,
        licence: str,
        note: str,
        concepts: tuple[Concept, ...],
    ) -> None:
        self.name = name
        self.title = MappingProxyType(dict(title))
        self.uri = uri
        self.source = source
        self.date = date
        self.licence = licence
        self.note = note
        self._concepts = {concept.code: concept for concept in concepts}
        self._by_identifier = {
            _normalised(identifier): concept for concept in concepts for identifier in _identifiers(concept)
        }

    def get(self, identifier: str) -> Concept | None:
        """The concept that a code, a URI or any exact match names; None when there is none."""
        return self._by_identifier.get(_normalised(identifier))

    def named(self, scheme: str, term: str) -> Concept | None:
        """The concept that exactly this term of another scheme names; None when there is none."""
        concept = self.get(term)
        terms = () if concept is None else concept.exact_match.get(scheme, ())
        return concept if _normalised(term) in map(_normalised, terms) else None

    def label(self, code: str, language: str) -> str:
        """A label to show for ``code``; an unknown code is shown as it is."""
        concept = self.get(code)
        return code if concept is None else concept.label(language)

    def narrower(self, code: str) -> tuple[Concept, ...]:
        """The concepts directly below ``code``."""
        return tuple(concept for concept in self if concept.broader == code)

    def with_ancestors(self, code: str) -> tuple[str, ...]:
        """``code`` and every code above it, nearest first: what a resource is indexed under, so that a search
        for a field finds its parts. An unknown code stands for itself."""
        path = [code]
        while (concept := self._concepts.get(path[-1])) is not None and concept.broader is not None:
            path.append(concept.broader)
        return tuple(path)

    def __iter__(self) -> Iterator[Concept]:
        return iter(self._concepts.values())

    def __len__(self) -> int:
        return len(self._concepts)

    def __contains__(self, identifier: str) -> bool:
        return self.get(identifier) is not None


def names() -> tuple[str, ...]:
    """The names of all vocabularies."""
    return _NAMES


@functools.cache
def vocabulary(name: str) -> Vocabulary:
    """The vocabulary of that name. Raises KeyError for a name that is not in ``names()``."""
    if name not in _NAMES:
        raise KeyError(name)
    text = files("repo_service").joinpath("vocabularies", f"{name}.json").read_text(encoding="utf-8")
    data = json.loads(text)
    return Vocabulary(**{**data, "concepts": tuple(_concept(entry) for entry in data["concepts"])})


def uri_of(name: str, code: str, base_url: str) -> str:
    """What identifies a code of a vocabulary anywhere. What has no identifier of its own gets one under the
    address of the service that says it."""
    concept = vocabulary(name).get(code)
    return (concept.uri if concept else None) or f"{base_url}/vocabularies/{name}#{code}"


def _concept(entry: Mapping[str, object]) -> Concept:
    return Concept(
        code=_text(entry["code"]),
        uri=None if entry["uri"] is None else _text(entry["uri"]),
        broader=None if entry["broader"] is None else _text(entry["broader"]),
        labels=MappingProxyType(
            {language: _text(label) for language, label in _mapping(entry["labels"]).items()}
        ),
        exact_match=_matches(entry.get("exact_match", {})),
        close_match=_matches(entry.get("close_match", {})),
    )


def _matches(value: object) -> Mapping[str, tuple[str, ...]]:
    matches: dict[str, tuple[str, ...]] = {}
    for scheme, terms in _mapping(value).items():
        if not isinstance(terms, list):
            raise TypeError(f"matches of {scheme} are not a list")
        matches[scheme] = tuple(_text(term) for term in terms)
    return MappingProxyType(matches)


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise TypeError(f"not an object: {value!r}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"not a text: {value!r}")
    return value


def _identifiers(concept: Concept) -> Iterator[str]:
    yield concept.code
    if concept.uri is not None:
        yield concept.uri
    for terms in concept.exact_match.values():
        yield from terms


# Creative Commons addresses are written with and without TLS, the last slash, and the name of the page.
_CC_PAGE = re.compile(r"/(?:deed|legalcode)(?:\.[a-z_-]+)?$")


def _normalised(identifier: str) -> str:
    key = identifier.strip().casefold()
    if key.startswith(("http://", "https://")):
        key = key.partition("://")[2].removeprefix("www.").partition("?")[0].partition("#")[0].rstrip("/")
        if key.startswith("creativecommons.org/"):
            key = _CC_PAGE.sub("", key)
    return key
