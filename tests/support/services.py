"""Real services that tests need: missing ones are skipped at home and are a failure in CI."""

from __future__ import annotations

import os
import socket
from typing import NoReturn

import pytest


def missing(name: str, hint: str) -> NoReturn:
    """Say plainly that ``name`` is not here and how to get it; a failure when real services are required."""
    message = f"{name} is not available: {hint}"
    if os.environ.get("REPO_REQUIRE_SERVICES") == "1":
        pytest.fail(message)
    pytest.skip(message)


def free_port() -> int:
    """A TCP port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
