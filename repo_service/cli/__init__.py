"""The ``repo`` command: run the service, look after it, look into files. One subject a file."""

from __future__ import annotations

import os

import click

from repo_service.cli import (
    accounts,
    backups,
    catalogue,
    clients,
    importing,
    indexing,
    inspecting,
    leaving,
    running,
    stores,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="moodle-resources-repository")
def main() -> None:
    """Keep, describe and share Moodle course backups and open educational resources.

    Settings come from REPO_… environment variables; see docs/settings.md.
    """
    os.umask(0o027)  # drafts and the database are nobody else's business; a front server's group may read


for _command in (
    running.run,
    running.serve,
    running.worker,
    running.migrate,
    running.openapi,
    accounts.account,
    accounts.token,
    clients.clients,
    stores.store,
    stores.verify,
    stores.gc,
    backups.backup,
    backups.restore,
    catalogue.catalogue,
    indexing.reindex,
    indexing.reinspect,
    importing.import_folder,
    inspecting.inspect,
):
    main.add_command(_command)
accounts.account.add_command(leaving.export_account)
accounts.account.add_command(leaving.erase_account)
