"""One activity or one section of a backup as a backup of its own, put together while it is sent.

It has what Moodle writes when it backs up just that: the files of the part as they are, a manifest of its
own, and of the root files only the records that the part refers to. Always a zip, which every Moodle takes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

from repo_service.backups.archives import Archive, ZipArchive
from repo_service.backups.contents import Contents, pool_name
from repo_service.backups.packing import (
    Readable,
    ZipPacker,
    end_size,
    packed_size,
    packed_text,
    stored_size,
)
from repo_service.backups.traits import QUESTIONS
from repo_service.domain.errors import InvalidFile, NotFound
from repo_service.inspection.base import Source
from repo_service.inspection.limits import KIB, MIB, Limits

MAKER = 1
"""To be raised when the same part of the same backup would come out otherwise."""

_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_IN_MEMORY = 1 * MIB
_BLOCK = 256 * KIB
_EMPTY_SHA1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
_OFF = "<name>badges</name>"
"""Badges belong to a course and not to any part of it."""
_OF_COURSES = "<name>imscc11</name>"


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOut:
    """A part of a backup, ready to be sent. ``size`` in bytes, ``tag`` changes when the bytes would."""

    title: str
    size: int
    tag: str
    blocks: Callable[[], Iterator[bytes]]
    """The bytes, read from the archive as they are taken. Raises InvalidFile, BadSeekIndex."""


@dataclass(frozen=True, slots=True)
class UnreadZip:
    """A zip of which the contents know where its members stand."""

    source: Source
    limits: Limits


def cut_activity(archive: Archive | UnreadZip, contents: Contents, id_: int) -> CutOut:
    """The activity with that course module id, with the sections that it holds. Raises NotFound."""
    return _cut(archive, contents, _Selection(contents).with_activity(id_), "activity")


def cut_section(archive: Archive | UnreadZip, contents: Contents, id_: int) -> CutOut:
    """The section with that id, with its activities. Raises NotFound."""
    return _cut(archive, contents, _Selection(contents).with_section(id_), "section")


class _Selection:
    """The parts that go together, the one that was asked for first."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self.activities: dict[int, dict[str, Any]] = {}
        self.sections: dict[int, dict[str, Any]] = {}
        self.title = ""
        self._kinds = {"activity": (self.activities, "section"), "section": (self.sections, "activity")}

    def with_activity(self, id_: int) -> _Selection:
        return self._with("activity", id_)

    def with_section(self, id_: int) -> _Selection:
        return self._with("section", id_)

    @property
    def parts(self) -> list[dict[str, Any]]:
        return [*self.sections.values(), *self.activities.values()]

    def _with(self, kind: str, id_: int) -> _Selection:
        """Sections and activities hold each other to any depth, and in a forged backup in a circle."""
        waiting = [(kind, id_)]
        while waiting:
            kind, id_ = waiting.pop()
            of_kind, inside = self._kinds[kind]
            if id_ in of_kind:
                continue
            get = self._contents.activity if kind == "activity" else self._contents.section
            part = get(id_)
            if part is None:
                raise NotFound(
                    f"This backup has no {kind} {id_}: the outline of its inspection has their ids."
                )
            if not self.activities and not self.sections:
                self.title = part["title"]
            of_kind[id_] = part
            held = part["sections" if kind == "activity" else "activities"]
            waiting.extend((inside, one) for one in reversed(held))
        return self


@dataclass(frozen=True, slots=True)
class _Member:
    """One member to be: its bytes in the new zip, with all that frames them, and how to make them."""

    size: int
    blocks: Callable[[ZipPacker], Iterator[bytes]]


def _cut(
    unread: Archive | UnreadZip,
    contents: Contents,
    selection: _Selection,
    kind: Literal["activity", "section"],
) -> CutOut:
    parts = selection.parts
    course = contents.course()
    files, pool = _files(parts)
    categories = _categories(contents, parts)
    for category in categories:
        _add_files(category["files"], files, pool)
    archive = _with_places(unread, [course, *parts, *categories])
    texts = {
        "moodle_backup.xml": _manifest(course, selection, kind),
        "files.xml": _listing("files", files.values()),
        "groups.xml": _groups(parts),
        "roles.xml": _listing("roles_definition", _all(parts, "role")),
        "scales.xml": _listing("scales_definition", _all(parts, "scale")),
        "outcomes.xml": _listing("outcomes_definition", _all(parts, "outcome")),
        "completion.xml": _listing("course_completion", ()),
        "moodle_backup.log": b"",
    }
    made = [_text_member(name, text) for name, text in texts.items()]
    made.append(_questions_member(archive, categories))
    names = [name for part in parts for name, _ in part["members"]]
    names += [name for content in pool if (name := pool_name(content)) in archive]

    def blocks() -> Iterator[bytes]:
        packer = ZipPacker()
        for member in made:
            yield from member.blocks(packer)
        yield from _taken_over(archive, names, packer)
        yield from packer.finish()

    marks = hashlib.sha256(repr((MAKER, kind, [part["directory"] for part in parts])).encode())
    return CutOut(
        title=selection.title,
        size=sum(member.size for member in made)
        + sum(_size(archive, name) for name in names)
        + end_size(len(made) + len(names)),
        tag=marks.hexdigest()[:16],
        blocks=blocks,
    )


def _with_places(archive: Archive | UnreadZip, holders: list[dict[str, Any]]) -> Archive:
    if not isinstance(archive, UnreadZip):
        return archive
    places = {name: place for holder in holders for name, place in holder["places"].items()}
    return ZipArchive(archive.source, archive.limits, places=places)


def _files(parts: list[dict[str, Any]]) -> tuple[dict[str, str], dict[str, None]]:
    """The XML of every file record once, and the contents that they name."""
    files: dict[str, str] = {}
    pool: dict[str, None] = {}
    for part in parts:
        _add_files(part["files"], files, pool)
    return files, pool


def _add_files(records: list[list[Any]], files: dict[str, str], pool: dict[str, None]) -> None:
    for xml, content, _ in records:
        files.setdefault(xml, xml)
        if content != _EMPTY_SHA1 and len(content) == 40 and content.isalnum():
            pool[content] = None


def _categories(contents: Contents, parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ids = dict.fromkeys(id_ for part in parts for id_ in part["categories"])
    found = [category for id_ in ids if (category := contents.category(id_)) is not None]
    return sorted(found, key=lambda category: int(category["begin"]))


def _all(parts: list[dict[str, Any]], kind: str) -> list[str]:
    return list(dict.fromkeys(xml for part in parts for xml in part[kind]))


def _listing(root: str, records: Any) -> bytes:
    inside = "".join(f"  {xml}\n" for xml in records)
    return _DECLARATION + f"<{root}>\n{inside}</{root}>".encode()


def _groups(parts: list[dict[str, Any]]) -> bytes:
    groups = "".join(f"  {xml}\n" for xml in _all(parts, "group"))
    groupings = "".join(f"    {xml}\n" for xml in _all(parts, "grouping"))
    text = (
        f"<groups>\n{groups}  <groupcustomfields>\n  </groupcustomfields>\n  <groupings>\n{groupings}"
        "    <groupingcustomfields>\n    </groupingcustomfields>\n  </groupings>\n</groups>"
    )
    return _DECLARATION + text.encode()


def _manifest(course: dict[str, Any], selection: _Selection, kind: str) -> bytes:
    """As ``backup_main_structure_step`` writes it; its first 200 bytes are what Moodle knows a backup by."""
    settings = [
        xml.replace("<value>1<", "<value>0<") if _OFF in xml else xml
        for xml in course["settings"]
        if _OF_COURSES not in xml
    ]
    listed = "".join(part["listed"] for part in selection.activities.values())
    contents = f"<activities>{listed}</activities>" if listed else ""
    if selection.sections:
        listed = "".join(part["listed"] for part in selection.sections.values())
        contents += f"<sections>{listed}</sections>"
    for part in selection.parts:
        settings.extend(part["settings"])
    unique = hashlib.md5(repr((kind, settings)).encode(), usedforsecurity=False).hexdigest()
    detail = (
        f'<detail backup_id="{unique}"><type>{kind}</type><format>moodle2</format>'
        "<interactive>1</interactive><mode>10</mode><execution>1</execution><executiontime>0</executiontime></detail>"
    )
    return (
        _DECLARATION
        + (
            f"<moodle_backup>\n  <information>\n    {course['information']}<details>{detail}</details>"
            f"<contents>{contents}</contents><settings>{''.join(settings)}</settings>"
            "</information>\n</moodle_backup>"
        ).encode()
    )


def _text_member(name: str, text: bytes) -> _Member:
    if len(text) > _IN_MEMORY:
        return _Member(
            stored_size(name, len(text)), lambda packer: packer.add_stored(name, len(text), io.BytesIO(text))
        )
    packed, data = packed_text(text)
    return _Member(
        packed_size(name, packed), lambda packer: packer.add_packed(name, packed, io.BytesIO(data))
    )


def _questions_member(archive: Archive, categories: list[dict[str, Any]]) -> _Member:
    """questions.xml of those categories, taken out of the whole one as it streams."""
    head, tail = _DECLARATION + b"<question_categories>\n", b"</question_categories>"
    ranges = [(category["begin"], category["end"]) for category in categories]
    if not ranges:
        return _text_member(QUESTIONS, head + tail)
    size = len(head) + sum(end - begin + 1 for begin, end in ranges) + len(tail)

    def blocks(packer: ZipPacker) -> Iterator[bytes]:
        with closing(archive.open(QUESTIONS)) as content:
            joined = _Joined(_questions(content, ranges, head, tail))
            yield from packer.add_stored(QUESTIONS, size, joined)

    return _Member(stored_size(QUESTIONS, size), blocks)


def _questions(content: Readable, ranges: list[tuple[int, int]], head: bytes, tail: bytes) -> Iterator[bytes]:
    yield head
    at = 0
    for begin, end in ranges:
        while at < end:
            wanted = min(_BLOCK, (begin if at < begin else end) - at)
            block = content.read(wanted)
            if not block:
                raise InvalidFile(f"{QUESTIONS} is cut off.", reason="truncated", place=QUESTIONS)
            if at >= begin:
                yield block
            at += len(block)
        yield b"\n"
    yield tail


def _size(archive: Archive, name: str) -> int:
    if isinstance(archive, ZipArchive):
        return packed_size(name, archive.packed(name))
    return stored_size(name, archive.member(name).size)


def _taken_over(archive: Archive, names: list[str], packer: ZipPacker) -> Iterator[bytes]:
    """Members as the archive has them: of a zip as they are packed, of a tar.gz unpacked."""
    if isinstance(archive, ZipArchive):
        for raw in archive.raw_many(names):
            with closing(raw.stream) as packed:
                yield from packer.add_packed(raw.name, archive.packed(raw.name), packed)
        return
    for member, content in archive.read_many(names):
        yield from packer.add_stored(member.name, member.size, content)


class _Joined:
    """Blocks that can be read like a file."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""

    def read(self, size: int = -1, /) -> bytes:
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._rest = block
        data = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(data) :]
        return data
