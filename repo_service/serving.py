"""Running processes: the web server, the worker, and both as one tree that stops together.

The process of the web server starts others and answers nothing itself: it does without the application.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.log import logger as granian_log
from granian.server.common import AbstractServer

from repo_service import importing
from repo_service.settings import Settings

_STOP_SECONDS = 30.0
_KILL_SECONDS = 25
"""When the server kills those of its processes that do not stop: before it is killed itself."""
_RESTART_SECONDS = 1.0
_PORT_SECONDS = 5.0


class PortTaken(Exception):
    """Somebody else listens where this service should."""


def serve(settings: Settings) -> None:
    """Answer HTTP until a signal stops the process."""
    web_server(settings, "repo_service.wsgi:app").serve()


def require_free_port(settings: Settings) -> None:
    """Refuse a port on which another process listens: the server would share it with that one, and each would
    get some of the requests. One that is just being stopped is waited for. Raises PortTaken.
    """
    deadline = time.monotonic() + _PORT_SECONDS
    while _is_taken(settings.host, settings.port):
        if time.monotonic() > deadline:
            address = f"{settings.host}, port {settings.port}"
            raise PortTaken(f"Another process listens on {address}: stop it, or set REPO_PORT.")
        time.sleep(0.2)


def web_server(settings: Settings, application: str) -> AbstractServer[Any]:
    """The server, set up for any WSGI application (``module:name``), so that a bare one can be compared."""
    # That there are more threads than cores is meant: most of them wait for a client or a store.
    granian_log.addFilter(lambda line: not line.getMessage().startswith("Configuration allows spawning"))
    return Granian(
        application,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.web_workers,
        blocking_threads=settings.web_threads,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(),
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=_KILL_SECONDS,
        log_level=LogLevels.warning,
    )


def run_worker(settings: Settings) -> None:
    """Do jobs until a signal stops the process."""
    with importing.kept():
        from repo_service.app import create_app, queue_of, services_of
        from repo_service.http import logging
        from repo_service.jobs.worker import work

    logging.configure(level=settings.log_level, style=settings.log_format)
    app = create_app(settings, writes_index=True)
    with app.app_context():
        work(services_of(app), queue_of(app), threads=settings.job_threads)


def run_all(settings: Settings) -> int:
    """The web server and the worker as children of this process; the web server's exit status, or 0.

    A worker that dies is started again. When the web server ends or a signal comes, both are stopped.
    """
    from repo_service.http import metrics

    metrics.prepare(settings.data_dir / "metrics")
    stop = _StopRequest()
    web, worker = _start("serve"), _start("worker")
    try:
        while not stop.asked and web.poll() is None:
            if worker.poll() is not None:
                stop.wait(_RESTART_SECONDS)
                if not stop.asked:
                    worker = _start("worker")
            stop.wait(0.2)
    finally:
        _stop([web, worker])
    return 0 if stop.asked else web.returncode or 1


class _StopRequest:
    """Set by Ctrl-C or SIGTERM; the children get theirs from us, in our time."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGINT, self._ask)
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True

    def wait(self, seconds: float) -> None:
        """Sleep so long, or until asked."""
        until = time.monotonic() + seconds
        while not self.asked and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))


def _is_taken(host: str, port: int) -> bool:
    """Whether somebody listens there. Without SO_REUSEPORT, which the server sets, that cannot be shared."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:  # any other the server tells itself
            return error.errno == errno.EADDRINUSE
    return False


def _start(command: str) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C in the terminal reaches this process only.
    arguments = [sys.executable, "-m", "repo_service", command, "--parent", str(os.getpid())]
    return subprocess.Popen(arguments, start_new_session=True)  # noqa: S603 - our own module, fixed words


def _stop(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + _STOP_SECONDS
    for child in children:
        try:
            child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)  # its own processes, too: they hold the port
            child.wait()
