"""``python -m tests.network``: a federation of five services on this machine, and a table of figures.

The exit status is 1 when something was lost, doubled, or shown that is private.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.network.run import Plan, run

_BUILD = Path(__file__).resolve().parents[2] / "build"


def main() -> None:
    options = _options()
    for name in [name for name in os.environ if name.startswith("REPO_")]:
        del os.environ[name]
    folder = Path(tempfile.mkdtemp(prefix="repo-federation-"))
    begun = time.monotonic()

    def tell(said: str) -> None:
        print(f"{time.monotonic() - begun:6.0f} s  {said}", file=sys.stderr, flush=True)

    plan = Plan(resources=options.resources, people=options.people, away=options.away)
    try:
        figures = run(folder, plan, tell)
    except AssertionError as error:
        sys.exit(f"BROKEN: {error}")
    finally:
        if options.keep:
            tell(f"everything is in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    figures.add("all of it", f"{(time.monotonic() - begun) / 60:.1f} minutes")
    table = figures.markdown()
    _BUILD.mkdir(exist_ok=True)
    (_BUILD / "federation.md").write_text(table)
    print(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.network", description=__doc__)
    parser.add_argument("--resources", type=int, default=10_000, help="how many are published in all")
    parser.add_argument(
        "--people", type=int, default=1_000, help="by how many people; no more than resources"
    )
    parser.add_argument("--away", type=float, default=60.0, help="seconds that HQ is not there")
    parser.add_argument("--keep", action="store_true", help="leave the files and logs of the services")
    return parser.parse_args()


if __name__ == "__main__":
    main()
