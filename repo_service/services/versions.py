"""New versions of a resource: numbered, to be inspected, copied to where they belong."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from repo_service.domain.errors import Conflict
from repo_service.domain.identity import Identity
from repo_service.domain.resources import JobKind
from repo_service.models import Resource, Upload, Version
from repo_service.services.jobs import Jobs
from repo_service.services.replication import Replicator

MAX_VERSIONS = 500
"""Of one resource: every answer about it names them all."""


class NewVersions:
    """Makes them of uploads that were taken, and of the versions of drafts."""

    def __init__(self, jobs: Jobs, replicator: Replicator) -> None:
        self._jobs = jobs
        self._replicator = replicator

    def add(
        self,
        session: Session,
        identity: Identity,
        resource: Resource,
        upload: Upload,
        *,
        change_note: str,
        release: bool,
    ) -> Version:
        """The next version of a resource that is locked. Raises Conflict when it has too many."""
        last = _room_for(session, resource, 1)
        version = Version(
            resource_id=resource.id,
            number=last + 1,
            digest=upload.digest,
            file_name=upload.file_name,
            change_note=change_note,
            release_requested=release,
            client_id=upload.client_id,
            created_by=identity.account_id,
        )
        session.add(version)
        session.flush()
        session.expire(resource, ["versions"])
        version.job_id = self._jobs.enqueue(session, JobKind.INSPECT, str(version.id))
        self._replicator.ask(session, [version.digest])
        session.flush()
        return version

    def take_over(
        self, session: Session, draft: Resource, resource: Resource, *, change_note: str
    ) -> list[Version]:
        """Make the versions of a draft the next ones of another resource; both are locked. What looks into
        them meanwhile, or makes a clean copy, knows them by their ids and goes on.

        ``change_note`` is for those that have none. Raises Conflict when they are too many.
        """
        moved = list(draft.versions)
        last = _room_for(session, resource, len(moved))
        for version in moved:
            version.resource, version.number = resource, last + version.number
            if version.cleaned_from is not None:
                version.cleaned_from += last
                version.change_note = note_of_clean_copy(version.cleaned_from)
            version.change_note = version.change_note or change_note
        session.flush()
        session.expire(draft, ["versions"])
        session.expire(resource, ["versions"])
        return moved


def note_of_clean_copy(number: int) -> str:
    """What the clean copy of that version says is new in it."""
    return f"Clean copy of version {number}"


def _room_for(session: Session, resource: Resource, count: int) -> int:
    """The number of the last version, if so many more may follow. Raises Conflict."""
    last = session.scalar(select(func.max(Version.number)).where(Version.resource_id == resource.id)) or 0
    if last + count > MAX_VERSIONS:
        raise Conflict("This resource has as many versions as it may have: share the file as a new one.")
    return last
