"""The XML files of a Moodle backup, one handler a file, each keeping only what a description needs.

Written by ``backup/moodle2/backup_stepslib.php``; each class names the structure step it reads.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.limits import Limits
from repo_service.inspection.text import TextAllowance, clean_html, html_to_text, text_to_html

NULL = "$@NULL@$"
_MAX_INTEGER = 2**53
_TAGS_LIMIT = 200
_SETTINGS_LIMIT = 1000


def given(text: str) -> str:
    """The text, empty where Moodle wrote its NULL."""
    return "" if text == NULL else text


def integer(text: str) -> int | None:
    """A whole number, None when there is none or when it is absurd."""
    if not text.lstrip("-").isdecimal() or len(text) > 17:
        return None
    number = int(text)
    return number if abs(number) < _MAX_INTEGER else None


def date(text: str) -> int | None:
    """Unix seconds; Moodle writes 0 for no date."""
    return integer(text) or None


def summary(text: str, text_format: str | None) -> tuple[str, str]:
    """(HTML, plain text); formats: FORMAT_MOODLE 0, FORMAT_HTML 1, FORMAT_PLAIN 2, FORMAT_MARKDOWN 4."""
    if text_format in ("2", "4"):
        text = text_to_html(text)
    return clean_html(text), html_to_text(text)


@dataclass(slots=True)
class ListedActivity:
    """``contents/activities/activity`` of the manifest."""

    id: int
    section_id: int | None
    module: str
    title: str
    directory: str


@dataclass(slots=True)
class ListedSection:
    """``contents/sections/section`` of the manifest; ``parent_id`` is the module that holds it (4.5)."""

    id: int
    title: str
    directory: str
    parent_id: int | None


class Manifest:
    """moodle_backup.xml (``backup_main_structure_step``)."""

    def __init__(self, text: TextAllowance, limits: Limits) -> None:
        self.information: dict[str, str] = {}
        self.detail: dict[str, str] = {}
        self.settings: dict[str, str] = {}
        self.activities: list[ListedActivity] = []
        self.sections: list[ListedSection] = []
        self._record: dict[str, str] = {}
        self._text = text
        self._limits = limits

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        if path[-1] in ("activity", "section", "setting"):
            match path[2:]:
                case (
                    ["contents", "activities", "activity"]
                    | ["contents", "sections", "section"]
                    | ["settings", "setting"]
                ):
                    self._record = {}

    def end(self, path: list[str], text: str) -> None:
        if path[:2] != ["moodle_backup", "information"]:
            return
        match path[2:]:
            case [tag] if len(self.information) < _SETTINGS_LIMIT and tag not in (
                "details",
                "contents",
                "settings",
            ):
                self.information[tag] = self._text.line(given(text))
            case ["details", "detail", tag] if len(self.detail) < _SETTINGS_LIMIT:
                self.detail[tag] = self._text.line(given(text))
            case ["contents", "activities", "activity"]:
                self._add_activity()
            case ["contents", "sections", "section"]:
                self._add_section()
            case ["settings", "setting"]:
                self._add_setting()
            case (
                ["contents", "activities", "activity", tag]
                | ["contents", "sections", "section", tag]
                | ["settings", "setting", tag]
            ):
                if len(self._record) < _SETTINGS_LIMIT:
                    self._record[tag] = given(text)

    def _add_activity(self) -> None:
        if len(self.activities) >= self._limits.max_activities:
            raise InvalidFile("The backup lists too many activities.", reason="too-many-activities")
        record = self._record
        self.activities.append(
            ListedActivity(
                id=integer(record.get("moduleid", "")) or 0,
                section_id=integer(record.get("sectionid", "")),
                module=self._text.line(record.get("modulename", ""), limit=100),
                title=self._text.line(record.get("title", "")),
                directory=self._text.line(record.get("directory", ""), limit=200),
            )
        )

    def _add_section(self) -> None:
        if len(self.sections) >= self._limits.max_sections:
            raise InvalidFile("The backup lists too many sections.", reason="too-many-sections")
        record = self._record
        self.sections.append(
            ListedSection(
                id=integer(record.get("sectionid", "")) or 0,
                title=self._text.line(record.get("title", "")),
                directory=self._text.line(record.get("directory", ""), limit=200),
                parent_id=integer(record.get("parentcmid", "")),
            )
        )

    def _add_setting(self) -> None:
        record = self._record
        if record.get("level") == "root" and len(self.settings) < _SETTINGS_LIMIT:
            name = self._text.line(record.get("name", ""), limit=100)
            self.settings[name] = self._text.line(record.get("value", ""))


class Course:
    """course/course.xml (``backup_course_structure_step``)."""

    _KEPT = frozenset({"summary", "summaryformat", "format", "startdate", "enddate", "lang", "theme"})

    def __init__(self, text: TextAllowance) -> None:
        self.fields: dict[str, str] = {}
        self.tags: list[str] = []
        self.field_types: Counter[str] = Counter()
        self._text = text

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        pass

    def end(self, path: list[str], text: str) -> None:
        match path:
            case ["course", tag] if tag in self._KEPT:
                self.fields[tag] = given(text)
            case ["course", "tags", "tag", "rawname"] if len(self.tags) < _TAGS_LIMIT:
                self.tags.append(self._text.line(given(text)))
            case ["course", "customfields", "customfield", "type"] if len(self.field_types) < _SETTINGS_LIMIT:
                self.field_types[self._text.line(given(text), limit=100)] += 1


@dataclass(slots=True)
class SectionFacts:
    """What section.xml adds to the manifest."""

    id: int | None = None
    number: int | None = None
    name: str = ""
    summary_text: str = ""
    sequence: tuple[int, ...] = ()
    visible: bool = True
    restricted: bool = False
    component: str = ""
    item_id: int | None = None


class SectionFile:
    """sections/section_*/section.xml (``backup_section_structure_step``)."""

    def __init__(self, text: TextAllowance, limits: Limits, conditions: Counter[str]) -> None:
        self.facts = SectionFacts()
        self._text = text
        self._limits = limits
        self._conditions = conditions

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        if path == ["section"]:
            self.facts.id = integer(attributes.get("id", ""))

    def end(self, path: list[str], text: str) -> None:
        if len(path) != 2 or path[0] != "section":
            return
        text = given(text)
        match path[1]:
            case "number":
                self.facts.number = integer(text)
            case "name":
                self.facts.name = self._text.line(text)
            case "summary":
                self.facts.summary_text = self._text.text_of_html(text)
            case "sequence":
                ids = (integer(part) for part in text.split(",", self._limits.max_activities))
                self.facts.sequence = tuple(id_ for id_ in ids if id_ is not None)
            case "visible":
                self.facts.visible = text != "0"
            case "availabilityjson" | "availability":
                self.facts.restricted = _restricted(text, self._conditions)
            case "component":
                self.facts.component = self._text.line(text, limit=100)
            case "itemid":
                self.facts.item_id = integer(text)


@dataclass(slots=True)
class ModuleFacts:
    """What module.xml adds to the manifest."""

    version: str = ""
    visible: bool = True
    restricted: bool = False
    tags: list[str] = field(default_factory=list)


class ModuleFile:
    """activities/*/module.xml (``backup_module_structure_step``)."""

    def __init__(self, text: TextAllowance, conditions: Counter[str]) -> None:
        self.facts = ModuleFacts()
        self._text = text
        self._conditions = conditions

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        if path == ["module"]:
            self.facts.version = self._text.line(attributes.get("version", ""), limit=40)

    def end(self, path: list[str], text: str) -> None:
        text = given(text)
        match path:
            case ["module", "visible"]:
                self.facts.visible = text != "0"
            case ["module", "availability"]:
                self.facts.restricted = _restricted(text, self._conditions)
            case ["module", "tags", "tag", "rawname"] if len(self.facts.tags) < _TAGS_LIMIT:
                self.facts.tags.append(self._text.line(text))


class ActivityRoot:
    """The first tag of activities/*/<module>.xml (``prepare_activity_structure``)."""

    def __init__(self) -> None:
        self.instance_id: int | None = None
        self.context_id: int | None = None

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        if path == ["activity"]:
            self.instance_id = integer(attributes.get("id", ""))
            self.context_id = integer(attributes.get("contextid", ""))

    def end(self, path: list[str], text: str) -> None:
        pass


@dataclass(slots=True)
class FileSum:
    """Files of one context and their size in bytes."""

    count: int = 0
    size: int = 0


class Files:
    """files.xml (``backup_final_files_structure_step``)."""

    def __init__(self, limits: Limits) -> None:
        self.total = FileSum()
        self.by_context: dict[int, FileSum] = {}
        self.by_component: Counter[str] = Counter()
        self.complete = True
        self._limit = limits.max_distinct
        self._context = self._name = self._size = self._component = ""

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        if len(path) == 2:
            self._context = self._name = self._size = self._component = ""

    def end(self, path: list[str], text: str) -> None:
        depth = len(path)
        if depth == 3:
            tag = path[2]
            if tag == "contextid":
                self._context = text
            elif tag == "filename":
                self._name = text
            elif tag == "filesize":
                self._size = text
            elif tag == "component":
                self._component = text
        elif depth == 2 and path[1] == "file" and self._name != ".":
            self._add()

    def _add(self) -> None:
        size = max(0, integer(self._size) or 0)
        self.total.count += 1
        self.total.size += size
        context = integer(self._context) or 0
        known = self.by_context.get(context)
        if known is None:
            if len(self.by_context) >= self._limit:
                self.complete = False
                return
            known = self.by_context[context] = FileSum()
        known.count += 1
        known.size += size
        count(self.by_component, given(self._component)[:100], self._limit)


class Users:
    """users.xml (``backup_users_structure_step``): how many."""

    def __init__(self) -> None:
        self.count = 0

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        if len(path) == 2 and path[1] == "user":
            self.count += 1

    def end(self, path: list[str], text: str) -> None:
        pass


class Questions:
    """questions.xml (``backup_questions_structure_step``): how many of which type, in all versions."""

    def __init__(self, limits: Limits) -> None:
        self.count = 0
        self.by_type: Counter[str] = Counter()
        self._limit = limits.max_distinct

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        if path[-1] == "question" and path[-2:] == ["questions", "question"]:
            self.count += 1

    def end(self, path: list[str], text: str) -> None:
        if path[-1] == "qtype" and path[-3:-1] == ["questions", "question"]:
            count(self.by_type, text[:100], self._limit)


def count(counter: Counter[str], value: str, limit: int) -> None:
    """Count ``value``, refusing more than ``limit`` distinct ones. Raises InvalidFile."""
    if value not in counter and len(counter) >= limit:
        raise InvalidFile("The backup names too many different things.", reason="too-many-values")
    counter[value] += 1


def _restricted(availability: str, conditions: Counter[str]) -> bool:
    """Whether access is restricted; the types of the conditions are counted (``core_availability\\tree``)."""
    if not availability:
        return False
    try:
        tree = json.loads(availability)
    except (ValueError, RecursionError):
        return True
    found = False
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, dict):
            continue
        if isinstance(children := node.get("c"), list):
            waiting.extend(children)
        if isinstance(kind := node.get("type"), str):
            found = True
            count(conditions, kind[:100], _SETTINGS_LIMIT)
    return found
