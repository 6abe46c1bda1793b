"""What a parser finds in a blob: plain values, the same for the database, the API and the command line.

Field names follow Moodle's own (``moodle_backup.xml``, written by ``backup/moodle2/backup_stepslib.php``)
where Moodle has a name for the thing.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class FindingClass(enum.StrEnum):
    """Why a finding matters; only BLOCKING stops a release."""

    BLOCKING = "blocking"
    ATTRIBUTION = "attribution"
    TECHNICAL = "technical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something in a blob that matters before it is shared."""

    code: str
    finding_class: FindingClass
    place: str
    count: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionWarning:
    """Something odd that did not stop the inspection. ``place`` is a path within the file, or empty."""

    code: str
    message: str
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What any file tells: its kind, media type and size in bytes."""

    kind: str
    media_type: str
    size: int
    findings: tuple[Finding, ...] = ()
    warnings: tuple[InspectionWarning, ...] = ()

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """The findings that stop a release."""
        return tuple(f for f in self.findings if f.finding_class is FindingClass.BLOCKING)
