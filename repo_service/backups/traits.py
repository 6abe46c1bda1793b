"""What of the parts of a backup is held against those of another: titles, places, fingerprints.

Of an activity its own XML, its settings (module.xml) and its ways of grading (grading.xml) count. What Moodle
derives of other parts does not: weights of grades change when another activity comes, events of a calendar
follow the dates of their activity.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from repo_service.backups.archives import Archive
from repo_service.backups.fingerprints import Fingerprint, fingerprint_sink
from repo_service.backups.spooling import Lines
from repo_service.domain.errors import InvalidFile
from repo_service.inspection.archives.base import Sink
from repo_service.inspection.limits import KIB, Limits
from repo_service.inspection.moodle.judging import PersonJudges
from repo_service.inspection.moodle.parts import integer
from repo_service.inspection.text import clean_line
from repo_service.inspection.xml import XmlAllowance

COURSE = "course/course.xml"
QUESTIONS = "questions.xml"

_BLOCK = 256 * KIB
_CATEGORY = "question_categories/question_category"
_ENTRY = f"{_CATEGORY}/question_bank_entries/question_bank_entry"
_VERSION = f"{_ENTRY}/question_version/question_versions"
_QUESTION = f"{_VERSION}/questions/question"
_QUESTION_BEFORE_4 = f"{_CATEGORY}/questions/question"
_OF_QUESTIONS = frozenset({"name", "qtype", "version", "hidden"})
_QUESTION_RECORDS = {
    _CATEGORY: frozenset({"name", "parent"}),
    _ENTRY: frozenset[str](),
    _VERSION: frozenset({"version", "status"}),
    _QUESTION: _OF_QUESTIONS,
    _QUESTION_BEFORE_4: _OF_QUESTIONS,
}
_MAX_NESTING = 100
_TOP = "top"
"""The name of the category that holds all others of a context (``question_get_top_category``, 3.5)."""
_QUIZ_SLOT = "activity/quiz/question_instances/question_instance"
_IN_SLOTS = {
    _QUIZ_SLOT: frozenset({"questionid"}),
    f"{_QUIZ_SLOT}/question_reference": frozenset({"questionbankentryid"}),
}
"""Which question a quiz asks there, before Moodle 4.0 and since."""
_MAX_ASKED = 200_000
"""Questions whose names are remembered for the quizzes that ask them."""
_ITEM_TAGS = {"answer": "answer", "answerfeedback": "answer", "hint": "hint"}
"""By file area of a question: the element whose id is the item of such a file; elsewhere the question."""


class FileSet:
    """A fingerprint of files that does not depend on their order, and takes no memory for them."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = 0

    def add(self, fields: Mapping[str, str]) -> None:
        names = ("component", "filearea", "filepath", "filename", "contenthash")
        said = "\0".join(fields.get(name, "") for name in names)
        self.count += 1
        self._sum += int.from_bytes(hashlib.sha256(said.encode("utf-8", "replace")).digest(), "big")

    def mark(self) -> str:
        """Empty without files."""
        if not self.count:
            return ""
        return hashlib.sha256(f"{self.count} {self._sum % 2**256}".encode()).hexdigest()


@dataclass(slots=True)
class _Traits:
    said: dict[str, Any]
    files: FileSet = field(default_factory=FileSet)
    asked: list[str] = field(default_factory=list)
    """Ids of questions, of a quiz."""

    def described(self) -> dict[str, Any]:
        return {**self.said, "files": self.files.mark()}


class TraitsReader:
    """Reads them, in this order: the parts, then the files, then the questions."""

    def __init__(self, archive: Archive, folder: Path, limits: Limits) -> None:
        """``folder`` takes questions for a moment."""
        self._archive = archive
        self._limits = limits
        self._allowance = XmlAllowance(limits)
        self._judges = PersonJudges(limits)
        self._course = _Traits({"fullname": "", "content": ""})
        self._activities: dict[int, _Traits] = {}
        self._sections: dict[int, _Traits] = {}
        self._contexts: dict[str, int] = {}
        """Ids of activities by their contexts."""
        self._course_context = ""
        self._categories: dict[str, tuple[str, str]] = {}
        """(name, parent) by id."""
        self._questions = Lines(folder)
        self._in_entries = False
        self._asked: dict[str, str] = {}
        """Names of questions that quizzes ask, by id."""

    def read_parts(
        self, activities: Mapping[str, Mapping[str, str]], sections: Mapping[str, Mapping[str, str]]
    ) -> None:
        """``activities`` and ``sections`` are what the manifest says of each, by directory."""
        members: dict[str, Callable[[], Sink]] = {}
        for directory, fields in activities.items():
            id_ = integer(fields["moduleid"]) or 0
            said = {
                "id": id_,
                "module": clean_line(fields.get("modulename", "")),
                "title": clean_line(fields.get("title", "")),
                "section": integer(fields.get("sectionid", "")),
                **dict.fromkeys(("visibility", "content", "settings", "grading"), ""),
            }
            self._activities[id_] = _Traits(said)
            module = directory.partition("/")[2].rpartition("_")[0]
            members |= self._of_activity(id_, directory, module, said)
        for directory, fields in sections.items():
            id_ = integer(fields["sectionid"]) or 0
            said = {
                "id": id_,
                "number": None,
                "title": clean_line(fields.get("title", "")),
                **dict.fromkeys(("visibility", "content"), ""),
            }
            self._sections[id_] = _Traits(said)
            members |= self._of_section(f"{directory}/section.xml", said)
        members[COURSE] = self._of_course
        for member, content in self._archive.read_many(name for name in members if name in self._archive):
            sink = members[member.name]()
            while block := content.read(_BLOCK):
                sink.feed(block)
            sink.close()

    def place_of(self, fields: Mapping[str, str]) -> dict[str, Any]:
        """Where a file belongs, and whether it is a learner's: those are in no clean copy."""
        section = None
        activity = self._contexts.get(fields.get("contextid", ""))
        if activity is not None:
            section = self._activities[activity].said["section"]
        elif (fields.get("component"), fields.get("filearea")) == ("course", "section"):
            section = integer(fields.get("itemid", ""))
        return {"activity": activity, "section": section, "learners": self._judges.is_learners(fields)}

    def add_file(self, fields: Mapping[str, str]) -> None:
        """Count a file as part of what it belongs to."""
        place = self.place_of(fields)
        if place["learners"]:
            return
        if place["activity"] is not None:
            self._activities[place["activity"]].files.add(fields)
        elif place["section"] in self._sections:
            self._sections[place["section"]].files.add(fields)
        elif fields.get("contextid") == self._course_context and fields.get("component") == "course":
            self._course.files.add(fields)

    def read_questions(self, files_of: Callable[[str], Iterable[Mapping[str, str]]]) -> None:
        """``files_of`` gives the files in questions that belong to the item with that id."""
        if QUESTIONS not in self._archive:
            return
        self._asked = {id_: "" for traits in self._activities.values() for id_ in traits.asked}
        reader = _QuestionsReader(self._categories, self._questions, self._asked, files_of, self._limits)
        sink = fingerprint_sink(
            QUESTIONS,
            _QUESTION_RECORDS,
            reader.tell,
            judges=self._judges.table(),
            allowance=self._allowance,
            see_id=reader.see_id,
        )
        with self._archive.open(QUESTIONS) as content:
            while block := content.read(_BLOCK):
                sink.feed(block)
        sink.close()
        self._in_entries = reader.in_entries

    def course(self) -> dict[str, Any]:
        """``in_entries``: the ids of questions are those of entries in the bank, as since Moodle 4.0."""
        return {**self._course.described(), "in_entries": self._in_entries}

    def activities(self) -> Iterator[dict[str, Any]]:
        for traits in self._activities.values():
            asked = "\n".join(self._asked.get(id_, "") for id_ in traits.asked)
            mark = hashlib.sha256(asked.encode("utf-8", "replace")).hexdigest() if asked else ""
            yield {**traits.described(), "questions": mark}

    def sections(self) -> Iterator[dict[str, Any]]:
        return (traits.described() for traits in self._sections.values())

    def questions(self) -> Iterator[dict[str, Any]]:
        """The newest version of each, with the path of its category."""
        paths = {id_: self._path_of(id_) for id_ in self._categories}
        for line in self._questions:
            yield {**line, "category": paths.get(line["category"], [])}

    def close(self) -> None:
        self._questions.close()

    def _of_activity(
        self, id_: int, directory: str, module: str, said: dict[str, Any]
    ) -> dict[str, Callable[[], Sink]]:
        def content(found: Fingerprint) -> None:
            if found.path == "activity":
                self._contexts[found.attributes.get("contextid", "")] = id_
            elif found.path in _IN_SLOTS:
                asked = self._activities[id_].asked
                asked.extend(text for text in found.fields.values() if text)
                if len(asked) > _MAX_ASKED:
                    raise InvalidFile(
                        "A quiz of the backup has too many questions.", reason="too-many-values"
                    )
            else:
                said["title"] = clean_line(found.fields.get("name", "")) or said["title"]
                said["content"] = found.digest

        def settings(found: Fingerprint) -> None:
            seen = found.fields.get("visibleoncoursepage", "1") != "0"
            shown = found.fields.get("visible", "1") != "0"
            said["visibility"] = ("shown" if seen else "stealth") if shown else "hidden"
            said["settings"] = found.digest

        def grading(found: Fingerprint) -> None:
            said["grading"] = found.digest

        own = {"activity": frozenset[str](), f"activity/{module}": frozenset({"name"}), **_IN_SLOTS}
        place = {"visible", "visibleoncoursepage", "sectionid", "sectionnumber", "indent"}
        return {
            f"{directory}/{module}.xml": lambda: self._sink(f"{directory}/{module}.xml", own, content),
            f"{directory}/module.xml": lambda: self._sink(
                f"{directory}/module.xml", {"module": frozenset(place)}, settings
            ),
            f"{directory}/grading.xml": lambda: self._sink(
                f"{directory}/grading.xml", {"areas": frozenset()}, grading
            ),
        }

    def _of_section(self, member: str, said: dict[str, Any]) -> dict[str, Callable[[], Sink]]:
        def tell(found: Fingerprint) -> None:
            # Moodle calls a section by its number where nobody named it; that is no title.
            said["title"] = clean_line(found.fields.get("name", ""))
            said["number"] = integer(found.fields.get("number", ""))
            said["visibility"] = "hidden" if found.fields.get("visible") == "0" else "shown"
            said["content"] = found.digest

        records = {"section": frozenset({"name", "number", "visible", "sequence"})}
        return {member: lambda: self._sink(member, records, tell)}

    def _of_course(self) -> Sink:
        def tell(found: Fingerprint) -> None:
            if found.path == "course":
                self._course_context = found.attributes.get("contextid", "")
                self._course.said = {
                    "fullname": clean_line(found.fields.get("fullname", "")),
                    "content": found.digest,
                }

        # A category is where a site puts the course.
        records = {"course": frozenset({"fullname", "shortname"}), "course/category": frozenset[str]()}
        return self._sink(COURSE, records, tell)

    def _sink(
        self, member: str, records: Mapping[str, frozenset[str]], tell: Callable[[Fingerprint], object]
    ) -> Sink:
        return fingerprint_sink(member, records, tell, judges=self._judges.table(), allowance=self._allowance)

    def _path_of(self, id_: str) -> list[str]:
        path: list[str] = []
        while id_ in self._categories and len(path) < _MAX_NESTING:
            name, id_ = self._categories[id_]
            path.insert(0, name)
        return path[1:] if path and path[0] == _TOP else path


class _QuestionsReader:
    """Takes down the newest version of each question, as they come."""

    def __init__(
        self,
        categories: dict[str, tuple[str, str]],
        lines: Lines,
        asked: dict[str, str],
        files_of: Callable[[str], Iterable[Mapping[str, str]]],
        limits: Limits,
    ) -> None:
        self._categories = categories
        self._lines = lines
        self._asked = asked
        self._files_of = files_of
        self._limits = limits
        self._files = FileSet()
        self._question: dict[str, Any] | None = None
        """That of the version that is being read."""
        self._newest: dict[str, Any] | None = None
        self._version = -1
        self.in_entries = False

    def see_id(self, tag: str, id_: str) -> None:
        for fields in self._files_of(id_):
            area = fields.get("filearea", "")
            other = fields.get("component", "").startswith("qtype_")
            if other or tag == _ITEM_TAGS.get(area, "question"):
                self._files.add(fields)

    def tell(self, found: Fingerprint) -> None:
        if found.path == _CATEGORY:
            id_ = found.attributes.get("id", "")
            self._categories[id_] = clean_line(found.fields.get("name", "")), found.fields.get("parent", "")
            if len(self._categories) > self._limits.max_distinct:
                raise InvalidFile("The backup has too many question categories.", reason="too-many-values")
        elif found.path == _ENTRY:
            self.in_entries = True
            if self._newest is not None:
                self._add(found, self._newest)
            self._newest, self._version = None, -1
        elif found.path == _VERSION:
            version = integer(found.fields.get("version", "")) or 0
            if self._question is not None and version > self._version:
                self._newest = {**self._question, "visibility": found.fields.get("status", "")}
                self._version = version
            self._question = None
        else:
            said = {
                "name": clean_line(found.fields.get("name", "")),
                "type": clean_line(found.fields.get("qtype", "")),
                "visibility": "hidden" if found.fields.get("hidden") == "1" else "ready",
                "content": found.digest,
                "files": self._files.mark(),
            }
            self._files = FileSet()
            if found.path == _QUESTION_BEFORE_4:
                self._add(found, said)
            else:
                self._question = said

    def _add(self, found: Fingerprint, said: dict[str, Any]) -> None:
        id_ = found.attributes.get("id", "")
        if id_ in self._asked:
            self._asked[id_] = f"{said['type']} {said['name']}"
        self._lines.add({"id": id_, "category": found.within[0] if found.within else "", **said})
