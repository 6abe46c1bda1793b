"""Every use case of the service, put together once by the composition root."""

from __future__ import annotations

from dataclasses import dataclass

from repo_service.federation.outgoing import Outgoing
from repo_service.models.database import Database
from repo_service.services.accounts import Accounts
from repo_service.services.acquainting import Acquainting
from repo_service.services.actor_keys import ActorKeys
from repo_service.services.actors import Actors
from repo_service.services.archives import Archives
from repo_service.services.audit_trail import AuditTrail
from repo_service.services.catalogue import Catalogue
from repo_service.services.changes import Changes
from repo_service.services.cleaning import Cleaning
from repo_service.services.clients import Clients
from repo_service.services.collections import Collections
from repo_service.services.comparing import Comparing
from repo_service.services.contents import BackupContents
from repo_service.services.copies import Copies
from repo_service.services.delivering import Deliverer
from repo_service.services.direct import DirectUploads
from repo_service.services.download_counter import DownloadCounter
from repo_service.services.downloads import Downloads
from repo_service.services.elsewhere import Elsewhere
from repo_service.services.erasing import Erasing
from repo_service.services.exporting import Exports
from repo_service.services.fetching import Fetching
from repo_service.services.finding import Search
from repo_service.services.garbage import GarbageCollector
from repo_service.services.grants import Grants
from repo_service.services.health import Health
from repo_service.services.idempotency import IdempotencyKeys
from repo_service.services.inbox import Inbox
from repo_service.services.indexing import Indexer
from repo_service.services.inspecting import Inspector
from repo_service.services.instances import Instances
from repo_service.services.invitations import Invitations
from repo_service.services.job_board import JobBoard
from repo_service.services.jobs import Jobs
from repo_service.services.judging import Judge
from repo_service.services.letters import Letters
from repo_service.services.mirroring import Mirror
from repo_service.services.moving import Mover
from repo_service.services.network import Network, NetworkIndexer
from repo_service.services.network_mirroring import NetworkMirror
from repo_service.services.notifying import Notifier
from repo_service.services.outboxes import Outboxes
from repo_service.services.parts import Parts
from repo_service.services.people import People
from repo_service.services.possessions import Possessions
from repo_service.services.profiles import Profiles
from repo_service.services.published import Published
from repo_service.services.rebuilding import Rebuilder
from repo_service.services.receiving import Receiver
from repo_service.services.renditions import Renditions
from repo_service.services.replication import Replicator
from repo_service.services.reporting import Reporting
from repo_service.services.resources import Resources
from repo_service.services.resuming import Resuming
from repo_service.services.site_profiles import SiteProfiles
from repo_service.services.sitemaps import Sitemaps
from repo_service.services.storage_report import StorageReport
from repo_service.services.stores import Stores
from repo_service.services.telling import Teller
from repo_service.services.throttling import Throttling
from repo_service.services.thumbnails import Thumbnails
from repo_service.services.uploads import Uploads
from repo_service.services.usage import Usage
from repo_service.services.verification import Verifier
from repo_service.services.webhook_following import WebhookFollower
from repo_service.services.webhooks import Webhooks


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the HTTP faces, the jobs and the command line call. ``indexer`` exists in the worker only."""

    accounts: Accounts
    acquainting: Acquainting
    actor_keys: ActorKeys
    actors: Actors
    archives: Archives
    audit_trail: AuditTrail
    catalogue: Catalogue
    changes: Changes
    cleaning: Cleaning
    clients: Clients
    collections: Collections
    comparing: Comparing
    contents: BackupContents
    copies: Copies
    database: Database
    deliverer: Deliverer
    direct: DirectUploads
    download_counter: DownloadCounter
    downloads: Downloads
    elsewhere: Elsewhere
    erasing: Erasing
    exports: Exports
    fetching: Fetching
    garbage: GarbageCollector
    grants: Grants
    health: Health
    idempotency_keys: IdempotencyKeys
    inbox: Inbox
    indexer: Indexer | None
    inspector: Inspector
    instances: Instances
    invitations: Invitations
    job_board: JobBoard
    jobs: Jobs
    judge: Judge
    letters: Letters
    mirror: Mirror
    mover: Mover
    network: Network
    network_indexer: NetworkIndexer | None
    network_mirror: NetworkMirror | None
    notifier: Notifier
    outboxes: Outboxes
    outgoing: Outgoing
    parts: Parts
    people: People
    possessions: Possessions
    profiles: Profiles
    published: Published
    rebuilder: Rebuilder
    receiver: Receiver
    renditions: Renditions
    replicator: Replicator
    reporting: Reporting
    resources: Resources
    resuming: Resuming
    search: Search
    site_profiles: SiteProfiles
    sitemaps: Sitemaps
    storage_report: StorageReport
    stores: Stores
    teller: Teller
    throttling: Throttling
    thumbnails: Thumbnails
    uploads: Uploads
    usage: Usage
    verifier: Verifier
    webhook_follower: WebhookFollower
    webhooks: Webhooks

    def close(self) -> None:
        """Write down what was only counted yet, and let go of the indexes and of connections to other
        servers."""
        self.download_counter.close()
        self.search.close()
        self.network.close()
        self.outgoing.close()
