"""Moodle backups of 2.0 to 5.x: course, section and activity, as zip or tar.gz.

The manifest may come last (in a tar.gz it does), so every part that could matter is read as it passes and put
together at the end.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Literal

from repo_service.domain.errors import InvalidFile
from repo_service.domain.findings import Finding, FindingClass
from repo_service.domain.inspection import BackupInspection, InspectionWarning, PluginUse
from repo_service.domain.texts import text
from repo_service.inspection.archives.base import Sink, Want, invalid_member, is_misread
from repo_service.inspection.archives.targz import GZIP_MAGIC, read_targz
from repo_service.inspection.archives.zip import ZIP_MAGICS, read_zip
from repo_service.inspection.base import Progress, Source
from repo_service.inspection.limits import LIMITS, Limits
from repo_service.inspection.media_types import MOODLE_BACKUP
from repo_service.inspection.moodle.findings import PersonScan
from repo_service.inspection.moodle.outline import Parts, build_outline
from repo_service.inspection.moodle.parts import (
    ActivityRoot,
    Course,
    Files,
    Manifest,
    ModuleFacts,
    ModuleFile,
    Questions,
    SectionFacts,
    SectionFile,
    Users,
    count,
    date,
    integer,
    summary,
)
from repo_service.inspection.moodle.people import module_of
from repo_service.inspection.moodle.plugins import PluginUses
from repo_service.inspection.moodle.recognition import Recognised
from repo_service.inspection.moodle.requirements import Requirements
from repo_service.inspection.text import TextAllowance
from repo_service.inspection.xml import Handler, XmlAllowance, XmlSink

MANIFEST = "moodle_backup.xml"

_ROOTS = (b"<moodle_backup>", b"<information>")
"""Looked for by convert_helper::detect_moodle2_format() (backup/util/helper/convert_helper.class.php)."""

_POOL = re.compile(r"files/([0-9a-f]{2})/(\1[0-9a-f]{38})")
_TYPES: dict[str, Literal["course", "section", "activity"]] = {
    "course": "course",
    "section": "section",
    "activity": "activity",
}


class Moodle2Parser:
    """``sniff`` takes any zip or gzip, whatever its name."""

    name = "moodle2"
    version = 2

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits

    def sniff(self, head: bytes, name: str) -> bool:
        return head.startswith((GZIP_MAGIC, *ZIP_MAGICS))

    def parse(self, source: Source, *, name: str, progress: Progress) -> BackupInspection:
        backup = _Backup(self._limits)
        archive_format: Literal["zip", "tgz"]
        if source.read_at(0, len(GZIP_MAGIC)) == GZIP_MAGIC:
            archive_format = "tgz"
            read_targz(source, backup, progress=progress, limits=self._limits)
        else:
            archive_format = "zip"
            read_zip(source, backup, progress=progress, limits=self._limits)
        return backup.describe(archive_format, source.size)


class _Backup:
    """The visitor: gathers the parts as they come, in whatever order."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._text = TextAllowance(limits)
        self._xml = XmlAllowance(limits)
        self._scan = PersonScan(limits, XmlAllowance(limits))
        self._opened: set[str] = set()
        self._listed = False
        self._parts = 0
        self._has_users_file = False
        self._misread = ""
        self._pool: set[bytes] = set()
        self._pool_size = 0
        self._conditions: Counter[str] = Counter()
        self._blocks: Counter[str] = Counter()
        self._manifest = Manifest(self._text, limits)
        self._course: Course | None = None
        self._sections: dict[str, SectionFile] = {}
        self._modules: dict[str, ModuleFile] = {}
        self._roots: dict[str, ActivityRoot] = {}
        self._files = Files(limits)
        self._users = Users()
        self._questions = Questions(limits)
        self._needs = Requirements(self._text, limits)

    def visit(self, name: str, size: int, *, is_file: bool) -> Want:
        if name.startswith("files/"):
            if is_file:
                self._visit_pool(name, size)
            return Want.NOTHING
        if is_file and not self._misread and is_misread(name, name):
            self._misread = name
        if not is_file or not name.endswith(".xml"):
            return Want.NOTHING
        match name.split("/"):
            case ["sections", _, "section.xml"] | ["activities", _, "module.xml"]:
                self._parts += 1
                if self._parts > self._limits.max_activities + self._limits.max_sections:
                    raise InvalidFile("The backup has too many parts.", reason="too-many-activities")
            case [*_, "blocks", block, "block.xml"]:
                count(self._blocks, block.rpartition("_")[0][:100], self._limits.max_distinct)
        self._listed = self._listed or name == MANIFEST
        self._has_users_file = self._has_users_file or name == "users.xml"
        return Want.ALL

    def _visit_pool(self, name: str, size: int) -> None:
        if (found := _POOL.fullmatch(name)) is not None:
            content_hash = bytes.fromhex(found[2])
            if content_hash not in self._pool:
                self._pool.add(content_hash)
                self._pool_size += size

    def open(self, name: str) -> Sink:
        if name in self._opened:
            raise InvalidFile(f"{name} stands in the archive twice.", reason="duplicate-member", place=name)
        self._opened.add(name)
        scan = self._scan.sink(name)
        directory, _, file = name.rpartition("/")
        handler = self._handler(directory, file)
        if handler is None:
            return scan
        described = XmlSink(
            handler, place=name, allowance=self._xml, only_root=isinstance(handler, ActivityRoot)
        )
        sink = _Both(described, scan)
        return Recognised(sink, MANIFEST, _ROOTS) if name == MANIFEST else sink

    def _handler(self, directory: str, file: str) -> Handler | None:
        handler: Handler | None = self._needs.handler(directory, file)
        match directory.split("/"), file:
            case [""], "moodle_backup.xml":
                handler = self._manifest
            case [""], "files.xml":
                handler = self._files
            case [""], "users.xml":
                handler = self._users
            case [""], "questions.xml":
                handler = self._needs.with_categories(self._questions)
            case ["course"], "course.xml":
                handler = self._course = Course(self._text)
            case ["sections", _], "section.xml":
                handler = self._sections[directory] = SectionFile(self._text, self._limits, self._conditions)
            case ["activities", _], "module.xml":
                handler = self._modules[directory] = ModuleFile(self._text, self._conditions)
            case ["activities", _], _ if file == f"{module_of(directory)}.xml":
                handler = self._roots[directory] = ActivityRoot()
        return handler

    def claims(self) -> bool:
        return self._listed

    def describe(self, archive_format: Literal["zip", "tgz"], size: int) -> BackupInspection:
        """Put the parts together. Raises InvalidFile when the manifest lacks what every backup has."""
        if self._misread:
            raise invalid_member(self._misread, "is another one to Moodle", "misleading-name")
        manifest = self._manifest
        information, settings = manifest.information, manifest.settings
        kind = _TYPES.get(manifest.detail.get("type", ""))
        if kind is None:
            raise InvalidFile(
                "moodle_backup.xml does not say what was backed up.", reason="bad-manifest", place=MANIFEST
            )
        warnings: list[InspectionWarning] = []
        if not self._files.complete:
            warnings.append(
                InspectionWarning(
                    code="files-not-all-assigned",
                    message=text("Files lie in so many places that some are not counted for their activity."),
                    place="files.xml",
                )
            )
        sections: dict[str, SectionFacts] = {place: part.facts for place, part in self._sections.items()}
        modules: dict[str, ModuleFacts] = {place: part.facts for place, part in self._modules.items()}
        if not self._scan.texts_complete:
            warnings.append(
                InspectionWarning(
                    code="texts-not-all-searched",
                    message=text("The backup has so much text that names were not looked for in all of it."),
                )
            )
        outline = build_outline(
            Parts(
                listed_activities=manifest.activities,
                listed_sections=manifest.sections,
                modules=modules,
                roots=self._roots,
                sections=sections,
                files=self._files.by_context,
                warnings=warnings,
            )
        )
        includes_users = self._has_users_file or settings.get("users") == "1"
        fullname = information.get("original_course_fullname", "")
        title = fullname
        if kind == "activity" and manifest.activities:
            title = manifest.activities[0].title
        elif kind == "section" and outline:
            title = outline[0].title or fullname
        course = self._course.fields if self._course else {}
        summary_html, summary_text = summary(course.get("summary", ""), course.get("summaryformat"))
        by_module = Counter(activity.module for activity in manifest.activities)
        return BackupInspection(
            kind=kind,
            media_type=MOODLE_BACKUP,
            size=size,
            title=title.strip(),
            findings=self._findings(includes_users=includes_users),
            warnings=tuple(warnings),
            backup_format="moodle2",
            archive_format=archive_format,
            fullname=fullname,
            shortname=information.get("original_course_shortname", ""),
            summary_html=summary_html,
            summary_text=summary_text,
            course_format=information.get("original_course_format") or None,
            language=self._text.line(course.get("lang", ""), limit=100) or None,
            start_date=date(information.get("original_course_startdate", "")),
            end_date=date(information.get("original_course_enddate", "")),
            tags=tuple(self._course.tags) if self._course else None,
            moodle_version=information.get("moodle_version", ""),
            moodle_release=information.get("moodle_release", ""),
            backup_version=information.get("backup_version", ""),
            backup_release=information.get("backup_release", ""),
            backup_date=date(information.get("backup_date", "")),
            backup_mode=integer(manifest.detail.get("mode", "")),
            original_wwwroot=information.get("original_wwwroot", ""),
            original_site_identifier_hash=information.get("original_site_identifier_hash", ""),
            original_course_id=integer(information.get("original_course_id", "")),
            root_settings=dict(settings),
            includes_users=includes_users,
            anonymised=includes_users and settings.get("anonymize") == "1",
            # Moodle takes files to be inside when an old manifest does not say (backup_general_helper).
            includes_files=information.get("include_files", "1") != "0",
            users=self._users.count,
            sections=len(manifest.sections),
            activities=len(manifest.activities),
            activities_by_module=dict(sorted(by_module.items())),
            files=self._files.total.count,
            file_bytes=self._files.total.size,
            distinct_files=len(self._pool),
            distinct_file_bytes=self._pool_size,
            questions=self._questions.count,
            questions_by_type=dict(sorted(self._questions.by_type.items())),
            outline=outline,
            plugins=self._plugins(by_module, course),
            components=self._components(by_module, course),
            roles=self._needs.roles,
            question_banks=self._needs.question_banks,
            remote_users=information.get("mnet_remoteusers") == "1",
        )

    def _used(self, by_module: Counter[str], course: Mapping[str, str]) -> dict[str, Mapping[str, int]]:
        """How often each plugin is named, by type."""
        course_format = course.get("format") or self._manifest.information.get("original_course_format", "")
        return {
            "mod": by_module,
            "qtype": self._questions.by_type,
            "block": self._blocks,
            "format": {self._text.line(course_format, limit=100): 1},
            "availability": self._conditions,
            "customfield": self._course.field_types if self._course else {},
        }

    def _components(self, by_module: Counter[str], course: Mapping[str, str]) -> dict[str, int]:
        named = {
            f"{kind}_{name}": number
            for kind, uses in self._used(by_module, course).items()
            for name, number in uses.items()
            if name
        }
        return dict(sorted({**named, **self._needs.uses}.items()))

    def _plugins(self, by_module: Counter[str], course: Mapping[str, str]) -> tuple[PluginUse, ...]:
        used = PluginUses()
        for kind, uses in self._used(by_module, course).items():
            used.add(kind, uses)
        used.add_components(self._files.by_component)
        for activity in self._manifest.activities:
            if (module := self._modules.get(activity.directory)) is not None:
                used.add_version(activity.module, module.facts.version)
        return used.list()

    def _findings(self, *, includes_users: bool) -> tuple[Finding, ...]:
        titles = {activity.directory: activity.title for activity in self._manifest.activities}
        found = self._scan.findings(titles, with_users=includes_users)
        if self._manifest.settings.get("users") != "1" or any(f.code == "users" for f in found):
            return found
        claimed = Finding(
            code="users",
            finding_class=FindingClass.BLOCKING,
            place=MANIFEST,
            element="moodle_backup/information/settings/setting",
            count=0,
            message="The backup says that it was made with user data",
        )
        return (claimed, *found)


class _Both:
    """Gives a member to the handler that describes it and to the scan for persons."""

    def __init__(self, described: XmlSink, scan: Sink) -> None:
        self._described = described
        self._scan = scan

    @property
    def done(self) -> bool:
        return False

    def feed(self, data: bytes) -> None:
        if not self._described.done:
            self._described.feed(data)
        self._scan.feed(data)

    def close(self) -> None:
        if not self._described.done:
            self._described.close()
        self._scan.close()
