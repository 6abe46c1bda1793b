"""Serving many receivers at a time, and each of them by one thread, so that what it gets comes in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final, Protocol
from uuid import UUID

from repo_service.services.jobs import Report

_LOOK_AGAIN_SECONDS: Final = 0.5
_AHEAD: Final = 8
"""To find receivers costs about the same for many as for one: so many times those served at once."""


class FindDue(Protocol):
    """Which receivers something is due for."""

    def __call__(self, *, but: Iterable[UUID], limit: int) -> list[UUID]:
        """No more than ``limit``, and none of ``but``."""


def serve_receivers(
    find_due: FindDue, serve: Callable[[UUID], None], report: Report, *, at_once: int, name: str
) -> None:
    """Until nothing is due for anybody. ``serve`` sends to one receiver what is due for it; ``name`` is that
    of the threads. Raises what ``serve`` raises."""
    serving: dict[Future[None], UUID] = {}
    found: deque[UUID] = deque()
    with ThreadPoolExecutor(at_once, thread_name_prefix=name) as pool:
        while True:
            if not found and len(serving) < at_once:
                found.extend(find_due(but=serving.values(), limit=_AHEAD * at_once))
            while found and len(serving) < at_once:
                receiver_id = found.popleft()
                serving[pool.submit(serve, receiver_id)] = receiver_id
            if not serving:
                return
            done, _ = wait(serving, timeout=_LOOK_AGAIN_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                del serving[future]
                future.result()
            report(0.5)
