"""The job that looks inside the file of a version, and what follows for the version."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from repo_service.domain.errors import InvalidFile
from repo_service.domain.identity import Identity
from repo_service.domain.inspection import glance_of
from repo_service.domain.resources import LocationState, UploadState, UploadWay
from repo_service.domain.texts import text
from repo_service.inspection.base import Progress, Source
from repo_service.inspection.limits import Limits
from repo_service.inspection.registry import inspect, parsers
from repo_service.inspection.serialise import search_text, to_json
from repo_service.models import Blob, InspectionRecord, Resource, Upload, Version
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.cleaning import ask_for_clean_copy, holds_secrets_only
from repo_service.services.copies import Copies
from repo_service.services.jobs import JobFailed, Jobs, Report
from repo_service.services.reading import inspection_of, refusal_of
from repo_service.services.releasing import settle
from repo_service.services.renditions import Renditions
from repo_service.services.replication import Replicator
from repo_service.services.stores import source_of
from storage import BlobCopies, BlobDamaged, BlobNotFound, Fault

_SYSTEM = Identity(username="system")
_UNREADABLE = ("unreadable", 0)
"""In the place of a parser and its version, for a file that none of them can read."""


class Inspector:
    """Inspects files and settles their versions."""

    def __init__(
        self,
        database: Database,
        copies: Copies,
        replicator: Replicator,
        jobs: Jobs,
        *,
        renditions: Renditions,
        limits: Limits,
    ) -> None:
        self._database = database
        self._copies = copies
        self._replicator = replicator
        self._jobs = jobs
        self._renditions = renditions
        self._parsers = parsers(limits)

    def inspect(self, version_id: str, report: Report) -> None:
        """Inspect the file of a version, keep what was found and settle the version.

        Each version's file is looked into by a job of its own, even when the same bytes were looked into
        before: nobody can tell by it what others have. A file that cannot be read is kept with the reason:
        that is an answer too. Raises JobFailed when there is no such file any more.

        Only what was looked into while this very upload was verified is not read again.
        """
        with self._database.read() as session:
            row = session.execute(
                select(Version.digest, Version.file_name).where(
                    Version.id == UUID(version_id), Version.digest.is_not(None)
                )
            ).one_or_none()
            if row is None:
                raise JobFailed(text("The file has been deleted."))
            looked = self._looked_while_verifying(session, UUID(version_id))
        record: InspectionRecord | None = None
        if not looked:
            try:
                with self._database.read() as session:
                    copies = self._copies.of(session, row.digest)
                record = self._look_at(row.digest, row.file_name, copies, report)
            except BlobNotFound as error:
                raise JobFailed(
                    text("No store has the bytes of this file: an operator must look.")
                ) from error
        with self._database.write() as session:
            blob = session.scalar(select(Blob).where(Blob.digest == row.digest).with_for_update())
            found = session.execute(
                select(Resource, Version)
                .join(Version, Version.resource_id == Resource.id)
                .where(Version.id == UUID(version_id), Version.digest.is_not(None))
                .with_for_update()
            ).one_or_none()
            if blob is None or found is None:
                raise JobFailed(text("The file was deleted meanwhile."))
            if record is not None:
                self.keep(session, blob, record)
            self._renditions.ask_after_inspection(session, row.digest)
            settle(session, _SYSTEM, found.Resource, found.Version, clean=self._clean_instead)
            if found.Version.released_at is not None:
                self._replicator.ask(session, [row.digest])

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

    def _look_at(self, digest: str, file_name: str, copies: BlobCopies, report: Report) -> InspectionRecord:
        """As ``look``, at a right copy: before a file is refused, the copy is held against its SHA-256.

        Raises BlobNotFound when no copy is right.
        """
        while True:
            copy = copies.next_copy()
            record = self.look(source_of(copies), report)
            if refusal_of(record.problem, record.kind, file_name) is None:
                return record
            if copies.next_copy() is not copy:
                continue  # it failed in the middle, and what was read of it may be to blame
            if self._copies.verify(digest, copy) is LocationState.PRESENT:
                return record
            copies.drop(copy, Fault.CORRUPT, BlobDamaged("its SHA-256 is not that of the blob"))

    def look(self, source: Source, report: Progress) -> InspectionRecord:
        """What is in the file, for ``keep``: the digest of the blob may not be known yet."""
        try:
            parser, inspection = inspect(source, name="", progress=report, parsers=self._parsers)
        except InvalidFile as error:
            problem = {"detail": error.detail, "reason": error.reason, "place": error.place}
            return InspectionRecord(
                parser=_UNREADABLE[0],
                parser_version=_UNREADABLE[1],
                kind="unreadable",
                blocking=True,
                document={},
                problem=problem,
                created_at=now(),
            )
        document = to_json(inspection)
        glance = glance_of(document)
        return InspectionRecord(
            parser=parser.name,
            parser_version=parser.version,
            kind=inspection.kind,
            format=document.get("format", ""),
            blocking=bool(inspection.blocking),
            document=document,
            glance=None if glance is None else asdict(glance),
            search_text=search_text(inspection),
            problem=None,
            created_at=now(),
        )

    def keep(self, session: Session, blob: Blob, record: InspectionRecord) -> None:
        """Record what was found in ``blob``."""
        record.digest = blob.digest
        session.merge(record)
        if record.problem is None:
            blob.media_type = record.document["media_type"]
        session.flush()

    def _clean_instead(self, session: Session, version: Version) -> bool:
        """Have a clean copy released in place of a version in which only keys stand against it."""
        if not holds_secrets_only(inspection_of(session, version).document):
            return False
        ask_for_clean_copy(session, self._jobs, version, release=True)
        return True

    def _looked_while_verifying(self, session: Session, version_id: UUID) -> bool:
        """Whether the file of a new version was looked into when it was verified, by the present parsers.

        By no other reading of the same bytes: how long an inspection takes must tell nobody what others have.
        """
        found = session.execute(
            select(InspectionRecord.parser, InspectionRecord.parser_version)
            .join(Version, Version.digest == InspectionRecord.digest)
            .join(Upload, (Upload.digest == Version.digest) & (Upload.account_id == Version.created_by))
            .where(
                Version.id == version_id,
                Version.inspected_at.is_(None),
                Upload.way == UploadWay.DIRECT.value,
                Upload.state == UploadState.USED.value,
                Upload.job_id.is_not(None),
                InspectionRecord.created_at >= Upload.created_at,
            )
        ).all()
        present = {(parser.name, parser.version) for parser in self._parsers} | {_UNREADABLE}
        return any((row.parser, row.parser_version) in present for row in found)
