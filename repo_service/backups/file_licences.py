"""What a file that is no backup, and the media in it, say of their licences, as rows of a report."""

from __future__ import annotations

from collections.abc import Iterator

from repo_service.backups.licence_report import FileRow, Place, media_row
from repo_service.backups.licence_words import licence_of_all
from repo_service.domain.inspection import FileInspection

_NOWHERE = Place(activity=None, module="", title="", section="", component="", area="")


def rows_of(inspection: FileInspection, *, name: str) -> Iterator[FileRow]:
    """The file itself, called ``name``, then each of its media that says something."""
    licence = licence_of_all(inspection.licences)
    yield FileRow(
        sha1="",
        name=name,
        path="",
        size=inspection.size,
        media_type=inspection.media_type,
        place=_NOWHERE,
        licence=licence,
        moodle_licence=licence,
        author=", ".join(author.name for author in inspection.authors),
        source="",
        package=None,
    )
    for item in inspection.media:
        yield media_row(item, place=_NOWHERE)
