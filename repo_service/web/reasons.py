"""What reasons of reports are called."""

from __future__ import annotations

from collections.abc import Mapping

from repo_service.domain.reports import ReportReason
from repo_service.domain.texts import text

REASONS: Mapping[ReportReason, str] = {
    ReportReason.RIGHTS: text("It belongs to somebody who did not agree"),
    ReportReason.PERSONAL_DATA: text("It holds personal data"),
    ReportReason.DESCRIPTION: text("Its licence or description is wrong"),
    ReportReason.HARMFUL: text("It is harmful or against the law"),
    ReportReason.BROKEN: text("It does not work"),
    ReportReason.OTHER: text("Something else"),
}
