"""Subtitles: SubRip, WebVTT and SubStation Alpha, read by pysubs2."""

from __future__ import annotations

import re
import warnings

from repo_service.domain.inspection import FileInspection
from repo_service.inspection.base import NotThisFormat, Progress, Source
from repo_service.inspection.documents.decoding import decoded
from repo_service.inspection.drafting import Draft
from repo_service.inspection.limits import LIMITS, MIB, Limits

_MAX_SIZE = 2 * MIB
_LONGEST_CUE = 4000
"""Characters: pysubs2 looks for markup in each again and again, so longer ones are not given to it."""
_SIGNS = (
    ("vtt", re.compile(rb"(?:\xef\xbb\xbf)?WEBVTT(?:[ \t\r\n]|\Z)")),
    ("srt", re.compile(rb"(?:\xef\xbb\xbf)?\s*\d{1,6}\s*\r?\n\d{1,3}:\d\d:\d\d[,.]\d{1,3} --> \d")),
    ("ass", re.compile(rb"(?:\xef\xbb\xbf)?\s*\[Script Info\]", re.IGNORECASE)),
)
_MEDIA = {"vtt": "text/vtt", "srt": "application/x-subrip", "ass": "text/x-ssa"}
_VTT_LANGUAGE = re.compile(r"(?m)^(?:Language|Kind-Language): *([\w-]+) *$")


class SubtitlesParser:
    """A text that begins as subtitles do."""

    name = "subtitles"
    version = 1

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits

    def sniff(self, head: bytes, name: str) -> bool:
        return _kind_of(head) is not None

    def parse(self, source: Source, *, name: str, progress: Progress) -> FileInspection:
        kind = _kind_of(source.read_at(0, 1024))
        text = None if source.size > _MAX_SIZE else decoded(source, limit=_MAX_SIZE)
        if kind is None or text is None or _has_long_cue(kind, text):
            raise NotThisFormat
        import pysubs2

        try:
            with warnings.catch_warnings(action="ignore"):  # fields that have no value
                cues = pysubs2.SSAFile.from_string(text, format_=kind)
        except (pysubs2.Pysubs2Error, ValueError, OverflowError, LookupError, TypeError) as error:
            raise NotThisFormat from error
        draft = Draft(self._limits)
        draft.name_it(cues.info.get("Title", ""))
        draft.add_author(cues.info.get("Original Script", ""))
        if kind == "vtt" and (language := _VTT_LANGUAGE.search(text[:1000])) is not None:
            draft.say_language(language[1])
        spoken = [cue for cue in cues if not cue.is_comment]
        draft.facts["cues"] = len(spoken)
        draft.facts["duration"] = max((0, *(cue.end for cue in spoken))) / 1000
        for cue in spoken:
            if not draft.wants_text:
                break
            draft.add_text(cue.plaintext)
        progress(1.0)
        return draft.inspection(
            "subtitles", media_type=_MEDIA[kind], size=source.size, name=name, version=kind
        )


def _has_long_cue(kind: str, text: str) -> bool:
    """Cues are parted by their times; in SubStation Alpha each is a line."""
    pieces = text.split("\n" if kind == "ass" else "-->")
    return any(len(piece) > _LONGEST_CUE for piece in pieces)


def _kind_of(head: bytes) -> str | None:
    return next((kind for kind, sign in _SIGNS if sign.match(head) is not None), None)
