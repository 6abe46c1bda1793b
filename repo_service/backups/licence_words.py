"""Licences in sentences, as documents, pictures and recordings have them.

How Creative Commons has its licences named: https://wiki.creativecommons.org/wiki/Marking_your_work_with_a_CC_license

Whoever is told of a licence that is none may break the law, so a text means one only where all of it does:
where it names another one too, denies one, or goes on about terms, it stands as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from repo_service.backups.licences import (
    Licence,
    LicenceKind,
    from_code,
    from_h5p,
    from_moodle,
    named,
    somebodys_own,
)
from repo_service.domain.inspection import LicenceStatement
from repo_service.inspection.text import clean_line

_MAX = 2000
_SAME = str.maketrans(dict.fromkeys("\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00b7\u2022", "-"))
"""What people write for a hyphen."""
_ADDRESS = re.compile(r"https?://[^\s<>\"']{4,300}", re.IGNORECASE)
_ELEMENT = r"(?:non[\s-]?commercial|share[\s-]?alike|no[\s-]?deriv(?:ative)?(?:s|[\s-]works?)?)"
_WRITTEN_OUT = re.compile(
    rf"(?:creative commons|\bCC)[\s:,-]{{1,3}}(attribution(?:[\s,/-]{{1,3}}(?:and[\s-])?{_ELEMENT})*)"
    r"[\s,]{0,3}(?:v(?:ersion)?[\s.]?)?([0-9]\.[0-9])?",
    re.IGNORECASE,
)
_SHORT = re.compile(
    r"\bCC([\s-]{0,2})(BY(?:[\s-]{1,2}(?:NC|ND|SA))*)\b(?:[\s-]{0,2}v?([0-9]\.[0-9]))?", re.IGNORECASE
)
_ELEMENTS = (("noncommercial", "NC"), ("noderiv", "ND"), ("sharealike", "SA"))
"""In the order in which their codes stand."""
_DEED = re.compile(r"(?:/[a-z]{2,3})?/(?:deed|legalcode)?(?:\.[\w-]+)?$", re.IGNORECASE)
"""What follows the version in an address: a country, and the page."""
_CC0 = re.compile(r"\bCC[\s-]?0\b|\bCC Zero\b", re.IGNORECASE)
_RESERVED = re.compile(
    r"all rights reserved|alle rechte vorbehalten|tous droits réservés|todos los derechos reservados|"
    r"جميع الحقوق محفوظة",
    re.IGNORECASE,
)
_USUAL = re.compile(
    r"\b(?:except|unless)(?: where| if| when)?(?: otherwise| differently)?"
    r" (?:noted|stated|indicated|specified)\b",
    re.IGNORECASE,
)
"""Takes nothing from the licence of the whole."""
_DENIED = re.compile(
    r"\b(?:not|never|no longer|except|excluding|unless|nicht|keine?[nrs]?|außer|ausgenommen|pas|sauf|hormis|"
    r"no est[áa]|excepto|salvo)\b|ليس|باستثناء",
    re.IGNORECASE,
)
_TERMS = re.compile(
    r"\b(?:NC|ND|SA)\b|commercial|kommerziell|comercial|share[\s-]?alike|no[\s-]?deriv", re.IGNORECASE
)


@lru_cache(maxsize=1000)
def from_words(words: str) -> Licence:
    """The licence that is meant: its address or its name is looked for in ``words``.

    "This work is licensed under a Creative Commons Attribution 4.0 International License" names one.
    What nobody knows is kept as it is written; nothing is a licence that is not specified.
    """
    words = clean_line(words, limit=_MAX).strip()
    if not words:
        return from_moodle("")
    said = " ".join(words.translate(_SAME).split())
    if (known := named(said)) is not None:
        return replace(known, given=words)
    found, rest = _found_in(said)
    meant = _one_of(found)
    if meant is None or _DENIED.search(rest) or _TERMS.search(rest):
        return somebodys_own(words)
    return replace(meant, given=words)


def licence_of(statement: LicenceStatement) -> Licence:
    """The licence that a file means by what it says."""
    if statement.scheme == "h5p":
        return from_h5p(statement.text, statement.version)
    return from_words(statement.text)


def licence_of_all(statements: Sequence[LicenceStatement]) -> Licence:
    """The licence that a file means by all that it says; what says nothing of a licence does not count.

    Statements that contradict each other mean none: they stand as they are written.
    """
    licences = [licence_of(statement) for statement in statements]
    known = [licence for licence in licences if licence.kind is not LicenceKind.OTHER]
    said = [licence for licence in known if licence.kind is not LicenceKind.UNSPECIFIED]
    if not said:
        return (licences or [from_moodle("")])[0]
    return _one_of(said) or somebodys_own(" / ".join(dict.fromkeys(licence.given for licence in said)))


def _one_of(licences: Sequence[Licence]) -> Licence | None:
    """The one that all are; one without a version is the same as one that has it. None where they differ."""
    if not licences:
        return None
    best = max(licences, key=lambda licence: bool(licence.version))
    same = all(
        licence.code == best.code or (licence.lacks_version and licence.terms == best.terms)
        for licence in licences
    )
    return best if same else None


def _found_in(said: str) -> tuple[list[Licence], str]:
    """Each licence that is named, and what else is said."""
    found: list[Licence] = []
    for find in (_by_address, _written_out, _short, _others):
        rest, at = [], 0
        for begin, end, licence in find(said):
            rest.append(said[at:begin])
            at = end
            found.append(licence)
        said = " ".join([*rest, said[at:]])
    return found, _USUAL.sub(" ", said)


_Found = Iterator[tuple[int, int, Licence]]


def _by_address(said: str) -> _Found:
    for found in _ADDRESS.finditer(said):
        address = re.sub(r"^https?://(?:www\.)?", "https://", found[0].rstrip(".,;)"), flags=re.IGNORECASE)
        for form in (address, f"{address}/", f"{_DEED.sub('', address)}/"):
            if (licence := named(form)) is not None:
                yield *found.span(), licence
                break


def _written_out(said: str) -> _Found:
    for found in _WRITTEN_OUT.finditer(said):
        flat = re.sub("[^a-z]", "", found[1].lower())
        elements = [code for name, code in _ELEMENTS if name in flat]
        if (licence := _creative_commons("-".join(["BY", *elements]), found[2])) is not None:
            yield *found.span(), licence


def _short(said: str) -> _Found:
    for found in _SHORT.finditer(said):
        between, elements, version = found.groups()
        if elements in ("by", "By") and between != "-" and not version:
            continue  # captions by somebody
        licence = _creative_commons(re.sub(r"[\s-]+", "-", elements), version)
        if licence is not None:
            yield *found.span(), licence


def _others(said: str) -> _Found:
    for found in _CC0.finditer(said):
        yield *found.span(), from_code("CC0-1.0")
    for found in _RESERVED.finditer(said):
        yield *found.span(), from_code("all-rights-reserved")


def _creative_commons(elements: str, version: str | None) -> Licence | None:
    return named(f"CC {elements} {version}" if version else f"CC {elements}")
