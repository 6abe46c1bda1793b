"""The public catalogue: publishing it, and taking that of another service over as its mirror."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import click
from tqdm import tqdm

from repo_service.cli.common import is_loopback, opened, tells_errors
from repo_service.services.container import Services
from repo_service.settings import Settings

if TYPE_CHECKING:
    from repo_service.services.mirror_sources import Source

_GIVE_UP_AFTER = 5
"""Files in a row that nobody gives: the rest is left to the worker then."""


@click.group()
def catalogue() -> None:
    """The public catalogue: publish it, or mirror that of another service (docs/catalogue.md)."""


@catalogue.command("publish")
@tells_errors
def publish() -> None:
    """Publish a snapshot of all that is public, unless the newest one says the same."""
    with opened() as services, tqdm(unit="resource", disable=None) as bar:
        record = services.catalogue.publish(progress=_done_of(bar))
    home = Settings().base_url
    if is_loopback(home):
        click.echo(
            f"WARNING: the catalogue names {home} as its home, where nobody else can reach it, and mirrors "
            "hold on to that. Set REPO_BASE_URL to the address of the service, for the service, too, and "
            "publish again before anybody mirrors it.",
            err=True,
        )
    if record is None:
        click.echo("There is nothing new to publish.")
        return
    click.echo(f"{record.resources} resources are published.")
    click.echo(f"Manifest  {record.manifest.cid or 'sha256:' + record.manifest.digest}")


@catalogue.command("list")
@tells_errors
def list_snapshots() -> None:
    """List the snapshots there are, the newest first."""
    with opened() as services:
        for record in services.catalogue.snapshots():
            names = f"sha256:{record.manifest.digest}  {record.manifest.cid or '-'}"
            click.echo(f"{record.created_at.isoformat()}  {record.resources} resources  {names}")


@catalogue.command("restore")
@click.argument("reference", metavar="CID-URL-OR-PATH")
@click.option("--lazy", is_flag=True, help="Fetch each file when somebody asks for it, and not before.")
@click.option(
    "--moved-from", metavar="OLD-URL", help="The address that the home had before, when it has another now."
)
@click.option(
    "--patience",
    type=click.FloatRange(min=1),
    default=120,
    show_default=True,
    help="How many seconds nothing may come of what is fetched.",
)
@tells_errors
def restore(reference: str, lazy: bool, moved_from: str | None, patience: float) -> None:
    """Take over the catalogue whose manifest is there, and fetch its files, into this read-only mirror.

    Interrupted, it goes on when it is run again. With a newer manifest it brings the mirror up to date.
    """
    limit = timedelta(seconds=patience)
    with opened(makes=True) as services:
        source = services.mirror.source(reference, patience=limit, min_free=Settings().min_free_space)
        _tell_of_search(services, source, reference, patience)
        try:
            offered = services.mirror.look(source, moved_from=moved_from)
            home = offered.manifest
            click.echo(
                f"{home.resources} resources of {home.service_name} as of {home.generated_at.isoformat()}"
            )
            with _bytes_bar("catalogue", home.catalogue.size) as bar:
                services.mirror.bring(source, offered, bar.update)
            with tqdm(desc="resources", unit="resource", disable=None) as bar:
                found = services.mirror.take_over(source, offered, _done_of(bar))
        finally:
            source.discard()
        click.echo(
            f"{found.added} new, {found.changed} changed, {found.withdrawn} withdrawn, "
            f"{found.unchanged} as before."
        )
        for count, what in (
            (found.rejected, "lines are no resources and were left out"),
            (found.dropped, "values are in no vocabulary here and were left out"),
            (found.unobtainable, "files have no CID: they stay at their home"),
        ):
            if count:
                click.echo(f"{count} {what}.", err=True)
        for reason in found.reasons:
            click.echo(f"  {reason}", err=True)
        if not lazy:
            _fetch(services, limit)


def _tell_of_search(services: Services, source: Source, reference: str, patience: float) -> None:
    """Say that the network is asked for the manifest, when it is: nothing else is seen for minutes then."""
    from repo_service.services.mirror_sources import IpfsSource
    from storage import BlobNotFound, Locator

    node = services.fetching.store
    if node is None or not isinstance(source, IpfsSource):
        return
    cid = reference.rstrip("/").rpartition("/")[2]
    try:
        node.stat(Locator(cid))
    except BlobNotFound:
        click.echo(f"Asking other IPFS nodes for {cid}, for {patience:g} seconds at most …", err=True)


def _fetch(services: Services, patience: timedelta) -> None:
    from repo_service.services.fetching import NotAsPromised
    from storage import StorageUnavailable

    lacking = services.fetching.lacking()
    wrong = later = in_a_row = 0
    with _bytes_bar("files", lacking.bytes) as bar:
        for digest in services.fetching.digests_lacking():
            if in_a_row < _GIVE_UP_AFTER:
                try:
                    services.fetching.fetch(digest, bar.update, patience=patience)
                except NotAsPromised as error:
                    wrong += 1
                    tqdm.write(f"{digest}: {error}")
                except StorageUnavailable as error:
                    in_a_row += 1
                    tqdm.write(f"{digest}: {error}")
                else:
                    in_a_row = 0
                    continue
            later += services.fetching.fetch_later(digest, hint=False)
    click.echo(f"{lacking.files - wrong - later} of {lacking.files} files were fetched.")
    if wrong:
        click.echo(f"{wrong} files are not what the catalogue says: they stay at their home.", err=True)
    if later:
        raise click.ClickException(f"{later} files did not come: the worker goes on, or run this again.")


def _bytes_bar(what: str, size: int) -> tqdm:
    return tqdm(desc=what, total=size, unit="B", unit_scale=True, unit_divisor=1024, disable=None)


def _done_of(bar: tqdm) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    return progress
