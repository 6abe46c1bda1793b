"""What inspection found in a file, arranged for a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from repo_service.domain.inspection import is_backup
from repo_service.domain.texts import counted, text
from repo_service.web.icons import icon_of
from repo_service.web.labels import module_name, purpose, question_type_name
from repo_service.web.speaking import say

MAX_ITEMS = 2000
"""Sections and activities on one page; a backup may hold ten thousand. The API gives all."""

OPEN_UP_TO = 80
"""Activities up to which every section stands open at first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityItem:
    """One activity. ``notes`` are short words about it; ``sections`` those it holds; ``size`` is that of its
    files in bytes."""

    id: int
    title: str
    module: str
    icon: str
    purpose: str
    notes: Sequence[str]
    files: int
    size: int
    tags: Sequence[str]
    sections: Sequence[SectionItem]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionItem:
    """One section. ``title`` is never empty, but for activities that stand outside of any section."""

    id: int | None
    title: str
    summary: str
    notes: Sequence[str]
    activities: Sequence[ActivityItem]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many there are of one kind."""

    name: str
    purpose: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """A backup; of a file of another kind see ``file_inside``. ``has_parts``: each can be had by itself."""

    is_backup: bool
    has_parts: bool
    outline: Sequence[SectionItem]
    left_out: int
    open_all: bool
    counts: Sequence[str]
    modules: Sequence[Tally]
    questions: Sequence[Tally]
    plugins: Sequence[Mapping[str, Any]]
    release: str
    backup_date: int | None
    warnings: Sequence[Mapping[str, str]]


def inside_of(document: Mapping[str, Any]) -> Inside:
    """Arrange an inspection (``inspection.schema.json``)."""
    of_backup = is_backup(document)
    room = _Room(MAX_ITEMS)
    sections = document["outline"] if of_backup else ()
    # Every course has a section 0, in many there is nothing in it.
    filled = [s for s in sections if s["activities"] or s["summary_text"] or s["title"].strip()]
    outline = [_section(section, document.get("course_format"), room) for section in room.of(filled)]
    return Inside(
        is_backup=of_backup,
        has_parts=document.get("backup_format") == "moodle2",
        outline=outline,
        left_out=room.left_out,
        open_all=document.get("activities", 0) <= OPEN_UP_TO,
        counts=list(_counts(document, empty=len(sections) - len(filled))) if of_backup else [],
        modules=_tallies(document.get("activities_by_module") or {}, module_name, purpose),
        questions=_tallies(document.get("questions_by_type") or {}, question_type_name, lambda _: "other"),
        plugins=document.get("plugins") or [],
        release=(document.get("moodle_release") or "").partition(" ")[0],
        backup_date=document.get("backup_date"),
        warnings=document["warnings"],
    )


@dataclass(slots=True)
class _Room:
    """How many items the page still takes, and how many found no room."""

    left: int
    left_out: int = field(default=0)

    def of(self, items: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        for item in items:
            if self.left > 0:
                self.left -= 1
                yield item
            else:
                self.left_out += 1


def _section(section: Mapping[str, Any], course_format: str | None, room: _Room) -> SectionItem:
    return SectionItem(
        id=section["id"],
        title=section_title(section, course_format),
        summary=section["summary_text"],
        notes=_notes(section),
        activities=[_activity(activity, course_format, room) for activity in room.of(section["activities"])],
    )


def section_title(section: Mapping[str, Any], course_format: str | None) -> str:
    """What its teacher called a section, or what Moodle calls it then."""
    if title := section["title"].strip():
        return str(title)
    # As the course formats do it: ``course/format/*/lang/en`` (section0name, sectionname).
    number = section["number"]
    if section["id"] is None or number is None:
        return ""
    if number == 0:
        return say(text("General"))
    return say(
        text("Week %(number)s", number=number)
        if course_format == "weeks"
        else text("Section %(number)s", number=number)
    )


def _activity(activity: Mapping[str, Any], course_format: str | None, room: _Room) -> ActivityItem:
    return ActivityItem(
        id=activity["id"],
        title=activity["title"].strip() or module_name(activity["module"]),
        module=module_name(activity["module"]),
        icon=icon_of(activity["module"]),
        purpose=purpose(activity["module"]),
        files=activity["files"],
        size=activity["file_bytes"],
        notes=_notes(activity),
        tags=activity["tags"],
        sections=[_section(section, course_format, room) for section in room.of(activity["sections"])],
    )


def _notes(item: Mapping[str, Any]) -> list[str]:
    return [
        *([] if item["visible"] else [text("hidden from students")]),
        *([text("restricted access")] if item["restricted"] else []),
    ]


def _counts(document: Mapping[str, Any], *, empty: int) -> Iterator[str]:
    if document["kind"] != "activity":
        yield counted("%(count)s section", "%(count)s sections", document["sections"] - empty)
        yield counted("%(count)s activity", "%(count)s activities", document["activities"])
    if document["questions"]:
        yield counted("%(count)s question", "%(count)s questions", document["questions"])
    yield counted("%(count)s file", "%(count)s files", document["files"])


def _tallies(
    counts: Mapping[str, int], name: Callable[[str], str], purpose_of: Callable[[str], str]
) -> list[Tally]:
    order = sorted(counts.items(), key=lambda item: (-item[1], name(item[0])))
    return [Tally(name=name(code), purpose=purpose_of(code), count=count) for code, count in order]
