"""``python -m tests.faults``: every fault at every step, and a table.

The exit status is 1 when an invariant does not hold.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from random import Random

from tests.faults import report
from tests.faults.cells import Cell, cells
from tests.faults.running import Outcome, run
from tests.faults.site import PROJECT, Site, site
from tests.faults.world import BACKENDS, world

_RUNS = 200
_LANES = 3
_PART = 40
"""Runs that share servers and, while nothing is broken, one service."""


@dataclass(frozen=True)
class _Job:
    cell: Cell
    seed: int


def main() -> None:
    options = _options()
    for name in [name for name in os.environ if name.startswith("REPO_")]:
        del os.environ[name]
    chosen = [cell for cell in cells() if not options.only or _is_named(cell, options.only)]
    if options.list:
        print("\n".join(cell.name for cell in chosen))
        return
    if not chosen:
        sys.exit("no fault has such a name: see --list")
    jobs = _jobs(chosen, options)
    begun = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="repo-faults-", dir="/tmp"))  # sockets have short paths
    try:
        outcomes = _run_all(jobs, folder, lanes=options.lanes)
    finally:
        if options.keep:
            print(f"everything is in {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    seconds = time.monotonic() - begun
    if options.only:
        print(report.markdown(outcomes, seconds=seconds))
    else:
        report.write(PROJECT / "build", outcomes, seconds=seconds)
    broken = [outcome for outcome in outcomes if outcome.broken]
    print(f"{len(outcomes)} runs, {len(broken)} broken, {seconds / 60:.1f} minutes", file=sys.stderr)
    sys.exit(1 if broken else 0)


def _jobs(chosen: Sequence[Cell], options: argparse.Namespace) -> list[_Job]:
    """Each cell once; then those again where another seed is another moment, until there are enough."""
    seeds = Random(options.seed)
    if options.only:
        return [_Job(cell, options.seed + turn) for cell in chosen for turn in range(options.repeat)]
    jobs = [_Job(cell, seeds.randrange(10**6)) for cell in chosen]
    again = itertools.cycle(cell for cell in chosen if cell.where.sized)
    while len(jobs) < options.runs:
        jobs.append(_Job(next(again), seeds.randrange(10**6)))
    return jobs


def _run_all(jobs: Sequence[_Job], folder: Path, *, lanes: int) -> list[Outcome]:
    """In parts that have servers of their own, so that the faults of one are nobody else's."""
    progress = _Progress(len(jobs))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: progress.stop())
    parts = list(_parts(jobs))
    with ThreadPoolExecutor(lanes) as pool:
        found = pool.map(lambda item: _run_part(item[1], folder / str(item[0]), progress), enumerate(parts))
        return [outcome for part in found for outcome in part]


def _parts(jobs: Sequence[_Job]) -> Iterator[Sequence[_Job]]:
    """Of one backend each, the long ones first."""
    for backend in reversed(BACKENDS.values()):
        mine = [job for job in jobs if job.cell.backend == backend]
        for start in range(0, len(mine), _PART):
            yield mine[start : start + _PART]


def _run_part(jobs: Sequence[_Job], own: Path, progress: _Progress) -> list[Outcome]:
    outcomes = []
    own.mkdir()
    backend = jobs[0].cell.backend
    with world(backend, own) as servers, ExitStack() as stack:
        present: Site | None = None
        for number, job in enumerate(jobs, start=1):
            if progress.is_stopped:
                break
            if present is None:
                present = stack.enter_context(site(servers, own / f"site{number}"))
            outcome = run(present, job.cell, number=number, seed=job.seed)
            outcomes.append(outcome)
            progress.tell(outcome)
            if outcome.broken:
                progress.show_logs(present)
                # What is broken must not spoil the next run.
                stack.close()
                for server in servers.servers:
                    server.kill()
                    server.start()
                present = None
    return outcomes


class _Progress:
    """A line for each run."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self.is_stopped = False
        self._lock = threading.Lock()

    def stop(self) -> None:
        """No more runs; those that go on come to their end."""
        self.is_stopped = True

    def tell(self, outcome: Outcome) -> None:
        with self._lock:
            self._done += 1
            line = f"[{self._done:3}/{self._total}] {outcome.cell}  {outcome.said}  {outcome.seconds} s"
            print(line, file=sys.stderr, flush=True)
            if outcome.broken:
                again = f"--only '{outcome.cell}' --seed {outcome.seed}"
                print(
                    f'    {outcome.broken}\n    again: make faults ARGS="{again}"',
                    file=sys.stderr,
                    flush=True,
                )

    def show_logs(self, broken: Site) -> None:
        with self._lock:
            print(broken.logs(), file=sys.stderr, flush=True)


def _is_named(cell: Cell, patterns: Sequence[str]) -> bool:
    return any(fnmatch(cell.name, pattern) for pattern in patterns)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="just these, such as '*/tus/*/kill'")
    parser.add_argument("--seed", type=int, default=1, help="makes the files, and where in them faults come")
    parser.add_argument(
        "--repeat", type=int, default=1, help="with --only: so often, with the seeds that follow"
    )
    parser.add_argument("--runs", type=int, default=_RUNS, help="at least so many in all")
    parser.add_argument("--lanes", type=int, default=_LANES, help="backends at a time")
    parser.add_argument("--list", action="store_true", help="print the names and do nothing")
    parser.add_argument("--keep", action="store_true", help="leave the files and logs of the services")
    return parser.parse_args()


if __name__ == "__main__":
    main()
