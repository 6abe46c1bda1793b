"""Inspections as JSON and as text for a search index."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from repo_service.domain.inspection import FileInspection, Inspection
from repo_service.inspection import serialise
from repo_service.inspection.serialise import from_json, json_schema, search_text, to_json
from tests.inspection.support import inspect_backup
from tests.support.backups import ActivitySpec, backup

_SCHEMA = Path(serialise.__file__).with_name("inspection.schema.json")


def test_the_committed_schema_is_current() -> None:
    assert json.loads(_SCHEMA.read_text("utf-8")) == json_schema(), (
        "run: python -m repo_service.inspection.serialise > repo_service/inspection/inspection.schema.json"
    )


def test_json_there_and_back(tmp_path: Path) -> None:
    specs = [
        ActivitySpec(module="subsection", title="Deeper", holds_section="Deeper"),
        ActivitySpec(title="Inside", section=2, tags=["x"]),
    ]
    inspection = inspect_backup(backup(tmp_path / "x.mbz", users=1, activities=specs))
    assert from_json(json.loads(json.dumps(to_json(inspection)))) == inspection
    plain = FileInspection(media_type="text/plain", size=3, title="a")
    assert from_json(to_json(plain)) == plain


def test_what_is_no_inspection() -> None:
    with pytest.raises(ValueError, match="kind"):
        from_json({"kind": "planet"})
    with pytest.raises(TypeError):
        to_json(Inspection(kind="planet", media_type="x/y", size=0))


def test_search_text(tmp_path: Path) -> None:
    specs = [ActivitySpec(title="Photosynthesis", tags=["leaf"]), ActivitySpec(title="Photosynthesis")]
    inspection = inspect_backup(backup(tmp_path / "x.mbz", activities=specs, section_titles=["", "Plants"]))
    assert search_text(inspection).splitlines() == [
        "Introduction to Ecology",
        "ECO1",
        "ecology",
        "Plants",
        "Photosynthesis",
        "leaf",
    ]
    assert search_text(FileInspection(media_type="text/plain", size=3, title="a")) == ""


def test_search_text_is_bounded(tmp_path: Path) -> None:
    specs = [ActivitySpec(title=f"{n} " + "日" * 1000) for n in range(200)]
    text = search_text(inspect_backup(backup(tmp_path / "x.mbz", activities=specs)))
    assert 190_000 < len(text.encode()) <= 200_000
