"""Clean copies: a new version of a resource without what must not be shared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from repo_service.backups.archives import open_zip
from repo_service.backups.cleaning import Cleaned, clean, uncleanable
from repo_service.domain.errors import Busy, Conflict, DomainError, StorageFull, Uncleanable
from repo_service.domain.findings import KINDS, Finding, FindingClass, Subject, summarise
from repo_service.domain.identity import Identity, Role, Scope
from repo_service.domain.resources import ChangeKind, JobKind, JobState, Noun
from repo_service.domain.texts import text
from repo_service.inspection.limits import Limits
from repo_service.models import Account, Resource, Version
from repo_service.models.database import Database
from repo_service.services import uploads
from repo_service.services.copies import Copies
from repo_service.services.jobs import JobFailed, Jobs, JobWaits, Report
from repo_service.services.reading import inspection_of, newest_inspection, own_resource, version_of
from repo_service.services.records import CleaningRecord
from repo_service.services.releasing import touch
from repo_service.services.stores import source_of
from repo_service.services.trail import audit, record_change
from repo_service.services.uploads import Uploads
from repo_service.services.versions import NewVersions, note_of_clean_copy

_GROWTH = 1.25
"""A clean copy is smaller than its source, but it may be compressed less well."""
_MARGIN = 1024 * 1024


class Cleaning:
    """Use cases about clean copies. One version has one at most."""

    def __init__(
        self,
        database: Database,
        copies: Copies,
        uploads: Uploads,
        versions: NewVersions,
        jobs: Jobs,
        *,
        folder: Path,
        limits: Limits,
    ) -> None:
        """``folder`` takes what is too large for memory for a moment."""
        self._database = database
        self._copies = copies
        self._uploads = uploads
        self._versions = versions
        self._jobs = jobs
        self._folder = folder
        self._limits = limits

    def ask(
        self, identity: Identity, resource_id: UUID, number: int, *, release: bool = False
    ) -> CleaningRecord:
        """Have a clean copy of a version made; ``release`` it when nothing stands against that.

        Asked again, it says how far it is. Raises NotFound, Gone, Forbidden, NotInspected, InvalidFile,
        Conflict for what is no backup of Moodle 2 or later, Uncleanable.
        """
        with self._database.write() as session:
            resource = own_resource(session, identity, resource_id, lock=True)
            version = version_of(session, resource, number)
            copy = _clean_copy(session, version)
            if copy is None:
                obstacle = why_uncleanable(inspection_of(session, version).document)
                if obstacle is not None:
                    raise obstacle
                ask_for_clean_copy(session, self._jobs, version, release=release)
                touch(resource)
                audit(session, identity, "clean", Noun.RESOURCE, resource.id, number=number)
        return self.get(identity, resource_id, number)

    def get(self, identity: Identity, resource_id: UUID, number: int) -> CleaningRecord:
        """How far the clean copy of a version is. Raises NotFound, Gone, Forbidden."""
        with self._database.read() as session:
            resource = own_resource(session, identity, resource_id)
            version = version_of(session, resource, number)
            copy = _clean_copy(session, version)
            version_id = version.id
        job = self._jobs.find(JobKind.CLEAN, str(version_id))
        if copy is not None:
            return CleaningRecord(state=JobState.DONE, progress=1.0, reason=None, version=copy.number)
        if job is None:
            return CleaningRecord(state=None, progress=0.0, reason=None, version=None)
        return CleaningRecord(state=job.state, progress=job.progress, reason=job.reason, version=None)

    def run(self, version_id: str, report: Report) -> None:
        """The job: make the clean copy of a version, and a new version of it. Doing it twice does no harm.

        Raises JobFailed with the reason for its owner.
        """
        work = self._work(UUID(version_id))
        if work is None:
            return
        try:
            upload_id, cleaned = self._make(work, report)
            self._settle(work, upload_id, cleaned)
        except (StorageFull, Busy) as error:
            raise JobWaits(error.detail) from error
        except DomainError as error:
            self._give_up(work, error)
            raise JobFailed(error.detail) from error

    def _work(self, version_id: UUID) -> _Work | None:
        with self._database.read() as session:
            row = session.execute(
                select(Version, Account)
                .join(Resource, Resource.id == Version.resource_id)
                .join(Account, Account.id == Resource.owner_id)
                .where(Version.id == version_id, Version.digest.is_not(None))
            ).one_or_none()
            if row is None:
                raise JobFailed(text("The file has been deleted."))
            version, owner = row
            assert version.digest is not None
            if _clean_copy(session, version) is not None:
                return None
            record = newest_inspection(session, version.digest)
            if record is None or record.problem is not None:
                raise JobFailed(text("The file has not been inspected."))
            identity = Identity(
                account_id=owner.id,
                username=owner.username,
                role=Role(owner.role),
                scopes=frozenset({Scope.READ, Scope.WRITE}),
            )
            return _Work(
                identity=identity,
                version_id=version.id,
                digest=version.digest,
                file_name=version.file_name,
                document=record.document,
            )

    def _make(self, work: _Work, report: Report) -> tuple[UUID, Cleaned]:
        """An upload of the owner's with the clean copy. Raises InvalidFile, Uncleanable, as uploads do."""
        with self._database.read() as session:
            copies = self._copies.of(session, work.digest)
        room = int(copies.size * _GROWTH) + _MARGIN
        upload = self._uploads.begin(work.identity, file_name=work.file_name, size=room, overhead=room)
        try:
            source = source_of(copies)
            archive_format = work.document["archive_format"]
            with self._uploads.receive(work.identity, upload.id, exact=False) as receiver:
                cleaned = clean(
                    source,
                    archive_format=archive_format,
                    archive=open_zip(source, self._limits) if archive_format == "zip" else None,
                    write=receiver.write,
                    folder=self._folder,
                    progress=report,
                    limits=self._limits,
                )
                receiver.finish()
        except BaseException:
            self._uploads.abandon(upload.id)
            raise
        return upload.id, cleaned

    def _settle(self, work: _Work, upload_id: UUID, cleaned: Cleaned) -> None:
        """Make the upload a version, unless somebody was faster."""
        try:
            with self._database.write() as session:
                upload = uploads.take(session, work.identity, upload_id)
                source = session.get_one(Version, work.version_id)  # may be another resource's by now
                resource = own_resource(session, work.identity, source.resource_id, lock=True)
                session.refresh(source)
                if _clean_copy(session, source) is not None:
                    raise _OthersWereFaster
                version = self._versions.add(
                    session,
                    work.identity,
                    resource,
                    upload,
                    change_note=note_of_clean_copy(source.number),
                    release=source.release_requested,
                )
                version.cleaned_from = source.number
                version.cleaning = _report(cleaned)
                source.release_requested = False
                touch(resource)
                number = version.number
                audit(session, work.identity, "add clean copy", Noun.RESOURCE, resource.id, number=number)
                record_change(session, Noun.RESOURCE, resource.id, ChangeKind.UPDATED)
        except _OthersWereFaster:
            self._uploads.abandon(upload_id)
        except BaseException:
            self._uploads.abandon(upload_id)
            raise

    def _give_up(self, work: _Work, error: DomainError) -> None:
        """The owner sees why, and decides anew."""
        with self._database.write() as session:
            version = session.scalar(select(Version).where(Version.id == work.version_id).with_for_update())
            if version is not None and version.release_requested:
                version.release_requested = False
                version.release_refused = {"code": error.code, "detail": error.detail}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """The version to be cleaned, and for whom."""

    identity: Identity
    version_id: UUID
    digest: str
    file_name: str
    document: dict[str, Any]


class _OthersWereFaster(Exception):
    """Another attempt of the same job has made the version."""


def ask_for_clean_copy(session: Session, jobs: Jobs, version: Version, *, release: bool) -> None:
    """Have a clean copy of a version made after the commit, to be released when nothing stands against it."""
    version.release_requested, version.release_refused = release, None
    jobs.enqueue(session, JobKind.CLEAN, str(version.id))


def holds_secrets_only(document: dict[str, Any]) -> bool:
    """Whether all that stops a release are keys and contacts: what Moodle packs even without users.

    Such a file is cleaned without being asked. What learners left is its owner's to decide about.
    """
    blocking = [f for f in document["findings"] if f["finding_class"] == FindingClass.BLOCKING.value]
    return (
        document.get("backup_format") == "moodle2"
        and bool(blocking)
        and all(f["code"] in KINDS and KINDS[f["code"]].subject is Subject.SECRETS for f in blocking)
    )


def why_uncleanable(document: Mapping[str, Any]) -> Conflict | Uncleanable | None:
    """What stands against a clean copy of an inspected file."""
    if document.get("backup_format") != "moodle2":
        return Conflict("Only backups of Moodle 2.0 or later can be cleaned: this file is none.")
    unjudged = [
        Finding(**{**finding, "finding_class": FindingClass(finding["finding_class"])})
        for finding in document["findings"]
        if finding["code"] in KINDS and KINDS[finding["code"]].subject is Subject.UNJUDGED
    ]
    return uncleanable(unjudged) if unjudged else None


def _clean_copy(session: Session, version: Version) -> Version | None:
    return session.scalar(
        select(Version).where(
            Version.resource_id == version.resource_id, Version.cleaned_from == version.number
        )
    )


def _report(cleaned: Cleaned) -> dict[str, Any]:
    removed = summarise((finding.code, finding.count) for finding in cleaned.removed)
    return {
        "removed": [
            {"code": summary.code, "count": summary.count, "places": summary.places} for summary in removed
        ],
        "left": [
            {
                "code": finding.code,
                "place": finding.place,
                "element": finding.element,
                "count": finding.count,
                "message": finding.message,
            }
            for finding in cleaned.left
        ],
    }
