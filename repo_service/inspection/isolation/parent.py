"""The side of the service: has a task done about a file, and gives the process that does it the bytes."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.base import Source
from repo_service.inspection.isolation import frames
from repo_service.inspection.limits import MIB

SECONDS = 60.0
"""That a task may take by the clock, the store that its file is read from included."""

_MAX_ANSWER = 8 * MIB
_MAX_PICTURE = 8 * MIB
_MAX_PICTURES = 4
_MAX_READ = 1 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a task; ``said`` is as foreign as the file."""

    said: Mapping[str, Any]
    pictures: tuple[bytes, ...]


class Isolation:
    """Splits off a process for each task. One for all threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def ask(self, task: str, source: Source, **arguments: Any) -> Answer:
        """Have ``task`` (of ``child.TASKS``) done about ``source``.

        Raises InvalidFile with the reason ``unreadable``, ``too-much-memory`` or ``too-slow``, or with that
        of the task; and what the source raises.
        """
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                self._hand_over(theirs)
            return _converse(ours, task, source, arguments)

    def close(self) -> None:
        """End the process that others are split off from."""
        with self._lock:
            self._close()

    def _hand_over(self, connection: socket.socket) -> None:
        with self._lock:
            for fresh in (False, True):
                if fresh or self._control is None:
                    self._close()
                    self._start()
                assert self._control is not None
                try:
                    socket.send_fds(self._control, [b"\0"], [connection.fileno()])
                except OSError:
                    if fresh:
                        raise
                else:
                    return

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-m", "repo_service.inspection.isolation.child", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(sys.path), "LC_ALL": "C.UTF-8"},
            )
        self._control = ours

    def _close(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.wait()
        self._control = self._process = None


isolation = Isolation()
atexit.register(isolation.close)


def _converse(connection: socket.socket, task: str, source: Source, arguments: Mapping[str, Any]) -> Answer:
    deadline = time.monotonic() + SECONDS
    asked = {"name": task, "size": source.size, "arguments": arguments}
    pid = 0
    try:
        for kind, payload in _frames(connection, deadline):
            match kind:
                case frames.PID if (
                    not pid
                ):  # said before it looks at the file: whom to kill is no word of the file's
                    pid = int(payload)
                    frames.send(connection, frames.TASK, json.dumps(asked).encode())
                case frames.READ:
                    offset, length = frames.RANGE.unpack(payload)
                    data = _read(source, offset, min(length, _MAX_READ))
                    frames.send(connection, frames.DATA, data)
                case frames.REFUSAL:
                    said, reason = json.loads(payload)
                    raise _refused(str(said), str(reason))
                case frames.ANSWER:
                    return _answer(connection, json.loads(payload), deadline)
        raise _refused("", "unreadable")
    except _SourceFailed as failed:
        raise failed.error from None
    except TimeoutError as error:
        raise _refused("", "too-slow") from error
    except (frames.Broken, struct.error, ValueError, TypeError, OSError) as error:
        # It ended in the middle: by a limit, or because the library that read the file crashed.
        raise _refused("", "unreadable") from error
    finally:
        if pid > 1:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


class _SourceFailed(Exception):
    """The store failed, not the file."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


def _read(source: Source, offset: int, length: int) -> bytes:
    try:
        return source.read_at(offset, length)
    except Exception as error:
        raise _SourceFailed(error) from error


def _frames(connection: socket.socket, deadline: float) -> Iterator[tuple[bytes, bytes]]:
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        yield frames.receive(connection, limit=_MAX_ANSWER)


def _answer(connection: socket.socket, said: Any, deadline: float) -> Answer:
    if not isinstance(said, dict):
        raise frames.Broken("no answer")
    count = min(int(said.pop("pictures", 0)), _MAX_PICTURES)
    pictures = []
    for kind, payload in _frames(connection, deadline) if count else ():
        if kind != frames.PICTURE or len(payload) > _MAX_PICTURE:
            raise frames.Broken("no picture")
        pictures.append(payload)
        if len(pictures) == count:
            break
    return Answer(said=said, pictures=tuple(pictures))


def _refused(said: str, reason: str) -> InvalidFile:
    if reason == "too-slow":
        return InvalidFile("Reading the file takes too long.", reason=reason)
    if reason == "too-much-memory":
        return InvalidFile("Reading the file takes too much memory.", reason=reason)
    if reason == "unreadable":
        return InvalidFile("The file is damaged, or of a kind that cannot be read.", reason=reason)
    return InvalidFile(said[:500], reason=reason[:50])
