"""What is measured: runs that take turns with their floor, and rows with a bar."""

from __future__ import annotations

import enum
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

MIB = 1024 * 1024
GIB = 1024 * MIB


class Rule(enum.Enum):
    """How a row is held against its bar."""

    RATIO_AT_MOST = "ours / floor <= bar"
    RATIO_AT_LEAST = "ours / floor >= bar"
    EXCESS_AT_MOST = "ours - floor <= bar"
    AT_MOST = "ours <= bar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. ``ours`` and ``floor`` are medians in ``unit``."""

    name: str
    unit: str
    ours: float
    floor: float | None = None
    bar: float
    rule: Rule
    note: str = ""
    ours_runs: list[float] = field(default_factory=list)
    floor_runs: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float | None:
        return None if not self.floor else self.ours / self.floor

    @property
    def shown_bar(self) -> str:
        """The bar as the table shows it."""
        match self.rule:
            case Rule.RATIO_AT_MOST:
                return f"≤ {self.bar:.2f}"
            case Rule.RATIO_AT_LEAST:
                return f"≥ {self.bar:.2f}"
            case Rule.EXCESS_AT_MOST:
                return f"≤ floor + {self.bar:g} {self.unit}"
            case Rule.AT_MOST:
                return f"≤ {self.bar:,.0f} {self.unit}"

    @property
    def met(self) -> bool:
        match self.rule, self.floor:
            case Rule.AT_MOST, _:
                return self.ours <= self.bar
            case _, None:
                raise ValueError(f"{self.name} needs a floor")
            case Rule.RATIO_AT_MOST, float(floor):
                return self.ours <= self.bar * floor
            case Rule.RATIO_AT_LEAST, float(floor):
                return self.ours >= self.bar * floor
            case Rule.EXCESS_AT_MOST, float(floor):
                return self.ours <= self.bar + floor
        raise AssertionError("unreachable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every bench is given. ``folder`` is its own and removed at the end; ``runs`` of each side."""

    folder: Path
    runs: int
    quick: bool

    @property
    def file_size(self) -> int:
        """Bytes of the file that is sent and fetched."""
        return 128 * MIB if self.quick else GIB

    def say(self, what: str) -> None:
        """Progress, on standard error."""
        print(f"{time.strftime('%H:%M:%S')}  {what}", file=sys.stderr, flush=True)

    def interleaved(self, ours: Callable[[], float], floor: Callable[[], float]) -> tuple[Runs, Runs]:
        """Both in turns, after one of each that does not count."""
        ours()
        floor()
        pairs = [(ours(), floor()) for _ in range(self.runs)]
        return Runs([pair[0] for pair in pairs]), Runs([pair[1] for pair in pairs])


@dataclass(frozen=True, slots=True)
class Runs:
    """The figures of several runs of one side."""

    values: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)


def compared(
    name: str, unit: str, sides: tuple[Runs, Runs], *, bar: float, rule: Rule, note: str = ""
) -> Row:
    """A row from what ``interleaved`` gave."""
    ours, floor = sides
    return Row(
        name=name,
        unit=unit,
        ours=ours.median,
        floor=floor.median,
        bar=bar,
        rule=rule,
        note=note,
        ours_runs=ours.values,
        floor_runs=floor.values,
    )


def seconds(work: Callable[[], object]) -> float:
    """How long ``work`` takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
