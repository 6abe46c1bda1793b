"""The first minutes with the service: the real command, the lines it prints, and the README's example."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil
import pytest

from tests.support.backups import backup
from tests.support.services import free_port, missing

PROJECT = Path(__file__).resolve().parents[1]
_SECONDS = 60


@contextmanager
def _running(folder: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``repo run`` with its data in ``folder``, and what it printed until it answered."""
    out = folder / "out"
    env = {name: value for name, value in os.environ.items() if not name.startswith("REPO_")}
    env |= {
        "REPO_DATA_DIR": str(folder / "var"),
        "REPO_PORT": str(port),
        "REPO_BASE_URL": f"http://127.0.0.1:{port}",
    }
    with out.open("w") as output:
        process = subprocess.Popen(
            [Path(sys.executable).parent / "repo", "run"],
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        _wait_until_ready(process, port, out)
        yield process, out.read_text()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(_SECONDS)


def _wait_until_ready(process: subprocess.Popen[str], port: int, out: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with (
            suppress(URLError, ConnectionError),
            urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer,
        ):
            if answer.status == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"repo run does not answer:\n{out.read_text()}")


def _shell(script: str, folder: Path) -> str:
    """What ``script`` prints; an error when any of its commands fails."""
    if shutil.which("curl") is None:
        missing("curl", "apt-get install curl")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def course(tmp_path: Path) -> Path:
    return backup(tmp_path / "course.mbz")


def test_the_first_start_says_what_to_do_and_ctrl_c_leaves_nothing_running(
    tmp_path: Path, course: Path
) -> None:
    port = free_port()
    with _running(tmp_path, port) as (process, printed):
        line = re.search(r"^ *(curl (?:.*\\\n)+.*)", printed, re.MULTILINE)
        assert line is not None, printed
        assert f"http://127.0.0.1:{port}/api/docs/" in printed
        link = re.search(rf"http://127\.0\.0\.1:{port}/new-password\?link=\S+", printed)
        assert link is not None, printed
        with urlopen(link[0], timeout=5) as answer:
            assert "Choose a password" in answer.read().decode()
        resource = json.loads(_shell(line[1], tmp_path))
        assert resource["versions"][0]["size"] == course.stat().st_size
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
    assert process.returncode == 0
    assert not [child for child in children if child.is_running()]

    with _running(tmp_path, port) as (_, printed):
        assert "curl" not in printed, "the token is shown once"
        assert "?link=" not in printed, "and so is the link"
        assert f"http://127.0.0.1:{port}/sign-in" in printed
        # The inspection may have been cut off by the stop; then it is done now.
        script = f"curl --fail -sS --retry 20 --retry-delay 1 --retry-all-errors {resource['api_url']}"
        found = json.loads(_shell(script, tmp_path))
    assert found["versions"][0]["released_at"] is not None


def test_a_stop_while_the_web_processes_start_is_quick_and_complete(tmp_path: Path) -> None:
    with _running(tmp_path, free_port()) as (process, _):
        children = psutil.Process(process.pid).children(recursive=True)
        asked = time.monotonic()
    assert time.monotonic() - asked < 20
    assert process.returncode == 0
    assert not [child for child in children if child.is_running()]


def test_the_readmes_example_works_as_it_stands(tmp_path: Path, course: Path) -> None:
    readme = (PROJECT / "README.md").read_text()
    block = re.search(r"## Use the API.*?```sh\n(.*?)```", readme, re.DOTALL)
    assert block is not None
    port = free_port()
    with _running(tmp_path, port) as (_, printed):
        token = re.search(r"Bearer (\S+?)'", printed)
        assert token is not None
        script = block[1].replace("http://127.0.0.1:8080", f"http://127.0.0.1:{port}")
        _shell(script.replace("paste-the-token-here", token[1]), tmp_path)
    assert (tmp_path / "downloaded.mbz").read_bytes() == course.read_bytes()
