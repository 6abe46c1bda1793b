"""Reading the catalogue: what each asker may see, and the records made of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, bindparam, select
from sqlalchemy.orm import Session

from repo_service.domain.errors import Forbidden, Gone, InvalidFile, NotFound, NotInspected
from repo_service.domain.identity import Identity, Scope
from repo_service.domain.inspection import Glance
from repo_service.domain.resources import LocationState, RenditionKind, Visibility
from repo_service.models import (
    Account,
    Blob,
    BlobLocation,
    InspectionRecord,
    Job,
    Rendition,
    Resource,
    Version,
)
from repo_service.services.accounts import require_account
from repo_service.services.jobs import processing_of
from repo_service.services.records import Author, CopyRecord, ResourceRecord, VersionRecord, name_of

_Row = Row[*tuple[Any, ...]]

Reader = Session | Connection
"""Where rows are read: a session that may hold changes of its own, or a bare connection, which is quicker."""

# Put together once: building a statement takes longer than SQLite takes to answer it.
_RESOURCES = select(
    *(getattr(Resource, column.key) for column in Resource.__mapper__.column_attrs),
    Account.username.label("owner"),
    Account.display_name.label("owner_name"),
    Account.erased_at.label("owner_left_at"),
).join(Account, Account.id == Resource.owner_id)
_RESOURCE = _RESOURCES.where(Resource.id == bindparam("id"))
_RESOURCES_OF = _RESOURCES.where(Resource.id.in_(bindparam("ids", expanding=True)))
_THUMBNAIL = (
    select(Rendition.digest)
    .where(
        Rendition.source_digest == Version.digest,
        Rendition.kind == RenditionKind.THUMBNAIL.value,
        # One that was there before was made for somebody else's file.
        Rendition.created_at >= Version.created_at,
    )
    .correlate(Version)
    .scalar_subquery()
    .label("thumbnail")
)
_VERSIONS_OF = (
    select(
        *(getattr(Version, column.key) for column in Version.__mapper__.column_attrs),
        Blob.size,
        Blob.media_type,
        InspectionRecord.kind,
        InspectionRecord.format,
        InspectionRecord.problem,
        InspectionRecord.glance,
        _THUMBNAIL,
        Job.state,
        Job.progress,
        Job.attempts,
        Job.reason,
    )
    .outerjoin(Blob, Blob.digest == Version.digest)
    .outerjoin(InspectionRecord, InspectionRecord.digest == Version.digest)
    .outerjoin(Job, Job.id == Version.job_id)
    .where(Version.resource_id.in_(bindparam("ids", expanding=True)))
    .order_by(Version.number.desc(), InspectionRecord.created_at.desc())
)
_VERSIONS_WITH_COPIES_OF = _VERSIONS_OF.add_columns(
    InspectionRecord.created_at.label("inspection_made_at"),
    BlobLocation.store,
    BlobLocation.locator,
    BlobLocation.state.label("copy_state"),
    BlobLocation.verified_at,
).outerjoin(BlobLocation, BlobLocation.digest == Version.digest)


def sees_all(identity: Identity, owner_id: UUID) -> bool:
    """Whether the asker sees drafts of this owner: their own, or any as a moderator."""
    if identity.account_id == owner_id:
        return identity.has(Scope.READ)
    return identity.has(Scope.MODERATE)


def visible(session: Session, identity: Identity, resource_id: UUID) -> Resource:
    """The resource, if the asker may see it. Raises NotFound, Gone."""
    resource = session.get(Resource, resource_id)
    if resource is None:
        raise NotFound
    _require_visible(resource, identity)
    return resource


def _require_visible(resource: Resource | _Row, identity: Identity) -> None:
    if resource.visibility == Visibility.DRAFT.value and not sees_all(identity, resource.owner_id):
        raise NotFound
    if resource.visibility == Visibility.WITHDRAWN.value:
        if not (sees_all(identity, resource.owner_id) or resource.released_at):
            raise NotFound
        raise gone(resource)


def own_resource(
    session: Session,
    identity: Identity,
    resource_id: UUID,
    *,
    lock: bool = False,
    moderate: bool = False,
    withdrawn: bool = False,
) -> Resource:
    """The asker's own resource; ``moderate``: or any for a moderator; ``withdrawn``: even a withdrawn one."""
    account_id = require_account(identity, Scope.WRITE)
    query = select(Resource).where(Resource.id == resource_id)
    resource = session.scalar(query.with_for_update() if lock else query)
    if resource is None:
        raise NotFound
    if resource.owner_id != account_id and not (moderate and identity.has(Scope.MODERATE)):
        visible(session, identity, resource_id)
        raise Forbidden("This resource belongs to somebody else.")
    if resource.visibility == Visibility.WITHDRAWN.value and not withdrawn:
        raise gone(resource)
    return resource


def gone(resource: Resource | _Row) -> Gone:
    """The error that tells why a withdrawn resource is not here."""
    assert resource.withdrawn_at is not None
    return Gone(
        "This resource was withdrawn.",
        reason=resource.withdrawn_reason or "",
        withdrawn_at=resource.withdrawn_at,
    )


def version_of(session: Session, resource: Resource, number: int) -> Version:
    """The version of that number. Raises NotFound."""
    version = session.scalar(
        select(Version).where(Version.resource_id == resource.id, Version.number == number)
    )
    if version is None:
        raise NotFound("This resource has no such version.")
    return version


def readable_version(session: Session, identity: Identity, resource_id: UUID, number: int) -> Version:
    """The version, if the asker may read it: a released one, or their own. Raises NotFound, Gone."""
    resource = visible(session, identity, resource_id)
    version = version_of(session, resource, number)
    if version.released_at is None and not sees_all(identity, resource.owner_id):
        raise NotFound("This resource has no such version.")
    return version


def inspection_of(session: Session, version: Version) -> InspectionRecord:
    """What was found in the file of a version.

    Raises NotInspected until the version's own job is done, InvalidFile for a file that cannot be read or is
    not what its name says.
    """
    record = None if version.inspected_at is None else newest_inspection(session, version.digest)
    if record is None:
        job = None if version.job_id is None else session.get(Job, version.job_id)
        raise NotInspected(
            "The file is still being inspected: ask again in a few seconds.",
            state=processing_of(job, inspected=False, unreadable=None).state.value,
        )
    refusal = refusal_of(record.problem, record.kind, version.file_name)
    if refusal is not None:
        raise InvalidFile(refusal["detail"], reason=refusal["reason"], place=refusal.get("place", ""))
    return record


def newest_inspection(session: Session, digest: str | None) -> InspectionRecord | None:
    """The newest inspection of a blob."""
    return session.scalar(
        select(InspectionRecord)
        .where(InspectionRecord.digest == digest)
        .order_by(InspectionRecord.created_at.desc())
        .limit(1)
    )


def refusal_of(problem: dict[str, str] | None, kind: str, file_name: str) -> dict[str, str] | None:
    """Why a file is refused: because of its bytes, or because it is called ``.mbz`` and is no backup.

    The bytes are inspected without regard to names, for the same bytes may be several people's, each under a
    name of their own.
    """
    if problem is None and kind == "file" and file_name.lower().endswith(".mbz"):
        return {"detail": "The file is named .mbz but is no Moodle backup.", "reason": "not-a-backup"}
    return problem


def visible_record(reader: Reader, identity: Identity, resource_id: UUID) -> ResourceRecord:
    """The resource, if the asker may see it. Raises NotFound, Gone."""
    resource = reader.execute(_RESOURCE, {"id": resource_id}).one_or_none()
    if resource is None:
        raise NotFound
    _require_visible(resource, identity)
    return _records(reader, [resource], identity)[0]


def record_of(reader: Reader, resource: Resource, identity: Identity) -> ResourceRecord:
    """One resource as the asker may see it. Nothing is checked here: ``visible`` does that."""
    return records_of(reader, [resource.id], identity)[resource.id]


def records_of(
    reader: Reader, ids: Collection[UUID], identity: Identity, *, copies: bool = True
) -> dict[UUID, ResourceRecord]:
    """Records of many resources, with as many queries as for one. Nothing is checked here either."""
    resources = reader.execute(_RESOURCES_OF, {"ids": list(ids)})
    return {record.id: record for record in _records(reader, resources.all(), identity, copies=copies)}


def _records(
    reader: Reader, resources: Collection[_Row], identity: Identity, *, copies: bool = True
) -> list[ResourceRecord]:
    owner_of = {resource.id: resource.owner_id for resource in resources}
    statement = _VERSIONS_WITH_COPIES_OF if copies else _VERSIONS_OF
    newest: dict[tuple[UUID, int], _Row] = {}
    copies_of: dict[tuple[UUID, int], dict[str, CopyRecord]] = defaultdict(dict)
    # A version comes once for each inspection of its file, the newest first, and for each copy.
    for row in reader.execute(statement, {"ids": list(owner_of)}):
        key = row.resource_id, row.number
        newest.setdefault(key, row)
        if copies and row.store is not None and row.store not in copies_of[key]:
            copies_of[key][row.store] = _copy(row)
    versions: dict[UUID, list[VersionRecord]] = defaultdict(list)
    for key, row in newest.items():
        own = sees_all(identity, owner_of[row.resource_id])
        if own or row.released_at is not None:
            found = tuple(copies_of[key].values()) if copies else ()
            versions[row.resource_id].append(_version(row, found, own=own, whole=copies))
    return [
        ResourceRecord(
            id=resource.id,
            title=resource.title,
            summary_html=resource.summary_html,
            summary_text=resource.summary_text,
            licence=resource.licence,
            languages=tuple(resource.languages),
            subjects=tuple(resource.subjects),
            levels=tuple(resource.levels),
            types=tuple(resource.types),
            authors=tuple(Author(**author) for author in resource.authors),
            keywords=tuple(resource.keywords),
            found=tuple(resource.found),
            visibility=Visibility(resource.visibility),
            origin=resource.origin,
            canonical_url=resource.canonical_url,
            owner_id=resource.owner_id,
            owner=resource.owner,
            owner_name=name_of(resource.owner_name, resource.owner_left_at),
            is_own=sees_all(identity, resource.owner_id),
            released_at=resource.released_at,
            changed_at=resource.changed_at,
            created_at=resource.created_at,
            updated_at=resource.updated_at,
            revision=resource.revision,
            versions=tuple(versions[resource.id]),
        )
        for resource in resources
    ]


def _copy(row: _Row) -> CopyRecord:
    return CopyRecord(
        store=row.store,
        locator=row.locator,
        state=LocationState(row.copy_state),
        verified_at=row.verified_at,
    )


def _glance(row: _Row) -> Glance | None:
    if row.glance is None:
        return None
    return Glance(**{**row.glance, "modules": tuple(row.glance["modules"])})


def _version(row: _Row, copies: tuple[CopyRecord, ...], *, own: bool, whole: bool) -> VersionRecord:
    inspected = row.inspected_at is not None
    refusal = refusal_of(row.problem, row.kind, row.file_name) if inspected and row.kind else None
    return VersionRecord(
        number=row.number,
        file_name=row.file_name,
        digest=row.digest,
        size=row.size,
        media_type=row.media_type if inspected else None,
        change_note=row.change_note,
        created_at=row.created_at,
        released_at=row.released_at,
        release_requested=row.release_requested,
        release_refused=row.release_refused if own else None,
        kind=row.kind if inspected and refusal is None else None,
        format=(row.format or "") if inspected and refusal is None else "",
        glance=_glance(row) if inspected and refusal is None else None,
        thumbnail=row.thumbnail if inspected and refusal is None else None,
        processing=processing_of(
            row if own and row.state is not None else None,
            inspected=inspected,
            unreadable=None if refusal is None else refusal["detail"],
        ),
        copies=copies,
        inspection_made_at=row.inspection_made_at if whole else None,
        cleaned_from=row.cleaned_from,
        cleaning=row.cleaning if own else None,
    )
