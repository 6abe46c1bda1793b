"""Whether a version's file will restore on a site."""

from __future__ import annotations

from uuid import UUID

from repo_service.backups.compatibility import Compatibility, judge
from repo_service.backups.sites import SiteProfile
from repo_service.domain.errors import NotABackup
from repo_service.domain.identity import Identity
from repo_service.domain.inspection import BackupInspection
from repo_service.inspection.serialise import from_json
from repo_service.models.database import Database
from repo_service.services.reading import inspection_of, readable_version


class Judge:
    """Holds the inspections of versions against sites."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def judge(
        self, identity: Identity, resource_id: UUID, number: int, *, site: SiteProfile
    ) -> Compatibility:
        """What the site would make of it. Raises NotFound, Gone, NotInspected, InvalidFile, NotABackup."""
        with self._database.read() as session:
            version = readable_version(session, identity, resource_id, number)
            inspection = from_json(inspection_of(session, version).document)
        if not isinstance(inspection, BackupInspection):
            raise NotABackup(kind=inspection.kind)
        return judge(inspection, site)
