"""The ``repo`` command: run the service, look after it, look into files. One subject a file."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Final

import click

_COMMANDS: Final = {
    "account": "accounts:account",
    "backup": "backups:backup",
    "catalogue": "catalogue:catalogue",
    "clients": "clients:clients",
    "gc": "stores:gc",
    "import": "importing:import_folder",
    "inspect": "inspecting:inspect",
    "migrate": "running:migrate",
    "openapi": "running:openapi",
    "reindex": "indexing:reindex",
    "reinspect": "indexing:reinspect",
    "restore": "backups:restore",
    "run": "running:run",
    "serve": "running:serve",
    "store": "stores:store",
    "token": "accounts:token",
    "verify": "stores:verify",
    "worker": "running:worker",
}
"""Where each is: the module within this package, and its name there."""


class _Commands(click.Group):
    """Imports what is asked for only: the process that starts the server's own needs little of the service,
    and stays for as long as they do."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"{__name__}.{module}"), name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="moodle-resources-repository")
def main() -> None:
    """Keep, describe and share Moodle course backups and open educational resources.

    Settings come from REPO_… environment variables; see docs/settings.md.
    """
    os.umask(0o027)  # drafts and the database are nobody else's business; a front server's group may read
