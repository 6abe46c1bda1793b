"""Blobs in IPFS: pinned content of one Kubo node, and its file system (MFS) as the catalogue.

::

    <root>/blobs/a/b/<CID>          a blob; two characters near the end of its CID fan it out
    <root>/blobs/a/b/<CID>.json     its sidecar; its mtime is when the blob was last published
    <root>/writer/lease             there while somebody changes the catalogue
    pin "moodle-resources <root> blob <upload>"                 a blob, and the upload that brought it
    pin "moodle-resources <root> staging <upload> <seconds>"    an upload that goes on, and when it said so

The locator is the CID: the same bytes have it on every node, and it is what ``ipfs add --cid-version=1
--raw-leaves --chunker=size-262144`` prints. Bytes go into the node while they are written, and are pinned at
their end. Publishing links the sidecar and then the blob into the catalogue, which says what there is;
deleting unpins and unlinks. What a crash leaves is pinned, but not in the catalogue, and its upload is still
noted as staging: that is how the sweep finds it.

Both pin and catalogue protect a blob from garbage collection, because the catalogue alone is not safe: a node
that collects garbage also collects folders that are being written, and after a restart it misses them, with
all that they protect. So content stays pinned, and a change of the catalogue is made again when garbage was
collected meanwhile.
"""

from __future__ import annotations

import hashlib
import io
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from storage.base import (
    CHUNK_SIZE,
    BlobReader,
    BlobStat,
    Capability,
    Digest,
    Locator,
    Sidecar,
    StoredBlob,
)
from storage.driver import StoreUrl
from storage.errors import (
    BlobDamaged,
    BlobNotFound,
    InvalidLocator,
    InvalidRange,
    SizeMismatch,
    StorageError,
    StorageFull,
    StorageRefused,
    StorageUnavailable,
    StoredDamaged,
)
from storage.kubo import (
    NODE_ERRORS,
    EndsEarly,
    Entry,
    Found,
    Kubo,
    NotGiven,
    Progress,
    Refused,
    StatusError,
    inline,
    is_away,
)
from storage.sidecar import MAX_SIDECAR_SIZE, decode_sidecar, encode_sidecar

_LOCATOR = re.compile(r"baf(?:ybei|krei)[a-z2-7]{51}[aeimquy4]")
"""CIDv1 in base32, SHA-256, of a UnixFS tree (dag-pb) or of one raw block."""
_EMPTY = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
"""No bytes at all, which nodes do not send each other."""
_ROOT = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]{1,32}){1,4}")
_SIDECAR_SUFFIX = ".json"
_PAGE = 50
"""Sidecars that are read at once."""

_KEEP_MARKED = timedelta(minutes=10).total_seconds()
"""How often an upload that goes on says so, in seconds; far below the age at which uploads are swept."""
_ROUNDS = 20
"""How often a change of the catalogue is tried while the node collects garbage again and again."""
_BEFORE_ITS_TURN_SECONDS = 0.05
"""Far more than a node needs from looking up what to keep until it collects the rest."""
_ENDLESS = 1 << 62
"""Bytes that no disk has: the node is told to take whatever comes."""

_FULL = ("no space left on device", "disk quota exceeded", "maximum storage limit exceeded")
_LOST = "could not find"
_LATE = "context "
"""Begins what the node says of its own time limits, in Go's words: context deadline exceeded."""


class IpfsDriver:
    """One folder ``root`` of a node's MFS. Several processes, on several machines, may share it.

    A node is part of a public network unless the operator says that it is ``private``.
    """

    name = "ipfs"

    def __init__(self, node: Kubo, *, root: str = "/repo", private: bool = False) -> None:
        if not _ROOT.fullmatch(root):
            raise ValueError("the root is a path of up to four plain names, such as /repo")
        self._node = node
        self._blobs = f"{root}/blobs"
        self._lease = f"{root}/writer/lease"
        self._pin = f"moodle-resources {root}"
        self._marker = re.compile(rf"{re.escape(self._pin)} staging ([0-9a-f]{{32}}) ([0-9]{{1,12}})")
        self._private = private

    @property
    def capabilities(self) -> frozenset[Capability]:
        public = frozenset[Capability]() if self._private else frozenset({Capability.PUBLIC})
        return public | {Capability.CONTENT_ADDRESSED}

    def translate(self, error: Exception) -> StorageError | None:
        if isinstance(error, EndsEarly):
            return BlobDamaged(f"the IPFS node has not all of it: {error}")
        if isinstance(error, Refused):
            return _meaning_of_refusal(error)
        if isinstance(error, StatusError):
            return StorageRefused(f"this is no RPC of an IPFS node, or it is not open to us: {error}")
        if isinstance(error, NODE_ERRORS):
            return StorageUnavailable(self._trouble(error))
        return None

    def stage(self, expected_size: int | None) -> _IpfsStaged:
        return _IpfsStaged(self, self._node)

    def open(self, locator: Locator, offset: int, length: int | None) -> BlobReader:
        size = self._expect(locator).size
        if offset > size:
            raise InvalidRange(f"offset {offset} is beyond the end ({size} bytes)")
        length = size - offset if length is None else min(length, size - offset)
        if not length:  # which the node reads as: to the end
            return io.BytesIO()
        try:
            return self._node.cat(locator, offset=offset, length=length)
        except Refused as error:
            raise _damage(error) from error

    def stat(self, locator: Locator) -> BlobStat:
        size = self._expect(locator).size
        note = self._note(locator)
        # Without its sidecar nobody knows when it came, and whoever asks wants to delete what is old.
        modified = note.modified if note is not None else None
        return BlobStat(locator=locator, size=size, modified=modified or datetime.now(UTC))

    def sidecar(self, locator: Locator) -> Sidecar | None:
        self._expect(locator)
        note = self._note(locator)
        return None if note is None else self._read_sidecar(note.cid)

    def delete(self, locator: Locator) -> None:
        path = self._path(locator)

        def unlink() -> None:
            name = self._node.pin_name(locator, brief=True)
            if name is not None and name.startswith(f"{self._pin} "):
                self._node.unpin(locator, brief=True)
            self._node.unlink(path)
            self._node.unlink(path + _SIDECAR_SUFFIX)

        self._change(_folder(path), unlink)

    def iter(self) -> Iterator[StoredBlob]:
        for folder in self._folders():
            entries = self._entries(folder)
            notes = self._read_sidecars([entry for entry in entries if entry.name.endswith(_SIDECAR_SUFFIX)])
            for entry in entries:
                if _LOCATOR.fullmatch(entry.name):
                    sidecar = notes.get(entry.name + _SIDECAR_SUFFIX)
                    yield StoredBlob(locator=Locator(entry.name), size=entry.size, sidecar=sidecar)

    def sweep_staged(self, older_than: timedelta) -> int:
        limit = datetime.now(UTC) - older_than
        swept = 0
        for name in self._node.pins(f"{self._pin} staging ").values():
            marker = self._marker.fullmatch(name)
            if marker and datetime.fromtimestamp(int(marker[2]), tz=UTC) <= limit:
                content = self._node.pins(self.pin_name(marker[1]))
                self.forget(marker[1], *(Locator(cid) for cid in content))
                swept += 1
        pinned = self._node.pins(f"{self._pin} blob ")
        for folder in self._folders():
            self._sweep_sidecars(folder, limit)
            for name in self._node.names(folder):
                if _LOCATOR.fullmatch(name) and name not in pinned:
                    self._pin_again(Locator(name))
        return swept

    def free_bytes(self) -> int | None:
        room = self._node.room()
        return max(0, room.limit - room.used) if 0 < room.limit < _ENDLESS else None

    def check(self) -> None:
        self._node.check()

    def cid_of(self, locator: Locator) -> str:
        self._path(locator)
        return locator

    def fetch(
        self,
        cid: str,
        *,
        media_type: str,
        time_limit: timedelta,
        max_size: int | None = None,
        progress: Progress | None = None,
    ) -> StoredBlob:
        deadline = time.monotonic() + time_limit.total_seconds()

        def seconds_left() -> float:
            return max(0.1, deadline - time.monotonic())

        locator = Locator(cid)
        self._path(locator)
        upload = secrets.token_hex(16)
        self.mark(upload)
        try:
            if self._is_listed(locator):
                self._drop_damaged(locator)
            if cid == _EMPTY:
                self._node.add(self.pin_name(upload)).finish()
            found = self._node.look(cid, seconds=seconds_left())
            self._expect_fit(found, max_size)
            self._node.fetch(cid, self.pin_name(upload), seconds=seconds_left(), progress=progress)
            digest = self._digest(locator, found.size)
            sidecar = Sidecar(digest=digest, size=found.size, media_type=media_type)
            self.link(locator, sidecar, upload)
        except BaseException:
            with suppress(*NODE_ERRORS, StorageError):
                self.forget(upload, locator)
            raise
        self.unmark(upload)
        return StoredBlob(locator=locator, size=found.size, sidecar=sidecar)

    # What a staged blob asks of its driver. An upload is 32 random hexadecimal characters.

    def pin_name(self, upload: str) -> str:
        return f"{self._pin} blob {upload}"

    def mark(self, upload: str) -> None:
        """Note that the upload goes on."""
        self._node.pin(inline(upload), f"{self._pin} staging {upload} {int(time.time())}")

    def expect_marked(self, upload: str) -> None:
        """Raises StorageUnavailable when it was swept."""
        if self._node.pin_name(inline(upload)) is None:
            raise StorageUnavailable("the staged bytes were swept away")

    def unmark(self, upload: str) -> None:
        """The upload is a blob now; when this cannot be said, the sweep will find out."""
        with suppress(*NODE_ERRORS):
            self._node.unpin(inline(upload))

    def forget(self, upload: str, *content: Locator) -> None:
        """Unpin what an upload brought, where nobody published it."""
        for locator in content:
            with self._node.one_writer(self._lease):
                ours = self._node.pin_name(locator, brief=True) == self.pin_name(upload)
                if ours and not self._is_listed(locator, brief=True):
                    self._node.unpin(locator, brief=True)
        self._node.unpin(inline(upload))

    def expect_right(self, locator: Locator, sidecar: Sidecar) -> None:
        """Raises StoredDamaged when bytes that were here before have decayed.

        A node that has a block does not write it again, also when it is spoilt: what is spoilt is removed,
        and the next time that the same content is published it is whole.
        """
        if not self._is_listed(locator):
            return
        try:
            right = self._digest(locator, sidecar.size) == sidecar.digest
        except (Refused, EndsEarly):
            right = False
        if not right:
            dropped = self._drop_damaged(locator)
            raise StoredDamaged(
                f"{dropped} damaged blocks of this content were removed: try again", removed=dropped
            )

    def link(self, locator: Locator, sidecar: Sidecar, upload: str) -> None:
        """Enter content that is in the node into the catalogue."""
        path = self._path(locator)

        def link() -> None:
            if self._node.pin_name(locator, brief=True) is None:
                raise _NotPinnedError
            note = self._node.add_small(encode_sidecar(sidecar), datetime.now(UTC), brief=True)
            readable = self._note(locator, brief=True) is not None
            if not readable:
                self._node.unlink(path + _SIDECAR_SUFFIX)
            self._node.link(note, path + _SIDECAR_SUFFIX, replace=readable)
            self._node.link(locator, path)

        for _ in range(_ROUNDS):
            try:
                return self._change(_folder(path), link)
            except _NotPinnedError:  # the same content was deleted a moment ago; this fails if it is gone
                self._node.pin(locator, self.pin_name(upload))
        raise StorageUnavailable("the same content is deleted all the time")

    def _drop_damaged(self, locator: Locator) -> int:
        """How many blocks went. Raises StoredDamaged when the node keeps one."""
        self._node.unpin(locator)  # or no block could be removed; the catalogue protects it meanwhile
        dropped = self._node.drop_damaged(locator)
        if dropped.stays is not None:
            # Another pin has it, too; or a block of other content is damaged, above which the node cannot see
            # any more what is pinned. That content is repaired by itself, and then this one.
            raise StoredDamaged(
                f"{dropped.blocks} damaged blocks of this content were removed, another one cannot be yet: "
                f"{dropped.stays}",
                removed=dropped.blocks,
            )
        return dropped.blocks

    def _change(self, folder: str, change: Callable[[], None]) -> None:
        """Change the catalogue alone and durably, and again when garbage was collected meanwhile."""
        for _ in range(_ROUNDS):
            canary = self._node.canary()
            try:
                with self._node.one_writer(self._lease):
                    change()
                    self._node.flush(folder)
            except Refused:
                if self._node.survives(canary):
                    raise
            else:
                if self._node.survives(canary):
                    # Kubo looks up the root of MFS before it takes its turn to collect (core/corerepo/gc.go):
                    # one that knows nothing of this change yet may still be about to begin.
                    time.sleep(_BEFORE_ITS_TURN_SECONDS)
                    if self._node.survives(canary):
                        return
        raise StorageUnavailable("the IPFS node collects garbage all the time")

    def _path(self, locator: Locator) -> str:
        """Where the blob stands in MFS, when the locator has the one form this store makes."""
        if not _LOCATOR.fullmatch(locator):
            raise InvalidLocator("not a locator of the IPFS store")
        return f"{self._blobs}/{locator[-3]}/{locator[-2]}/{locator}"

    def _trouble(self, error: Exception) -> str:
        """What people are told of a node that gives no answer, or of its network."""
        if isinstance(error, NotGiven):
            return (
                f"no node that this one is connected to gives {error}; `ipfs swarm peers` lists those, and "
                "docs/catalogue.md says what a mirror needs"
            )
        if is_away(error):
            return f"no IPFS node answers at {self._node.address}: it has to be started (`ipfs daemon`)"
        return f"the IPFS node does not answer as it should: {error}"

    def _expect(self, locator: Locator) -> Found:
        """The blob's content, which is here, and in the catalogue. Raises BlobNotFound, BlobDamaged."""
        path = self._path(locator)
        try:
            found = self._node.stat(f"/ipfs/{locator}")
        except Refused as error:
            if not self._is_listed(locator):
                raise BlobNotFound(locator) from None
            raise _damage(error) from error
        if found is None or self._node.stat(path) is None:
            raise BlobNotFound(locator)
        return found

    def _is_listed(self, locator: Locator, *, brief: bool = False) -> bool:
        """Whether it is in the catalogue, without a look at its content."""
        return locator in self._node.names(_folder(self._path(locator)), brief=brief)

    def _folders(self) -> Iterator[str]:
        """Every folder that may hold blobs."""
        for first in self._node.names(self._blobs):
            for second in self._node.names(f"{self._blobs}/{first}"):
                yield f"{self._blobs}/{first}/{second}"

    def _note(self, locator: Locator, *, brief: bool = False) -> Found | None:
        """The sidecar's file, None when it is missing or lost."""
        folder = self._node.stat(_folder(self._path(locator)), brief=brief)
        if folder is None:
            return None
        try:
            return self._node.stat(f"/ipfs/{folder.cid}/{locator}{_SIDECAR_SUFFIX}", brief=brief)
        except Refused as error:
            if _LATE in str(error):
                raise
            return None

    def _entries(self, folder: str) -> list[Entry]:
        found = self._node.stat(folder)
        if found is None:
            return []
        try:
            return self._node.entries(found.cid)
        except Refused:  # the list needs a block of each
            return [self._entry(found.cid, name) for name in self._node.names(folder)]

    def _entry(self, folder_cid: str, name: str) -> Entry:
        try:
            found = self._node.stat(f"/ipfs/{folder_cid}/{name}")
        except Refused as error:
            if _LATE in str(error):
                raise
            found = None
        if found is None:  # nothing of it can be read
            return Entry(name=name, cid=name, size=0)
        return Entry(name=name, cid=found.cid, size=found.size)

    def _read_sidecars(self, notes: list[Entry]) -> dict[str, Sidecar | None]:
        """By name of their entries; many are read at once."""
        found: dict[str, Sidecar | None] = {}
        readable = [note for note in notes if 0 < note.size <= MAX_SIDECAR_SIZE]
        for start in range(0, len(readable), _PAGE):
            page = readable[start : start + _PAGE]
            try:
                data = self._node.cat_small(*(note.cid for note in page), limit=_PAGE * MAX_SIDECAR_SIZE)
            except Refused:
                found |= {note.name: self._read_sidecar(note.cid) for note in page}
                continue
            for note in page:
                found[note.name], data = decode_sidecar(data[: note.size]), data[note.size :]
        return found

    def _read_sidecar(self, cid: str) -> Sidecar | None:
        try:
            return decode_sidecar(self._node.cat_small(cid, limit=MAX_SIDECAR_SIZE + 1))
        except Refused:  # lost, or no file
            return None

    def _sweep_sidecars(self, folder: str, limit: datetime) -> None:
        """Remove old sidecars whose blob never came."""
        for locator in self._without_blob(folder):
            note = self._note(locator)
            if note is not None and note.modified is not None and note.modified > limit:
                continue

            def unlink(locator: Locator = locator) -> None:
                if locator in self._without_blob(folder):
                    self._node.unlink(f"{folder}/{locator}{_SIDECAR_SUFFIX}")

            self._change(folder, unlink)

    def _pin_again(self, locator: Locator) -> None:
        """Pin what is in the catalogue and lost its pin.

        A repair unpins what it cannot make whole yet, and that may come to be whole by the repair of another
        file, with which it shares blocks.
        """
        try:  # pinning searches the network without end for what is lost
            self._digest(locator, self._expect(locator).size)
        except (Refused, EndsEarly, BlobNotFound):
            return  # it will be pinned when it is published again
        with self._node.one_writer(self._lease):
            if self._is_listed(locator, brief=True) and self._node.pin_name(locator, brief=True) is None:
                self._node.pin(locator, self.pin_name(secrets.token_hex(16)))

    def _without_blob(self, folder: str) -> set[Locator]:
        """Where there is a sidecar and no blob."""
        names = set(self._node.names(folder))
        notes = {name.removesuffix(_SIDECAR_SUFFIX) for name in names if name.endswith(_SIDECAR_SUFFIX)}
        return {Locator(name) for name in notes - names if _LOCATOR.fullmatch(name)}

    def _expect_fit(self, found: Found, max_size: int | None) -> None:
        if not found.is_file:
            raise InvalidLocator("a folder is no blob")
        if max_size is not None and found.size > max_size:
            raise SizeMismatch(f"{found.size} bytes are more than {max_size}")
        free = self.free_bytes()
        if free is not None and found.size > free:
            raise StorageFull(f"{found.size} bytes do not fit into {free}")

    def _digest(self, locator: Locator, size: int) -> Digest:
        digest = hashlib.sha256()
        if size:
            with self._node.cat(locator, offset=0, length=size) as content:
                while block := content.read(CHUNK_SIZE):
                    digest.update(block)
        return Digest(digest.hexdigest())


class _IpfsStaged:
    """Sends what is written on to the node. What counts as a blob is decided when all is there."""

    def __init__(self, driver: IpfsDriver, node: Kubo) -> None:
        self._driver = driver
        self._upload = secrets.token_hex(16)
        driver.mark(self._upload)
        self._marked = time.monotonic()
        self._adding = node.add(driver.pin_name(self._upload))
        self._added: Locator | None = None
        self._in_doubt = False
        self._size = 0
        self._room = 0

    def write(self, data: memoryview) -> None:
        self._size += len(data)
        if self._size > self._room:
            self._expect_room(len(data))
        if time.monotonic() - self._marked > _KEEP_MARKED:
            self._driver.expect_marked(self._upload)
            self._driver.mark(self._upload)
            self._marked = time.monotonic()
        self._adding.write(data)

    def publish(self, sidecar: Sidecar) -> Locator:
        self._driver.expect_marked(self._upload)
        self._in_doubt = True
        try:
            self._added = Locator(self._adding.finish())
        except Refused:
            self._in_doubt = False
            raise
        self._in_doubt = False
        self._driver.expect_right(self._added, sidecar)
        self._driver.link(self._added, sidecar, self._upload)
        self._driver.unmark(self._upload)
        return self._added

    def abort(self) -> None:
        self._adding.abort()
        if not self._in_doubt:  # else the node may pin it yet, and the sweep looks later
            self._driver.forget(self._upload, *([] if self._added is None else [self._added]))

    def _expect_room(self, more: int) -> None:
        """A node takes what comes until its disk is full; its limit is only for its garbage collection."""
        free = self._driver.free_bytes()
        if free is not None and more > free:
            raise StorageFull(f"{more} bytes do not fit into {free}")
        self._room = self._size - more + (_ENDLESS if free is None else free)


class _NotPinnedError(Exception):
    """Content that should be linked is not pinned any more."""


def _meaning_of_refusal(error: Exception) -> StorageError:
    message = str(error)
    if any(words in message for words in _FULL):
        return StorageFull(message)
    if _LOST in message:
        return BlobDamaged(f"the IPFS node has lost content: {message}")
    return StorageUnavailable(f"the IPFS node cannot do it: {message}")


def _damage(error: Exception) -> Exception:
    """What it means that the node cannot read content that it should have."""
    return error if _LATE in str(error) else BlobDamaged(f"the IPFS node cannot read it: {error}")


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def from_url(url: StoreUrl) -> IpfsDriver:
    url.accept_options("root", "private")
    private = url.options.get("private", "false")
    if not url.host or url.path.strip("/") or private not in {"true", "false"}:
        raise ValueError("an IPFS store URL looks like ipfs+http://127.0.0.1:5001?root=/repo&private=true")
    return IpfsDriver(
        Kubo(url.host, tls=url.scheme == "ipfs+https"),
        root=url.options.get("root", "/repo"),
        private=private == "true",
    )
