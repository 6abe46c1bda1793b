"""IMS Common Cartridge 1.0 to 1.3, thin ones too: pages, links, discussions, quizzes and tools.

Resource types and documents: IMS Common Cartridge Profile 1.3, Implementation, 4; those of 1.0 to 1.2 differ
in the version within them only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from repo_service.domain.inspection import FileInspection
from repo_service.inspection.base import NotThisFormat, Progress, Source
from repo_service.inspection.drafting import Draft
from repo_service.inspection.limits import MIB
from repo_service.inspection.packages.html import add_pages
from repo_service.inspection.packages.ims_manifest import ImsManifest, manifest_of, outlined
from repo_service.inspection.packages.lom import local
from repo_service.inspection.packages.opened import Package, ZipParser, opened

MEDIA_TYPE = "application/vnd.ims.imsccv1p3"
"""IMS Common Cartridge 1.3, 3.3; ``application/vnd.ims.imsccv1p1`` … for those before."""

_TYPES = (
    (re.compile(r"imswl_xmlv1p\d"), "link"),
    (re.compile(r"imsdt_xmlv1p\d"), "discussion"),
    (re.compile(r"imsqti_xmlv1p2/imscc_xmlv1p\d/assessment"), "quiz"),
    (re.compile(r"imsqti_xmlv1p2/imscc_xmlv1p\d/question-bank"), "question-bank"),
    (re.compile(r"imsbasiclti_xmlv1p\d(?:p\d)?"), "tool"),
    (re.compile(r"assignment_xmlv1p\d"), "assignment"),
    (re.compile(r"webcontent|associatedcontent/.*"), "page"),
)
_COUNTED = {"quiz": "quizzes", "question-bank": "question_banks"}
_VERSION = re.compile(r"imsccv1p([0-9])")
_MAX_DOCUMENT = 16 * MIB
_MAX_DOCUMENTS = 5000


class CommonCartridgeParser(ZipParser):
    """A zip whose ``imsmanifest.xml`` is that of a cartridge."""

    name = "imscc"
    version = 1

    def parse(self, source: Source, *, name: str, progress: Progress) -> FileInspection:
        package = opened(source, self._limits)
        manifest = manifest_of(package)
        if "common cartridge" not in manifest.schema.lower():
            raise NotThisFormat
        kinds = {type_: _kind_of(type_) for type_ in manifest.types()}
        draft = outlined(package, manifest, kinds)
        counts = Counter(kinds[resource.type] for resource in manifest.resources.values())
        draft.facts |= {_COUNTED.get(kind, f"{kind}s"): n for kind, n in sorted(counts.items()) if kind}
        progress(0.2)
        _read_documents(package, manifest, kinds, draft)
        version = _version(manifest)
        progress(1.0)
        return draft.inspection(
            "imscc",
            media_type=f"application/vnd.ims.imsccv1p{version[2:3] or '3'}",
            size=source.size,
            name=name,
            version=version,
        )


def _kind_of(type_: str) -> str:
    return next((kind for pattern, kind in _TYPES if pattern.fullmatch(type_)), "")


def _version(manifest: ImsManifest) -> str:
    """``1.3.0`` is 1.3."""
    said = re.match(r"1\.[0-9]", manifest.schema_version)
    if said is not None:
        return said[0]
    found = sorted(match[1] for uri in manifest.namespaces if (match := _VERSION.search(uri)))
    return f"1.{found[-1]}" if found else ""


def _read_documents(package: Package, manifest: ImsManifest, kinds: Mapping[str, str], draft: Draft) -> None:
    pages: list[str] = []
    reader = _DocumentReader(draft)
    for number, resource in enumerate(manifest.resources.values()):
        if number >= _MAX_DOCUMENTS:
            break
        places = [resource.href, *resource.files] if resource.href else resource.files
        if kinds[resource.type] == "page":
            pages += places[:1]
        elif kinds[resource.type]:
            place = next((one for one in places if one.lower().endswith(".xml") and one in package), None)
            if place is not None and package.size(place) <= _MAX_DOCUMENT:
                package.xml(place, reader)
    if reader.questions:
        draft.facts["questions"] = reader.questions
    add_pages(package, pages, draft)


class _DocumentReader:
    """The words of links, discussions, quizzes (QTI 1.2.1: ``mattext``) and tools."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self.questions = 0

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        if local(path[-1]) == "item" and len(path) > 1:
            self.questions += 1

    def end(self, path: list[str], text: str) -> None:
        if local(path[-1]) in ("title", "text", "mattext", "description") and text:
            self._draft.add_html(text)
