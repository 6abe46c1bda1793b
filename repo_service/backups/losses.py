"""What would be missing after a restore. Moodle passes over what the site lacks without a word.

Each rule names the code of Moodle 4.5 that it follows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from repo_service.backups.remarks import Remark, all_activities, loaded_banks, times
from repo_service.backups.sites import Restorer, SiteProfile, number_of
from repo_service.domain.inspection import BackupInspection
from repo_service.inspection.moodle.core import life_of

_VERSIONED_QUESTIONS = 20220202
"""From this backup on questions lie in bank entries (``restore_create_categories_and_questions``)."""
_SUBSECTION = "mod_subsection"


def losses(backup: BackupInspection, site: SiteProfile) -> Iterator[Remark]:
    """What matters most first, and last what goes with it."""
    unreadable = _has_unreadable_questions(backup, site)
    used = [(list(_RULES).index(kind), component, count) for kind, component, count in _ruled(backup)]
    for _, component, count in sorted(used):
        kind = component.partition("_")[0]
        rule = _RULES[kind]
        if (kind == "qtype" and unreadable) or not _matters(component, backup, site):
            continue
        if not site.has(component):
            yield Remark(
                code=rule.code,
                message=_capital(f"{rule.subject(component, count)} {_fate(rule, component, backup, site)}."),
                component=component,
                count=count,
            )
        elif site.disabled is not None and component in site.disabled and kind == "mod":
            yield Remark(
                code="disabled-module",
                message=_capital(f"{rule.subject(component, count)} would stay unseen: it is switched off."),
                component=component,
                count=count,
            )
    yield from _inside_subsections(backup, site)
    yield from _lost_questions(backup, site, unreadable=unreadable)


def components_of(backup: BackupInspection) -> dict[str, int]:
    """What the backup uses, by component; inspections of an older kind know only some of it."""
    if backup.components is not None:
        return dict(backup.components)
    known = {f"mod_{name}": count for name, count in backup.activities_by_module.items()}
    known |= {f"qtype_{name}": count for name, count in backup.questions_by_type.items()}
    return known | {plugin.component: plugin.uses for plugin in backup.plugins}


def _ruled(backup: BackupInspection) -> Iterator[tuple[str, str, int]]:
    for component, count in components_of(backup).items():
        kind = component.partition("_")[0]
        if kind in _RULES:
            yield kind, component, count


@dataclass(frozen=True, slots=True)
class _Rule:
    """What becomes of the uses of a plugin that the site lacks."""

    code: str
    one: str
    many: str
    fate: str = "would be missing"

    def subject(self, component: str, count: int) -> str:
        """What is concerned, and how many of them."""
        name = component.partition("_")[2]
        return f"{self.one} “{name}”" if count == 1 else f"{count} {self.many} “{name}”"


_RULES = {
    # Planned only where plugin_supports() says so: build_section_plan(), restore_plan_builder.class.php.
    "mod": _Rule("missing-module", "an activity", "activities"),
    # The rows come without what the plugin adds, and are shown as of the type missingtype.
    "qtype": _Rule("missing-question-type", "a question of type", "questions of type", "would not work"),
    # backup_general_helper::get_blocks_from_path().
    "block": _Rule("missing-block", "a block", "blocks"),
    # The name is kept, and the site's default format shows the course: get_format_or_default(),
    # course/format/classes/base.php.
    "format": _Rule(
        "missing-format", "the course format", "course formats", "would give way to the site's own"
    ),
    # Conditions of an unknown type are passed over: core_availability\tree::__construct(), when lax.
    "availability": _Rule(
        "missing-restriction", "an access restriction", "access restrictions", "would no longer hold"
    ),
    # course_handler::restore_instance_data_from_backup() wants a field of the same short name and type.
    "customfield": _Rule("missing-custom-field", "a course field of type", "course fields of type"),
    # restore_filters_structure_step asks filter_is_enabled().
    "filter": _Rule("missing-filter", "a setting of the filter", "settings of the filter"),
    # restore_enrolments_structure_step::process_enrol().
    "enrol": _Rule("missing-enrolment", "a way of enrolment", "ways of enrolment"),
    # The definition comes without its form: restore_activity_grading_structure_step.
    "gradingform": _Rule("missing-grading-form", "a grading form", "grading forms"),
    "contenttype": _Rule(
        "missing-content-type", "a thing in the content bank of type", "things in the content bank of type"
    ),
}


def _matters(component: str, backup: BackupInspection, site: SiteProfile) -> bool:
    """Whether a restore would make anything of it on a site that has everything."""
    match component.partition("_")[0]:
        case "block":
            return backup.root_settings.get("blocks") != "0"
        case "enrol":
            # Without people every way of enrolment becomes manual.
            return backup.includes_users and site.restorer is Restorer.MANAGER
        case "format":
            # What was format_scorm is made singleactivity: restore_course_structure_step::process_course().
            turned = component == "format_scorm" and site.has("format_singleactivity")
            return backup.kind == "course" and component != "format_site" and not turned
        case "qtype":
            # Random questions are references since 4.0; missingtype stands for what was lost before.
            return component not in ("qtype_random", "qtype_missingtype")
    return True


def _fate(rule: _Rule, component: str, backup: BackupInspection, site: SiteProfile) -> str:
    since, until = life_of(component)
    if component == _SUBSECTION and _knows_no_subsections(backup, site):
        return f"{rule.fate}: what is inside of it stays, in a section of its own"
    if until is not None and site.since(until):
        return f"{rule.fate}: Moodle had it up to {until}"
    if since is not None and not site.since(since):
        return f"{rule.fate}: Moodle has it since {since}"
    return rule.fate


def _inside_subsections(backup: BackupInspection, site: SiteProfile) -> Iterator[Remark]:
    """A section that an activity holds is planned together with it: ``build_delegated_section_plan()``."""
    if site.has(_SUBSECTION) or _knows_no_subsections(backup, site):
        return
    holders = (a for a in all_activities(backup.outline) if a.module == "subsection")
    inside = sum(1 for holder in holders for _ in all_activities(holder.sections))
    if inside:
        yield Remark(
            code="inside-subsections",
            message=f"{times(inside, 'activity', 'activities')} inside of subsections would be missing.",
            component=_SUBSECTION,
            count=inside,
        )


def _knows_no_subsections(backup: BackupInspection, site: SiteProfile) -> bool:
    """Before 4.5 a section that an activity holds is one like others, of which a course restores all."""
    return backup.kind == "course" and not site.since("4.5")


def _lost_questions(backup: BackupInspection, site: SiteProfile, *, unreadable: bool) -> Iterator[Remark]:
    if unreadable:
        yield Remark(
            code="versioned-questions",
            message=f"{times(backup.questions, 'question', 'questions')} would be missing: Moodle before 4.0 "
            "cannot read questions that have versions.",
            component="core_question",
            count=backup.questions,
        )
        return
    loaded = {id(bank) for bank in loaded_banks(backup, site)}
    lost: Counter[str] = Counter()
    for bank in backup.question_banks:
        if bank.needed_by and id(bank) not in loaded:
            lost.update(bank.questions_by_type)
    if count := lost.total():
        yield Remark(
            code="questions-of-missing-activities",
            message=f"{times(count, 'question', 'questions')} would be missing together with what uses them.",
            component="core_question",
            count=count,
        )


def _has_unreadable_questions(backup: BackupInspection, site: SiteProfile) -> bool:
    versioned = number_of(backup.backup_version[:8]) >= _VERSIONED_QUESTIONS
    return versioned and not site.since("4.0") and backup.questions > 0


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
