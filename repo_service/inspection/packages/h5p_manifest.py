"""What an H5P package says of its licence and its authors: h5p.json, and nothing else of it.

The fields are those of ``H5PCore::getMetadataSemantics`` (h5p.classes.php of h5p/h5p-php-library), their
lengths those of ``H5PMetadata::$fields`` there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.base import Source
from repo_service.inspection.limits import KIB, LIMITS, MIB, Limits
from repo_service.inspection.packages.opened import Package as OpenedPackage
from repo_service.inspection.text import clean_line, clean_paragraphs, unescape

MEDIA_TYPE = "application/zip.h5p"
"""By which Moodle knows them (lib/classes/filetypes.php)."""

MAX_PACKAGE = 512 * MIB
"""Bytes of a package that is looked into."""

MANIFEST = "h5p.json"
_MAX_MANIFEST = 1 * MIB
_MAX_AUTHORS = 50
_NAME, _TEXT = 255, 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """All as the package says it, cleaned; what it does not say is empty."""

    title: str
    library: str
    license: str
    license_version: str
    license_extras: str
    source: str
    authors: tuple[tuple[str, str], ...]
    """(name, role: Author, Editor, Licensee or Originator)."""


def is_package(file_name: str, media_type: str) -> bool:
    """Whether a file of a backup says that it is one."""
    return media_type == MEDIA_TYPE or file_name.lower().endswith(".h5p")


def read_package(source: Source, limits: Limits = LIMITS) -> Package:
    """What h5p.json says. Raises InvalidFile: a package is foreign, however sound the backup around it."""
    if source.size > MAX_PACKAGE:
        raise InvalidFile("The package is too large.", reason="package-too-large")
    archive = OpenedPackage(source, _stricter(limits))
    if MANIFEST not in archive:
        raise InvalidFile("The package has no h5p.json.", reason="no-manifest", place=MANIFEST)
    archive.require(MANIFEST)
    return package_of(manifest_of(archive))


def manifest_of(archive: OpenedPackage) -> Mapping[str, Any]:
    """h5p.json itself. Raises InvalidFile."""
    if archive.size(MANIFEST) > _MAX_MANIFEST:
        raise InvalidFile("The h5p.json of the package is too large.", reason="manifest-too-large")
    try:
        said = archive.json(MANIFEST, limit=_MAX_MANIFEST)
    except InvalidFile as error:
        if error.reason != "bad-manifest":
            raise
        raise InvalidFile("The h5p.json of the package cannot be read.", reason="bad-manifest") from error
    if not isinstance(said, dict):
        raise InvalidFile("The h5p.json of the package is no object.", reason="bad-manifest")
    return said


def package_of(said: Mapping[str, Any]) -> Package:
    """What h5p.json says, or the ``metadata`` of a part of the content, which has the same fields."""
    return Package(
        title=_line(said.get("title")),
        library=_line(said.get("mainLibrary")),
        license=_line(said.get("license")),
        license_version=_line(said.get("licenseVersion")),
        license_extras=_plain(said.get("licenseExtras")),
        source=_line(said.get("source")),
        authors=tuple(_authors(said.get("authors"))),
    )


def _stricter(limits: Limits) -> Limits:
    """A package has some hundreds of members, each of a few MiB at most."""
    return replace(
        limits,
        max_members=min(limits.max_members, 20_000),
        max_directory=min(limits.max_directory, 8 * MIB),
        ratio_free=min(limits.ratio_free, 64 * KIB),
    )


def _authors(said: Any) -> list[tuple[str, str]]:
    if not isinstance(said, list):
        return []
    found = [(_line(one.get("name")), _line(one.get("role"))) for one in said if isinstance(one, dict)]
    return [(name, role) for name, role in found if name][:_MAX_AUTHORS]


def _line(said: Any) -> str:
    # H5P keeps texts as they stand in HTML.
    return clean_line(unescape(said[:_TEXT]), limit=_NAME).strip() if isinstance(said, str) else ""


def _plain(said: Any) -> str:
    return clean_paragraphs(unescape(said[: 2 * _TEXT]), limit=_TEXT).strip() if isinstance(said, str) else ""
