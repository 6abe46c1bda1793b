"""One service under test: its processes, its database seen from the side, and a client's token."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Event, Lock, Thread
from typing import BinaryIO
from uuid import UUID

import httpx
import psutil

from repo_service.app import create_app, engine_of, migrate, services_of
from repo_service.domain.identity import SCOPES_OF_ROLE, Role
from repo_service.services.container import Services
from repo_service.settings import Settings
from tests.faults.hooks import FOLDER_VARIABLE
from tests.faults.points import Folder
from tests.faults.world import Disk, Place, World
from tests.support.running import wait_for
from tests.support.service import OPERATOR
from tests.support.services import free_port

PROJECT = Path(__file__).resolve().parents[2]
_START_SECONDS = 90
_DISK_MEBIBYTES = 96
_LOOK_SECONDS = 0.3
_TAIL = 6000
_MIGRATING = Lock()
"""Alembic's context is one for the whole process."""


@dataclass
class Site:
    """A service in ``folder``. ``places`` are its stores, the primary first; ``disk`` holds its data."""

    world: World
    folder: Path
    disk: Disk
    places: tuple[Place, ...]
    variables: dict[str, str]
    services: Services
    account: UUID
    token: str
    points: Folder
    web: subprocess.Popen[bytes] | None = None
    worker: subprocess.Popen[bytes] | None = None
    _logs: list[BinaryIO] = field(default_factory=list)
    _supervisor: Thread | None = None
    _keeps_running: Event = field(default_factory=Event)
    _is_over: Event = field(default_factory=Event)

    @property
    def url(self) -> str:
        return self.variables["REPO_BASE_URL"]

    @cached_property
    def client(self) -> httpx.Client:
        """The teacher's. A connection for each request: servers come and go."""
        return httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=60,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def log(self, name: str) -> Path:
        """What a process (web, worker, command) wrote."""
        return self.folder / f"{name}.log"

    def logs(self) -> str:
        """The ends of what its processes wrote."""
        paths = [path for name in ("web", "worker", "command") if (path := self.log(name)).exists()]
        return "\n".join(f"---- {path.stem}\n{path.read_text(errors='replace')[-_TAIL:]}" for path in paths)

    def start(self) -> None:
        """Start both processes, and again whenever one has ended; wait until the service is ready."""
        self._supervisor = Thread(target=self._supervise, daemon=True)
        self._supervisor.start()
        self._keeps_running.set()
        self.wait_until_ready()

    @contextmanager
    def unsupervised(self) -> Iterator[None]:
        """Nothing is started meanwhile."""
        self._keeps_running.clear()
        try:
            yield
        finally:
            self._keeps_running.set()

    def wait_until_ready(self) -> None:
        """Until all parts answer, and a worker runs."""

        def ready() -> bool:
            with suppress(httpx.TransportError):
                return httpx.get(f"{self.url}/readyz", timeout=20).is_success and _runs(self.worker)
            return False

        wait_for(ready, "the service to be ready again", _START_SECONDS)

    def kill_web(self) -> None:
        """The web server with all its processes."""
        _kill_tree(self.web)

    def kill_worker(self) -> None:
        """The job worker."""
        _kill_tree(self.worker)

    def command(self, *words: str) -> subprocess.Popen[bytes]:
        """A ``repo`` command, begun."""
        return self._spawn("command", "command", *words)

    def stop(self) -> None:
        """End every process of the service."""
        self._is_over.set()
        if self._supervisor is not None:
            self._supervisor.join()
        for process in (self.web, self.worker):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in (self.web, self.worker):
            if process is not None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(10)
        self.kill_web()
        self.kill_worker()
        for log in self._logs:
            log.close()
        if "client" in self.__dict__:
            self.client.close()
        self.services.close()
        self.services.database.engine.dispose()

    def _supervise(self) -> None:
        """Start what has ended again, as ``repo run`` and its own supervisor do."""
        while not self._is_over.wait(_LOOK_SECONDS):
            if not self._keeps_running.is_set():
                continue
            if not _runs(self.web):
                self.web = self._spawn("web", "serve", str(os.getpid()))
            if not _runs(self.worker):
                self.worker = self._spawn("worker", "worker", str(os.getpid()))

    def _spawn(self, log_name: str, *words: str) -> subprocess.Popen[bytes]:
        log = self.log(log_name).open("ab")
        self._logs.append(log)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("REPO_")}
        return subprocess.Popen(
            [sys.executable, "-m", "tests.faults.process", *words],
            cwd=PROJECT,
            env=environment | self.variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


@contextmanager
def site(world: World, folder: Path) -> Iterator[Site]:
    """A new service, ready, with nothing in it; gone at the end."""
    folder.mkdir(parents=True)
    disk = world.disk(folder / "var", mebibytes=_DISK_MEBIBYTES)
    backend = world.backend
    places = [world.place(backend.primary, folder, disk, is_primary=True)]
    places += [world.place(kind, folder, disk, is_primary=False) for kind in backend.replicas]
    port = free_port()
    shared = {
        "REPO_STORE_URL": places[0].url,
        "REPO_REPLICA_URLS": " ".join(place.url for place in places[1:]),
        "REPO_MIN_FREE_SPACE": "0",
        **world.settings(),
    }
    if world.postgres is not None:
        url = world.postgres.create_database()
        shared |= {"REPO_DATABASE_URL": url, "REPO_QUEUE_URL": url.replace("+psycopg", "")}
    else:
        shared["REPO_DATABASE_URL"] = f"sqlite:///{disk.path / 'repo.db'}"
    variables = {
        **shared,
        FOLDER_VARIABLE: str(folder / "points"),
        "REPO_DATA_DIR": str(disk.path),
        "REPO_PORT": str(port),
        "REPO_BASE_URL": f"http://127.0.0.1:{port}",
        "REPO_WEB_WORKERS": "1",
        "REPO_WEB_THREADS": "4",
        "REPO_JOB_LEASE": "PT2S",
        "REPO_CATALOGUE_EVERY": "PT0S",  # a snapshot is a blob that no upload brought
    }
    app = create_app(_settings(folder, disk, shared))
    with _MIGRATING:
        migrate(app)
    services = services_of(app)
    account = services.accounts.create(OPERATOR, username="teacher")
    issued = services.accounts.issue_token(
        OPERATOR, name="test", scopes=SCOPES_OF_ROLE[Role.MEMBER], account_id=account.id
    )
    made = Site(
        world=world,
        folder=folder,
        disk=disk,
        places=tuple(places),
        variables=variables,
        services=services,
        account=account.id,
        token=issued.secret,
        points=Folder(folder / "points"),
    )
    try:
        made.start()
        yield made
    finally:
        made.stop()
        engine_of(app).dispose()
        disk.unmount()


def _settings(folder: Path, disk: Disk, shared: dict[str, str]) -> Settings:
    """The harness's own look at the catalogue and the stores. For it all grace periods are over."""
    own = folder / "harness"
    own.mkdir()
    (own / "spool").symlink_to(disk.path / "spool")
    (disk.path / "spool").mkdir()
    values = {name.removeprefix("REPO_").lower(): value for name, value in shared.items()}
    return Settings.model_validate({**values, "data_dir": own, "queue_url": "memory:", "upload_ttl": 0})


def _runs(process: subprocess.Popen[bytes] | None) -> bool:
    return process is not None and process.poll() is None


def _kill_tree(process: subprocess.Popen[bytes] | None) -> None:
    if process is None or process.poll() is not None:
        return
    family: Sequence[psutil.Process] = ()
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        family = [parent, *parent.children(recursive=True)]
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait()
    psutil.wait_procs(family, timeout=10)
