"""Work that costs about the same for many as for one, done for all who wait for it at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

_PATIENCE: Final = 0.03
_MOMENT: Final = 0.0005
"""Seconds: how long others are waited for at most, and how long between two looks."""

Work = Callable[[Sequence[Item]], Sequence[Exception | None]]
"""Does something for each of the items, in their order; why not, for each that it was not done for."""


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Item]):
    item: Item
    called: threading.Event = field(default_factory=threading.Event)
    """When it is done, or its thread is the one to work."""
    is_done: bool = False
    error: BaseException | None = None


class Together(Generic[Item]):
    """Group commit: while one thread works, others queue up, and the first of them then works for all.

    Those who are on their way are waited for a moment; who comes alone begins at once.
    """

    def __init__(self, work: Work[Item], *, most: int, patience: float = _PATIENCE) -> None:
        """``most``: items that are done at once. ``patience``: seconds for which others are waited for."""
        self._work = work
        self._most = most
        self._patience = patience
        self._queue: list[_Waiting[Item]] = []
        self._adding = threading.Lock()
        self._is_working = False
        self._coming = 0

    @property
    def waiting(self) -> int:
        """How many have not been begun."""
        return len(self._queue)

    @contextmanager
    def coming(self) -> Iterator[None]:
        """Be on the way: around ``do`` and what has to be done before it."""
        with self._adding:
            self._coming += 1
        try:
            yield
        finally:
            with self._adding:
                self._coming -= 1

    def do(self, item: Item) -> None:
        """Return when it is done. Raises what ``work`` gave or raised for it."""
        mine = _Waiting(item)
        with self._adding:
            self._queue.append(mine)
            is_first, self._is_working = not self._is_working, True
        if not is_first:
            mine.called.wait()
        if not mine.is_done:
            self._gather()
            self._do_some()
        if mine.error is not None:
            raise mine.error

    def _gather(self) -> None:
        deadline = time.monotonic() + self._patience
        while len(self._queue) < self._coming and time.monotonic() < deadline:
            time.sleep(_MOMENT)

    def _do_some(self) -> None:
        with self._adding:
            batch, self._queue = self._queue[: self._most], self._queue[self._most :]
        outcomes: Sequence[BaseException | None]
        try:
            outcomes = self._work([waiting.item for waiting in batch])
        except BaseException as error:  # theirs to handle, each in its own thread
            outcomes = [error] * len(batch)
        with self._adding:
            self._is_working = bool(self._queue)
            following = self._queue[:1]
        for waiting, outcome in zip(batch, outcomes, strict=True):
            waiting.error, waiting.is_done = outcome, True
        for waiting in (*following, *batch):
            waiting.called.set()
