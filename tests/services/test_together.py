"""Work that is done for many at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from repo_service.services.together import Together

_SECONDS = 30


class _Work:
    """Keeps what was done at once. The first time it waits until ``begun`` was seen and it may ``go_on``."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, items: Sequence[str]) -> Sequence[Exception | None]:
        self.batches.append(list(items))
        if len(self.batches) == 1:
            self.begun.set()
            assert self.go_on.wait(_SECONDS)
        return [ValueError(item) if item.startswith("bad") else None for item in items]


def _while_one_works(work: _Work, together: Together[str], items: Sequence[str]) -> dict[str, Future[None]]:
    """Have one item worked on, all others of ``items`` come meanwhile, and then everything done."""
    with ThreadPoolExecutor(len(items) + 1) as pool:
        first = pool.submit(together.do, "first")
        assert work.begun.wait(_SECONDS)
        others = {item: pool.submit(together.do, item) for item in items}
        while together.waiting < len(items):
            threading.Event().wait(0.001)
        work.go_on.set()
        first.result(_SECONDS)
    return others


def test_one_alone() -> None:
    work = _Work()
    work.go_on.set()
    Together(work, most=10).do("one")
    assert work.batches == [["one"]]


def test_those_who_come_while_one_works_are_done_at_once() -> None:
    work = _Work()
    _while_one_works(work, Together(work, most=10), ["a", "b", "c"])
    assert [sorted(batch) for batch in work.batches] == [["first"], ["a", "b", "c"]]


def test_each_hears_of_its_own_failure() -> None:
    work = _Work()
    done = _while_one_works(work, Together(work, most=10), ["a", "bad b", "c"])
    assert [done[name].exception() for name in ("a", "c")] == [None, None]
    with pytest.raises(ValueError, match="bad b"):
        done["bad b"].result()


def test_no_more_at_once_than_it_may_be() -> None:
    work = _Work()
    _while_one_works(work, Together(work, most=2), ["a", "b", "c", "d", "e"])
    assert [len(batch) for batch in work.batches] == [1, 2, 2, 1]
    assert sorted(item for batch in work.batches for item in batch) == ["a", "b", "c", "d", "e", "first"]


def test_when_the_work_fails_all_hear_of_it_and_the_next_is_done() -> None:
    def fail(items: Sequence[str]) -> Sequence[Exception | None]:
        if "x" in items:
            raise OSError("no disk")
        return [None] * len(items)

    together = Together(fail, most=10)
    with pytest.raises(OSError, match="no disk"):
        together.do("x")
    together.do("y")


def test_a_thread_that_is_to_end_leaves_nobody_waiting() -> None:
    work = _Work()

    def end(items: Sequence[str]) -> Sequence[Exception | None]:
        work(items)
        if items == ["first"]:
            raise SystemExit
        return [None] * len(items)

    together = Together(end, most=2)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(together.do, "first")
        assert work.begun.wait(_SECONDS)
        others = [pool.submit(together.do, item) for item in "abc"]
        while together.waiting < len(others):
            threading.Event().wait(0.001)
        work.go_on.set()
        assert [other.result(_SECONDS) for other in others] == [None] * len(others)
    assert isinstance(first.exception(), SystemExit)


def test_those_on_their_way_are_waited_for() -> None:
    work = _Work()
    work.go_on.set()
    together = Together(work, most=10, patience=_SECONDS)
    on_the_way = threading.Barrier(3)

    def come(item: str) -> None:
        with together.coming():
            on_the_way.wait(_SECONDS)
            together.do(item)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(come, "abc"))
    assert [sorted(batch) for batch in work.batches] == [["a", "b", "c"]]


def test_who_does_not_come_in_the_end_is_waited_for_no_longer_than_a_moment() -> None:
    work = _Work()
    work.go_on.set()
    together = Together(work, most=10)
    with together.coming():
        with ThreadPoolExecutor(1) as pool:
            pool.submit(together.do, "a").result(_SECONDS)
        assert work.batches == [["a"]]


def test_many_threads_and_nothing_is_lost_or_done_twice() -> None:
    done: list[int] = []

    def work(items: Sequence[int]) -> Sequence[Exception | None]:
        done.extend(items)
        return [None] * len(items)

    together = Together(work, most=7)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(together.do, range(500)))
    assert sorted(done) == list(range(500))
