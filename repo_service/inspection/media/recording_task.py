"""Sound and video, read by FFmpeg's libraries through PyAV: length, size, tags."""

from __future__ import annotations

import contextlib
from typing import Any, BinaryIO

import av
from av.container import InputContainer
from av.video.stream import VideoStream
from PIL import Image

from repo_service.domain.errors import InvalidFile
from repo_service.inspection.media.shrinking import require_small, thumbnails

_MAX_TEXT = 10_000
_MAX_TAGS = 200
_MAX_CHAPTERS = 2000
_ATTACHED_PICTURE = 0x0400
"""AV_DISPOSITION_ATTACHED_PIC: a stream that is a cover, not a video."""


def work(file: BinaryIO) -> tuple[dict[str, Any], list[bytes]]:
    """``tags`` are those of the file and of its streams; ``duration`` is in seconds."""
    try:
        with av.open(file, mode="r", metadata_errors="replace") as container:
            return _described(container), []
    except av.FFmpegError as error:
        raise InvalidFile("The recording is damaged.", reason="unreadable") from error


def show(file: BinaryIO) -> tuple[dict[str, Any], list[bytes]]:
    """A frame after a tenth of a video, where most have begun; the cover of a recording without one."""
    try:
        with av.open(file, mode="r", metadata_errors="replace") as container:
            return {}, thumbnails(_frame(container))
    except av.FFmpegError as error:
        raise InvalidFile("The recording is damaged.", reason="unreadable") from error


def _frame(container: InputContainer) -> Image.Image:
    streams = sorted(container.streams.video, key=_is_cover)
    if not streams:
        raise InvalidFile("The recording has no picture.", reason="unreadable")
    stream = streams[0]
    require_small(stream.codec_context.width, stream.codec_context.height)
    stream.thread_type = "NONE"  # no thread can be started
    if not _is_cover(stream) and container.duration:
        with contextlib.suppress(av.FFmpegError):  # what cannot be sought in begins at its beginning
            container.seek(container.duration // 10)
    for frame in container.decode(stream):
        plain = frame.reformat(format="rgb24", threads=1)
        image: Image.Image = plain.to_image()  # type: ignore[no-untyped-call]
        return image
    raise InvalidFile("The recording has no picture.", reason="unreadable")


def _is_cover(stream: VideoStream) -> bool:
    return bool(int(stream.disposition) & _ATTACHED_PICTURE)


def _described(container: InputContainer) -> dict[str, Any]:
    videos = [stream for stream in container.streams.video if not int(stream.disposition) & _ATTACHED_PICTURE]
    tags: list[tuple[str, str]] = [*container.metadata.items()]
    for stream in container.streams:
        tags += stream.metadata.items()
    duration = container.duration
    return {
        "duration": 0.0 if duration is None else max(0.0, duration / av.time_base),
        "video": [(stream.codec_context.width, stream.codec_context.height) for stream in videos[:1]],
        "audio": len(container.streams.audio),
        "subtitles": len(container.streams.subtitles),
        "cover": len(videos) < len(container.streams.video),
        "tags": [(name.lower()[:100], str(value)[:_MAX_TEXT]) for name, value in tags[:_MAX_TAGS]],
        "chapters": [
            str(chapter["metadata"].get("title", ""))[:1000]
            for chapter in container.chapters()[:_MAX_CHAPTERS]
        ],
    }
