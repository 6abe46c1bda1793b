"""Pictures: JPEG, PNG, GIF, WebP, TIFF, AVIF, BMP. Read by Pillow, in a process of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from repo_service.domain.findings import KINDS, Finding
from repo_service.domain.inspection import FileInspection
from repo_service.inspection.base import HEAD_SIZE, Progress, Source
from repo_service.inspection.drafting import ITSELF, Draft
from repo_service.inspection.media.asking import PictureSaid, ask, packet_of
from repo_service.inspection.media.xmp import read_xmp
from repo_service.inspection.media_types import media_type
from repo_service.inspection.signatures import SignatureParser

_SIGNATURES = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF.{4}WEBP|II\*\0|MM\0\*|.{4}ftypavi[fs]|BM.{4}\0\0\0\0",
    re.DOTALL,
)
_MEDIA = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
    "BMP": "image/bmp",
}
_LOCATION = "location"


class PictureParser(SignatureParser):
    """What begins as a picture does."""

    name = "picture"
    version = 1
    signature = _SIGNATURES

    def parse(self, source: Source, *, name: str, progress: Progress) -> FileInspection:
        draft = Draft(self._limits)
        said = ask("picture", source, PictureSaid, draft)
        found = "" if said is None else _MEDIA.get(said.format, "")
        if said is not None:
            facts = read_xmp(packet_of(said.xmp), draft)
            tell = _tellers(draft)
            for field, text in said.fields:
                if field in tell:
                    tell[field](text)
            draft.facts |= {"width": said.width, "height": said.height}
            if said.frames > 1:
                draft.facts["frames"] = said.frames
            if said.location or facts.has_location:
                draft.findings.append(location_found(1))
            draft.cover = ITSELF
        progress(1.0)
        return draft.inspection(
            "image",
            media_type=found or media_type(source.read_at(0, HEAD_SIZE), name),
            size=source.size,
            name=name,
        )


def location_found(count: int) -> Finding:
    """The finding that a file says where it was made."""
    kind = KINDS[_LOCATION]
    return Finding(
        code=_LOCATION,
        finding_class=kind.finding_class,
        place="",
        count=count,
        message=kind.words(count),
    )


def _tellers(draft: Draft) -> Mapping[str, Callable[[str], None]]:
    return {
        "title": draft.name_it,
        "description": draft.describe,
        "artist": draft.add_authors,
        "copyright": draft.add_licence,
        "keywords": lambda words: draft.add_keywords(re.split("[;,]", words)),
    }
