"""H5P packages: h5p.json, the content and what its media say of themselves.

The fields of h5p.json and of ``metadata`` are those of ``H5PCore::getMetadataSemantics``, those of
``copyright`` of ``getCopyrightSemantics`` (h5p.classes.php of h5p/h5p-php-library). A part of the content is
an object with ``library``, ``params`` and ``metadata``; a library's ``semantics.json`` marks what is not
content but the words of its buttons as ``common``, and knows which of the rest is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from repo_service.domain.errors import InvalidFile
from repo_service.domain.inspection import (
    Contributor,
    FileInspection,
    InspectionWarning,
    LicenceStatement,
    MediaItem,
)
from repo_service.domain.texts import Text, text
from repo_service.inspection.base import NotThisFormat, Progress, Source
from repo_service.inspection.drafting import Draft
from repo_service.inspection.limits import LIMITS, MIB, Limits
from repo_service.inspection.packages import h5p_manifest
from repo_service.inspection.packages.h5p_manifest import MANIFEST, MEDIA_TYPE
from repo_service.inspection.packages.opened import Package, ZipParser, opened

_CONTENT = "content/content.json"
_MAX_CONTENT = 4 * MIB
_MAX_SEMANTICS = 1 * MIB
_MAX_COMMON = 20_000
"""Names of fields that hold no content, of all libraries together."""
_MAX_DEPTH = 100
_MAX_VALUES = 500_000
_LIBRARY = re.compile(r"([\w.-]{1,100}) (\d{1,5}\.\d{1,5})")
_NOT_CONTENT = frozenset(
    {"library", "path", "mime", "subContentId", "l10n", "behaviour", "UI", "copyright", "metadata"}
)
_NO_TEXT = frozenset({"select", "number", "boolean"})
_UNSPECIFIED = "U"


class H5pParser(ZipParser):
    """A zip with h5p.json."""

    name = "h5p"
    version = 1

    def parse(self, source: Source, *, name: str, progress: Progress) -> FileInspection:
        package = opened(source, self._limits)
        package.require(MANIFEST)
        manifest = h5p_manifest.manifest_of(package)
        said = h5p_manifest.package_of(manifest)
        if not said.library:
            raise NotThisFormat
        draft = Draft(self._limits)
        _describe(draft, said, manifest)
        progress(0.3)
        if _CONTENT not in package:
            _warn(draft, "no-content", text("The package has no content of its own."))
        elif package.size(_CONTENT) > _MAX_CONTENT:
            _warn(draft, "content-too-large", text("The content is too large to be looked into."))
        else:
            content = package.json(_CONTENT, limit=_MAX_CONTENT)
            _Reader(package, draft).read(said.library, content, _version_of(manifest, said.library))
        progress(1.0)
        version = next((library.version for library in draft.libraries if library.name == said.library), "")
        return draft.inspection("h5p", media_type=MEDIA_TYPE, size=source.size, name=name, version=version)


def _warn(draft: Draft, code: str, message: Text) -> None:
    draft.warnings.append(InspectionWarning(code=code, message=message, place=_CONTENT))


def media_of(source: Source, limits: Limits = LIMITS) -> tuple[MediaItem, ...]:
    """The parts of a package that say for themselves whose they are; none where its content cannot be read.

    Raises what the source raises.
    """
    try:
        package = Package(source, limits)
        package.require(MANIFEST)
        manifest = h5p_manifest.manifest_of(package)
        library = h5p_manifest.package_of(manifest).library
        draft = Draft(limits)
        _Reader(package, draft).read(
            library, package.json(_CONTENT, limit=_MAX_CONTENT), _version_of(manifest, library)
        )
    except (InvalidFile, NotThisFormat):
        return ()
    return draft.media


def _describe(draft: Draft, said: h5p_manifest.Package, manifest: Mapping[str, Any]) -> None:
    draft.name_it(said.title)
    for key in ("defaultLanguage", "language"):
        if isinstance(tag := manifest.get(key), str):
            draft.say_language(tag)
    for name, role in said.authors:
        draft.add_author(name, "" if role == "Author" else role)
    if (statement := _statement(said)) is not None:
        draft.add_statement(statement)
    draft.add_library(said.library, _version_of(manifest, said.library))
    for name, version in _dependencies(manifest):
        draft.add_library(name, version)


def _dependencies(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    listed = manifest.get("preloadedDependencies")
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict) and isinstance(name := one.get("machineName"), str):
            yield name, f"{str(one.get('majorVersion'))[:5]}.{str(one.get('minorVersion'))[:5]}"


def _version_of(manifest: Mapping[str, Any], library: str) -> str:
    return next((version for name, version in _dependencies(manifest) if name == library), "")


def _statement(said: h5p_manifest.Package) -> LicenceStatement | None:
    """``U`` (undisclosed) says nothing."""
    if said.license in ("", _UNSPECIFIED) and not said.license_extras:
        return None
    return LicenceStatement(
        scheme="h5p",
        text=said.license or _UNSPECIFIED,
        version=said.license_version,
        extras=said.license_extras,
    )


@dataclass(slots=True)
class _Node:
    """A value of the content, on its way: within which part it stands (``level`` of it, its ``common``)."""

    value: Any
    level: int
    depth: int
    common: frozenset[str]


class _Reader:
    """Walks the content in the order in which it is written."""

    def __init__(self, package: Package, draft: Draft) -> None:
        self._package = package
        self._draft = draft
        self._common: dict[str, frozenset[str]] = {}
        self._common_left = _MAX_COMMON

    def read(self, library: str, content: Any, version: str) -> None:
        """Raises InvalidFile."""
        waiting = [_Node(content, 1, 0, self._common_of(library, version))]
        while waiting:
            node = waiting.pop()
            if len(waiting) > _MAX_VALUES:
                raise InvalidFile(
                    "The content has too many values.", reason="too-many-values", place=_CONTENT
                )
            if node.depth > _MAX_DEPTH:
                raise InvalidFile("The content is nested too deeply.", reason="json-too-deep", place=_CONTENT)
            if isinstance(node.value, dict):
                waiting += reversed([*self._members(node)])
            elif isinstance(node.value, list):
                waiting += [
                    _Node(one, node.level, node.depth + 1, node.common) for one in reversed(node.value)
                ]
            elif isinstance(node.value, str):
                self._draft.add_html(node.value)

    def _members(self, node: _Node) -> Iterator[_Node]:
        level, common = node.level, node.common
        value: dict[str, Any] = node.value
        named = value.get("library")
        if isinstance(named, str) and (found := _LIBRARY.fullmatch(named)) is not None:
            self._part(value, found[1], level)
            level, common = level + 1, self._common_of(found[1], found[2])
        if isinstance(value.get("path"), str) and isinstance(value.get("mime"), str):
            self._medium(value["path"], value.get("copyright"), None)
            place = f"content/{value['path']}"
            if not self._draft.cover and value["mime"].startswith("image/") and place in self._package:
                self._draft.cover = place
        for key, one in value.items():
            if key not in _NOT_CONTENT and key not in common:
                yield _Node(one, level, node.depth + 1, common)

    def _part(self, value: Mapping[str, Any], library: str, level: int) -> None:
        metadata = value.get("metadata")
        if not isinstance(metadata, dict):
            return
        said = h5p_manifest.package_of(metadata)
        self._draft.head(level, said.title, library)
        if _statement(said) is not None or said.authors:
            params = value.get("params")
            file = params.get("file") if isinstance(params, dict) else None
            path = file.get("path") if isinstance(file, dict) else None
            self._medium(path if isinstance(path, str) else "", None, said)

    def _medium(self, path: str, copyright_: Any, said: h5p_manifest.Package | None) -> None:
        """``copyright`` has one author, as text, and its version under another name."""
        if said is None:
            if not isinstance(copyright_, dict):
                return
            author = copyright_.get("author")
            said = h5p_manifest.package_of(
                {
                    **copyright_,
                    "licenseVersion": copyright_.get("version"),
                    "authors": [{"name": author}] if isinstance(author, str) and author else [],
                }
            )
        statement = _statement(said)
        if statement is None and not said.authors:
            return
        self._draft.add_media(
            MediaItem(
                place=self._draft.line(f"content/{path}" if path else ""),
                title=said.title,
                authors=tuple(
                    Contributor(name=name, role="" if role == "Author" else role)
                    for name, role in said.authors
                ),
                licence=statement,
                source=said.source,
            )
        )

    def _common_of(self, library: str, version: str) -> frozenset[str]:
        """Names of the fields of a library that hold no content."""
        folder = f"{library}-{version}"
        if folder not in self._common:
            if len(self._common) > 200:
                return frozenset()
            fields = self._common_fields(f"{folder}/semantics.json")
            self._common[folder] = frozenset(islice(fields, self._common_left))
            self._common_left -= len(self._common[folder])
        return self._common[folder]

    def _common_fields(self, place: str) -> Iterator[str]:
        if place not in self._package or self._package.size(place) > _MAX_SEMANTICS:
            return
        try:
            waiting = [self._package.json(place, limit=_MAX_SEMANTICS)]
        except InvalidFile as error:
            if error.reason != "bad-manifest":
                raise
            return  # a library that cannot be read says nothing of its fields
        while waiting:
            one = waiting.pop()
            if isinstance(one, list):
                waiting += one
            elif isinstance(one, dict):
                is_no_text = one.get("common") is True or str(one.get("type")) in _NO_TEXT
                if is_no_text and isinstance(one.get("name"), str):
                    yield one["name"]
                else:
                    waiting += [one.get("fields"), one.get("field")]
