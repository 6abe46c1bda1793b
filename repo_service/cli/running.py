"""Running the service: everything at once or its halves, and bringing the database up to date."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from repo_service import lifetime
from repo_service.cli.common import OPERATOR, opened, tells_errors
from repo_service.settings import Settings

_ends_with_parent = click.option(
    "--parent",
    type=int,
    hidden=True,
    expose_value=False,
    callback=lambda context, option, pid: None if pid is None else lifetime.end_with(pid),
    help="Stop when the process with this id, which started this one, has gone.",
)


@click.command()
@tells_errors
def run() -> None:
    """Migrate, make the first administrator, then serve with the job worker until Ctrl-C."""
    from repo_service.services.accounts import ADMINISTRATOR
    from repo_service.serving import run_all

    settings = Settings()
    _require_free_port(settings)
    with opened(makes=True) as services:
        issued = None if settings.read_only else services.accounts.ensure_administrator()
        password = None
        if issued is not None:
            password = services.people.link_for_password(OPERATOR, ADMINISTRATOR, send=False)
    _greet(settings, None if issued is None else issued.secret, password)
    sys.exit(run_all(settings))


@click.command()
@_ends_with_parent
@tells_errors
def serve() -> None:
    """Answer HTTP only; the worker runs elsewhere."""
    from repo_service.serving import serve as serve_http

    settings = Settings()
    _require_free_port(settings)
    serve_http(settings)


@click.command()
@_ends_with_parent
@tells_errors
def worker() -> None:
    """Do jobs only: inspect, index, sweep, collect garbage."""
    from repo_service.serving import run_worker

    run_worker(Settings())


@click.command()
@tells_errors
def migrate() -> None:
    """Bring the database to the newest schema."""
    with opened(makes=True):
        click.echo("The database is up to date.")


@click.command()
def openapi() -> None:
    """Print the API's OpenAPI document (docs/openapi.json)."""
    from repo_service.api import document
    from repo_service.app import create_app

    # In a folder of its own: the document depends on no data and, but for the title, on no setting.
    with TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder),
            site_name=Settings.model_fields["site_name"].default,
            database_url="sqlite://",
            store_url="memory:",
            search_url="memory:",
            queue_url="memory:",
        )
        click.echo(json.dumps(document(create_app(settings)), indent=2, ensure_ascii=False))


def _require_free_port(settings: Settings) -> None:
    from repo_service.serving import PortTaken, require_free_port

    try:
        require_free_port(settings)
    except PortTaken as error:
        raise click.ClickException(str(error)) from error


def _typed() -> str:
    """This command as it can be typed here: it need not be on the path."""
    command = Path(sys.argv[0])
    if shutil.which(command.name) == str(command):
        return command.name
    return str(command.relative_to(Path.cwd()) if command.is_relative_to(Path.cwd()) else command)


def _greet(settings: Settings, secret: str | None, password: str | None) -> None:
    from repo_service.services.accounts import ADMINISTRATOR

    url = settings.base_url
    click.echo(f"\n  {settings.site_name}\n\n  Pages      {url}/\n  API docs   {url}/api/docs/")
    if settings.read_only:
        click.echo("  This is a read-only mirror. Bring it up to date: repo catalogue restore CID\n")
        return
    if secret is None:
        click.echo(f"  Sign in    {url}/sign-in")
        click.echo(
            f"\n  Forgotten the password, or the token? {_typed()} account reset {ADMINISTRATOR}"
            f"   {_typed()} token create {ADMINISTRATOR}\n"
        )
        return
    click.echo(f"\n  Start here: choose a password for the administrator, {ADMINISTRATOR} (works once)\n")
    click.echo(f"    {password}\n")
    click.echo(f"  The administrator's API token, shown this once:\n\n    {secret}\n")
    click.echo("  Upload a file (put its path in place of course.mbz):\n")
    click.echo(f"    curl -H 'Authorization: Bearer {secret}' \\")
    click.echo("""      -F 'metadata={"licence": "CC-BY-4.0", "release": true}' -F file=@course.mbz \\""")
    click.echo(f"      {url}/api/v1/resources\n")
