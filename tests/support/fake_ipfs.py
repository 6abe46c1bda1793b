"""IPFS nodes that are none: for what would take long, or be impossible, to make real nodes do.

``fake-ipfs://NODE`` is a store like ``storage.ipfs``, within this process. All nodes are on one network: each
has what any other one has published, unless the network is down.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from storage import (
    BlobNotFound,
    BlobStat,
    Capability,
    Digest,
    InvalidLocator,
    InvalidRange,
    Locator,
    Sidecar,
    SizeMismatch,
    StorageError,
    StorageUnavailable,
    StoredBlob,
    registry,
)
from storage.driver import StoreUrl

_SCHEME = "fake-ipfs"


@dataclass
class Network:
    """What the nodes have in common. ``fetched``: CIDs that were asked for; ``piecewise``: those that come a
    byte at each attempt."""

    up: bool = True
    content: dict[str, bytes] = field(default_factory=dict)
    nodes: dict[str, dict[str, _Entry]] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)
    piecewise: dict[str, int] = field(default_factory=dict)

    def put(self, data: bytes) -> str:
        """The CID of content that some other node has."""
        cid = cid_of(data)
        self.content[cid] = data
        return cid

    def url(self, node: str) -> str:
        """What ``storage.open_store`` needs."""
        return f"{_SCHEME}://{node}?name=ipfs"


@dataclass(frozen=True)
class _Entry:
    data: bytes
    sidecar: Sidecar
    modified: datetime


_NETWORK = Network()


class FakeIpfs:
    """One node."""

    name = "ipfs"
    capabilities = frozenset({Capability.PUBLIC, Capability.CONTENT_ADDRESSED})

    def __init__(self, network: Network, node: str) -> None:
        self._network = network
        self._here = network.nodes.setdefault(node, {})

    def translate(self, error: Exception) -> StorageError | None:
        return None

    def stage(self, expected_size: int | None) -> _Staged:
        return _Staged(self)

    def open(self, locator: Locator, offset: int, length: int | None) -> io.BytesIO:
        data = self._find(locator).data
        if offset > len(data):
            raise InvalidRange("beyond the end")
        return io.BytesIO(data[offset : len(data) if length is None else offset + length])

    def stat(self, locator: Locator) -> BlobStat:
        entry = self._find(locator)
        return BlobStat(locator=locator, size=len(entry.data), modified=entry.modified)

    def sidecar(self, locator: Locator) -> Sidecar | None:
        return self._find(locator).sidecar

    def delete(self, locator: Locator) -> None:
        self._here.pop(locator, None)

    def iter(self) -> Iterator[StoredBlob]:
        for cid, entry in list(self._here.items()):
            yield StoredBlob(locator=Locator(cid), size=len(entry.data), sidecar=entry.sidecar)

    def sweep_staged(self, older_than: timedelta) -> int:
        return 0

    def free_bytes(self) -> int | None:
        return None

    def check(self) -> None:
        """It answers."""

    def cid_of(self, locator: Locator) -> str:
        return locator

    def fetch(
        self,
        cid: str,
        *,
        media_type: str,
        time_limit: timedelta,
        max_size: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> StoredBlob:
        self._network.fetched.append(cid)
        data = self._network.content.get(cid)
        if data is None or not self._network.up:
            raise StorageUnavailable(
                f"no node gave all of {cid} within {time_limit.total_seconds():.0f} seconds"
            )
        if max_size is not None and len(data) > max_size:
            raise SizeMismatch("too big")
        if cid in self._network.piecewise:
            came = self._network.piecewise[cid] = self._network.piecewise[cid] + 1
            if progress is not None:
                progress(came)
            if came < len(data):
                raise StorageUnavailable("out of time")
        if progress is not None:
            progress(len(data))
        sidecar = Sidecar(
            digest=Digest(hashlib.sha256(data).hexdigest()), size=len(data), media_type=media_type
        )
        return StoredBlob(locator=self.add(data, sidecar), size=len(data), sidecar=sidecar)

    def add(self, data: bytes, sidecar: Sidecar) -> Locator:
        """Have it here and on the network."""
        cid = self._network.put(data)
        self._here[cid] = _Entry(data, sidecar, datetime.now(UTC))
        return Locator(cid)

    def _find(self, locator: Locator) -> _Entry:
        if not locator.startswith("baf"):
            raise InvalidLocator("no CID")
        try:
            return self._here[locator]
        except KeyError:
            raise BlobNotFound(locator) from None


class _Staged:
    def __init__(self, node: FakeIpfs) -> None:
        self._node = node
        self._data = bytearray()

    def write(self, data: memoryview) -> None:
        self._data += data

    def publish(self, sidecar: Sidecar) -> Locator:
        return self._node.add(bytes(self._data), sidecar)

    def abort(self) -> None:
        """Nothing is held."""


def cid_of(data: bytes) -> str:
    """CIDv1 of one raw block: that of a real node up to 256 KiB."""
    multihash = bytes((1, 0x55, 0x12, 32)) + hashlib.sha256(data).digest()
    return "b" + base64.b32encode(multihash).decode().rstrip("=").lower()


def from_url(url: StoreUrl) -> FakeIpfs:
    return FakeIpfs(_NETWORK, url.host)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    """A network without any node yet."""
    fresh = Network()
    monkeypatch.setitem(registry._DRIVERS, _SCHEME, f"{__name__}:from_url")
    monkeypatch.setattr(f"{__name__}._NETWORK", fresh)
    return fresh
