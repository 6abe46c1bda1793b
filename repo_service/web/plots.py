"""Plots of numbers over time: bars for an inline SVG, which the template draws.

The drawing is stretched to the width of the page, so no text stands in it: the scale is beside it, in HTML.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

HEIGHT = 100
_SLOT = 10
_WIDTH = 8
_LEAST = 1.5
"""What is not nothing can be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar, in the units of the drawing; ``words`` say what it stands for."""

    x: int
    y: float
    width: int
    height: float
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A drawing of ``width`` by ``height`` units. ``scale`` are the numbers beside it, from the top down, and
    ``total`` is all of it; both in words."""

    width: int
    height: int
    bars: Sequence[Bar]
    scale: Sequence[str]
    total: str
    is_empty: bool


def plot_of(values: Sequence[int], names: Sequence[str], read: Callable[[int], str]) -> Plot:
    """Bars for ``values`` (none negative), each called by its name; ``read`` says a value in words."""
    top = ceiling_of(max(values, default=0))
    scale = [top, top // 2, 0] if top % 2 == 0 else [top, 0]
    return Plot(
        width=_SLOT * len(values),
        height=HEIGHT,
        bars=[
            _bar(at, value / top, f"{name}: {read(value)}")
            for at, (value, name) in enumerate(zip(values, names, strict=True))
            if value
        ],
        scale=[read(value) for value in scale],
        total=read(sum(values)),
        is_empty=not any(values),
    )


def ceiling_of(most: int) -> int:
    """A round number that is not below ``most``: 1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for step in (1, 2, 5):
            if step * power >= most:
                return step * power
        power *= 10


def _bar(at: int, share: float, words: str) -> Bar:
    height = round(max(share * HEIGHT, _LEAST), 2)
    return Bar(x=at * _SLOT + 1, y=round(HEIGHT - height, 2), width=_WIDTH, height=height, words=words)
