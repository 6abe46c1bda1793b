"""Moodle's own pre-check of a restore, told from the description of the backup.

It follows ``restore_prechecks_helper::execute_prechecks()`` (backup/util/helper) and what that calls in
``restore_dbops`` (backup/util/dbops), the same in Moodle 4.2.3 and 4.5.6. What depends on the people of the
site is left to the notes (``compatibility.py``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from repo_service.backups.remarks import Remark, loaded_banks
from repo_service.backups.sites import Restorer, SiteProfile, number_of
from repo_service.domain.inspection import BackupInspection, RoleUse
from repo_service.domain.texts import text
from repo_service.inspection.moodle.names import is_restorable

_FIRST_BACKUP = 2010072300
"""``$min20version`` of execute_prechecks()."""
_ONE_TOP_CATEGORY = 2018051700
"""Since 3.5 a question bank has one top category."""
_SYSTEM, _COURSE_CATEGORY = 10, 40


def errors(backup: BackupInspection, site: SiteProfile) -> Iterator[Remark]:
    """What makes Moodle refuse it. Backups of Moodle 1 are written anew by its converter first."""
    if backup.backup_format == "moodle1":
        return
    yield from _wrong_names(backup)
    if number_of(backup.backup_version) < _FIRST_BACKUP:
        yield Remark(
            code="backup-too-old",
            message=text("It was made with a development version of Moodle's backup, before 2.0."),
            moodle_string="backup/errorminbackup20version",
        )
    if backup.kind == "course" and backup.course_format == "site" and site.since("2.9"):
        yield Remark(
            code="front-page",
            message=text("It is the backup of a site's home page, which restores onto a home page only."),
            moodle_string="backup/errorrestorefrontpagebackup",
        )
    yield from _several_tops(backup, site)


def warnings(backup: BackupInspection, site: SiteProfile) -> Iterator[Remark]:
    """What Moodle shows before it goes on."""
    if backup.backup_format == "moodle1":
        return
    if number_of(backup.moodle_version) > site.version.number:
        yield Remark(
            code="newer-than-site",
            message=text(
                "It was made with a newer Moodle (%(release)s) than the site's.",
                release=_short(backup.moodle_release),
            ),
            moodle_string="core/noticenewerbackup",
        )
    if backup.remote_users and backup.includes_users and site.restorer is Restorer.MANAGER:
        yield Remark(
            code="remote-users",
            message=text("It holds people of a Moodle network, who become people of the site."),
            moodle_string="admin/mnetrestore_extusers_admin",
        )
    yield from _roles_without_match(backup, site)
    yield from _moved_categories(backup, site)


def _wrong_names(backup: BackupInspection) -> Iterator[Remark]:
    """The names become settings of the restore, and those take only text that cleaning leaves as it is.

    Moodle dies of it even before its pre-check: ``base_setting::validate_value()`` (backup/util/settings).
    """
    if backup.kind != "course":
        return
    for name in dict.fromkeys((backup.fullname, backup.shortname)):
        if not is_restorable(name):
            yield Remark(
                code="name-with-tags",
                message=text(
                    "The course is called “%(name)s”: Moodle restores none with tags in its name.",
                    name=name[:80],
                ),
                name=name,
                moodle_string="error/setting_invalid_text",
            )


def _several_tops(backup: BackupInspection, site: SiteProfile) -> Iterator[Remark]:
    """Step 8 of ``prechek_precheck_qbanks_by_level()``."""
    if not site.since("3.5") or number_of(backup.backup_version) < _ONE_TOP_CATEGORY:
        return
    tops: Counter[int] = Counter()
    for bank in loaded_banks(backup, site):
        tops[bank.context_id] += bank.top_categories
    for context_id, count in tops.items():
        if count > 1:
            yield Remark(
                code="several-top-categories",
                message=text(
                    "A question bank in it has several top categories, which Moodle takes for damage."
                ),
                name=str(context_id),
                count=count,
                moodle_string="question/restoremultipletopcats",
            )


def _roles_without_match(backup: BackupInspection, site: SiteProfile) -> Iterator[Remark]:
    """``get_best_assignable_role()``: by short name, by archetype, and an editing teacher is a teacher."""
    shortnames = {role.shortname for role in site.assignable}
    archetypes = {role.archetype for role in site.assignable}

    def matches(role: RoleUse) -> bool:
        teaches = role.shortname == "editingteacher" and "teacher" in shortnames
        return role.shortname in shortnames or role.archetype in archetypes or teaches

    for role in backup.roles:
        if not matches(role):
            yield Remark(
                code="role-without-match",
                message=text(
                    "The role “%(name)s” is none that may be given there.", name=role.name or role.shortname
                ),
                name=role.shortname,
                moodle_string="backup/cannotfindassignablerole",
            )


def _moved_categories(backup: BackupInspection, site: SiteProfile) -> Iterator[Remark]:
    """``prechek_precheck_qbanks_by_level()``: question banks of a course category are not found on another
    site, and those of the whole site may be written by managers only: both become the course's.

    Since 5.0 questions live in activities, and this is said otherwise (see the notes).
    """
    if site.since("5.0"):
        return
    for bank in loaded_banks(backup, site):
        closed = bank.context_level == _SYSTEM and site.restorer is not Restorer.MANAGER
        if bank.context_level == _COURSE_CATEGORY or closed:
            yield Remark(
                code="questions-move-to-course",
                message=text(
                    "Question categories shared beyond the course (%(names)s) become the course's.",
                    names=", ".join(bank.names[:3]),
                ),
                name=", ".join(bank.names),
                count=bank.categories,
                moodle_string="backup/qcategory2coursefallback",
            )


def _short(release: str) -> str:
    return release.partition(" ")[0] or "?"
