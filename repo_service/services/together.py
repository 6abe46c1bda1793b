"""Work that costs about the same for many as for one, done for all who wait for it at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

_PATIENCE: Final = 0.03
_MOMENT: Final = 0.0005
"""Seconds: how long others are waited for, and how long between two looks."""

Work = Callable[[Sequence[Item]], Sequence[Exception | None]]
"""Does something for each of the items, in their order; why not, for each that it was not done for."""


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Item]):
    item: Item
    is_done: bool = False
    error: Exception | None = None


class Together(Generic[Item]):
    """Group commit: while one thread works, others queue up, and the first of them then works for all.

    Where many came together lately, so many are waited for a moment; who mostly comes alone begins at once.
    """

    def __init__(self, work: Work[Item], *, most: int) -> None:
        """``most``: items that are done at once."""
        self._work = work
        self._most = most
        self._queue: list[_Waiting[Item]] = []
        self._adding = threading.Lock()
        self._turn = threading.Lock()
        self._expected = 1

    @property
    def waiting(self) -> int:
        """How many have not been begun."""
        return len(self._queue)

    def do(self, item: Item) -> None:
        """Return when it is done. Raises what ``work`` gave or raised for it."""
        mine = _Waiting(item)
        with self._adding:
            self._queue.append(mine)
        while not mine.is_done:
            with self._turn:
                if not mine.is_done:
                    self._gather()
                    self._do_some()
        if mine.error is not None:
            raise mine.error

    def _gather(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while len(self._queue) < self._expected and time.monotonic() < deadline:
            time.sleep(_MOMENT)

    def _do_some(self) -> None:
        with self._adding:
            batch, self._queue = self._queue[: self._most], self._queue[self._most :]
        self._expected = max(len(batch), self._expected - 1)
        outcomes: Sequence[Exception | None]
        try:
            outcomes = self._work([waiting.item for waiting in batch])
        except Exception as error:  # theirs to handle, each in its own thread
            outcomes = [error] * len(batch)
        for waiting, outcome in zip(batch, outcomes, strict=True):
            waiting.error, waiting.is_done = outcome, True
