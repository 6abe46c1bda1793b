"""The steps of the share flow at which a fault can come: for each way of uploading, where that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.world import Backend

CLIENT = "client"
"""The role of a step that is the client's own, between two things that it sends."""
COMMAND = "command"


@dataclass(frozen=True, kw_only=True)
class Where:
    """The process (``role``) and point at which a step is; ``sized``: after some bytes of it."""

    role: str
    point: str
    store: str = ""
    sized: bool = False


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step; ``at`` says where it is, None where a way of uploading or a backend has no such step."""

    name: str
    label: str
    at: Callable[[str, Backend], tuple[Where, ...]]


def _always(role: str, point: str) -> Callable[[str, Backend], tuple[Where, ...]]:
    return lambda way, backend: (Where(role=role, point=point),)


def _publisher(way: str, backend: Backend) -> str:
    """Which process makes the bytes a blob."""
    return "worker" if way == "direct" or (way == "tus" and backend.primary != "file") else "web"


def _publishing(point: str, *, in_store: bool = False) -> Callable[[str, Backend], tuple[Where, ...]]:
    return lambda way, backend: (
        Where(role=_publisher(way, backend), point=point, store=backend.primary if in_store else ""),
    )


def _staging(way: str, backend: Backend) -> tuple[Where, ...]:
    if way == "direct":
        return (Where(role=CLIENT, point="parts", sized=True),)
    return (Where(role="web", point="write", store=_staging_store(way, backend), sized=True),)


def _staging_store(way: str, backend: Backend) -> str:
    return "spool" if way == "tus" and backend.primary != "file" else backend.primary


def _of(way: str, where: Callable[[Backend], Where]) -> Callable[[str, Backend], tuple[Where, ...]]:
    return lambda actual, backend: (where(backend),) if actual == way else ()


def _verifying(way: str, backend: Backend) -> tuple[Where, ...]:
    if _publisher(way, backend) == "web":
        return ()
    return (Where(role="worker", point="read staged", sized=True),)


def _inspecting(way: str, backend: Backend) -> tuple[Where, ...]:
    if way == "direct":  # it was inspected while it was verified
        return ()
    return (Where(role="worker", point="read", store=backend.primary),)


def _copying(point: str, *, sized: bool = False) -> Callable[[str, Backend], tuple[Where, ...]]:
    return lambda way, backend: tuple(
        Where(role="worker", point=point, store=replica, sized=sized) for replica in backend.replicas
    )


def _noted(way: str, backend: Backend) -> tuple[Where, ...]:
    return (Where(role="worker", point="copied.after"),) if backend.replicas else ()


def _collecting(point: str) -> Callable[[str, Backend], tuple[Where, ...]]:
    return lambda way, backend: (Where(role=COMMAND, point=point, store=backend.primary),)


STEPS = {
    step.name: step
    for step in (
        Step(name="begun", label="room reserved, nothing sent", at=_always("web", "begun.after")),
        Step(name="staging", label="staging, after some bytes", at=_staging),
        Step(
            name="suspending",
            label="staging, before a part of it is made durable",
            at=_of(
                "tus",
                lambda backend: Where(role="web", point="suspend", store=_staging_store("tus", backend)),
            ),
        ),
        Step(
            name="part-kept",
            label="staging, a part is kept, its answer not sent",
            at=_of("tus", lambda backend: Where(role="web", point="answer PATCH tus")),
        ),
        Step(
            name="put-together",
            label="parts put together in the store, not noted yet",
            at=_of(
                "direct", lambda backend: Where(role="web", point="complete.after", store=backend.primary)
            ),
        ),
        Step(
            name="completed",
            label="parts put together, answer not sent",
            at=_of("direct", lambda backend: Where(role="web", point="answer POST uploads/complete")),
        ),
        Step(name="verifying", label="verifying what has come, after some bytes", at=_verifying),
        Step(name="publish", label="before publishing", at=_publishing("publish.before", in_store=True)),
        Step(
            name="published",
            label="published, not in the catalogue",
            at=_publishing("publish.after", in_store=True),
        ),
        Step(name="located", label="in the catalogue, upload not finished", at=_publishing("located.after")),
        Step(name="finished", label="upload finished, nobody told", at=_publishing("finished.after")),
        Step(
            name="created", label="resource committed, no job hinted at", at=_always("web", "created.after")
        ),
        Step(
            name="answer",
            label="resource committed, answer not sent",
            at=_always("web", "answer POST resources"),
        ),
        Step(name="inspecting", label="inspecting", at=_inspecting),
        Step(name="inspected", label="inspected, not committed", at=_always("worker", "settled.before")),
        Step(
            name="settled", label="inspection committed, job not done", at=_always("worker", "settled.after")
        ),
        Step(name="copying", label="replicating, after some bytes", at=_copying("write", sized=True)),
        Step(name="copied", label="copy published, not in the catalogue", at=_copying("publish.after")),
        Step(name="noted", label="copy in the catalogue, job not done", at=_noted),
        Step(name="indexing", label="indexing", at=_always("worker", "index.put")),
        Step(
            name="committing",
            label="before the index is committed",
            at=_always("worker", "index.commit.before"),
        ),
        Step(
            name="indexed", label="after the index is committed", at=_always("worker", "index.commit.after")
        ),
        Step(
            name="deleting",
            label="collecting garbage, before bytes are deleted",
            at=_collecting("delete.before"),
        ),
        Step(
            name="deleted",
            label="collecting garbage, bytes deleted, row there",
            at=_collecting("delete.after"),
        ),
    )
}
