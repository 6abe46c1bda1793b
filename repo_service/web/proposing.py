"""What the files in a backup say of it as a whole: proposals for the form that asks for it, no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from repo_service.backups.licence_report import LicenceReport
from repo_service.backups.licences import LicenceKind
from repo_service.domain.errors import Conflict, InvalidFile, NotIndexed, NotInspected
from repo_service.domain.vocabularies import LICENCES, vocabulary
from repo_service.http.context import identity, services
from repo_service.services.records import ResourceRecord, VersionRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposals:
    """``licence`` is the code of the one that all files have, empty where they have several or none;
    ``authors`` are whom they name, the most frequent first."""

    licence: str = ""
    authors: Sequence[str] = ()


def proposals_of(record: ResourceRecord, version: VersionRecord) -> Proposals | NotIndexed:
    """Proposals for what nobody has said of ``record`` yet.

    NotIndexed where they are known in a moment: it is worth waiting for, since who answered a form that asks
    for them does not look there again.
    """
    if record.licence is not None and record.authors:
        return Proposals()
    try:
        found = services().comparing.licences(identity(), record.id, version.number, limit=1, cursor=None)
    except NotIndexed as error:
        return error
    except (Conflict, InvalidFile, NotInspected):
        return Proposals()
    return Proposals(
        licence=_only_licence(found.report) if record.licence is None else "",
        authors=() if record.authors else found.report.authors,
    )


def _only_licence(report: LicenceReport) -> str:
    used = [use.licence for use in report.used]
    if len(used) != 1 or used[0].kind is not LicenceKind.LICENSED:
        return ""
    return used[0].code if used[0].code in vocabulary(LICENCES) else ""
