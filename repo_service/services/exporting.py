"""Everything that is kept about one person, as one zip that is written while it is read.

Nothing of it is ever whole in memory or on disk, so there is nothing to wait for and nothing to clear away:
rows come in batches, each in a short transaction of its own, and files in blocks from a store that has them.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

import structlog
from sqlalchemy import Select, or_, select
from sqlalchemy.orm import DeclarativeBase

from repo_service.domain.errors import NotFound
from repo_service.domain.identity import Identity, Scope
from repo_service.domain.resources import Noun
from repo_service.models import (
    Account,
    AuditEntry,
    Client,
    Collection,
    CollectionItem,
    ExternalIdentity,
    Grant,
    OneTimeLink,
    Report,
    Resource,
    StoredSite,
    Token,
    Upload,
    Version,
    Webhook,
)
from repo_service.models.base import now
from repo_service.models.database import Database
from repo_service.services.accounts import require_scope, require_undivided
from repo_service.services.copies import Copies
from repo_service.services.trail import audit
from storage import BlobCopies, BlobNotFound

_BATCH: Final = 100
_BLOCK: Final = 256 * 1024
_README: Final = """\
Everything that {site} keeps about the account {username}, as of {moment}.

account.json           your account
resources.json         what you shared, with every version, its file's name and SHA-256
files/                 the files themselves: files/<id of the resource>/<number of the version>/<name>
collections.json       what you put together, with your notes
uploads.json           files that you sent and have not used yet
tokens.json            names and times of your API tokens and sessions; the secrets are kept nowhere
sign_ins_elsewhere.json  who you are at the provider that you sign in with
connected_sites.json   sites and apps that you let act for you
clients.json           software that you registered
site_profiles.json     Moodles that you described
webhooks.json          addresses that are told when something happens
invitations.json       invitations that you made
reports.json           what you reported, and what became of it
audit.json             what you did here, and what was done to your account
not_included.json      files that no store had when this was written, if there are any

Moments are in UTC. The files are the very bytes that you sent. Should the transfer break, everything but the
files can be had alone, and each file at its download_url.
"""

log = structlog.get_logger(__name__)

Row = dict[str, Any]
Rows = Iterator[Row]
Batches = Callable[[Select[Any]], Iterator[Sequence[Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """``stream`` gives the zip block by block, once."""

    file_name: str
    stream: Generator[bytes, None, None]


@dataclass(frozen=True, slots=True)
class _File:
    """A file of a version, by where it goes in the zip."""

    name: str
    digest: str
    modified: datetime


class Exports:
    """Use case: take everything along. ``base_url`` is where files can be downloaded one by one."""

    def __init__(self, database: Database, copies: Copies, *, site_name: str, base_url: str) -> None:
        self._database = database
        self._copies = copies
        self._site_name = site_name
        self._base_url = base_url

    def open(self, identity: Identity, account_id: UUID, *, files: bool = True) -> Export:
        """What is kept about an account: one's own, or any for an administrator; ``files`` too, or not.

        Whoever may read the resources of an account may not have all of this: sites that somebody connected
        get none of it, nor do tokens that may do less than their owner.

        Raises Unauthorised, Forbidden, InsufficientScope, NotFound.
        """
        if identity.account_id != account_id:
            require_scope(identity, Scope.ADMINISTER)
        require_undivided(identity)
        with self._database.write() as session:
            account = session.get(Account, account_id)
            if account is None or account.erased_at is not None:
                raise NotFound("There is no such account.")
            username = account.username
            audit(session, identity, "export", Noun.ACCOUNT, account_id, files=files)
        moment = now()
        return Export(
            file_name=f"{username}-{moment:%Y-%m-%d}.zip",
            stream=self._stream(account_id, username, moment, files=files),
        )

    def _stream(
        self, account_id: UUID, username: str, moment: datetime, *, files: bool
    ) -> Generator[bytes, None, None]:
        zipped = _Zip(moment)
        readme = _README.format(site=self._site_name, username=username, moment=f"{moment:%Y-%m-%d %H:%M}")
        yield from zipped.add("README.txt", [readme.encode()])
        for name, rows in self._sections(account_id):
            yield from zipped.add(f"{name}.json", _json_array(rows))
        if files:
            missing: list[Row] = []
            for file in self._files(account_id):
                copies = self._copies_of(file.digest)
                if copies is None:
                    missing.append({"name": file.name, "sha256": file.digest})
                    continue
                with copies.open() as reader:
                    blocks = iter(lambda: reader.read(_BLOCK), b"")
                    yield from zipped.add(file.name, blocks, modified=file.modified, packed=True)
            if missing:
                yield from zipped.add("not_included.json", _json_array(iter(missing)))
        yield from zipped.finish()

    def _sections(self, account_id: UUID) -> Iterator[tuple[str, Rows]]:
        """What of the database goes into the zip, one table of what is theirs after the other."""
        about = or_(
            AuditEntry.account_id == account_id,
            (AuditEntry.noun == Noun.ACCOUNT.value) & (AuditEntry.noun_id == str(account_id)),
        )
        yield "account", self._rows(Account, Account.id == account_id, without=("password_hash",))
        yield "resources", self._resources(account_id)
        yield "collections", self._collections(account_id)
        yield (
            "uploads",
            self._rows(Upload, Upload.account_id == account_id, without=("staging_key", "holder")),
        )
        yield "tokens", self._rows(Token, Token.account_id == account_id, without=("secret_hash",))
        yield "sign_ins_elsewhere", self._rows(ExternalIdentity, ExternalIdentity.account_id == account_id)
        yield "connected_sites", self._rows(Grant, Grant.account_id == account_id)
        yield "clients", self._rows(Client, Client.account_id == account_id, without=("secret_hash",))
        yield "site_profiles", self._rows(StoredSite, StoredSite.account_id == account_id)
        yield "webhooks", self._rows(Webhook, Webhook.account_id == account_id, without=("secret",))
        yield (
            "invitations",
            self._rows(OneTimeLink, OneTimeLink.made_by == account_id, without=("secret_hash",)),
        )
        yield "reports", self._rows(Report, Report.reporter_id == account_id, without=("decided_by",))
        yield "audit", self._rows(AuditEntry, about)

    def _rows(self, model: type[DeclarativeBase], which: Any, *, without: Sequence[str] = ()) -> Rows:
        for batch in self._batches(model, which):
            for row in batch:
                yield _columns(row, without)

    def _resources(self, account_id: UUID) -> Rows:
        for batch in self._batches(Resource, Resource.owner_id == account_id):
            ids = [resource.id for resource in batch]
            with self._database.read() as session:
                query = select(Version).where(Version.resource_id.in_(ids)).order_by(Version.number)
                versions = session.scalars(query).all()
            for resource in batch:
                of_it = [self._version(v) for v in versions if v.resource_id == resource.id]
                yield {**_columns(resource), "versions": of_it}

    def _version(self, version: Version) -> Row:
        own = ("number", "file_name", "digest", "change_note", "created_at", "released_at", "cleaned_from")
        path = f"/files/{version.resource_id}/{version.number}/{quote(version.file_name, safe='')}"
        address = None if version.digest is None else f"{self._base_url}{path}"
        return {**{name: getattr(version, name) for name in own}, "download_url": address}

    def _collections(self, account_id: UUID) -> Rows:
        for batch in self._batches(Collection, Collection.owner_id == account_id):
            ids = [collection.id for collection in batch]
            with self._database.read() as session:
                query = select(CollectionItem).where(CollectionItem.collection_id.in_(ids))
                items = session.scalars(query.order_by(CollectionItem.position)).all()
            for collection in batch:
                inside = [_columns(item) for item in items if item.collection_id == collection.id]
                yield {**_columns(collection), "items": inside}

    def _files(self, account_id: UUID) -> Iterator[_File]:
        for batch in self._batches(Resource, Resource.owner_id == account_id):
            ids = [resource.id for resource in batch]
            with self._database.read() as session:
                query = select(Version).where(Version.resource_id.in_(ids), Version.digest.is_not(None))
                versions = session.scalars(query.order_by(Version.resource_id, Version.number)).all()
            for version in versions:
                assert version.digest is not None
                name = f"files/{version.resource_id}/{version.number}/{version.file_name}"
                yield _File(name, version.digest, version.created_at)

    def _copies_of(self, digest: str) -> BlobCopies | None:
        with self._database.read() as session:
            try:
                return self._copies.of(session, digest)
            except BlobNotFound:
                log.warning("a file is missing from an export", digest=digest)
                return None

    def _batches(self, model: Any, which: Any) -> Iterator[Sequence[Any]]:
        """The rows in the order of their ids, with no transaction open in between."""
        last: Any = None
        while True:
            query = select(model).where(which).order_by(model.id).limit(_BATCH)
            if last is not None:
                query = query.where(model.id > last)
            with self._database.read() as session:
                rows = session.scalars(query).all()
            if not rows:
                return
            yield rows
            last = rows[-1].id


def _columns(row: Any, without: Sequence[str] = ()) -> Row:
    names = (column.key for column in row.__mapper__.column_attrs)
    return {name: getattr(row, name) for name in names if name not in without}


def _json_array(rows: Rows) -> Iterator[bytes]:
    """A JSON array with a row a line."""
    before = "[\n"
    for row in rows:
        yield (before + json.dumps(row, ensure_ascii=False, default=_plain)).encode()
        before = ",\n"
    yield b"[]\n" if before == "[\n" else b"\n]\n"


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value)


class _Zip:
    """An archive that is handed on as it grows: what is written is given out and forgotten."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment
        self._sink = _Sink()
        self._archive = zipfile.ZipFile(self._sink, "w", allowZip64=True)

    def add(
        self,
        name: str,
        blocks: Iterable[bytes],
        *,
        modified: datetime | None = None,
        packed: bool = False,
    ) -> Iterator[bytes]:
        """A member; ``packed``: it is compressed already."""
        when = max(modified or self._moment, datetime(1980, 1, 1, tzinfo=UTC))  # the beginning of zip's time
        info = zipfile.ZipInfo(name, when.astimezone(UTC).timetuple()[:6])
        info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        with self._archive.open(info, "w", force_zip64=True) as member:
            for block in blocks:
                member.write(block)
                yield from self._sink.take()
        yield from self._sink.take()

    def finish(self) -> Iterator[bytes]:
        """What ends the archive."""
        self._archive.close()
        yield from self._sink.take()


class _Sink:
    """A file that cannot be gone back in: zipfile then writes sizes and sums behind each member."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep it until it is taken."""
        self._blocks.append(bytes(data))
        return len(data)

    def close(self) -> None:
        """There is nothing to close."""

    def flush(self) -> None:
        """Nothing waits anywhere else."""

    def take(self) -> Iterator[bytes]:
        """What was written since."""
        blocks, self._blocks = self._blocks, []
        yield from (block for block in blocks if block)
