"""Publishes a blob over and over, and is killed one system call later each time.

``python -m tests.storage.crash_writer ROOT`` makes ROOT/0, ROOT/1, …: in ROOT/n the writer got SIGKILL just
before its n-th system call that touches the store. The last folder is the one where it lived to the end.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from storage import open_store
from tests.storage.conformance import content, publish

CONTENT = content(3_000_000)
_TOUCHING = (
    "open",
    "write",
    "utime",
    "fsync",
    "ftruncate",
    "mkdir",
    "rmdir",
    "rename",
    "replace",
    "link",
    "unlink",
    "close",
)


def die_before(call: int) -> None:
    """Make this process kill itself instead of its ``call``-th system call."""
    calls = count()

    def deadly(real: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **options: Any) -> Any:
            if next(calls) == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **options)

        return counted

    for name in _TOUCHING:
        setattr(os, name, deadly(getattr(os, name)))
    fcntl.flock = deadly(fcntl.flock)


def main(root: Path) -> None:
    for call in count():
        folder = root / str(call)
        child = os.fork()
        if not child:
            store = open_store(folder.as_uri())
            die_before(call)
            publish(store, CONTENT)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 0:
            return
        if status != -signal.SIGKILL:
            raise SystemExit(f"the writer ended with {status} in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
