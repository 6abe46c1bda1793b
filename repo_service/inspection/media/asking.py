"""What the tasks answer, and how parsers ask: nothing of an answer is taken on trust."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from repo_service.domain.errors import InvalidFile
from repo_service.domain.inspection import InspectionWarning
from repo_service.inspection.base import Source
from repo_service.inspection.drafting import Draft
from repo_service.inspection.isolation.parent import isolation

_KEPT_ALL_THE_SAME = frozenset({"unreadable", "too-slow", "too-much-memory"})

_Count = Annotated[int, Field(ge=0, le=2**31)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSaid:
    """Of ``picture_task``."""

    width: _Count
    height: _Count
    format: str
    frames: _Count
    location: bool
    fields: list[tuple[str, str]]
    xmp: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentSaid:
    """Of ``document_task``."""

    version: str
    locked: bool
    pages: _Count = 0
    outline: list[tuple[int, str]]
    text: str = ""
    fields: list[tuple[str, str]]
    xmp: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingSaid:
    """Of ``recording_task``."""

    duration: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
    video: list[tuple[_Count, _Count]]
    audio: _Count
    subtitles: _Count
    cover: bool
    tags: list[tuple[str, str]]
    chapters: list[str]


Said = TypeVar("Said", PictureSaid, DocumentSaid, RecordingSaid)


def ask(task: str, source: Source, shape: type[Said], draft: Draft) -> Said | None:
    """The answer of a task; None, and a warning, for a file that its library cannot read.

    Such a file is kept: a picture of a rare kind is of use to those who have the program for it. Raises what
    the source raises.
    """
    try:
        answer = isolation.ask(task, source)
        return TypeAdapter(shape).validate_python(answer.said)
    except ValidationError:
        problem = InvalidFile("The file is damaged, or of a kind that cannot be read.", reason="unreadable")
    except InvalidFile as error:
        if error.reason not in _KEPT_ALL_THE_SAME:
            raise
        problem = error
    draft.warnings.append(InspectionWarning(code=problem.reason, message=problem.detail))
    return None


def packet_of(xmp: str) -> bytes:
    """The XMP that an answer carries, empty where that is none."""
    try:
        return base64.b64decode(xmp, validate=True)
    except (binascii.Error, ValueError):
        return b""
