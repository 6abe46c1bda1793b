"""The contents of a backup, made once: which parts of it belong to which activity and section, and how they
compare with those of another backup.

A cut-out needs them, and would otherwise have to read all of files.xml, questions.xml and the manifest first.
They are kept as a rendition: a header that names parts, and each part packed by itself, so that a cut-out
reads two small pieces of it. What may be long is a part of lines. References are those of inforef.xml
(``backup_inforef_structure_step`` in backup/moodle2/backup_stepslib.php).
"""

from __future__ import annotations

import json
import struct
import tempfile
import zlib
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO

from repo_service.backups.archives import Archive
from repo_service.backups.slicing import Record, Slicer
from repo_service.backups.traits import QUESTIONS, TraitsReader
from repo_service.domain.errors import InvalidFile
from repo_service.inspection.archives.zip_archive import Place, ZipArchive
from repo_service.inspection.base import Progress, ReadStream, Source
from repo_service.inspection.limits import GIB, KIB, LIMITS, MIB, Limits
from repo_service.inspection.moodle.parts import integer
from repo_service.inspection.packages.h5p import media_of
from repo_service.inspection.packages.h5p_manifest import MAX_PACKAGE, is_package, read_package
from repo_service.inspection.sources import FileSource
from repo_service.inspection.text import clean_line
from repo_service.inspection.xml import XmlAllowance

VERSION = 4
"""To be raised when the contents of the same backup would be others."""

MEDIA_TYPE = "application/vnd.moodle-resources.contents"

MANIFEST, FILES = "moodle_backup.xml", "files.xml"
_MAGIC = b"moodle-backup-contents\n"
_HEAD = struct.Struct(">HI")
_BLOCK = 256 * KIB
_MAX_PART = 256 * MIB
_MAX_REFERRED = 128 * MIB
"""Characters of the records that parts and categories refer to, each counted as often as it is referred to:
a cut-out has those of its parts in memory."""
_REFERENCE = 200
"""What else is kept of each."""
_MAX_IDS = 2_000_000
"""Ids of a question or of a part of it that files belong to, in all categories together."""
_MAX_LOOKED_UP = 2_000_000
"""Records of files in questions, each counted as often as something has the id that it belongs to."""
_MAX_PACKAGES = 2_000
"""H5P packages that are looked into."""
_MAX_IN_PACKAGES = 8 * GIB
_MAX_MEDIA = 20_000
"""Media in H5P packages whose licences are kept."""
"""Bytes of them together: each is written to disk for a moment."""

_INFORMATION = "moodle_backup/information"
_ACTIVITY = f"{_INFORMATION}/contents/activities/activity"
_SECTION = f"{_INFORMATION}/contents/sections/section"
_SETTING = f"{_INFORMATION}/settings/setting"
_CATEGORY = "question_categories/question_category"
_QUESTION_FILES = ("question", "qtype_")
_ROOT_RECORDS = {
    "scale": ("scales.xml", "scales_definition/scale"),
    "outcome": ("outcomes.xml", "outcomes_definition/outcome"),
    "role": ("roles.xml", "roles_definition/role"),
    "group": ("groups.xml", "groups/group"),
    "grouping": ("groups.xml", "groups/groupings/grouping"),
}
"""What inforef.xml refers to by ``<name>ref``, and where it stands in the root of the archive."""
_DIRECTORY = "."


class BadContents(Exception):
    """These are no contents, or not of this release: they have to be made again."""


def build_contents(
    archive: Archive, *, write_to: BinaryIO, folder: Path, progress: Progress, limits: Limits = LIMITS
) -> None:
    """Write the contents of a backup of Moodle 2 or later. ``folder`` takes records for a moment.

    Raises InvalidFile.
    """
    with _Builder(archive, folder, limits) as builder:
        builder.read(progress)
        builder.write(write_to)
    progress(1.0)


class Contents:
    """What ``build_contents`` wrote, read part by part."""

    def __init__(self, source: Source) -> None:
        """Raises BadContents."""
        self._source = source
        head = source.read_at(0, len(_MAGIC) + _HEAD.size)
        if not head.startswith(_MAGIC) or len(head) < len(_MAGIC) + _HEAD.size:
            raise BadContents("these are no contents of a backup")
        version, length = _HEAD.unpack_from(head, len(_MAGIC))
        if version != VERSION:
            raise BadContents("these contents are of another release")
        self._begin = len(head) + length
        self._parts: dict[str, list[int]] = self._unpacked(len(head), length)

    def activity(self, id_: int) -> dict[str, Any] | None:
        """What belongs to one activity."""
        return self._part(f"activity/{id_}")

    def section(self, id_: int) -> dict[str, Any] | None:
        """What belongs to one section, its activities not included."""
        return self._part(f"section/{id_}")

    def course(self) -> dict[str, Any]:
        """What is the same for all cut-outs: the beginning of the manifest and its root settings."""
        part = self._part("course")
        if part is None:
            raise BadContents("a part is missing")
        return part

    def category(self, id_: str) -> dict[str, Any] | None:
        """Where a question category stands in questions.xml, and the files of its questions."""
        return self._part(f"category/{id_}")

    def files(self) -> Iterator[dict[str, Any]]:
        """Every file record that is no folder, with the ids of the activity and section that it belongs to.

        ``learners`` says whether it is one that no clean copy has.
        """
        return self._lines("files")

    def compared_course(self) -> dict[str, Any]:
        """Where the backup comes from, and the traits of the course itself."""
        part = self._part("compared")
        if part is None:
            raise BadContents("a part is missing")
        return part

    def compared_activities(self) -> Iterator[dict[str, Any]]:
        """The traits of each activity (``traits``), in the order of the manifest."""
        return self._lines("activities")

    def compared_sections(self) -> Iterator[dict[str, Any]]:
        """The traits of each section."""
        return self._lines("sections")

    def compared_questions(self) -> Iterator[dict[str, Any]]:
        """The traits of each question's newest version."""
        return self._lines("questions")

    def packages(self) -> Iterator[dict[str, Any]]:
        """What H5P packages say of themselves by ``content``, and of each of their ``media``, or the
        ``problem`` why they cannot be read."""
        return self._lines("packages")

    def _part(self, name: str) -> dict[str, Any] | None:
        place = self._parts.get(name)
        if place is None:
            return None
        part: dict[str, Any] = self._unpacked(self._begin + place[0], place[1])
        return part

    def _lines(self, name: str) -> Iterator[dict[str, Any]]:
        place = self._parts.get(name)
        if place is None:
            raise BadContents("a part is missing")
        rest = b""
        for data in self._inflated(*place):
            *lines, rest = (rest + data).split(b"\n")
            try:
                described = [json.loads(line) for line in lines]
            except ValueError as error:
                raise BadContents("these contents are damaged") from error
            yield from described
        if rest:
            raise BadContents("these contents are cut off")

    def _inflated(self, offset: int, length: int) -> Iterator[bytes]:
        inflater = zlib.decompressobj()
        with self._source.stream(self._begin + offset, length) as stream:
            while data := stream.read(_BLOCK):
                try:
                    # A block at a time: very many lines that are alike take hardly any room packed. A full
                    # one means that more may be waiting within the inflater.
                    while not inflater.eof and (block := inflater.decompress(data, _BLOCK)):
                        data = inflater.unconsumed_tail
                        yield block
                except zlib.error as error:
                    raise BadContents("these contents are damaged") from error
        if not inflater.eof:
            raise BadContents("these contents are cut off")

    def _unpacked(self, offset: int, length: int) -> Any:
        try:
            packed = self._source.read_at(offset, length)
            return json.loads(zlib.decompressobj().decompress(packed, _MAX_PART))
        except (zlib.error, ValueError) as error:
            raise BadContents("these contents are damaged") from error


@dataclass(slots=True)
class _Part:
    """An activity or a section while its contents are put together."""

    id: int
    fields: Mapping[str, str]
    listed: str
    settings: list[str] = field(default_factory=list)
    members: list[tuple[str, int]] = field(default_factory=list)
    references: dict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    """Ids by kind, each once."""
    sections: list[int] = field(default_factory=list)
    activities: list[int] = field(default_factory=list)


class _Builder:
    def __init__(self, archive: Archive, folder: Path, limits: Limits) -> None:
        self._archive = archive
        self._folder = folder
        self._limits = limits
        self._allowance = XmlAllowance(limits)
        self._records = _Records(folder)
        self._information: list[str] = []
        self._settings: list[str] = []
        self._parts: dict[str, _Part] = {}
        """By directory."""
        self._root: dict[str, dict[str, str]] = {name: {} for name in _ROOT_RECORDS}
        self._categories: dict[str, tuple[int, int]] = {}
        self._question_files: dict[str, list[int]] = defaultdict(list)
        """Numbers of file records by the id of what they belong to."""
        self._category_ids: dict[str, set[str]] = defaultdict(set)
        """Of what files belong to, by the id of the category that it is in."""
        self._referred = 0
        self._looked_up = 0
        self._traits = TraitsReader(archive, folder, limits)
        self._origin: dict[str, str] = {}
        self._packages: dict[str, dict[str, Any]] = {}
        """By the hash of their content."""
        self._media_left = _MAX_MEDIA

    def read(self, progress: Progress) -> None:
        self._slice(MANIFEST, {_ACTIVITY, _SECTION, _SETTING}, self._listed)
        self._slice_information()
        self._find_members()
        progress(0.1)
        self._read_references()
        progress(0.2)
        self._traits.read_parts(self._manifest_of("activities/"), self._manifest_of("sections/"))
        progress(0.4)
        self._slice(FILES, {"files/file"}, self._file)
        progress(0.6)
        self._read_packages()
        progress(0.7)
        for member, paths in _by_member(_ROOT_RECORDS).items():
            self._slice(member, paths, self._root_record)
        if QUESTIONS in self._archive:
            self._read_questions()
            self._traits.read_questions(self._files_in_questions)

    def write(self, to: BinaryIO) -> None:
        with closing(_PartsFile(self._folder)) as parts:
            self._add_parts(parts)
            parts.write(to)

    def _add_parts(self, parts: _PartsFile) -> None:
        parts.add(
            "course",
            {
                "information": "".join(self._information),
                "settings": self._settings,
                "places": self._places([QUESTIONS]),
            },
        )
        for directory, part in self._parts.items():
            kind = "section" if directory.startswith("sections/") else "activity"
            parts.add(f"{kind}/{part.id}", self._describe(directory, part))
        for id_, (begin, end) in self._categories.items():
            items = self._category_ids[id_]
            numbers = sorted(number for item in items for number in self._question_files[item])
            files = [self._referred_file(number) for number in numbers]
            category = {"begin": begin, "end": end, "files": files, "places": self._pool_places(files)}
            parts.add(f"category/{id_}", category)
        parts.add_lines("files", self._described_files())
        parts.add("compared", {"origin": self._origin, **self._traits.course()})
        parts.add_lines("activities", self._traits.activities())
        parts.add_lines("sections", self._traits.sections())
        parts.add_lines("questions", self._traits.questions())
        parts.add_lines("packages", self._packages.values())

    def __enter__(self) -> _Builder:
        return self

    def __exit__(self, *_: object) -> None:
        self._records.close()
        self._traits.close()

    def _slice(self, member: str, paths: Iterable[str], tell: Callable[[Record], object]) -> None:
        """Every record at ``paths`` of a member, with its bytes; nothing where there is no such member."""
        if member not in self._archive:
            return
        paths = frozenset(paths)
        slicer = Slicer(paths, tell, place=member, allowance=self._allowance, with_xml=paths)
        self._feed(member, slicer)

    def _feed(self, member: str, slicer: Slicer) -> None:
        with self._archive.open(member) as content:
            while block := content.read(_BLOCK):
                slicer.feed(block)
        slicer.close()

    def _slice_information(self) -> None:
        """The fields of the manifest that stand before ``details``."""

        def tell(record: Record) -> None:
            self._origin = {
                name: clean_line(record.fields.get(name, ""))
                for name in ("original_site_identifier_hash", "original_wwwroot", "original_course_id")
            }
            self._information.extend(
                f"<{name}>{_escaped(text)}</{name}>" for name, text in record.fields.items()
            )

        slicer = Slicer({_INFORMATION}, tell, place=MANIFEST, allowance=self._allowance)
        self._feed(MANIFEST, slicer)

    def _listed(self, record: Record) -> None:
        xml = record.xml.decode()
        if record.path == _SETTING:
            owner = record.fields.get("activity") or record.fields.get("section")
            if record.fields.get("level") == "root":
                self._settings.append(xml)
            elif owner is not None:
                folder = "activities" if record.fields.get("activity") else "sections"
                if (part := self._parts.get(f"{folder}/{owner}")) is not None:
                    part.settings.append(xml)
            return
        activity = record.path == _ACTIVITY
        id_ = integer(record.fields.get("moduleid" if activity else "sectionid", ""))
        directory = record.fields.get("directory", "")
        if id_ is None or not directory.startswith("activities/" if activity else "sections/"):
            raise InvalidFile("The manifest lists a part without its place.", reason="bad-manifest")
        self._parts[directory] = _Part(id_, record.fields, xml)
        if len(self._parts) > self._limits.max_activities + self._limits.max_sections:
            raise InvalidFile("The backup has too many parts.", reason="too-many-activities")

    def _find_members(self) -> None:
        for name in self._archive.names():
            directory = "/".join(name.split("/", 2)[:2])
            if not name.endswith("/") and (part := self._parts.get(directory)) is not None:
                part.members.append((name, self._archive.member(name).size))
        sections = {part.id: part for place, part in self._parts.items() if place.startswith("sections/")}
        activities = {part.id: part for place, part in self._parts.items() if place.startswith("activities/")}
        for part in activities.values():
            if (home := sections.get(integer(part.fields.get("sectionid", "")) or 0)) is not None:
                home.activities.append(part.id)
        for part in sections.values():
            if (holder := activities.get(integer(part.fields.get("parentcmid", "")) or 0)) is not None:
                holder.sections.append(part.id)

    def _read_references(self) -> None:
        wanted = {f"{directory}/inforef.xml": part for directory, part in self._parts.items()}
        names = [name for name in wanted if name in self._archive]
        for member, content in self._archive.read_many(names):
            part = wanted[member.name]

            def tell(record: Record, part: _Part = part) -> None:
                kind = record.path.rpartition("/")[2]
                part.references[kind][record.fields.get("id", "")] = None

            kinds = ("file", "question_category", *_ROOT_RECORDS)
            paths = {f"inforef/{kind}ref/{kind}" for kind in kinds}
            slicer = Slicer(paths, tell, place=member.name, allowance=self._allowance)
            while block := content.read(_BLOCK):
                slicer.feed(block)
            slicer.close()

    def _file(self, record: Record) -> None:
        number = self._records.add(record)
        fields = record.fields
        if fields.get("component", "").startswith(_QUESTION_FILES):
            self._question_files[fields.get("itemid", "")].append(number)
        if fields.get("filename") == _DIRECTORY:
            return
        self._traits.add_file(fields)
        if is_package(fields.get("filename", ""), fields.get("mimetype", "")):
            content = fields.get("contenthash", "")
            learners = self._traits.place_of(fields)["learners"]
            if not learners and len(self._packages) < _MAX_PACKAGES:
                self._packages.setdefault(content, {"content": content, "problem": "not-there"})

    def _files_in_questions(self, id_: str) -> Iterator[Mapping[str, str]]:
        numbers = self._question_files.get(id_, ())
        self._looked_up += len(numbers)
        if self._looked_up > _MAX_LOOKED_UP:
            raise InvalidFile("The backup has too many files in questions.", reason="too-many-values")
        fields = (self._records.fields(number) for number in numbers)
        return (one for one in fields if one.get("filename") != _DIRECTORY)

    def _read_packages(self) -> None:
        """Each is written to disk for a moment: within the backup it is packed, and read here and there."""
        names = {f"files/{content[:2]}/{content}": content for content in self._packages}
        wanted = [name for name in names if name in self._archive]
        left = _MAX_IN_PACKAGES
        for member, content in self._archive.read_many(wanted):
            hash_, said = names[member.name], {"problem": "package-too-large"}
            if member.size <= min(MAX_PACKAGE, left):
                left -= member.size
                said = self._package(content)
            self._packages[hash_] = {"content": hash_, **said}

    def _package(self, content: ReadStream) -> dict[str, Any]:
        with tempfile.NamedTemporaryFile(dir=self._folder) as file:
            while block := content.read(_BLOCK):
                file.write(block)
            file.flush()
            with FileSource(file.name) as source:
                try:
                    said = asdict(read_package(source, self._limits))
                    media = media_of(source, self._limits)[: self._media_left]
                    self._media_left -= len(media)
                    return {**said, "media": [asdict(item) for item in media]}
                except InvalidFile as error:
                    return {"problem": error.reason}

    def _described_files(self) -> Iterator[dict[str, Any]]:
        return ({**described, **self._traits.place_of(described)} for described in self._records.described())

    def _manifest_of(self, folder: str) -> dict[str, Mapping[str, str]]:
        return {place: part.fields for place, part in self._parts.items() if place.startswith(folder)}

    def _root_record(self, record: Record) -> None:
        kind = record.path.rpartition("/")[2]
        records = self._root[kind]
        records[record.attributes.get("id", "")] = record.xml.decode()
        if len(records) > self._limits.max_distinct:
            raise InvalidFile(f"The backup has too many {kind}s.", reason="too-many-values")

    def _read_questions(self) -> None:
        def tell(record: Record) -> None:
            self._categories[record.attributes.get("id", "")] = record.begin, record.end
            if len(self._categories) > self._limits.max_distinct:
                raise InvalidFile("The backup has too many question categories.", reason="too-many-values")

        seen = 0

        def see(id_: str, around: list[str]) -> None:
            nonlocal seen
            ids = self._category_ids[around[0]]
            if id_ in self._question_files and id_ not in ids:
                ids.add(id_)
                seen += 1
                if seen > _MAX_IDS:
                    raise InvalidFile("The backup has too many questions.", reason="too-many-values")

        slicer = Slicer({_CATEGORY}, tell, place=QUESTIONS, allowance=self._allowance, ids=see)
        self._feed(QUESTIONS, slicer)

    def _describe(self, directory: str, part: _Part) -> dict[str, Any]:
        numbers = (self._records.number(id_) for id_ in part.references["file"])
        files = [self._referred_file(number) for number in numbers if number is not None]
        return {
            "id": part.id,
            "module": part.fields.get("modulename", ""),
            "title": part.fields.get("title", ""),
            "directory": directory,
            "listed": part.listed,
            "settings": part.settings,
            "members": part.members,
            "files": files,
            "places": self._places(name for name, _ in part.members) | self._pool_places(files),
            "categories": list(part.references["question_category"]),
            "sections": part.sections,
            "activities": part.activities,
            **{
                kind: [self._counted(known[id_]) for id_ in part.references[kind] if id_ in known]
                for kind, known in self._root.items()
            },
        }

    def _referred_file(self, number: int) -> list[Any]:
        record = self._records.get(number)
        self._counted(record[0])
        return record

    def _counted(self, xml: str) -> str:
        self._referred += len(xml) + _REFERENCE
        if self._referred > _MAX_REFERRED:
            raise InvalidFile("The backup refers too often to large records.", reason="too-many-values")
        return xml

    def _pool_places(self, files: Iterable[list[Any]]) -> dict[str, Place]:
        return self._places(pool_name(content) for _, content, _ in files)

    def _places(self, names: Iterable[str]) -> dict[str, Place]:
        """Where members stand in a zip, so that a cut-out need not read its directory; in a tar.gz the seek
        index tells."""
        if not isinstance(self._archive, ZipArchive):
            return {}
        return {name: self._archive.place(name) for name in names if name in self._archive}


def pool_name(content: str) -> str:
    """The member that holds a content, by its SHA-1 (``backup_file_manager`` in backup/util/helper)."""
    return f"files/{content[:2]}/{content}"


class _Records:
    """File records, in a file: (XML, hash of the content, size in bytes) each, found by id."""

    def __init__(self, folder: Path) -> None:
        make: Any = tempfile.TemporaryFile
        self._file: IO[bytes] = make(dir=folder)
        self._begins = array("Q", [0])
        self._ids = array("q")
        self._order: list[int] | None = None

    def add(self, record: Record) -> int:
        """Returns its number."""
        fields = record.fields
        line = json.dumps(
            [
                record.xml.decode(),
                fields.get("contenthash", ""),
                max(0, integer(fields.get("filesize", "")) or 0),
                fields,
            ]
        ).encode()
        self._file.write(line)
        self._begins.append(self._begins[-1] + len(line))
        self._ids.append(integer(record.attributes.get("id", "")) or -1)
        return len(self._ids) - 1

    def number(self, id_: str) -> int | None:
        """Of the record with that id."""
        if self._order is None:
            self._order = sorted(range(len(self._ids)), key=self._ids.__getitem__)
        wanted = integer(id_)
        if wanted is None:
            return None
        at = bisect_left(self._order, wanted, key=self._ids.__getitem__)
        if at < len(self._order) and self._ids[self._order[at]] == wanted:
            return self._order[at]
        return None

    def get(self, number: int) -> list[Any]:
        """[XML, hash, size] of one."""
        return self._line(number)[:3]

    def fields(self, number: int) -> dict[str, str]:
        """What one says."""
        fields: dict[str, str] = self._line(number)[3]
        return fields

    def described(self) -> Iterator[dict[str, Any]]:
        """What the records say, of all that are no folders."""
        for number in range(len(self._ids)):
            _, content, size, fields = self._line(number)
            if fields.get("filename") != _DIRECTORY:
                yield {
                    "content": content,
                    "size": size,
                    "name": fields.get("filename", ""),
                    **{
                        name: fields.get(name, "")
                        for name in (
                            *("contextid", "component", "filearea", "itemid", "filepath"),
                            *("mimetype", "author", "license", "source"),
                        )
                    },
                }

    def close(self) -> None:
        self._file.close()

    def _line(self, number: int) -> list[Any]:
        self._file.seek(self._begins[number])
        line: list[Any] = json.loads(self._file.read(self._begins[number + 1] - self._begins[number]))
        return line


class _PartsFile:
    """Parts by name, each packed by itself."""

    def __init__(self, folder: Path) -> None:
        make: Any = tempfile.TemporaryFile
        self._file: IO[bytes] = make(dir=folder)
        self._parts: dict[str, tuple[int, int]] = {}

    def add(self, name: str, part: Mapping[str, Any]) -> None:
        begin = self._file.tell()
        self._file.write(zlib.compress(json.dumps(part).encode(), 6))
        self._parts[name] = begin, self._file.tell() - begin

    def add_lines(self, name: str, lines: Iterable[Mapping[str, Any]]) -> None:
        begin = self._file.tell()
        packer = zlib.compressobj(6)
        for line in lines:
            self._file.write(packer.compress(json.dumps(line).encode() + b"\n"))
        self._file.write(packer.flush())
        self._parts[name] = begin, self._file.tell() - begin

    def write(self, to: BinaryIO) -> None:
        header = zlib.compress(json.dumps(self._parts).encode(), 6)
        to.write(_MAGIC + _HEAD.pack(VERSION, len(header)) + header)
        self._file.seek(0)
        while block := self._file.read(_BLOCK):
            to.write(block)

    def close(self) -> None:
        self._file.close()


def _by_member(records: Mapping[str, tuple[str, str]]) -> dict[str, set[str]]:
    paths: dict[str, set[str]] = defaultdict(set)
    for member, path in records.values():
        paths[member].add(path)
    return paths


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
