"""Licences in sentences, as documents, pictures and recordings have them.

How Creative Commons has its licences named: https://wiki.creativecommons.org/wiki/Marking_your_work_with_a_CC_license
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from repo_service.backups.licences import Licence, from_code, from_h5p, from_moodle, named, somebodys_own
from repo_service.domain.inspection import LicenceStatement
from repo_service.inspection.text import clean_line

_MAX = 2000
_ADDRESS = re.compile(r"https?://[^\s<>\"']{4,300}", re.IGNORECASE)
_ELEMENT = r"(?:non[\s-]?commercial|share[\s-]?alike|no[\s-]?deriv(?:ative)?(?:s|[\s-]works?)?)"
_WRITTEN_OUT = re.compile(
    rf"(?:creative commons|\bCC)[\s:,-]{{1,3}}(attribution(?:[\s,/-]{{1,3}}(?:and[\s-])?{_ELEMENT})*)"
    r"[\s,]{0,3}(?:v(?:ersion)?[\s.]?)?(\d\.\d)?",
    re.IGNORECASE,
)
_SHORT = re.compile(
    r"\bCC[\s-]{0,2}(BY(?:[\s-]{1,2}(?:NC|ND|SA))*)\b(?:[\s-]{0,2}v?(\d\.\d))?", re.IGNORECASE
)
_ELEMENTS = (("noncommercial", "NC"), ("noderiv", "ND"), ("sharealike", "SA"))
"""In the order in which their codes stand."""
_DEED = re.compile(r"(?:/[a-z]{2,3})?/(?:deed|legalcode)?(?:\.[\w-]+)?$", re.IGNORECASE)
"""What follows the version in an address: a country, and the page."""
_CC0 = re.compile(r"\bCC[\s-]?0\b|\bCC Zero\b|creativecommons\.org/publicdomain/zero", re.IGNORECASE)
_RESERVED = re.compile(
    r"all rights reserved|alle rechte vorbehalten|tous droits réservés|todos los derechos reservados|"
    r"جميع الحقوق محفوظة",
    re.IGNORECASE,
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
    for find in (named, _by_address, _written_out, _short, _others):
        if (found := find(words)) is not None:
            return replace(found, given=words)
    return somebodys_own(words)


def licence_of(statement: LicenceStatement) -> Licence:
    """The licence that a file means by what it says."""
    if statement.scheme == "h5p":
        return from_h5p(statement.text, statement.version)
    return from_words(statement.text)


def _by_address(words: str) -> Licence | None:
    for found in _ADDRESS.finditer(words):
        address = re.sub(r"^https?://(?:www\.)?", "https://", found[0].rstrip(".,;)"), flags=re.IGNORECASE)
        for form in (address, f"{address}/", f"{_DEED.sub('', address)}/"):
            if (licence := named(form)) is not None:
                return licence
    return None


def _written_out(words: str) -> Licence | None:
    found = _WRITTEN_OUT.search(words)
    if found is None:
        return None
    flat = re.sub("[^a-z]", "", found[1].lower())
    elements = [code for name, code in _ELEMENTS if name in flat]
    return _creative_commons("-".join(["BY", *elements]), found[2])


def _short(words: str) -> Licence | None:
    found = _SHORT.search(words)
    return None if found is None else _creative_commons("-".join(re.split(r"[\s-]+", found[1])), found[2])


def _creative_commons(elements: str, version: str | None) -> Licence | None:
    return named(f"CC {elements} {version}" if version else f"CC {elements}")


def _others(words: str) -> Licence | None:
    if _CC0.search(words):
        return from_code("CC0-1.0")
    return from_code("all-rights-reserved") if _RESERVED.search(words) else None
