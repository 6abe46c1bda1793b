"""Small answers: a resource as JSON and a 304, against a bare Flask application on the same server."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench.measuring import Bench, Row, Rule, compared
from bench.programs import Service, program, running_hello, running_service
from tests.support.backups import backup

_CONNECTIONS = 32
_RELEASE_SECONDS = 60.0


def rates(bench: Bench) -> Iterator[Row]:
    """Requests a second, with the access log written as in production."""
    folder = bench.folder / "rates"
    duration = 2 if bench.quick else 5
    with (
        running_service(folder / "service", worker=True) as service,
        running_hello(folder / "hello") as hello,
    ):
        url, etag = _released(service, folder)

        def floor() -> float:
            return _rate(hello, duration)

        bench.say("JSON of a resource")
        yield compared(
            "JSON GET of a resource / Flask hello",
            "requests/s",
            bench.interleaved(lambda: _rate(url, duration), floor),
            bar=0.10,
            rule=Rule.RATIO_AT_LEAST,
            note="SQLite",
        )
        bench.say("304")
        yield compared(
            "304 of a resource / Flask hello",
            "requests/s",
            bench.interleaved(lambda: _rate(url, duration, f"If-None-Match: {etag}"), floor),
            bar=0.25,
            rule=Rule.RATIO_AT_LEAST,
        )


def _rate(url: str, duration: int, *headers: str) -> float:
    """Requests a second over connections that are kept. Raises RuntimeError when one is not answered well."""
    command = [program("wrk"), "-t1", f"-c{_CONNECTIONS}", f"-d{duration}s", url]
    for header in headers:
        command += ["-H", header]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told)
    if rate is None or "Non-2xx" in told or "Socket errors" in told:
        raise RuntimeError(f"wrk met errors:\n{told}")
    return float(rate[1])


def _released(service: Service, folder: Path) -> tuple[str, str]:
    """A public resource with an inspected backup: its address in the API and its entity tag."""
    path = backup(folder / "course.mbz")
    with path.open("rb") as file:
        metadata = '{"licence": "CC-BY-4.0", "release": true, "subjects": ["0521"], "levels": ["level3"]}'
        made = service.api.post(
            "/api/v1/resources", data={"metadata": metadata}, files={"file": ("course.mbz", file)}
        )
    url: str = made.raise_for_status().json()["api_url"]
    deadline = time.monotonic() + _RELEASE_SECONDS
    while (answer := service.api.get(url).raise_for_status()).json()["visibility"] != "public":
        if time.monotonic() > deadline:
            raise RuntimeError("the resource was not released in time")
        time.sleep(0.2)
    etag = answer.headers["ETag"]
    del service.api.headers["Authorization"]
    etag = service.api.get(url).headers["ETag"]
    if service.api.get(url, headers={"If-None-Match": etag}).status_code != 304:
        raise RuntimeError("the entity tag is not recognised")
    return url, etag
