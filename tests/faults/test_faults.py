"""The short form of ``make faults``: a kill at each step of the share flow, and a store that goes away."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from tests.faults.cells import Cell, cells
from tests.faults.running import run
from tests.faults.site import Site, site
from tests.faults.steps import STEPS
from tests.faults.world import BACKENDS, Backend, world

_WAYS = {"tus": ("suspending", "part-kept"), "direct": ("put-together", "completed", "verifying")}
_WAY_OF = {step: way for way, steps in _WAYS.items() for step in steps}


def _chosen() -> list[Cell]:
    """Each step once, on the first backend that has it; and real outages of a store, of two kinds."""
    found: dict[str, Cell] = {}
    for cell in cells():
        if cell.fault == "kill" and cell.way == _WAY_OF.get(cell.step, "form"):
            found.setdefault(cell.step, cell)
    outages = ("postgres+s3/raw/staging/store-killed", "postgres+s3/form/inspecting/store-killed")
    return [*found.values(), *(cell for cell in cells() if cell.name in outages)]


_CHOSEN = sorted(_chosen(), key=lambda cell: list(BACKENDS).index(cell.backend.name))
_NUMBERS = count(1)

Service = Callable[[Backend], Site]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service on a backend: the same for all tests in a row that want this one."""
    folder = Path(tempfile.mkdtemp(prefix="repo-faults-", dir="/tmp"))  # sockets have short paths
    try:
        with ExitStack() as stack:
            running: list[Site] = []

            def on(backend: Backend) -> Site:
                if not running or running[-1].world.backend != backend:
                    stack.close()
                    own = folder / str(len(running))
                    own.mkdir()
                    servers = stack.enter_context(world(backend, own))
                    running.append(stack.enter_context(site(servers, own / "site")))
                return running[-1]

            yield on
    finally:
        shutil.rmtree(folder)


def test_every_step_is_tried() -> None:
    assert {cell.step for cell in _CHOSEN} == set(STEPS)


@pytest.mark.parametrize("cell", _CHOSEN, ids=lambda cell: cell.name)
def test_nothing_is_lost(service: Service, cell: Cell) -> None:
    present = service(cell.backend)
    outcome = run(present, cell, number=next(_NUMBERS), seed=1)
    assert outcome.broken is None, f"{outcome.broken}\n{present.logs()}"
