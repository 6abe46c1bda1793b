"""What a parser gathers of a file that is no backup, made safe as it comes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from repo_service.domain.findings import Finding
from repo_service.domain.inspection import (
    Contributor,
    FileInspection,
    InspectionWarning,
    Library,
    LicenceStatement,
    MediaItem,
)
from repo_service.inspection.languages import canonical_tag, language_of
from repo_service.inspection.limits import LIMITS, Limits
from repo_service.inspection.outlines import OutlineBuilder
from repo_service.inspection.text import TextAllowance, clean_line, html_to_text, unescape

TEXT_LIMIT = 200_000
"""Characters of text that are kept for search."""

ITSELF = "."
"""In the place of the member that shows what a package is: the file can be shown itself."""

_TITLE, _NAME, _LICENCE, _KEYWORD = 500, 255, 2000, 100
_COVER = 4096
_MAX_TAGS = 20
"""Tags of languages that are looked at until one is understood."""
_LONGER = 20
"""How many times its limit is looked at of what becomes a line: much of it may be blanks."""
_MAX_AUTHORS, _MAX_KEYWORDS, _MAX_LICENCES, _MAX_MEDIA, _MAX_LIBRARIES = 100, 100, 20, 2000, 500
_HAS_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|&(?:[a-zA-Z]+|#\d+);")


class Draft:
    """Of what may be said once, the first counts: parsers ask the best place first."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._allowance = TextAllowance(limits)
        self.title = ""
        self.description = ""
        self.language: str | None = None
        self.cover = ""
        self.outline = OutlineBuilder()
        self.facts: dict[str, int | float] = {}
        self.findings: list[Finding] = []
        self.warnings: list[InspectionWarning] = []
        self._authors: dict[Contributor, None] = {}
        self._keywords: dict[str, None] = {}
        self._licences: dict[LicenceStatement, None] = {}
        self._media: list[MediaItem] = []
        self._libraries: dict[Library, None] = {}
        self._text: list[str] = []
        self._text_left = TEXT_LIMIT
        self._tags_left = _MAX_TAGS

    def line(self, text: str, *, limit: int = _TITLE) -> str:
        """One line of plain text, its blanks made one. Raises InvalidFile when there is too much text."""
        return self._allowance.line(" ".join(text[: _LONGER * limit].split()), limit=limit).strip()

    def name_it(self, title: str) -> None:
        """Its title."""
        self.title = self.title or self.line(title)

    def describe(self, text: str) -> None:
        """Its description, plain or with markup."""
        if not self.description:
            plain = html_to_text(text) if _HAS_MARKUP.search(text) else text
            self.description = self._allowance.paragraphs(plain.strip())

    def say_language(self, tag: str) -> None:
        """Its language, as the file declares it; what is no BCP 47 tag says nothing."""
        if not self.language and tag and self._tags_left:
            self._tags_left -= 1
            self.language = canonical_tag(tag)

    def add_author(self, name: str, role: str = "") -> None:
        """Somebody whom it names."""
        name = self.line(name, limit=_NAME)
        if name and len(self._authors) < _MAX_AUTHORS:
            self._authors[Contributor(name=name, role=self.line(role, limit=_NAME))] = None

    def add_authors(self, names: str) -> None:
        """Several, with semicolons between them, as office programs and EXIF have them."""
        for name in names.split(";"):
            self.add_author(name)

    def add_keywords(self, words: Iterable[str]) -> None:
        """What it is filed under."""
        for word in words:
            keyword = self.line(word, limit=_KEYWORD)
            if keyword and len(self._keywords) < _MAX_KEYWORDS:
                self._keywords[keyword] = None

    def add_licence(self, text: str) -> None:
        """What it says of its licence: a sentence, a name or an address."""
        plain = self.line(html_to_text(text) if _HAS_MARKUP.search(text) else text, limit=_LICENCE)
        if plain:
            self.add_statement(LicenceStatement(scheme="text", text=plain))

    def add_statement(self, statement: LicenceStatement) -> None:
        """As ``add_licence``, where the format tells its parts."""
        if len(self._licences) < _MAX_LICENCES:
            self._licences[statement] = None

    def add_media(self, item: MediaItem) -> None:
        """A part that says for itself whose it is."""
        if len(self._media) < _MAX_MEDIA:
            self._media.append(item)

    def add_library(self, name: str, version: str) -> None:
        """A library that it needs; the main one first."""
        if len(self._libraries) < _MAX_LIBRARIES:
            library = Library(
                name=self.line(name, limit=_NAME), version=clean_line(version, limit=_KEYWORD).strip()
            )
            self._libraries[library] = None

    def head(self, level: int, title: str, kind: str = "") -> None:
        """A heading, chapter or part, for the outline."""
        self.outline.add(level, self.line(title), clean_line(kind))

    @property
    def media(self) -> tuple[MediaItem, ...]:
        """Those that were added."""
        return tuple(self._media)

    @property
    def libraries(self) -> tuple[Library, ...]:
        """Those that were added."""
        return tuple(self._libraries)

    @property
    def wants_text(self) -> bool:
        """Whether there is room for more text to search in."""
        return self._text_left > 0

    def add_text(self, text: str) -> None:
        """More of what it says, for search; what is beyond ``TEXT_LIMIT`` is dropped."""
        if not self.wants_text:
            return
        piece = " ".join(clean_line(text, limit=self._text_left).split())
        if piece:
            self._text.append(piece)
            self._text_left -= len(piece) + 1

    def add_html(self, text: str) -> None:
        """``add_text`` of HTML."""
        if self.wants_text:
            self.add_text(html_to_text(text))

    def inspection(
        self, code: str, *, media_type: str, size: int, name: str, version: str = ""
    ) -> FileInspection:
        """What came of it: a file of the format ``code``. One without a title is called by its ``name``."""
        text = "\n".join(self._text)
        said = " ".join((self.title, self.description, *_titles(self.outline), text))
        detected = None if self.language else language_of(said)
        return FileInspection(
            media_type=media_type,
            size=size,
            title=self.title or title_of(name),
            findings=tuple(self.findings),
            warnings=tuple(self.warnings),
            format=code,
            format_version=self.line(version, limit=_KEYWORD),
            description=self.description,
            keywords=tuple(self._keywords),
            authors=tuple(self._authors),
            language=self.language or detected,
            language_detected=detected is not None,
            licences=tuple(self._licences),
            media=self.media,
            libraries=self.libraries,
            outline=self.outline.items(),
            facts=dict(self.facts),
            cover=clean_line(self.cover, limit=_COVER),
            text=text,
        )


def title_of(name: str) -> str:
    """A file's name without its extension, as words."""
    stem = PurePosixPath(name.replace("\\", "/")).stem
    return " ".join(clean_line(stem.replace("_", " ")).split())


def plain(text: str) -> str:
    """What formats keep as it stands in HTML."""
    return unescape(text)


def _titles(outline: OutlineBuilder) -> Sequence[str]:
    return [item.title for item in outline.items()[:100]]
