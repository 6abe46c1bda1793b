"""QTI packages: questions (items) and tests as files of their own. IMS QTI 2.1 and 2.2, Content Packaging."""

from __future__ import annotations

import re
from collections.abc import Mapping

from repo_service.domain.inspection import FileInspection
from repo_service.inspection.base import NotThisFormat, Progress, Source
from repo_service.inspection.drafting import Draft
from repo_service.inspection.limits import MIB
from repo_service.inspection.packages.ims_manifest import MEDIA_TYPE, manifest_of, outlined
from repo_service.inspection.packages.lom import local
from repo_service.inspection.packages.opened import ZipParser, opened

_TYPE = re.compile(r"imsqti_(item|test|section|assessment)_xmlv(\d)p(\d)", re.IGNORECASE)
_MAX_ITEM = 4 * MIB
_MAX_ITEMS = 5000


class QtiParser(ZipParser):
    """A zip whose ``imsmanifest.xml`` lists items of QTI 2."""

    name = "qti"
    version = 1

    def parse(self, source: Source, *, name: str, progress: Progress) -> FileInspection:
        package = opened(source, self._limits)
        manifest = manifest_of(package)
        found = [
            (match, resource)
            for resource in manifest.resources.values()
            if (match := _TYPE.fullmatch(resource.type)) is not None
        ]
        if not found:
            raise NotThisFormat
        draft = outlined(package, manifest)
        draft.facts["questions"] = sum(match[1].lower() == "item" for match, _ in found)
        draft.facts["tests"] = sum(match[1].lower() in ("test", "assessment") for match, _ in found)
        # Tests first: they say what the whole is called, and items follow under them.
        for match, resource in sorted(found, key=lambda one: one[0][1].lower() == "item")[:_MAX_ITEMS]:
            if resource.href in package and package.size(resource.href) <= _MAX_ITEM:
                reader = _PartReader(draft, match[1].lower())
                package.xml(resource.href, reader, told_text=reader.words.append)
                reader.finish()
        version = max(f"{match[2]}.{match[3]}" for match, _ in found)
        progress(1.0)
        return draft.inspection("qti", media_type=MEDIA_TYPE, size=source.size, name=name, version=version)


class _PartReader:
    """An ``assessmentItem`` or ``assessmentTest`` (QTI 2.1 Information Model, 4 and 13): title and text."""

    def __init__(self, draft: Draft, kind: str) -> None:
        self._draft = draft
        self._kind = kind
        self.words: list[str] = []

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        title = attributes.get("title", "")
        if len(path) == 1:
            if self._kind != "item":
                self._draft.name_it(title)
                self._draft.head(1, title, "test")
            else:
                self._draft.head(2 if self._draft.facts.get("tests") else 1, title, "question")
            self._draft.say_language(attributes.get("xml:lang", ""))
            self._draft.add_text(title)
        elif local(path[-1]) == "assessmentsection":
            self._draft.add_text(title)

    def end(self, path: list[str], text: str) -> None:
        pass

    def finish(self) -> None:
        """The document is over."""
        self._draft.add_text(" ".join(self.words))
