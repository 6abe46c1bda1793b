"""The process that others are split off from, and what each of those does: one task about one file.

Started by ``parent`` as ``python -m repo_service.inspection.isolation.child FD``, where FD is one end of a
socket. Each message on it brings another socket, which a new process answers. That one has imported all it
needs already, and gives up everything else before it looks at the file.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import pkgutil
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.isolation import frames
from repo_service.inspection.isolation.syscalls import forbid_others, load_library
from repo_service.inspection.limits import KIB, MIB

_MEDIA = "repo_service.inspection.media"
TASKS = {
    "picture": (f"{_MEDIA}.picture_task", "work"),
    "document": (f"{_MEDIA}.document_task", "work"),
    "recording": (f"{_MEDIA}.recording_task", "work"),
    "show-picture": (f"{_MEDIA}.picture_task", "show"),
    "show-document": (f"{_MEDIA}.document_task", "show"),
    "show-recording": (f"{_MEDIA}.recording_task", "show"),
}
"""The function of each: it is given the file, and returns what goes into the answer, and pictures."""

_PRELOADED = ("encodings", "PIL", "pypdf", "pypdfium2", "av")
_NEVER_LOADED = frozenset({"__main__", "report", "ImageTk", "ImageQt", "ImageGrab", "mbcs", "oem"})
"""Programs, and what speaks to screens."""

MEMORY = 768 * MIB
"""That a task may take besides what is there when it begins (``RLIMIT_AS``)."""
SECONDS = 30
"""Of the processor. By the clock it is twice as long."""

_NOBODY = 65534
_BLOCK = 256 * KIB
_MAX_TASK = 64 * KIB

Work = Callable[..., tuple[dict[str, Any], list[bytes]]]


def main(descriptor: int) -> None:
    """Split off a process for each socket that comes, until the other side has gone."""
    work: dict[str, Work] = {
        name: getattr(importlib.import_module(module), function) for name, (module, function) in TASKS.items()
    }
    preload_all()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    for one in (signal.SIGINT, signal.SIGTERM):  # they are for the service, which ends this one when it ends
        signal.signal(one, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with socket.socket(fileno=descriptor) as control:
        while True:
            said, descriptors, _, _ = socket.recv_fds(control, 1, 1)
            if not said:
                return
            try:
                pid = os.fork()
            except OSError:  # the other side sees that there is nobody
                os.close(descriptors[0])
                continue
            if pid == 0:
                control.detach()
                os.close(descriptor)
                for stream in (1, 2):  # libraries print what stands in files
                    os.dup2(nowhere, stream)
                _answer(descriptors[0], work)
                os._exit(0)
            os.close(descriptors[0])


def preload_all() -> None:
    """Import all modules of what tasks use: who is confined can import none any more."""
    load_library()
    for package in _PRELOADED:
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if module.name.rpartition(".")[2] not in _NEVER_LOADED:
                with contextlib.suppress(ImportError):  # for another system, or of something that is not here
                    importlib.import_module(module.name)


def _answer(descriptor: int, work: dict[str, Work]) -> None:
    with socket.socket(fileno=descriptor) as connection:
        frames.send(connection, frames.PID, str(os.getpid()).encode())
        task = json.loads(frames.receive(connection, limit=_MAX_TASK)[1])
        confine(MEMORY, SECONDS)
        try:
            file = io.BufferedReader(RemoteFile(connection, task["size"]), _BLOCK)
            answer, pictures = work[task["name"]](file, **task["arguments"])
        except InvalidFile as refused:
            frames.send(connection, frames.REFUSAL, refused.reason.encode())
        except MemoryError:
            frames.send(connection, frames.REFUSAL, b"too-much-memory")
        except Exception:
            # Whatever a library makes of a damaged file: its words say nothing to people.
            frames.send(connection, frames.REFUSAL, b"unreadable")
        else:
            frames.send(connection, frames.ANSWER, json.dumps({**answer, "pictures": len(pictures)}).encode())
            for picture in pictures:
                frames.send(connection, frames.PICTURE, picture)


def confine(memory: int, seconds: int) -> None:
    """Give up, for good, everything that reading a file does not need: ``memory`` in bytes.

    No descriptor can be opened any more, so there are neither files nor connections; no process or thread can
    be started, and nothing be written to disk. Where the system has libseccomp, the kernel refuses all that
    has nothing to do with memory and the socket, too: signals to other processes, or their memory.
    """
    seccomp = load_library()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(2 * seconds)
    with contextlib.suppress(FileNotFoundError):  # a system without /proc bounds no memory
        taken = int(_line_of("/proc/self/statm").split()[0]) * resource.getpagesize()
        _limit(resource.RLIMIT_AS, taken + memory)
    _limit(resource.RLIMIT_CPU, seconds)
    for kind in (
        resource.RLIMIT_FSIZE,
        resource.RLIMIT_CORE,
        resource.RLIMIT_NPROC,
        resource.RLIMIT_NOFILE,
    ):
        _limit(kind, 0)
    if os.geteuid() == 0:  # root could set the limits back
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    forbid_others(seccomp)


def _limit(kind: int, value: int) -> None:
    """For good; where there is a lower one already, that one holds."""
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _line_of(path: str) -> str:
    with open(path, encoding="ascii") as file:  # noqa: PTH123 - a Path would do it no better
        return file.readline()


class RemoteFile(io.RawIOBase):
    """A file whose bytes the other process reads."""

    def __init__(self, connection: socket.socket, size: int) -> None:
        super().__init__()
        self._connection = connection
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("before the beginning")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        length = min(len(buffer), _BLOCK, max(0, self._size - self._at))
        if length == 0:
            return 0
        frames.send(self._connection, frames.READ, frames.RANGE.pack(self._at, length))
        _, data = frames.receive(self._connection, limit=length)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


if __name__ == "__main__":
    main(int(sys.argv[1]))
