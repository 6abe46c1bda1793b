"""Fuzzing of files that are no backups: a case is a sample of a parser (tests/support/oer.py), spoiled."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

from repo_service.domain.errors import InvalidFile
from repo_service.domain.inspection import FileInspection
from repo_service.inspection.media.thumbnails import thumbnails_of
from repo_service.inspection.registry import inspect, parsers
from repo_service.inspection.serialise import from_json, to_json
from repo_service.inspection.sources import FileSource
from tests.fuzz.running import SMALL
from tests.support.mutating import mutated, mutated_within
from tests.support.oer import SAMPLES

PARSERS = tuple(dict.fromkeys(sample.parser for sample in SAMPLES.values()))
"""Names of those that have samples."""

_PARSERS = parsers(SMALL)


def run(parser: str, number: int, folder: Path) -> str:
    """Inspect the case of that number, and make its thumbnails, in ``folder``.

    Whatever is no refusal of ours comes out as it is: that is what fuzzing looks for.
    """
    chance = random.Random(number)
    samples = _samples(parser)
    data = samples[number % len(samples)]
    spoil = mutated_within if data.startswith(b"PK") and chance.random() < 0.9 else mutated
    path = folder / "case.bin"
    path.write_bytes(spoil(data, chance))
    with FileSource(path) as source:
        try:
            asked, found = inspect(source, name="", parsers=_PARSERS)
        except InvalidFile:
            return "refused"
        document = to_json(found)
        assert to_json(from_json(document)) == document
        if isinstance(found, FileInspection) and found.cover:
            try:
                thumbnails_of(source, format_code=found.format, cover=found.cover, limits=SMALL)
            except InvalidFile:
                return f"{asked.name}, not shown"
    return asked.name


@cache
def _samples(parser: str) -> list[bytes]:
    return [sample.make() for sample in SAMPLES.values() if sample.parser == parser]
