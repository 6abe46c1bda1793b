"""The corpus of real backups that stands beside some checkouts; tests that use it skip without it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[2].parent / "shared"


def shared_folder() -> Path | None:
    """The folder with ``corpus/`` in it, from REPO_SHARED or beside the project; None when there is none."""
    folder = Path(os.environ.get("REPO_SHARED", str(_BESIDE)))
    return folder if (folder / "corpus" / "manifest.json").is_file() else None


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real backups."""
    folder = shared_folder()
    if folder is None:
        pytest.skip("no corpus of real backups beside the project (set REPO_SHARED to its parent folder)")
    return folder / "corpus"
