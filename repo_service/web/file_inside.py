"""What inspection found in a file that is no backup, arranged for a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repo_service.backups.licence_words import licence_of
from repo_service.backups.licences import Licence
from repo_service.domain.formats import MoodleUse, moodle_use
from repo_service.domain.inspection import LicenceStatement
from repo_service.domain.texts import Text, counted, text

MAX_ITEMS = 1000
"""Headings on one page; the API gives all."""

OPEN_UP_TO = 40
"""Headings up to which those below the first level stand open at first."""

_COUNTS: Mapping[str, Callable[[int], Text]] = {
    "pages": lambda count: counted("%(count)s page", "%(count)s pages", count),
    "chapters": lambda count: counted("%(count)s chapter", "%(count)s chapters", count),
    "slides": lambda count: counted("%(count)s slide", "%(count)s slides", count),
    "sheets": lambda count: counted("%(count)s sheet", "%(count)s sheets", count),
    "scos": lambda count: counted("%(count)s learning object", "%(count)s learning objects", count),
    "quizzes": lambda count: counted("%(count)s quiz", "%(count)s quizzes", count),
    "questions": lambda count: counted("%(count)s question", "%(count)s questions", count),
    "links": lambda count: counted("%(count)s link", "%(count)s links", count),
    "discussions": lambda count: counted("%(count)s discussion", "%(count)s discussions", count),
    "tools": lambda count: counted("%(count)s external tool", "%(count)s external tools", count),
    "cues": lambda count: counted("%(count)s subtitle", "%(count)s subtitles", count),
    "words": lambda count: counted("%(count)s word", "%(count)s words", count),
}
_USES: Mapping[MoodleUse, Text] = {
    MoodleUse.RESTORE: text("It is restored"),
    MoodleUse.H5P: text("It becomes an H5P activity"),
    MoodleUse.SCORM: text("It becomes a SCORM activity"),
    MoodleUse.FILE: text("It becomes a file"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A line of the outline with those below it."""

    title: str
    items: Sequence[Heading]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInside:
    """What a file says of itself. ``language`` is a BCP 47 tag, ``guessed`` whether the file does not say it.

    ``main_library`` is that of an H5P package, with its version; ``media`` is how many parts say for
    themselves whose they are.
    """

    version: str
    counts: Sequence[Text]
    outline: Sequence[Heading]
    left_out: int
    open_all: bool
    authors: Sequence[str]
    language: str
    guessed: bool
    licences: Sequence[Licence]
    main_library: str
    media: int

    @property
    def says_something(self) -> bool:
        """Whether there is anything to look at."""
        return bool(self.counts or self.outline or self.licences or self.media or self.main_library)


def file_inside_of(document: Mapping[str, Any]) -> FileInside | None:
    """Arrange an inspection (``inspection.schema.json``); None for a backup, and where nothing is known."""
    if document.get("kind") != "file" or not document.get("format"):
        return None
    room = _Room()
    libraries = document["libraries"]
    outline = [*room.headings(document["outline"])]
    return FileInside(
        version=document["format_version"],
        counts=[*_counts(document["facts"])],
        outline=outline,
        left_out=room.left_out,
        open_all=MAX_ITEMS - room.left <= OPEN_UP_TO,
        authors=[author["name"] for author in document["authors"]],
        language=document["language"] or "",
        guessed=document["language_detected"],
        licences=[licence_of(LicenceStatement(**said)) for said in document["licences"]],
        main_library=" ".join(libraries[0].values()) if libraries else "",
        media=len(document["media"]),
    )


def use_in_moodle(kind: str | None, format_code: str, file_name: str) -> Text | None:
    """What Moodle makes of a file, in words; None before it was looked into."""
    return None if kind is None else _USES[moodle_use(kind, format_code, file_name)]


def _counts(facts: Mapping[str, int | float]) -> Iterator[Text]:
    for name, words in _COUNTS.items():
        if count := int(facts.get(name, 0)):
            yield words(count)


class _Room:
    """How many headings the page still takes, and how many found no room."""

    def __init__(self) -> None:
        self.left = MAX_ITEMS
        self.left_out = 0

    def headings(self, items: Sequence[Mapping[str, Any]]) -> Iterator[Heading]:
        """Raises nothing: the depth of an outline is bounded where it is made."""
        for item in items:
            if self.left > 0:
                self.left -= 1
                yield Heading(title=item["title"], items=[*self.headings(item["items"])])
            else:
                self.left_out += 1 + _count(item["items"])


def _count(items: Sequence[Mapping[str, Any]]) -> int:
    return sum(1 + _count(item["items"]) for item in items)
