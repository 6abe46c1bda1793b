"""The formats of files that are told apart, what they are called, and what Moodle would make of each.

What Moodle makes of a file is by its extension and content: ``backup/util/ui`` (restore),
``mod/h5pactivity/lib.php`` and ``mod/scorm/lib.php`` (``*_dndupload_register``), ``mod/scorm/locallib.php``
(``scorm_validate_package``: a zip with ``imsmanifest.xml``), ``mod/resource/lib.php`` for all else.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from pathlib import PurePosixPath

from repo_service.domain.resources import BACKUP_KINDS
from repo_service.domain.texts import Text, text


class MoodleUse(enum.StrEnum):
    """What becomes of a file that a teacher brings into a course."""

    RESTORE = "restore"
    H5P = "h5pactivity"
    SCORM = "scorm"
    FILE = "resource"


FORMATS: Mapping[str, Text] = {
    "imscc": text("IMS Common Cartridge"),
    "imscp": text("IMS content package"),
    "scorm": text("SCORM package"),
    "h5p": text("H5P package"),
    "qti": text("QTI package"),
    "moodle-xml": text("Moodle questions (XML)"),
    "gift": text("Moodle questions (GIFT)"),
    "epub": text("E-book (EPUB)"),
    "pdf": text("PDF document"),
    "docx": text("Word document"),
    "xlsx": text("Excel workbook"),
    "pptx": text("PowerPoint presentation"),
    "odt": text("OpenDocument text"),
    "ods": text("OpenDocument spreadsheet"),
    "odp": text("OpenDocument presentation"),
    "odg": text("OpenDocument drawing"),
    "website": text("Website in a zip"),
    "zip": text("Zip archive"),
    "image": text("Picture"),
    "audio": text("Sound recording"),
    "video": text("Video"),
    "subtitles": text("Subtitles"),
    "markdown": text("Text (Markdown)"),
    "text": text("Text"),
}


def moodle_use(kind: str, format_code: str, file_name: str) -> MoodleUse:
    """By the ``kind`` and ``format`` of an inspection, and by the file's name, as Moodle does."""
    ending = PurePosixPath(file_name).suffix.lower()
    if kind in BACKUP_KINDS:
        return MoodleUse.RESTORE
    if format_code == "h5p" and ending == ".h5p":
        return MoodleUse.H5P
    if format_code in ("scorm", "imscp") and ending == ".zip":
        return MoodleUse.SCORM
    return MoodleUse.FILE
