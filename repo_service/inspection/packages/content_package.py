"""IMS content packages that are nothing narrower. IMS Content Packaging 1.1.4."""

from __future__ import annotations

from repo_service.domain.inspection import FileInspection
from repo_service.inspection.base import Progress, Source
from repo_service.inspection.packages.html import add_pages
from repo_service.inspection.packages.ims_manifest import MEDIA_TYPE, manifest_of, outlined, pages_of
from repo_service.inspection.packages.opened import ZipParser, opened


class ContentPackageParser(ZipParser):
    """A zip with ``imsmanifest.xml``; asked after those who know more."""

    name = "imscp"
    version = 1

    def parse(self, source: Source, *, name: str, progress: Progress) -> FileInspection:
        package = opened(source, self._limits)
        manifest = manifest_of(package)
        draft = outlined(package, manifest)
        draft.facts["resources"] = len(manifest.resources)
        add_pages(package, pages_of(manifest), draft)
        progress(1.0)
        return draft.inspection(
            "imscp",
            media_type=MEDIA_TYPE,
            size=source.size,
            name=name,
            version=manifest.schema_version,
        )
