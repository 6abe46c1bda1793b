"""Word, Excel and PowerPoint since 2007: Office Open XML (ECMA-376), what properties say, and the text.

Parts are where ``_rels`` say (ECMA-376-2, 8.3); names that every program writes are not taken for granted.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from repo_service.domain.inspection import FileInspection
from repo_service.inspection.base import NotThisFormat, Progress, Source
from repo_service.inspection.drafting import Draft
from repo_service.inspection.packages.lom import local
from repo_service.inspection.packages.opened import Package, ZipParser, opened

_TYPES = "[Content_Types].xml"
_MAIN = re.compile(
    r"application/vnd\.(?:openxmlformats-officedocument\.(wordprocessingml\.document|spreadsheetml\.sheet|"
    r"presentationml\.(?:presentation|slideshow))|ms-(word|excel|powerpoint)[.\w]*macroEnabled)\.main\+xml"
)
_FORMATS = {
    "wordprocessingml.document": "docx",
    "spreadsheetml.sheet": "xlsx",
    "presentationml.presentation": "pptx",
    "presentationml.slideshow": "pptx",
    "word": "docx",
    "excel": "xlsx",
    "powerpoint": "pptx",
}
_MEDIA = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
_HEADING = re.compile(r"(?:heading|title)\s?(\d?)", re.IGNORECASE)
_COUNTS = {"pages": "pages", "words": "words", "slides": "slides"}
_MAX_SLIDES = 2000
_TITLE, _FIRST = 500, 100
"""Characters of the title of a slide, and of its first words, where it has none."""


class OpenXmlParser(ZipParser):
    """A zip with ``[Content_Types].xml`` that names a document, a workbook or a presentation."""

    name = "ooxml"
    version = 1

    def parse(self, source: Source, *, name: str, progress: Progress) -> FileInspection:
        package = opened(source, self._limits)
        package.require(_TYPES)
        types = _TypesReader()
        package.xml(_TYPES, types)
        if types.format is None or types.main not in package:
            raise NotThisFormat
        draft = Draft(self._limits)
        for place in _targets(package, "", "core-properties"):
            package.xml(place, _CoreReader(draft))
        for place in _targets(package, "", "extended-properties"):
            package.xml(place, _CountReader(draft))
        for place in _targets(package, "", "custom-properties"):
            package.xml(place, _CustomReader(draft))
        for place in _targets(package, "", "thumbnail"):
            if place.lower().endswith((".jpeg", ".jpg", ".png")):  # others are pictures of Windows' own
                draft.cover = place
        progress(0.2)
        _READERS[types.format](package, types.main, draft)
        progress(1.0)
        return draft.inspection(types.format, media_type=_MEDIA[types.format], size=source.size, name=name)


class _TypesReader:
    def __init__(self) -> None:
        self.format: str | None = None
        self.main = ""

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        found = _MAIN.fullmatch(attributes.get("ContentType", ""))
        if found is not None and local(path[-1]) == "override" and self.format is None:
            self.format = _FORMATS[found[1] or found[2]]
            self.main = attributes.get("PartName", "").lstrip("/")

    def end(self, path: list[str], text: str) -> None:
        pass


@dataclass(slots=True)
class _Relations:
    """The relationships of one part: (id, type, target), in their order."""

    found: list[tuple[str, str, str]] = field(default_factory=list)

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        if attributes.get("TargetMode") != "External" and len(self.found) < 20_000:
            kind = attributes.get("Type", "").rpartition("/")[2]
            self.found.append((attributes.get("Id", ""), kind, attributes.get("Target", "")[:1000]))

    def end(self, path: list[str], text: str) -> None:
        pass


def _relations(package: Package, part: str) -> Sequence[tuple[str, str, str]]:
    """Of a part, or of the whole; targets as names of members that are there."""
    folder, name = posixpath.split(part)
    place = posixpath.join(folder, "_rels", f"{name}.rels")
    if place not in package:
        return ()
    relations = _Relations()
    package.xml(place, relations)
    return [
        (id_, kind, target)
        for id_, kind, said in relations.found
        if (target := posixpath.normpath(posixpath.join("/" + folder, said)).lstrip("/")) in package
    ]


def _targets(package: Package, part: str, kind: str) -> Sequence[str]:
    """The first part of that kind, if there is one."""
    return [target for _, found, target in _relations(package, part) if found == kind][:1]


class _CoreReader:
    """Dublin Core and a few more (ECMA-376-2, 10)."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        pass

    def end(self, path: list[str], text: str) -> None:
        draft, text = self._draft, text.strip()
        match local(path[-1]):
            case "title" if text:
                draft.name_it(text)
            case "creator":
                draft.add_authors(text)
            case "description" if text:
                draft.describe(text)
            case "subject" if text:
                draft.add_keywords([text])
            case "keywords":
                draft.add_keywords(re.split("[,;]", text))
            case "language":
                draft.say_language(text)


class _CountReader:
    """``docProps/app.xml``: what the program counted (ECMA-376-1, 22.2)."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        pass

    def end(self, path: list[str], text: str) -> None:
        count = _COUNTS.get(local(path[-1]))
        if count is not None and text.strip().isdecimal():
            self._draft.facts[count] = int(text.strip()[:9])


class _CustomReader:
    """Properties that people made up: those that are called licence or rights."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._name = ""

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        if local(path[-1]) == "property":
            self._name = attributes.get("name", "")

    def end(self, path: list[str], text: str) -> None:
        if re.fullmatch(r"(?i)licen[cs]e|rights|copyright", self._name) and text.strip():
            self._draft.add_licence(text)


def _read_document(package: Package, main: str, draft: Draft) -> None:
    styles = _StyleReader()
    for place in _targets(package, main, "styles"):
        package.xml(place, styles)
    draft.say_language(styles.language)
    reader = _TextReader(draft, "p", styles.levels)
    package.xml(main, reader)


def _read_presentation(package: Package, main: str, draft: Draft) -> None:
    slides = [target for _, kind, target in _in_order(package, main) if kind == "slide"]
    draft.facts["slides"] = len(slides)
    for place in slides[:_MAX_SLIDES]:
        reader = _TextReader(draft, "p", {})
        package.xml(place, reader)
        draft.head(1, reader.title or reader.first, "slide")


def _in_order(package: Package, main: str) -> Sequence[tuple[str, str, str]]:
    """The relationships of a part in the order in which it names them."""
    order = _OrderReader()
    package.xml(main, order)
    places = {id_: place for place, id_ in enumerate(order.ids)}
    return sorted(_relations(package, main), key=lambda one: places.get(one[0], len(places)))


def _read_workbook(package: Package, main: str, draft: Draft) -> None:
    names = _SheetReader(draft)
    package.xml(main, names)
    draft.facts["sheets"] = names.count
    for place in _targets(package, main, "sharedStrings"):
        package.xml(place, _TextReader(draft, "si", {}), enough=lambda: not draft.wants_text)


_READERS = {"docx": _read_document, "pptx": _read_presentation, "xlsx": _read_workbook}


class _StyleReader:
    """Which styles of paragraphs are headings, and of what level; the language that they are for."""

    def __init__(self) -> None:
        self.levels: dict[str, int] = {}
        self.language = ""
        self._style = ""

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        name = path[-1]
        if name == "w:style":
            self._style = attributes.get("w:styleId", "")[:255]
        elif name == "w:name" and path[-2:-1] == ["w:style"]:
            found = _HEADING.fullmatch(attributes.get("w:val", ""))
            if found is not None and len(self.levels) < 1000:
                self.levels[self._style] = int(found[1] or 1)
        elif name == "w:outlineLvl" and self._style and (said := attributes.get("w:val", "")).isdecimal():
            if int(said[:2]) < 9 and len(self.levels) < 1000:
                self.levels.setdefault(self._style, int(said[:2]) + 1)
        elif name == "w:lang" and "w:docDefaults" in path:
            self.language = attributes.get("w:val", "")

    def end(self, path: list[str], text: str) -> None:
        pass


class _TextReader:
    """Paragraphs (``p``), or strings of a workbook (``si``): their text runs are elements ``t``."""

    def __init__(self, draft: Draft, paragraph: str, levels: Mapping[str, int]) -> None:
        self._draft = draft
        self._paragraph = paragraph
        self._levels = levels
        self._level: int | None = None
        self._is_title = False
        self._words: list[str] = []
        self._length = 0
        self.title = ""
        self.first = ""

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        name = local(path[-1])
        if name == "pstyle":
            self._level = self._levels.get(attributes.get("w:val", ""))
        elif name == "outlinelvl" and (said := attributes.get("w:val", "")).isdecimal() and int(said[:2]) < 9:
            self._level = int(said[:2]) + 1
        elif name == "ph":
            self._is_title = attributes.get("type") in ("title", "ctrTitle")
        elif name == "sp":
            self._is_title = False

    def end(self, path: list[str], text: str) -> None:
        name = local(path[-1])
        if name == "t" and self._length < 10_000:
            self._words.append(text)
            self._length += len(text)
        elif name in ("tab", "br") and self._length < 10_000:
            self._words.append(" ")
            self._length += 1
        elif name == self._paragraph:
            words = "".join(self._words)
            if self._level is not None:
                self._draft.head(self._level, words, "heading")
            self.first = self.first or words.strip()[:_FIRST]
            if self._is_title:
                self.title = f"{self.title} {words}".strip()[:_TITLE]
            if self._draft.wants_text:
                self._draft.add_text(words)
            self._words, self._length, self._level = [], 0, None


class _OrderReader:
    """``p:sldId`` elements of a presentation: ``r:id`` names a relationship."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        if local(path[-1]) == "sldid" and len(self.ids) < 20_000:
            self.ids.append(attributes.get("r:id", ""))

    def end(self, path: list[str], text: str) -> None:
        pass


class _SheetReader:
    """``sheet`` elements of a workbook."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self.count = 0

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        if local(path[-1]) == "sheet":
            self.count += 1
            self._draft.head(1, attributes.get("name", ""), "sheet")

    def end(self, path: list[str], text: str) -> None:
        pass
