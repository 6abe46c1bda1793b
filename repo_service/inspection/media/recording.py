"""Sound and video: MP4, WebM and Matroska, Ogg, MP3, WAV, FLAC, AVI. Read by FFmpeg, in a process of its own.

What FFmpeg calls the tags of all formats: libavformat/avformat.h ("Metadata").
"""

from __future__ import annotations

import re

from repo_service.domain.inspection import FileInspection
from repo_service.inspection.base import NotThisFormat, Progress, Source
from repo_service.inspection.drafting import ITSELF, Draft
from repo_service.inspection.media.asking import RecordingSaid, ask
from repo_service.inspection.media.picture import location_found
from repo_service.inspection.media_types import media_type
from repo_service.inspection.signatures import SignatureParser

_SIGNATURES = re.compile(
    rb".{4}ftyp(?!avi[fs])|\x1a\x45\xdf\xa3|OggS|ID3|\xff[\xfb\xf3\xf2\xfa]|RIFF.{4}(?:WAVE|AVI )|fLaC",
    re.DOTALL,
)
_LOCATIONS = frozenset({"location", "location-eng", "com.apple.quicktime.location.iso6709"})
_HEAD = 64 * 1024


class RecordingParser(SignatureParser):
    """What begins as a recording does."""

    name = "recording"
    version = 1
    signature = _SIGNATURES

    def parse(self, source: Source, *, name: str, progress: Progress) -> FileInspection:
        draft = Draft(self._limits)
        found = media_type(source.read_at(0, _HEAD), name)
        said = ask("recording", source, RecordingSaid, draft)
        if said is None:
            code = "video" if found.startswith("video/") else "audio"
            return draft.inspection(code, media_type=found, size=source.size, name=name)
        if not said.video and not said.audio:
            raise NotThisFormat
        for tag, text in said.tags:
            _tell(draft, tag, text)
        draft.facts["duration"] = round(said.duration, 3)
        for width, height in said.video:
            draft.facts |= {"width": width, "height": height}
        if said.subtitles:
            draft.facts["subtitles"] = said.subtitles
        for title in said.chapters:
            draft.head(1, title, "chapter")
        if said.video or said.cover:
            draft.cover = ITSELF
        progress(1.0)
        code = "video" if said.video else "audio"
        return draft.inspection(code, media_type=found, size=source.size, name=name)


def _tell(draft: Draft, tag: str, text: str) -> None:
    match tag:
        case "title":
            draft.name_it(text)
        case "artist" | "author" | "album_artist":
            draft.add_author(text)
        case "composer" | "performer" | "publisher":
            draft.add_author(text, tag)
        case "description" | "synopsis" | "comment":
            draft.describe(text)
        case "license" | "licence" | "copyright" | "wcop":
            draft.add_licence(text)
        case "genre":
            draft.add_keywords([text])
        case "keywords":
            draft.add_keywords(re.split("[;,]", text))
        case "language":
            draft.say_language(text)
        case "lyrics" | "lyrics-eng":
            draft.add_text(text)
        case _ if tag in _LOCATIONS and not draft.findings:
            draft.findings.append(location_found(1))
