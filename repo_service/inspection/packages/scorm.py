"""SCORM 1.2 and 2004: a content package whose manifest says so, or whose resources are SCOs.

SCORM 1.2 Content Aggregation Model, 2.3; SCORM 2004 4th Edition CAM, 3.4. Moodle takes any zip with a
manifest for its SCORM activity (``scorm_validate_package`` of mod/scorm/locallib.php).
"""

from __future__ import annotations

import re

from repo_service.domain.inspection import FileInspection
from repo_service.inspection.base import NotThisFormat, Progress, Source
from repo_service.inspection.packages.html import add_pages
from repo_service.inspection.packages.ims_manifest import (
    MEDIA_TYPE,
    ImsManifest,
    manifest_of,
    outlined,
    pages_of,
)
from repo_service.inspection.packages.opened import ZipParser, opened

_ADL = re.compile(r"https?://www\.adlnet\.org/xsd/adlcp_(rootv1p2|v1p3)", re.IGNORECASE)
_VERSIONS = {"rootv1p2": "1.2", "v1p3": "2004"}
_SAID = {"cam 1.3": "2004 3rd Edition"}
"""What the 2nd and 3rd edition wrote."""


class ScormParser(ZipParser):
    """A zip whose ``imsmanifest.xml`` is that of SCORM."""

    name = "scorm"
    version = 1

    def parse(self, source: Source, *, name: str, progress: Progress) -> FileInspection:
        package = opened(source, self._limits)
        manifest = manifest_of(package)
        if not _is_scorm(manifest):
            raise NotThisFormat
        draft = outlined(package, manifest)
        draft.facts["scos"] = sum(resource.sco == "sco" for resource in manifest.resources.values())
        draft.facts["resources"] = len(manifest.resources)
        add_pages(package, pages_of(manifest), draft)
        progress(1.0)
        return draft.inspection(
            "scorm", media_type=MEDIA_TYPE, size=source.size, name=name, version=_version(manifest)
        )


def _is_scorm(manifest: ImsManifest) -> bool:
    return "adl" in manifest.schema.lower() or manifest.has_scos


def _version(manifest: ImsManifest) -> str:
    """As the manifest says; some say nothing but the namespace of their attributes."""
    said = manifest.schema_version
    if "adl" in manifest.schema.lower() and said:
        return _SAID.get(said.lower(), said)
    found = {match[1].lower() for uri in manifest.namespaces if (match := _ADL.match(uri))}
    return next((_VERSIONS[name] for name in sorted(found)), said)
