"""Will it restore there? The judgement over a backup and a site, in one sentence and in full."""

from __future__ import annotations

import enum
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from repo_service.backups import losses, prechecks
from repo_service.backups.losses import components_of
from repo_service.backups.remarks import Remark, loaded_banks
from repo_service.backups.sites import Restorer, SiteProfile, number_of
from repo_service.domain.inspection import BackupInspection
from repo_service.domain.texts import Text, counted, text

_COURSE = 50
_MOST_NAMED = 3


class Verdict(enum.StrEnum):
    """How it would end, the best first."""

    COMPLETE = "complete"
    WARNED = "warned"
    PARTIAL = "partial"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compatibility:
    """``errors`` stop Moodle, ``warnings`` are shown by it, ``losses`` it does not mention.

    ``notes`` are what cannot be told from here, and what is good to know besides.
    """

    verdict: Verdict
    sentence: str
    errors: tuple[Remark, ...]
    warnings: tuple[Remark, ...]
    losses: tuple[Remark, ...]
    notes: tuple[Remark, ...]


def judge(backup: BackupInspection, site: SiteProfile) -> Compatibility:
    """What the site would make of the backup: of a course as a new one, of anything else within a course."""
    refusals = tuple(prechecks.errors(backup, site))
    warned = tuple(prechecks.warnings(backup, site))
    lost = tuple(losses.losses(backup, site))
    if refusals:
        verdict = Verdict.REFUSED
    elif lost:
        verdict = Verdict.PARTIAL
    else:
        verdict = Verdict.WARNED if warned else Verdict.COMPLETE
    return Compatibility(
        verdict=verdict,
        sentence=_sentence(site, refusals, warned, lost),
        errors=refusals,
        warnings=warned,
        losses=lost,
        notes=tuple(_notes(backup, site)),
    )


def _sentence(
    site: SiteProfile, errors: Sequence[Remark], warnings: Sequence[Remark], lost: Sequence[Remark]
) -> Text:
    """What a teacher understands at once; the first remarks stand in it."""
    moodle = f"Moodle {site.version.release}"
    if errors:
        return text("%(moodle)s would refuse this backup. %(why)s", moodle=moodle, why=errors[0].message)
    if lost:
        named = functools.reduce(_followed, (remark.message for remark in lost[:_MOST_NAMED]))
        if more := max(0, len(lost) - _MOST_NAMED):
            named = _followed(named, counted("And %(count)s more.", "And %(count)s more.", more))
        return text("It restores on %(moodle)s, but not whole. %(losses)s", moodle=moodle, losses=named)
    if warnings:
        return text(
            "It restores on %(moodle)s, with a warning. %(warning)s",
            moodle=moodle,
            warning=warnings[0].message,
        )
    return text("It restores on %(moodle)s with everything that is in it.", moodle=moodle)


def _followed(sentence: str, by: str) -> Text:
    return text("%(first)s %(next)s", first=sentence, next=by)


def _notes(backup: BackupInspection, site: SiteProfile) -> Iterator[Remark]:
    if backup.backup_format == "moodle1":
        yield Remark(
            code="converted",
            message=text(
                "It is a backup of Moodle 1.9, which Moodle converts: look at everything afterwards."
            ),
        )
    elif backup.components is None:
        yield Remark(
            code="inspected-before",
            message=text(
                "It was inspected by an older version of this service: inspect it again to be told all."
            ),
        )
    if backup.includes_users:
        yield _people(site)
    yield from _newer_plugins(backup, site)
    yield from _hidden_modules(backup, site)
    fields = sum(n for name, n in components_of(backup).items() if name.startswith("customfield_"))
    if fields:
        yield Remark(
            code="custom-fields",
            message=text("Course fields are kept where the site has one of the same short name and type."),
            count=fields,
        )
    shared = sum(b.categories for b in loaded_banks(backup, site) if 0 < b.context_level <= _COURSE)
    if site.since("5.0") and shared:
        yield Remark(
            code="questions-move-to-activity",
            message=text("Questions of no activity get one of their own: since 5.0 they live nowhere else."),
            count=shared,
        )


def _people(site: SiteProfile) -> Remark:
    """``restore_check::check_security()``, ``restore_dbops::precheck_included_users()``."""
    if site.restorer is Restorer.TEACHER:
        return Remark(
            code="people-left-out",
            message=text(
                "It holds people and what they did, which teachers may not restore: that is left out."
            ),
        )
    return Remark(
        code="people",
        message=text(
            "It holds people: Moodle refuses them where the site knows the same user name, such as admin, "
            "with another e-mail address."
        ),
        moodle_string="core/restoreuserconflict",
    )


def _newer_plugins(backup: BackupInspection, site: SiteProfile) -> Iterator[Remark]:
    for plugin in backup.plugins:
        there = site.plugins.get(plugin.component)
        if plugin.version and there and number_of(plugin.version) > number_of(there):
            yield Remark(
                code="newer-plugin",
                message=text(
                    "It was made with a newer version of %(plugin)s than the site's.", plugin=plugin.component
                ),
                component=plugin.component,
                count=plugin.uses,
            )


def _hidden_modules(backup: BackupInspection, site: SiteProfile) -> Iterator[Remark]:
    for component, count in components_of(backup).items():
        if site.has(component) and site.may_hide(component):
            yield Remark(
                code="may-be-disabled",
                message=text(
                    "A new site has %(plugin)s switched off: nobody sees those until it is on.",
                    plugin=component,
                ),
                component=component,
                count=count,
            )
