"""What would be missing after a restore. Moodle passes over what the site lacks without a word.

Each rule names the code of Moodle 4.5 that it follows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from repo_service.backups.remarks import Remark, all_activities, loaded_banks
from repo_service.backups.sites import Restorer, SiteProfile, number_of
from repo_service.domain.inspection import BackupInspection
from repo_service.domain.texts import Text, counted, text
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
                message=_loss(rule, component, count, backup, site),
                component=component,
                count=count,
            )
        elif site.disabled is not None and component in site.disabled and kind == "mod":
            yield Remark(
                code="disabled-module",
                message=counted(
                    "%(subject)s would stay unseen: it is switched off.",
                    "%(subject)s would stay unseen: it is switched off.",
                    count,
                    subject=rule.concerned(component, count),
                ),
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


Subject = Callable[[str, int], Text]
"""What is concerned: the name of the plugin without its type, and how many uses of it."""
Fate = Callable[[Text, int], Text]
"""What becomes of a subject, and of how many."""


def _missing(subject: Text, count: int) -> Text:
    return counted("%(subject)s would be missing", "%(subject)s would be missing", count, subject=subject)


def _useless(subject: Text, count: int) -> Text:
    return counted("%(subject)s would not work", "%(subject)s would not work", count, subject=subject)


def _replaced(subject: Text, count: int) -> Text:
    return counted(
        "%(subject)s would give way to the site's own",
        "%(subject)s would give way to the site's own",
        count,
        subject=subject,
    )


def _lifted(subject: Text, count: int) -> Text:
    return counted(
        "%(subject)s would no longer hold", "%(subject)s would no longer hold", count, subject=subject
    )


@dataclass(frozen=True, slots=True)
class _Rule:
    """What becomes of the uses of a plugin that the site lacks."""

    code: str
    subject: Subject
    fate: Fate = _missing

    def concerned(self, component: str, count: int) -> Text:
        """The subject, by the name of a component."""
        return self.subject(component.partition("_")[2], count)


_RULES = {
    # Planned only where plugin_supports() says so: build_section_plan(), restore_plan_builder.class.php.
    "mod": _Rule(
        "missing-module",
        lambda name, count: counted(
            "An activity “%(name)s”", "%(count)s activities “%(name)s”", count, name=name
        ),
    ),
    # The rows come without what the plugin adds, and are shown as of the type missingtype.
    "qtype": _Rule(
        "missing-question-type",
        lambda name, count: counted(
            "A question of type “%(name)s”", "%(count)s questions of type “%(name)s”", count, name=name
        ),
        _useless,
    ),
    # backup_general_helper::get_blocks_from_path().
    "block": _Rule(
        "missing-block",
        lambda name, count: counted("A block “%(name)s”", "%(count)s blocks “%(name)s”", count, name=name),
    ),
    # The name is kept, and the site's default format shows the course: get_format_or_default(),
    # course/format/classes/base.php.
    "format": _Rule(
        "missing-format",
        lambda name, count: counted(
            "The course format “%(name)s”", "%(count)s course formats “%(name)s”", count, name=name
        ),
        _replaced,
    ),
    # Conditions of an unknown type are passed over: core_availability\tree::__construct(), when lax.
    "availability": _Rule(
        "missing-restriction",
        lambda name, count: counted(
            "An access restriction “%(name)s”", "%(count)s access restrictions “%(name)s”", count, name=name
        ),
        _lifted,
    ),
    # course_handler::restore_instance_data_from_backup() wants a field of the same short name and type.
    "customfield": _Rule(
        "missing-custom-field",
        lambda name, count: counted(
            "A course field of type “%(name)s”",
            "%(count)s course fields of type “%(name)s”",
            count,
            name=name,
        ),
    ),
    # restore_filters_structure_step asks filter_is_enabled().
    "filter": _Rule(
        "missing-filter",
        lambda name, count: counted(
            "A setting of the filter “%(name)s”",
            "%(count)s settings of the filter “%(name)s”",
            count,
            name=name,
        ),
    ),
    # restore_enrolments_structure_step::process_enrol().
    "enrol": _Rule(
        "missing-enrolment",
        lambda name, count: counted(
            "A way of enrolment “%(name)s”", "%(count)s ways of enrolment “%(name)s”", count, name=name
        ),
    ),
    # The definition comes without its form: restore_activity_grading_structure_step.
    "gradingform": _Rule(
        "missing-grading-form",
        lambda name, count: counted(
            "A grading form “%(name)s”", "%(count)s grading forms “%(name)s”", count, name=name
        ),
    ),
    "contenttype": _Rule(
        "missing-content-type",
        lambda name, count: counted(
            "A thing in the content bank of type “%(name)s”",
            "%(count)s things in the content bank of type “%(name)s”",
            count,
            name=name,
        ),
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


def _loss(rule: _Rule, component: str, count: int, backup: BackupInspection, site: SiteProfile) -> Text:
    since, until = life_of(component)
    loss = rule.fate(rule.concerned(component, count), count)
    if component == _SUBSECTION and _knows_no_subsections(backup, site):
        return text("%(loss)s: what is inside of it stays, in a section of its own.", loss=loss)
    if until is not None and site.since(until):
        return text("%(loss)s: Moodle had it up to %(release)s.", loss=loss, release=until)
    if since is not None and not site.since(since):
        return text("%(loss)s: Moodle has it since %(release)s.", loss=loss, release=since)
    return text("%(loss)s.", loss=loss)


def _inside_subsections(backup: BackupInspection, site: SiteProfile) -> Iterator[Remark]:
    """A section that an activity holds is planned together with it: ``build_delegated_section_plan()``."""
    if site.has(_SUBSECTION) or _knows_no_subsections(backup, site):
        return
    holders = (a for a in all_activities(backup.outline) if a.module == "subsection")
    inside = sum(1 for holder in holders for _ in all_activities(holder.sections))
    if inside:
        yield Remark(
            code="inside-subsections",
            message=counted(
                "%(count)s activity inside of subsections would be missing.",
                "%(count)s activities inside of subsections would be missing.",
                inside,
            ),
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
            message=counted(
                "%(count)s question would be missing: "
                "Moodle before 4.0 cannot read questions that have versions.",
                "%(count)s questions would be missing: "
                "Moodle before 4.0 cannot read questions that have versions.",
                backup.questions,
            ),
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
            message=counted(
                "%(count)s question would be missing together with what uses them.",
                "%(count)s questions would be missing together with what uses them.",
                count,
            ),
            component="core_question",
            count=count,
        )


def _has_unreadable_questions(backup: BackupInspection, site: SiteProfile) -> bool:
    versioned = number_of(backup.backup_version[:8]) >= _VERSIONED_QUESTIONS
    return versioned and not site.since("4.0") and backup.questions > 0
