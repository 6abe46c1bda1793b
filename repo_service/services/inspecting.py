"""The job that looks inside the file of a version, and what follows for the version."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from sqlalchemy import select

from repo_service.domain.errors import InvalidFile
from repo_service.domain.identity import Identity
from repo_service.inspection.limits import LIMITS
from repo_service.inspection.registry import inspect, parsers
from repo_service.inspection.serialise import search_text, to_json
from repo_service.inspection.sources import RangeSource
from repo_service.models import Blob, InspectionRecord, Resource, Version
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.jobs import JobFailed, Report
from repo_service.services.releasing import settle
from repo_service.services.stores import Stores, blob_source
from storage import BlobNotFound

_SYSTEM = Identity(username="system")


class Inspector:
    """Inspects files and settles their versions."""

    def __init__(self, database: Database, stores: Stores, *, max_inflated: int) -> None:
        """``max_inflated``: most bytes that are inflated from one archive."""
        self._database = database
        self._stores = stores
        self._parsers = parsers(replace(LIMITS, max_inflated=max_inflated))

    def inspect(self, version_id: str, report: Report) -> None:
        """Inspect the file of a version, keep what was found and settle the version.

        Each version's file is looked into by a job of its own, even when the same bytes were looked into
        before: nobody can tell by it what others have. A file that cannot be read is kept with the reason:
        that is an answer too. Raises JobFailed when there is no such file any more.
        """
        with self._database.read() as session:
            row = session.execute(
                select(Blob.digest, Blob.size)
                .join(Version, Version.digest == Blob.digest)
                .where(Version.id == UUID(version_id))
            ).one_or_none()
            if row is None:
                raise JobFailed("The file has been deleted.")
        try:
            with self._database.read() as session:
                store, locator = self._stores.locate(session, row.digest)
            record = self._look(row.digest, blob_source(store, locator, row.size), report)
        except BlobNotFound as error:
            raise JobFailed("No store has the bytes of this file: an operator must look.") from error
        with self._database.write() as session:
            blob = session.scalar(select(Blob).where(Blob.digest == row.digest).with_for_update())
            found = session.execute(
                select(Resource, Version)
                .join(Version, Version.resource_id == Resource.id)
                .where(Version.id == UUID(version_id), Version.digest.is_not(None))
                .with_for_update()
            ).one_or_none()
            if blob is None or found is None:
                raise JobFailed("The file was deleted meanwhile.")
            session.merge(record)
            if record.problem is None:
                blob.media_type = record.document["media_type"]
            session.flush()
            settle(session, _SYSTEM, found.Resource, found.Version)

    def outdated(self) -> list[str]:
        """Ids of the versions whose file no present version of a parser has inspected."""
        present = {(parser.name, parser.version) for parser in self._parsers}
        with self._database.read() as session:
            rows = session.execute(
                select(Version.id, InspectionRecord.parser, InspectionRecord.parser_version)
                .outerjoin(InspectionRecord, InspectionRecord.digest == Version.digest)
                .where(Version.digest.is_not(None))
            ).all()
        current = {row.id for row in rows if (row.parser, row.parser_version) in present}
        return [str(version_id) for version_id in sorted({row.id for row in rows} - current)]

    def _look(self, digest: str, source: RangeSource, report: Report) -> InspectionRecord:
        try:
            parser, inspection = inspect(source, name="", progress=report, parsers=self._parsers)
        except InvalidFile as error:
            problem = {"detail": error.detail, "reason": error.reason, "place": error.place}
            return InspectionRecord(
                digest=digest,
                parser="unreadable",
                parser_version=0,
                kind="unreadable",
                blocking=True,
                document={},
                problem=problem,
                created_at=now(),
            )
        return InspectionRecord(
            digest=digest,
            parser=parser.name,
            parser_version=parser.version,
            kind=inspection.kind,
            blocking=bool(inspection.blocking),
            document=to_json(inspection),
            search_text=search_text(inspection),
            problem=None,
            created_at=now(),
        )
