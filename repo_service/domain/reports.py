"""Words about reports: what people say is wrong with a resource, and what a moderator makes of it."""

from __future__ import annotations

import enum


class ReportReason(enum.StrEnum):
    """What somebody says is wrong with a resource."""

    RIGHTS = "rights"
    PERSONAL_DATA = "personal-data"
    DESCRIPTION = "description"
    HARMFUL = "harmful"
    BROKEN = "broken"
    OTHER = "other"


class Decision(enum.StrEnum):
    """What became of a report: the resource was hidden from everybody, or left as it is."""

    HIDDEN = "hidden"
    DISMISSED = "dismissed"
