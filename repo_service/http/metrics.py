"""Prometheus metrics, added up over all processes of one service through a folder they share.

Every process writes its own memory-mapped files there (``prometheus_client``'s multiprocess mode), so that
any web worker can answer ``/metrics`` for all of them and for the job worker.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector

from repo_service.http.observation import Answered
from storage import Observation

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 600.0)
_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """What is counted for one kind of answer."""

    requests: Counter
    seconds: Histogram
    received: Counter
    sent: Counter


def prepare(folder: Path) -> None:
    """Begin at zero: forget what an earlier run left. For the parent process, before it starts the others."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.db"):
        path.unlink(missing_ok=True)


class Metrics:
    """What this process counts. One a process where there is a ``folder``; None counts in memory only."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        if folder is None:
            values.ValueClass = values.MutexValue
        else:
            folder.mkdir(parents=True, exist_ok=True)
            os.environ[_FOLDER_VARIABLE] = str(folder)
            values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]  # has no types
        registry = self._registry = CollectorRegistry()
        self._requests = Counter(
            "repo_http_requests", "Requests answered.", ["endpoint", "method", "status"], registry=registry
        )
        self._request_seconds = Histogram(
            "repo_http_request_seconds",
            "Time until the last byte of the response was handed over.",
            ["endpoint", "method"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._received = Counter(
            "repo_http_received_bytes", "Bytes of request bodies.", ["endpoint"], registry=registry
        )
        self._sent = Counter(
            "repo_http_sent_bytes", "Bytes of response bodies.", ["endpoint"], registry=registry
        )
        self._store_operations = Counter(
            "repo_store_operations", "Store operations.", ["store", "operation", "outcome"], registry=registry
        )
        self._store_seconds = Histogram(
            "repo_store_operation_seconds",
            "Time spent inside the store.",
            ["store", "operation"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._store_bytes = Counter(
            "repo_store_bytes", "Bytes moved by the store.", ["store", "operation"], registry=registry
        )
        self._by_answer: dict[tuple[str, str, int], _Counted] = {}
        self._jobs = Counter("repo_jobs", "Jobs run.", ["kind", "outcome"], registry=registry)
        self._job_seconds = Histogram(
            "repo_job_seconds", "Time one run of a job took.", ["kind"], buckets=_SECONDS, registry=registry
        )

    def count_answered(self, answered: Answered) -> None:
        """An observer for ``observation.register``."""
        # Looking up labels takes longer than counting does.
        key = (answered.endpoint, answered.method, answered.status)
        counted = self._by_answer.get(key)
        if counted is None:
            counted = self._by_answer[key] = self._counted(*key)
        counted.requests.inc()
        counted.seconds.observe(answered.seconds)
        if answered.received:
            counted.received.inc(answered.received)
        if answered.sent:
            counted.sent.inc(answered.sent)

    def count_store(self, observation: Observation) -> None:
        """An observer for ``CheckedStore``."""
        store, operation = observation.store, observation.operation
        self._store_operations.labels(store, operation, observation.outcome).inc()
        self._store_seconds.labels(store, operation).observe(observation.seconds)
        if observation.size:
            self._store_bytes.labels(store, operation).inc(observation.size)

    def count_job(self, kind: str, outcome: str, seconds: float) -> None:
        """One run of a job; ``outcome`` is a stable word such as ``done``, ``retried`` or ``failed``."""
        self._jobs.labels(kind, outcome).inc()
        self._job_seconds.labels(kind).observe(seconds)

    def _counted(self, endpoint: str, method: str, status: int) -> _Counted:
        endpoint = endpoint or "unmatched"
        return _Counted(
            requests=self._requests.labels(endpoint, method, str(status)),
            seconds=self._request_seconds.labels(endpoint, method),
            received=self._received.labels(endpoint),
            sent=self._sent.labels(endpoint),
        )

    def text(self) -> bytes:
        """Everything counted, in Prometheus's text format (``CONTENT_TYPE``)."""
        if self._folder is None:
            return generate_latest(self._registry)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody, path=str(self._folder))  # type: ignore[no-untyped-call]  # has no types
        return generate_latest(everybody)
