"""Moodle 1.9 backups: a zip with one ``moodle.xml`` and the files beside it.

Written by ``backup/backuplib.php`` of Moodle 1.9; Moodle 2 and later read it by ``backup/converter/moodle1``.
Described as far as the format goes: there are no tags, no activity or section backups, no file records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from repo_service.domain.errors import InvalidFile
from repo_service.domain.findings import Finding, FindingClass
from repo_service.domain.inspection import Activity, BackupInspection, Section
from repo_service.inspection.archives.base import Sink, Want
from repo_service.inspection.archives.zip import ZIP_MAGICS, read_zip
from repo_service.inspection.base import Progress, Source
from repo_service.inspection.limits import LIMITS, Limits
from repo_service.inspection.media_types import MOODLE_BACKUP
from repo_service.inspection.moodle.parts import count, date, given, integer, summary
from repo_service.inspection.moodle.recognition import Recognised
from repo_service.inspection.text import TextAllowance
from repo_service.inspection.xml import XmlAllowance, XmlSink

MANIFEST = "moodle.xml"

_ROOTS = (b"<MOODLE_BACKUP>", b"<INFO>")
"""Looked for by moodle1_converter::detect_format() (backup/converter/moodle1/lib.php)."""

_FILE_FOLDERS = ("course_files/", "moddata/", "group_files/", "user_files/", "site_files/")
_FIELDS_LIMIT = 1000


class Moodle1Parser:
    """``sniff`` takes any zip."""

    name = "moodle1"
    version = 1

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits

    def sniff(self, head: bytes, name: str) -> bool:
        return head.startswith(ZIP_MAGICS)

    def parse(self, source: Source, *, name: str, progress: Progress) -> BackupInspection:
        backup = _Backup(self._limits)
        read_zip(source, backup, progress=progress, limits=self._limits)
        return backup.describe(source.size)


class _Backup:
    """The visitor: reads the one XML file and counts the others."""

    def __init__(self, limits: Limits) -> None:
        self._xml = XmlAllowance(limits)
        self._contents = _Contents(TextAllowance(limits), limits)
        self._listed = 0
        self._files = 0
        self._file_bytes = 0

    def visit(self, name: str, size: int, *, is_file: bool) -> Want:
        if is_file and name.startswith(_FILE_FOLDERS):
            self._files += 1
            self._file_bytes += size
        if name != MANIFEST:
            return Want.NOTHING
        self._listed += 1
        return Want.ALL

    def open(self, name: str) -> Sink:
        if self._listed > 1:
            raise InvalidFile(f"{name} stands in the archive twice.", reason="duplicate-member", place=name)
        return Recognised(XmlSink(self._contents, place=name, allowance=self._xml), MANIFEST, _ROOTS)

    def claims(self) -> bool:
        return self._listed > 0

    def describe(self, size: int) -> BackupInspection:
        contents = self._contents
        information, header = contents.information, contents.header
        users = contents.users
        # Values of backup_fetch_prefs_from_request(): all, course or none.
        claimed = contents.details.get("users") in ("all", "course")
        findings = []
        if users or claimed:
            findings.append(
                Finding(
                    code="users",
                    finding_class=FindingClass.BLOCKING,
                    place=MANIFEST,
                    count=users,
                    message=f"The backup was made with user data: {users} accounts are inside.",
                )
            )
        summary_html, summary_text = summary(header.get("SUMMARY", ""), None)
        fullname = header.get("FULLNAME", "")
        return BackupInspection(
            kind="course",
            media_type=MOODLE_BACKUP,
            size=size,
            title=fullname.strip(),
            findings=tuple(findings),
            backup_format="moodle1",
            archive_format="zip",
            fullname=fullname,
            shortname=header.get("SHORTNAME", ""),
            summary_html=summary_html,
            summary_text=summary_text,
            course_format=header.get("FORMAT") or None,
            language=header.get("LANG", "").removesuffix("_utf8") or None,
            start_date=date(header.get("STARTDATE", "")),
            moodle_version=information.get("MOODLE_VERSION", ""),
            moodle_release=information.get("MOODLE_RELEASE", ""),
            backup_version=information.get("BACKUP_VERSION", ""),
            backup_release=information.get("BACKUP_RELEASE", ""),
            backup_date=date(information.get("DATE", "")),
            original_wwwroot=information.get("ORIGINAL_WWWROOT", ""),
            original_course_id=integer(header.get("ID", "")),
            root_settings=dict(contents.details),
            includes_users=bool(users) or claimed,
            anonymised=False,
            includes_files=self._files > 0,
            users=users,
            sections=len(contents.sections),
            activities=len(contents.places),
            activities_by_module=dict(sorted(Counter(place.module for place in contents.places).items())),
            files=self._files,
            file_bytes=self._file_bytes,
            distinct_files=self._files,
            distinct_file_bytes=self._file_bytes,
            questions=contents.questions,
            questions_by_type=dict(sorted(contents.question_types.items())),
            outline=contents.outline(),
        )


@dataclass(slots=True)
class _Place:
    """Where an activity stands: ``COURSE/SECTIONS/SECTION/MODS/MOD``."""

    section: int
    id: int
    module: str
    instance: str
    visible: bool


class _Contents:
    """moodle.xml."""

    def __init__(self, text: TextAllowance, limits: Limits) -> None:
        self.information: dict[str, str] = {}
        self.details: dict[str, str] = {}
        self.header: dict[str, str] = {}
        self.users = 0
        self.questions = 0
        self.question_types: Counter[str] = Counter()
        self.sections: list[dict[str, str]] = []
        self.places: list[_Place] = []
        self._names: dict[tuple[str, str], str] = {}
        self._record: dict[str, str] = {}
        self._text = text
        self._limits = limits

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        match path[2:]:
            case ["SECTIONS", "SECTION"]:
                if len(self.sections) >= self._limits.max_sections:
                    raise InvalidFile("The backup has too many sections.", reason="too-many-sections")
                self.sections.append({})
            case ["USERS", "USER"]:
                self.users += 1
            case ["QUESTION_CATEGORIES", "QUESTION_CATEGORY", "QUESTIONS", "QUESTION"]:
                self.questions += 1
            case ["MODULES", "MOD"] | ["SECTIONS", "SECTION", "MODS", "MOD"]:
                self._record = {}

    def end(self, path: list[str], text: str) -> None:
        match path[1:]:
            case ["INFO", tag] if tag != "DETAILS":
                self._keep(self.information, tag, text)
            case ["INFO", "DETAILS", tag] if tag != "MOD":
                self._keep(self.details, tag.lower(), text)
            case ["COURSE", "HEADER", "SUMMARY"]:
                self.header["SUMMARY"] = given(text)
            case ["COURSE", "HEADER", tag]:
                self._keep(self.header, tag, text)
            case ["COURSE", "SECTIONS", "SECTION", "ID" | "NUMBER" | "VISIBLE" as tag]:
                self._keep(self.sections[-1], tag, text)
            case ["COURSE", "SECTIONS", "SECTION", "SUMMARY"]:
                self.sections[-1]["SUMMARY"] = self._text.text_of_html(given(text))
            case [
                "COURSE",
                "SECTIONS",
                "SECTION",
                "MODS",
                "MOD",
                "ID" | "TYPE" | "INSTANCE" | "VISIBLE" as tag,
            ]:
                self._record[tag] = given(text)[:100]
            case ["COURSE", "SECTIONS", "SECTION", "MODS", "MOD"]:
                self._add_place()
            case ["COURSE", "MODULES", "MOD", "ID" | "MODTYPE" | "NAME" as tag]:
                self._record[tag] = given(text)
            case ["COURSE", "MODULES", "MOD"]:
                self._add_name()
            case ["COURSE", "QUESTION_CATEGORIES", _, "QUESTIONS", "QUESTION", "QTYPE"]:
                count(self.question_types, text[:100], self._limits.max_distinct)

    def outline(self) -> tuple[Section, ...]:
        """Sections by number, each with its activities in order."""
        activities: dict[int, list[Activity]] = {}
        for place in self.places:
            name = self._names.get((place.module, place.instance), "")
            activity = Activity(id=place.id, module=place.module, title=name, visible=place.visible)
            activities.setdefault(place.section, []).append(activity)
        sections = [
            Section(
                id=integer(fields.get("ID", "")),
                number=integer(fields.get("NUMBER", "")),
                title="",
                summary_text=fields.get("SUMMARY", ""),
                visible=fields.get("VISIBLE") != "0",
                activities=tuple(activities.get(index, ())),
            )
            for index, fields in enumerate(self.sections)
        ]
        return tuple(sorted(sections, key=lambda section: section.number or 0))

    def _keep(self, fields: dict[str, str], tag: str, text: str) -> None:
        if len(fields) < _FIELDS_LIMIT:
            fields[tag[:100]] = self._text.line(given(text))

    def _add_place(self) -> None:
        if len(self.places) >= self._limits.max_activities:
            raise InvalidFile("The backup has too many activities.", reason="too-many-activities")
        record = self._record
        self.places.append(
            _Place(
                section=len(self.sections) - 1,
                id=integer(record.get("ID", "")) or 0,
                module=self._text.line(record.get("TYPE", ""), limit=100),
                instance=record.get("INSTANCE", ""),
                visible=record.get("VISIBLE") != "0",
            )
        )

    def _add_name(self) -> None:
        if len(self._names) >= self._limits.max_activities:
            raise InvalidFile("The backup has too many activities.", reason="too-many-activities")
        record = self._record
        key = (record.get("MODTYPE", "")[:100], record.get("ID", "")[:100])
        self._names[key] = self._text.line(record.get("NAME", ""))
