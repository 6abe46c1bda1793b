"""``imsmanifest.xml``: what Common Cartridge, SCORM, QTI packages and plain content packages have in common.

IMS Content Packaging 1.1.4 (SCORM 1.2, 2004; QTI 2.1) and 1.2 as profiled by IMS Common Cartridge 1.0 to 1.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.base import NotThisFormat
from repo_service.inspection.drafting import Draft
from repo_service.inspection.packages.lom import LomReader, local
from repo_service.inspection.packages.opened import Package

MANIFEST = "imsmanifest.xml"
MEDIA_TYPE = "application/zip"

_MAX_RESOURCES = 50_000
_MAX_NAMESPACES = 1000

_read: WeakKeyDictionary[Package, ImsManifest] = WeakKeyDictionary()


@dataclass(slots=True)
class ManifestResource:
    """``type`` and ``href`` as written; ``sco`` is ADL's ``scormType`` in lower case, empty where there is
    none."""

    type: str
    href: str
    sco: str = ""
    files: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ManifestItem:
    """An item of an organisation; ``level`` counts from 1."""

    level: int
    reference: str
    title: str = ""


@dataclass(slots=True, weakref_slot=True)
class ImsManifest:
    """What the manifest says. ``namespaces`` are the URIs that it declares; ``draft`` has its metadata."""

    draft: Draft
    schema: str = ""
    schema_version: str = ""
    organisation: str = ""
    namespaces: set[str] = field(default_factory=set)
    items: list[ManifestItem] = field(default_factory=list)
    resources: dict[str, ManifestResource] = field(default_factory=dict)

    def types(self) -> set[str]:
        """Of all its resources."""
        return {resource.type for resource in self.resources.values()}

    @property
    def has_scos(self) -> bool:
        """Whether a resource carries ADL's ``scormType``."""
        return any(resource.sco for resource in self.resources.values())


def manifest_of(package: Package) -> ImsManifest:
    """Read once for all parsers that ask. Raises NotThisFormat without one, InvalidFile when it is bad."""
    package.require(MANIFEST)
    known = _read.get(package)
    if known is None:
        known = ImsManifest(Draft(package.limits))
        reader = _ManifestReader(known)
        package.xml(MANIFEST, reader)
        if not reader.is_manifest:
            raise NotThisFormat
        _read[package] = known
    return known


def outlined(package: Package, manifest: ImsManifest, kinds: Mapping[str, str] | None = None) -> Draft:
    """The draft with the items as its outline; ``kinds`` says what to call resources, by their type.

    Raises InvalidFile.
    """
    _read.pop(package, None)  # what is described now is not described twice
    draft = manifest.draft
    for item in manifest.items:
        resource = manifest.resources.get(item.reference)
        kind = "" if resource is None else resource.sco or (kinds or {}).get(resource.type, "")
        draft.head(item.level, item.title, kind)
    draft.name_it(manifest.organisation)
    return draft


def pages_of(manifest: ImsManifest) -> list[str]:
    """The files of all resources: first those that they begin with, then the others, each once."""
    resources = manifest.resources.values()
    first = (resource.href.partition("?")[0] for resource in resources)
    others = (file for resource in resources for file in resource.files)
    return [*dict.fromkeys([*first, *others])]


class _ManifestReader:
    """Names of elements without prefixes: each profile has its own."""

    def __init__(self, manifest: ImsManifest) -> None:
        self._manifest = manifest
        self._lom = LomReader(manifest.draft)
        self._path: list[str] = []
        self._items: list[ManifestItem] = []
        self._resource: ManifestResource | None = None
        self._files = 0
        self.is_manifest = False

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        self._path.append(local(path[-1]))
        for name, value in attributes.items():
            is_namespace = name == "xmlns" or name.startswith("xmlns:")
            if is_namespace and len(self._manifest.namespaces) < _MAX_NAMESPACES:
                self._manifest.namespaces.add(value[:200])
        if len(self._path) == 1:
            self.is_manifest = self._path == ["manifest"]
        elif self._path[-1] == "item" and "organization" in self._path:
            level = self._path.count("item")
            item = ManifestItem(level, attributes.get("identifierref", "")[:255])
            self._items.append(item)
            if len(self._manifest.items) >= _MAX_RESOURCES:
                raise InvalidFile(
                    "The manifest has too many items.", reason="too-many-values", place=MANIFEST
                )
            self._manifest.items.append(item)
        elif self._path == ["manifest", "resources", "resource"]:
            self._add_resource(attributes)
        elif self._path[-1] == "file" and self._resource is not None and self._files < _MAX_RESOURCES:
            self._files += 1
            self._resource.files.append(attributes.get("href", "")[:1000])

    def end(self, path: list[str], text: str) -> None:
        match self._path:
            case ["manifest", "metadata", "schema"]:
                self._manifest.schema = text.strip()[:100]
            case ["manifest", "metadata", "schemaversion"]:
                self._manifest.schema_version = text.strip()[:100]
            case ["manifest", "metadata", *_] if "lom" in self._path:
                self._lom.end(self._path[self._path.index("lom") :], text)
            case ["manifest", "organizations", "organization", "title"]:
                self._manifest.organisation = self._manifest.organisation or text.strip()
            case ["manifest", "organizations", "organization", *_, "item", "title"] if self._items:
                self._items[-1].title = text.strip()[:1000]
        if self._path[-1] == "item" and self._items:
            self._items.pop()
        elif self._path == ["manifest", "resources", "resource"]:
            self._resource = None
        self._path.pop()

    def _add_resource(self, attributes: Mapping[str, str]) -> None:
        if len(self._manifest.resources) >= _MAX_RESOURCES:
            raise InvalidFile(
                "The manifest has too many resources.", reason="too-many-values", place=MANIFEST
            )
        by_name = {local(name): value for name, value in attributes.items()}
        base = by_name.get("base", "")
        self._resource = ManifestResource(
            type=by_name.get("type", "").strip()[:255],
            href=(base + by_name.get("href", ""))[:1000],
            sco=by_name.get("scormtype", "").strip().lower()[:20],
        )
        self._manifest.resources[by_name.get("identifier", "")[:255]] = self._resource
