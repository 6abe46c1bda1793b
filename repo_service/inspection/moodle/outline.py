"""Puts the parts of a backup together: sections in order, activities in the order of the course page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from repo_service.domain.inspection import Activity, InspectionWarning, Section
from repo_service.inspection.moodle.parts import (
    ActivityRoot,
    FileSum,
    ListedActivity,
    ListedSection,
    ModuleFacts,
    SectionFacts,
)


@dataclass(slots=True)
class Parts:
    """What was read of a backup; the keys of the dictionaries are directories within the archive."""

    listed_activities: Sequence[ListedActivity]
    listed_sections: Sequence[ListedSection]
    modules: Mapping[str, ModuleFacts]
    roots: Mapping[str, ActivityRoot]
    sections: Mapping[str, SectionFacts]
    files: Mapping[int, FileSum]
    warnings: list[InspectionWarning] = field(default_factory=list)


def build_outline(parts: Parts) -> tuple[Section, ...]:
    """Sections by their number, each with its activities; sections held by an activity stand within it (4.5).

    Activities whose section is not in the backup (the backup of one activity) come last, in a section without
    id.
    """
    facts = {
        listed.id: parts.sections.get(listed.directory, SectionFacts()) for listed in parts.listed_sections
    }
    activities = {listed.id: _activity(listed, parts) for listed in parts.listed_activities}
    by_section: dict[int | None, list[ListedActivity]] = {}
    for listed in parts.listed_activities:
        by_section.setdefault(listed.section_id if listed.section_id in facts else None, []).append(listed)

    parents = _parents(parts, facts)
    held: dict[int, list[Section]] = {}
    for listed_section in parts.listed_sections:
        if (parent := parents.get(listed_section.id)) is not None:
            section = _section(listed_section, facts, by_section, activities)
            held.setdefault(parent, []).append(section)
    for parent, sections in held.items():
        activities[parent] = replace(activities[parent], sections=tuple(sorted(sections, key=_by_number)))

    top = [
        _section(listed_section, facts, by_section, activities)
        for listed_section in parts.listed_sections
        if listed_section.id not in parents
    ]
    top.sort(key=_by_number)
    if homeless := by_section.get(None):
        alone = tuple(activities[listed.id] for listed in homeless)
        top.append(Section(id=None, number=None, title="", activities=alone))
    return tuple(top)


def _by_number(section: Section) -> int:
    return -1 if section.number is None else section.number


def _activity(listed: ListedActivity, parts: Parts) -> Activity:
    module = parts.modules.get(listed.directory, ModuleFacts())
    root = parts.roots.get(listed.directory)
    files = parts.files.get(root.context_id, FileSum()) if root and root.context_id else FileSum()
    return Activity(
        id=listed.id,
        module=listed.module,
        title=listed.title,
        visible=module.visible,
        restricted=module.restricted,
        tags=tuple(module.tags),
        files=files.count,
        file_bytes=files.size,
    )


def _section(
    listed: ListedSection,
    facts: Mapping[int, SectionFacts],
    by_section: Mapping[int | None, Sequence[ListedActivity]],
    activities: Mapping[int, Activity],
) -> Section:
    fact = facts[listed.id]
    here = [activity.id for activity in by_section.get(listed.id, ())]
    place = {id_: at for at, id_ in enumerate(fact.sequence)}
    here.sort(key=lambda id_: place.get(id_, len(place)))
    number = fact.number if fact.number is not None else _number(listed.title)
    # A section without a name is listed under its number.
    title = fact.name or ("" if listed.title == str(number) else listed.title)
    return Section(
        id=listed.id,
        number=number,
        title=title,
        summary_text=fact.summary_text,
        visible=fact.visible,
        restricted=fact.restricted,
        activities=tuple(activities[id_] for id_ in here),
    )


def _number(title: str) -> int | None:
    return int(title) if title.isdecimal() and len(title) < 6 else None


def _parents(parts: Parts, facts: Mapping[int, SectionFacts]) -> dict[int, int]:
    """Section id → id of the activity that holds it.

    Moodle nests one level deep (mod_subsection refuses a subsection within another). A section that would lie
    deeper, or within itself, stays at the top with a warning.
    """
    instances = {
        (listed.module, root.instance_id): listed.id
        for listed in parts.listed_activities
        if (root := parts.roots.get(listed.directory)) is not None
    }
    homes = {listed.id: listed.section_id for listed in parts.listed_activities}
    parents: dict[int, int] = {}
    for listed in parts.listed_sections:
        fact = facts[listed.id]
        parent = listed.parent_id
        if parent is None and fact.component.startswith("mod_"):
            # Before the manifest told the parent (4.5 beta), only the instance id does.
            parent = instances.get((fact.component.removeprefix("mod_"), fact.item_id))
        if parent in homes:
            parents[listed.id] = parent
    for section_id, parent in list(parents.items()):
        home = homes[parent]
        if home == section_id or home in parents:
            del parents[section_id]
            parts.warnings.append(
                InspectionWarning(
                    code="nested-too-deep",
                    message=f"Section {section_id} is held by an activity of another held section.",
                )
            )
    return parents
