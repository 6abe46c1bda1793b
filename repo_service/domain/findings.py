"""What may be found in a backup that matters before it is shared: the codes, their classes, their words.

The words are for teachers: ``one`` and ``many`` complete "The file holds …".
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


class FindingClass(enum.StrEnum):
    """Why a finding matters; only BLOCKING stops a release."""

    BLOCKING = "blocking"
    ATTRIBUTION = "attribution"
    TECHNICAL = "technical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something in a blob that matters before it is shared.

    ``place`` is a member of the archive, ``element`` the path of tags within it, without the root element's
    own where it is plain; ``count`` how many are there.
    """

    code: str
    finding_class: FindingClass
    place: str
    element: str = ""
    count: int
    message: str


class Subject(enum.StrEnum):
    """Whom or what a finding is about."""

    LEARNERS = "learners"
    SECRETS = "secrets"
    UNJUDGED = "unjudged"
    AUTHORS = "authors"
    NUMBERS = "numbers"


@dataclass(frozen=True, slots=True)
class Kind:
    """One code: its class, whom it is about, its words; ``none`` are those where a backup only claims it."""

    finding_class: FindingClass
    subject: Subject
    one: str
    many: str
    none: str = ""

    def words(self, count: int) -> str:
        """``12 submissions of learners``."""
        if not count and self.none:
            return self.none
        return f"1 {self.one}" if count == 1 else f"{count:,} {self.many}"


def _learners(one: str, many: str, none: str = "") -> Kind:
    return Kind(FindingClass.BLOCKING, Subject.LEARNERS, one, many, none)


def _secret(one: str, many: str) -> Kind:
    return Kind(FindingClass.BLOCKING, Subject.SECRETS, one, many)


def _author(one: str, many: str) -> Kind:
    return Kind(FindingClass.ATTRIBUTION, Subject.AUTHORS, one, many)


def _number(one: str, many: str) -> Kind:
    return Kind(FindingClass.TECHNICAL, Subject.NUMBERS, one, many)


KINDS: Mapping[str, Kind] = {
    "users": _learners("user account", "user accounts", "a mark that it was made with user data"),
    "enrolments": _learners("enrolment of a user", "enrolments of users"),
    "role-assignments": _learners("role given to a user", "roles given to users"),
    "group-members": _learners("member of a group", "members of groups"),
    "submissions": _learners("submission of a learner", "submissions of learners"),
    "submission-flags": _learners("note on a learner's work", "notes on learners' work"),
    "attempts": _learners("attempt of a learner", "attempts of learners"),
    "answers": _learners("answer of a learner", "answers of learners"),
    "posts": _learners("forum discussion", "forum discussions"),
    "entries": _learners("entry written by a user", "entries written by users"),
    "messages": _learners("chat message", "chat messages"),
    "comments": _learners("comment", "comments"),
    "assessments": _learners("assessment by a learner", "assessments by learners"),
    "recordings": _learners("recording of a meeting", "recordings of meetings"),
    "grades": _learners("grade of a learner", "grades of learners"),
    "grade-history": _learners("earlier grade of a learner", "earlier grades of learners"),
    "completion": _learners("mark of a learner's progress", "marks of learners' progress"),
    "competencies": _learners("competency of a learner", "competencies of learners"),
    "awards": _learners("award to a learner", "awards to learners"),
    "overrides": _learners("exception for a learner", "exceptions for learners"),
    "subscriptions": _learners("subscription of a user", "subscriptions of users"),
    "user-events": _learners("calendar event of a user", "calendar events of users"),
    "logs": _learners("log entry", "log entries"),
    "meeting-participants": _learners("list of users of a meeting", "lists of users of meetings"),
    "learner-files": _learners("file of a learner", "files of learners"),
    "enrolment-key": _secret("enrolment key", "enrolment keys"),
    "guest-password": _secret("guest password", "guest passwords"),
    "group-key": _secret("enrolment key of a group", "enrolment keys of groups"),
    "quiz-password": _secret("quiz password", "quiz passwords"),
    "lesson-password": _secret("lesson password", "lesson passwords"),
    "tool-credentials": _secret("key of an external tool", "keys of external tools"),
    "message-address": _secret("address in an enrolment message", "addresses in enrolment messages"),
    "badge-contact": _secret("contact address of a badge", "contact addresses of badges"),
    "unknown-person": Kind(
        FindingClass.BLOCKING,
        Subject.UNJUDGED,
        "mention of a user that we cannot judge",
        "mentions of users that we cannot judge",
    ),
    "unknown-plugin": Kind(
        FindingClass.BLOCKING,
        Subject.UNJUDGED,
        "part of a plugin that may hold data of users",
        "parts of plugins that may hold data of users",
    ),
    "file-authors": _author("file with a named author", "files with named authors"),
    "name-in-text": _author("mention of a person's name in a text", "mentions of persons' names in texts"),
    "address-in-text": _author("e-mail address in a text", "e-mail addresses in texts"),
    "user-ids": _number("number of a user of the original site", "numbers of users of the original site"),
    "network-address": _number("restriction to a network address", "restrictions to network addresses"),
    "unrestorable-name": _number(
        "name of the course that Moodle refuses to restore",
        "names of the course that Moodle refuses to restore",
    ),
    "plugin-data": _number("part written by an additional plugin", "parts written by additional plugins"),
}


SHOWN_TO_ALL = frozenset({"file-authors", "unrestorable-name"})
"""What everybody may know of a file that everybody may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All findings of one code together. ``count`` things in ``places`` members."""

    code: str
    kind: Kind
    count: int
    places: int

    @property
    def words(self) -> str:
        return self.kind.words(self.count)


def summarise(findings: Iterable[tuple[str, int]]) -> list[Summary]:
    """(code, count) of each finding, by code and in the order of KINDS. Codes of later releases come last."""
    counts: dict[str, list[int]] = {}
    for code, count in findings:
        counts.setdefault(code, []).append(count)
    order = list(KINDS)
    return [
        Summary(
            code=code,
            kind=KINDS.get(code, _number(code, code)),
            count=sum(counts[code]),
            places=len(counts[code]),
        )
        for code in sorted(counts, key=lambda code: order.index(code) if code in KINDS else len(order))
    ]
