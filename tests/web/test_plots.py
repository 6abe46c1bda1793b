"""Bars, and the numbers beside them."""

from __future__ import annotations

import pytest

from repo_service.web.plots import HEIGHT, ceiling_of, plot_of


@pytest.mark.parametrize(
    ("most", "top"),
    [(0, 1), (1, 1), (2, 2), (3, 5), (5, 5), (6, 10), (11, 20), (21, 50), (99, 100), (1_000_001, 2_000_000)],
)
def test_the_scale_ends_at_a_round_number(most: int, top: int) -> None:
    assert ceiling_of(most) == top


def test_bars_stand_on_the_ground_and_reach_their_value() -> None:
    plot = plot_of([0, 5, 10], ["a", "b", "c"], str)
    assert [bar.words for bar in plot.bars] == ["b: 5", "c: 10"]
    assert [(bar.height, bar.y) for bar in plot.bars] == [(HEIGHT / 2, HEIGHT / 2), (HEIGHT, 0)]
    assert all(bar.x + bar.width <= plot.width for bar in plot.bars)
    assert plot.bars[0].x + plot.bars[0].width < plot.bars[1].x
    assert (plot.scale, plot.total, plot.is_empty) == (["10", "5", "0"], "15", False)


def test_what_is_little_beside_much_can_be_seen() -> None:
    few, many = plot_of([1, 1_000_000], ["a", "b"], str).bars
    assert 0 < few.height < many.height / 10
    assert few.y + few.height == HEIGHT


def test_of_nothing_there_are_no_bars() -> None:
    for values in ([], [0, 0]):
        plot = plot_of(values, ["a"] * len(values), str)
        assert (list(plot.bars), plot.total, plot.is_empty) == ([], "0", True)
