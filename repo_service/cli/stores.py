"""Looking after stored bytes: what is where, is it whole, and what nothing needs any more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta

import click
from tqdm import tqdm

from repo_service.cli.common import OPERATOR, opened, tells_errors
from repo_service.domain.resources import JobKind, LocationState
from repo_service.services.container import Services
from repo_service.services.verification import Verified
from repo_service.settings import Settings
from storage import BlobStore, Capability


@click.group()
def store() -> None:
    """Stores: the primary and its replicas."""


@store.command("list")
@tells_errors
def list_stores() -> None:
    """List every store, what it can do, and how many copies it has in which state."""
    with opened() as services:
        holdings = services.copies.holdings()
        for place in services.stores:
            can = ", ".join(sorted(place.capabilities)) or "nothing special"
            click.echo(f"{place.name}  {_role(services, place)}  can: {can}")
            for holding in holdings:
                if holding.store == place.name:
                    many = _many(holding.copies, "copy", "copies")
                    click.echo(f"    {holding.state}: {many}, {holding.bytes:,} bytes")
        for name in sorted({holding.store for holding in holdings if holding.store not in services.stores}):
            copies = sum(holding.copies for holding in holdings if holding.store == name)
            click.echo(f"{name}  not in this command's settings: {_many(copies, 'copy', 'copies')}")


@store.command()
@click.argument("name")
@click.option(
    "--lost", is_flag=True, help="Also when there are blobs of which no other present copy is known."
)
@tells_errors
def forget(name: str, lost: bool) -> None:
    """Take the store NAME, which is gone for good and not in the settings any more, out of the list.

    Only what is known of it is deleted. Should it come back, repo store rebuild finds its copies again.
    """
    with opened() as services:
        copies = services.copies.forget(OPERATOR, name, lost=lost)
    click.echo(f"{name} and its {_many(copies, 'copy', 'copies')} are forgotten.")


@store.command()
@click.option("--sample", type=click.IntRange(min=1), help="Only the so many that were checked longest ago.")
@click.option("--repair", is_flag=True, help="Replace at once what is wrong, from a copy that is right.")
@tells_errors
def verify(sample: int | None, repair: bool) -> None:
    """Read copies back and compare them with their SHA-256.

    What is wrong is noted, and the worker replaces it. Exit status 1 when something is wrong and was not
    repaired.
    """
    with opened() as services:
        verifier = services.verifier
        with _bytes_bar(verifier.extent(sample=sample)) as bar:
            found = list(verifier.verify(sample=sample, progress=bar))
        wrong = [copy for copy in found if copy.state is not None]
        left = list(_repair(services, wrong)) if repair else wrong
    for copy in wrong:
        click.echo(
            f"{copy.state}: {copy.digest} in {copy.store}{'' if copy in left else ', repaired'}", err=True
        )
    unread = Counter(copy.store for copy in found if copy.state is None)
    said = [_what_is_wrong(len(left), repaired=repair)] if left else []
    for name, count in unread.items():
        many = _many(count, "copy was", "copies were")
        said.append(f"{name} does not answer: {many} not read. Run this again when it does.")
    if said:
        raise click.ClickException("\n".join(said))
    click.echo("Every copy read is as it should be.")


@store.command()
@tells_errors
def replicate() -> None:
    """Do what is owed: bring blobs to where they are wanted, and take them away where they must not be."""
    with opened() as services:
        replicator = services.replicator
        owed = list(replicator.owed())
        with tqdm(owed, unit="blob", disable=None) as bar:
            for digest in bar:
                replicator.see_to(digest)
        left = list(replicator.owed())
        for digest in left:
            job = services.jobs.find(JobKind.REPLICATE, digest)
            click.echo(f"{digest}: {(job and job.reason) or 'a worker is at it'}", err=True)
    if left:
        raise click.ClickException(
            f"{_many(len(left), 'blob is not yet where it', 'blobs are not yet where they')} should be."
        )
    click.echo(f"{_many(len(owed), 'blob was', 'blobs were')} seen to. Every blob is where it should be.")


@store.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--delete", is_flag=True, help="Then delete from FROM what TO has.")
@tells_errors
def migrate(source: str, target: str, delete: bool) -> None:
    """Copy every blob of the store FROM to the store TO, and verify it.

    Both have to be configured. Broken off, it goes on where it was when it is run again.
    """
    with opened() as services:
        extent = services.mover.extent(source, target)
        with _bytes_bar(extent.bytes) as bar:
            lost = list(services.mover.copy(source, target, progress=bar))
        for digest in lost:
            click.echo(f"No store has the right bytes of {digest}.", err=True)
        if lost:
            raise click.ClickException(f"{len(lost)} of {_many(extent.blobs, 'blob')} could not be copied.")
        click.echo(
            f"{_many(extent.blobs, 'blob was', 'blobs were')} copied: {target} has all that {source} has."
        )
        if delete:
            with tqdm(unit="blob", disable=None) as emptied:
                stay = services.mover.empty(source, target, progress=emptied.update)
            click.echo(f"{source} has {_many(stay, 'copy', 'copies')} left.")
        click.echo(_what_next(services, source, target, deleted=delete))


@store.command()
@click.option("--grace", type=click.IntRange(min=0), help="Hours; without it the configured period.")
@tells_errors
def gc(grace: int | None) -> None:
    """Delete what nothing needs any more: withdrawn files, blobs without a version, expired uploads."""
    with opened() as services:
        collected = services.garbage.collect(grace=None if grace is None else timedelta(hours=grace))
    for name, count in asdict(collected).items():
        click.echo(f"{name}: {count}")


@store.command()
@click.option("--store", "name", help="Only this store.")
@tells_errors
def rebuild(name: str | None) -> None:
    """Make the map of digests anew from the sidecars beside the blobs. What is in it already stays."""
    with opened() as services:
        odd = 0
        if name is not None and name not in services.stores:
            known = ", ".join(place.name for place in services.stores)
            raise click.ClickException(f"No store is called {name}. There are: {known}.")
        for place in [services.stores[name]] if name is not None else services.stores:
            seen = new = 0
            with tqdm(unit="blob", desc=place.name, disable=None) as bar:
                for found in services.rebuilder.rebuild(place):
                    seen += 1
                    new += found.new
                    bar.update()
                    if found.oddity is not None:
                        odd += 1
                        tqdm.write(f"{place.name}: {found.locator} {found.oddity}")
            click.echo(f"{place.name}: {_many(seen, 'blob')}, {new} of them new in the map.")
        unheld = services.rebuilder.unheld()
    if unheld:
        many = _many(unheld, "blob belongs", "blobs belong")
        click.echo(f"{many} to no version: deleted after the grace period (REPO_GC_GRACE).")
    click.echo("Sizes were compared, bytes were not: repo store verify does that.")
    if odd:
        raise click.ClickException(f"{_many(odd, 'blob is not as it', 'blobs are not as they')} should be.")


def _repair(services: Services, wrong: Iterable[Verified]) -> Iterator[Verified]:
    """Have each repaired; yields those that are not right afterwards."""
    for digest in dict.fromkeys(copy.digest for copy in wrong):
        services.replicator.see_to(digest)
        services.renditions.see_to(digest)
    for copy in wrong:
        if services.copies.state(copy.digest, copy.store) not in (LocationState.PRESENT, None):
            yield copy


def _what_is_wrong(copies: int, *, repaired: bool) -> str:
    many = _many(copies, "copy is not as it", "copies are not as they")
    if repaired:
        return f"{many} should be after the repair. Next: repo store replicate, which says why."
    return f"{many} should be. Next: repo store verify --repair; the worker does the same by itself."


def _what_next(services: Services, source: str, target: str, *, deleted: bool) -> str:
    settings = Settings()
    urls = dict(
        zip(
            (place.name for place in services.stores),
            (settings.store_url, *settings.replica_urls),
            strict=True,
        )
    )
    if deleted:
        primary = services.stores.primary.name
        replicas = " ".join(url for name, url in urls.items() if name not in (source, primary))
        return (
            f"Now take {source} out and restart, or it is filled again:\n\n  REPO_REPLICA_URLS={replicas!r}"
        )
    if not services.stores.is_primary(services.stores[source]):
        return f"To empty {source}: repo store migrate {source} {target} --delete"
    replicas = " ".join([urls[source], *(url for name, url in urls.items() if name not in (source, target))])
    return (
        f"To make {target} the primary, set these and restart:\n\n"
        f"  REPO_STORE_URL={urls[target]!r}\n  REPO_REPLICA_URLS={replicas!r}\n\n"
        f"What is uploaded until then is copied by itself. Then, to empty {source}:\n\n"
        f"  repo store migrate {source} {target} --delete"
    )


def _role(services: Services, place: BlobStore) -> str:
    if services.stores.is_primary(place):
        return "primary"
    return "public replica" if Capability.PUBLIC in place.capabilities else "replica"


def _many(count: int, one: str, more: str = "") -> str:
    return f"{count:,} {one if count == 1 else more or one + 's'}"


@contextmanager
def _bytes_bar(total: int) -> Iterator[Callable[[int], object]]:
    with tqdm(total=total, unit="B", unit_scale=True, disable=None) as bar:
        yield bar.update
