"""Words of the catalogue: the states of a resource, a version's processing, a job, an upload."""

from __future__ import annotations

import enum
from typing import Final

BACKUP_KINDS: Final = frozenset({"course", "section", "activity"})
"""Kinds of files that Moodle restores; any other it can only keep."""
BACKUP_EXTENSION: Final = ".mbz"
"""By which Moodle knows them."""


class Visibility(enum.StrEnum):
    """Who may see a resource: its owner (draft), everybody (public), nobody any more (withdrawn)."""

    DRAFT = "draft"
    PUBLIC = "public"
    WITHDRAWN = "withdrawn"


class Standing(enum.StrEnum):
    """Where a resource stands for its owner: ``waiting`` while its newest file is looked into, ``attention``
    when something stands against its release that the owner has to decide about, otherwise as it is seen."""

    DRAFT = "draft"
    WAITING = "waiting"
    ATTENTION = "attention"
    PUBLIC = "public"
    WITHDRAWN = "withdrawn"


class Restoring(enum.StrEnum):
    """Whether somebody can bring back what was withdrawn, and if they cannot, who could: ``moderators`` can
    what one of them withdrew, ``nobody`` what is not kept any more."""

    POSSIBLE = "possible"
    MODERATORS = "moderators"
    NOBODY = "nobody"


class Order(enum.StrEnum):
    """In which order somebody sees what they have shared."""

    NEWEST = "newest"
    CHANGED = "changed"
    TITLE = "title"


class JobState(enum.StrEnum):
    """Where a job stands. ``failed`` is final until somebody retries it."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class JobKind(enum.StrEnum):
    """What a job does; its key names the thing it does it to."""

    INSPECT = "inspect"
    FINISH = "finish"
    REPLICATE = "replicate"
    VERIFY = "verify"
    SNAPSHOT = "snapshot"
    FETCH = "fetch"
    CLEAN = "clean"
    INDEX = "index"
    MAIL = "mail"
    ERASE = "erase"
    RECEIVE = "receive"
    DELIVER = "deliver"
    ACQUAINT = "acquaint"
    NOTIFY = "notify"


class UploadState(enum.StrEnum):
    """Where an upload stands: ``verifying`` while bytes that came past us are read for the first time,
    ``publishing`` while they become a blob, ``finished`` once they are one, ``used`` when a version took it,
    ``failed`` when they were not what was announced."""

    OPEN = "open"
    VERIFYING = "verifying"
    PUBLISHING = "publishing"
    FINISHED = "finished"
    USED = "used"
    FAILED = "failed"


class UploadWay(enum.StrEnum):
    """How the bytes of an upload come: in one body, in several goes (tus), or straight to the bucket."""

    BODY = "body"
    TUS = "tus"
    DIRECT = "direct"


class LocationState(enum.StrEnum):
    """What is known of a copy of a blob in one store. ``remote``: it is to be fetched there, by its CID, from
    other nodes, and was not yet."""

    PRESENT = "present"
    MISSING = "missing"
    CORRUPT = "corrupt"
    REMOTE = "remote"


class RenditionKind(enum.StrEnum):
    """What is made of a blob and can be made again."""

    SEEK_INDEX = "seek-index"
    CONTENTS = "contents"
    THUMBNAIL = "thumbnail"
    THUMBNAIL_LARGE = "thumbnail-large"


class Noun(enum.StrEnum):
    """What a change or an audit entry is about."""

    RESOURCE = "resource"
    VERSION = "version"
    BLOB = "blob"
    UPLOAD = "upload"
    ACCOUNT = "account"
    CLIENT = "client"
    CREDENTIAL = "token"
    INVITATION = "invitation"
    GRANT = "grant"
    SNAPSHOT = "snapshot"
    JOB = "job"
    COLLECTION = "collection"
    COLLECTION_ITEM = "collection-item"
    INSTANCE = "instance"
    NETWORK_ENTRY = "network-entry"
    REPORT = "report"
    WEBHOOK = "webhook"


class ChangeKind(enum.StrEnum):
    """What happened to the noun of a change."""

    CREATED = "created"
    UPDATED = "updated"
    RELEASED = "released"
    WITHDRAWN = "withdrawn"
    RESTORED = "restored"
    DELETED = "deleted"
    INSPECTED = "inspected"
    REACHABILITY = "reachability"
    """Whether a server answers. What there is of it is the same."""
