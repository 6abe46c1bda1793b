"""Reading here and there in large backups: what a seek index costs, and what it saves."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.courses import course
from bench.measuring import MIB, Bench, Row, Rule, compared, seconds
from repo_service.backups.archives import Archive, open_targz, open_zip
from repo_service.backups.seeking import build_seek_index
from repo_service.inspection.sources import FileSource
from tests.support.backups import write_targz, write_zip

_BLOCK = 256 * 1024
_FILES = 10
_BYTES = 5 * MIB


def cutting(bench: Bench) -> Iterator[Row]:
    """Ten files of a course with 500 activities and 2,000 files, against inflating all of it with zlib."""
    size = (60 if bench.quick else 600) * MIB
    bench.say(f"making backups of {size // MIB} MiB")
    content = course(size)
    targz = write_targz(bench.folder / "course.tgz.mbz", content)
    made_zip = write_zip(bench.folder / "course.zip.mbz", content)
    wanted = _scattered(content)
    picked = f"{sum(len(content[name]) for name in wanted) / MIB:.1f} MiB in {len(wanted)} files"
    del content
    index = bench.folder / "seek-index"

    def floor() -> float:
        return seconds(lambda: _inflate(targz))

    bench.say("making a seek index")
    yield compared(
        "seek index of a tar.gz / one zlib pass",
        "s",
        bench.interleaved(lambda: seconds(lambda: _make(targz, index)), floor),
        bar=3,
        rule=Rule.RATIO_AT_MOST,
        note=f"{targz.stat().st_size / MIB:.0f} MiB; the index has {index.stat().st_size / MIB:.1f} MiB",
    )

    def read_targz() -> None:
        with FileSource(targz) as source, FileSource(index) as seek_index:
            _read(open_targz(source, seek_index), wanted)

    def read_zip() -> None:
        with FileSource(made_zip) as source:
            _read(open_zip(source), wanted)

    bench.say("reading ten files")
    for kind, read, bar in (("tar.gz", read_targz, 0.05), ("zip", read_zip, 0.01)):
        sides = bench.interleaved(partial(seconds, read), floor)
        yield compared(
            f"ten files of a {kind} / one zlib pass over the tar.gz",
            "s",
            sides,
            bar=bar,
            rule=Rule.RATIO_AT_MOST,
            note=f"{sides[0].median / sides[1].median:.1%}; {picked}, index or directory read anew",
        )


def _scattered(content: dict[str, bytes]) -> list[str]:
    """Files from all over the course that have about the same size, and _BYTES together."""
    each = _BYTES // _FILES
    near = sorted(content, key=lambda name: abs(len(content[name]) - each))[: 4 * _FILES]
    return random.Random(6).sample(near, _FILES)


def _make(path: Path, index: Path) -> None:
    with FileSource(path) as source, index.open("wb") as file:
        build_seek_index(source, write_to=file)


def _read(archive: Archive, names: list[str]) -> None:
    for name in names:
        with archive.open(name) as stream:
            while stream.read(_BLOCK):
                pass


def _inflate(path: Path) -> None:
    """Read the file once and inflate it, with the checksum proved."""
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
    with path.open("rb", buffering=0) as file:
        while data := file.read(_BLOCK):
            while data:
                inflater.decompress(data, _BLOCK)
                data = inflater.unconsumed_tail
