"""One Kubo node, through its RPC: the commands that ``storage.ipfs`` needs, and nothing of blobs.

``ipfshttpclient`` speaks to the node where it can. Its ``connect()`` refuses every node since 0.8 for its
version number and is not used. What it cannot do, bodies of any size in bounded memory and commands younger
than it, goes to the same address by the standard library's client, into which a body is written as it comes.

Every question is asked offline, so that the node looks into its own repository and never searches the network
for what it does not have; only ``look`` and ``fetch`` go there. See https://docs.ipfs.tech/reference/kubo/rpc/.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import ipaddress
import json
import math
import os
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlencode, urlsplit

import base58

_MAX_ANSWER = 1024 * 1024
_RAW = "bafkrei"
"""Begins the CID of a block that is all content, and links to no others."""
_SPOILT = "different hash than requested"
"""What a node with ``Datastore.HashOnRead`` says of a block that is not what its CID says."""
_NOT_GIVEN = ("context deadline exceeded", "could not find")
"""What a node says of content that it does not get, with a network to search and without one."""
_SHA256 = b"\x12\x20"
"""Begins a multihash that is a SHA-256."""

_DAG = {
    "cid-version": "1",
    "raw-leaves": "true",
    "chunker": "size-262144",
    "hash": "sha2-256",
    "trickle": "false",
    "max-file-links": "174",
    "inline": "false",
}
"""How content is cut and linked, on which its CID depends. All of it is said, because operators can change
what a node takes for granted."""


def _library() -> Any:
    # Left alone, it patches requests in a way that was right for urllib3 1 and that urllib3 2 warns of.
    os.environ.setdefault("PY_IPFS_HTTP_CLIENT_PATCH_REQUESTS", "no")
    import ipfshttpclient

    return ipfshttpclient


_LIBRARY = _library()
"""Any: it marks itself as typed nowhere, and its own annotations are the wrong way round."""

Refused: type[Exception] = _LIBRARY.exceptions.ErrorResponse
"""The node answers that it cannot do what it was asked, and why."""
StatusError: type[Exception] = _LIBRARY.exceptions.StatusError
"""Something answers, but not as a node's RPC does."""
NODE_ERRORS: tuple[type[Exception], ...] = (_LIBRARY.exceptions.Error, http.client.HTTPException, OSError)
"""All that goes wrong with a node."""


class NotGiven(TimeoutError):
    """The node is well, but no other one gave it what it looked for."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds a node is waited for."""

    connect: float = 3.0
    answer: float = 30.0
    brief: float = 5.0
    """For an answer, where others wait in turn."""
    long: float = 120.0
    """For what comes after garbage collection: pins, and content that is pinned."""
    lease: float = 60.0
    """Until a writer that does not let go is taken for dead: more than its few brief questions can take."""


@dataclass(frozen=True, slots=True)
class Found:
    """What stands at a path: ``size`` in bytes; ``modified`` where that was said when it was added."""

    cid: str
    size: int
    is_file: bool
    modified: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a folder; ``size`` in bytes, 0 of folders."""

    name: str
    cid: str
    size: int


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes that the node's repository takes up, and how many it may (``Datastore.StorageMax``)."""

    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many damaged blocks were removed, and why the node keeps another one, when it does."""

    blocks: int
    stays: str | None


class Progress(Protocol):
    """Is told now and then how many bytes have come so far."""

    def __call__(self, size: int, /) -> None: ...


class Kubo:
    """The node whose RPC answers at ``host`` (name or address, and port). Threads may share it.

    What goes wrong is one of ``NODE_ERRORS``. Raises ValueError for a host that is none.
    """

    def __init__(self, host: str, *, tls: bool = False, patience: Patience | None = None) -> None:
        self.patience = patience or Patience()
        self._host, self._port = _host_and_port(host)
        self.address = f"{self._host}:{self._port}"
        self._tls = ssl.create_default_context() if tls else None
        self._client = _LIBRARY.Client(
            f"{_multiaddr(self._host)}/tcp/{self._port}/{'https' if tls else 'http'}",
            offline=True,
            session=True,
            timeout=(self.patience.connect, self.patience.answer),
        )
        self._writing = threading.Lock()

    # Content

    def add(self, pin_name: str) -> Adding:
        """Begin a file, which is pinned under that name at its end."""
        options = _DAG | {"pin": "true", "pin-name": pin_name}
        return Adding(self._call("add", options=options, seconds=self.patience.long))

    def add_small(self, data: bytes, modified: datetime, *, brief: bool = False) -> str:
        """CID of a file of one block that says when it was last modified. It is not pinned."""
        moment = round(modified.timestamp() * 1_000_000)
        options = _DAG | {
            "raw-leaves": "false",  # a raw block has no room for the time
            "pin": "false",
            "mtime": str(moment // 1_000_000),
            "mtime-nsecs": str(moment % 1_000_000 * 1000),
        }
        with _understood():
            return str(self._client.add_bytes(data, opts=options, timeout=self._seconds(brief)))

    def cat(self, cid: str, *, offset: int, length: int) -> Content:
        """``length`` bytes from ``offset``, which the caller knows to be within the file."""
        options = {"offset": str(offset), "length": str(length), "offline": "true"}
        call = self._call("cat", f"/ipfs/{cid}", options=options)
        return Content(call, length)

    def cat_small(self, *cids: str, limit: int, brief: bool = False) -> bytes:
        """At most ``limit`` bytes of files, one after the other."""
        paths = [f"/ipfs/{cid}" for cid in cids]
        options = {"length": str(limit), "offline": "true"}
        with self._call("cat", *paths, options=options, seconds=self._seconds(brief)) as call:
            return call.response().read(limit)

    def drop_damaged(self, cid: str) -> Dropped:
        """Remove those blocks of unpinned content that are not what their CIDs say.

        Below a damaged block nothing is looked at: it names its children no more.
        """
        dropped = 0
        stays: str | None = None
        unseen = [cid]
        while unseen:
            cid = unseen.pop()
            with suppress(Refused):  # lost, which is as good
                if self._is_damaged(cid):
                    complaint = self._remove_block(cid)
                    dropped += complaint is None
                    stays = complaint or stays
                elif not cid.startswith(_RAW):
                    unseen += self._children(cid)
        return Dropped(dropped, stays)

    def _is_damaged(self, cid: str) -> bool:
        """Whether the block is not what its CID says. Raises Refused when it is not here."""
        try:
            return not _is_block_of(cid, self._client.block.get(cid))
        except Refused as error:
            if _SPOILT in str(error):
                return True
            raise

    def _children(self, cid: str) -> list[str]:
        """What a block links to, as it says itself: ``refs`` reads the children, and ends at a bad one."""
        with _understood():
            links = self._client.dag.get(cid).as_json().get("Links") or []
            return [str(link["Hash"]["/"]) for link in links]

    def _remove_block(self, cid: str) -> str | None:
        """What the node says when it does not remove it."""
        with self._call("block/rm", cid, seconds=self.patience.long) as call:
            complaints = [str(answer["Error"]) for answer in call.answers() if answer.get("Error")]
        return complaints[0] if complaints else None

    def fetch(self, cid: str, pin_name: str, *, seconds: float, progress: Progress | None) -> None:
        """Bring all of the content from other nodes and pin it under that name. Raises NotGiven."""
        deadline = time.monotonic() + seconds
        options = {"name": pin_name, "progress": "true", "timeout": f"{math.ceil(seconds)}s"}
        with self._call("pin/add", f"/ipfs/{cid}", options=options) as call:
            for told in call.answers():
                if told.get("Pins"):
                    return
                if progress is not None:
                    progress(told.get("Bytes", 0))
                if time.monotonic() > deadline:
                    break
        raise NotGiven(f"all of {cid} within {seconds:.0f} seconds")

    # Pins

    def pin(self, cid: str, name: str) -> None:
        """Pin content, all of which is here; another name of the pin is replaced."""
        self._client.pin.add(f"/ipfs/{cid}", opts={"name": name}, timeout=self.patience.long)

    def unpin(self, cid: str, *, brief: bool = False) -> None:
        """No error where nothing is pinned."""
        seconds = self.patience.brief if brief else self.patience.long
        try:
            self._client.pin.rm(f"/ipfs/{cid}", timeout=seconds)
        except Refused as error:
            if "not pinned" not in str(error):
                raise

    def pin_name(self, cid: str, *, brief: bool = False) -> str | None:
        """The name of the content's pin, None when it is not pinned by itself."""
        options = {"names": "true"}
        try:
            with _understood():
                found = self._client.pin.ls(
                    f"/ipfs/{cid}", type="recursive", opts=options, timeout=self._seconds(brief)
                )
                return str(found.as_json()["Keys"][cid]["Name"])
        except Refused as error:
            if "not pinned" in str(error):
                return None
            raise

    def pins(self, part: str) -> dict[str, str]:
        """CID and name of every pin whose name contains ``part``."""
        with _understood():
            found = self._client.pin.ls(type="recursive", opts={"name": part}).as_json()
            return {cid: pin["Name"] for cid, pin in found.get("Keys", {}).items()}

    # The node's own file system (MFS)

    def stat(self, path: str, *, brief: bool = False) -> Found | None:
        """What stands at a path of MFS, or at one below ``/ipfs/CID``; None when there is nothing.

        In MFS itself, only for what is known to be here: for a lost block a node searches its network, no
        matter what it is asked, and lets nobody into the folder until it is found.
        """
        try:
            with _understood():
                return _found(self._client.files.stat(path, timeout=self._seconds(brief)).as_json())
        except Refused as error:
            if _is_missing(error):
                return None
            raise

    def look(self, cid: str, *, seconds: float) -> Found:
        """What the first block of the content says, wherever on the network it is. Raises NotGiven."""
        options = {"timeout": f"{math.ceil(seconds)}s"}
        # The node itself says when the time is over: who does not even say that is not well.
        patience = math.ceil(seconds) + self.patience.brief
        call = self._call("files/stat", f"/ipfs/{cid}", options=options, seconds=patience)
        try:
            with _understood(), call:
                return _found(next(call.answers()))
        except Refused as error:
            if any(words in str(error) for words in _NOT_GIVEN):
                raise NotGiven(f"{cid} within {seconds:.0f} seconds") from error
            raise

    def names(self, folder: str, *, brief: bool = False) -> list[str]:
        """Names of what stands in a folder of MFS; none when there is no such folder."""
        try:
            with _understood():
                found = self._client.files.ls(folder, timeout=self._seconds(brief)).as_json()
                return [entry["Name"] for entry in found["Entries"] or []]
        except Refused as error:
            if _is_missing(error):
                return []
            raise

    def entries(self, cid: str) -> list[Entry]:
        """What stands in a folder."""
        with _understood():
            links = self._client.ls(f"/ipfs/{cid}").as_json()["Objects"][0]["Links"]
            return [Entry(name=link["Name"], cid=link["Hash"], size=link["Size"]) for link in links]

    def link(self, cid: str, path: str, *, replace: bool = False) -> bool:
        """Let content stand at ``path`` (too), in folders that are made. False when something stands there.

        Only what is known to be here can be replaced. ``flush`` makes it durable.
        """
        options = {"parents": "true", "force": "true" if replace else "false", "flush": "false"}
        for _ in range(10):
            try:
                self._client.files.cp(f"/ipfs/{cid}", path, opts=options, timeout=self.patience.brief)
            except Refused as error:
                if "already has entry" in str(error):
                    return False
                if "file already exists" not in str(error):  # a folder that another thread made just before
                    raise
            else:
                return True
        raise TimeoutError(f"others make the folders of {path} all the time")

    def unlink(self, path: str) -> None:
        """Remove a file; no error where there is none. ``flush`` makes it durable.

        The node keeps in memory what it knows of the folder's subfolders, and forgets it here: while others
        change them at the same time, there must be none.
        """
        options = {"force": "true"}
        with self._call("files/rm", path, options=options, seconds=self.patience.brief) as call:
            if complaint := call.response().read(_MAX_ANSWER):
                raise Refused(complaint.decode(errors="replace"), None)

    def flush(self, folder: str) -> None:
        """Make all changes of a folder durable; nothing where there is none."""
        with _unless_missing(), self._call("files/flush", folder, seconds=self.patience.brief) as call:
            call.response().read(_MAX_ANSWER)

    @contextmanager
    def one_writer(self, path: str) -> Iterator[None]:
        """Keep out all who ask for the same ``path``, on whatever machine they run; its folder is its own.

        Changes of MFS at the same time can undo one another on disk: each carries its folder up to the root
        by itself, and an older state may arrive last. The lease is an entry of MFS, which only one can make.
        It is not flushed, so that it does not outlive the node; when its holder dies, it is broken after a
        while.
        """
        if not self._writing.acquire(timeout=self.patience.long):
            raise TimeoutError("other threads write to the node and do not come to an end")
        mine = inline(secrets.token_hex(16))
        try:
            self._take_lease(path, mine)
            yield
        finally:
            with suppress(*NODE_ERRORS):  # it will be broken, and must not hide what went wrong
                lease = self.stat(path, brief=True)
                if lease is not None and lease.cid == mine:
                    self.unlink(path)
            self._writing.release()

    def _take_lease(self, path: str, mine: str) -> None:
        began = since = time.monotonic()
        holder: str | None = None
        while not self.link(mine, path):
            while (lease := self.stat(path, brief=True)) is not None:
                now = time.monotonic()
                if lease.cid != holder:
                    holder, since = lease.cid, now
                elif now - since > self.patience.lease:
                    self.unlink(path)
                if now - began > self.patience.long:
                    raise TimeoutError("others write to the node and do not come to an end")
                time.sleep(0.002 + secrets.randbelow(20) / 1000)

    # Garbage collection

    def canary(self) -> str:
        """A block that nothing holds, made when no garbage collection is running."""
        block = io.BytesIO(secrets.token_bytes(16))
        options = {"cid-codec": "raw"}
        with _understood():
            return str(self._client.block.put(block, opts=options, timeout=self.patience.long)["Key"])

    def survives(self, canary: str) -> bool:
        """Whether no garbage was collected since the canary was made; waits for what is running."""
        self.unpin(inline("never pinned"))  # waits as well where there is nothing to unpin
        try:
            self._client.block.stat(canary)
        except Refused as error:
            if "could not find" in str(error):
                return False
            raise
        return True

    # The node itself

    def room(self) -> Room:
        """What its repository takes up and may take up."""
        with _understood():
            found = self._client.repo.stat(opts={"size-only": "true"})
            return Room(used=int(found["RepoSize"]), limit=int(found["StorageMax"]))

    def check(self) -> None:
        """Write and read some bytes, quickly. Raises OSError when they are not the same."""
        proof = b"written and read\n"
        cid = self.add_small(proof, datetime(2026, 1, 1, tzinfo=UTC), brief=True)
        if self.cat_small(cid, limit=len(proof) + 1, brief=True) != proof:
            raise OSError("what was written is not what is read")

    def _call(
        self,
        command: str,
        *arguments: str,
        options: Mapping[str, str] = MappingProxyType({}),
        seconds: float | None = None,
    ) -> _Call:
        query = urlencode([*(("arg", argument) for argument in arguments), *options.items()])
        where, wait = (self._host, self._port), self.patience.connect
        connection = (
            http.client.HTTPConnection(*where, timeout=wait)
            if self._tls is None
            else http.client.HTTPSConnection(*where, timeout=wait, context=self._tls)
        )
        return _Call(connection, f"/api/v0/{command}?{query}", seconds or self.patience.answer)

    def _seconds(self, brief: bool) -> float:
        return self.patience.brief if brief else self.patience.answer


class _Call:
    """One request on a connection of its own; ``seconds`` is the longest that either side may keep silent."""

    def __init__(self, connection: http.client.HTTPConnection, path: str, seconds: float) -> None:
        self._connection = connection
        self._path = path
        self._seconds = seconds
        self._response: http.client.HTTPResponse | None = None

    def begin(self, **headers: str) -> None:
        """Connect and send the head of the request."""
        self._connection.connect()
        self._connection.sock.settimeout(self._seconds)
        self._connection.putrequest("POST", self._path, skip_accept_encoding=True)
        for name, value in headers.items():
            self._connection.putheader(name.replace("_", "-"), value)
        self._connection.endheaders()

    def send(self, *parts: bytes | memoryview) -> None:
        """Send some of the body. Raises what the node answered meanwhile, where it refuses the rest."""
        try:
            for part in parts:
                self._connection.sock.sendall(part)
        except TimeoutError:
            raise
        except OSError:
            with suppress(OSError, http.client.HTTPException):
                self.response()
            raise

    def response(self) -> http.client.HTTPResponse:
        """Its answer, when it is one. Raises Refused, StatusError."""
        if self._response is None:
            if self._connection.sock is None:
                self.begin(Content_Length="0")
            self._response = self._connection.getresponse()
            if self._response.status != http.client.OK:
                raise _refusal(self._response)
        return self._response

    def answers(self) -> Iterator[dict[str, Any]]:
        """The JSON objects of its answer, as they come."""
        response = self.response()
        while line := response.readline(_MAX_ANSWER):
            with _understood():
                answer = dict(json.loads(line))
            yield answer

    def close(self) -> None:
        if self._response is not None:
            self._response.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Adding:
    """A file that goes into the node while it is written. One thread uses it.

    The node collects no garbage meanwhile: so it begins with the first byte, and not before.
    """

    def __init__(self, call: _Call) -> None:
        self._call = call
        self._boundary = secrets.token_hex(16)
        self._begun = False

    def write(self, data: memoryview) -> None:
        """Send ``data`` (bytes, contiguous)."""
        self._begin()
        self._chunk(data)

    def finish(self) -> str:
        """CID of the file, which is pinned now."""
        self._begin()
        self._chunk(memoryview(f"\r\n--{self._boundary}--\r\n".encode()))
        self._call.send(b"0\r\n\r\n")
        with _understood(), self._call:
            hashes = [str(answer["Hash"]) for answer in self._call.answers() if "Hash" in answer]
            (cid,) = hashes
            return cid

    def abort(self) -> None:
        """Break off: what the node has got so far is garbage. Does nothing when finished."""
        self._call.close()

    def _begin(self) -> None:
        if self._begun:
            return
        self._begun = True
        self._call.begin(
            Content_Type=f"multipart/form-data; boundary={self._boundary}", Transfer_Encoding="chunked"
        )
        head = (
            f"--{self._boundary}\r\n"
            'Content-Disposition: form-data; name="file"; filename="blob"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        self._chunk(memoryview(head.encode()))

    def _chunk(self, data: memoryview) -> None:
        self._call.send(b"%x\r\n" % len(data), data, b"\r\n")


class Content:
    """Reads a part of a file as the node sends it. Raises EndsEarly."""

    def __init__(self, call: _Call, length: int) -> None:
        self._call = call
        self._left = length
        try:
            self._response = call.response()
        except BaseException:
            call.close()
            raise

    def read(self, size: int = -1, /) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._response.read(wanted) if wanted else b""
        self._left -= len(data)
        if len(data) < wanted:
            raise EndsEarly(f"{self._left} bytes are missing")
        return data

    def close(self) -> None:
        self._call.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class EndsEarly(OSError):
    """The node does not have all of a file: it says so by ending its answer, which looks complete."""


def inline(text: str) -> str:
    """CID of a file that contains ``text``: the CID carries the content, and no node needs a block of it."""
    content = text.encode("ascii")
    cid = bytes((1, 0x55, 0, len(content))) + content  # CIDv1, raw, identity, length
    return "b" + base64.b32encode(cid).decode().rstrip("=").lower()


def _is_block_of(cid: str, block: bytes) -> bool:
    """Whether the CID is that of the block. One of another hash than SHA-256 is taken at its word."""
    multihash = _multihash(cid)
    return not multihash.startswith(_SHA256) or hashlib.sha256(block).digest() == multihash[2:]


def _multihash(cid: str) -> bytes:
    """The hash that a CID carries, after which hash it is. Trees of others may have CIDv0, too."""
    if cid.startswith("Qm"):
        return base58.b58decode(cid)
    return base64.b32decode(cid[1:].upper() + "=" * (-len(cid[1:]) % 8))[2:]


def _host_and_port(host: str) -> tuple[str, int]:
    parts = urlsplit(f"//{host}")
    if not parts.hostname or parts.username is not None or parts.path or parts.query:
        raise ValueError("a node's address is a name or an IP address, and a port")
    return parts.hostname, parts.port or 5001


def _multiaddr(host: str) -> str:
    try:
        return f"/ip{ipaddress.ip_address(host).version}/{host}"
    except ValueError:
        return f"/dns/{host}"


def _found(answer: dict[str, Any]) -> Found:
    seconds = answer.get("Mtime")
    return Found(
        cid=answer["Hash"],
        size=answer["Size"],
        is_file=answer["Type"] == "file",
        modified=None
        if seconds is None
        else datetime.fromtimestamp(seconds + answer.get("MtimeNsecs", 0) / 1_000_000_000, tz=UTC),
    )


def _is_missing(error: Exception) -> bool:
    return any(words in str(error) for words in ("file does not exist", "no link named"))


def is_away(error: Exception) -> bool:
    """Whether nothing listens where the node should be, or there is no such place."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionRefusedError | socket.gaierror):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


@contextmanager
def _unless_missing() -> Iterator[None]:
    try:
        yield
    except Refused as error:
        if not _is_missing(error):
            raise


@contextmanager
def _understood() -> Iterator[None]:
    """An answer of another shape than a node's is an error of ``NODE_ERRORS``."""
    try:
        yield
    except (AssertionError, AttributeError, LookupError, StopIteration, TypeError, ValueError) as error:
        raise http.client.HTTPException("something answers that is no IPFS node") from error


def _refusal(response: http.client.HTTPResponse) -> Exception:
    """What the library would raise for this answer."""
    try:
        message = json.loads(response.read(_MAX_ANSWER))["Message"]
    except (ValueError, LookupError, TypeError):
        return StatusError(http.client.HTTPException(f"{response.status} {response.reason}"))
    return Refused(message, None)
