"""What the service runs on: databases, stores and disks that can be stopped, filled and brought back.

A backend is one row of ``BACKENDS``; a kind of store is one entry of ``_STORES``.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode

import httpx

from tests.support.ipfs import Node, running_node
from tests.support.postgres import PostgresCluster, running_postgres
from tests.support.weed import WeedServer

_MIB = 1024 * 1024
_PIECE = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Backend:
    """What one service is put together from; ``replicas`` and ``primary`` are kinds of stores."""

    name: str
    database: str
    primary: str
    replicas: tuple[str, ...] = ()


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend(name="sqlite+file", database="sqlite", primary="file"),
        Backend(name="postgres+s3", database="postgres", primary="s3"),
        Backend(name="sqlite+file>s3,ipfs", database="sqlite", primary="file", replicas=("s3", "ipfs")),
    )
}


class Server(Protocol):
    """A program that keeps its data when it is killed and started again."""

    def start(self) -> None: ...

    def stop(self) -> None:
        """Tell it to stop, and wait until it is gone."""

    def kill(self) -> None: ...


class Disk:
    """A small filesystem in memory, mounted at ``path``. Without the right to mount it is a plain folder."""

    def __init__(self, path: Path, *, mebibytes: int) -> None:
        self.path = path
        path.mkdir(parents=True)
        options = f"size={mebibytes}m"
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], capture_output=True, check=False
        )
        self.is_small = mounted.returncode == 0
        self._filler = path / "filler"

    def fill(self, *, leave: int) -> None:
        """Leave ``leave`` bytes free, at the most."""
        room = os.statvfs(self.path)
        rest = room.f_bavail * room.f_frsize - leave
        with suppress(OSError), self._filler.open("wb", buffering=0) as file:
            while rest > 0:
                rest -= file.write(b"\0" * min(rest, _PIECE))

    def free(self) -> None:
        """Give the room back."""
        self._filler.unlink(missing_ok=True)

    def unmount(self) -> None:
        """Twice does no harm."""
        if self.is_small and self.path.is_mount():
            subprocess.run(["umount", "--lazy", str(self.path)], check=False)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A store as the service is told of it, and as it is looked into behind the service's back."""

    name: str
    url: str
    listing: Callable[[], set[str]]
    """Names of all that is there, staged things included."""
    server: Server | None = None
    disk: Disk | None = None
    root: Path | None = None
    """Of a file store."""


@dataclass
class World:
    """The servers and disks of one backend. A service gets ``places`` and ``database_url`` of its own."""

    backend: Backend
    folder: Path
    postgres: PostgresCluster | None = None
    weed: WeedServer | None = None
    kubo: Node | None = None
    weed_disk: Disk | None = None
    disks: list[Disk] = field(default_factory=list)

    @property
    def servers(self) -> list[Server]:
        """Every program that the service depends on."""
        return [server for server in (self.postgres, self.weed, self.kubo) if server is not None]

    def disk(self, path: Path, *, mebibytes: int) -> Disk:
        """A small disk, gone with this world."""
        disk = Disk(path, mebibytes=mebibytes)
        self.disks.append(disk)
        return disk

    def unmount(self) -> None:
        """Let go of all its disks."""
        for disk in self.disks:
            disk.unmount()

    def settings(self) -> dict[str, str]:
        """Credentials of the stores."""
        if self.weed is None:
            return {}
        weed = self.weed.weed
        return {"REPO_STORE_ACCESS_KEY": weed.access_key, "REPO_STORE_SECRET_KEY": weed.secret_key}

    def place(self, kind: str, folder: Path, disk: Disk, *, is_primary: bool) -> Place:
        """A new, empty store."""
        return _STORES[kind](self, folder, disk, is_primary)


@contextmanager
def world(backend: Backend, folder: Path) -> Iterator[World]:
    """Start what ``backend`` needs; all of it is stopped at the end."""
    made = World(backend, folder)
    kinds = {backend.primary, *backend.replicas}
    with ExitStack() as stack:
        stack.callback(made.unmount)
        if backend.database == "postgres":
            made.postgres = stack.enter_context(running_postgres(durable=True))
        if "s3" in kinds:
            made.weed_disk = made.disk(folder / "weed", mebibytes=600)
            made.weed = WeedServer(made.weed_disk.path, volume_mebibytes=32)
            made.weed.start()
            stack.callback(made.weed.kill)
        if "ipfs" in kinds:
            made.kubo = stack.enter_context(running_node(folder / "kubo"))
        yield made


def _file(world: World, folder: Path, disk: Disk, is_primary: bool) -> Place:
    root = (disk.path if is_primary else folder) / "store"

    def listing() -> set[str]:
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}

    return Place(name="file", url=f"{root.as_uri()}?name=file", listing=listing, disk=disk, root=root)


def _s3(world: World, folder: Path, disk: Disk, is_primary: bool) -> Place:
    assert world.weed is not None
    weed, prefix = world.weed.weed, secrets.token_hex(8)
    bucket = weed.shared_bucket
    client = weed.client

    def listing() -> set[str]:
        found = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
        names = {
            entry["Key"].removeprefix(f"{prefix}/") for page in found for entry in page.get("Contents", [])
        }
        begun = client.list_multipart_uploads(Bucket=bucket, Prefix=f"{prefix}/").get("Uploads", [])
        return names - {"check"} | {f"multipart {entry['Key']}" for entry in begun}

    url = weed.store_url(bucket, prefix, name="s3", public_endpoint_url=weed.endpoint_url)
    return Place(name="s3", url=url, listing=listing, server=world.weed, disk=world.weed_disk)


def _ipfs(world: World, folder: Path, disk: Disk, is_primary: bool) -> Place:
    assert world.kubo is not None
    node, root = world.kubo, f"/{secrets.token_hex(8)}"

    def ask(command: str, **options: str) -> httpx.Response:
        return httpx.post(f"http://{node.host}/api/v0/{command}?{urlencode(options)}", timeout=30)

    def names(path: str) -> Iterator[str]:
        answer = ask("files/ls", arg=path, long="true")
        for entry in (answer.json()["Entries"] or []) if answer.is_success else []:
            if entry["Type"] == 1:
                yield from names(f"{path}/{entry['Name']}")
            else:
                yield entry["Name"]

    def listing() -> set[str]:
        pins = ask("pin/ls", names="true", type="recursive").json().get("Keys", {})
        own = {cid: pin["Name"] for cid, pin in pins.items() if f" {root} " in pin.get("Name", "")}
        staged = {f"pin {name}" for name in own.values() if " staging " in name}
        return set(names(root)) | staged | {cid for cid, name in own.items() if " blob " in name}

    return Place(name="ipfs", url=node.store_url(root, name="ipfs"), listing=listing, server=node)


_STORES: dict[str, Callable[[World, Path, Disk, bool], Place]] = {"file": _file, "s3": _s3, "ipfs": _ipfs}
