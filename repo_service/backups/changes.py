"""What changed between two backups of a course: what came, what went, and what of the rest is different.

Parts of the same course on the same site have the same numbers. Else, and where a part was made anew, parts
with the same name are the same, and then those with the same content. Questions and files may be very many:
they are put in order on disk and walked through side by side.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from repo_service.backups.contents import Contents
from repo_service.backups.spooling import in_order
from repo_service.inspection.text import clean_line

LISTED = 200
"""How many parts are named of each kind of change; all are counted."""

_ALIKE = 100
"""How many differing rows of one name are held against each other one by one."""

_Traits = dict[str, Any]
_Key = Callable[[_Traits], Hashable]
"""What a part is known by; None where it has nothing of the kind."""
_Row = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A section, activity, question or file.

    ``id`` is that of the course module or section, ``kind`` a module, question type or media type, ``place``
    the section, question category or activity that it is in. ``title_before`` is there when it had another;
    ``what`` says what else is different.
    """

    id: int | None = None
    title: str
    kind: str = ""
    place: str = ""
    title_before: str | None = None
    what: tuple[str, ...] = ()


@dataclass(slots=True)
class Changed:
    """What came of all parts of one sort. Lists are cut at LISTED."""

    added_count: int = 0
    removed_count: int = 0
    changed_count: int = 0
    unchanged_count: int = 0
    added: list[Part] = field(default_factory=list)
    removed: list[Part] = field(default_factory=list)
    changed: list[Part] = field(default_factory=list)

    def add(self, part: Part) -> None:
        self.added_count += 1
        if len(self.added) < LISTED:
            self.added.append(part)

    def remove(self, part: Part) -> None:
        self.removed_count += 1
        if len(self.removed) < LISTED:
            self.removed.append(part)

    def note(self, part: Part) -> None:
        """A part that is in both: changed when it says in what."""
        if not part.what:
            self.unchanged_count += 1
            return
        self.changed_count += 1
        if len(self.changed) < LISTED:
            self.changed.append(part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """``same_course``: both are of one course on one site. ``course`` says what of itself changed."""

    same_course: bool
    course: tuple[str, ...]
    sections: Changed
    activities: Changed
    questions: Changed
    files: Changed


def changes(before: Contents, after: Contents, *, folder: Path) -> Changes:
    """``folder`` takes what is too much for memory for a moment. Raises BadContents."""
    course, course_after = before.compared_course(), after.compared_course()
    same = _same_course(course["origin"], course_after["origin"])
    sections = _matched(
        before.compared_sections(), after.compared_sections(), _SAME_SECTION if same else _LIKE_SECTION
    )
    activities = _matched(
        before.compared_activities(), after.compared_activities(), _SAME_ACTIVITY if same else _LIKE_ACTIVITY
    )
    return Changes(
        same_course=same,
        course=_facets(course, course_after, _OF_COURSE),
        sections=_sections(sections),
        activities=_activities(activities, sections),
        questions=_questions(
            before,
            after,
            folder,
            # Moodle 4.0 gave questions other numbers.
            by_id=same and course["in_entries"] == course_after["in_entries"],
        ),
        files=_files(before, after, folder, activities, sections),
    )


def _same_course(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """As Moodle knows its own backups (``backup_general_helper::backup_is_samesite``), and the same id."""
    name = "original_site_identifier_hash"
    if not (one[name] and other[name]):
        name = "original_wwwroot"
    return all(one[key] and one[key] == other[key] for key in (name, "original_course_id"))


# What is compared: what to call it, and the traits


_OF_COURSE = {"title": ("fullname",), "content": ("content",), "files": ("files",)}
_OF_SECTION = {
    "title": ("title",), "content": ("content",), "files": ("files",), "visibility": ("visibility",),
}  # fmt: skip
_OF_ACTIVITY = {
    **_OF_SECTION, "content": ("content", "grading"), "questions": ("questions",), "settings": ("settings",),
}  # fmt: skip
_OF_QUESTION = {
    "title": ("name",), "category": ("category",), "content": ("type", "content"), "files": ("files",),
    "visibility": ("visibility",),
}  # fmt: skip


def _facets(before: _Traits, after: _Traits, table: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(
        facet for facet, names in table.items() if any(before[name] != after[name] for name in names)
    )


# Sections and activities, which are few


def _section_title(section: _Traits) -> Hashable:
    return (section["title"],) if section["title"] else None


def _section_number(section: _Traits) -> Hashable:
    return (section["number"],)


def _id(traits: _Traits) -> Hashable:
    return (traits["id"],)


def _activity_id(activity: _Traits) -> Hashable:
    return activity["id"], activity["module"]


def _activity_title(activity: _Traits) -> Hashable:
    return activity["module"], activity["title"]


def _activity_content(activity: _Traits) -> Hashable:
    names = ("module", "content", "grading", "questions", "files")
    return tuple(activity[name] for name in names) if activity["content"] else None


_SAME_SECTION: tuple[_Key, ...] = (_id, _section_title)
_LIKE_SECTION: tuple[_Key, ...] = (_section_title, _section_number)
_LIKE_ACTIVITY: tuple[_Key, ...] = (_activity_title, _activity_content)
_SAME_ACTIVITY: tuple[_Key, ...] = (_activity_id, *_LIKE_ACTIVITY)


@dataclass(slots=True)
class _Matched:
    both: list[tuple[_Traits, _Traits]]
    before: list[_Traits]
    after: list[_Traits]
    """Those that have no counterpart."""

    def places(self, side: int) -> dict[int, str]:
        """By id: what to call a part on that side (0 or 1) so that counterparts are called the same."""
        pairs = {pair[side]["id"]: f"both {number}" for number, pair in enumerate(self.both)}
        alone = (self.before, self.after)[side]
        return pairs | {traits["id"]: f"{side} {traits['id']}" for traits in alone}

    def by_id(self, side: int) -> dict[int, _Traits]:
        found = [pair[side] for pair in self.both] + (self.before, self.after)[side]
        return {traits["id"]: traits for traits in found}


def _matched(before: Iterable[_Traits], after: Iterable[_Traits], keys: tuple[_Key, ...]) -> _Matched:
    """By one key after the other; several with the same are matched in their order. None is no key."""
    found = _Matched([], list(before), list(after))
    for key in keys:
        counterparts = dict(_numbered(found.before, key))
        left = []
        for numbered, traits in _numbered(found.after, key):
            counterpart = counterparts.pop(numbered, None) if numbered[0] is not None else None
            if counterpart is None:
                left.append(traits)
            else:
                found.both.append((counterpart, traits))
        matched = {id(one) for one, _ in found.both}
        found.before = [traits for traits in found.before if id(traits) not in matched]
        found.after = left
    return found


def _numbered(parts: list[_Traits], key: _Key) -> Iterator[tuple[tuple[Hashable, int], _Traits]]:
    seen: Counter[Hashable] = Counter()
    for traits in parts:
        own = key(traits)
        yield (own, seen[own]), traits
        seen[own] += 1


def _sections(matched: _Matched) -> Changed:
    found = Changed()
    for section in matched.after:
        found.add(_section(section))
    for section in matched.before:
        found.remove(_section(section))
    for before, after in matched.both:
        found.note(_section(after, _name_of(before), _facets(before, after, _OF_SECTION)))
    return found


def _section(section: _Traits, title_before: str | None = None, what: tuple[str, ...] = ()) -> Part:
    return Part(
        id=section["id"],
        title=_name_of(section),
        title_before=title_before if "title" in what else None,
        what=what,
    )


def _name_of(section: _Traits | None) -> str:
    if section is None:
        return ""
    return section["title"] or f"Section {section['number'] or 0}"


def _activities(matched: _Matched, sections: _Matched) -> Changed:
    found = Changed()
    before_in, after_in = sections.places(0), sections.places(1)
    homes, homes_before = sections.by_id(1), sections.by_id(0)
    for activity in matched.after:
        found.add(_activity(activity, homes))
    for activity in matched.before:
        found.remove(_activity(activity, homes_before))
    for before, after in matched.both:
        what = _facets(before, after, _OF_ACTIVITY)
        if before_in.get(before["section"]) != after_in.get(after["section"]):
            what += ("section",)
        found.note(_activity(after, homes, before["title"], what))
    return found


def _activity(
    activity: _Traits,
    homes: Mapping[int, _Traits],
    title_before: str | None = None,
    what: tuple[str, ...] = (),
) -> Part:
    return Part(
        id=activity["id"],
        title=activity["title"],
        kind=activity["module"],
        place=_name_of(homes.get(activity["section"])),
        title_before=title_before if "title" in what else None,
        what=what,
    )


# Questions and files, which may be very many


def _questions(before: Contents, after: Contents, folder: Path, *, by_id: bool) -> Changed:
    def rows(contents: Contents) -> Iterator[_Row]:
        for question in contents.compared_questions():
            id_ = question.pop("id")
            names = question["category"], question["type"], question["name"]
            yield (id_ if by_id else json.dumps(names)), json.dumps(question)

    def part(row: _Row, counterpart: _Row | None = None) -> Part:
        question: _Traits = json.loads(row[1])
        earlier: _Traits = question if counterpart is None else json.loads(counterpart[1])
        what = _facets(earlier, question, _OF_QUESTION)
        return Part(
            title=question["name"],
            kind=question["type"],
            place=" / ".join(question["category"]),
            title_before=earlier["name"] if "title" in what else None,
            what=what,
        )

    return _side_by_side(in_order(rows(before), folder), in_order(rows(after), folder), part)


def _files(
    before: Contents, after: Contents, folder: Path, activities: _Matched, sections: _Matched
) -> Changed:
    def rows(contents: Contents, side: int) -> Iterator[_Row]:
        titles = {id_: activity["title"] for id_, activity in activities.by_id(side).items()}
        of_activity, of_section = activities.places(side), sections.places(side)
        for file in contents.files():
            if file["learners"]:
                continue
            place = of_activity.get(file["activity"]) or "section " + of_section.get(file["section"], "")
            path = file["filepath"] + file["name"]
            key = json.dumps([place, file["component"], file["filearea"], path])
            yield key, file["content"], file["name"], file["mimetype"], titles.get(file["activity"], "")

    def part(row: _Row, counterpart: _Row | None = None) -> Part:
        changed = counterpart is not None and counterpart[1] != row[1]
        return Part(
            title=clean_line(row[2]),
            kind=clean_line(row[3]),
            place=row[4],
            what=("content",) if changed else (),
        )

    return _side_by_side(in_order(rows(before, 0), folder), in_order(rows(after, 1), folder), part)


class _Side:
    """Rows in order, and the one that is next."""

    def __init__(self, rows: Iterator[_Row]) -> None:
        self._rows = rows
        self.row = next(rows, None)

    def take(self) -> _Row:
        taken = self.row
        assert taken is not None
        self.row = next(self._rows, None)
        return taken


class _Alone:
    """Rows of one name that the other side has not: the first ones, and how many."""

    def __init__(self) -> None:
        self.rows: list[_Row] = []
        self.count = 0

    def add(self, row: _Row) -> None:
        self.count += 1
        if len(self.rows) < _ALIKE:
            self.rows.append(row)


def _side_by_side(
    before: Iterator[_Row], after: Iterator[_Row], part: Callable[[_Row, _Row | None], Part]
) -> Changed:
    """Rows are (key, what is compared, what is shown …) and in order on both sides."""
    found = Changed()
    old, new = _Side(before), _Side(after)
    while old.row is not None or new.row is not None:
        key = min(side.row[0] for side in (old, new) if side.row is not None)
        gone, come = _Alone(), _Alone()
        while True:
            ours = old.row if old.row is not None and old.row[0] == key else None
            theirs = new.row if new.row is not None and new.row[0] == key else None
            if ours is None and theirs is None:
                break
            if ours is not None and theirs is not None and ours[1] == theirs[1]:
                found.unchanged_count += 1
                old.take()
                new.take()
            elif theirs is None or (ours is not None and ours[1] < theirs[1]):
                gone.add(old.take())
            else:
                come.add(new.take())
        _settle(found, gone, come, part)
    return found


def _settle(found: Changed, gone: _Alone, come: _Alone, part: Callable[[_Row, _Row | None], Part]) -> None:
    """Of one name: as many as are on both sides have changed, the rest has come or gone."""
    for ours, theirs in zip(gone.rows, come.rows, strict=False):
        found.note(part(theirs, ours))
    both = min(len(gone.rows), len(come.rows))
    for row in gone.rows[both:]:
        found.remove(part(row, None))
    for row in come.rows[both:]:
        found.add(part(row, None))
    found.removed_count += gone.count - len(gone.rows)
    found.added_count += come.count - len(come.rows)
