"""Which faults are tried at which steps, by which ways of uploading, on which backends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.faults.steps import CLIENT, COMMAND, STEPS, Where
from tests.faults.world import BACKENDS, Backend

MANY = ("form", "raw", "tus", "direct")
_WEB = ("begun", "staging", "suspending", "part-kept", "put-together", "completed")
_KEEPING = ("verifying", "publish", "published", "located", "finished")
_MAKING = ("created", "answer")
_AFTER = ("inspecting", "inspected", "settled", "indexing", "committing", "indexed")
_REPLICATING = ("copying", "copied", "noted")
_COLLECTING = ("deleting", "deleted")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One fault at one step, in one way, on one backend."""

    backend: Backend
    way: str
    step: str
    fault: str
    where: Where

    @property
    def name(self) -> str:
        """As ``--only`` takes it."""
        store = f"@{self.where.store}" if self.step in _REPLICATING and self.where.store else ""
        return f"{self.backend.name}/{self.way}/{self.step}{store}/{self.fault}"


@dataclass(frozen=True, kw_only=True)
class _Row:
    """Faults times steps times ways."""

    faults: Sequence[str]
    steps: Sequence[str]
    ways: Sequence[str] = ("form",)
    backends: Sequence[str] = ("sqlite+file", "postgres+s3")


_REPLICAS = ("sqlite+file>s3,ipfs",)
_ROWS = (
    # The process at the step is killed: everywhere.
    _Row(faults=["kill"], steps=_WEB + _KEEPING + _MAKING, ways=MANY),
    _Row(faults=["kill"], steps=_AFTER + _COLLECTING),
    _Row(faults=["kill"], steps=_REPLICATING, backends=_REPLICAS),
    # More than one process dies.
    _Row(faults=["kill-server"], steps=["staging", "publish", "published", "created"], ways=["form", "tus"]),
    _Row(
        faults=["kill-all"],
        steps=[
            "staging",
            "publish",
            "published",
            "located",
            "created",
            "inspecting",
            "settled",
            "committing",
        ],
        ways=["raw"],
    ),
    _Row(faults=["kill-all"], steps=["published", "verifying"], ways=["direct"]),
    _Row(
        faults=["power-cut"],
        steps=["staging", "publish", "published", "created", "inspecting", "committing", "deleted"],
        backends=["postgres+s3"],
    ),
    _Row(
        faults=["power-cut"],
        steps=["part-kept", "published", "finished"],
        ways=["tus", "direct"],
        backends=["postgres+s3"],
    ),
    _Row(faults=["power-cut"], steps=["copying", "copied"], backends=_REPLICAS),
    # The client and the process lose each other.
    _Row(faults=["hang"], steps=["staging", "published", "created"], ways=["raw"]),
    _Row(faults=["client-gone"], steps=["staging"], ways=["form", "raw", "tus"]),
    # The store goes away and comes back.
    _Row(
        faults=["store-killed"],
        steps=["staging", "publish", "verifying", "inspecting", "deleting"],
        ways=MANY,
        backends=["postgres+s3"],
    ),
    _Row(
        faults=["store-stopped"],
        steps=["staging", "publish"],
        ways=["raw", "direct"],
        backends=["postgres+s3"],
    ),
    _Row(faults=["store-killed", "store-stopped"], steps=["copying", "copied"], backends=_REPLICAS),
    _Row(
        faults=["store-silent"],
        steps=["staging", "publish", "verifying", "inspecting", "deleting"],
        ways=["raw", "tus", "direct"],
    ),
    _Row(faults=["store-silent"], steps=["copying"], backends=_REPLICAS),
    _Row(
        faults=["disk-gone"],
        steps=["staging", "publish", "published", "inspecting", "deleting"],
        ways=["raw", "tus"],
        backends=["sqlite+file"],
    ),
    # No room.
    _Row(faults=["store-full"], steps=["staging", "publish", "verifying"], ways=MANY),
    _Row(faults=["store-full"], steps=["copying"], backends=_REPLICAS),
    _Row(
        faults=["disk-full"],
        steps=[
            "begun",
            "staging",
            "publish",
            "published",
            "created",
            "inspecting",
            "inspected",
            "committing",
        ],
        ways=["form", "tus"],
        backends=["sqlite+file"],
    ),
    _Row(
        faults=["disk-full"], steps=["staging", "publish", "inspecting"], ways=MANY, backends=["postgres+s3"]
    ),
    # The database goes away and comes back.
    _Row(
        faults=["database-killed"],
        steps=(*_WEB, *_KEEPING, *_MAKING, "inspecting", "inspected", "settled", "committing", "deleted"),
        ways=["raw", "direct"],
        backends=["postgres+s3"],
    ),
    _Row(
        faults=["database-killed"],
        steps=["staging", "suspending", "part-kept", "finished"],
        ways=["tus"],
        backends=["postgres+s3"],
    ),
)
_ONCE = {*_AFTER, *_REPLICATING, *_COLLECTING}
"""Steps that are the same whichever way the file came."""


def cells() -> list[Cell]:
    """All of them, each once, those of one backend together."""
    found = {cell.name: cell for row in _ROWS for cell in _of(row)}
    return sorted(found.values(), key=lambda cell: list(BACKENDS).index(cell.backend.name))


def _of(row: _Row) -> Iterator[Cell]:
    for backend in (BACKENDS[name] for name in row.backends):
        for step in row.steps:
            for way in _ways(row.ways, step):
                if way == "direct" and backend.primary != "s3":
                    continue
                for fault in row.faults:
                    for where in _wheres(backend, way, step, fault):
                        yield Cell(backend=backend, way=way, step=step, fault=fault, where=where)


def _ways(ways: Sequence[str], step: str) -> Iterable[str]:
    return ways[:1] if step in _ONCE else ways


def _wheres(backend: Backend, way: str, step: str, fault: str) -> Iterator[Where]:
    for where in STEPS[step].at(way, backend):
        if fault == "client-gone":
            yield Where(role=CLIENT, point="parts", sized=True)
        elif where.role == CLIENT and fault in ("kill", "hang"):
            continue  # no process of ours stands there
        elif where.role == COMMAND and fault in ("kill-server", "kill-all"):
            continue
        elif fault == "store-silent" and where.role == CLIENT:
            continue  # the store is not asked by us
        elif fault == "store-full" and where.role == CLIENT:
            continue
        elif fault.startswith("store-") and step == "verifying" and way == "tus":
            # What is read comes from the spool, and goes to the store.
            yield Where(role="worker", point="write", store=backend.primary, sized=True)
        elif fault == "store-full" and step == "verifying":
            continue  # nothing is written
        elif fault in ("store-killed", "store-silent") and where.store == "":
            yield Where(role=where.role, point=where.point, store=backend.primary, sized=where.sized)
        else:
            yield where
