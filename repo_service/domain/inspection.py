"""What a parser finds in a blob: plain values, the same for the database, the API and the command line.

Field names follow Moodle's own (``moodle_backup.xml``, written by ``backup/moodle2/backup_stepslib.php``)
where Moodle has a name for the thing. Text is plain text, never HTML, unless the name ends in ``_html``;
control characters are gone from all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from repo_service.domain.findings import Finding, FindingClass


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionWarning:
    """Something odd that did not stop the inspection. ``place`` is a path within the file, or empty."""

    code: str
    message: str
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What any file tells: its kind, media type and size in bytes, and a title to offer in a form."""

    kind: str
    media_type: str
    size: int
    title: str = ""
    findings: tuple[Finding, ...] = ()
    warnings: tuple[InspectionWarning, ...] = ()

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """The findings that stop a release."""
        return tuple(f for f in self.findings if f.finding_class is FindingClass.BLOCKING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributor:
    """Somebody whom a file names. ``role`` is the file's own word (``Editor``), empty for a plain author."""

    name: str
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceStatement:
    """What a file says of its licence, as it says it: ``backups.licences`` knows which one is meant.

    ``scheme`` ``h5p``: ``text`` and ``version`` are the code and version of h5p.json; ``text``: a sentence, a
    name or an address. ``extras`` is what an author added.
    """

    scheme: Literal["h5p", "text"]
    text: str
    version: str = ""
    extras: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaItem:
    """A picture or recording within a package that says for itself whose it is; ``place`` is its path."""

    place: str
    title: str = ""
    authors: tuple[Contributor, ...] = ()
    licence: LicenceStatement | None = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineItem:
    """A heading, chapter, slide or part of a file, and what it holds. ``kind`` is a word of the format's own
    (``heading``, ``sco``, ``discussion``), empty where there is only one."""

    title: str
    kind: str = ""
    items: tuple[OutlineItem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """A library that a package needs, and its version: ``H5P.QuestionSet`` ``1.20``."""

    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInspection(Inspection):
    """A file that is no backup. ``format`` is a code of ``domain.formats``, empty for what nobody knows.

    ``format_version`` is what the file says (``1.3``, ``2004 4th Edition``). ``language`` is a BCP 47 tag;
    ``language_detected`` says that it was guessed from the text. ``facts`` are counts and sizes by name:
    ``pages``, ``slides``, ``questions``, ``width`` and ``height`` in pixels, ``duration`` in seconds.
    ``cover`` is the member of a package whose picture shows what it is, ``.`` where the file can be shown
    itself, else empty. Of ``libraries`` the first is the main one. ``text`` is what is worth finding, kept
    apart from the rest.
    """

    kind: Literal["file"] = "file"
    format: str = ""
    format_version: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()
    authors: tuple[Contributor, ...] = ()
    language: str | None = None
    language_detected: bool = False
    licences: tuple[LicenceStatement, ...] = ()
    media: tuple[MediaItem, ...] = ()
    libraries: tuple[Library, ...] = ()
    outline: tuple[OutlineItem, ...] = ()
    facts: Mapping[str, int | float] = field(default_factory=dict)
    cover: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One activity of a backup. ``id`` is the course module id, ``module`` the plugin's name (``quiz``).

    ``files`` counts the file records of the activity that are not directories, ``file_bytes`` is their size
    together. ``sections`` are those that this activity holds (Moodle 4.5: mod_subsection).
    """

    id: int
    module: str
    title: str
    visible: bool = True
    restricted: bool = False
    tags: tuple[str, ...] = ()
    files: int = 0
    file_bytes: int = 0
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section and its activities in the order of the course page.

    ``id`` and ``number`` are None for the place of activities whose section is not in the backup.
    ``title`` is empty when the teacher gave none: course formats then make one up from ``number``.
    """

    id: int | None
    number: int | None
    title: str
    summary_text: str = ""
    visible: bool = True
    restricted: bool = False
    activities: tuple[Activity, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginUse:
    """A plugin that is not part of Moodle and that the backup uses: ``mod_hvp``, ``qtype_stack``.

    ``version`` is the plugin's version number on the original site, None where the backup does not say.
    ``uses`` counts activities, questions, blocks or files, whatever named it.
    """

    component: str
    version: str | None
    uses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleUse:
    """A role that the backup refers to; ``archetype`` is empty for roles that a site made up."""

    shortname: str
    archetype: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionBank:
    """Question categories of one context that the same parts of the backup need.

    ``context_level`` is Moodle's: 10 system, 40 course category, 50 course, 70 activity. ``needed_by`` holds
    ``course`` and the components of activities and blocks; what none of them needs is never restored.
    ``names`` are those of the first categories, ``categories`` and ``top_categories`` count all of them.
    """

    context_id: int
    context_level: int
    needed_by: tuple[str, ...]
    names: tuple[str, ...]
    categories: int
    top_categories: int
    questions_by_type: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupInspection(Inspection):
    """A Moodle backup. Dates are Unix seconds, None where the backup gives none.

    Fields are named as in ``moodle_backup.xml`` (``backup_mode`` is ``mode``, see backup.class.php).
    ``course_format`` is None where the manifest does not name it (before Moodle 2.9); ``tags`` are the
    course's and None where the backup has no course part. ``sections`` and ``activities`` are counts,
    ``outline`` holds the things themselves.
    ``files`` counts records of files.xml that are not directories, ``distinct_files`` the contents in the
    archive's pool, ``file_bytes`` and ``distinct_file_bytes`` their sizes together.
    ``components`` counts what the backup uses by component (``mod_quiz``, ``block_html``), Moodle's own too.
    It is None in inspections of a time when that was not looked for; ``question_banks`` and ``roles`` are
    empty then.
    """

    kind: Literal["course", "section", "activity"]
    backup_format: Literal["moodle2", "moodle1"]
    archive_format: Literal["zip", "tgz"]

    fullname: str
    shortname: str
    summary_html: str = ""
    summary_text: str = ""
    course_format: str | None = None
    language: str | None = None
    start_date: int | None = None
    end_date: int | None = None
    tags: tuple[str, ...] | None = None

    moodle_version: str
    moodle_release: str
    backup_version: str
    backup_release: str
    backup_date: int | None = None
    backup_mode: int | None = None
    original_wwwroot: str = ""
    original_site_identifier_hash: str = ""
    original_course_id: int | None = None
    root_settings: Mapping[str, str] = field(default_factory=dict)

    includes_users: bool
    anonymised: bool
    includes_files: bool
    users: int
    sections: int
    activities: int
    activities_by_module: Mapping[str, int] = field(default_factory=dict)
    files: int
    file_bytes: int
    distinct_files: int
    distinct_file_bytes: int
    questions: int
    questions_by_type: Mapping[str, int] = field(default_factory=dict)

    outline: tuple[Section, ...] = ()
    plugins: tuple[PluginUse, ...] = ()

    components: Mapping[str, int] | None = None
    roles: tuple[RoleUse, ...] = ()
    question_banks: tuple[QuestionBank, ...] = ()
    remote_users: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What a backup holds, as far as it has room on a card. ``modules`` are its most frequent ones."""

    sections: int
    activities: int
    questions: int
    files: int
    moodle_release: str
    modules: tuple[str, ...]


_MODULES_AT_A_GLANCE = 6


def is_backup(document: Mapping[str, Any]) -> bool:
    """Whether an inspection, as it is kept, is that of a backup. Other files have an outline, too."""
    return "backup_format" in document


def glance_of(document: Mapping[str, Any]) -> Glance | None:
    """Of an inspection as it is kept (``inspection.schema.json``); None for what is no backup."""
    if not is_backup(document):
        return None
    modules: Mapping[str, int] = document.get("activities_by_module") or {}
    return Glance(
        sections=document["sections"],
        activities=document["activities"],
        questions=document["questions"],
        files=document["files"],
        moodle_release=(document.get("moodle_release") or "").partition(" ")[0],
        modules=tuple(sorted(modules, key=lambda module: (-modules[module], module))[:_MODULES_AT_A_GLANCE]),
    )
