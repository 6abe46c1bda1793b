"""What may be found in a backup that matters before it is shared: the codes, their classes, their words.

The words are for teachers: ``one`` and ``many`` complete "The file holds …".
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from repo_service.domain.texts import Text, counted, text


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
    none: Text | None = None

    def words(self, count: int) -> Text:
        """``12 submissions of learners``."""
        return self.none if not count and self.none else counted(self.one, self.many, count)


def _learners(one: str, many: str, none: Text | None = None) -> Kind:
    return Kind(FindingClass.BLOCKING, Subject.LEARNERS, one, many, none)


def _secret(one: str, many: str) -> Kind:
    return Kind(FindingClass.BLOCKING, Subject.SECRETS, one, many)


def _unjudged(one: str, many: str) -> Kind:
    return Kind(FindingClass.BLOCKING, Subject.UNJUDGED, one, many)


def _author(one: str, many: str) -> Kind:
    return Kind(FindingClass.ATTRIBUTION, Subject.AUTHORS, one, many)


def _number(one: str, many: str) -> Kind:
    return Kind(FindingClass.TECHNICAL, Subject.NUMBERS, one, many)


KINDS: Mapping[str, Kind] = {
    "users": _learners(
        "%(count)s user account", "%(count)s user accounts", text("a mark that it was made with user data")
    ),
    "enrolments": _learners("%(count)s enrolment of a user", "%(count)s enrolments of users"),
    "role-assignments": _learners("%(count)s role given to a user", "%(count)s roles given to users"),
    "group-members": _learners("%(count)s member of a group", "%(count)s members of groups"),
    "submissions": _learners("%(count)s submission of a learner", "%(count)s submissions of learners"),
    "submission-flags": _learners("%(count)s note on a learner's work", "%(count)s notes on learners' work"),
    "attempts": _learners("%(count)s attempt of a learner", "%(count)s attempts of learners"),
    "answers": _learners("%(count)s answer of a learner", "%(count)s answers of learners"),
    "posts": _learners("%(count)s forum discussion", "%(count)s forum discussions"),
    "entries": _learners("%(count)s entry written by a user", "%(count)s entries written by users"),
    "messages": _learners("%(count)s chat message", "%(count)s chat messages"),
    "comments": _learners("%(count)s comment", "%(count)s comments"),
    "assessments": _learners("%(count)s assessment by a learner", "%(count)s assessments by learners"),
    "recordings": _learners("%(count)s recording of a meeting", "%(count)s recordings of meetings"),
    "grades": _learners("%(count)s grade of a learner", "%(count)s grades of learners"),
    "grade-history": _learners(
        "%(count)s earlier grade of a learner", "%(count)s earlier grades of learners"
    ),
    "completion": _learners(
        "%(count)s mark of a learner's progress", "%(count)s marks of learners' progress"
    ),
    "competencies": _learners("%(count)s competency of a learner", "%(count)s competencies of learners"),
    "awards": _learners("%(count)s award to a learner", "%(count)s awards to learners"),
    "overrides": _learners("%(count)s exception for a learner", "%(count)s exceptions for learners"),
    "subscriptions": _learners("%(count)s subscription of a user", "%(count)s subscriptions of users"),
    "user-events": _learners("%(count)s calendar event of a user", "%(count)s calendar events of users"),
    "logs": _learners("%(count)s log entry", "%(count)s log entries"),
    "meeting-participants": _learners(
        "%(count)s list of users of a meeting", "%(count)s lists of users of meetings"
    ),
    "learner-files": _learners("%(count)s file of a learner", "%(count)s files of learners"),
    "enrolment-key": _secret("%(count)s enrolment key", "%(count)s enrolment keys"),
    "guest-password": _secret("%(count)s guest password", "%(count)s guest passwords"),
    "group-key": _secret("%(count)s enrolment key of a group", "%(count)s enrolment keys of groups"),
    "quiz-password": _secret("%(count)s quiz password", "%(count)s quiz passwords"),
    "lesson-password": _secret("%(count)s lesson password", "%(count)s lesson passwords"),
    "tool-credentials": _secret("%(count)s key of an external tool", "%(count)s keys of external tools"),
    "message-address": _secret(
        "%(count)s address in an enrolment message", "%(count)s addresses in enrolment messages"
    ),
    "badge-contact": _secret("%(count)s contact address of a badge", "%(count)s contact addresses of badges"),
    "unknown-person": _unjudged(
        "%(count)s mention of a user that we cannot judge",
        "%(count)s mentions of users that we cannot judge",
    ),
    "unknown-plugin": _unjudged(
        "%(count)s part of a plugin that may hold data of users",
        "%(count)s parts of plugins that may hold data of users",
    ),
    "file-authors": _author("%(count)s file with a named author", "%(count)s files with named authors"),
    "name-in-text": _author(
        "%(count)s mention of a person's name in a text", "%(count)s mentions of persons' names in texts"
    ),
    "address-in-text": _author("%(count)s e-mail address in a text", "%(count)s e-mail addresses in texts"),
    "location": _author(
        "%(count)s place where something was recorded", "%(count)s places where something was recorded"
    ),
    "user-ids": _number(
        "%(count)s number of a user of the original site", "%(count)s numbers of users of the original site"
    ),
    "network-address": _number(
        "%(count)s restriction to a network address", "%(count)s restrictions to network addresses"
    ),
    "unrestorable-name": _number(
        "%(count)s name of the course that Moodle refuses to restore",
        "%(count)s names of the course that Moodle refuses to restore",
    ),
    "plugin-data": _number(
        "%(count)s part written by an additional plugin", "%(count)s parts written by additional plugins"
    ),
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
    def words(self) -> Text:
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
            kind=KINDS.get(code, _number(f"%(count)s {code}", f"%(count)s {code}")),
            count=sum(counts[code]),
            places=len(counts[code]),
        )
        for code in sorted(counts, key=lambda code: order.index(code) if code in KINDS else len(order))
    ]
