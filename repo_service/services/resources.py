"""Resources and their versions: describe, release, withdraw."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, Uuid, and_, bindparam, func, select
from sqlalchemy.orm import Session

from repo_service.domain.errors import (
    Conflict,
    Forbidden,
    NotFound,
    PreconditionFailed,
)
from repo_service.domain.findings import SHOWN_TO_ALL
from repo_service.domain.identity import Identity, Scope
from repo_service.domain.redirects import host_of
from repo_service.domain.resources import ChangeKind, JobKind, Noun, Restoring, Visibility
from repo_service.models import AuditEntry, BlobLocation, Client, InspectionRecord, Resource, Version
from repo_service.models.database import Database
from repo_service.models.lookup import Lookup
from repo_service.services import descriptions, paging, uploads
from repo_service.services.accounts import require_account
from repo_service.services.canonical import require_canonical
from repo_service.services.collections import follow
from repo_service.services.descriptions import Description
from repo_service.services.jobs import Jobs
from repo_service.services.letters import Letters
from repo_service.services.reading import (
    gone,
    inspection_of,
    own_resource,
    readable_version,
    record_of,
    records_of,
    sees_all,
    version_of,
    visible_record,
)
from repo_service.services.records import Page, ResourceRecord, public_etag
from repo_service.services.releasing import release_now, require_releasable, touch
from repo_service.services.replication import Replicator
from repo_service.services.trail import audit, record_change
from repo_service.services.versions import NewVersions
from repo_service.services.withdrawing import released_digests, restoring_of, withdraw_now, withdrawn_by

_ID: BindParameter[UUID] = bindparam("id", type_=Uuid())
_CREATE = "create"
_BECOME = "become version"
_PUBLIC_STATE = (
    select(Resource.revision, func.count(BlobLocation.id), func.max(BlobLocation.verified_at))
    .outerjoin(Version, and_(Version.resource_id == Resource.id, Version.released_at.is_not(None)))
    .outerjoin(BlobLocation, BlobLocation.digest == Version.digest)
    .where(Resource.id == _ID, Resource.visibility == Visibility.PUBLIC.value)
    .group_by(Resource.revision)
)


class Resources:
    """Use cases about resources. What the asker may not see does not exist for them."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        replicator: Replicator,
        versions: NewVersions,
        letters: Letters,
    ) -> None:
        self._database = database
        self._letters = letters
        self._jobs = jobs
        self._replicator = replicator
        self._versions = versions
        self._public_state = Lookup(database.engine, _PUBLIC_STATE, _ID)

    def create(
        self,
        identity: Identity,
        *,
        upload_id: UUID,
        description: Description,
        change_note: str = "",
        release: bool = False,
    ) -> ResourceRecord:
        """A new draft from a finished upload; ``release`` makes it public once nothing stands against it.

        Raises NotFound and Conflict for the upload, InvalidInput for the description.
        """
        owner_id = require_account(identity, Scope.WRITE)
        description = descriptions.normalise(description)
        with self._database.write() as session:
            upload = uploads.take(session, identity, upload_id)
            resource = Resource(
                owner_id=owner_id,
                title=descriptions.title_of_file(upload.file_name),
                revision=1,
                languages=[],
                subjects=[],
                levels=[],
                types=[],
                authors=[],
                keywords=[],
                found=["title", "summary", "languages", "keywords"],
            )
            require_canonical(session, identity, description.canonical_url)
            descriptions.apply(resource, description)
            resource.canonical_by = identity.client_id if resource.canonical_url else None
            session.add(resource)
            session.flush()
            version = self._versions.add(
                session, identity, resource, upload, change_note=change_note, release=release
            )
            sender = {} if identity.client_id is None else {"client": str(identity.client_id)}
            audit(session, identity, _CREATE, Noun.RESOURCE, resource.id, digest=version.digest, **sender)
            record_change(session, Noun.RESOURCE, resource.id, ChangeKind.CREATED)
            return record_of(session, resource, identity)

    def add_version(
        self,
        identity: Identity,
        resource_id: UUID,
        *,
        upload_id: UUID,
        change_note: str = "",
        release: bool = False,
    ) -> ResourceRecord:
        """A further edition of one's own resource. The older ones stay. Raises NotFound, Gone, Conflict."""
        with self._database.write() as session:
            upload = uploads.take(session, identity, upload_id)
            resource = own_resource(session, identity, resource_id, lock=True)
            version = self._versions.add(
                session, identity, resource, upload, change_note=change_note, release=release
            )
            touch(resource)
            audit(session, identity, "add version", Noun.RESOURCE, resource.id, number=version.number)
            record_change(session, Noun.RESOURCE, resource.id, ChangeKind.UPDATED)
            return record_of(session, resource, identity)

    def become_version(
        self, identity: Identity, draft_id: UUID, *, of: UUID, change_note: str = ""
    ) -> ResourceRecord:
        """Make a draft the newest version of another resource of the asker's, whose description stays; the
        draft is gone then, and that resource stands in its place in collections. Returns that resource.

        Raises NotFound, Gone and Forbidden for either, Conflict when the draft was public once, is that very
        resource, or when there would be too many versions.
        """
        if draft_id == of:
            raise Conflict("A draft cannot become a version of itself: name the other resource.")
        with self._database.write() as session:
            # In the order of their ids, so that two who do this at once do not wait for each other.
            locked = {id_: own_resource(session, identity, id_, lock=True) for id_ in sorted((draft_id, of))}
            draft, resource = locked[draft_id], locked[of]
            if draft.released_at is not None or draft.visibility != Visibility.DRAFT.value:
                raise Conflict("This resource was public already: its address stays its own.")
            moved = self._versions.take_over(session, draft, resource, change_note=change_note)
            follow(session, identity, draft_id, to=of)
            session.delete(draft)
            touch(resource)
            numbers = [version.number for version in moved]
            audit(session, identity, _BECOME, Noun.RESOURCE, draft_id, of=str(of), numbers=numbers)
            record_change(session, Noun.RESOURCE, draft_id, ChangeKind.DELETED)
            record_change(session, Noun.RESOURCE, of, ChangeKind.UPDATED)
            return record_of(session, resource, identity)

    def became(self, identity: Identity, draft_id: UUID) -> UUID | None:
        """The resource of which a draft of the asker's has become a version: whoever kept the address of the
        draft, such as the Moodle that sent it, is led there. None for what has not."""
        if identity.account_id is None:
            return None
        deed = select(AuditEntry.details).where(
            AuditEntry.noun == Noun.RESOURCE.value,
            AuditEntry.noun_id == str(draft_id),
            AuditEntry.action == _BECOME,
            AuditEntry.account_id == identity.account_id,
        )
        with self._database.read() as session:
            details = session.scalar(deed.limit(1))
        return None if details is None else UUID(details["of"])

    def get(self, identity: Identity, resource_id: UUID) -> ResourceRecord:
        """One resource as the asker may see it. Raises NotFound, Gone."""
        with self._database.rows() as connection:
            return visible_record(connection, identity, resource_id)

    def public_etag(self, identity: Identity, resource_id: UUID) -> str | None:
        """The entity tag of the public's view, for the public; None when only ``get`` can tell. Cheap."""
        if not identity.is_public:
            return None
        state = self._public_state(resource_id)
        return None if state is None else public_etag(*state)

    def mine(self, identity: Identity, *, limit: int, cursor: str | None = None) -> Page[ResourceRecord]:
        """The asker's own resources, newest first, withdrawn ones included. Raises InvalidCursor."""
        owner_id = require_account(identity, Scope.READ)
        query = (
            select(Resource.id)
            .where(Resource.owner_id == owner_id)
            .order_by(Resource.id.desc())
            .limit(limit + 1)
        )
        if cursor is not None:
            query = query.where(Resource.id < paging.decode_uuid(cursor))
        with self._database.read() as session:
            ids = session.scalars(query).all()
            records = records_of(session, ids[:limit], identity)
            return paging.page_of(ids, limit, key=lambda id_: id_, record=records.__getitem__)

    def has_file(self, identity: Identity, digest: str | None) -> bool:
        """Whether the asker has a version with these bytes already. Says nothing of other people's."""
        owner_id = require_account(identity, Scope.READ)
        with self._database.read() as session:
            found = session.scalar(
                select(Version.id)
                .join(Resource, Resource.id == Version.resource_id)
                .where(Resource.owner_id == owner_id, Version.digest == digest)
                .limit(1)
            )
            return found is not None

    def alike(self, identity: Identity, resource_id: UUID) -> tuple[ResourceRecord, ...]:
        """Other resources of the asker's with the same file, or with the same title: perhaps this one was
        meant to be a version of them. Of each the newest, a public one before drafts, and no withdrawn ones.
        Raises NotFound."""
        owner_id = require_account(identity, Scope.READ)
        with self._database.read() as session:
            resource = session.get(Resource, resource_id)
            if resource is None or resource.owner_id != owner_id:
                raise NotFound
            others = (
                select(Resource.id)
                .where(
                    Resource.owner_id == owner_id,
                    Resource.id != resource_id,
                    Resource.visibility != Visibility.WITHDRAWN.value,
                )
                .order_by((Resource.visibility == Visibility.PUBLIC.value).desc(), Resource.id.desc())
                .limit(1)
            )
            digests = [version.digest for version in resource.versions if version.digest is not None]
            same_file = others.join(Version, Version.resource_id == Resource.id).where(
                Version.digest.in_(digests)
            )
            ids = [
                id_
                for query in (same_file, others.where(Resource.title == resource.title))
                if (id_ := session.scalar(query)) is not None
            ]
            records = records_of(session, ids, identity, copies=False)
            return tuple(records[id_] for id_ in dict.fromkeys(ids))

    def sent_by(self, identity: Identity, resource_id: UUID) -> str | None:
        """The software, such as a Moodle, by which the asker's resource was made: the host of a site that
        registered itself, as its name is of its own choice. None when its owner made it without any.

        Raises NotFound, Gone, Forbidden.
        """
        made = select(AuditEntry.details).where(
            AuditEntry.noun == Noun.RESOURCE.value,
            AuditEntry.noun_id == str(resource_id),
            AuditEntry.action == _CREATE,
        )
        with self._database.read() as session:
            own_resource(session, identity, resource_id)
            details = session.scalar(made.limit(1)) or {}
            client = session.get(Client, UUID(details["client"])) if "client" in details else None
            if client is None:
                return None
            return host_of(client.redirect_uris[0]) if client.redirect_uris else client.name

    def visible_of(self, identity: Identity, ids: Sequence[UUID]) -> dict[UUID, ResourceRecord]:
        """Those of ``ids`` that everybody may see now: the last word on a search's hits."""
        with self._database.rows() as connection:
            records = records_of(connection, ids, identity, copies=False)
        return {id_: record for id_, record in records.items() if record.visibility is Visibility.PUBLIC}

    def texts_inside(self, digests: Collection[str]) -> dict[str, str]:
        """What is worth finding inside files, by their digest: a line for each name, title and tag."""
        with self._database.rows() as connection:
            rows = connection.execute(
                select(InspectionRecord.digest, InspectionRecord.search_text)
                .where(InspectionRecord.digest.in_(digests))
                .order_by(InspectionRecord.created_at)
            )
            return {row.digest: row.search_text for row in rows}

    def require_own(self, identity: Identity, resource_id: UUID) -> None:
        """Refuse one who may not add to this resource. Raises NotFound, Gone, Forbidden."""
        with self._database.read() as session:
            own_resource(session, identity, resource_id)

    def describe(
        self,
        identity: Identity,
        resource_id: UUID,
        description: Description,
        *,
        if_match: Set[str] | None = None,
    ) -> ResourceRecord:
        """Change what is given. ``if_match`` are entity tags, of which one must be that of the present state.

        Raises NotFound, Gone, InvalidInput, PreconditionFailed.
        """
        description = descriptions.normalise(description)
        with self._database.write() as session:
            resource = own_resource(session, identity, resource_id, lock=True)
            if if_match is not None and str(resource.revision) not in {t.partition("-")[0] for t in if_match}:
                raise PreconditionFailed
            require_canonical(session, identity, description.canonical_url)
            descriptions.apply(resource, description)
            if description.canonical_url is not None:
                resource.canonical_by = identity.client_id if resource.canonical_url else None
            touch(resource)
            if resource.visibility == Visibility.PUBLIC.value:
                resource.changed_at = resource.updated_at
            audit(session, identity, "describe", Noun.RESOURCE, resource.id, fields=list(description.given()))
            record_change(session, Noun.RESOURCE, resource.id, ChangeKind.UPDATED)
            return record_of(session, resource, identity)

    def require_description(self, identity: Identity, description: Description, *, at: str) -> None:
        """Refuse what ``create`` would refuse, before a file is kept. ``at`` is the JSON Pointer of the
        description within what was sent. Raises InvalidInput."""
        descriptions.normalise(description, at=at)
        with self._database.read() as session:
            require_canonical(session, identity, description.canonical_url, at=at)

    def release(self, identity: Identity, resource_id: UUID, number: int) -> ResourceRecord:
        """Let the public read a version. Releasing it again changes nothing.

        Raises NotFound, Gone, NotInspected, InvalidFile, BlockingFindings, Incomplete, EmailUnconfirmed.
        """
        with self._database.write() as session:
            resource = own_resource(session, identity, resource_id, lock=True)
            version = version_of(session, resource, number)
            if version.released_at is None:
                require_releasable(session, resource, version)
                release_now(session, identity, resource, version)
                self._replicator.ask(session, [version.digest])
            return record_of(session, resource, identity)

    def withdraw(self, identity: Identity, resource_id: UUID, *, reason: str) -> None:
        """Hide a resource from everybody; a moderator may do it to any, also to one that its owner withdrew:
        the owner cannot restore it then, and is told by letter. Its bytes go after the grace period.

        Raises NotFound, Gone.
        """
        with self._database.write() as session:
            resource = own_resource(
                session,
                identity,
                resource_id,
                lock=True,
                moderate=True,
                withdrawn=identity.has(Scope.MODERATE),
            )
            if resource.owner_id == identity.account_id and resource.visibility == Visibility.WITHDRAWN.value:
                raise gone(resource)  # by another moderator, perhaps, whose decision stands
            withdraw_now(
                session,
                identity,
                resource,
                reason=reason,
                replicator=self._replicator,
                letters=self._letters,
            )

    def restore(self, identity: Identity, resource_id: UUID) -> ResourceRecord:
        """Take a withdrawal back while the bytes are still there. An owner cannot undo a moderator's, also if
        they are one.

        Raises NotFound, Forbidden, Conflict.
        """
        require_account(identity, Scope.WRITE)
        with self._database.write() as session:
            resource = session.scalar(select(Resource).where(Resource.id == resource_id).with_for_update())
            if resource is None or not sees_all(identity, resource.owner_id):
                raise NotFound
            if resource.visibility != Visibility.WITHDRAWN.value:
                raise Conflict("This resource is not withdrawn.")
            if resource.owner.erased_at is not None:
                raise Conflict("The person who shared this has left, and took along what was said about it.")
            match _restoring(session, identity, resource):
                case Restoring.NOBODY:
                    raise Conflict("The files of this resource have been deleted already.")
                case Restoring.MODERATORS:
                    raise Forbidden("A moderator withdrew this resource: ask them to restore it.")
            released = any(version.released_at for version in resource.versions)
            resource.visibility = (Visibility.PUBLIC if released else Visibility.DRAFT).value
            resource.withdrawn_at = resource.withdrawn_reason = None
            touch(resource)
            if released:
                resource.changed_at = resource.updated_at
            audit(session, identity, "restore", Noun.RESOURCE, resource.id)
            record_change(session, Noun.RESOURCE, resource.id, ChangeKind.RESTORED)
            self._replicator.ask(session, released_digests(resource))
            return record_of(session, resource, identity)

    def restoring(self, identity: Identity, resource_id: UUID) -> Restoring | None:
        """Whether the asker could take a withdrawal back: None for what is not withdrawn, and for who has no
        business with it."""
        if not identity.has(Scope.WRITE):
            return None
        with self._database.read() as session:
            resource = session.get(Resource, resource_id)
            if resource is None or resource.visibility != Visibility.WITHDRAWN.value:
                return None
            if not sees_all(identity, resource.owner_id):
                return None
            return _restoring(session, identity, resource)

    def inspection(self, identity: Identity, resource_id: UUID, number: int) -> dict[str, Any]:
        """What was found in a version's file. Raises NotFound, Gone, NotInspected, InvalidFile.

        Of what was found of persons, others than the owner see the authors alone: where else a name stands
        is for the owner to confirm.
        """
        with self._database.read() as session:
            version = readable_version(session, identity, resource_id, number)
            document = inspection_of(session, version).document
            if sees_all(identity, version.resource.owner_id):
                return document
        shown = [finding for finding in document.get("findings", ()) if finding["code"] in SHOWN_TO_ALL]
        return {**document, "findings": shown}

    def retry(self, identity: Identity, resource_id: UUID, number: int) -> ResourceRecord:
        """Have a version's file inspected again. Raises NotFound, Gone, Conflict."""
        with self._database.write() as session:
            resource = own_resource(session, identity, resource_id, lock=True, moderate=True)
            version = version_of(session, resource, number)
            if version.digest is None:
                raise Conflict("The file of this version has been deleted.")
            version.job_id = self._jobs.enqueue(session, JobKind.INSPECT, str(version.id))
            touch(resource)
            audit(session, identity, "inspect again", Noun.RESOURCE, resource.id, number=number)
            session.flush()
            return record_of(session, resource, identity)


def _released(resource: Resource) -> list[str | None]:
    """What public stores have of it, or should have."""
    return [version.digest for version in resource.versions if version.released_at is not None]


def _restoring(session: Session, identity: Identity, resource: Resource) -> Restoring:
    return restoring_of(identity, resource, withdrawn_by(session, [resource.id]).get(resource.id))
