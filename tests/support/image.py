"""Proves the Dockerfile where no Docker engine runs: its own steps, in chroots made by debootstrap.

    python -m tests.support.image        (as root; make image)

Every stage is a fresh chroot of the same Debian release as its base image. RUN, COPY, ENV, USER, WORKDIR
and HEALTHCHECK mean what they mean in an image build; an instruction that is not known here stops it.
Then the entry point is started as the image's user until the image's own health check answers.

What this does not cover: the base image itself (debootstrap's minbase stands for the -slim image), layers and
their cache, networks, volumes, capabilities and seccomp of a container engine, and everything in compose.yml.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.support.services import free_port

PROJECT = Path(__file__).resolve().parents[2]
_BASE = re.compile(r"debian:(?P<release>[a-z]+)-slim(?: AS (?P<name>\w+))?")
_SECONDS_TO_START = 60
# What a builder's network needs of this machine's set-up: package index, proxy, certificates.
_FROM_HERE = re.compile(r"(PIP|SSL|REQUESTS|CURL)_\w+|https?_proxy|no_proxy", re.IGNORECASE)
# Mounts and processes of a step end with its namespaces.
_ISOLATED = ["unshare", "--mount", "--pid", "--fork", "sh", "-c"]
_ENTER = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$@"'


@dataclass
class Stage:
    """One FROM … and what followed it."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    user: str = "root"
    workdir: str = "/"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)

    def argv(self, command: list[str], extra_env: dict[str, str]) -> list[str]:
        """What runs ``command`` inside, as the stage's user, with nothing of the outside environment."""
        env = [f"{name}={value}" for name, value in (self.env | extra_env).items()]
        inside = ["sh", "-c", f'cd {shlex.quote(self.workdir)} && exec "$@"', "sh", *command]
        chroot = [f"--userspec={self.user}", str(self.root), "env", "--ignore-environment", *env, *inside]
        return [*_ISOLATED, _ENTER, str(self.root), *chroot]

    def run(self, command: list[str]) -> None:
        here = {name: value for name, value in os.environ.items() if _FROM_HERE.fullmatch(name)}
        subprocess.run(self.argv(command, here), check=True)


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """Each instruction with its arguments, continued lines joined, comments left out."""
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if line.strip():
            word, _, arguments = line.strip().partition(" ")
            yield word, arguments.strip()


def build(folder: Path) -> Stage:
    """The last stage of the Dockerfile, built under ``folder``."""
    named: dict[str, Stage] = {}
    stage: Stage | None = None
    for word, arguments in instructions((PROJECT / "Dockerfile").read_text()):
        print(f"-- {word} {arguments}", flush=True)
        if word == "FROM":
            stage = Stage(folder / f"stage{len(list(folder.glob('stage*')))}")
            if name := _debian(folder, arguments, stage.root):
                named[name] = stage
        elif stage is None:
            raise ValueError(f"{word} stands before FROM")
        else:
            _apply(stage, word, arguments, named)
    if stage is None:
        raise ValueError("the Dockerfile has no FROM")
    return stage


def _debian(folder: Path, arguments: str, root: Path) -> str | None:
    base = _BASE.fullmatch(arguments)
    if base is None:
        raise ValueError(f"only Debian's slim images can be stood in for, not {arguments}")
    pristine = folder / base["release"]
    if not pristine.exists():
        subprocess.run(
            ["debootstrap", "--variant=minbase", base["release"], pristine],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    subprocess.run(["cp", "--archive", "--reflink=auto", pristine, root], check=True)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    # What this machine trusts: as it is, and its own additions for the step that installs Debian's list.
    for trusted in ("etc/ssl/certs", "usr/local/share/ca-certificates"):
        shutil.copytree(Path("/", trusted), root / trusted, dirs_exist_ok=True)
    return base["name"]


def _apply(stage: Stage, word: str, arguments: str, named: dict[str, Stage]) -> None:
    match word:
        case "RUN":
            stage.run(["sh", "-c", arguments])
        case "COPY":
            _copy(stage, arguments, named)
        case "ENV":
            stage.env |= dict(pair.split("=", 1) for pair in shlex.split(arguments))
        case "USER":
            stage.user = arguments
        case "WORKDIR":
            stage.workdir = arguments
            stage.root.joinpath(arguments.lstrip("/")).mkdir(parents=True, exist_ok=True)
        case "HEALTHCHECK":
            stage.healthcheck = json.loads(arguments.partition("CMD ")[2])
        case "ENTRYPOINT":
            stage.entrypoint = json.loads(arguments)
        case "CMD":
            stage.command = json.loads(arguments)
        case "VOLUME" | "EXPOSE":
            pass
        case _:
            raise ValueError(f"{word} is not known here")


def _copy(stage: Stage, arguments: str, named: dict[str, Stage]) -> None:
    words = shlex.split(arguments)
    source = PROJECT
    if words[0].startswith("--from="):
        source = named[words.pop(0).removeprefix("--from=")].root
    *sources, target = words
    destination = stage.root / (Path(stage.workdir) / target).relative_to("/")
    for name in sources:
        path = source / name.lstrip("/")
        if path.is_dir():
            ignored = shutil.ignore_patterns("__pycache__") if source == PROJECT else None
            shutil.copytree(path, destination, symlinks=True, dirs_exist_ok=True, ignore=ignored)
        else:
            shutil.copy2(path, destination)


def serve(stage: Stage) -> None:
    """Start the image as `docker run` would and wait for its health check; RuntimeError without it."""
    port = {"REPO_PORT": str(free_port())}
    process = subprocess.Popen(stage.argv([*stage.entrypoint, *stage.command], port))
    try:
        deadline = time.monotonic() + _SECONDS_TO_START
        check = stage.argv(stage.healthcheck, port)
        while subprocess.run(check, stderr=subprocess.DEVNULL, check=False).returncode != 0:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the service does not answer its health check")
            time.sleep(0.5)
        print("-- healthy", flush=True)
    finally:
        # The first process of the namespace takes all others with it.
        if process.poll() is None:
            for first in psutil.Process(process.pid).children():
                first.kill()
        process.wait()


def main() -> None:
    """Build, start, ask, remove."""
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        sys.exit("needs root and debootstrap (Debian: apt-get install debootstrap)")
    folder = Path(tempfile.mkdtemp(prefix="repo-image-", dir="/var/tmp"))
    try:
        stage = build(folder)
        found = [program for program in ("gcc", "make", "git", "pip") if _has(stage, program)]
        if found:
            sys.exit(f"the image contains {', '.join(found)}")
        serve(stage)
    finally:
        subprocess.run(["rm", "--recursive", "--force", "--one-file-system", folder], check=True)


def _has(stage: Stage, program: str) -> bool:
    looked_up = stage.argv(["sh", "-c", f"command -v {program}"], {})
    return subprocess.run(looked_up, stdout=subprocess.DEVNULL, check=False).returncode == 0


if __name__ == "__main__":
    main()
