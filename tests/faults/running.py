"""One run: a file is shared, a fault strikes at a step, all is brought back, and what holds is checked."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from threading import Thread
from typing import TypeVar

import httpx

from tests.faults.cells import Cell
from tests.faults.checks import (
    Broken,
    check_kept,
    check_no_orphans,
    check_nothing_is_left,
    let_time_pass,
    settle,
)
from tests.faults.clients import WAYS, Cut, File, Lost, Refused, Share, Stop
from tests.faults.faults import FAULTS, Scene
from tests.faults.points import Plan
from tests.faults.site import Site
from tests.faults.steps import CLIENT, COMMAND
from tests.support.running import wait_for

_MIB = 1024 * 1024
_REACH_SECONDS = 60
_NOTICE_SECONDS = 15
_RETRY_SECONDS = 90
_PAUSE_SECONDS = 0.3
_SIZES = (200_000, 600_000, 1_500_000)
_STAGED_SIZES = (300_000, 1_500_000, 7_000_000)
_DIRECT_SIZE = 17 * _MIB
"""More than two of its parts."""
_MARGIN = 100_000

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one run: ``said`` is for the table, ``broken`` says which invariant does not hold."""

    cell: str
    fault: str
    step: str
    seed: int
    said: str
    seconds: float
    broken: str | None = None
    skipped: bool = False


class _Attempt(Thread):
    """The client's first try, in the background."""

    def __init__(self, way: str, share: Share) -> None:
        super().__init__(daemon=True)
        self._way = WAYS[way]
        self._share = share
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self._way.go(self._share)
        except (Refused, Lost, Cut, httpx.TransportError) as error:
            self.error = error


def run(site: Site, cell: Cell, *, number: int, seed: int) -> Outcome:
    """Try the fault of ``cell`` at its step. ``number`` has not been used at this site before."""
    begun = time.monotonic()

    def outcome(said: str, broken: str | None = None, *, skipped: bool = False) -> Outcome:
        return Outcome(
            cell=cell.name,
            fault=cell.fault,
            step=cell.step,
            seed=seed,
            said=said,
            seconds=round(time.monotonic() - begun, 1),
            broken=broken,
            skipped=skipped,
        )

    reason = FAULTS[cell.fault].why_not(site)
    if reason is not None:
        return outcome(f"not tried: {reason}", skipped=True)
    try:
        return outcome(_Run(site, cell, number=number, seed=seed).said())
    except (Broken, AssertionError, Refused, Lost, httpx.TransportError) as error:
        return outcome("BROKEN", f"{type(error).__name__}: {error}")


class _Run:
    def __init__(self, site: Site, cell: Cell, *, number: int, seed: int) -> None:
        random = Random(seed)
        self._site = site
        self._cell = cell
        self._fault = FAULTS[cell.fault]
        folder = site.folder / "files"
        folder.mkdir(exist_ok=True)
        self._file = File.make(folder, random, size=_size(cell, random))
        size = len(self._file.data)
        where = cell.where
        at = random.randrange(1, size - _MARGIN) if where.sized else 0
        self._plan = Plan(
            number=number, role=where.role, point=where.point, act=self._fault.act, store=where.store, size=at
        )
        self._stop = Stop(at, cuts=cell.fault == "client-gone") if where.role == CLIENT else None
        client = httpx.Client(
            base_url=site.url,
            headers=site.client.headers,
            timeout=self._fault.patience,
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        self._share = Share(client, self._file, self._stop)
        self._scene = Scene(site=site, where=where, plan=self._plan, process=0, random=random, size=size)

    def said(self) -> str:
        """What became of it. Raises Broken and what the client raises."""
        try:
            if self._cell.where.role == COMMAND:
                return self._collecting()
            return self._sharing()
        finally:
            self._share.client.close()
            self._file.path.unlink()

    # Sharing a file

    def _sharing(self) -> str:
        site = self._site
        if self._stop is None:
            site.points.plan(self._plan)
        attempt = _Attempt(self._cell.way, self._share)
        attempt.start()
        try:
            self._wait_until_reached(attempt)
            self._strike(attempt)
        finally:
            site.points.forget()
            self._let_go()
        self._bring_back()
        attempt.join(_RETRY_SECONDS)
        if attempt.is_alive():
            raise Broken("the client's request never ended")
        said = self._after(attempt.error)
        settle(site)
        count = check_kept(site, self._share)
        check_no_orphans(site)
        check_kept(site, self._share)
        check_nothing_is_left(site, [self._share])
        return said if count == 1 else f"{said}; kept {count} times"

    def _wait_until_reached(self, attempt: _Attempt) -> None:
        def reached() -> bool:
            if self._stop is not None and self._stop.reached.is_set():
                return True
            found = self._site.points.reached(self._plan)
            self._scene.process = found or 0
            if found is None and attempt.error is not None:
                raise Broken(f"the step was not reached: {attempt.error}")
            return found is not None

        wait_for(reached, f"the step {self._cell.where}", _REACH_SECONDS)

    def _strike(self, attempt: _Attempt) -> None:
        fault = self._fault
        if fault.patience < _NOTICE_SECONDS:  # the client gives up first
            attempt.join(_RETRY_SECONDS)
        mark = self._log_size()
        with self._site.unsupervised():
            fault.strike(self._scene)
        try:
            if fault.goes_on or fault.act != "hold":
                self._let_go()
                self._wait_until_noticed(attempt, mark)
        finally:
            with self._site.unsupervised():
                fault.heal(self._scene)

    def _wait_until_noticed(self, attempt: _Attempt, mark: int) -> None:
        """Until the client has an answer, or the worker has written that something is wrong. A step may have
        nothing more to do with what is broken: then nobody notices."""
        deadline = time.monotonic() + _NOTICE_SECONDS
        while time.monotonic() < deadline:
            is_noticed = (
                self._log_size() > mark if self._cell.where.role == "worker" else not attempt.is_alive()
            )
            if is_noticed:
                return
            time.sleep(0.05)

    def _log_size(self) -> int:
        return self._site.log("worker").stat().st_size

    def _let_go(self) -> None:
        self._site.points.let_go(self._plan)
        if self._stop is not None:
            self._stop.go.set()

    def _bring_back(self) -> None:
        self._site.wait_until_ready()

    def _after(self, error: Exception | None) -> str:
        """Have the client go on until its file is shared; what that took."""
        share = self._share
        if error is None:
            return "acknowledged, whole"
        if isinstance(error, Lost):
            raise error
        said = f"refused ({error.status})" if isinstance(error, Refused) else "broken off"
        kept = bool(_retried(share.own_resources))
        begun = share.begun
        share.client.timeout = httpx.Timeout(60)
        _retried(lambda: WAYS[self._cell.way].go(share))
        if kept:
            return f"{said}, yet kept; sent again"
        if share.begun > begun:
            return f"{said}, sent again"
        return f"{said}, gone on with"

    # Collecting garbage

    def _collecting(self) -> str:
        site = self._site
        WAYS[self._cell.way].go(self._share)
        settle(site)
        for resource in self._share.own_resources():
            url = f"/api/v1/resources/{resource['id']}/withdraw"
            self._share.send("POST", url, json={"reason": "Over."})
        settle(site)
        let_time_pass(site)
        site.points.plan(self._plan)
        command = self._scene.command = site.command("store", "gc", "--grace", "0")
        try:
            found = wait_for(lambda: site.points.reached(self._plan), "garbage collection", _REACH_SECONDS)
            self._scene.process = found
            self._fault.strike(self._scene)
            try:
                self._let_go()
                command.wait(_RETRY_SECONDS)
            finally:
                self._fault.heal(self._scene)
        finally:
            site.points.forget()
            if command.poll() is None:
                command.kill()
                command.wait()
        site.wait_until_ready()
        check_no_orphans(site)
        self._share.resource, self._share.upload, self._share.is_uploaded = None, None, False
        WAYS[self._cell.way].go(self._share)
        settle(site)
        check_kept(site, self._share)
        check_no_orphans(site)
        check_nothing_is_left(site, [self._share])
        return "collected by the next run" if command.returncode else "collected"


def _retried(act: Callable[[], T]) -> T:
    """Do it again until the service takes it, as a client would: it waits a moment after each refusal.

    Raises Broken when it never does, and what refuses for good.
    """
    deadline = time.monotonic() + _RETRY_SECONDS
    while True:
        try:
            return act()
        except (Refused, httpx.TransportError) as error:
            if isinstance(error, Refused) and error.status < 500 and error.status != 423:
                raise
            if time.monotonic() > deadline:
                raise Broken(f"refused for {_RETRY_SECONDS} seconds: {error}") from error
        time.sleep(_PAUSE_SECONDS)


def _size(cell: Cell, random: Random) -> int:
    if cell.where.sized and cell.way == "direct":
        return _DIRECT_SIZE
    return random.choice(_STAGED_SIZES if cell.where.sized else _SIZES)
