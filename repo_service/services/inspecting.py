"""The job that looks inside a blob, and what follows for the versions that hold it."""

from __future__ import annotations

from sqlalchemy import select

from repo_service.domain.errors import InvalidFile
from repo_service.domain.identity import Identity
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
    """Inspects blobs and settles their versions."""

    def __init__(self, database: Database, stores: Stores) -> None:
        self._database = database
        self._stores = stores

    def inspect(self, digest: str, report: Report) -> None:
        """Inspect the blob and keep what was found. Doing it again replaces the answer of the same parser.

        A file that cannot be read is kept with the reason: that is an answer too. Raises JobFailed when there
        is no such blob any more.
        """
        with self._database.read() as session:
            blob = session.get(Blob, digest)
            if blob is None:
                raise JobFailed("The file has been deleted.")
            size = blob.size
            name = session.scalar(select(Version.file_name).where(Version.digest == digest).limit(1)) or ""
            try:
                store, locator = self._stores.locate(session, digest)
            except BlobNotFound as error:
                raise JobFailed("No store has the bytes of this file: an operator must look.") from error
        record = self._look(digest, blob_source(store, locator, size), name, report)
        with self._database.write() as session:
            blob = session.scalar(select(Blob).where(Blob.digest == digest).with_for_update())
            if blob is None:
                raise JobFailed("The file was deleted meanwhile.")
            session.merge(record)
            if record.problem is None:
                blob.media_type = record.document["media_type"]
            session.flush()
            rows = session.execute(
                select(Resource, Version)
                .join(Version, Version.resource_id == Resource.id)
                .where(Version.digest == digest)
                .order_by(Resource.id)
                .with_for_update()
            ).all()
            for resource, version in rows:
                settle(session, _SYSTEM, resource, version)

    def outdated(self) -> list[str]:
        """Digests of the blobs that no present version of a parser has inspected."""
        present = {(parser.name, parser.version) for parser in parsers()}
        with self._database.read() as session:
            rows = session.execute(
                select(Blob.digest, InspectionRecord.parser, InspectionRecord.parser_version).outerjoin(
                    InspectionRecord, InspectionRecord.digest == Blob.digest
                )
            ).all()
        current = {row.digest for row in rows if (row.parser, row.parser_version) in present}
        return sorted({row.digest for row in rows} - current)

    def _look(self, digest: str, source: RangeSource, name: str, report: Report) -> InspectionRecord:
        try:
            parser, inspection = inspect(source, name=name, progress=report)
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
