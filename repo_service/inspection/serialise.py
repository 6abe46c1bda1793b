"""Inspections as JSON, the JSON Schema of that, and the text that a search index gets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from repo_service.domain.inspection import (
    Activity,
    BackupInspection,
    FileInspection,
    Inspection,
    OutlineItem,
    Section,
)

SEARCH_TEXT_LIMIT = 200_000
"""Bytes of UTF-8."""

_AnyInspection = Annotated[BackupInspection | FileInspection, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[BackupInspection | FileInspection] = TypeAdapter(_AnyInspection)


def to_json(inspection: Inspection) -> dict[str, Any]:
    """Plain JSON values under the names of the fields, without the text for search (``search_text``).

    Raises TypeError for an unknown kind of inspection.
    """
    if not isinstance(inspection, BackupInspection | FileInspection):
        raise TypeError(f"{type(inspection).__name__} has no JSON form")
    values: dict[str, Any] = _ADAPTER.dump_python(inspection, mode="json", exclude={"text"})
    return values


def from_json(values: Mapping[str, Any]) -> Inspection:
    """The inspection that ``to_json`` wrote. Raises ValueError when it is none."""
    return _ADAPTER.validate_python(values)


def json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of what ``to_json`` gives; committed as inspection.schema.json."""
    schema = _ADAPTER.json_schema(mode="serialization")
    del schema["$defs"]["FileInspection"]["properties"]["text"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Inspection",
        "description": "What repo inspect --json prints: what a parser found in a file.",
        **schema,
    }


def search_text(inspection: Inspection) -> str:
    """What is worth finding besides title and summary: names, tags, titles of sections and activities.

    One a line, the important ones first, at most SEARCH_TEXT_LIMIT bytes of UTF-8.
    """
    lines: list[str] = []
    left = SEARCH_TEXT_LIMIT
    for line in dict.fromkeys(_lines(inspection)):
        encoded = line.encode()
        if len(encoded) > left:
            lines.append(encoded[:left].decode(errors="ignore"))
            break
        left -= len(encoded) + 1
        lines.append(line)
    return "\n".join(lines)


def _lines(inspection: Inspection) -> Iterator[str]:
    if isinstance(inspection, FileInspection):
        yield from _file_lines(inspection)
    if not isinstance(inspection, BackupInspection):
        return
    first = (inspection.fullname, inspection.shortname, *(inspection.tags or ()))
    yield from (line for text in first if (line := text.strip()))
    yield from (line for text in _outline_text(inspection.outline) if (line := text.strip()))


def _file_lines(inspection: FileInspection) -> Iterator[str]:
    yield from (inspection.description, *inspection.keywords)
    yield from _titles(inspection.outline)
    yield from inspection.text.split("\n")


def _titles(items: Iterable[OutlineItem]) -> Iterator[str]:
    for item in items:
        yield item.title
        yield from _titles(item.items)


def _outline_text(sections: Iterable[Section]) -> Iterator[str]:
    later: list[str] = []
    for section in sections:
        yield section.title
        later.append(section.summary_text)
        for activity in section.activities:
            yield from _activity_text(activity)
    yield from later


def _activity_text(activity: Activity) -> Iterator[str]:
    yield activity.title
    yield from activity.tags
    yield from _outline_text(activity.sections)


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2))
