"""Where in a backup something stands, in words: an activity by its title, or a part of the course."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repo_service.domain.inspection import is_backup
from repo_service.domain.texts import text
from repo_service.web.inside import section_title
from repo_service.web.labels import module_name, purpose
from repo_service.web.speaking import say

_ELSEWHERE = text("Another part of the backup")

_PARTS = {
    "badges.xml": text("Badges"),
    "completion.xml": text("Course completion"),
    "files.xml": text("Files"),
    "grade_history.xml": text("Grade book"),
    "gradebook.xml": text("Grade book"),
    "groups.xml": text("Groups"),
    "moodle.xml": text("The backup as a whole"),
    "moodle_backup.xml": text("The backup as a whole"),
    "outcomes.xml": text("Outcomes"),
    "questions.xml": text("Question bank"),
    "roles.xml": text("Roles"),
    "scales.xml": text("Scales"),
    "users.xml": text("List of users"),
    "course/calendar.xml": text("Calendar"),
    "course/comments.xml": text("Comments on the course"),
    "course/competencies.xml": text("Competencies"),
    "course/completiondefaults.xml": text("Course completion"),
    "course/contentbank.xml": text("Content bank"),
    "course/course.xml": text("Name and summary of the course"),
    "course/enrolments.xml": text("Enrolment methods"),
    "course/filters.xml": text("Filters"),
    "course/loglastaccess.xml": text("Logs"),
    "course/logs.xml": text("Logs"),
    "course/logstores.xml": text("Logs"),
    "course/roles.xml": text("Roles in the course"),
}
"""What Moodle writes beside the activities (``backup_*_task.class.php`` in backup/moodle2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A part of a course. ``named`` says that its name comes from the file: it may be in any language."""

    name: str
    named: bool = False
    module: str = ""
    purpose: str = "other"


class Places:
    """The places of one backup, by the paths of its members."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """``document`` is an inspection; one without an outline names no activities."""
        self._known: dict[str, Place] = {}
        course_format = document.get("course_format")
        sections: list[Mapping[str, Any]] = list(document["outline"]) if is_backup(document) else []
        while sections:
            section = sections.pop()
            title = section_title(section, course_format)
            if title:
                named = bool(section["title"].strip())
                self._known[f"sections/section_{section['id']}"] = Place(name=title, named=named)
            for activity in section["activities"]:
                self._known[f"activities/{activity['module']}_{activity['id']}"] = _activity(activity)
                sections += activity["sections"]

    def of(self, member: str) -> Place:
        """The place of a member of the archive."""
        parts = member.split("/")
        if (known := self._known.get("/".join(parts[:2]))) is not None:
            return known
        if member in _PARTS:
            return Place(name=say(_PARTS[member]))
        return _unnamed(parts)


def _activity(activity: Mapping[str, Any]) -> Place:
    module = module_name(activity["module"])
    title = activity["title"].strip()
    return Place(
        name=title or module,
        named=bool(title),
        module=module if title else "",
        purpose=purpose(activity["module"]),
    )


def _unnamed(parts: Sequence[str]) -> Place:
    if len(parts) > 2 and parts[-3] == "blocks":
        block = parts[-2].rpartition("_")[0]
        return Place(
            name=say(text("A text block") if block == "html" else text("Block “%(name)s”", name=block))
        )
    if parts[0] == "activities" and len(parts) > 1:
        module = parts[1].rpartition("_")[0]
        return Place(name=module_name(module), purpose=purpose(module))
    if parts[0] == "sections":
        return Place(name=say(text("A section")))
    return Place(name=say(_ELSEWHERE))
