"""Saving the catalogue to a file, and filling a new machine from it."""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import click
from tqdm import tqdm

from repo_service.cli.common import close, opened, tells_errors
from repo_service.services.backup import (
    SECRET_KEY,
    SETTINGS,
    Backups,
    BackupUnusable,
    read_beside,
    read_manifest,
)
from repo_service.settings import Settings

_PLAIN = re.compile(r"[\w./:@%+,=-]*", re.ASCII)
_ESCAPED = re.compile(r'["\\$`]')
"""What keeps a meaning between double quotes, to a shell and to systemd."""


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@tells_errors
def backup(file: Path) -> None:
    """Write the whole catalogue, the settings and the signing key to FILE, of one moment, while all goes on.

    The files of resources are not in it: they have their replicas (docs/losing-the-machine.md). Keep FILE
    secret.
    """
    if file.exists():
        raise click.ClickException(f"{file} is there already: choose another name.")
    part = file.with_name(f".{file.name}.part")
    try:
        with opened() as services, _open_for_owner_only(part, os.O_EXCL) as target:
            backups = Backups(services.database)
            with tqdm(total=backups.count(), unit="row", disable=None) as bar:
                manifest = backups.write(target, beside=_beside(Settings()), progress=bar.update)
            target.flush()
            os.fsync(target.fileno())
        part.rename(file)
    except FileExistsError as error:
        raise click.ClickException(f"Another backup is writing {part}; remove it if none is.") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    click.echo(f"{file}: {manifest.rows} rows of {len(manifest.tables)} tables. Keep it secret.")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@tells_errors
def restore(file: Path) -> None:
    """Fill an empty database from FILE, which `repo backup` wrote, and make the search index.

    Nothing else may run meanwhile. The database may be of another kind than before.
    """
    from repo_service.app import create_app, knows_schema, migrate, services_of

    settings = Settings()
    with file.open("rb") as source:
        try:
            manifest = read_manifest(source)
            if not knows_schema(manifest.revision):
                raise click.ClickException(
                    f"The backup has schema {manifest.revision}, which this release does not know: "
                    "install the release that wrote it, or a newer one."
                )
            _require_whole(source)
            _restore_key(settings, read_beside(source, SECRET_KEY))
            app = create_app(settings, writes_index=True)
            services = services_of(app)
            try:
                migrate(app, revision=manifest.revision)
                with tqdm(total=manifest.rows, unit="row", disable=None) as bar:
                    Backups(services.database).load(source, progress=bar.update)
                migrate(app)
                assert services.indexer is not None
                with app.app_context():
                    resources = services.indexer.reindex()
            finally:
                close(app)
        except BackupUnusable as error:
            raise click.ClickException(str(error)) from error
    click.echo(
        f"{manifest.rows} rows of {manifest.taken_at:%Y-%m-%d %H:%M} UTC are back, "
        f"{resources} resources can be found. Next: repo store verify"
    )


def _beside(settings: Settings) -> dict[str, bytes]:
    lines = [f"{name}={_quoted(value)}\n" for name, value in sorted(settings.given().items())]
    beside = {SETTINGS: "".join(lines).encode()}
    if settings.secret_key is None:
        beside[SECRET_KEY] = settings.signing_key().encode()
    return beside


def _quoted(value: str) -> str:
    """As systemd's EnvironmentFile and a shell both read it."""
    return value if _PLAIN.fullmatch(value) else '"' + _ESCAPED.sub(r"\\\g<0>", value) + '"'


def _require_whole(source: BinaryIO) -> None:
    """Read all of it once, before anything is made that a damaged one would leave behind."""
    try:
        with zipfile.ZipFile(source) as archive:
            damaged = archive.testzip()
    except (zlib.error, EOFError) as error:
        raise BackupUnusable("The backup is damaged: not all of it can be read.") from error
    if damaged is not None:
        raise BackupUnusable(f"The backup is damaged: {damaged} cannot be read.")


def _restore_key(settings: Settings, key: bytes | None) -> None:
    """Put the signing key back where the service made it itself, unless the settings have one."""
    path = settings.data_dir / SECRET_KEY
    if key is None or settings.secret_key is not None:
        return
    if path.exists() and path.read_bytes() != key:
        raise click.ClickException(
            f"{path} holds another signing key: remove it, or start with an empty data folder."
        )
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with _open_for_owner_only(path, os.O_TRUNC) as file:
        file.write(key)


def _open_for_owner_only(path: Path, flags: int) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600), "wb")
