"""What is done with each hostile backup, and what must hold whatever it is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Literal

from repo_service.backups.archives import Archive, open_targz, open_zip
from repo_service.backups.cleaning import clean
from repo_service.backups.contents import Contents, build_contents
from repo_service.backups.cutting import cut_activity, cut_section
from repo_service.backups.seeking import build_seek_index
from repo_service.domain.errors import InvalidFile, NotFound, Uncleanable
from repo_service.domain.inspection import BackupInspection, Section
from repo_service.inspection.limits import KIB, LIMITS, MIB
from repo_service.inspection.registry import inspect, parsers
from repo_service.inspection.sources import FileSource
from tests.fuzz.cases import case

SMALL = replace(LIMITS, max_xml=4 * MIB, max_xml_total=8 * MIB, max_xml_token=64 * KIB, max_members=2000)
"""Limits that hostile backups of a few kilobytes can reach."""

_PARSERS = parsers(SMALL)
_PARTS = 4
"""Activities and sections of one backup that are cut out."""

Outcome = Literal["refused", "no backup", "old", "uncleanable", "cleaned"]


def run(number: int, folder: Path) -> Outcome:
    """Do all that the service does with the backup of that number, in ``folder``.

    Whatever is no refusal of ours comes out as it is: that is what fuzzing looks for.
    """
    path = folder / "case.mbz"
    path.write_bytes(case(number))
    try:
        found = _inspected(path)
    except InvalidFile:
        return "refused"
    if not isinstance(found, BackupInspection):
        return "no backup"
    if found.backup_format != "moodle2":
        return "old"
    with ExitStack() as opened:
        source = opened.enter_context(FileSource(path))
        try:
            archive = _archive(source, found, folder, opened)
        except InvalidFile:
            return "refused"  # names that come twice, which an inspection does not look at in the pool
        _cut_up(archive, found, folder)
        outcome = _clean(source, archive, found, folder / "clean.mbz")
    if outcome == "cleaned":
        again = _inspected(folder / "clean.mbz")
        assert isinstance(again, BackupInspection)
        assert not again.blocking, [finding.message for finding in again.blocking]
        assert not again.includes_users
        assert _shape(again.outline) == _shape(found.outline)
    return outcome


def _shape(sections: Sequence[Section]) -> list[object]:
    """An outline without what goes with the learners: how many files there are."""
    return [
        (
            section.id,
            section.number,
            section.title,
            [
                (activity.id, activity.module, activity.title, _shape(activity.sections))
                for activity in section.activities
            ],
        )
        for section in sections
    ]


def _inspected(path: Path) -> object:
    with FileSource(path) as source:
        return inspect(source, name="case.bin", parsers=_PARSERS)[1]


def _archive(source: FileSource, found: BackupInspection, folder: Path, opened: ExitStack) -> Archive:
    if found.archive_format == "zip":
        return open_zip(source, SMALL)
    with (folder / "index").open("wb") as file:
        build_seek_index(source, write_to=file, limits=SMALL)
    return open_targz(source, opened.enter_context(FileSource(folder / "index")), SMALL)


def _cut_up(archive: Archive, found: BackupInspection, folder: Path) -> None:
    try:
        with (folder / "contents").open("wb") as file:
            build_contents(archive, write_to=file, folder=folder, progress=lambda done: None, limits=SMALL)
    except InvalidFile:
        return
    with FileSource(folder / "contents") as source:
        contents = Contents(source)
        list(contents.files())
        sections = [section for section in found.outline if section.id is not None]
        activities = [activity for section in found.outline for activity in section.activities]
        wanted = [
            *((cut_section, section.id) for section in sections[:_PARTS]),
            *((cut_activity, activity.id) for activity in activities[:_PARTS]),
        ]
        for cut, id_ in wanted:
            assert id_ is not None
            try:
                made = cut(archive, contents, id_)
                sent = b"".join(made.blocks())
            except (InvalidFile, NotFound):
                continue
            assert len(sent) == made.size
            (folder / "cut.mbz").write_bytes(sent)
            part = _inspected(folder / "cut.mbz")
            assert isinstance(part, BackupInspection)


def _clean(source: FileSource, archive: Archive, found: BackupInspection, to: Path) -> Outcome:
    try:
        with to.open("wb") as file:
            clean(
                source,
                archive_format=found.archive_format,
                archive=archive,
                write=file.write,
                folder=to.parent,
                progress=lambda done: None,
                limits=SMALL,
            )
    except InvalidFile:
        return "refused"
    except Uncleanable:
        return "uncleanable"
    return "cleaned"
