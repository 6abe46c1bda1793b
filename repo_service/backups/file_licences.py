"""What a file that is no backup, and the media in it, say of their licences, as rows of a report."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Sequence

from repo_service.backups.licence_report import FileRow, Place
from repo_service.backups.licence_words import from_words
from repo_service.backups.licences import Licence, from_h5p, from_moodle
from repo_service.domain.inspection import Contributor, FileInspection, LicenceStatement

_NOWHERE = Place(activity=None, module="", title="", section="", component="", area="")


def rows_of(inspection: FileInspection, *, name: str) -> Iterator[FileRow]:
    """The file itself, called ``name``, then each of its media that says something."""
    yield _row(
        inspection.licences[:1],
        name=name,
        size=inspection.size,
        media_type=inspection.media_type,
        authors=inspection.authors,
    )
    for item in inspection.media:
        yield _row(
            () if item.licence is None else (item.licence,),
            name=item.title or item.place.rpartition("/")[2],
            path=item.place,
            media_type=mimetypes.guess_type(item.place)[0] or "",
            authors=item.authors,
            source=item.source,
        )


def licence_of(statement: LicenceStatement) -> Licence:
    """Which licence is meant."""
    if statement.scheme == "h5p":
        return from_h5p(statement.text, statement.version)
    return from_words(statement.text)


def _row(
    statements: Sequence[LicenceStatement],
    *,
    name: str,
    authors: Sequence[Contributor],
    media_type: str,
    path: str = "",
    size: int = 0,
    source: str = "",
) -> FileRow:
    licence = licence_of(statements[0]) if statements else from_moodle("")
    return FileRow(
        sha1="",
        name=name,
        path=path,
        size=size,
        media_type=media_type,
        place=_NOWHERE,
        licence=licence,
        moodle_licence=licence,
        author=", ".join(author.name for author in authors),
        source=source,
        package=None,
    )
