"""What one thread at a time does, and no other waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from repo_service.jobs.worker import _OneAtATime

_SECONDS = 10


def test_who_comes_meanwhile_does_not_wait_and_has_it_done_once_more() -> None:
    begun, go_on = threading.Event(), threading.Event()
    times = 0

    def step() -> None:
        nonlocal times
        times += 1
        begun.set()
        assert go_on.wait(_SECONDS)

    once = _OneAtATime(step)
    first = _started(once.do)
    assert begun.wait(_SECONDS)
    for _ in range(3):
        once.do()  # returns at once
    assert times == 1
    go_on.set()
    first.join(_SECONDS)
    assert times == 2


def test_after_a_failure_it_can_be_done_again() -> None:
    def fail() -> None:
        raise RuntimeError("no")

    once = _OneAtATime(fail)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no"):
            once.do()


def _started(target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread
