"""E-books: EPUB 2 (OPF 2.0.1) and 3 (EPUB 3.3), their metadata, table of contents and text."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from repo_service.domain.errors import InvalidFile
from repo_service.domain.inspection import FileInspection, InspectionWarning
from repo_service.domain.texts import text
from repo_service.inspection.base import NotThisFormat, Progress, Source
from repo_service.inspection.drafting import ITSELF, Draft
from repo_service.inspection.packages.html import add_pages
from repo_service.inspection.packages.lom import dublin_core, local
from repo_service.inspection.packages.opened import Package, ZipParser, opened

MEDIA_TYPE = "application/epub+zip"
_CONTAINER = "META-INF/container.xml"
_PACKAGE_DOCUMENT = "application/oebps-package+xml"
_NCX = "application/x-dtbncx+xml"
_PICTURES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_AUTHOR_ROLES = frozenset({"", "aut"})
"""MARC relators: ``aut`` is the author."""
_LICENCE_PROPERTIES = frozenset({"dcterms:license", "dcterms:rights", "cc:license", "schema:license"})
_MAX_ITEMS = 20_000
_NAME = 255


class EpubParser(ZipParser):
    """A zip with ``META-INF/container.xml`` that leads to a package document."""

    name = "epub"
    version = 1

    def parse(self, source: Source, *, name: str, progress: Progress) -> FileInspection:
        package = opened(source, self._limits)
        package.require(_CONTAINER)
        container = _ContainerReader()
        package.xml(_CONTAINER, container, may_name_dtd=True)
        if container.place is None:
            raise NotThisFormat
        if container.place not in package:
            raise InvalidFile(
                "The package document of the e-book is missing.",
                reason="missing-member",
                place=container.place[:200],
            )
        draft = Draft(self._limits)
        book = _BookReader(draft)
        package.xml(container.place, book, may_name_dtd=True)
        book.finish()
        progress(0.3)
        folder = posixpath.dirname(container.place)
        _read_contents(package, folder, book, draft)
        chapters = [_within(folder, book.items[one].href) for one in book.spine if one in book.items]
        draft.facts["chapters"] = len(chapters)
        if (cover := book.cover()) is not None and (place := _within(folder, cover)) in package:
            draft.cover = "" if place == ITSELF else place
        add_pages(package, chapters, draft)
        progress(1.0)
        return draft.inspection(
            "epub", media_type=MEDIA_TYPE, size=source.size, name=name, version=book.version
        )


def _within(folder: str, href: str) -> str:
    """The member that an address in a document of ``folder`` means, without its fragment."""
    return posixpath.normpath(posixpath.join(folder, unquote(href.partition("#")[0])))


def _read_contents(package: Package, folder: str, book: _BookReader, draft: Draft) -> None:
    """The navigation document (EPUB 3.3, 7), else the NCX of EPUB 2. A book is one without it, too."""
    nav = next((item for item in book.items.values() if "nav" in item.properties), None)
    ncx = next((item for item in book.items.values() if item.media_type == _NCX), None)
    for item, reader in ((nav, _NavReader(draft)), (ncx, _NcxReader(draft))):
        place = "" if item is None else _within(folder, item.href)
        if place not in package:
            continue
        try:
            told = reader.told_text if isinstance(reader, _NavReader) else None
            package.xml(place, reader, may_name_dtd=True, told_text=told)
        except InvalidFile as error:
            if error.reason != "bad-xml":
                raise
            draft.warnings.append(
                InspectionWarning(
                    code="unreadable-part",
                    message=text("The table of contents cannot be read."),
                    place=place[:200],
                )
            )
        return


class _ContainerReader:
    """The first package document is the default rendition (EPUB OCF 3.3, 4.2.6.3)."""

    def __init__(self) -> None:
        self.place: str | None = None

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        if (
            local(path[-1]) == "rootfile"
            and attributes.get("media-type", _PACKAGE_DOCUMENT) == _PACKAGE_DOCUMENT
        ):
            self.place = self.place or attributes.get("full-path") or None

    def end(self, path: list[str], text: str) -> None:
        pass


@dataclass(slots=True)
class _Item:
    href: str
    media_type: str
    properties: list[str]


@dataclass(slots=True)
class _Named:
    element: str
    name: str = ""
    role: str = ""


@dataclass(slots=True)
class _BookReader:
    """The package document: metadata, the files, their order."""

    draft: Draft
    version: str = ""
    items: dict[str, _Item] = field(default_factory=dict)
    spine: list[str] = field(default_factory=list)
    _names: dict[str, _Named] = field(default_factory=dict)
    _open: _Named | None = None
    _meta: tuple[str, str] = ("", "")
    _cover: str = ""

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        name = local(path[-1])
        if len(path) == 1:
            self.version = attributes.get("version", "")[:10]
        elif name in ("creator", "contributor"):
            role = next((value for key, value in attributes.items() if local(key) == "role"), "")
            self._open = _Named(name, role=role[:_NAME])
            if len(self._names) < 1000:
                self._names[attributes.get("id") or f" {len(self._names)}"] = self._open
        elif name == "meta":
            self._meta = (attributes.get("property", ""), attributes.get("refines", "").removeprefix("#"))
            if attributes.get("name") == "cover":
                self._cover = attributes.get("content", "")
        elif name == "link" and attributes.get("rel") in _LICENCE_PROPERTIES:
            self.draft.add_licence(attributes.get("href", ""))
        elif name == "item" and len(self.items) < _MAX_ITEMS:
            self.items[attributes.get("id", "")[:255]] = _Item(
                attributes.get("href", "")[:1000],
                attributes.get("media-type", "")[:100],
                attributes.get("properties", "")[:200].split(),
            )
        elif name == "itemref" and len(self.spine) < _MAX_ITEMS:
            self.spine.append(attributes.get("idref", "")[:255])

    def end(self, path: list[str], text: str) -> None:
        name, text = local(path[-1]), text.strip()
        if not text or len(path) < 3 or local(path[1]) != "metadata":
            return
        if name in ("creator", "contributor") and self._open is not None:
            self._open.name, self._open = text[:_NAME], None
        elif name == "meta":
            property_, refined = self._meta
            if property_ == "role" and refined in self._names:
                self._names[refined].role = text[:50]
            elif property_ in _LICENCE_PROPERTIES and not refined:
                self.draft.add_licence(text)
        elif (tell := dublin_core(self.draft).get(name)) is not None:
            tell(text)

    def cover(self) -> str | None:
        """The address of the cover: an item that says so (EPUB 3.3, 5.9.4), or one that ``meta`` names."""
        said = next((item for item in self.items.values() if "cover-image" in item.properties), None)
        said = said or self.items.get(self._cover)
        return said.href if said is not None and said.media_type in _PICTURES else None

    def finish(self) -> None:
        """Names come before their roles."""
        for one in self._names.values():
            usual = "" if one.element == "creator" else "contributor"
            self.draft.add_author(one.name, usual if one.role in _AUTHOR_ROLES else one.role)


class _NavReader:
    """``nav`` of the type ``toc``: lists within lists, what is linked is the title."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._toc_at = 0
        self._level = 0
        self._words: list[str] | None = None

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        name = local(path[-1])
        if name == "nav":
            types = next((value for key, value in attributes.items() if local(key) == "type"), "toc")
            self._toc_at = len(path) if "toc" in types.split() else 0
        elif self._toc_at and name == "ol":
            self._level += 1
        elif self._toc_at and name in ("a", "span") and self._words is None and self._level:
            self._words = []

    def end(self, path: list[str], text: str) -> None:
        name = local(path[-1])
        if name == "nav":
            self._toc_at = 0
        elif self._toc_at and name == "ol":
            self._level -= 1
        elif name in ("a", "span") and self._words is not None and local(path[-2:][0]) == "li":
            self._draft.head(self._level, "".join(self._words), "chapter")
            self._words = None

    def told_text(self, text: str) -> None:
        """Every piece of text, also that within emphasis."""
        if self._words is not None and len(self._words) < 1000:
            self._words.append(text)


class _NcxReader:
    """``navPoint`` within ``navPoint`` (ANSI/NISO Z39.86-2005, 8)."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._level = 0

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        self._level += local(path[-1]) == "navpoint"

    def end(self, path: list[str], text: str) -> None:
        names = [local(tag) for tag in path[-3:]]
        if names == ["navpoint", "navlabel", "text"]:
            self._draft.head(self._level, text, "chapter")
        self._level -= names[-1] == "navpoint"
