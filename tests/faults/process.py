"""A process of the service with hooks: ``python -m tests.faults.process serve PARENT``, ``worker PARENT``, or
``command`` with the words of a ``repo`` command."""

from __future__ import annotations

import sys

from repo_service import lifetime
from repo_service.cli import main as repo
from repo_service.serving import run_worker, web_server
from repo_service.settings import Settings
from tests.faults import hooks


def main() -> None:
    role, *rest = sys.argv[1:]
    if role == "serve":
        lifetime.end_with(int(rest[0]))
        web_server(Settings(), "tests.faults.web:application").serve()
    elif role == "worker":
        lifetime.end_with(int(rest[0]))
        hooks.install("worker")
        run_worker(Settings())
    else:
        hooks.install("command")
        repo(rest)


if __name__ == "__main__":
    main()
