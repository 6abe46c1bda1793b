"""The ``repo`` command: run the service, look after it, look into files."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ParamSpec, TypeVar
from uuid import UUID

import click
from tqdm import tqdm

from repo_service.domain.errors import DomainError, InvalidFile
from repo_service.domain.identity import Identity, Role, Scope
from repo_service.domain.resources import JobKind
from repo_service.inspection.registry import inspect as inspect_source
from repo_service.inspection.serialise import to_json
from repo_service.inspection.sources import FileSource
from repo_service.search.errors import IndexLocked
from repo_service.services.container import Services
from repo_service.settings import Settings
from storage import StorageError

P = ParamSpec("P")
R = TypeVar("R")

OPERATOR = Identity(username="operator", role=Role.ADMINISTRATOR, scopes=frozenset(Scope))
"""Whoever can run this command can read the database anyway. Deeds are audited without an account."""

_CHUNK = 1024 * 1024


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="moodle-resources-repository")
def main() -> None:
    """Keep, describe and share Moodle course backups and open educational resources.

    Settings come from REPO_… environment variables; see docs/settings.md.
    """
    os.umask(0o027)  # drafts and the database are nobody else's business; a front server's group may read


def tells_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn errors that a person can act on into one line and exit status 1."""

    @wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except DomainError as error:
            raise click.ClickException(error.detail) from error
        except IndexLocked as error:
            raise click.ClickException("The worker is writing the search index: stop it first.") from error
        except StorageError as error:
            raise click.ClickException(f"The store says: {error}") from error

    return wrapper


@contextmanager
def opened(*, writes_index: bool = False) -> Iterator[Services]:
    """The services, with the database brought up to date. All that was opened is closed at the end."""
    from repo_service.app import create_app, engine_of, migrate, queue_of, services_of

    app = create_app(writes_index=writes_index)
    services = services_of(app)
    try:
        migrate(app)
        with app.app_context():
            yield services
    finally:
        services.search.close()
        queue_of(app).close()
        engine_of(app).dispose()


# Running


@main.command()
@tells_errors
def run() -> None:
    """Migrate, make the first administrator, then serve with the job worker until Ctrl-C."""
    from repo_service.serving import run_all

    settings = Settings()
    with opened() as services:
        issued = services.accounts.ensure_administrator()
    _greet(settings, None if issued is None else issued.secret)
    sys.exit(run_all(settings))


@main.command()
@tells_errors
def serve() -> None:
    """Answer HTTP only; the worker runs elsewhere."""
    from repo_service.serving import serve as serve_http

    serve_http(Settings())


@main.command()
@tells_errors
def worker() -> None:
    """Do jobs only: inspect, index, sweep, collect garbage."""
    from repo_service.serving import run_worker

    run_worker(Settings())


@main.command()
@tells_errors
def migrate() -> None:
    """Bring the database to the newest schema."""
    with opened():
        click.echo("The database is up to date.")


@main.command()
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


# People and programs


@main.group()
def account() -> None:
    """Accounts: people."""


@account.command("create")
@click.argument("username")
@click.option("--name", default="", help="Name shown to people.")
@click.option("--role", type=click.Choice([role.value for role in Role]), default=Role.MEMBER.value)
@click.option("--quota", type=click.IntRange(min=0), help="Bytes; without it the service's default.")
@tells_errors
def create_account(username: str, name: str, role: str, quota: int | None) -> None:
    """Make an account."""
    with opened() as services:
        record = services.accounts.create(
            OPERATOR, username=username, display_name=name, role=Role(role), quota=quota
        )
        click.echo(f"{record.username} ({record.role}) is there. Next: repo token create {record.username}")


@account.command("list")
@tells_errors
def list_accounts() -> None:
    """List every account."""
    with opened() as services:
        cursor: str | None = None
        while True:
            page = services.accounts.list(OPERATOR, limit=100, cursor=cursor)
            for record in page.items:
                blocked = "  blocked" if record.blocked_at else ""
                click.echo(f"{record.id}  {record.username}  {record.role}  {record.used} bytes{blocked}")
            if (cursor := page.next_cursor) is None:
                return


@account.command("block")
@click.argument("username")
@click.option("--undo", is_flag=True, help="Let the account in again.")
@tells_errors
def block_account(username: str, undo: bool) -> None:
    """Shut an account out at once."""
    with opened() as services:
        record = services.accounts.find(OPERATOR, username)
        services.accounts.change(OPERATOR, record.id, blocked=not undo)
        click.echo(f"{username} is {'let in again' if undo else 'blocked'}.")


@main.group()
def token() -> None:
    """Tokens: what callers of the API show."""


@token.command("create")
@click.argument("username")
@click.option("--name", default="command line", help="What it is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="May be given several times; without it reading and writing resources.",
)
@click.option("--days", type=click.IntRange(min=1), help="Valid for so many days; without it until revoked.")
@tells_errors
def create_token(username: str, name: str, scopes: tuple[str, ...], days: int | None) -> None:
    """Make a token for an account and print its secret once."""
    from repo_service.models.base import now

    with opened() as services:
        record = services.accounts.find(OPERATOR, username)
        issued = services.accounts.issue_token(
            OPERATOR,
            name=name,
            scopes=frozenset(map(Scope, scopes)) or frozenset({Scope.READ, Scope.WRITE}),
            expires_at=None if days is None else now() + timedelta(days=days),
            account_id=record.id,
        )
        click.echo(issued.secret)


@token.command("revoke")
@click.argument("token_id", type=click.UUID)
@tells_errors
def revoke_token(token_id: UUID) -> None:
    """Make a token worthless at once."""
    with opened() as services:
        services.accounts.revoke_token(OPERATOR, token_id)
        click.echo("The token is revoked.")


# Looking after what is kept


@main.command()
@click.option("--sample", type=click.IntRange(min=1), help="Only the so many that were checked longest ago.")
@tells_errors
def verify(sample: int | None) -> None:
    """Read stored blobs back and compare them with their SHA-256; exit status 1 when one is not right."""
    with opened() as services:
        total = services.verifier.count()
        with tqdm(total=min(total, sample or total), unit="blob", disable=None) as bar:
            wrong = list(services.verifier.verify(sample=sample, progress=bar.update))
    for found in wrong:
        click.echo(f"{found.state}: {found.digest} in {found.store}", err=True)
    if wrong:
        raise click.ClickException(f"{len(wrong)} of the blobs are not as they should be.")
    click.echo("Every blob read is as it should be.")


@main.command()
@click.option("--grace", type=click.IntRange(min=0), help="Hours; without it the configured period.")
@tells_errors
def gc(grace: int | None) -> None:
    """Delete what nothing needs any more: withdrawn files, blobs without a version, expired uploads."""
    with opened() as services:
        collected = services.garbage.collect(grace=None if grace is None else timedelta(hours=grace))
    for name, count in asdict(collected).items():
        click.echo(f"{name}: {count}")


@main.command()
@tells_errors
def reindex() -> None:
    """Make the search index anew from the catalogue. The worker must not run meanwhile."""
    with opened(writes_index=True) as services, tqdm(unit="resource", disable=None) as bar:
        assert services.indexer is not None

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        done = services.indexer.reindex(progress)
    click.echo(f"{done} resources are indexed.")


@main.command()
@tells_errors
def reinspect() -> None:
    """Have every file inspected again that no present parser has seen; the worker does it."""
    with opened() as services:
        count = services.jobs.enqueue_all(JobKind.INSPECT, services.inspector.outdated())
    click.echo(f"{count} files will be inspected again.")


@main.command("import")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--owner", default="admin", show_default=True, help="Account that will own the resources.")
@click.option("--licence", help="Licence of all of them, such as CC-BY-4.0.")
@click.option("--release", is_flag=True, help="Release each once nothing stands against it; needs --licence.")
@tells_errors
def import_folder(folder: Path, owner: str, licence: str | None, release: bool) -> None:
    """Share every file below FOLDER as a resource. Files this owner has already are left out."""
    from repo_service.services.descriptions import Description, normalise

    if release and licence is None:
        raise click.UsageError("--release needs --licence: nobody may use what has none.")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    with opened() as services:
        record = services.accounts.find(OPERATOR, owner)
        normalise(Description(licence=licence))  # refuse before a file is read
        identity = Identity(
            account_id=record.id,
            username=owner,
            role=record.role,
            scopes=frozenset({Scope.READ, Scope.WRITE}),
        )
        with tqdm(
            total=sum(path.stat().st_size for path in files), unit="B", unit_scale=True, disable=None
        ) as bar:
            kept = sum(
                _import_file(services, identity, path, licence, release=release, advance=bar.update)
                for path in files
            )
    click.echo(f"{kept} of {len(files)} files are new resources of {owner}.")


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON (inspection.schema.json).")
def inspect(file: Path, as_json: bool) -> None:
    """Say what the service would find in FILE. Needs no server and no database."""
    with FileSource(file) as source:
        try:
            _, found = inspect_source(source, name=file.name)
        except InvalidFile as error:
            if as_json:
                click.echo(json.dumps({"problem": {"detail": error.detail, **error.fields}}))
            raise click.ClickException(f"{error.detail} ({error.reason})") from error
    document = to_json(found)
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    click.echo(describe(document))


def describe(document: dict[str, object]) -> str:
    """An inspection for people, a line a fact."""
    lines = [
        f"{name.replace('_', ' ')}: {value}"
        for name, value in document.items()
        if isinstance(value, str | int | float) and value != ""
    ]
    sections = document.get("outline")
    if isinstance(sections, list):
        for section in sections:
            lines.append(f"- {section['title'] or 'Section ' + str(section['number'])}")
            lines += [f"    {activity['module']}: {activity['title']}" for activity in section["activities"]]
    for finding in document.get("findings") or ():  # type: ignore[attr-defined]
        lines.append(f"! {finding['message']}")
    return "\n".join(lines)


def _import_file(
    services: Services,
    identity: Identity,
    path: Path,
    licence: str | None,
    *,
    release: bool,
    advance: Callable[[int], object],
) -> int:
    from repo_service.http.file_names import clean_file_name
    from repo_service.services.descriptions import Description

    with path.open("rb") as file:
        # Read once more beforehand: an upload would count against the quota until it is collected.
        if services.resources.has_file(identity, hashlib.file_digest(file, "sha256").hexdigest()):
            advance(path.stat().st_size)
            return 0
    upload = services.uploads.begin(identity, file_name=clean_file_name(path.name), size=path.stat().st_size)
    try:
        with services.uploads.receive(identity, upload.id) as receiver, path.open("rb") as file:
            while piece := file.read(_CHUNK):
                receiver.write(piece)
                advance(len(piece))
            receiver.finish()
        services.resources.create(
            identity, upload_id=upload.id, description=Description(licence=licence), release=release
        )
    except BaseException:
        services.uploads.abandon(upload.id)
        raise
    return 1


def _greet(settings: Settings, secret: str | None) -> None:
    url = settings.base_url
    click.echo(f"\n  {settings.site_name}\n\n  Pages      {url}/\n  API docs   {url}/api/docs/")
    if secret is None:
        click.echo("  Your token was shown at the first start; make another: repo token create admin\n")
        return
    click.echo(f"  Sign in    {url}/sign-in#token={secret}")
    click.echo(f"\n  The administrator's API token, shown this once:\n\n    {secret}\n")
    click.echo("  Upload a file (put its path in place of course.mbz):\n")
    click.echo(f"    curl -H 'Authorization: Bearer {secret}' \\")
    click.echo("""      -F 'metadata={"licence": "CC-BY-4.0", "release": true}' -F file=@course.mbz \\""")
    click.echo(f"      {url}/api/v1/resources\n")
