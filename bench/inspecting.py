"""Looking inside large backups: a tar.gz against inflating it once, a zip by the bytes it takes."""

from __future__ import annotations

import os
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

from isal import igzip_lib

from bench.measuring import MIB, Bench, Row, Rule, compared, seconds
from repo_service.inspection.registry import inspect
from repo_service.inspection.sources import FileSource
from tests.inspection.support import CountingSource
from tests.support.backups import ActivitySpec, members, write_targz, write_zip

_KIB = 1024
_BLOCK = 256 * _KIB
_FILES_EACH = 4
_MEDIA = 0.8
"""Share of the files that no longer compress: pictures, films, PDF. The rest is text, at about 3 : 1."""


def inspection(bench: Bench) -> Iterator[Row]:
    """A course with 500 activities and 2,000 files."""
    size = (60 if bench.quick else 600) * MIB
    bench.say(f"making backups of {size // MIB} MiB")
    content = _course(size)
    targz = write_targz(bench.folder / "course.tgz.mbz", content)
    made_zip = write_zip(bench.folder / "course.zip.mbz", content)
    del content
    bench.say("inspecting a tar.gz")
    yield compared(
        "inspection of a tar.gz / one isal pass",
        "s",
        bench.interleaved(lambda: seconds(lambda: _inspect(targz)), lambda: seconds(lambda: _inflate(targz))),
        bar=1.5,
        rule=Rule.RATIO_AT_MOST,
        note=f"{targz.stat().st_size / MIB:.0f} MiB, 500 activities, 2,000 files",
    )
    bench.say("inspecting a zip")
    yield _zip(made_zip)


def _zip(path: Path) -> Row:
    with FileSource(path) as file:
        source = CountingSource(file)
        inspect(source, name=path.name)
    with zipfile.ZipFile(path) as archive:
        directory = path.stat().st_size - archive.start_dir
        used = sum(info.compress_size for info in archive.infolist() if _is_used(info.filename))
    return Row(
        name="inspection of a zip: bytes read",
        unit="KiB",
        ours=source.bytes_read / _KIB,
        bar=(directory + used) / _KIB + 256,
        rule=Rule.AT_MOST,
        note=f"of {path.stat().st_size / MIB:.0f} MiB, in {source.requests} requests; the bar is directory "
        f"({directory // _KIB} KiB) + members used ({used // _KIB} KiB) + 256 KiB",
    )


def _is_used(name: str) -> bool:
    """Whether the member says something that an inspection tells: any XML may name a person."""
    return name.endswith(".xml") and not name.startswith("files/")


def _inspect(path: Path) -> None:
    with FileSource(path) as source:
        _, found = inspect(source, name=path.name)
    if found.kind != "course":
        raise RuntimeError(f"described as {found.kind}")


def _inflate(path: Path) -> None:
    """What nobody can do without: read the file once and inflate it, with the checksum proved."""
    inflater = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    with path.open("rb", buffering=0) as file:
        while not inflater.eof:
            inflater.decompress(file.read(_BLOCK) if inflater.needs_input else b"", _BLOCK)


def _course(size: int) -> dict[str, bytes]:
    """Members of a course whose archive has about ``size`` bytes."""
    chance = random.Random(4)
    words = [
        bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(4000)
    ]
    prose = b" ".join(chance.choices(words, k=200_000))
    count = 500 * _FILES_EACH
    sizes = [chance.lognormvariate(0, 1.2) for _ in range(count)]
    unit = size / sum(sizes)

    def file(number: int) -> bytes:
        length = int(sizes[number] * unit)
        if chance.random() < _MEDIA:
            return os.urandom(length)
        begin = chance.randrange(len(prose) // 2)
        # Compressed it should come to the same size as a film of that length.
        return str(number).encode() + (prose * (3 * length // len(prose) + 2))[begin : begin + 3 * length]

    modules = ("page", "quiz", "forum", "assign", "resource", "url", "book", "lesson")
    made = members(
        activities=[
            ActivitySpec(
                module=modules[number % len(modules)],
                title=f"Activity {number}",
                section=1 + number % 20,
                files=[(f"file{f}.bin", file(number * _FILES_EACH + f)) for f in range(_FILES_EACH)],
            )
            for number in range(500)
        ],
        section_titles=[f"Week {week}" for week in range(21)],
        questions={"multichoice": 400, "essay": 100},
    )
    for name in list(made):
        # What only the search for persons reads: grades, roles.
        if name.startswith("activities/") and name.endswith("module.xml"):
            folder = name.rpartition("/")[0]
            made[f"{folder}/grades.xml"] = made[f"{folder}/roles.xml"] = (
                b'<?xml version="1.0" encoding="UTF-8"?><x>' + prose[: chance.randrange(20_000)] + b"</x>"
            )
    return made
