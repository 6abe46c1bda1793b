"""Processes that end with the one that started them, however that one ends.

Who is killed with SIGKILL cannot stop its children any more: without this they would go on serving, invisible
to whatever supervises the service.
"""

from __future__ import annotations

import os
import signal
import threading
import time

_LOOK_SECONDS = 0.5
_STOP_SECONDS = 25.0
"""As long as children are given that are told to stop."""


def end_with(parent: int) -> None:
    """Stop this process, as SIGTERM does, once the process ``parent`` is not its parent any more.

    That is so at once when ``parent`` has gone before this is called.
    """
    threading.Thread(target=_watch, args=(parent,), name="parent-watch", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_STOP_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
