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
_MAX_PICTURE = 2 * MIB
_MAX_PICTURES = 4
_MAX_READ = 1 * MIB
_CONTROL_SECONDS = 10.0
"""For the process that others are split off from to take a message, or to end."""
_ATTEMPTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a task; ``said`` is as foreign as the file."""

    said: Mapping[str, Any]
    pictures: tuple[bytes, ...]


class NoProcess(Exception):
    """The system has none to spare now. This says nothing of the file."""


class _Nobody(Exception):
    """The process that was to answer is not there."""


class _Process:
    """A process that answers; ended by what no other can take for itself when it has gone."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._descriptor: int | None = None
        with contextlib.suppress(AttributeError, OSError):  # other systems, and those that have gone already
            self._descriptor = os.pidfd_open(pid)

    def end(self) -> None:
        """Whatever it is doing."""
        with contextlib.suppress(OSError):
            if self._descriptor is not None:
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
            elif not hasattr(os, "pidfd_open"):
                os.kill(self._pid, signal.SIGKILL)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Isolation:
    """Splits off a process for each task. One for all threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def ask(self, task: str, source: Source, **arguments: Any) -> Answer:
        """Have ``task`` (of ``child.TASKS``) done about ``source``.

        Raises InvalidFile with the reason ``unreadable``, ``too-much-memory`` or ``too-slow``, or with that
        of the task; NoProcess; and what the source raises.
        """
        for _ in range(_ATTEMPTS):
            ours, theirs = socket.socketpair()
            with ours:
                with theirs:
                    self._hand_over(theirs)
                with contextlib.suppress(_Nobody):
                    return _converse(ours, task, source, arguments)
            self.close()
        raise NoProcess("no process can be split off: is there memory, and room for processes?")

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
        ours.settimeout(_CONTROL_SECONDS)
        self._control = ours

    def _close(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            try:
                self._process.wait(_CONTROL_SECONDS)
            except subprocess.TimeoutExpired:  # stopped by somebody
                self._process.kill()
                self._process.wait()
        self._control = self._process = None


isolation = Isolation()
atexit.register(isolation.close)


def _converse(connection: socket.socket, task: str, source: Source, arguments: Mapping[str, Any]) -> Answer:
    deadline = time.monotonic() + SECONDS
    asked = {"name": task, "size": source.size, "arguments": arguments}
    process: _Process | None = None
    try:
        for kind, payload in _frames(connection, deadline):
            match kind:
                # Said before it looks at the file: whom to kill is no word of the file's.
                case frames.PID if process is None:
                    process = _Process(int(payload))
                    frames.send(connection, frames.TASK, json.dumps(asked).encode())
                case frames.READ:
                    offset, length = frames.RANGE.unpack(payload)
                    data = _read(source, offset, min(length, _MAX_READ))
                    frames.send(connection, frames.DATA, data)
                case frames.REFUSAL:
                    raise _refused(payload.decode("ascii", "replace"))
                case frames.ANSWER:
                    return _answer(connection, _value(payload), deadline)
        raise _refused("unreadable")
    except _SourceFailed as failed:
        raise failed.error from None
    except TimeoutError as error:
        raise _refused("too-slow") from error
    except (frames.Broken, struct.error, ValueError, TypeError, OSError) as error:
        if process is None:
            raise _Nobody from error
        # It ended in the middle: by a limit, or because the library that read the file crashed.
        raise _refused("unreadable") from error
    finally:
        if process is not None:
            process.end()


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


def _frames(connection: socket.socket, deadline: float) -> Iterator[tuple[bytes, bytearray]]:
    while True:
        yield frames.receive(connection, limit=_MAX_ANSWER, deadline=deadline)


def _answer(connection: socket.socket, said: Any, deadline: float) -> Answer:
    if not isinstance(said, dict):
        raise frames.Broken("no answer")
    count = said.pop("pictures", 0)
    if type(count) is not int or not 0 <= count <= _MAX_PICTURES:
        raise frames.Broken("no number of pictures")
    pictures = []
    for kind, payload in _frames(connection, deadline) if count else ():
        if kind != frames.PICTURE or len(payload) > _MAX_PICTURE:
            raise frames.Broken("no picture")
        pictures.append(bytes(payload))
        if len(pictures) == count:
            break
    return Answer(said=said, pictures=tuple(pictures))


def _value(payload: bytearray) -> Any:
    """JSON without what is none (NaN). Raises Broken."""
    try:
        return json.loads(payload, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise frames.Broken("no answer") from error


def _no_number(said: str) -> None:
    raise ValueError(said)


def _refused(reason: str) -> InvalidFile:
    """In words of ours: those of a library say nothing to people, and those of a file may be anything."""
    if reason == "too-slow":
        return InvalidFile("Reading the file takes too long.", reason=reason)
    if reason == "too-much-memory":
        return InvalidFile("Reading the file takes too much memory.", reason=reason)
    if reason == "too-many-pixels":
        return InvalidFile("The picture has too many pixels.", reason=reason)
    return InvalidFile("The file is damaged, or of a kind that cannot be read.", reason="unreadable")
