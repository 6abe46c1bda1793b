"""A running Moodle that the tests may use: where it is, and our own scripts run within it.

``MOODLE_URL`` and ``MOODLE_DIR`` (the folder with its config.php) say where it is; ``MOODLE_PHP`` what runs
PHP as a user who may write its data, if not ``php``. What walks through its pages needs ``MOODLE_ADMIN``, an
administrator's ``user:password``, and a throw-away authority that its PHP trusts: ``MOODLE_CA`` and
``MOODLE_CA_KEY``, the files of certificate and key.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import trustme

_SCRIPTS = Path(__file__).with_name("php")
_SETTINGS = ("-d", "max_input_vars=5000", "-d", "memory_limit=1G")
"""The least that Moodle asks of PHP."""


@dataclass(frozen=True, slots=True)
class Login:
    """By what somebody comes in."""

    username: str
    password: str


@dataclass(frozen=True, slots=True)
class MoodleSite:
    """One site. ``administrator`` and ``authority`` are None where the environment does not give them."""

    url: str
    folder: Path
    php: tuple[str, ...]
    administrator: Login | None = None
    authority: trustme.CA | None = None

    @classmethod
    def from_environment(cls) -> Self | None:
        """The site that the environment names, None when it names none."""
        folder = os.environ.get("MOODLE_DIR")
        if folder is None:
            return None
        php = shlex.split(os.environ.get("MOODLE_PHP", "php"))
        username, _, password = os.environ.get("MOODLE_ADMIN", "").partition(":")
        pems = [os.environ.get(name) for name in ("MOODLE_CA", "MOODLE_CA_KEY")]
        return cls(
            url=os.environ.get("MOODLE_URL", "").rstrip("/"),
            folder=Path(folder),
            php=tuple(php),
            administrator=Login(username, password) if username else None,
            authority=trustme.CA.from_pem(*(Path(pem).read_bytes() for pem in pems if pem))
            if all(pems)
            else None,
        )

    def run(self, script: str, *arguments: str | Path, seconds: float = 280) -> Any:
        """What a script of tests/e2e/php answers, as JSON. Files are copied to where PHP may read them."""
        with tempfile.TemporaryDirectory() as shared:
            folder = Path(shared)
            folder.chmod(0o755)
            scripts = Path(shutil.copytree(_SCRIPTS, folder / "php"))
            scripts.chmod(0o755)
            for path in scripts.iterdir():
                path.chmod(0o644)
            given = [self._shared(argument, folder) for argument in arguments]
            done = subprocess.run(
                [*self.php, *_SETTINGS, str(scripts / script), str(self.folder), *given],
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        try:
            return json.loads(done.stdout)
        except ValueError as error:
            raise AssertionError(f"{script} said {done.stdout[-2000:]} {done.stderr[-2000:]}") from error

    @staticmethod
    def _shared(argument: str | Path, folder: Path) -> str:
        if isinstance(argument, str):
            return argument
        copied = Path(shutil.copy(argument, folder))
        copied.chmod(0o644)
        return str(copied)
