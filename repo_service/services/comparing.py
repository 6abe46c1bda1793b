"""What the versions of a resource hold: whether their licences go together, and what changed in them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from repo_service.backups.changes import Changes, changes
from repo_service.backups.file_licences import rows_of
from repo_service.backups.licence_report import (
    FileRow,
    LicenceReport,
    licence_report,
    page_of_rows,
    report_on,
)
from repo_service.backups.licences import Licence, from_code
from repo_service.domain.errors import Conflict, NotFound
from repo_service.domain.identity import Identity
from repo_service.domain.inspection import FileInspection
from repo_service.domain.texts import text
from repo_service.inspection.serialise import from_json
from repo_service.models import Version
from repo_service.models.database import Database
from repo_service.services.contents import BackupContents, Whole
from repo_service.services.paging import decode_int, encode_cursor
from repo_service.services.reading import inspection_of, readable_version, sees_all, visible
from repo_service.services.records import Author, Page


@dataclass(frozen=True, slots=True, kw_only=True)
class LicencesRecord:
    """``own`` is the licence that the owner gave the resource, ``authors`` are whom they named."""

    own: Licence | None
    authors: tuple[Author, ...]
    report: LicenceReport
    files: Page[FileRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesRecord:
    """What changed from one version to another."""

    since: int
    version: int
    changes: Changes


class Comparing:
    """Use cases that look at what backups hold. Everybody may who may read the version."""

    def __init__(self, database: Database, contents: BackupContents) -> None:
        self._database = database
        self._contents = contents

    def licences(
        self, identity: Identity, resource_id: UUID, number: int, *, limit: int, cursor: str | None
    ) -> LicencesRecord:
        """The licences in a version's file, and a page of its files.

        Of a file that is no backup those are the file itself and what says its own licence within it.

        Raises NotFound, Gone, NotInspected, InvalidFile, InvalidCursor, NotIndexed, Conflict for a backup of
        Moodle 1.9.
        """
        skip = 0 if cursor is None else decode_int(cursor)
        with self._database.read() as session:
            version = readable_version(session, identity, resource_id, number)
            inspected = _file_of(session, version)
            whole = None if inspected is not None else _whole(session, version)
            file_name = version.file_name
            resource = version.resource
            own = None if resource.licence is None else from_code(resource.licence)
            authors = tuple(Author(**author) for author in resource.authors)
        if whole is not None:
            with self._contents.open(whole) as (contents,):
                rows = page_of_rows(contents, skip=skip, limit=limit + 1)
                report = licence_report(contents, own)
        elif inspected is not None:
            every = [*rows_of(inspected, name=file_name)]
            rows, report = every[skip : skip + limit + 1], report_on(every, own)
        following = encode_cursor(skip + limit) if len(rows) > limit else None
        return LicencesRecord(
            own=own, authors=authors, report=report, files=Page(tuple(rows[:limit]), following)
        )

    def changes(
        self, identity: Identity, resource_id: UUID, number: int, *, since: int | None
    ) -> ChangesRecord:
        """What changed since another version, or since the last one before that the asker may read.

        Raises NotFound, Gone, NotInspected, InvalidFile, NotIndexed, Conflict for what is no backup of Moodle
        2 or later.
        """
        with self._database.read() as session:
            version = readable_version(session, identity, resource_id, number)
            if since is None:
                since = _number_before(session, identity, resource_id, number)
            earlier = readable_version(session, identity, resource_id, since)
            before, after = _whole(session, earlier), _whole(session, version)
        with self._contents.open(before, after) as (one, other):
            found = changes(one, other, folder=self._contents.folder)
        return ChangesRecord(since=since, version=number, changes=found)


def _file_of(session: Session, version: Version) -> FileInspection | None:
    """What was found in a file that is no backup; None for a backup, and once the file is deleted."""
    if version.digest is None:
        return None
    inspected = from_json(inspection_of(session, version).document)
    return inspected if isinstance(inspected, FileInspection) else None


def _whole(session: Session, version: Version) -> Whole:
    """Of a version whose file can be looked into."""
    if version.digest is None:
        raise NotFound(text("The file of version %(number)s has been deleted.", number=version.number))
    record = inspection_of(session, version)
    if record.document.get("backup_format") != "moodle2":
        raise Conflict(
            text(
                "Only backups of Moodle 2.0 or later can be looked into: version %(number)s is none.",
                number=version.number,
            )
        )
    return Whole(version.digest, version.created_at)


def _number_before(session: Session, identity: Identity, resource_id: UUID, number: int) -> int:
    resource = visible(session, identity, resource_id)
    query = select(Version.number).where(
        Version.resource_id == resource_id, Version.number < number, Version.digest.is_not(None)
    )
    if not sees_all(identity, resource.owner_id):
        query = query.where(Version.released_at.is_not(None))
    found = session.scalar(query.order_by(Version.number.desc()).limit(1))
    if found is None:
        raise NotFound(text("There is no version before version %(number)s.", number=number))
    return found
