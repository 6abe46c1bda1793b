"""Looking into a file without any server or database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from repo_service.domain.errors import InvalidFile
from repo_service.domain.inspection import is_backup
from repo_service.inspection.registry import inspect as inspect_source
from repo_service.inspection.serialise import to_json
from repo_service.inspection.sources import FileSource


@click.command()
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
    if isinstance(sections, list) and not is_backup(document):
        lines += _headings(sections)
    elif isinstance(sections, list):
        for section in sections:
            lines.append(f"- {section['title'] or 'Section ' + str(section['number'])}")
            lines += [f"    {activity['module']}: {activity['title']}" for activity in section["activities"]]
    for finding in document.get("findings") or ():  # type: ignore[attr-defined]
        lines.append(f"! {finding['message']}")
    return "\n".join(lines)


def _headings(items: list[dict[str, Any]], depth: int = 0) -> list[str]:
    lines = []
    for item in items:
        lines.append(f"{'    ' * depth}- {item['title']}")
        lines += _headings(item["items"], depth + 1)
    return lines
