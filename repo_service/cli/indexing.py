"""Making again what is derived: the search index, and what inspection found."""

from __future__ import annotations

import click
from tqdm import tqdm

from repo_service.cli.common import opened, tells_errors
from repo_service.domain.resources import JobKind


@click.command()
@tells_errors
def reindex() -> None:
    """Make the search index anew from the catalogue. The worker must not run meanwhile."""
    with opened(writes_index=True) as services, tqdm(unit="resource", disable=None) as bar:
        assert services.indexer is not None
        assert services.network_indexer is not None

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        done = services.indexer.reindex(progress)
        entries = services.network_indexer.reindex()
    click.echo(f"{done} resources are indexed.")
    if entries:
        click.echo(f"{entries} entries of the network are indexed.")


@click.command()
@tells_errors
def reinspect() -> None:
    """Have every file inspected again that no present parser has seen; the worker does it."""
    with opened() as services:
        count = services.jobs.enqueue_all(JobKind.INSPECT, services.inspector.outdated())
    click.echo(f"{count} files will be inspected again.")
