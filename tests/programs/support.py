"""Running the programs, and looking into what they made."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from repo_service.domain.inspection import FileInspection
from repo_service.inspection.serialise import to_json
from tests.inspection.support import inspect_path

_PACKAGES = {
    "soffice": "libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui",
    "pandoc": "pandoc",
    "ffmpeg": "ffmpeg",
    "convert": "imagemagick",
    "exiftool": "libimage-exiftool-perl",
    "ebook-meta": "calibre",
    "qpdf": "qpdf",
    "zip": "zip",
}
_PATH = "/usr/bin:/bin:/usr/local/bin"
"""Those of the distribution first."""
_SECONDS = 180

Run = Callable[..., None]


def program(name: str) -> Run:
    """Runs it; skips the test where it is not installed."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        pytest.skip(f"{name} is not here: apt-get install {_PACKAGES[name]}")

    def run(*arguments: str | Path, folder: Path) -> None:
        ran = subprocess.run(
            [found, *map(str, arguments)],
            cwd=folder,
            env={"HOME": str(folder), "PATH": _PATH, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr[-3000:]

    return run


def described(path: Path) -> dict[str, Any]:
    """What an inspection says of the file, whatever it is called; ``text`` is that for search."""
    found = inspect_path(path)
    assert isinstance(found, FileInspection)
    document = to_json(found)
    assert document["warnings"] == [], document["warnings"]
    return {**document, "text": found.text}


def headings(items: list[dict[str, Any]]) -> list[str]:
    """Titles of an outline, all levels one after the other."""
    return [title for item in items for title in (item["title"], *headings(item["items"]))]


def names(document: dict[str, Any]) -> list[str]:
    """Whom it names."""
    return [author["name"] for author in document["authors"]]


def licences(document: dict[str, Any]) -> list[str]:
    """What it says of its licence."""
    return [said["text"] for said in document["licences"]]
