"""What is kept about a person: taken out as a zip, and erased."""

from __future__ import annotations

from pathlib import Path

import click

from repo_service.cli.common import OPERATOR, opened, tells_errors


@click.command("export")
@click.argument("username")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--no-files", is_flag=True, help="Only what is kept about the files that they shared.")
@tells_errors
def export_account(username: str, file: Path, no_files: bool) -> None:
    """Write everything that is kept about a person into a zip, which must not be there yet."""
    with opened() as services:
        record = services.accounts.find(OPERATOR, username)
        export = services.exports.open(OPERATOR, record.id, files=not no_files)
        try:
            with file.open("xb") as written:
                for block in export.stream:
                    written.write(block)
                size = written.tell()
        except FileExistsError as error:
            raise click.ClickException(f"{file} is there already.") from error
        click.echo(f"{file}: {size:,} bytes")


@click.command("erase")
@click.argument("username")
@click.option(
    "--shared",
    type=click.Choice(["leave", "withdraw"]),
    required=True,
    help="Whether public resources and collections stay, under “Former member”, or are withdrawn.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@tells_errors
def erase_account(username: str, shared: str, yes: bool) -> None:
    """Erase an account. It cannot be undone."""
    from repo_service.services.erasing import Shared

    with opened() as services:
        record = services.accounts.find(OPERATOR, username)
        if not yes:
            click.confirm(f"Erase {record.username} ({record.display_name}) for good?", abort=True)
        services.erasing.erase(OPERATOR, record.id, shared=Shared(shared))
        click.echo(f"{username} is erased. The worker sees to what they shared.")
