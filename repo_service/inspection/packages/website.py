"""A website in a zip: pages of HTML that begin with an index, at the top or within the only folder there."""

from __future__ import annotations

from itertools import islice

from repo_service.domain.inspection import FileInspection
from repo_service.inspection.base import NotThisFormat, Progress, Source
from repo_service.inspection.drafting import Draft
from repo_service.inspection.limits import KIB
from repo_service.inspection.packages.html import add_pages, decoded, is_page, read_head
from repo_service.inspection.packages.opened import Package, ZipParser, opened

MEDIA_TYPE = "application/zip"

_INDEXES = ("index.html", "index.htm", "index.xhtml")
_HEAD = 64 * KIB
_LOOKED_AT = 5000
"""Names of members that are looked at."""
_LEFT_BEHIND = ("__MACOSX/",)
"""What systems put into a zip besides."""


class WebsiteParser(ZipParser):
    """A zip with ``index.html``."""

    name = "website"
    version = 1

    def parse(self, source: Source, *, name: str, progress: Progress) -> FileInspection:
        package = opened(source, self._limits)
        index = _index_of(package)
        if index is None:
            raise NotThisFormat
        package.require(index)
        draft = Draft(self._limits)
        read_head(decoded(package.head(index, _HEAD)), draft)
        pages = [
            name
            for name in islice(package.names(), _LOOKED_AT)
            if is_page(name) and not name.startswith(_LEFT_BEHIND)
        ]
        draft.facts["pages"] = len(pages)
        add_pages(package, [index, *(page for page in pages if page != index)], draft)
        progress(1.0)
        return draft.inspection("website", media_type=MEDIA_TYPE, size=source.size, name=name)


def _index_of(package: Package) -> str | None:
    folders = {
        name.partition("/")[0] if "/" in name else ""
        for name in islice(package.names(), _LOOKED_AT)
        if not name.startswith(_LEFT_BEHIND)
    }
    within = ["", *(f"{folder}/" for folder in folders if folder and len(folders) == 1)]
    return next((place for folder in within for one in _INDEXES if (place := folder + one) in package), None)
