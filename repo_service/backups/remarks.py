"""What there is to say about a backup and a site, one thing at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from repo_service.backups.sites import SiteProfile
from repo_service.domain.inspection import Activity, BackupInspection, QuestionBank, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing to know. ``code`` is for software, ``message`` for people.

    ``component`` is the plugin concerned, or empty; ``name`` what it is called in the backup (a category, a
    role); ``count`` how often. ``moodle_string`` is the string of Moodle's that says the same, or empty.
    """

    code: str
    message: str
    component: str = ""
    name: str = ""
    count: int = 1
    moodle_string: str = ""


def loaded_banks(backup: BackupInspection, site: SiteProfile) -> Iterator[QuestionBank]:
    """The question banks that a part refers to which the site can restore: no others are read.

    ``restore_dbops::get_included_tasks()`` and ``restore_questions_parser_processor::dispatch_chunk()``.
    """
    for bank in backup.question_banks:
        if any(part == "course" or site.has(part) for part in bank.needed_by):
            yield bank


def all_activities(sections: Iterable[Section]) -> Iterator[Activity]:
    """Those of the sections, and those of the sections that they hold."""
    for section in sections:
        for activity in section.activities:
            yield activity
            yield from all_activities(activity.sections)
