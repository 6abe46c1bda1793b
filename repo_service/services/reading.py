"""Reading the catalogue: what each asker may see, and the records made of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from repo_service.domain.errors import Gone, InvalidFile, NotFound
from repo_service.domain.identity import Identity, Scope
from repo_service.domain.resources import JobKind, Visibility
from repo_service.models import Account, Blob, InspectionRecord, Job, Resource, Version
from repo_service.services.jobs import processing_of
from repo_service.services.records import Author, ResourceRecord, VersionRecord


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
    if resource.visibility == Visibility.DRAFT.value and not sees_all(identity, resource.owner_id):
        raise NotFound
    if resource.visibility == Visibility.WITHDRAWN.value:
        if not (sees_all(identity, resource.owner_id) or resource.released_at):
            raise NotFound
        raise gone(resource)
    return resource


def gone(resource: Resource) -> Gone:
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


def inspection_of(session: Session, digest: str | None) -> InspectionRecord | None:
    """The newest inspection of a blob."""
    return session.scalar(
        select(InspectionRecord)
        .where(InspectionRecord.digest == digest)
        .order_by(InspectionRecord.created_at.desc())
        .limit(1)
    )


def unreadable(record: InspectionRecord) -> InvalidFile:
    """The error that tells why a file could not be inspected."""
    assert record.problem is not None
    return InvalidFile(
        record.problem["detail"], reason=record.problem["reason"], place=record.problem.get("place", "")
    )


def job_of(session: Session, digest: str | None) -> Job | None:
    """The job that inspects a blob."""
    return session.scalar(select(Job).where(Job.kind == JobKind.INSPECT.value, Job.key == digest))


def record_of(session: Session, resource: Resource, identity: Identity) -> ResourceRecord:
    """One resource as the asker may see it. Nothing is checked here: ``visible`` does that."""
    return records_of(session, [resource], identity)[0]


def records_of(session: Session, resources: Sequence[Resource], identity: Identity) -> list[ResourceRecord]:
    """Records of many resources, with as many queries as for one."""
    ids = [resource.id for resource in resources]
    owners = {
        row.id: row
        for row in session.execute(
            select(Account.id, Account.username, Account.display_name).where(
                Account.id.in_({resource.owner_id for resource in resources})
            )
        )
    }
    rows = session.execute(
        select(Version, Blob.size, Blob.media_type)
        .outerjoin(Blob, Blob.digest == Version.digest)
        .where(Version.resource_id.in_(ids))
        .order_by(Version.number.desc())
    ).all()
    digests = {row.Version.digest for row in rows if row.Version.digest is not None}
    inspections = {
        row.digest: row
        for row in session.execute(
            select(InspectionRecord.digest, InspectionRecord.kind, InspectionRecord.problem)
            .where(InspectionRecord.digest.in_(digests))
            .order_by(InspectionRecord.created_at)
        )
    }
    jobs = {
        job.key: job
        for job in session.scalars(select(Job).where(Job.kind == JobKind.INSPECT.value, Job.key.in_(digests)))
    }
    versions: dict[UUID, list[VersionRecord]] = defaultdict(list)
    owner_of = {resource.id: resource.owner_id for resource in resources}
    for version, size, media_type in rows:
        if version.released_at is None and not sees_all(identity, owner_of[version.resource_id]):
            continue
        found = inspections.get(version.digest)
        versions[version.resource_id].append(
            VersionRecord(
                number=version.number,
                file_name=version.file_name,
                digest=version.digest,
                size=size,
                media_type=media_type,
                change_note=version.change_note,
                created_at=version.created_at,
                released_at=version.released_at,
                release_requested=version.release_requested,
                kind=None if found is None or found.problem else found.kind,
                processing=processing_of(
                    jobs.get(version.digest or ""),
                    inspected=found is not None,
                    unreadable=None if found is None or not found.problem else found.problem["detail"],
                ),
            )
        )
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
            owner=owners[resource.owner_id].username,
            owner_name=owners[resource.owner_id].display_name,
            is_own=sees_all(identity, resource.owner_id),
            released_at=resource.released_at,
            created_at=resource.created_at,
            updated_at=resource.updated_at,
            revision=resource.revision,
            versions=tuple(versions[resource.id]),
        )
        for resource in resources
    ]
