"""The catalogue's tables, one noun a file."""

from repo_service.models.account import Account
from repo_service.models.actor_key import ActorKey
from repo_service.models.audit import AuditEntry
from repo_service.models.base import Base
from repo_service.models.blob import Blob, BlobLocation
from repo_service.models.change import Change
from repo_service.models.client import Client
from repo_service.models.collection import Collection, CollectionItem
from repo_service.models.delivery import Delivery, Dispatch, Position, Telling
from repo_service.models.download_count import DownloadCount
from repo_service.models.external_identity import ExternalIdentity
from repo_service.models.follow import Follower, Following
from repo_service.models.grant import AuthorizationCode, Grant, RefreshToken
from repo_service.models.idempotency_key import IdempotencyKey
from repo_service.models.inspection import InspectionRecord
from repo_service.models.instance import Instance
from repo_service.models.job import Job
from repo_service.models.network_entry import NetworkEntry
from repo_service.models.one_time_link import OneTimeLink
from repo_service.models.received_activity import ReceivedActivity
from repo_service.models.remote_actor import RemoteActor
from repo_service.models.remote_key import RemoteKey, SeenRequest
from repo_service.models.rendition import Rendition
from repo_service.models.report import Report
from repo_service.models.resource import Resource
from repo_service.models.site_profile import StoredSite
from repo_service.models.snapshot import Snapshot
from repo_service.models.throttle import Throttle
from repo_service.models.token import Token
from repo_service.models.upload import Upload
from repo_service.models.version import Version
from repo_service.models.webhook import Webhook, WebhookDelivery

__all__ = [
    "Account",
    "ActorKey",
    "AuditEntry",
    "AuthorizationCode",
    "Base",
    "Blob",
    "BlobLocation",
    "Change",
    "Client",
    "Collection",
    "CollectionItem",
    "Delivery",
    "Dispatch",
    "DownloadCount",
    "ExternalIdentity",
    "Follower",
    "Following",
    "Grant",
    "IdempotencyKey",
    "InspectionRecord",
    "Instance",
    "Job",
    "NetworkEntry",
    "OneTimeLink",
    "Position",
    "ReceivedActivity",
    "RefreshToken",
    "RemoteActor",
    "RemoteKey",
    "Rendition",
    "Report",
    "Resource",
    "SeenRequest",
    "Snapshot",
    "StoredSite",
    "Telling",
    "Throttle",
    "Token",
    "Upload",
    "Version",
    "Webhook",
    "WebhookDelivery",
]
