"""Sharing a whole folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import click
from tqdm import tqdm

from repo_service.cli.common import OPERATOR, opened, tells_errors
from repo_service.domain.identity import Identity, Scope
from repo_service.services.container import Services

_CHUNK = 1024 * 1024


@click.command("import")
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
