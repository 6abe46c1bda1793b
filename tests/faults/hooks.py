"""What is put into a process of the service before it starts: points, and clocks that run faster."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from sqlalchemy import event
from sqlalchemy.orm import Session

from repo_service import app
from repo_service.domain.resources import UploadState
from repo_service.domain.search import SearchDocument
from repo_service.models import Blob, BlobLocation, Upload, Version
from repo_service.search.base import SearchIndex
from repo_service.search.registry import open_index
from storage import registry
from tests.faults.points import Points
from tests.faults.stores import FaultyStore

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FOLDER_VARIABLE = "FAULTS_FOLDER"

_FASTER: dict[str, Any] = {
    "repo_service.services.jobs:_FIRST_RETRY": timedelta(seconds=0.5),
    "repo_service.services.jobs:_LONGEST_WAIT": timedelta(seconds=3),
    "repo_service.services.stores:_PAUSE_SECONDS": 2.0,
    "repo_service.services.resuming:LEASE": timedelta(seconds=2),
    "repo_service.services.resuming:_RENEWED_EVERY": 0.5,
    "repo_service.services.resuming:_PUBLISHING_LASTS": timedelta(seconds=3),
    "repo_service.services.resuming:_REVIVED_AFTER": timedelta(seconds=3),
    "repo_service.services.direct:_REVIVED_AFTER": timedelta(seconds=3),
}
"""Waits of minutes as seconds: what is tested is that they end, not how long they are."""
_SWEEP_SECONDS = 2
_STEPS_OF_UPLOADS = {UploadState.OPEN.value: "begun", UploadState.FINISHED.value: "finished"}
_UUID = re.compile(r"/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def install(role: str) -> Points:
    """Make this process one that can be stopped at points; ``role`` is what it is in plans."""
    points = Points(Path(os.environ[FOLDER_VARIABLE]), role)
    for name, value in _FASTER.items():
        module, _, attribute = name.partition(":")
        patch.object(import_module(module), attribute, value).start()
    patch("huey.consumer.Scheduler.periodic_task_seconds", _SWEEP_SECONDS).start()
    FaultyStore.points = points
    patch.object(registry, "CheckedStore", FaultyStore).start()

    def open_faulty_index(url: str, *, writer: bool) -> SearchIndex:
        index = open_index(url, writer=writer)
        _instrument_index(index, points)
        return index

    patch.object(app, "open_index", open_faulty_index).start()
    _watch_commits(points)
    return points


def answering(service: WSGIApplication, points: Points) -> WSGIApplication:
    """``service``, standing still at will when an answer is ready and not sent yet."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        told = ""

        def note(status: str, *more: Any) -> Callable[[bytes], object]:
            nonlocal told
            told = status
            return start_response(status, *more)

        answer = service(environ, note)
        if told.startswith("2"):
            path = _UUID.sub("", environ["PATH_INFO"]).removeprefix("/api/v1/")
            points.reach(f"answer {environ['REQUEST_METHOD']} {path}")
        return answer

    return application


def _instrument_index(index: Any, points: Points) -> None:
    put, commit = index.put, index.commit

    def faulty_put(documents: Iterable[SearchDocument]) -> None:
        found = list(documents)
        if found:
            points.reach("index.put")
        put(found)

    def faulty_commit(*, position: int) -> None:
        points.reach("index.commit.before")
        commit(position=position)
        points.reach("index.commit.after")

    index.put, index.commit = faulty_put, faulty_commit


def _watch_commits(points: Points) -> None:
    """Each transaction of the share flow is a pair of points: right before its commit, and right after it,
    before anybody is told of it."""

    @event.listens_for(Session, "before_commit")
    def before(session: Session) -> None:
        step = session.info["step"] = _step_of(session)
        if step is not None:
            points.reach(f"{step}.before")

    @event.listens_for(Session, "after_commit")
    def after(session: Session) -> None:
        step = session.info.get("step")
        if step is not None:
            points.reach(f"{step}.after")


def _step_of(session: Session) -> str | None:
    """Which step of the share flow this transaction is, by the rows that it holds."""
    held = list(session.identity_map.values())
    kinds = {type(row) for row in held}
    states = {type(row): row.__dict__.get("state") for row in held}
    if Version in kinds:
        return "created" if Upload in kinds else "settled"
    if BlobLocation in kinds:
        return "copied" if Blob in kinds else "located"
    return _STEPS_OF_UPLOADS.get(states.get(Upload) or "")
