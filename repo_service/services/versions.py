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
    """Makes them of uploads that were taken."""

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
        last = session.scalar(select(func.max(Version.number)).where(Version.resource_id == resource.id))
        if (last or 0) >= MAX_VERSIONS:
            raise Conflict("This resource has as many versions as it may have: share the file as a new one.")
        version = Version(
            resource_id=resource.id,
            number=(last or 0) + 1,
            digest=upload.digest,
            file_name=upload.file_name,
            change_note=change_note,
            release_requested=release,
            created_by=identity.account_id,
        )
        session.add(version)
        session.flush()
        session.expire(resource, ["versions"])
        version.job_id = self._jobs.enqueue(session, JobKind.INSPECT, str(version.id))
        self._replicator.ask(session, [version.digest])
        session.flush()
        return version
