"""Fuzz for some minutes: ``python -m tests.fuzz --minutes 10``. Ends with 1 when something was found.

Backups, or with ``--parser`` the samples of another parser (``tests/support/oer.py``; ``--parser all``: each
parser for that long).

A case is a number. What it found is shown; put the number into seeds.json once it is understood, and the
short form that all tests run does it each time.
"""

from __future__ import annotations

import argparse
import collections
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.fuzz import formats
from tests.fuzz.running import run

_SECONDS_EACH = 20
_MOST_GROWTH_MIB = 200
_SHOWN = 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**9)
    parser.add_argument("--parser", choices=["all", *formats.PARSERS], action="append")
    given = parser.parse_args()
    signal.signal(signal.SIGALRM, _too_long)
    if given.parser is None:
        return _fuzz(run, given.minutes, given.seed)
    names = formats.PARSERS if "all" in given.parser else given.parser
    return max(_fuzz(partial(formats.run, name), given.minutes, given.seed, name) for name in names)


def _fuzz(run: Callable[[int, Path], str], minutes: float, seed: int, name: str = "backups") -> int:
    chance = random.Random(seed)
    outcomes: collections.Counter[str] = collections.Counter()
    found: list[int] = []
    kinds: collections.Counter[str] = collections.Counter()
    slowest = 0.0
    until = time.monotonic() + 60 * minutes
    with tempfile.TemporaryDirectory() as folder:
        run(0, Path(folder))
        before = _peak()
        while time.monotonic() < until:
            number = chance.randrange(10**12)
            began = time.monotonic()
            signal.alarm(_SECONDS_EACH)
            try:
                outcomes[run(number, Path(folder))] += 1
            except Exception as error:
                found.append(number)
                kinds[f"{type(error).__name__}: {str(error)[:80]}"] += 1
                if len(kinds) <= _SHOWN and kinds.most_common()[-1][1] == 1:
                    print(f"case {number}", file=sys.stderr)
                    traceback.print_exc()
            finally:
                signal.alarm(0)
            slowest = max(slowest, time.monotonic() - began)
    growth = _peak() - before
    cases = sum(outcomes.values()) + len(found)
    print(
        f"{name}: {cases} cases from seed {seed}: {dict(outcomes)}; found {found[:20]}; "
        f"the slowest took {slowest:.1f} s, memory grew by {growth:.0f} MiB"
    )
    return int(bool(found) or growth > _MOST_GROWTH_MIB)


def _too_long(*_: object) -> None:
    raise TimeoutError(f"more than {_SECONDS_EACH} seconds")


def _peak() -> float:
    """The most memory this process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
