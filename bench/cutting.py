"""Reading here and there in large backups: what a seek index costs, and what it saves."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from isal import igzip_lib, isal_zlib

from bench.courses import TEN_FILES, course
from bench.measuring import MIB, Bench, Row, Rule, compared, seconds
from repo_service.backups.archives import Archive, open_targz, open_zip
from repo_service.backups.cleaning import clean
from repo_service.backups.contents import Contents, build_contents
from repo_service.backups.cutting import UnreadZip, cut_activity
from repo_service.backups.packing import COMPRESSION_LEVEL
from repo_service.backups.seeking import build_seek_index
from repo_service.inspection.limits import LIMITS
from repo_service.inspection.sources import FileSource
from tests.support.backups import write_targz, write_zip

_BLOCK = 256 * 1024
_BYTES = 5 * MIB


def cutting(bench: Bench) -> Iterator[Row]:
    """An activity of a course with 500 and 2,000 files, against inflating all of it; clean copies."""
    size = (60 if bench.quick else 600) * MIB
    bench.say(f"making backups of {size // MIB} MiB")
    content = course(size)
    targz = write_targz(bench.folder / "course.tgz.mbz", content)
    made_zip = write_zip(bench.folder / "course.zip.mbz", content)
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

    bench.say("cutting an activity out")
    for kind, path, cut, bar in (
        ("tar.gz", targz, partial(_cut_targz, targz, index, bench.folder), 0.05),
        ("zip", made_zip, partial(_cut_zip, made_zip, bench.folder), 0.01),
    ):
        _make_contents(path, index, bench.folder)
        sides = bench.interleaved(partial(seconds, cut), floor)
        yield compared(
            f"an activity with ten files out of a {kind} / one zlib pass over the tar.gz",
            "s",
            sides,
            bar=bar,
            rule=Rule.RATIO_AT_MOST,
            note=f"{sides[0].median / sides[1].median:.2%}; 5 MiB, index and contents read anew",
        )
    bench.say("making clean copies")
    for kind, path, make in (("tar.gz", targz, _rewrite_targz), ("zip", made_zip, _rewrite_zip)):
        yield compared(
            f"clean copy of a {kind} / one pass that reads and writes it",
            "s",
            bench.interleaved(
                partial(seconds, partial(_clean, path, index, bench.folder)),
                partial(seconds, partial(make, path)),
            ),
            bar=1.3,
            rule=Rule.RATIO_AT_MOST,
            note="the same compression; what is not looked into is taken over packed in a zip",
        )


def _make(path: Path, index: Path) -> None:
    with FileSource(path) as source, index.open("wb") as file:
        build_seek_index(source, write_to=file)


def _make_contents(path: Path, index: Path, folder: Path) -> None:
    with (
        FileSource(path) as source,
        FileSource(index) as seek_index,
        (folder / "contents").open("wb") as file,
    ):
        archive = open_zip(source) if source.read_at(0, 2) == b"PK" else open_targz(source, seek_index)
        build_contents(archive, write_to=file, folder=folder, progress=lambda done: None)


def _cut_targz(path: Path, index: Path, folder: Path) -> None:
    with FileSource(path) as source, FileSource(index) as seek_index:
        _cut(open_targz(source, seek_index), folder)


def _cut_zip(path: Path, folder: Path) -> None:
    with FileSource(path) as source:
        _cut(UnreadZip(source, LIMITS), folder)


def _cut(archive: Archive | UnreadZip, folder: Path) -> None:
    with FileSource(folder / "contents") as source:
        cut = cut_activity(archive, Contents(source), TEN_FILES)
        sent = sum(map(len, cut.blocks()))
    if sent != cut.size or sent < _BYTES:
        raise RuntimeError(f"{sent} bytes were cut out")


def _clean(path: Path, index: Path, folder: Path) -> None:
    with FileSource(path) as source, FileSource(index) as seek_index, (folder / "clean").open("wb") as file:
        is_zip = source.read_at(0, 2) == b"PK"
        clean(
            source,
            archive_format="zip" if is_zip else "tgz",
            archive=open_zip(source) if is_zip else open_targz(source, seek_index),
            write=file.write,
            folder=folder,
            progress=lambda done: None,
        )


def _rewrite_targz(path: Path) -> None:
    """Inflate and deflate, by the same library at the same level, with nothing else done."""
    inflater = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
    packer = isal_zlib.compressobj(COMPRESSION_LEVEL, isal_zlib.DEFLATED, 31)
    with path.open("rb", buffering=0) as file, path.with_name("rewritten").open("wb") as to:
        while not inflater.eof:
            to.write(
                packer.compress(
                    inflater.decompress(file.read(_BLOCK) if inflater.needs_input else b"", _BLOCK)
                )
            )
        to.write(packer.flush())


def _rewrite_zip(path: Path) -> None:
    """Inflate and deflate each member, by zlib at the level of Python's zipfile, with nothing else done."""
    with (
        zipfile.ZipFile(path) as archive,
        zipfile.ZipFile(path.with_name("rewritten"), "w", zipfile.ZIP_DEFLATED) as to,
    ):
        for info in archive.infolist():
            with archive.open(info) as content, to.open(info.filename, "w") as member:
                shutil.copyfileobj(content, member, _BLOCK)


def _inflate(path: Path) -> None:
    """Read the file once and inflate it, with the checksum proved."""
    inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
    with path.open("rb", buffering=0) as file:
        while data := file.read(_BLOCK):
            while data:
                inflater.decompress(data, _BLOCK)
                data = inflater.unconsumed_tail
