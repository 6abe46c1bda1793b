"""The faults: what breaks while a process stands at a step, and what is done to bring everything back."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import ClassVar

from tests.faults.points import Act, Plan
from tests.faults.site import Site
from tests.faults.steps import Where
from tests.faults.world import Place, Server
from tests.support.postgres import PostgresCluster


@dataclass(kw_only=True)
class Scene:
    """Where a fault strikes: ``process`` stands at ``where``; ``size`` is the file's, in bytes."""

    site: Site
    where: Where
    plan: Plan
    process: int
    random: Random
    size: int
    command: subprocess.Popen[bytes] | None = None

    @property
    def place(self) -> Place:
        """The store concerned; the primary where none is in particular."""
        places = self.site.places
        return next((place for place in places if place.name == self.where.store), places[0])


class Fault:
    """``act`` is what the process does at the step; ``goes_on``: it is let go on, into what is broken.
    ``patience`` is how many seconds the client waits for an answer."""

    name: ClassVar[str]
    label: ClassVar[str]
    act: ClassVar[Act] = "hold"
    goes_on: ClassVar[bool] = False
    patience: ClassVar[float] = 60

    def why_not(self, site: Site) -> str | None:
        """Why it cannot be tried on this machine; None when it can."""
        return None

    def strike(self, scene: Scene) -> None:
        """Break something. Nothing more to do where the process or the client does it."""
        return

    def heal(self, scene: Scene) -> None:
        """Bring back what was broken; the service's own processes are started by the harness."""
        return


class Kill(Fault):
    name = "kill"
    label = "SIGKILL of the process"

    def strike(self, scene: Scene) -> None:
        if scene.where.role == "worker":
            scene.site.kill_worker()
        elif scene.command is not None:
            scene.command.kill()
            scene.command.wait()
        else:
            os.kill(scene.process, signal.SIGKILL)


class KillServer(Fault):
    name = "kill-server"
    label = "SIGKILL of the web server with all its processes"

    def strike(self, scene: Scene) -> None:
        scene.site.kill_web()


class KillAll(Fault):
    name = "kill-all"
    label = "SIGKILL of web server and worker"

    def strike(self, scene: Scene) -> None:
        scene.site.kill_web()
        scene.site.kill_worker()


class PowerCut(Fault):
    name = "power-cut"
    label = "everything killed: service, stores, database"

    def strike(self, scene: Scene) -> None:
        scene.site.kill_web()
        scene.site.kill_worker()
        for server in scene.site.world.servers:
            server.kill()

    def heal(self, scene: Scene) -> None:
        for server in scene.site.world.servers:
            server.start()


class _ServerFault(Fault):
    goes_on = True

    def server(self, scene: Scene) -> Server:
        server = scene.place.server
        assert server is not None, "this store is no server"
        return server

    def strike(self, scene: Scene) -> None:
        self.server(scene).kill()

    def heal(self, scene: Scene) -> None:
        self.server(scene).start()


class StoreKilled(_ServerFault):
    name = "store-killed"
    label = "store killed and started again (SIGKILL)"


class StoreStopped(_ServerFault):
    name = "store-stopped"
    label = "store stopped and started again (SIGTERM)"

    def strike(self, scene: Scene) -> None:
        self.server(scene).stop()


class DatabaseKilled(_ServerFault):
    name = "database-killed"
    label = "PostgreSQL stopped at once and started again"

    def server(self, scene: Scene) -> Server:
        cluster: PostgresCluster | None = scene.site.world.postgres
        assert cluster is not None
        return cluster


class StoreSilent(Fault):
    name = "store-silent"
    label = "store does not answer (injected StorageUnavailable)"
    act = "unavailable"


class StoreFull(Fault):
    name = "store-full"
    label = "store is full (injected StorageFull)"
    act = "full"


class DiskFull(Fault):
    name = "disk-full"
    label = "the store's disk is full; room is made, a store that is a server is started again"
    goes_on = True

    def why_not(self, site: Site) -> str | None:
        return None if site.disk.is_small else "a small tmpfs cannot be mounted here (needs root)"

    def strike(self, scene: Scene) -> None:
        disk = scene.place.disk
        assert disk is not None
        disk.fill(leave=scene.random.choice([0, 0, 4096, 64 * 1024, scene.size // 2]))

    def heal(self, scene: Scene) -> None:
        assert scene.place.disk is not None
        scene.place.disk.free()
        if scene.place.server is not None:  # SeaweedFS leaves volumes read-only that could not be written
            scene.place.server.kill()
            scene.place.server.start()


class DiskGone(Fault):
    name = "disk-gone"
    label = "the store's folder is gone, and comes back"
    goes_on = True

    def strike(self, scene: Scene) -> None:
        root = self._root(scene)
        root.rename(root.with_name("elsewhere"))

    def heal(self, scene: Scene) -> None:
        root = self._root(scene)
        root.with_name("elsewhere").rename(root)

    def _root(self, scene: Scene) -> Path:
        assert scene.place.root is not None
        return scene.place.root


class ClientGone(Fault):
    name = "client-gone"
    label = "the client's line breaks"


class Hang(Fault):
    """The process stands still for longer than the client waits, and is killed then."""

    name = "hang"
    label = "the process hangs, the client gives up, the process is killed"
    patience = 2

    def strike(self, scene: Scene) -> None:
        os.kill(scene.process, signal.SIGKILL)


FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Kill(),
        KillServer(),
        KillAll(),
        PowerCut(),
        Hang(),
        ClientGone(),
        StoreKilled(),
        StoreStopped(),
        StoreSilent(),
        StoreFull(),
        DiskFull(),
        DiskGone(),
        DatabaseKilled(),
    )
}
