"""Looking after stored bytes: are they whole, and what nothing needs any more."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

import click
from tqdm import tqdm

from repo_service.cli.common import opened, tells_errors


@click.command()
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


@click.command()
@click.option("--grace", type=click.IntRange(min=0), help="Hours; without it the configured period.")
@tells_errors
def gc(grace: int | None) -> None:
    """Delete what nothing needs any more: withdrawn files, blobs without a version, expired uploads."""
    with opened() as services:
        collected = services.garbage.collect(grace=None if grace is None else timedelta(hours=grace))
    for name, count in asdict(collected).items():
        click.echo(f"{name}: {count}")
