"""Which licences the files of a backup have, and where they do not go together with that of the resource.

A conflict is where the resource promises more than a file allows. A notice is what somebody who shares on
would have to find out. Files of learners are passed over: they are not shared.
"""

from __future__ import annotations

import mimetypes
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from repo_service.backups.contents import Contents
from repo_service.backups.licence_words import licence_of
from repo_service.backups.licences import Licence, LicenceKind, Term, from_h5p, from_moodle
from repo_service.domain.inspection import Contributor, LicenceStatement, MediaItem
from repo_service.domain.texts import Text, counted, text
from repo_service.inspection.text import clean_line

LISTED = 20
"""How many places are named of each finding and licence; all are counted."""

_MAX_LICENCES = 500
_MAX_PLACES = 20_000
_MAX_AUTHORS, _AUTHORS_NAMED = 1000, 10
_MANY = Licence(code="other", label="Others", kind=LicenceKind.OTHER)
"""Stands for those that are too many to be told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A part of the course that holds files; without an activity it is the section's or the course's own."""

    activity: int | None
    module: str
    title: str
    section: str
    component: str
    area: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """One file. ``package`` is what an H5P package says of itself; ``licence`` is its own, if it says one.

    ``author`` and ``source`` are those that Moodle keeps, or else the package's; ``sha1`` is of its content.
    """

    sha1: str
    name: str
    path: str
    size: int
    media_type: str
    place: Place
    licence: Licence
    moodle_licence: Licence
    author: str
    source: str
    package: PackageRow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageRow:
    """What an H5P package says of itself; ``problem`` is why it could not be asked."""

    title: str = ""
    library: str = ""
    licence: Licence | None = None
    licence_extras: str = ""
    source: str = ""
    authors: tuple[tuple[str, str], ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """A licence and how many files have it; ``places`` are those with the most, with their numbers."""

    licence: Licence
    count: int
    size: int
    places: tuple[tuple[Place, int], ...]
    places_count: int


@dataclass(slots=True)
class LicenceFinding:
    """A conflict or a notice. ``files`` are the first of them."""

    code: str
    severity: Literal["conflict", "notice"]
    message: str
    count: int
    files: list[FileRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceReport:
    """``findings`` are in the order of their weight. ``authors`` are some of those whom the files name, by
    how many do."""

    used: tuple[Used, ...]
    findings: tuple[LicenceFinding, ...]
    packages: tuple[FileRow, ...]
    packages_count: int
    files_count: int
    authors: tuple[str, ...] = ()


def licence_report(contents: Contents, own: Licence | None) -> LicenceReport:
    """Of a backup. ``own`` is the licence of the resource, None where it has none. Raises BadContents."""
    return report_on(file_rows(contents), own)


def report_on(rows: Iterable[FileRow], own: Licence | None) -> LicenceReport:
    """Of these files; ``own`` as for ``licence_report``."""
    uses: dict[str, _Use] = {}
    found: dict[str, LicenceFinding] = {}
    packages: list[FileRow] = []
    authors: Counter[str] = Counter()
    packages_count = files_count = 0
    for file in rows:
        files_count += 1
        licence = file.licence if file.licence.code in uses or len(uses) < _MAX_LICENCES else _MANY
        uses.setdefault(licence.code, _Use(licence)).add(file)
        for name in _authors(file):
            if name in authors or len(authors) < _MAX_AUTHORS:
                authors[name] += 1
        if file.package is not None:
            packages_count += 1
            if len(packages) < LISTED:
                packages.append(file)
        for rule in _broken(own, file):
            finding = found.setdefault(rule.code, LicenceFinding(rule.code, rule.severity, "", 0, []))
            finding.count += 1
            if len(finding.files) < LISTED:
                finding.files.append(file)
    for rule in _RULES:
        if rule.code in found:
            found[rule.code].message = rule.sentence(own, found[rule.code].count)
    return LicenceReport(
        used=tuple(use.described() for use in sorted(uses.values(), key=lambda use: -use.count)),
        findings=(*_without_licence(own), *(found[rule.code] for rule in _RULES if rule.code in found)),
        packages=tuple(packages),
        packages_count=packages_count,
        files_count=files_count,
        authors=tuple(name for name, _ in authors.most_common(_AUTHORS_NAMED)),
    )


def file_rows(contents: Contents) -> Iterator[FileRow]:
    """All files that are shared, in the order of the backup. Raises BadContents."""
    sections = {
        part["id"]: part["title"] or f"Section {part['number'] or 0}" for part in contents.compared_sections()
    }
    activities = {part["id"]: part for part in contents.compared_activities()}
    parts = {part["content"]: part for part in contents.packages()}
    packages = {content: _package(part) for content, part in parts.items()}
    for file in contents.files():
        if not file["learners"]:
            row = _row(file, activities, sections, packages.get(file["content"]))
            yield row
            if row.package is not None:
                yield from _media_rows(row, parts[file["content"]].get("media") or ())


def media_row(item: MediaItem, *, place: Place, path: str = "") -> FileRow:
    """A part of a package that says for itself whose it is; ``path`` leads to the package."""
    licence = from_moodle("") if item.licence is None else licence_of(item.licence)
    return FileRow(
        sha1="",
        name=item.title or item.place.rpartition("/")[2],
        path=f"{path}/{item.place}" if path else item.place,
        size=0,
        media_type=mimetypes.guess_type(item.place)[0] or "",
        place=place,
        licence=licence,
        moodle_licence=licence,
        author=", ".join(author.name for author in item.authors),
        source=item.source,
        package=None,
    )


def _media_rows(package: FileRow, media: Iterable[Mapping[str, Any]]) -> Iterator[FileRow]:
    for part in media:
        item = MediaItem(
            place=part["place"],
            title=part["title"],
            authors=tuple(Contributor(**author) for author in part["authors"]),
            licence=None if part["licence"] is None else LicenceStatement(**part["licence"]),
            source=part["source"],
        )
        yield media_row(item, place=package.place, path=package.name)


def page_of_rows(contents: Contents, *, skip: int, limit: int) -> list[FileRow]:
    """Some of them. Raises BadContents."""
    return list(islice(file_rows(contents), skip, skip + limit))


def _row(
    file: dict[str, Any],
    activities: dict[int, dict[str, Any]],
    sections: dict[int, str],
    package: PackageRow | None,
) -> FileRow:
    activity = activities.get(file["activity"], {})
    moodle = from_moodle(file["license"])
    said = None if package is None else package.licence
    author, source = clean_line(file["author"]), clean_line(file["source"])
    return FileRow(
        sha1=clean_line(file["content"]),
        name=clean_line(file["name"]),
        path=clean_line(file["filepath"]),
        size=file["size"],
        media_type=clean_line(file["mimetype"]),
        place=Place(
            activity=file["activity"],
            module=activity.get("module", ""),
            title=activity.get("title", ""),
            section=sections.get(file["section"], ""),
            component=clean_line(file["component"]),
            area=clean_line(file["filearea"]),
        ),
        licence=moodle if said is None or said.kind is LicenceKind.UNSPECIFIED else said,
        moodle_licence=moodle,
        author=author or ("" if package is None else ", ".join(name for name, _ in package.authors)),
        source=source or ("" if package is None else package.source),
        package=package,
    )


def _authors(file: FileRow) -> Sequence[str]:
    """A package names them one by one. Of any other file it is one line: names themselves have commas."""
    if file.package is not None and file.package.authors:
        names = [name for name, _ in file.package.authors]
    else:
        names = [file.author]
    return [name.strip() for name in names if name.strip()]


def _package(part: dict[str, Any]) -> PackageRow:
    if "problem" in part:
        return PackageRow(problem=part["problem"])
    return PackageRow(
        title=part["title"],
        library=part["library"],
        licence=from_h5p(part["license"], part["license_version"]),
        licence_extras=part["license_extras"],
        source=part["source"],
        authors=tuple((name, role) for name, role in part["authors"]),
    )


@dataclass(slots=True)
class _Use:
    licence: Licence
    count: int = 0
    size: int = 0
    places: Counter[Place] = field(default_factory=Counter)

    def add(self, file: FileRow) -> None:
        self.count += 1
        self.size += file.size
        if file.place in self.places or len(self.places) < _MAX_PLACES:
            self.places[file.place] += 1

    def described(self) -> Used:
        return Used(
            licence=self.licence,
            count=self.count,
            size=self.size,
            places=tuple(self.places.most_common(LISTED)),
            places_count=len(self.places),
        )


# The rules


@dataclass(frozen=True, slots=True)
class _Rule:
    """``files`` goes on after "This resource says CC BY 4.0, " or stands alone in a notice."""

    code: str
    severity: Literal["conflict", "notice"]
    breaks: Callable[[Licence | None, FileRow], bool]
    files: Callable[[int], Text]

    def sentence(self, own: Licence | None, count: int) -> Text:
        files = self.files(count)
        if self.severity == "notice" or own is None or self.code == "two-licences":
            return text("%(files)s.", files=files)
        return text("This resource says %(licence)s, %(files)s.", licence=own.label, files=files)


def _promises(own: Licence | None) -> Licence | None:
    """The licence of a resource that gives rights that are known."""
    return own if own is not None and own.kind is LicenceKind.LICENSED and own.terms is not None else None


def _is_reserved(own: Licence | None, file: FileRow) -> bool:
    is_open = own is not None and own.kind is LicenceKind.LICENSED
    return is_open and file.licence.kind is LicenceKind.RESERVED


def _is_narrower(term: Term) -> Callable[[Licence | None, FileRow], bool]:
    def breaks(own: Licence | None, file: FileRow) -> bool:
        promise = _promises(own)
        return promise is not None and file.licence.asks(term) and not promise.asks(term)

    return breaks


def _is_shared_otherwise(own: Licence | None, file: FileRow) -> bool:
    promise, licence = _promises(own), file.licence
    if promise is None or not licence.asks(Term.SHARE_ALIKE):
        return False
    of_gpl = licence.code.startswith("GPL"), promise.code.startswith("GPL")
    if licence.terms != promise.terms or of_gpl[0] != of_gpl[1]:
        return True
    if not licence.version or not promise.version or licence.version == promise.version:
        return False
    # Since 2.0 a work may go on under a later version (CC BY-SA 2.0, 4b), never under an older one.
    return of_gpl[0] or licence.version == "1.0" or licence.version > promise.version


def _says_two(own: Licence | None, file: FileRow) -> bool:
    said = None if file.package is None else file.package.licence
    unspecified = LicenceKind.UNSPECIFIED
    if said is None or unspecified in (said.kind, file.moodle_licence.kind):
        return False
    return said.code != file.moodle_licence.code


def _names_nobody(own: Licence | None, file: FileRow) -> bool:
    return file.licence.asks(Term.ATTRIBUTION) and not file.author


_RULES = (
    _Rule(
        "all-rights-reserved",
        "conflict",
        _is_reserved,
        lambda count: counted(
            "%(count)s file says all rights reserved",
            "%(count)s files say all rights reserved",
            count,
        ),
    ),
    _Rule(
        "non-commercial",
        "conflict",
        _is_narrower(Term.NON_COMMERCIAL),
        lambda count: counted(
            "%(count)s file must not be used commercially",
            "%(count)s files must not be used commercially",
            count,
        ),
    ),
    _Rule(
        "no-derivatives",
        "conflict",
        _is_narrower(Term.NO_DERIVATIVES),
        lambda count: counted(
            "%(count)s file must not be shared once it is changed",
            "%(count)s files must not be shared once they are changed",
            count,
        ),
    ),
    _Rule(
        "share-alike",
        "conflict",
        _is_shared_otherwise,
        lambda count: counted(
            "%(count)s file must be shared under its own licence only",
            "%(count)s files must be shared under their own licence only",
            count,
        ),
    ),
    _Rule(
        "attribution",
        "conflict",
        _is_narrower(Term.ATTRIBUTION),
        lambda count: counted(
            "%(count)s file asks for its author to be named",
            "%(count)s files ask for their authors to be named",
            count,
        ),
    ),
    _Rule(
        "two-licences",
        "conflict",
        _says_two,
        lambda count: counted(
            "%(count)s H5P package has another licence inside than in Moodle",
            "%(count)s H5P packages have another licence inside than in Moodle",
            count,
        ),
    ),
    _Rule(
        "no-licence",
        "notice",
        lambda own, file: file.licence.kind is LicenceKind.UNSPECIFIED,
        lambda count: counted(
            "%(count)s file says nothing of its licence",
            "%(count)s files say nothing of their licence",
            count,
        ),
    ),
    _Rule(
        "other-licence",
        "notice",
        lambda own, file: file.licence.kind is LicenceKind.OTHER,
        lambda count: counted(
            "%(count)s file has a licence that only its site knows",
            "%(count)s files have a licence that only their site knows",
            count,
        ),
    ),
    _Rule(
        "no-version",
        "notice",
        lambda own, file: file.licence.lacks_version,
        lambda count: counted(
            "%(count)s file does not say which version of its licence is meant",
            "%(count)s files do not say which version of their licence is meant",
            count,
        ),
    ),
    _Rule(
        "no-author",
        "notice",
        _names_nobody,
        lambda count: counted(
            "%(count)s file asks for its author to be named, and names none",
            "%(count)s files ask for their authors to be named, and name none",
            count,
        ),
    ),
    _Rule(
        "unreadable-package",
        "notice",
        lambda own, file: file.package is not None and file.package.problem is not None,
        lambda count: counted(
            "%(count)s H5P package could not be asked for its licence",
            "%(count)s H5P packages could not be asked for their licences",
            count,
        ),
    ),
)
"""Conflicts first, the gravest first: of those with the resource a file is told of once only."""

_WITH_RESOURCE = frozenset(
    {"all-rights-reserved", "non-commercial", "no-derivatives", "share-alike", "attribution"}
)


def _broken(own: Licence | None, file: FileRow) -> Iterator[_Rule]:
    told = False
    for rule in _RULES:
        if rule.code in _WITH_RESOURCE and told:
            continue
        if rule.breaks(own, file):
            told = told or rule.code in _WITH_RESOURCE
            yield rule


def _without_licence(own: Licence | None) -> Iterator[LicenceFinding]:
    if own is None or own.kind is LicenceKind.UNSPECIFIED:
        yield LicenceFinding(
            "resource-without-licence", "notice", text("This resource says no licence."), 0, []
        )
