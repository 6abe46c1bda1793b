"""Decides about the records of a backup of which it depends on their fields whether they are a person's."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.limits import Limits
from repo_service.inspection.moodle.people import USER_IDS, has_address
from repo_service.inspection.moodle.plugins import is_core
from repo_service.inspection.moodle.redaction import KEEP, NULL, Judge, Judgement

LEARNER_FILES = "learner-files"

_MAX_NAMES = 2_000_000
"""Characters of users' names that are remembered: what looks for them takes many times as much memory."""
_DIRECTORY = "."
"""The file name of a folder in files.xml."""
_DISABLED = b"1"
"""ENROL_INSTANCE_DISABLED (lib/enrollib.php)."""
_SECRET_NAMES = re.compile(r"password|secret|resourcekey|token", re.IGNORECASE)

_LEARNER_AREAS = {
    "mod_forum": {"post", "attachment"},
    "mod_glossary": {"entry", "attachment"},
    "mod_data": {"content"},
    "mod_wiki": {"attachments"},
    "mod_lesson": {"essay_responses", "essay_answers"},
    "mod_assignment": {"submission", "response"},
    "mod_assign": {"submissions", "feedback"},
    "mod_bigbluebuttonbn": {"recordings"},
    "grade": {"feedback", "historyfeedback"},
    "badges": {"userbadge"},
}
_EXAMPLE_AREAS = {
    "submission_content", "submission_attachment", "overallfeedback_content", "overallfeedback_attachment",
}  # fmt: skip
"""Of mod_workshop: the areas of learners' submissions, and of the teacher's examples too."""
_LEARNER_COMPONENTS = ("user", "backup", "assignsubmission_", "assignfeedback_")
_TEACHING_COMPONENTS = frozenset(
    {
        *(
            "course",
            "question",
            "core_question",
            "grading",
            "grade",
            "badges",
            "calendar",
            "contentbank",
            "group",
        ),
        "quizaccess_seb",
    }
)


class PersonJudges:
    """The judges for one backup. They remember what they saw, whatever order the files come in."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.look_into: Callable[[bytes], object] = lambda data: None
        """Gets what blocks keep in an encoded form, to look for names in."""
        self.persons: set[tuple[str, str, str, str]] = set()
        """(first name, last name, user name, address) of each user."""
        self.authors: Counter[str] = Counter()
        """Of files for teaching, with how many each has."""
        self.unknown_areas: set[str] = set()
        """Components of files of which nobody knows whether they are learners'."""
        self.examples: set[str] = set()
        """Ids of teachers' examples in workshops and of the assessments of them."""
        self._workshop_files: Counter[str] = Counter()
        self._names_left = _MAX_NAMES

    def table(self) -> Mapping[str, Judge]:
        """By the names that the rules use."""
        return {
            "user": self.user,
            "file": self.file,
            "event": _event,
            "override": _override,
            "enrol": _enrol,
            "tool": _tool,
            "example": self.example,
            "block": self.block,
            # What only a clean copy changes
            **dict.fromkeys(("setting", "role", "references", "file-reference", "role-reference"), _keep),
        }

    def user(self, attributes: Mapping[str, str], fields: Mapping[str, str]) -> Judgement:
        """A user goes; the name is remembered, to be looked for elsewhere."""
        if len(self.persons) < self._limits.max_distinct and self._names_left > 0:
            names = (fields.get(name, "") for name in ("firstname", "lastname", "username", "email"))
            first, last, username, address = (name.strip()[:200] for name in names)
            self.persons.add((first, last, username, address))
            self._names_left -= len(first) + len(last) + len(username) + len(address)
        return Judgement(keep=False, found=(("users", ""),))

    def example(self, attributes: Mapping[str, str], fields: Mapping[str, str]) -> Judgement:
        """A teacher's example in a workshop stays, with its files."""
        self.examples.add(attributes.get("id", ""))
        if len(self.examples) > self._limits.max_distinct:
            raise InvalidFile("The backup has too many examples.", reason="too-many-values")
        return KEEP

    def file(self, attributes: Mapping[str, str], fields: Mapping[str, str]) -> Judgement:
        """A file that a learner owns goes, any other loses the number of its user and keeps its author."""
        if not self.is_learners(fields):
            return self.teaching_file(fields)
        if fields.get("component") == "mod_workshop":
            self._count(self._workshop_files, fields.get("itemid", ""), _is_file(fields))
            return Judgement(keep=False)
        return learners_file(fields)

    def teaching_file(self, fields: Mapping[str, str]) -> Judgement:
        """A file that stays, with its author and licence."""
        if _is_file(fields) and (author := fields.get("author", "").strip()):
            self._count(self.authors, author[:200], True)
        if _is_id(fields.get("userid", "")):
            return Judgement(texts={"userid": NULL}, found=((USER_IDS, "userid"),))
        return KEEP

    def is_learners(self, fields: Mapping[str, str]) -> bool:
        """Whether the file record is one that a backup without users does not have."""
        component, area = fields.get("component", ""), fields.get("filearea", "")
        if component.startswith(_LEARNER_COMPONENTS):
            return True
        if component == "question":
            return area.startswith("response_")
        if component == "mod_workshop" and area in _EXAMPLE_AREAS:
            return fields.get("itemid", "") not in self.examples
        if area in _LEARNER_AREAS.get(component, ()):
            return True
        if component not in _TEACHING_COMPONENTS and not is_core(component):
            self.unknown_areas.add(component[:100])
            if len(self.unknown_areas) > self._limits.max_distinct:
                raise InvalidFile("The backup names too many plugins.", reason="too-many-values")
        return False

    def workshop_files(self) -> int:
        """Files of learners' submissions to workshops, known once all examples are."""
        return sum(count for item, count in self._workshop_files.items() if item not in self.examples)

    def block(self, attributes: Mapping[str, str], fields: Mapping[str, str]) -> Judgement:
        """A block stays. Its settings (serialised by PHP, base64) are looked into, never taken apart."""
        with suppress(binascii.Error):
            self.look_into(base64.b64decode(fields.get("configdata", "")))
        return KEEP

    def _count(self, counter: Counter[str], value: str, is_file: bool) -> None:
        if value not in counter and len(counter) >= self._limits.max_distinct:
            return
        counter[value] += is_file


def learners_file(fields: Mapping[str, str]) -> Judgement:
    """A file that goes. Folders are not counted."""
    return Judgement(keep=False, found=((LEARNER_FILES, ""),) if _is_file(fields) else ())


def _is_file(fields: Mapping[str, str]) -> bool:
    return fields.get("filename") != _DIRECTORY


def _keep(attributes: Mapping[str, str], fields: Mapping[str, str]) -> Judgement:
    return KEEP


def _event(attributes: Mapping[str, str], fields: Mapping[str, str]) -> Judgement:
    """Events of a user (an own deadline) go, those of the course and its groups stay."""
    if fields.get("courseid", "") in ("", "0") or fields.get("eventtype") == "user":
        return Judgement(keep=False, found=(("user-events", ""),))
    if _is_id(fields.get("userid", "")):
        return Judgement(texts={"userid": NULL}, found=((USER_IDS, "userid"),))
    return KEEP


def _override(attributes: Mapping[str, str], fields: Mapping[str, str]) -> Judgement:
    """What was granted to one user goes, what was granted to a group stays."""
    if _is_id(fields.get("userid", "")):
        return Judgement(keep=False, found=(("overrides", ""),))
    return KEEP


def _enrol(attributes: Mapping[str, str], fields: Mapping[str, str]) -> Judgement:
    """An enrolment method that loses its key is switched off: without one it would let everybody in."""
    texts: dict[str, bytes] = {}
    found: list[tuple[str, str]] = []
    if fields.get("password"):
        code = "guest-password" if fields.get("enrol") == "guest" else "enrolment-key"
        found.append((code, "password"))
        texts["password"] = NULL
        if "status" in fields:
            texts["status"] = _DISABLED
    for name, text in fields.items():
        if name.startswith("custom") and has_address(text):
            found.append(("message-address", name))
            texts[name] = NULL
    return Judgement(texts=texts, found=tuple(found))


def _tool(attributes: Mapping[str, str], fields: Mapping[str, str]) -> Judgement:
    """A setting of an external tool that is a secret by its name."""
    if fields.get("value") and _SECRET_NAMES.search(fields.get("name", "")):
        return Judgement(texts={"value": b""}, found=(("tool-credentials", "value"),))
    return KEEP


def _is_id(text: str) -> bool:
    return text not in ("", "0")
