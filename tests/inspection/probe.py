"""Inspects one file in a process of its own and prints what came of it, with the time and memory it took.

Run as ``python -m tests.inspection.probe FILE EVENTS``, where the latter is ``Limits.max_xml_events``. Prints
one JSON object: ``kind`` or ``reason``, ``seconds`` of the processor, how many times as ``slow`` as usual it
is here and now (1.0 at the least), ``peak`` and ``growth`` of the resident memory in MiB.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.limits import LIMITS
from repo_service.inspection.registry import inspect, parsers
from repo_service.inspection.serialise import to_json
from repo_service.inspection.sources import FileSource

_USUAL_SECONDS = 0.02
"""A million rounds of a loop that does nothing, on a processor of 3 GHz."""


def _slow() -> float:
    begin = time.process_time()
    for _ in range(1_000_000):
        pass
    return max(1.0, (time.process_time() - begin) / _USUAL_SECONDS)


def _peak() -> float:
    # Not getrusage: its figure is inherited from the process that started this one.
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main(path: Path, events: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (1024 * 1024 * 1024, 1024 * 1024 * 1024))
    slow = _slow()
    before = _peak()
    begin = time.process_time()
    answer: dict[str, object] = {}
    with FileSource(path) as source:
        try:
            limited = parsers(replace(LIMITS, max_xml_events=events))
            _, inspection = inspect(source, name=path.name, parsers=limited)
            answer["kind"] = to_json(inspection)["kind"]
        except InvalidFile as error:
            answer["reason"] = error.reason
    answer["seconds"] = time.process_time() - begin
    answer["slow"] = max(slow, _slow())
    answer["peak"] = _peak()
    answer["growth"] = _peak() - before
    print(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
