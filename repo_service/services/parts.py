"""Parts of backups: one activity, one section, one file, to be downloaded by themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from repo_service.backups.archives import BadSeekIndex
from repo_service.backups.cutting import CutOut, cut_activity, cut_section
from repo_service.domain.errors import (
    BlockingFindings,
    Conflict,
    DomainError,
    InvalidFile,
    NotFound,
    NotInspected,
)
from repo_service.domain.identity import Identity
from repo_service.inspection.limits import KIB
from repo_service.inspection.media_types import MOODLE_BACKUP
from repo_service.models import Version
from repo_service.models.database import Database
from repo_service.services.archives import Archives, OpenArchive
from repo_service.services.contents import BackupContents, Whole
from repo_service.services.reading import inspection_of, readable_version
from repo_service.services.releasing import require_harmless

_BLOCK = 256 * KIB
_ANY_TYPE = "application/octet-stream"
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,99}")
_SHA1 = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some of a version's file, as it is sent. ``size`` in bytes, ``tag`` changes when the bytes would.

    ``open`` gives the bytes from an offset on.
    """

    name: str
    size: int
    media_type: str
    tag: str
    modified: datetime
    public: bool
    open: Callable[[int], Iterator[bytes]]
    licence: str = ""
    author: str = ""


class Parts:
    """Use cases about parts. A version that holds learners' data or keys is not cut up."""

    def __init__(self, database: Database, archives: Archives, contents: BackupContents) -> None:
        self._database = database
        self._archives = archives
        self._contents = contents

    def activity(self, identity: Identity, resource_id: UUID, number: int, id_: int) -> Part:
        """One activity, by its course module id, as a backup of its own.

        Raises NotFound, Gone, NotInspected, InvalidFile, BlockingFindings, Conflict for what is no backup of
        Moodle 2 or later, NotIndexed.
        """
        return self._cut(self._whole(identity, resource_id, number), cut_activity, id_)

    def section(self, identity: Identity, resource_id: UUID, number: int, id_: int) -> Part:
        """One section with its activities as a backup of its own. Raises as ``activity``."""
        return self._cut(self._whole(identity, resource_id, number), cut_section, id_)

    def file(self, identity: Identity, resource_id: UUID, number: int, content: str, name: str) -> Part:
        """One file, by the SHA-1 of its content and its name. Raises as ``activity``."""
        whole = self._whole(identity, resource_id, number)
        with self._contents.open(whole.whole) as (contents,):
            named = (
                record
                for record in contents.files()
                if record["content"] == content and record["name"] == name
            )
            record = next(named, None)
        member = f"files/{content[:2]}/{content}"
        opened = self._archives.open(whole.whole.digest, since=whole.whole.since)
        if record is None or _SHA1.fullmatch(content) is None or member not in opened.archive:
            raise NotFound("This backup has no such file: its licences list the SHA-1 and the name of each.")

        def blocks() -> Iterator[bytes]:
            with opened.archive.open(member) as stream:
                while block := stream.read(_BLOCK):
                    yield block

        kind = record["mimetype"].lower()
        return Part(
            name=name,
            size=opened.archive.member(member).size,
            media_type=kind if _MEDIA_TYPE.fullmatch(kind) else _ANY_TYPE,
            tag=content,
            modified=whole.whole.since,
            public=whole.public,
            open=_from(opened, blocks),
            licence=record["license"],
            author=record["author"],
        )

    def hindrance(self, identity: Identity, resource_id: UUID, number: int) -> DomainError | None:
        """Why no part of this version can be had, as asking for one would be answered; None when each can.

        NotIndexed says that it is being seen to. Raises NotFound, Gone.
        """
        try:
            whole = self._whole(identity, resource_id, number)
        except (BlockingFindings, Conflict, InvalidFile, NotInspected) as error:
            return error
        return self._archives.hindrance(whole.whole.digest, since=whole.whole.since)

    def _whole(self, identity: Identity, resource_id: UUID, number: int) -> _Readable:
        with self._database.read() as session:
            version: Version = readable_version(session, identity, resource_id, number)
            record = inspection_of(session, version)
            if record.document.get("backup_format") != "moodle2":
                raise Conflict("Only backups of Moodle 2.0 or later have parts that can be taken out.")
            require_harmless(record, "Nothing can be taken out of this file")
            assert version.digest is not None
            whole = Whole(version.digest, version.created_at)
            return _Readable(whole, version.released_at is not None)

    def _cut(self, whole: _Readable, cut: Callable[..., CutOut], id_: int) -> Part:
        opened = self._archives.open_to_cut(whole.whole.digest, since=whole.whole.since)
        with self._contents.open(whole.whole) as (contents,):
            try:
                made = cut(opened.archive, contents, id_)
            except BadSeekIndex as error:
                raise opened.of_no_use() from error
        return Part(
            name=f"{made.title.strip().replace('/', '-') or 'part'}.mbz",
            size=made.size,
            media_type=MOODLE_BACKUP,
            tag=f"{whole.whole.digest[:32]}-{made.tag}",
            modified=whole.whole.since,
            public=whole.public,
            open=_from(opened, made.blocks),
        )


@dataclass(frozen=True, slots=True)
class _Readable:
    """The file of a version that the asker may read, and whether all may."""

    whole: Whole
    public: bool


def _from(
    opened: OpenArchive[Any], blocks: Callable[[], Iterator[bytes]]
) -> Callable[[int], Iterator[bytes]]:
    """The bytes from an offset on: all are made, those before it are dropped."""

    def begin(offset: int) -> Iterator[bytes]:
        left = offset
        try:
            for block in blocks():
                if left >= len(block):
                    left -= len(block)
                else:
                    yield block[left:]
                    left = 0
        except BadSeekIndex as error:
            raise opened.of_no_use() from error

    return begin
