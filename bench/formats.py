"""Looking into files that are no backups, and making pictures of them."""

from __future__ import annotations

import hashlib
import io
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from bench.measuring import MIB, Bench, Row, Rule, compared, seconds
from repo_service.domain.inspection import FileInspection
from repo_service.inspection.isolation import child
from repo_service.inspection.isolation.parent import isolation
from repo_service.inspection.media import document_task, picture_task, recording_task
from repo_service.inspection.media.shrinking import thumbnails
from repo_service.inspection.media.thumbnails import thumbnails_of
from repo_service.inspection.media_types import media_type
from repo_service.inspection.registry import inspect
from repo_service.inspection.sources import FileSource
from tests.support import media
from tests.support.oer import SAMPLES

_PHOTO = (6000, 4000)
_HEAD = 64 * 1024


def formats(bench: Bench) -> Iterator[Row]:
    """A thousand files of all formats described; a photograph made small; what memory a task takes."""
    paths = _mixed(bench.folder, 100 if bench.quick else 1000)
    bench.say(f"looking into {len(paths)} files of {len(SAMPLES)} kinds")
    _describe(paths[: len(SAMPLES)])  # the process that others are split off from has started
    yield compared(
        f"{len(paths)} files described / read with SHA-256 and libmagic",
        "s",
        bench.interleaved(lambda: seconds(lambda: _describe(paths)), lambda: seconds(lambda: _read(paths))),
        bar=25.0,
        rule=Rule.RATIO_AT_MOST,
        note=f"{sum(path.stat().st_size for path in paths) / MIB:.0f} MiB; those of native libraries "
        "each in a process of its own",
    )
    bench.say("making pictures of a photograph")
    photo = bench.folder / "photo.jpg"
    photo.write_bytes(_photo())
    yield compared(
        "two thumbnails of a photograph / the same in this process",
        "s",
        bench.interleaved(lambda: seconds(lambda: _show(photo)), lambda: seconds(lambda: _show_here(photo))),
        bar=1.3,
        rule=Rule.RATIO_AT_MOST,
        note=f"{_PHOTO[0]} by {_PHOTO[1]} pixels, {photo.stat().st_size / MIB:.1f} MiB",
    )
    bench.say("looking at the memory of tasks")
    for name, work, content in (
        ("a photograph", picture_task.show, photo.read_bytes()),
        ("a PDF document of 500 pages", document_task.work, media.pdf(pages=500)),
        ("a video", recording_task.show, media.recording("mp4")),
    ):
        yield Row(
            name=f"memory of the process that reads {name}",
            unit="MiB",
            ours=_peak(work, content),
            bar=256,
            rule=Rule.AT_MOST,
            note="all that is resident at its peak, libraries included",
        )
    isolation.close()


def _mixed(folder: Path, count: int) -> list[Path]:
    """So many files, each sample in turn, in no order."""
    samples = [sample.make() for sample in SAMPLES.values()]
    paths = []
    for number in range(count):
        path = folder / f"{number}.bin"
        path.write_bytes(samples[number % len(samples)])
        paths.append(path)
    random.Random(1).shuffle(paths)
    return paths


def _describe(paths: list[Path]) -> None:
    for path in paths:
        with FileSource(path) as source:
            _, found = inspect(source, name="")
        if not isinstance(found, FileInspection) or not found.format:
            raise RuntimeError(f"described as {found.kind}")


def _read(paths: list[Path]) -> None:
    """What nobody can do without: read each file, hash it, and look at what it begins with."""
    for path in paths:
        data = path.read_bytes()
        hashlib.sha256(data).digest()
        media_type(data[:_HEAD], "")


def _photo() -> bytes:
    """Noise and shapes: neither shrinks to nothing."""
    rough = Image.effect_noise((_PHOTO[0] // 8, _PHOTO[1] // 8), 60).resize(_PHOTO)
    file = io.BytesIO()
    Image.merge("RGB", (rough, rough.rotate(180), rough)).save(file, "JPEG", quality=90)
    return file.getvalue()


def _show(path: Path) -> None:
    with FileSource(path) as source:
        thumbnails_of(source, format_code="image", cover=".")


def _show_here(path: Path) -> None:
    with Image.open(path) as image:
        image.draft("RGB", (1280, 960))
        thumbnails(image)


def _peak(work: Callable[..., object], content: bytes) -> float:
    """MiB. In a process that is confined as those of tasks are, and has nothing else to do."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        child.preload_all()
        Path("/proc/self/clear_refs").write_text("5", "ascii")  # proc(5): the peak begins anew
        status = os.open("/proc/self/status", os.O_RDONLY)
        child.confine(child.MEMORY, child.SECONDS)
        work(io.BytesIO(content))
        os.write(writing, os.read(status, 8192))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        told = said.read()
    os.waitpid(pid, 0)
    return int(told.split("VmHWM:")[1].split()[0]) / 1024
