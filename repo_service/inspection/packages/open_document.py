"""OpenDocument texts, spreadsheets, presentations and drawings: OpenDocument 1.3 (OASIS)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from repo_service.domain.inspection import FileInspection
from repo_service.inspection.base import NotThisFormat, Progress, Source
from repo_service.inspection.drafting import Draft
from repo_service.inspection.packages.opened import ZipParser, opened

_MIMETYPE, _META, _CONTENT, _STYLES = "mimetype", "meta.xml", "content.xml", "styles.xml"
_TYPE = re.compile(
    rb"application/vnd\.oasis\.opendocument\.(text|spreadsheet|presentation|graphics)(?:-template|-master)?\s*"
)
_THUMBNAIL = "Thumbnails/thumbnail.png"
"""Part 2, 3.8: optional."""
_FORMATS = {"text": "odt", "spreadsheet": "ods", "presentation": "odp", "graphics": "odg"}
_COUNTS = {"meta:page-count": "pages", "meta:word-count": "words", "meta:table-count": "tables"}
_MADE_UP = re.compile(r"(?:page|slide|Slide |Folie |Diapo )?\d*")
"""Names of slides that nobody gave."""
_FIRST = 100
_PARAGRAPHS = frozenset({"text:h", "text:p"})


class OpenDocumentParser(ZipParser):
    """A zip whose member ``mimetype`` is that of an OpenDocument (part 2, 3.3)."""

    name = "odf"
    version = 1

    def parse(self, source: Source, *, name: str, progress: Progress) -> FileInspection:
        package = opened(source, self._limits)
        package.require(_MIMETYPE, _CONTENT)
        said = package.head(_MIMETYPE, 200)
        found = _TYPE.fullmatch(said)
        if found is None:
            raise NotThisFormat
        draft = Draft(self._limits)
        format_ = _FORMATS[found[1].decode()]
        meta = _MetaReader(draft)
        if _META in package:
            package.xml(_META, meta)
        if _STYLES in package:
            package.xml(_STYLES, _LanguageReader(draft))
        if _THUMBNAIL in package:
            draft.cover = _THUMBNAIL
        progress(0.2)
        content = _ContentReader(draft)
        package.xml(_CONTENT, content, told_text=content.told_text)
        if format_ in ("odp", "odg"):
            draft.facts["slides" if format_ == "odp" else "pages"] = content.pages
        if format_ == "ods":
            draft.facts["sheets"] = content.sheets
        progress(1.0)
        return draft.inspection(
            format_,
            media_type=said.decode("ascii").strip(),
            size=source.size,
            name=name,
            version=meta.version,
        )


class _MetaReader:
    """Part 3, 4.3: Dublin Core, counts, and what people added."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._initial = ""
        self._own = ""
        self.version = ""

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        if len(path) == 1:
            self.version = attributes.get("office:version", "")
        elif path[-1] == "meta:document-statistic":
            for name, count in _COUNTS.items():
                if attributes.get(name, "").isdecimal():
                    self._draft.facts[count] = int(attributes[name][:9])
        elif path[-1] == "meta:user-defined":
            self._own = attributes.get("meta:name", "")

    def end(self, path: list[str], text: str) -> None:
        draft, text = self._draft, text.strip()
        match path[-1]:
            case "dc:title" if text:
                draft.name_it(text)
            case "dc:description" if text:
                draft.describe(text)
            case "dc:language":
                draft.say_language(text)
            case "meta:initial-creator":
                draft.add_authors(text)
                self._initial = text
            case "dc:creator" if not self._initial:
                draft.add_authors(text)
            case "dc:subject" | "meta:keyword":
                draft.add_keywords([text])
            case "dc:rights":
                draft.add_licence(text)
            case "meta:user-defined" if re.fullmatch(r"(?i)licen[cs]e|rights|copyright", self._own):
                draft.add_licence(text)


class _LanguageReader:
    """The language of the default style: people seldom set that of the document."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        if path[-1] == "style:text-properties" and "style:default-style" in path:
            language, country = attributes.get("fo:language", "none"), attributes.get("fo:country", "none")
            if language != "none":
                self._draft.say_language(language if country == "none" else f"{language}-{country}")

    def end(self, path: list[str], text: str) -> None:
        pass


class _ContentReader:
    """Paragraphs and headings; a heading says its level (part 3, 5.1.2), slides and sheets their names."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._level: int | None = None
        self._within = 0
        self._words: list[str] = []
        self._length = 0
        self._slide: str | None = None
        self._first = ""
        self._is_title = False
        self.pages = 0
        self.sheets = 0

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        name = path[-1]
        if name in _PARAGRAPHS:
            self._within += 1
            said = attributes.get("text:outline-level", "1")
            self._level = int(said[:2]) if name == "text:h" and said.isdecimal() else None
        elif name == "draw:page":
            self.pages += 1
            self._slide, self._first = attributes.get("draw:name", ""), ""
        elif name == "draw:frame":
            self._is_title = attributes.get("presentation:class") == "title"
        elif name == "table:table" and "office:spreadsheet" in path:
            self.sheets += 1
            self._draft.head(1, attributes.get("table:name", ""), "sheet")
        elif name in ("text:tab", "text:s", "text:line-break"):
            self.told_text(" ")

    def end(self, path: list[str], text: str) -> None:
        name = path[-1]
        if name == "draw:page" and self._slide is not None:
            made_up = _MADE_UP.fullmatch(self._slide)
            self._draft.head(1, self._first or self._slide if made_up else self._slide, "slide")
            self._slide = None
        if name not in _PARAGRAPHS:
            return
        self._within -= 1
        words = "".join(self._words)
        if self._level is not None:
            self._draft.head(self._level, words, "heading")
        self._first = self._first or words.strip()[:_FIRST]
        if self._is_title and self._slide is not None and words.strip():
            self._slide, self._is_title = words, False
        if self._draft.wants_text:
            self._draft.add_text(words)
        self._words, self._length, self._level = [], 0, None

    def told_text(self, text: str) -> None:
        """Every piece of text, also that in spans."""
        if self._within and self._length < 10_000:
            self._words.append(text)
            self._length += len(text)
