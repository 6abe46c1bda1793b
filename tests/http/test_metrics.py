"""Metrics of one process and of several."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from repo_service.http.metrics import Metrics, prepare
from repo_service.http.observation import Answered
from storage import Observation


def answered(endpoint: str = "resource", status: int = 200) -> Answered:
    return Answered(
        method="GET",
        endpoint=endpoint,
        path="/api/v1/resources/1",
        status=status,
        seconds=0.05,
        received=3,
        sent=7,
        whole=True,
        account="",
        request_id="",
    )


def samples(text: bytes) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels."""
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def count(metrics: Metrics) -> None:
    metrics.count_answered(answered())
    metrics.count_answered(answered(endpoint="", status=404))
    metrics.count_store(Observation("file", "write", 0.2, 1000, "ok"))
    metrics.count_job("inspect", "done", 3)


def _count_in(folder: Path) -> None:
    count(Metrics(folder))


def check(found: dict[tuple[str, ...], float], times: int) -> None:
    assert found["repo_http_requests_total", "resource", "GET", "200"] == times
    assert found["repo_http_requests_total", "unmatched", "GET", "404"] == times
    assert found["repo_http_request_seconds_count", "resource", "GET"] == times
    assert found["repo_http_request_seconds_bucket", "resource", "0.02", "GET"] == 0
    assert found["repo_http_request_seconds_bucket", "resource", "0.1", "GET"] == times
    assert found["repo_http_received_bytes_total", "resource"] == 3 * times
    assert found["repo_http_sent_bytes_total", "resource"] == 7 * times
    assert found["repo_store_operations_total", "write", "ok", "file"] == times
    assert found["repo_store_bytes_total", "write", "file"] == 1000 * times
    assert found["repo_jobs_total", "inspect", "done"] == times
    assert found["repo_job_seconds_sum", "inspect"] == 3 * times


def test_one_process() -> None:
    metrics = Metrics()
    count(metrics)
    check(samples(metrics.text()), 1)


def test_two_services_in_one_process_do_not_mix() -> None:
    first, second = Metrics(), Metrics()
    count(first)
    assert not any(samples(second.text()).values())


def test_several_processes_are_added_up_even_after_they_end(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    context = multiprocessing.get_context("spawn")
    for _ in range(2):
        process = context.Process(target=_count_in, args=(folder,))
        process.start()
        process.join()
        assert process.exitcode == 0
    reader = context.Process(target=_read_into, args=(folder, tmp_path / "text"))
    reader.start()
    reader.join()
    check(samples((tmp_path / "text").read_bytes()), 2)
    prepare(folder)
    assert list(folder.iterdir()) == []


def _read_into(folder: Path, target: Path) -> None:
    target.write_bytes(Metrics(folder).text())
