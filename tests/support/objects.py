"""Objects made through the use cases, for tests that need real ones to ask the API about."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from uuid import UUID

import httpx
from sqlalchemy import select

from repo_service.domain.collections import CollectionVisibility
from repo_service.domain.identity import SCOPES_OF_ROLE, ClientKind, Identity, Role, Scope
from repo_service.domain.network import EntryKind, Standing
from repo_service.domain.reports import ReportReason
from repo_service.domain.resources import JobKind, JobState
from repo_service.domain.webhooks import Reach, WebhookEvent
from repo_service.federation.remote import EntryDescription
from repo_service.jobs.worker import handlers_of
from repo_service.models import Job, NetworkEntry, Report, Version
from repo_service.models.base import new_id, now
from repo_service.services import network_entries
from repo_service.services.clients import ClientMetadata
from repo_service.services.collections import CollectionDescription
from repo_service.services.descriptions import Description
from repo_service.services.instances import instance_of
from repo_service.services.records import ResourceRecord, UploadRecord
from repo_service.services.site_profiles import SiteDescription
from repo_service.services.webhook_messages import enqueue_message
from tests.support.backups import backup
from tests.support.media import picture
from tests.support.service import OPERATOR, Service

ACTIVITY_ID, SECTION_ID = 100, 21
"""What is in the backup of each resource."""
CONTAINED, CONTAINED_NAME = hashlib.sha1(b"grass, hare, fox\n").hexdigest(), "foodweb.txt"
"""SHA-1 and name of a file in it."""

PLENTY = 2**53
"""A quota in bytes that no test uses up."""


@dataclass
class Maker:
    """Makes objects of one owner; each call makes a new one."""

    service: Service
    folder: Path
    role: Role = Role.MEMBER
    _numbers: count[int] = field(default_factory=count)

    @cached_property
    def owner(self) -> Identity:
        """Whose objects they are."""
        account = self.service.services.accounts.create(
            OPERATOR, username="owner", role=self.role, quota=PLENTY
        )
        return Identity(
            account_id=account.id, username="owner", role=self.role, scopes=SCOPES_OF_ROLE[self.role]
        )

    @cached_property
    def secret(self) -> str:
        """A token of the owner with every scope of the role."""
        accounts = self.service.services.accounts
        return accounts.issue_token(self.owner, name="all", scopes=self.owner.scopes).secret

    @cached_property
    def content(self) -> bytes:
        """A backup; all resources hold the same, so it is inspected once."""
        return backup(self.folder / "made.mbz").read_bytes()

    @cached_property
    def released(self) -> ResourceRecord:
        """The one resource that the public sees."""
        made = self.draft(release=True)
        self.service.work()
        return made

    def prepare(self) -> None:
        """Make what has to be looked into while little else waits for that: afterwards there is much more."""
        assert self.released
        assert self.pictured
        assert self.shared_by_neighbour
        assert self._reported

    @cached_property
    def snapshot(self) -> str:
        """SHA-256 of the manifest of the published catalogue."""
        assert self.released
        published = self.service.services.catalogue.publish()
        assert published is not None
        return published.manifest.digest

    @cached_property
    def pictured(self) -> ResourceRecord:
        """A public resource that has a picture."""
        made = self.draft(release=True, content=picture())
        self.service.work()
        return made

    def draft(self, *, release: bool = False, content: bytes | None = None) -> ResourceRecord:
        """A resource that could be released, once its file is inspected."""
        return self.service.services.resources.create(
            self.owner,
            upload_id=self.finished_upload(content).id,
            description=Description(licence="CC-BY-4.0"),
            release=release,
        )

    def inspected(self) -> ResourceRecord:
        """A resource whose file has been looked into; nothing else that waits is done."""
        made = self.draft()
        with self.service.services.database.read() as session:
            job_id = session.scalars(select(Version.job_id).where(Version.resource_id == made.id)).one()
        assert job_id is not None
        handlers_of(self.service.services).run_job(job_id)
        return made

    def withdrawn(self) -> ResourceRecord:
        """A resource that was withdrawn by its owner."""
        made = self.draft()
        self.service.services.resources.withdraw(self.owner, made.id, reason="Replaced.")
        return made

    @cached_property
    def neighbour(self) -> Identity:
        """Somebody else who shares."""
        account = self.service.services.accounts.create(OPERATOR, username="neighbour")
        role = Role.MEMBER
        return Identity(account_id=account.id, username="neighbour", role=role, scopes=SCOPES_OF_ROLE[role])

    @cached_property
    def shared_by_neighbour(self) -> UUID:
        """A public resource of somebody else."""
        return self._share_by_neighbour()

    @cached_property
    def _reported(self) -> UUID:
        return self._share_by_neighbour()

    def reported(self) -> UUID:
        """A resource of somebody else with a report that waits for a decision."""
        resource_id = self._reported  # outside of the transaction: making it is another
        with self.service.services.database.write() as session:
            session.add(Report(resource_id=resource_id, reason=ReportReason.BROKEN, words="Empty."))
        return resource_id

    def failed_job(self) -> UUID:
        """A job that failed, about something that is not there any more."""
        with self.service.services.database.write() as session:
            job = Job(
                kind=JobKind.INSPECT, key=str(new_id()), state=JobState.FAILED, attempts=5, next_try_at=now()
            )
            session.add(job)
            session.flush()
            return job.id

    def instance(self) -> str:
        """The host of another server that nothing is ever asked."""
        host = f"127.0.0.1:{next(self._numbers) + 1}"
        self.service.services.instances.decide(OPERATOR, host, Standing.KNOWN)
        return host

    def blocked_actor(self) -> str:
        """An actor of another server that is not spoken with."""
        uri = f"https://peer.example/{next(self._numbers)}"
        self.service.services.instances.block(OPERATOR, uri)
        return uri

    def network_entry(self, *, hidden: bool) -> UUID:
        """A resource of an approved server."""
        described = EntryDescription(
            id=f"https://peer.example/{next(self._numbers)}",
            kind=EntryKind.RESOURCE,
            url="https://peer.example/",
            name="Rivers",
            summary="",
            by=None,
            icon=None,
            licence=None,
        )
        with self.service.services.database.write() as session:
            instance = instance_of(session, "peer.example")
            instance.standing = Standing.APPROVED.value
            network_entries.put(session, instance.id, described, heard=new_id())
            entry = session.scalars(select(NetworkEntry).where(NetworkEntry.uri == described.id)).one()
        if hidden:
            self.service.services.network.hide(OPERATOR, entry.id, reason="Spam")
        return entry.id

    def _share_by_neighbour(self) -> UUID:
        services = self.service.services
        upload = services.uploads.begin(self.neighbour, file_name="course.mbz", size=len(self.content))
        with services.uploads.receive(self.neighbour, upload.id) as receiver:
            receiver.write(self.content)
            receiver.finish()
        made = services.resources.create(
            self.neighbour,
            upload_id=upload.id,
            description=Description(licence="CC-BY-4.0"),
            release=True,
        )
        self.service.work()
        return made.id

    def open_upload(self, size: int) -> UploadRecord:
        """An upload that waits for ``size`` bytes."""
        return self.service.services.uploads.begin(self.owner, file_name="course.mbz", size=size)

    def tus_upload(self, size: int) -> UploadRecord:
        """An upload in several goes that waits for ``size`` bytes."""
        return self.service.services.resuming.create(self.owner, file_name="course.mbz", size=size)

    def direct_upload(self, *, send: bool = False) -> UploadRecord:
        """An upload of one part that goes straight to the bucket; ``send`` it, but do not complete it."""
        direct = self.service.services.direct
        upload = direct.begin(self.owner, file_name="course.mbz", size=len(self.content)).upload
        if send:
            [part] = direct.parts(self.owner, upload.id, first=1, limit=1).items
            httpx.put(part.url, content=self.content).raise_for_status()
        return upload

    def finished_upload(self, content: bytes | None = None) -> UploadRecord:
        """An upload that has its file: a course, or ``content``."""
        content = content or self.content
        uploads = self.service.services.uploads
        upload = self.open_upload(len(content))
        with uploads.receive(self.owner, upload.id) as receiver:
            receiver.write(content)
            return receiver.finish()

    def token(self) -> UUID:
        """A token of the owner."""
        accounts = self.service.services.accounts
        return accounts.issue_token(self.owner, name="x", scopes=frozenset({Scope.READ})).token.id

    def client(self) -> UUID:
        """A client of the owner."""
        return self.service.services.accounts.register_client(self.owner, name="x", kind=ClientKind.MOODLE).id

    def connected_site(self) -> UUID:
        """A site that the owner has let read for them."""
        wanted = ClientMetadata(redirect_uris=["https://school.example/back"])
        site = self.service.services.clients.add(OPERATOR, wanted).client
        self.service.services.grants.authorise(
            self.owner,
            site,
            scopes=frozenset({Scope.READ}),
            redirect_uri=site.redirect_uris[0],
            named_redirect_uri=None,
            code_challenge=None,
        )
        return site.id

    def webhook(self) -> UUID:
        """A webhook of the owner's; those before it are gone, for there may not be many. Nobody is there."""
        webhooks = self.service.services.webhooks
        for kept in webhooks.list(self.owner):
            webhooks.delete(self.owner, kept.id)
        made, _ = webhooks.register(
            self.owner, url="https://localhost/", events=[WebhookEvent.RELEASED], reach=Reach.OWN
        )
        return made.id

    def webhook_delivery(self) -> UUID:
        """A message to the webhook that was made last."""
        services = self.service.services
        webhook = services.webhooks.list(self.owner)[-1]
        with services.database.write() as session:
            return enqueue_message(
                session, services.jobs, webhook.id, event=WebhookEvent.PING, at=now(), data={}
            ).id

    def site_profile(self) -> UUID:
        """A profile of a site of the owner's; those before it are gone, for there may not be many."""
        profiles = self.service.services.site_profiles
        for kept in profiles.list(self.owner):
            profiles.delete(self.owner, kept.id)
        return profiles.create(
            self.owner, SiteDescription(name="x", moodle="4.5.6", plugins={"mod_hvp": None})
        ).id

    def collection(self, *, hidden: bool = False) -> UUID:
        """A public collection of the owner's with the released resource in it, or one of a neighbour's that
        is hidden; those before it are gone, for there may not be many."""
        owner = self.neighbour if hidden else self.owner
        collections = self.service.services.collections
        for kept in collections.mine(owner, limit=100).items:
            collections.delete(owner, kept.id)
        wanted = CollectionDescription(title="x", visibility=CollectionVisibility.PUBLIC)
        made = collections.create(owner, wanted).record.id
        collections.add(owner, made, self.released.id)
        if hidden:
            collections.hide(OPERATOR, made, reason="x")
        return made

    def invitation(self) -> UUID:
        """An invitation that nobody has used."""
        return self.service.services.invitations.invite(OPERATOR).invitation.id

    def passing(self) -> str:
        """A token of somebody who has nothing to lose."""
        accounts = self.service.services.accounts
        somebody = self.account()
        scopes = frozenset({Scope.READ, Scope.WRITE, Scope.SHARE})
        return accounts.issue_token(OPERATOR, name="x", scopes=scopes, account_id=somebody).secret

    def account(self) -> UUID:
        """Somebody else's account."""
        username = f"somebody{next(self._numbers)}"
        return self.service.services.accounts.create(OPERATOR, username=username).id
