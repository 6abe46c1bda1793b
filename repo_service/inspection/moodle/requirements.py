"""What a backup asks of the site that restores it: roles, question banks, and plugins that few files name.

Written by ``backup/moodle2/backup_stepslib.php``; each class names the structure step it reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from repo_service.domain.inspection import QuestionBank, RoleUse
from repo_service.inspection.limits import Limits
from repo_service.inspection.moodle.parts import count, given, integer
from repo_service.inspection.text import TextAllowance
from repo_service.inspection.xml import Handler

_ROLES_LIMIT = 1000
_NAMES_LIMIT = 100
_COURSE = "course"

_NAMING = {
    "enrolments.xml": ("enrol", ["enrolments", "enrols", "enrol", "enrol"]),
    "contentbank.xml": ("", ["contents", "content", "contenttype"]),
    "filters.xml": ("filter", ["filters", "filter_actives", "filter_active", "filter"]),
    "grading.xml": ("gradingform", ["areas", "area", "definitions", "definition", "method"]),
}
"""Files of the course and of activities that name plugins: the type of those, and the path of the name."""


class Requirements:
    """Gathers them as the members pass, in whatever order."""

    def __init__(self, text: TextAllowance, limits: Limits) -> None:
        self._text = text
        self._limits = limits
        self._needed_by: dict[int, set[str]] = {}
        self._roles = _Roles(text)
        self._uses: Counter[str] = Counter()
        self._categories = _Categories(text, limits)

    def with_categories(self, other: Handler) -> Handler:
        """Who reads questions.xml: ``other``, and whoever looks for its categories here."""
        return _Together(other, self._categories)

    def handler(self, directory: str, file: str) -> Handler | None:
        """Who reads the member, None when nobody here does."""
        place = directory.partition("/")[0]
        if file == "inforef.xml" and place in ("course", "sections", "activities"):
            return _References(_component_of(directory), self._needed_by, self._limits)
        if (place, file) == ("", "roles.xml"):
            return self._roles
        if place in ("course", "activities") and "/blocks/" not in directory:
            return _Named(*_NAMING[file], self._uses, self._limits) if file in _NAMING else None
        return None

    @property
    def uses(self) -> Mapping[str, int]:
        """How often plugins are named, by component."""
        return self._uses

    @property
    def roles(self) -> tuple[RoleUse, ...]:
        """In the order of the backup."""
        return tuple(self._roles.found)

    @property
    def question_banks(self) -> tuple[QuestionBank, ...]:
        """The categories of each context, apart by who needs them."""
        apart: dict[tuple[int, int, tuple[str, ...]], list[_Category]] = {}
        for id_, category in self._categories.found.items():
            needed_by = tuple(sorted(self._needed_by.get(id_, ())))
            apart.setdefault((category.context_level, category.context_id, needed_by), []).append(category)
        return tuple(
            QuestionBank(
                context_id=context_id,
                context_level=level,
                needed_by=needed_by,
                names=tuple(category.name for category in held[:_NAMES_LIMIT]),
                categories=len(held),
                top_categories=sum(category.is_top for category in held),
                questions_by_type=dict(sorted(sum((c.questions for c in held), Counter[str]()).items())),
            )
            for (level, context_id, needed_by), held in sorted(apart.items())
        )


def _component_of(directory: str) -> str:
    """Whose ``inforef.xml`` lies there: an activity's, a block's, or the course's with its sections."""
    parent, _, name = directory.rpartition("/")
    kind = name.rpartition("_")[0][:100]
    if parent.endswith("/blocks"):
        return f"block_{kind}"
    return f"mod_{kind}" if parent == "activities" else _COURSE


class _Together:
    """Two who read the same file."""

    def __init__(self, one: Handler, other: Handler) -> None:
        self._one = one
        self._other = other

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        self._one.start(path, attributes)
        self._other.start(path, attributes)

    def end(self, path: list[str], text: str) -> None:
        self._one.end(path, text)
        self._other.end(path, text)


class _Roles:
    """roles.xml (``backup_final_roles_structure_step``)."""

    def __init__(self, text: TextAllowance) -> None:
        self.found: list[RoleUse] = []
        self._text = text
        self._record: dict[str, str] = {}

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        if len(path) == 2:
            self._record = {}

    def end(self, path: list[str], text: str) -> None:
        match path:
            case ["roles_definition", "role", "name" | "shortname" | "archetype" as tag]:
                self._record[tag] = self._text.line(given(text), limit=255)
            case ["roles_definition", "role"] if len(self.found) < _ROLES_LIMIT:
                self.found.append(
                    RoleUse(
                        shortname=self._record.get("shortname", ""),
                        archetype=self._record.get("archetype", ""),
                        name=self._record.get("name", ""),
                    )
                )


class _References:
    """inforef.xml (``backup_inforef_structure_step``): which question categories a part needs."""

    def __init__(self, component: str, needed_by: dict[int, set[str]], limits: Limits) -> None:
        self._component = component
        self._needed_by = needed_by
        self._limit = limits.max_distinct

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        pass

    def end(self, path: list[str], text: str) -> None:
        if path != ["inforef", "question_categoryref", "question_category", "id"]:
            return
        id_ = integer(text)
        if id_ is not None and (id_ in self._needed_by or len(self._needed_by) < self._limit):
            self._needed_by.setdefault(id_, set()).add(self._component)


class _Named:
    """A file that names plugins of one type, or components, at one path."""

    def __init__(self, kind: str, path: list[str], uses: Counter[str], limits: Limits) -> None:
        self._prefix = f"{kind}_" if kind else ""
        self._path = path
        self._uses = uses
        self._limit = limits.max_distinct

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        pass

    def end(self, path: list[str], text: str) -> None:
        if path == self._path and (name := given(text).removeprefix("filter/")[:100]):
            count(self._uses, f"{self._prefix}{name}", self._limit)


@dataclass(slots=True)
class _Category:
    """``question_category`` of questions.xml."""

    name: str = ""
    context_id: int = 0
    context_level: int = 0
    is_top: bool = False
    questions: Counter[str] = field(default_factory=Counter)


class _Categories:
    """questions.xml (``backup_questions_structure_step``): the categories, and what lies in each."""

    def __init__(self, text: TextAllowance, limits: Limits) -> None:
        self.found: dict[int, _Category] = {}
        self._text = text
        self._limit = limits.max_distinct
        self._now = _Category()

    def start(self, path: list[str], attributes: Mapping[str, str]) -> None:
        if len(path) == 2 and path[1] == "question_category":
            self._now = _Category()
            id_ = integer(attributes.get("id", ""))
            if id_ is not None and len(self.found) < self._limit:
                self.found[id_] = self._now

    def end(self, path: list[str], text: str) -> None:
        match path:
            case ["question_categories", "question_category", "name"]:
                self._now.name = self._text.line(given(text), limit=255)
            case ["question_categories", "question_category", "contextid"]:
                self._now.context_id = integer(text) or 0
            case ["question_categories", "question_category", "contextlevel"]:
                self._now.context_level = integer(text) or 0
            case ["question_categories", "question_category", "parent"]:
                self._now.is_top = text == "0"
            case [*_, "questions", "question", "qtype"]:
                count(self._now.questions, text[:100], self._limit)
