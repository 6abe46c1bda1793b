"""Licences by the names that Moodle and H5P give them, as one kind of value: SPDX identifier, address, terms.

What they are called stands in the vocabulary of licences. Of Creative Commons it has the versions that people
choose today; older ones follow the same rule (https://creativecommons.org/licenses/list.en.html). What nobody
knows is kept as it is written.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace
from functools import lru_cache

from repo_service.domain.vocabularies import LICENCES, Concept, vocabulary
from repo_service.inspection.text import clean_line


class Term(enum.StrEnum):
    """What a licence asks of those who use a work."""

    ATTRIBUTION = "attribution"
    SHARE_ALIKE = "share-alike"
    NON_COMMERCIAL = "non-commercial"
    NO_DERIVATIVES = "no-derivatives"


class LicenceKind(enum.StrEnum):
    """What can be said of a licence."""

    LICENSED = "licensed"
    """Everybody is given rights, on some terms."""
    RESERVED = "reserved"
    UNSPECIFIED = "unspecified"
    OTHER = "other"
    """Somebody's own: known by its name only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """``code`` is that of the vocabulary, or an SPDX identifier, or what is written; ``given`` is what is.

    ``terms`` is None where they cannot be known; ``version`` is empty where there is none, or none is said.
    """

    code: str
    label: str
    kind: LicenceKind
    given: str = ""
    spdx: str | None = None
    url: str | None = None
    moodle: str | None = None
    terms: frozenset[Term] | None = None
    version: str = ""

    def asks(self, term: Term) -> bool:
        """Whether it is known to ask for that."""
        return self.terms is not None and term in self.terms

    @property
    def lacks_version(self) -> bool:
        """Whether it is one of several that have the same name."""
        return self.kind is LicenceKind.LICENSED and self.spdx is None and bool(self.terms)


UNSPECIFIED = "unknown"
"""The code of the vocabulary."""

_CC = re.compile(r"cc[ -](by(?:-(?:nc|nd|sa))*)(?:[ -]v?(\d\.\d))?", re.IGNORECASE)
_CC_ADDRESS = re.compile(
    r"https?://(?:www\.)?creativecommons\.org/licenses/(by(?:-(?:nc|nd|sa))*)/(\d\.\d)/?", re.IGNORECASE
)
_CC_VERSIONS = frozenset({"1.0", "2.0", "2.5", "3.0", "4.0"})
_CC_TERMS = {"nc": Term.NON_COMMERCIAL, "nd": Term.NO_DERIVATIVES, "sa": Term.SHARE_ALIKE}
_MAX_NAME = 255

_PDDL = Licence(
    code="PDDL-1.0",
    label="ODC PDDL 1.0",
    kind=LicenceKind.LICENSED,
    spdx="PDDL-1.0",
    url="https://opendatacommons.org/licenses/pddl/1-0/",
    terms=frozenset(),
    version="1.0",
)


def from_code(code: str) -> Licence:
    """The licence that the owner of a resource chose."""
    concept = vocabulary(LICENCES).get(code)
    return _other(code) if concept is None else _of_concept(concept, code)


@lru_cache(maxsize=1000)
def from_moodle(name: str) -> Licence:
    """By the short name in files.xml.

    It is one of Moodle's own (``license_manager::install_licenses``), or what administrators called theirs.
    """
    name = clean_line(name, limit=_MAX_NAME).strip()
    return _known(name or UNSPECIFIED, name, "moodle") or _creative_commons(name) or _other(name)


@lru_cache(maxsize=1000)
def from_h5p(name: str, version: str) -> Licence:
    """By the code and version in h5p.json (``H5PCore::getMetadataSemantics``, ``getCopyrightSemantics``)."""
    name, version = (clean_line(text, limit=_MAX_NAME).strip() for text in (name, version))
    whole = f"{name} {version}".strip()
    if name == "GNU GPL":
        return _gpl(version, whole)
    if name == "ODC PDDL":
        return replace(_PDDL, given=whole)
    return (
        _known(name or "U", whole, "h5p")
        or _known(whole, whole, "short")
        or _creative_commons(whole)
        or _creative_commons(name)
        or _other(whole)
    )


def named(name: str) -> Licence | None:
    """By what it is called everywhere: short name, SPDX identifier, address. None for what is no licence."""
    return _known(name, name, "short") or _creative_commons(name)


def somebodys_own(name: str) -> Licence:
    """One that is known by its name only."""
    return _other(clean_line(name, limit=_MAX_NAME))


def _known(name: str, given: str, scheme: str) -> Licence | None:
    """By its name in a scheme, or by what it is called everywhere: its code and its address."""
    licences = vocabulary(LICENCES)
    concept = licences.named(scheme, name) or licences.named("short", name)
    if concept is None:
        concept = licences.get(name)
        if concept is None or not (name.casefold() == concept.code.casefold() or "://" in name):
            return None
    return _of_concept(concept, given)


def _of_concept(concept: Concept, given: str) -> Licence:
    parts = _creative_commons(concept.code)
    moodle = concept.exact_match.get("moodle") or concept.close_match.get("moodle") or (None,)
    spdx = concept.code if parts is not None or concept.exact_match.get("spdx") else None
    kind = _KINDS.get(concept.code, LicenceKind.LICENSED)
    terms = frozenset[Term]() if concept.code in _WITHOUT_TERMS else None
    return Licence(
        code=concept.code,
        label=concept.in_scheme("short") or concept.label("en"),
        kind=kind,
        given=given,
        spdx=spdx,
        url=concept.uri,
        moodle=moodle[0],
        terms=parts.terms if parts is not None else terms,
        version=parts.version if parts is not None else "",
    )


_KINDS = {"all-rights-reserved": LicenceKind.RESERVED, UNSPECIFIED: LicenceKind.UNSPECIFIED}
_WITHOUT_TERMS = {"CC0-1.0", "public-domain"}


def _creative_commons(name: str) -> Licence | None:
    """Any of the six licences, of any version; also without one."""
    found = _CC.fullmatch(name) or _CC_ADDRESS.fullmatch(name)
    if found is None:
        return None
    asked = found[1].lower().split("-")[1:]
    version = found[2] or ""
    if version and version not in _CC_VERSIONS:
        return None
    elements = "-".join(["by", *(part for part in ("nc", "nd", "sa") if part in asked)])
    code = f"CC-{elements.upper()}"
    label = f"CC {elements.upper()}"
    # The licence of 2002 has its elements in another order in its address.
    page = "by-nd-nc" if (elements, version) == ("by-nc-nd", "1.0") else elements
    return Licence(
        code=f"{code}-{version}" if version else label,
        label=f"{label} {version}".strip(),
        kind=LicenceKind.LICENSED,
        given=name,
        spdx=f"{code}-{version}" if version else None,
        url=f"https://creativecommons.org/licenses/{page}/{version}/" if version else None,
        terms=frozenset({Term.ATTRIBUTION, *(_CC_TERMS[part] for part in asked)}),
        version=version,
    )


def _gpl(version: str, given: str) -> Licence:
    """H5P means version 3 where it names none, and does not say “or later”."""
    number = (version.removeprefix("v").removesuffix(".0") or "3")[:1]
    if number not in "123":
        return _other(given)
    page = "gpl-3.0" if number == "3" else f"old-licenses/gpl-{number}.0"
    return Licence(
        code=f"GPL-{number}.0-only",
        label=f"GNU GPL {number}.0",
        kind=LicenceKind.LICENSED,
        given=given,
        spdx=f"GPL-{number}.0-only",
        url=f"https://www.gnu.org/licenses/{page}.html",
        terms=frozenset({Term.ATTRIBUTION, Term.SHARE_ALIKE}),
        version=f"{number}.0",
    )


def _other(name: str) -> Licence:
    return Licence(code=name, label=name, kind=LicenceKind.OTHER, given=name)
