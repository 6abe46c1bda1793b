"""Looking inside large backups: a tar.gz against inflating it once, a zip by the bytes it takes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

from isal import igzip_lib

from bench.courses import course
from bench.measuring import MIB, Bench, Row, Rule, compared, seconds
from repo_service.inspection.registry import inspect
from repo_service.inspection.sources import FileSource
from tests.inspection.support import CountingSource
from tests.support.backups import write_targz, write_zip

_KIB = 1024
_BLOCK = 256 * _KIB


def inspection(bench: Bench) -> Iterator[Row]:
    """A course with 500 activities and 2,000 files, described."""
    size = (60 if bench.quick else 600) * MIB
    bench.say(f"making backups of {size // MIB} MiB")
    content = course(size)
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
